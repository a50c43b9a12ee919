//! Where what is fetched goes. A file gets its name only once all of it is there and is the right one.
//!
//! Until then it has no name at all where the file system knows such files (`O_TMPFILE`, open(2)): nothing is left of it
//! however the program ends, and it holds production's data. Elsewhere it lies beside its place under another name, and is
//! removed unless the program is killed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Where it goes.
pub(super) enum Output {
    Stdout,
    File(PendingFile),
}

/// A file that has not got its name yet.
pub(super) struct PendingFile {
    file: File,
    /// None if it has no name at all.
    beside: Option<TempPath>,
    target: PathBuf,
}

/// What it is written with.
pub(super) enum Writer {
    Stdout(io::Stdout),
    File(File),
}

impl Output {
    /// Opens the file that it goes to; none for stdout.
    ///
    /// # Errors
    /// `output_exists` and `output_unwritable`, configuration errors.
    pub(super) fn open(file: Option<&Path>) -> Result<Self> {
        match file {
            None => Ok(Self::Stdout),
            Some(target) => PendingFile::open(target, unnamed).map(Self::File),
        }
    }

    /// What it is written with.
    pub(super) fn writer(&self) -> Result<Writer> {
        match self {
            Self::Stdout => Ok(Writer::Stdout(io::stdout())),
            Self::File(pending) => pending
                .file
                .try_clone()
                .map(Writer::File)
                .map_err(|error| unwritable(&pending.target, &error)),
        }
    }

    /// Gives the file its name, and returns its path.
    ///
    /// # Errors
    /// `output_exists`, if there is something of that name now; `output_failed`.
    pub(super) fn commit(self) -> Result<Option<PathBuf>> {
        match self {
            Self::Stdout => Ok(None),
            Self::File(pending) => pending.commit().map(Some),
        }
    }
}

impl PendingFile {
    fn open(target: &Path, unnamed: impl Fn(&Path) -> io::Result<Option<File>>) -> Result<Self> {
        match fs::symlink_metadata(target) {
            Ok(_) => return Err(exists(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(target, &error)),
        }
        // A path that ends in a slash is a directory's (path_resolution(7)), though there may be none yet.
        let names_a_directory =
            [&b"/"[..], b"/."].iter().any(|end| target.as_os_str().as_encoded_bytes().ends_with(end));
        if names_a_directory {
            return Err(unwritable(target, &io::ErrorKind::IsADirectory.into()));
        }
        if target.file_name().is_none() {
            return Err(unwritable(target, &io::ErrorKind::InvalidFilename.into()));
        }
        let opened = match unnamed(directory(target)) {
            Ok(Some(file)) => Ok((file, None)),
            Ok(None) => named(directory(target)).map(|(file, path)| (file, Some(path))),
            Err(error) => Err(error),
        };
        let (file, beside) = opened.map_err(|error| unwritable(target, &error))?;
        Ok(Self { file, beside, target: target.to_owned() })
    }

    fn commit(self) -> Result<PathBuf> {
        let Self { file, beside, target } = self;
        let named = match beside {
            Some(path) => path.persist_noclobber(&target).map_err(|error| error.error),
            None => link(&file, &target),
        };
        match named {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(&target)),
            Err(error) => {
                let message = format!("the file could not get its name {}: {error}", target.display());
                return Err(Failure::inconclusive(codes::OUTPUT_FAILED, message)
                    .hint("name another place with -o; nothing was learnt about the backup"));
            }
        }
        // The content is on the disk already; where a directory cannot be synced, its name follows in a moment.
        let _ = File::open(directory(&target)).and_then(|directory| directory.sync_all());
        Ok(target)
    }
}

impl Writer {
    /// Writes all of something, to its end.
    ///
    /// # Errors
    /// `output_failed`.
    pub(super) fn whole(mut self, what: &str, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).and_then(|()| self.finish()).map_err(|error| failed(what, &error))
    }

    /// Ends what was written: a file's content is on the disk when this returns.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Stdout(_) => Ok(()),
            Self::File(file) => file.sync_all(),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

/// The directory that a file lies in.
fn directory(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A private file without a name, that can be given one later; none where there is no such thing.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let opened = OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(directory);
    match opened {
        // Without /proc it would never get its name.
        Ok(file) => Ok(fs::metadata(by_number(&file)).is_ok().then_some(file)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// A private file beside its place.
fn named(directory: &Path) -> io::Result<(File, TempPath)> {
    Ok(tempfile::Builder::new().prefix(".restore-drill-").suffix(".tmp").tempfile_in(directory)?.into_parts())
}

/// Gives a file its name, unless there is something of that name (open(2), `O_TMPFILE`).
#[cfg(target_os = "linux")]
fn link(file: &File, target: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    linkat(CWD, by_number(file), CWD, target, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The path that leads to an open file, whatever its name.
#[cfg(target_os = "linux")]
fn by_number(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)).into()
}

/// The failure of something that could not be written.
pub(super) fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::inconclusive(codes::OUTPUT_FAILED, format!("{what} could not be written: {error}"))
        .hint("make room, or name another place with -o; nothing was learnt about the backup")
}

fn exists(target: &Path) -> Failure {
    let message = format!("{} exists already, and nothing is overwritten", target.display());
    Failure::config(codes::OUTPUT_EXISTS, message).hint("-o names another file")
}

fn unwritable(target: &Path, error: &io::Error) -> Failure {
    Failure::config(codes::OUTPUT_UNWRITABLE, format!("cannot write {}: {error}", target.display()))
        .hint("-o names another place")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Both ways a file can wait for its name.
    const WAYS: [Way; 2] = [unnamed, |_| Ok(None)];
    type Way = fn(&Path) -> io::Result<Option<File>>;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_gets_its_name_at_the_end_and_is_private() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("dump");
            let output = Output::File(PendingFile::open(&target, way).unwrap());
            let mut writer = output.writer().unwrap();
            writer.write_all(b"rows").unwrap();
            writer.finish().unwrap();
            assert!(!target.exists());
            assert_eq!(output.commit().unwrap().as_deref(), Some(&*target));
            assert_eq!(fs::read(&target).unwrap(), b"rows");
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(names(directory.path()), ["dump"]);
        }
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let output = Output::File(PendingFile::open(&directory.path().join("dump"), way).unwrap());
            output.writer().unwrap().write_all(b"half").unwrap();
            drop(output);
            assert_eq!(names(directory.path()), Vec::<String>::new());
        }
    }

    #[test]
    fn nothing_is_overwritten_though_it_came_later() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("dump");
            let pending = PendingFile::open(&target, way).unwrap();
            symlink("/nonexistent", &target).unwrap();
            assert_eq!(pending.commit().unwrap_err().code, codes::OUTPUT_EXISTS);
            assert_eq!(names(directory.path()), ["dump"]);
            let again = PendingFile::open(&target, way).map(drop).unwrap_err();
            assert_eq!(again.code, codes::OUTPUT_EXISTS);
        }
    }

    #[test]
    fn a_place_that_takes_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let below = |name: &str| format!("{}/{name}", directory.path().display());
        for target in ["/nonexistent/dump", "/proc/dump", "/", "..", &below("dump/"), &below("dump/.")] {
            let refused = Output::open(Some(Path::new(target))).map(drop).unwrap_err();
            assert!([codes::OUTPUT_UNWRITABLE, codes::OUTPUT_EXISTS].contains(&refused.code), "{target}");
        }
    }
}
