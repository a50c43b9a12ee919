//! The file that holds the drill log: tried before a drill begins, changed under a lock that is waited for only so long.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::files::{self, Kind};
use super::time_limited::MayAct;

/// How long a lock is waited for: a drill holds it for milliseconds.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The pause between two attempts to lock.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Finds out whether the log can be written, and makes it with this text if there is none. Removes what killed drills
/// left beside it.
///
/// # Errors
/// Why it could not be written.
pub fn try_out(path: &Path, text: &str, lock_wait: Duration, may: &MayAct) -> io::Result<()> {
    let mut file = open(path)?;
    if files::kind_of(&file.metadata()?)? == Kind::Device {
        return Ok(());
    }
    lock(&file, lock_wait)?;
    if file.metadata()?.len() == 0 {
        may.act(|| file.write_all(text.as_bytes()))?;
    }
    let real_path = fs::canonicalize(path)?;
    files::remove_leftovers(real_path.parent().unwrap_or(Path::new(".")), ".drill-log-");
    // What is written at the end is a little longer than this.
    let mut now = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut now)?;
    match files::stage(&real_path, &now, false) {
        Err(error) if !only_in_place(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Changes the log: `change` makes the new text of the old, of whatever bytes that is. A device gets `alone` instead. Safe
/// when several drills end at once, where the file system knows locks.
///
/// # Errors
/// What the file system says, or that the lock could not be had. Then the file is as it was.
pub fn change(
    path: &Path,
    alone: &str,
    change: impl Fn(&[u8]) -> Vec<u8>,
    lock_wait: Duration,
    may: &MayAct,
) -> io::Result<()> {
    loop {
        let mut file = open(path)?;
        if files::kind_of(&file.metadata()?)? == Kind::Device {
            return may.act(|| file.write_all(alone.as_bytes()));
        }
        lock(&file, lock_wait)?;
        // Through links, or the file behind one would be left as it was.
        let real_path = fs::canonicalize(path)?;
        if !same_file(&file, &real_path)? {
            // Another drill replaced the file while this one waited for the lock.
            continue;
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        return put(&mut file, &real_path, &text, &change(&text), may);
    }
}

/// Opens the log, or makes it, with the directories above it.
fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    match files::kind(path)? {
        Some(Kind::Device) => files::open_options().append(true).open(path),
        _ => files::open_options().read(true).write(true).create(true).truncate(false).open(path),
    }
}

fn lock(file: &File, wait: Duration) -> io::Result<()> {
    lock_by(file, wait, File::try_lock)
}

fn lock_by(
    file: &File,
    wait: Duration,
    try_lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match try_lock(file) {
            Ok(()) => return Ok(()),
            // Without one, what is left to go wrong is that two drills end in the same moment, and one row is lost.
            Err(TryLockError::Error(error)) if knows_no_locks(&error) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() >= wait => {
                let by = holder(file).map(|holder| format!(" by {holder}")).unwrap_or_default();
                let waited = crate::model::human::duration(wait.as_secs_f64());
                return Err(io::Error::other(format!("it is locked{by}; waited {waited} for it")));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
        }
    }
}

/// Whether there are no locks here to be had: NFS without its lock daemon, some file systems in user space.
fn knows_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(errno) = rustix::io::Errno::from_io_error(error) {
        use rustix::io::Errno;
        return [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP].contains(&errno);
    }
    error.kind() == io::ErrorKind::Unsupported
}

/// The process that has the lock, where the system reports it (proc(5), `/proc/locks`).
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().ok()?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF`; one that waits has `->` after its number.
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(5) == Some(&place.as_str())).then(|| words[4].to_owned())
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = crate::model::human::one_line(name.trim(), 40);
    Some(if name.is_empty() { format!("process {pid}") } else { format!("process {pid} ({name})") })
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &File) -> Option<String> {
    None
}

/// Replaces the text, whole where that leaves owner and permissions as they are. Where it does not (the file is another
/// user's, has a second name, or is mounted by itself), the text is changed in place.
fn put(file: &mut File, path: &Path, old: &[u8], new: &[u8], may: &MayAct) -> io::Result<()> {
    if !has_other_names(file)? {
        let replaced = files::stage(path, new, true).and_then(|staged| may.act(|| staged.commit()));
        match replaced {
            Err(error) if only_in_place(&error) => {}
            outcome => return outcome,
        }
    }
    may.act(|| {
        overwrite(file, new).inspect_err(|_| {
            // Its own old text has room where the new one has not.
            let _ = overwrite(file, old);
        })
    })
}

fn overwrite(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text)?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// Whether the directory, and not the file, keeps it from being replaced.
fn only_in_place(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), CrossesDevices | PermissionDenied | ReadOnlyFilesystem | ResourceBusy)
}

#[cfg(unix)]
fn has_other_names(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 1)
}

#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (ours, current) = (file.metadata()?, fs::metadata(path)?);
    Ok((ours.dev(), ours.ino()) == (current.dev(), current.ino()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as on unix")]
fn has_other_names(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Elsewhere a file that is open and locked cannot be replaced at all.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as on unix")]
fn same_file(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

    use super::*;
    use crate::evidence::time_limited::{GaveUp, TimeLimited};

    const SOON: Duration = Duration::from_millis(1);

    fn append(path: &Path, row: &str) -> io::Result<()> {
        change(path, row, |text| [text, row.as_bytes()].concat(), SOON, &MayAct::default())
    }

    #[test]
    fn devices_are_appended_to_and_stay_devices() {
        let directory = tempfile::tempdir().unwrap();
        for (name, device, written) in [("null", "/dev/null", true), ("full", "/dev/full", false)] {
            let link = directory.path().join(name);
            symlink(device, &link).unwrap();
            try_out(&link, "text", SOON, &MayAct::default()).unwrap();
            assert_eq!(append(&link, "row\n").is_ok(), written, "{device}");
            assert!(fs::metadata(device).unwrap().file_type().is_char_device(), "{device}");
        }
    }

    #[test]
    fn what_can_hold_no_log_is_refused_and_nothing_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
        for path in [fifo, directory.path().join("socket"), directory.path().to_owned()] {
            let error = try_out(&path, "text", SOON, &MayAct::default()).unwrap_err();
            assert!(error.to_string().contains("neither a regular file"), "{error}");
            assert!(append(&path, "row\n").is_err());
        }
        let below_a_file = directory.path().join("socket/log.md");
        assert!(try_out(&below_a_file, "text", SOON, &MayAct::default()).is_err());
    }

    #[test]
    fn a_log_that_is_locked_is_given_up_and_its_holder_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.md");
        try_out(&path, "text", SOON, &MayAct::default()).unwrap();
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        for outcome in [try_out(&path, "text", SOON, &MayAct::default()), append(&path, "row\n")] {
            let error = outcome.unwrap_err().to_string();
            assert!(error.starts_with("it is locked"), "{error}");
            if cfg!(target_os = "linux") {
                assert!(error.contains(&format!("by process {}", std::process::id())), "{error}");
            }
        }
        drop(other);
        append(&path, "row\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "textrow\n");
    }

    #[test]
    fn where_there_are_no_locks_the_log_is_written_without() {
        use rustix::io::Errno;
        let file = tempfile::tempfile().unwrap();
        let locked = |errno: Errno| lock_by(&file, SOON, move |_| Err(TryLockError::Error(errno.into())));
        for errno in [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP] {
            locked(errno).unwrap();
        }
        assert_eq!(locked(Errno::IO).unwrap_err().raw_os_error(), Some(Errno::IO.raw_os_error()));
        let elsewhere = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        lock_by(&file, SOON, elsewhere).unwrap();
    }

    #[test]
    fn a_file_that_has_a_second_name_is_changed_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let (path, second) = (directory.path().join("log.md"), directory.path().join("second"));
        fs::write(&path, "a long text\n").unwrap();
        fs::hard_link(&path, &second).unwrap();
        let link = directory.path().join("link");
        symlink("log.md", &link).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        change(&link, "", |_| b"short\n".to_vec(), SOON, &MayAct::default()).unwrap();
        assert_eq!(fs::read_to_string(&second).unwrap(), "short\n");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }

    /// A row that waits for its lock past the time limit of its step.
    #[test]
    fn a_row_whose_step_was_given_up_is_not_written_when_the_lock_comes_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.md");
        fs::write(&path, "text\n").unwrap();
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut limited = TimeLimited::new(Box::new(path.clone()), SOON);
        let gave_up = runtime.block_on(limited.run(|path: &mut std::path::PathBuf, may: &MayAct| {
            change(path, "", |_| b"PASS\n".to_vec(), Duration::from_secs(600), may)
        }));
        assert_eq!(gave_up.map(|_| ()), Err(GaveUp::TookLonger(SOON)));
        drop(held);
        // It waits for the thread.
        drop(runtime);
        assert_eq!(fs::read_to_string(&path).unwrap(), "text\n");
        let names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["log.md"]);
    }
}
