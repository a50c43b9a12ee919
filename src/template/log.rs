//! `[log]`: what a row of the drill log counts.

use serde::Deserialize;

use super::table::TableName;
use crate::model::names::DatabaseName;

/// What a drill-log row counts, and under which name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The counts, in the order they are written.
    #[serde(default)]
    pub counts: Vec<LogCount>,
}

/// One count of a drill-log row: `label=rows`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCount {
    /// What stands before the `=`. Not empty, and without `|`, `=`, spaces and line breaks.
    pub label: String,
    /// The table's database.
    pub database: DatabaseName,
    /// The table. A table that was not restored has no count in the row.
    pub table: TableName,
}
