//! What a backup reads of its source, and need not be able to.

use serde::{Deserialize, Serialize};

use crate::model::failure::Result;
use crate::model::human;

/// Something that was read, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Recorded<T> {
    /// It was read.
    Read(T),
    /// It was not read.
    Unread {
        /// Why not.
        reason: String,
    },
}

impl<T> From<Result<T>> for Recorded<T> {
    /// What was read, or why it was not.
    fn from(read: Result<T>) -> Self {
        match read {
            Ok(read) => Self::Read(read),
            Err(failure) => Self::Unread { reason: human::one_line(&failure.message, 300) },
        }
    }
}
