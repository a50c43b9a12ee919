//! What a store reports about how it keeps objects: storage classes, locks, versions, lifecycle.
//!
//! A store reports different facts to different credentials. What it does not report is "not known", with the reason, and never
//! taken for "not so".

mod bucket;
mod object;

use schemars::JsonSchema;
use serde::Serialize;

pub use bucket::{BucketFacts, BucketLock, LifecycleRule, Transition};
pub use object::{ArchiveRestore, ObjectFacts, ObjectLock};

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
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::unknown("not asked")
    }
}

/// What was moved between this program and a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Traffic {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Bytes received: bodies, and headers as text.
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
