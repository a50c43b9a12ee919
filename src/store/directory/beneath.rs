//! Opening what lies below a directory, and nothing else.
//!
//! No directory below it is entered through a symbolic link. A link to a file is followed if it stays below: the kernel sees to
//! that (`openat2`, `RESOLVE_BENEATH`), and where it cannot, no link is followed. Whatever is no regular file is not opened:
//! opening a FIFO or a device has effects, and may never end.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, statat};
use rustix::io::Errno;

/// What cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is nothing of that name.
    NotThere,
    /// It is no regular file, for this reason.
    NotAFile(String),
    /// The system refused.
    System(Errno),
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::NotThere,
            errno => Self::System(errno),
        }
    }
}

/// What a file was when it was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    device: u64,
    inode: u64,
    pub size_bytes: u64,
    /// Seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// Whether its file system keeps the number of a file.
    keeps_inode: bool,
}

impl Seen {
    #[expect(clippy::useless_conversion, reason = "on other systems these fields have other types")]
    pub fn of(stat: &Stat) -> Self {
        Self {
            keeps_inode: true,
            device: u64::try_from(stat.st_dev).unwrap_or(0),
            inode: u64::from(stat.st_ino),
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (i64::from(stat.st_mtime), u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        }
    }

    /// Distinguishes it from another file of its name, and from itself after a change. A device is numbered anew when it is
    /// mounted again, and some file systems number a file anew each time that they look at it.
    pub fn etag(&self) -> String {
        let Self { inode, size_bytes, modified: (seconds, nanoseconds), .. } = self;
        let inode = if self.keeps_inode { *inode } else { 0 };
        format!("\"{inode:x}-{size_bytes:x}-{seconds:x}.{nanoseconds:x}\"")
    }

    /// Whether the same file was written to since.
    pub fn was_written_since(&self, before: &Self) -> bool {
        (self.size_bytes, self.modified) != (before.size_bytes, before.modified)
    }

    /// Whether it is the same file, whatever was written to it since.
    pub fn is_file_of(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The directory, open.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    keeps_inodes: bool,
}

/// File systems that number a file anew whenever they forgot it: FAT, exFAT, what runs through FUSE, and shares of Windows, by the
/// numbers of linux/magic.h.
#[cfg(target_os = "linux")]
const FORGETFUL: [u32; 5] = [0x4d44, 0x2011_bab0, 0x6573_5546, 0xff53_4d42, 0xfe53_4d42];

#[cfg(target_os = "linux")]
fn keeps_inodes(directory: BorrowedFd<'_>) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
    rustix::fs::fstatfs(directory).is_ok_and(|known| !FORGETFUL.contains(&(known.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn keeps_inodes(_: BorrowedFd<'_>) -> bool {
    false
}

/// Flags that no opening goes without.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOCTTY).union(OFlags::NONBLOCK);
const DIRECTORY: OFlags = ALWAYS.union(OFlags::RDONLY).union(OFlags::DIRECTORY);

impl Root {
    /// Opens it. It may itself be a symbolic link: whoever wrote the template named it.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let directory = open(path, DIRECTORY, Mode::empty())?;
        let keeps_inodes = keeps_inodes(directory.as_fd());
        Ok(Self { directory, keeps_inodes })
    }

    fn seen(&self, stat: &Stat) -> Seen {
        Seen { keeps_inode: self.keeps_inodes, ..Seen::of(stat) }
    }

    /// The directory of this path below it, whose parts were checked by `split`.
    pub fn directory(&self, path: &str) -> Result<OwnedFd, Trouble> {
        let mut current = self
            .directory
            .try_clone()
            .map_err(|error| Trouble::System(Errno::from_io_error(&error).unwrap_or(Errno::MFILE)))?;
        for (name, before) in steps(path) {
            current = enter(current.as_fd(), name).map_err(|trouble| match trouble {
                Trouble::NotAFile(why) => Trouble::NotAFile(format!("{before}{name}: {why}")),
                other => other,
            })?;
        }
        Ok(current)
    }

    /// What the file of this key is, through a link that stays below; `directory` is the one it lies in, and `name` what it is
    /// called there.
    pub fn look(&self, directory: BorrowedFd<'_>, name: &str, key: &str) -> Result<Seen, Trouble> {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(self.seen(&stat)),
            FileType::Symlink => {
                let stat = fstat(self.follow(key, Follow::Look)?)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::RegularFile => Ok(self.seen(&stat)),
                    other => Err(Trouble::NotAFile(format!("it is a symbolic link to {}", noun(other)))),
                }
            }
            other => Err(Trouble::NotAFile(format!("it is {}", noun(other)))),
        }
    }

    /// Opens the file of this key for reading, and says what it is.
    pub fn file(&self, key: &str) -> Result<(File, Seen), Trouble> {
        let (parent, name) = split(key).ok_or(Trouble::NotThere)?;
        let directory = self.directory(parent)?;
        let looked = self.look(directory.as_fd(), name, key)?;
        let flags = ALWAYS | OFlags::RDONLY | OFlags::NOFOLLOW;
        let opened = match openat(&directory, name, flags, Mode::empty()) {
            Err(Errno::LOOP) => self.follow(key, Follow::Open)?,
            opened => opened?,
        };
        let seen = self.seen(&fstat(&opened)?);
        // Between the two it may have become anything.
        if !seen.is_file_of(&looked) {
            return Err(Trouble::NotAFile("it was replaced while it was opened".to_owned()));
        }
        Ok((File::from(opened), seen))
    }

    /// Opens the file of this key to append to it, and closes it: no link is followed.
    pub fn open_for_append(&self, key: &str) -> Result<(), Trouble> {
        let (parent, name) = split(key).ok_or(Trouble::NotThere)?;
        let directory = self.directory(parent)?;
        let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            other => return Err(Trouble::NotAFile(format!("it is {}", noun(other)))),
        }
        let flags = ALWAYS | OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW;
        openat(&directory, name, flags, Mode::empty())?;
        Ok(())
    }

    /// Opens what a link leads to, if that is below.
    #[cfg(target_os = "linux")]
    fn follow(&self, key: &str, how: Follow) -> Result<OwnedFd, Trouble> {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = match how {
            Follow::Look => OFlags::PATH | OFlags::CLOEXEC,
            Follow::Open => ALWAYS | OFlags::RDONLY,
        };
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // It is refused now and then while other directories are renamed.
        let mut opened = Err(Errno::AGAIN);
        for _ in 0..16 {
            opened = openat2(&self.directory, key, flags, Mode::empty(), within);
            if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        opened.map_err(unfollowed)
    }

    #[cfg(not(target_os = "linux"))]
    fn follow(&self, _: &str, _: Follow) -> Result<OwnedFd, Trouble> {
        Err(unfollowed(Errno::NOSYS))
    }
}

/// What a link is opened for.
#[derive(Debug, Clone, Copy)]
enum Follow {
    Look,
    Open,
}

fn unfollowed(errno: Errno) -> Trouble {
    let why = match errno {
        Errno::XDEV => "leads out of the directory, or is absolute",
        Errno::NOENT | Errno::NOTDIR => "leads to nothing",
        Errno::LOOP => "leads in a circle",
        // Kernels before 5.6, and containers that forbid what they do not know.
        Errno::NOSYS | Errno::PERM => {
            "is not followed, because this system cannot keep it below the directory"
        }
        errno => return Trouble::System(errno),
    };
    Trouble::NotAFile(format!("it is a symbolic link that {why}"))
}

/// Opens a directory in another one.
pub(super) fn enter(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Trouble> {
    let errno = match openat(directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(opened) => return Ok(opened),
        Err(errno) => errno,
    };
    // Of a link one of these, depending on the system.
    if matches!(errno, Errno::NOTDIR | Errno::LOOP) {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return Err(Trouble::NotAFile(LINKED_DIRECTORY.to_owned()));
        }
    }
    Err(errno.into())
}

/// Why such a link is not entered.
const LINKED_DIRECTORY: &str =
    "it is a symbolic link, and directories are not entered through one; store.url may name its target";

/// What a file that is not regular is called.
fn noun(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "no regular file",
    }
}

/// The directory of a key, and the name in it; none if it is no path below a directory.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    key.split('/').all(sound).then(|| key.rsplit_once('/').unwrap_or(("", key)))
}

/// The parts of a path, each with what stands before it.
pub(super) fn steps(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut start = 0;
    path.split('/').filter(|part| !part.is_empty()).map(move |part| {
        let before = &path[..start];
        start += part.len() + 1;
        (part, before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_a_file_system_forgets_distinguishes_nothing_and_what_was_written_does() {
        let seen = |inode, size_bytes, keeps_inode| Seen {
            device: 1,
            inode,
            size_bytes,
            modified: (5, 7),
            keeps_inode,
        };
        assert_ne!(seen(1, 9, true).etag(), seen(2, 9, true).etag());
        assert_eq!(seen(1, 9, false).etag(), seen(2, 9, false).etag());
        assert_ne!(seen(1, 9, false).etag(), seen(1, 8, false).etag());
        assert_eq!(seen(1, 9, true).etag(), Seen { device: 2, ..seen(1, 9, true) }.etag(), "mounted again");
        assert!(seen(1, 9, true).was_written_since(&seen(1, 8, true)));
    }
}
