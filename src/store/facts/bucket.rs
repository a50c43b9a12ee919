//! How a bucket keeps objects.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Fact;

/// How a bucket keeps objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BucketFacts {
    /// `Enabled`, `Suspended`, or `Off`.
    pub versioning: Fact<String>,
    /// The lock new objects get.
    pub object_lock: Fact<BucketLock>,
    /// The encryption new objects get: `AES256`, `aws:kms`, or `none`.
    pub encryption: Fact<String>,
    /// What lifecycle rules do to objects with time.
    pub lifecycle: Fact<Vec<LifecycleRule>>,
}

/// Object lock of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BucketLock {
    /// Whether objects can be locked at all.
    pub enabled: bool,
    /// The mode new objects are locked in, if the bucket has a default.
    pub mode: Option<String>,
    /// For how many days.
    pub days: Option<u32>,
}

/// One rule of a bucket's lifecycle that is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LifecycleRule {
    /// Its name.
    pub id: String,
    /// What the keys it is for begin with; empty for all.
    pub prefix: String,
    /// It is for some of those objects only, by tags or size.
    pub narrowed: bool,
    /// Objects are deleted after so many days.
    pub expires_after_days: Option<u32>,
    /// Objects are deleted on this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<DateTime<Utc>>,
    /// Objects are moved: days, and the storage class.
    pub transitions: Vec<Transition>,
}

/// A move to another storage class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Transition {
    /// After so many days.
    pub after_days: Option<u32>,
    /// To this storage class.
    pub storage_class: String,
}
