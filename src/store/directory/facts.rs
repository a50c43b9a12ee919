//! How the directory and its files are kept, as far as the system says it.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::io::Errno;

use super::DirectoryStore;
use super::beneath::{Trouble, split};
use super::mounts;
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::store::facts::{Access, DirectoryFacts, Fact, FileFacts, ObjectFacts};

/// Every other user may read, write, and enter or run.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;
/// In such a directory a file is removed by its owner alone.
const STICKY: u32 = 0o1000;

/// The largest file of some file systems, in bytes.
const LARGEST: [(&[&str], u64); 4] = [
    (&["vfat", "msdos"], (4 << 30) - 1),
    (&["ext2", "ext3"], 2 << 40),
    (&["ext4"], 16 << 40),
    (&["xfs", "btrfs", "zfs", "exfat", "f2fs", "tmpfs"], 1 << 62),
];

/// How a directory is kept.
pub(super) fn of_directory(path: &Path) -> DirectoryFacts {
    // What is mounted is named by the path without links.
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return not_known(&error.to_string()),
    };
    let mounts = mounts::mounted();
    let file_system = match mounts.as_deref().map(|mounts| mounts::of_path(mounts, &real)) {
        Ok(Some(mount)) => Fact::known(mount.file_system.clone()),
        Ok(None) => Fact::unknown("the system does not list its mount"),
        Err(error) => Fact::unknown(format!("the mounts cannot be read: {error}")),
    };
    let largest = file_system
        .value
        .as_deref()
        .and_then(|name| LARGEST.iter().find(|(names, _)| names.contains(&name)).map(|(_, bytes)| *bytes));
    let unmounted = match mounts.and_then(|mounts| mounts::unmounted(&mounts, &real)) {
        Ok(place) => Fact::known(place.unwrap_or_default()),
        Err(error) => Fact::unknown(format!("the mounts cannot be read: {error}")),
    };
    let (read_only, free_bytes) = match statvfs(&real) {
        Ok(disk) => (
            Fact::known(disk.f_flag.contains(StatVfsMountFlags::RDONLY)),
            Fact::known(disk.f_bavail.saturating_mul(disk.f_frsize)),
        ),
        Err(errno) => {
            let why = std::io::Error::from(errno).to_string();
            (Fact::unknown(why.clone()), Fact::unknown(why))
        }
    };
    DirectoryFacts {
        largest_file_bytes: largest.map_or_else(
            || Fact::unknown(format!("it is not known of {}", file_system.shown(Clone::clone))),
            Fact::known,
        ),
        file_system,
        read_only,
        free_bytes,
        unmounted,
        empty: told(fs::read_dir(&real).map(|mut entries| entries.next().is_none())),
        access: told(fs::metadata(&real).map(|metadata| {
            let is_sticky = metadata.permissions().mode() & STICKY != 0;
            access(&metadata, &others_enter(&real), is_sticky)
        })),
    }
}

/// Facts of a directory that none are known of, for this reason.
pub(super) fn not_known(why: &str) -> DirectoryFacts {
    DirectoryFacts {
        file_system: Fact::unknown(why),
        read_only: Fact::unknown(why),
        free_bytes: Fact::unknown(why),
        largest_file_bytes: Fact::unknown(why),
        unmounted: Fact::unknown(why),
        empty: Fact::unknown(why),
        access: Fact::unknown(why),
    }
}

/// How a file is kept.
pub(super) fn of_file(store: &DirectoryStore, key: &ObjectKey) -> Result<ObjectFacts> {
    let refused = |trouble| store.trouble(&format!("looking at {key}"), trouble);
    let (file, _) = store.root()?.file(key.as_str()).map_err(refused)?;
    let parent = split(key.as_str()).map_or("", |(parent, _)| parent);
    let way = match fs::canonicalize(store.path.join(parent)) {
        Ok(real) => others_enter(&real),
        Err(error) => Fact::unknown(error.to_string()),
    };
    let metadata = file
        .metadata()
        .map_err(|error| refused(Trouble::System(Errno::from_io_error(&error).unwrap_or(Errno::IO))))?;
    let file = FileFacts { access: access(&metadata, &way, false), immutable: immutable(&file) };
    Ok(ObjectFacts { file: Some(file), ..ObjectFacts::of_class("STANDARD") })
}

/// Whether a file can be opened to append to it. It is closed at once: nothing is written, and no time of it changes.
pub(super) fn opens_for_append(store: &DirectoryStore, key: &ObjectKey) -> Result<Fact<bool>> {
    let tried = store.root()?.open_for_append(key.as_str());
    match tried {
        Ok(()) => Ok(Fact::known(true)),
        Err(Trouble::System(Errno::PERM | Errno::ACCESS)) => Ok(Fact::known(false)),
        Err(Trouble::System(Errno::ROFS)) => Ok(Fact::unknown("its file system is mounted read-only")),
        Err(Trouble::NotAFile(why)) => Ok(Fact::unknown(why)),
        Err(trouble) => Err(store.trouble(&format!("opening {key}"), trouble)),
    }
}

fn told<T>(answer: std::io::Result<T>) -> Fact<T> {
    answer.map_or_else(|error| Fact::unknown(error.to_string()), Fact::known)
}

/// What the permissions of a file let others do who can come as far as it. In a sticky directory they remove nothing.
fn access(metadata: &Metadata, way: &Fact<bool>, is_sticky: bool) -> Access {
    let mode = metadata.permissions().mode();
    let others = |bit: u32| match (mode & bit != 0, &way.value, &way.not_known) {
        (false, ..) | (_, Some(false), _) => Fact::known(false),
        (true, Some(true), _) => Fact::known(true),
        (true, None, why) => Fact::unknown(why.clone().unwrap_or_default()),
    };
    Access {
        owner: metadata.uid(),
        group: metadata.gid(),
        mode: format!("{:04o}", mode & 0o7777),
        others_read: others(OTHERS_READ),
        others_write: if is_sticky { Fact::known(false) } else { others(OTHERS_WRITE) },
    }
}

/// Whether every user can enter this directory: it and all above it let them.
fn others_enter(real: &Path) -> Fact<bool> {
    for directory in real.ancestors() {
        match fs::metadata(directory) {
            Ok(metadata) if metadata.permissions().mode() & OTHERS_ENTER == 0 => return Fact::known(false),
            Ok(_) => {}
            Err(error) => return Fact::unknown(error.to_string()),
        }
    }
    Fact::known(true)
}

/// The attribute `i` (ioctl_iflags(2), `FS_IOC_GETFLAGS`).
#[cfg(target_os = "linux")]
fn immutable(file: &fs::File) -> Fact<bool> {
    use rustix::fs::{IFlags, ioctl_getflags};
    match ioctl_getflags(file) {
        Ok(flags) => Fact::known(flags.contains(IFlags::IMMUTABLE)),
        Err(Errno::NOTTY | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => {
            Fact::unknown("its file system has no such attribute")
        }
        Err(errno) => Fact::unknown(std::io::Error::from(errno).to_string()),
    }
}

#[cfg(not(target_os = "linux"))]
fn immutable(_: &fs::File) -> Fact<bool> {
    Fact::unknown("only Linux has this attribute")
}
