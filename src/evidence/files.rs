//! Files that evidence is written to. A regular file is replaced whole: readers see the old content or the new one. What
//! is no regular file is never renamed over, and never opened if that could block.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempPath;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file that can be replaced.
    Regular,
    /// A character device such as `/dev/null`: it can be appended to.
    Device,
}

/// What a path leads to, through links; nothing if there is nothing.
///
/// # Errors
/// A directory, a FIFO, a socket or a disk can keep no evidence. What the file system says.
pub fn kind(path: &Path) -> io::Result<Option<Kind>> {
    match fs::metadata(path) {
        Ok(metadata) => kind_of(&metadata).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`kind`], of a file that is open.
pub fn kind_of(metadata: &Metadata) -> io::Result<Kind> {
    if metadata.is_file() {
        return Ok(Kind::Regular);
    }
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type()) {
        return Ok(Kind::Device);
    }
    Err(io::Error::other("it is neither a regular file nor a character device"))
}

/// Options that open no FIFO for good: what it is can be asked of what is open.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options
}

/// New content, beside the file whose place it is to take. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    /// Open and locked: that distinguishes it from what a killed process left.
    _file: File,
    temporary: TempPath,
    target: PathBuf,
}

/// Writes new content beside a regular file, or beside where one will be, with that file's owner and permissions.
/// `durable` content is on the disk before this returns.
///
/// # Errors
/// What the file system says; the file is as it was.
pub fn stage(target: &Path, content: &[u8], durable: bool) -> io::Result<Staged> {
    let old = fs::symlink_metadata(target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(io::Error::other("it is no regular file"));
    }
    let (mut file, temporary) = temporary(target.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    take_after(&file, old.as_ref())?;
    if durable {
        file.sync_all()?;
    }
    Ok(Staged { _file: file, temporary, target: target.to_owned() })
}

impl Staged {
    /// Puts the content in its place.
    ///
    /// # Errors
    /// What the file system says; the file is as it was.
    pub fn commit(self) -> io::Result<()> {
        self.temporary.persist(&self.target).map_err(|error| error.error)
    }
}

/// Replaces a file, or makes it.
///
/// # Errors
/// As [`stage`] and [`Staged::commit`].
pub fn replace(target: &Path, content: &[u8], durable: bool) -> io::Result<()> {
    stage(target, content, durable)?.commit()
}

/// A new private file in this directory.
fn temporary(directory: &Path) -> io::Result<(File, TempPath)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    for number in 0.. {
        let path = directory.join(format!("{OURS}{}-{number}{END}", std::process::id()));
        match options.open(&path) {
            Ok(file) => {
                // Where a file system knows no locks, what a killed process leaves stays.
                let _ = file.try_lock();
                return Ok((file, TempPath::try_from_path(path)?));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("there are more numbers than files")
}

/// Gives a file the owner and permissions of the one it replaces. A new one is for everybody that may read the directory.
#[cfg(unix)]
fn take_after(file: &File, old: Option<&Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let Some(old) = old else { return file.set_permissions(fs::Permissions::from_mode(0o644)) };
    let new = file.metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as on unix")]
fn take_after(_: &File, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}

/// How the names of our temporary files begin and end.
const OURS: &str = ".restore-drill-";
const END: &str = ".tmp";
/// A file that was changed since may still be in use, where a lock does not show it: it is taken a moment after the file is made,
/// and not every file system shares locks between machines.
const AT_WORK: Duration = Duration::from_secs(3600);

/// Removes what processes that were killed left in a directory. In earlier versions the names there began with `earlier`,
/// and six letters and digits followed.
pub fn remove_leftovers(directory: &Path, earlier: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| is_temporary(name, earlier));
        let is_left =
            entry.metadata().is_ok_and(|metadata| metadata.is_file() && unchanged(&metadata) >= AT_WORK);
        if is_ours && is_left && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            // Another drill may have come first.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// For how long; not at all if it is not known.
fn unchanged(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default()
}

fn is_temporary(name: &str, earlier: &str) -> bool {
    let random = |rest: &str| rest.len() == 6 && rest.chars().all(|c| c.is_ascii_alphanumeric());
    name.strip_prefix(OURS).is_some_and(|rest| rest.ends_with(END))
        || name.strip_prefix(earlier).is_some_and(random)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn permissions_are_kept_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, b"one", true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"two", false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(
            (fs::read(&path).unwrap(), names(directory.path())),
            (b"two".into(), vec!["file".to_owned()])
        );
    }

    #[test]
    fn what_is_staged_and_dropped_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, b"one", false).unwrap();
        drop(stage(&path, b"two", false).unwrap());
        assert_eq!(
            (fs::read(&path).unwrap(), names(directory.path())),
            (b"one".into(), vec!["file".to_owned()])
        );
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("/dev/null", &link).unwrap();
        assert!(replace(&link, b"x", false).is_err());
        assert!(replace(directory.path(), b"x", false).is_err());
        assert_eq!(names(directory.path()), ["link"]);
        assert_eq!(kind(&link).unwrap(), Some(Kind::Device), "through links");
        assert_eq!(kind(&directory.path().join("absent")).unwrap(), None);
        assert!(kind(directory.path()).is_err());
    }

    #[test]
    fn only_what_no_living_process_writes_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let staged = stage(&directory.path().join("file"), b"x", false).unwrap();
        let living = staged.temporary.file_name().unwrap().to_str().unwrap().to_owned();
        let dead = [".restore-drill-1-0.tmp", ".drill-log-Zz9Zz9"];
        let others = [".report-aB3dE6", ".drill-log-mine", "a.json"];
        for name in dead.iter().chain(&others) {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        fs::create_dir(directory.path().join(".restore-drill-2-0.tmp")).unwrap();
        for name in names(directory.path()) {
            age(&directory.path().join(name));
        }
        // Made, and not locked yet.
        fs::write(directory.path().join(".restore-drill-3-0.tmp"), "x").unwrap();
        remove_leftovers(directory.path(), ".drill-log-");
        let mut expected: Vec<String> = others.map(str::to_owned).into();
        expected.extend([".restore-drill-2-0.tmp".to_owned(), ".restore-drill-3-0.tmp".to_owned(), living]);
        expected.sort();
        assert_eq!(names(directory.path()), expected);
    }

    /// Sets the time of a file's last change to two hours ago.
    fn age(path: &Path) {
        let then = std::time::SystemTime::now() - 2 * AT_WORK;
        File::open(path).unwrap().set_modified(then).unwrap();
    }
}
