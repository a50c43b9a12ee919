//! The globals of the server that was backed up, as its manifest names them.

use serde::{Deserialize, Serialize};

use crate::model::names::ObjectKey;

/// The object with a server's roles, memberships and role settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Globals {
    /// Its key.
    pub key: ObjectKey,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub ciphertext_sha256: String,
    /// Size of the SQL in it.
    pub plaintext_bytes: u64,
    /// The SHA-256 of that.
    pub plaintext_sha256: String,
    /// The server's version, if it could be asked.
    #[serde(default)]
    pub server_version: Option<String>,
}
