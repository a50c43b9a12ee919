//! Writing a file that appears whole or not at all, and takes the place of none.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, fsync, linkat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::beneath::{Seen, Trouble, enter, split, steps};
use super::error::exists;
use super::{DirectoryStore, LONG_PATIENCE};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::store::port::Upload;

/// What the names of files that are being written begin with.
const TEMPORARY: &str = ".restore-drill-upload-";
/// Bytes after which they are brought to the disk: so the end does not wait for all of them.
const SYNC_EVERY: u64 = 256 << 20;

/// Whether a file of this name is one that is being written.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY)
}

/// Begins a file that is not there yet.
pub(super) fn begin(store: &DirectoryStore, key: &ObjectKey) -> Result<FileUpload> {
    let doing = format!("writing {key}");
    let Some((parent, name)) = split(key.as_str()) else {
        let message = format!("{key} is no path below {}", store.path.display());
        return Err(Failure::config(codes::KEY_INVALID, message)
            .hint("look at store.key and store.timestamp: no part may be empty, `.` or `..`"));
    };
    let root = store.mounted_root()?;
    let refused = |trouble| store.trouble(&doing, trouble);
    let mut directory = root.directory("").map_err(refused)?;
    let mut made = Vec::new();
    for (part, _) in steps(parent) {
        let inside = make(&directory, part).and_then(|is_new| Ok((enter(directory.as_fd(), part)?, is_new)));
        let (inside, is_new) = inside.map_err(refused)?;
        let above = std::mem::replace(&mut directory, inside);
        if is_new {
            made.push((above, part.to_owned()));
        }
    }
    let temporary = Temporary {
        directory,
        name: format!("{TEMPORARY}{}", hex::encode(rand::random::<[u8; 8]>())),
        made,
        is_finished: false,
    };
    match statat(&temporary.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => return Err(exists(key)),
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(store.failure(&doing, errno)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&temporary.directory, &temporary.name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| store.failure(&doing, errno))?;
    Ok(FileUpload {
        store: store.clone(),
        key: key.clone(),
        name: name.to_owned(),
        file: Some(File::from(file)),
        unsynced: 0,
        temporary,
    })
}

/// Makes a private directory; whether there was none.
fn make(directory: &OwnedFd, name: &str) -> Result<bool, Trouble> {
    match mkdirat(directory, name, Mode::RWXU) {
        Ok(()) => {
            sync_directory(directory)?;
            Ok(true)
        }
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(Trouble::System(errno)),
    }
}

/// Brings the names in a directory to the disk. Some file systems cannot, and have them there anyway.
fn sync_directory(directory: &OwnedFd) -> Result<(), Errno> {
    match fsync(directory) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        synced => synced,
    }
}

/// A file that is being written.
pub(super) struct FileUpload {
    store: DirectoryStore,
    key: ObjectKey,
    /// Its name, once it is finished.
    name: String,
    /// Absent once something failed.
    file: Option<File>,
    unsynced: u64,
    temporary: Temporary,
}

/// Its name until then. Dropped, it is removed, with the directories that were made for it.
struct Temporary {
    directory: OwnedFd,
    name: String,
    made: Vec<(OwnedFd, String)>,
    is_finished: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // What cannot be removed now is left out of every listing.
        let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        for (above, name) in self.made.iter().rev() {
            // Others may have begun to use it; then it is not empty.
            let _ = unlinkat(above, name, AtFlags::REMOVEDIR);
        }
    }
}

impl FileUpload {
    /// Does this with the file, on a thread that may block.
    async fn with_file(
        &mut self,
        work: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let doing = format!("writing {}", self.key);
        let Some(mut file) = self.file.take() else {
            let message = format!("{doing}: it failed before");
            return Err(Failure::defect(codes::INTERNAL_ERROR, message));
        };
        let done = self.store.blocking(LONG_PATIENCE, move |store| match work(&mut file) {
            Ok(()) => Ok(file),
            Err(error) => Err(store.failure(&doing, Errno::from_io_error(&error).unwrap_or(Errno::IO))),
        });
        self.file = Some(done.await?);
        Ok(())
    }
}

#[async_trait]
impl Upload for FileUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.unsynced += bytes.len() as u64;
        let sync = self.unsynced >= SYNC_EVERY;
        if sync {
            self.unsynced = 0;
        }
        self.with_file(move |file| {
            file.write_all(&bytes)?;
            if sync { file.sync_data() } else { Ok(()) }
        })
        .await
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.with_file(|file| file.sync_all()).await?;
        let Self { store, key, name, file, temporary, .. } = *self;
        let file = file.expect("it was synced just now");
        store.blocking(LONG_PATIENCE, move |store| publish(store, &key, &name, &file, temporary, WAYS)).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Gives a file its name, unless there is one of that name.
type Way = fn(&Temporary, &str) -> Result<(), Errno>;

/// Ways to do that. Not every file system knows the first.
const WAYS: &[Way] = &[rename, link];

#[cfg(target_os = "linux")]
fn rename(temporary: &Temporary, name: &str) -> Result<(), Errno> {
    use rustix::fs::{RenameFlags, renameat_with};
    let Temporary { directory, name: from, .. } = temporary;
    renameat_with(directory, from, directory, name, RenameFlags::NOREPLACE)
}

#[cfg(not(target_os = "linux"))]
fn rename(_: &Temporary, _: &str) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

fn link(temporary: &Temporary, name: &str) -> Result<(), Errno> {
    let Temporary { directory, name: from, .. } = temporary;
    linkat(directory, from, directory, name, AtFlags::empty())?;
    // What cannot be removed is left out of every listing.
    let _ = unlinkat(directory, from, AtFlags::empty());
    Ok(())
}

fn publish(
    store: &DirectoryStore,
    key: &ObjectKey,
    name: &str,
    file: &File,
    mut temporary: Temporary,
    ways: &[Way],
) -> Result<()> {
    let doing = format!("finishing {key}");
    let mut outcome = Err(Errno::NOSYS);
    for way in ways {
        outcome = way(&temporary, name);
        if !matches!(outcome, Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM)) {
            break;
        }
    }
    match outcome {
        Ok(()) => {}
        // The answer of a server to a first attempt may have been lost.
        Err(Errno::EXIST) if is_own(&temporary, name, file) => {
            let _ = unlinkat(&temporary.directory, &temporary.name, AtFlags::empty());
        }
        Err(Errno::EXIST) => return Err(exists(key)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {
            let message = format!(
                "{doing}: the file system of {} can neither rename a file without overwriting nor give it a second name",
                store.path.display()
            );
            return Err(Failure::inconclusive(codes::STORE_ERROR, message)
                .hint("write backups to another file system, such as ext4, XFS or NFS"));
        }
        Err(errno) => return Err(store.failure(&doing, errno)),
    }
    temporary.is_finished = true;
    sync_directory(&temporary.directory).map_err(|errno| store.failure(&doing, errno))
}

fn is_own(temporary: &Temporary, name: &str, file: &File) -> bool {
    let there = statat(&temporary.directory, name, AtFlags::SYMLINK_NOFOLLOW);
    match (there, fstat(file)) {
        (Ok(there), Ok(own)) => Seen::of(&there).is_file_of(&Seen::of(&own)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
