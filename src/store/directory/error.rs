//! What the system's errors mean: what happened, why, and what to do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::DirectoryStore;
use super::beneath::{Root, Trouble};
use super::mounts;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::ObjectKey;

impl DirectoryStore {
    /// The directory, open.
    pub(super) fn root(&self) -> Result<Root> {
        Root::open(&self.path).map_err(|errno| self.unopened(errno))
    }

    /// The same, unless the disk that belongs there is away: then an empty directory is in its place, and shows nothing of
    /// the backups.
    pub(super) fn mounted_root(&self) -> Result<Root> {
        let root = self.root()?;
        let is_empty = std::fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none());
        match is_empty.then(|| mounts::unmounted_on(&self.path)).flatten() {
            Some(place) => Err(self.away(&place)),
            None => Ok(root),
        }
    }

    fn away(&self, place: &str) -> Failure {
        let what = format!("{} is empty, and nothing is mounted at {place}", self.path.display());
        Failure::config(codes::NO_SUCH_DIRECTORY, what)
            .hint(format!("/etc/fstab has {place} as a mount point: mount it; or put a file into the directory if backups go there"))
    }

    /// Why it cannot be opened.
    fn unopened(&self, errno: Errno) -> Failure {
        let path = self.path.display();
        let what = match errno {
            Errno::NOENT => format!("there is no directory {path}"),
            Errno::NOTDIR => format!("{path} is no directory"),
            Errno::LOOP => format!("{path} is a symbolic link that leads in a circle"),
            errno => return self.failure(&format!("opening {path}"), errno),
        };
        let hint = match mounts::unmounted_on(&self.path) {
            Some(place) => {
                format!("nothing is mounted at {place}, which /etc/fstab has as a mount point: mount it")
            }
            None => "look at store.url: its path is taken as it is written, and must be there on this machine, or in this \
                     container"
                .to_owned(),
        };
        Failure::config(codes::NO_SUCH_DIRECTORY, what).hint(hint)
    }

    /// Why a file cannot be used.
    pub(super) fn trouble(&self, doing: &str, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::NotThere => self.gone(doing),
            Trouble::NotAFile(why) => Failure::inconclusive(
                codes::NOT_A_FILE,
                format!("{doing}: the directory {} has no regular file there: {why}", self.path.display()),
            )
            .hint("put a regular file in its place, or a relative link to one in the directory"),
            Trouble::System(errno) => self.failure(doing, errno),
        }
    }

    /// A file that was listed is not there.
    fn gone(&self, doing: &str) -> Failure {
        let message = format!("{doing}: the file is not in {} any more", self.path.display());
        Failure::bad(codes::OBJECT_GONE, message)
            .hint("a clean-up job may have removed it; look at how long backups are kept")
    }

    /// An error of the system as a failure.
    pub(super) fn failure(&self, doing: &str, errno: Errno) -> Failure {
        let path = self.path.display();
        let said = std::io::Error::from(errno);
        match errno {
            Errno::ACCESS | Errno::PERM => self.denied(doing),
            Errno::ROFS => Failure::inconclusive(
                codes::STORE_READ_ONLY,
                format!("{doing}: the file system of {path} is mounted read-only"),
            )
            .hint("mount it for writing; a disk with errors becomes read-only by itself, and `dmesg` says so"),
            Errno::NOSPC | Errno::DQUOT => Failure::inconclusive(
                codes::STORE_FULL,
                format!("{doing}: no room is left in {path} ({said})"),
            )
            .hint("remove old backups or add room; nothing of this one is left there. `df -h` and `df -i` show what is full"),
            Errno::FBIG => Failure::config(
                codes::FILE_TOO_LARGE,
                format!("{doing}: the file system of {path} takes no file that large"),
            )
            .hint("FAT ends at 4 GiB: use another file system, such as ext4 or exFAT"),
            Errno::STALE
            | Errno::NOTCONN
            | Errno::TIMEDOUT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH => Failure::inconclusive(
                codes::STORE_UNREACHABLE,
                format!("{doing}: the server of {path} cannot be reached ({said})"),
            )
            .hint("look at the network mount, and mount it again"),
            Errno::IO => Failure::inconclusive(
                codes::STORE_ERROR,
                format!("{doing}: the disk of {path} reports an error ({said})"),
            )
            .hint("look at `dmesg` and `smartctl`: a disk that begins to fail must be replaced, and backups be copied from it first"),
            _ => Failure::inconclusive(codes::STORE_ERROR, format!("{doing}: {path} cannot be used ({said})"))
                .hint("look at the directory, its file system and its mount"),
        }
    }

    /// Who is denied, and by what: the first directory on the way that cannot be entered, or else the last.
    fn denied(&self, doing: &str) -> Failure {
        let mut by = self.path.as_path();
        let mut way: Vec<&Path> = self.path.ancestors().collect();
        way.reverse();
        for pair in way.windows(2) {
            if std::fs::metadata(pair[1]).is_err() {
                by = pair[0];
                break;
            }
        }
        let me = rustix::process::geteuid().as_raw();
        let owned = match std::fs::metadata(by) {
            Ok(metadata) => format!(
                "{} belongs to user {}, group {}, and its permissions are {:04o}",
                by.display(),
                metadata.uid(),
                metadata.gid(),
                metadata.permissions().mode() & 0o7777
            ),
            Err(_) => format!("{} cannot be looked at", by.display()),
        };
        Failure::inconclusive(
            codes::ACCESS_DENIED,
            format!("{doing}: the system denied access to {} to user {me}; {owned}", self.path.display()),
        )
        .hint("a drill must enter the directory and read its files, a backup also write in it; run it as a user that may, or give this one access")
    }

    /// Nothing came back in time.
    pub(super) fn silent(&self, limit: Duration) -> Failure {
        #[expect(clippy::cast_precision_loss, reason = "for show")]
        let limit = human::duration(limit.as_secs() as f64);
        let message = format!("the directory {} did not answer within {limit}", self.path.display());
        Failure::inconclusive(codes::STORE_UNREACHABLE, message)
            .hint("the server of a network mount may be gone, or the disk may be failing: look at `mount` and `dmesg`")
    }
}

/// The file is not the one that was listed.
pub(super) fn changed(doing: &str, how: &str) -> Failure {
    Failure::inconclusive(codes::OBJECT_CHANGED, format!("{doing}: {how} in the meantime"))
        .hint("recovery points must never be overwritten; find out what writes to this file")
}

/// A key is taken.
pub(super) fn exists(key: &ObjectKey) -> Failure {
    Failure::bad(
        codes::OBJECT_EXISTS,
        format!("{key} is in the directory already, and nothing is ever overwritten"),
    )
    .hint("another backup ran in the same second; run this one again")
}
