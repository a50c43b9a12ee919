//! Which store a drill read.

use serde::{Deserialize, Serialize};

/// A store, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// Bucket and prefix, as `s3://bucket/prefix`.
    pub url: String,
    /// Where it is reached; absent for AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}
