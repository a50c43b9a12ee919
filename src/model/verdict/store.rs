//! Which store a drill read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A store, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreRecord {
    /// Bucket and prefix, as `s3://bucket/prefix`; or a directory, as `file:///path`.
    pub url: String,
    /// The endpoint of the store; absent for AWS and for a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}
