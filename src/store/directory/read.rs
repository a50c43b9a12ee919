//! Looking at a file, and reading a range of it.

use std::io::ErrorKind;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use chrono::DateTime;
use rustix::fs::fstat;
use rustix::io::Errno;

use super::DirectoryStore;
use super::beneath::{Seen, Trouble, split};
use super::error::changed;
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::store::port::ObjectMeta;

/// What a listing says of a file.
pub(super) fn meta(key: &str, seen: &Seen) -> ObjectMeta {
    let (seconds, nanoseconds) = seen.modified;
    ObjectMeta {
        key: ObjectKey::new(key),
        size_bytes: seen.size_bytes,
        last_modified: DateTime::from_timestamp(seconds, nanoseconds),
        storage_class: "STANDARD".to_owned(),
        etag: Some(seen.etag()),
    }
}

/// What is under this key, if anything.
pub(super) fn stat(store: &DirectoryStore, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
    let root = store.root()?;
    let look = || {
        let (parent, name) = split(key.as_str()).ok_or(Trouble::NotThere)?;
        let directory = root.directory(parent)?;
        root.look(directory.as_fd(), name, key.as_str())
    };
    match look() {
        Ok(seen) => Ok(Some(meta(key.as_str(), &seen))),
        Err(Trouble::NotThere) => Ok(None),
        Err(trouble) => Err(store.trouble(&format!("looking at {key}"), trouble)),
    }
}

/// The bytes of a range, of a file that was the same before and after.
pub(super) fn read(
    store: &DirectoryStore,
    key: &ObjectKey,
    etag: Option<&str>,
    range: Range<u64>,
) -> Result<Bytes> {
    let doing = format!("reading {key}");
    let opened = store.root()?.file(key.as_str());
    let (file, before) = opened.map_err(|trouble| match (trouble, etag) {
        (Trouble::NotAFile(why), Some(_)) => changed(&doing, &format!("the file was replaced ({why})")),
        (trouble, _) => store.trouble(&doing, trouble),
    })?;
    if etag.is_some_and(|etag| etag != before.etag()) {
        return Err(changed(&doing, "the file was changed or replaced"));
    }
    if before.size_bytes < range.end {
        return Err(changed(&doing, "the file became shorter"));
    }
    let length = usize::try_from(range.end - range.start).expect("a range fits memory");
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, range.start) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(changed(&doing, "the file became shorter"));
        }
        Err(error) => {
            return Err(store.failure(&doing, Errno::from_io_error(&error).unwrap_or(Errno::IO)));
        }
    }
    let after = Seen::of(&fstat(&file).map_err(|errno| store.failure(&doing, errno))?);
    if after.was_written_since(&before) {
        return Err(changed(&doing, "the file was changed while it was read"));
    }
    Ok(bytes.into())
}
