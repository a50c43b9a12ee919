//! Stores: where recovery points live.
//!
//! [`Store`] is the port; [`s3`] is the one adapter so far. To add another, implement the trait and run the
//! contract suite in `tests/it/store.rs` against it.

mod fetch;
mod s3;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::failure::Result;
use crate::names::ObjectKey;

pub use fetch::pump;
pub use s3::{S3Store, S3Url};

/// What a listing says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its whole key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was uploaded.
    pub last_modified: Option<DateTime<Utc>>,
    /// Its storage class; `STANDARD` where the store has none.
    pub storage_class: String,
    /// Its entity tag.
    pub etag: Option<String>,
}

/// A place that holds recovery points. Calls retry what is worth retrying before they fail.
#[async_trait]
pub trait Store: Send + Sync {
    /// Every object whose key begins with `prefix`, however many there are.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// What is stored under this key now, if anything.
    async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>>;

    /// The bytes of `range`, all of them. With an `etag`, fails if the object is no longer the one listed.
    async fn read(&self, key: &ObjectKey, etag: Option<&str>, range: Range<u64>) -> Result<Bytes>;

    /// Begins an object that appears under its key only once it is complete.
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn Upload>>;
}

/// An object being written. Nothing is visible under its key until [`Upload::finish`].
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Makes the object appear, unless there is one under its key already: nothing is ever overwritten.
    async fn finish(self: Box<Self>) -> Result<()>;

    /// Gives it up; nothing appears, and what was uploaded is removed.
    async fn abort(self: Box<Self>) -> Result<()>;
}
