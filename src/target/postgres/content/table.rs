//! Tables whose rows are read, and the sums that their rows add up to.

use crate::model::manifest::Fingerprint;
use crate::template::TableName;

/// A table to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableToRead {
    /// Its object identifier.
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// The columns, in the order in which they are hashed.
    pub columns: Vec<String>,
}

/// What the rows of a table came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// How many there are.
    pub rows: u64,
    /// Their fingerprint.
    pub fingerprint: Fingerprint,
}
