//! What a store reports about how it keeps objects: a bucket's locks, versions and lifecycle, a directory's file system and
//! permissions.
//!
//! A store reports different facts to different credentials. What it does not report is "not known", with the reason, and never
//! taken for "not so".

mod bucket;
mod directory;
mod object;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::human;

pub use bucket::{BucketFacts, BucketLock, LifecycleRule, Transition};
pub use directory::{Access, DirectoryFacts, FileFacts};
pub use object::{ArchiveRestore, ObjectFacts, ObjectLock};

/// Characters of a fact that are shown.
const SHOWN: usize = 300;

/// A fact that a store may report, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fact<T> {
    /// The value, if it is known.
    pub value: Option<T>,
    /// Why it is not known.
    pub not_known: Option<String>,
}

impl<T> Fact<T> {
    /// It told.
    pub fn known(value: T) -> Self {
        Self { value: Some(value), not_known: None }
    }

    /// It did not, for this reason.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { value: None, not_known: Some(why.into()) }
    }

    /// The value as this shows it, or that it is not known, and why.
    pub fn shown(&self, show: impl FnOnce(&T) -> String) -> String {
        match (&self.value, &self.not_known) {
            (Some(value), _) => human::one_line(&show(value), SHOWN),
            (None, why) => format!("not known ({})", why.as_deref().unwrap_or("not told")),
        }
    }
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::unknown("not asked")
    }
}

/// How a store keeps objects, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFacts {
    /// A bucket.
    Bucket(BucketFacts),
    /// A directory.
    Directory(DirectoryFacts),
}

/// What was moved between this program and a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Traffic {
    /// Requests sent, retries included. Of a directory: what was asked of it.
    pub requests: u64,
    /// Bytes received: bodies, and headers as text. Of a directory: bytes read.
    pub bytes: u64,
}

impl Traffic {
    /// What was moved since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}
