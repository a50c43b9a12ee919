//! What became of each database.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::failure::FailureRecord;
use crate::model::names::DatabaseName;
use crate::model::transfer::TransferStats;

/// How far a database got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseStatus {
    /// Not yet begun.
    Pending,
    /// Restored without an error.
    Restored,
    /// The database could not be restored.
    Failed,
    /// There is no recovery point.
    Missing,
    /// Not tried, because a parent failed or the drill ended before.
    Skipped,
}

/// What became of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseRecord {
    /// Name of the database.
    pub name: DatabaseName,
    /// Databases that are restored before this one.
    pub after: Vec<DatabaseName>,
    /// How far the drill got with it.
    pub status: DatabaseStatus,
    /// User tables restored.
    pub tables: Option<u64>,
    /// Rows in all tables, counted.
    pub rows: Option<u64>,
    /// Bytes of the restored database.
    pub restored_bytes: Option<u64>,
    /// Rows of each table, by `schema.table`.
    pub table_rows: BTreeMap<String, u64>,
    /// Seconds that each stage took.
    pub seconds: StageSeconds,
    /// What the dump says about itself.
    pub archive: Option<Archive>,
    /// How `pg_restore` went.
    pub pg_restore: Option<PgRestore>,
    /// Entries of the archive that the template leaves out: the first ones. `not_verified` counts all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutRecord>,
    /// SQL that ran around the restore, in its order: that of the template, and what an extension needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRecord>,
    /// Why the database failed or was skipped.
    pub error: Option<FailureRecord>,
}

/// An entry of the archive that is not restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutRecord {
    /// Its kind and its name.
    pub what: String,
    /// The rule of the template, or the entry that it depends on.
    pub why: String,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// After the database was created, before anything is restored to it.
    BeforeRestore,
    /// After everything is restored, before rows are counted.
    AfterRestore,
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeRestore => "before_restore",
            Self::AfterRestore => "after_restore",
        })
    }
}

/// SQL that ran around a restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookRecord {
    /// When it ran.
    pub at: HookPoint,
    /// The extension that needs it; absent for SQL of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Its first words, up to the first value.
    pub begins: String,
    /// SHA-256 of all of its text as the template has it, without values of variables.
    pub sha256: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// The SQLSTATE that it failed with; absent if it ran to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
}

impl DatabaseRecord {
    /// A database nothing has happened to yet.
    pub fn pending(name: &DatabaseName, after: &[DatabaseName]) -> Self {
        Self {
            name: name.clone(),
            after: after.to_vec(),
            status: DatabaseStatus::Pending,
            tables: None,
            rows: None,
            restored_bytes: None,
            table_rows: BTreeMap::new(),
            seconds: StageSeconds::default(),
            archive: None,
            pg_restore: None,
            left_out: Vec::new(),
            hooks: Vec::new(),
            error: None,
        }
    }
}

/// Seconds that each stage took. Stages overlap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageSeconds {
    /// Waiting for the store.
    pub download: Option<f64>,
    /// Decrypting and hashing.
    pub decrypt: Option<f64>,
    /// Waiting for the container to take the dump in.
    pub write: Option<f64>,
    /// `pg_restore`.
    pub restore: Option<f64>,
    /// Counting rows.
    pub count: Option<f64>,
}

impl StageSeconds {
    /// Adds what the transfer of the recovery point took.
    pub fn was_read(&mut self, transfer: &TransferStats) {
        self.download = Some(transfer.waited_for_input.as_secs_f64());
        self.decrypt = Some(transfer.worked.as_secs_f64());
        self.write = Some(transfer.waited_for_output.as_secs_f64());
    }
}

/// What a dump says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// The version of pg_dump's archive format.
    pub format: String,
    /// The database's name where it was dumped.
    pub database: String,
    /// The server it came from.
    pub server_version: String,
    /// The pg_dump that made it.
    pub pg_dump_version: String,
    /// Compression of the data.
    pub compression: String,
    /// When the dump was made, in the source's local time.
    pub created_at: Option<String>,
    /// Entries in the table of contents.
    pub entries: usize,
    /// Tables in the dump.
    pub tables: usize,
    /// Entries that are restored after the rows: indexes, keys, constraints, triggers. An early version did not
    /// write it.
    #[serde(default)]
    pub post_data: usize,
}

/// How `pg_restore` went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgRestore {
    /// Exit status of `pg_restore`.
    pub exit_code: i64,
    /// Workers that restored.
    pub jobs: usize,
    /// Its error messages: a bounded list.
    pub stderr: Vec<String>,
    /// Lines left out.
    pub stderr_lines_dropped: u64,
}
