//! What became of each database.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::dataset::DatabaseSystem;
use crate::model::failure::FailureRecord;
use crate::model::human;
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
    /// What it runs on; absent for PostgreSQL.
    #[serde(default, skip_serializing_if = "DatabaseSystem::is_postgres")]
    pub system: DatabaseSystem,
    /// What the header of an SQLite database says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<SqliteRecord>,
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
    pub fn pending(name: &DatabaseName, after: &[DatabaseName], system: DatabaseSystem) -> Self {
        Self {
            name: name.clone(),
            system,
            sqlite: None,
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

/// What the header of an SQLite database says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SqliteRecord {
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of the file; 0 if the header does not say.
    pub pages: u64,
    /// Whether it is in the mode of a write-ahead log: then it is a copy of a file in use, or one that was not closed.
    pub wal: bool,
    /// The number that the application gave its schema (`PRAGMA user_version`).
    pub user_version: u32,
    /// The version of SQLite that wrote it last.
    pub written_by: String,
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

/// What the restore came to in the end, whatever the exit status of `pg_restore`. Later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcome {
    /// `pg_restore` restored everything, without an error.
    Clean,
    /// It reported errors, and everything that it could not restore at first was restored afterwards.
    Repaired,
    /// All rows are restored, and whatever else could not be at first. Views over foreign tables are not filled, since the stack
    /// reaches no other server.
    ViewsUnfilled,
    /// Something is missing: the database is not restored.
    Failed,
}

/// How `pg_restore` went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgRestore {
    /// Exit status of `pg_restore`; of several runs, the first one that is not 0. 1 is no failure if `outcome` says so.
    pub exit_code: i64,
    /// What the restore came to in the end. An early version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RestoreOutcome>,
    /// Entries that it could not restore at first, and that were restored afterwards: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<RepairedEntry>,
    /// Materialized views over foreign tables, which could not be filled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfilled: Vec<UnfilledView>,
    /// Roles that errors named and that the server did not have: they were created without login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles_made: Vec<String>,
    /// Workers that restored.
    pub jobs: usize,
    /// Its error messages: a bounded list.
    pub stderr: Vec<String>,
    /// Lines left out.
    pub stderr_lines_dropped: u64,
}

impl PgRestore {
    /// What its exit status means although the database is restored, in words. None if everything was restored at once, or if it
    /// is not restored.
    pub fn settled(&self) -> Option<String> {
        let status = self.exit_code;
        match self.outcome? {
            RestoreOutcome::Clean | RestoreOutcome::Failed => None,
            RestoreOutcome::Repaired => Some(format!(
                "pg_restore ended with status {status}, and what it could not restore at first ({}) was restored \
                 afterwards",
                self.repaired_entries()
            )),
            RestoreOutcome::ViewsUnfilled => {
                let views = human::things(self.unfilled.len() as u64, "view");
                let repaired = match self.repaired.is_empty() {
                    true => String::new(),
                    false => {
                        format!(", what it could not restore at first ({}) too", self.repaired_entries())
                    }
                };
                Some(format!(
                    "pg_restore ended with status {status}: all rows are restored{repaired}, and {views} over foreign \
                     tables could not be filled"
                ))
            }
        }
    }

    fn repaired_entries(&self) -> String {
        match self.repaired.len() {
            1 => "1 entry".to_owned(),
            entries => format!("{} entries", human::count(entries as u64)),
        }
    }

    /// Both runs of an archive that is restored in two parts.
    #[must_use]
    pub fn followed_by(self, next: &Self) -> Self {
        let both = |one: Vec<String>, other: &[String]| [&one, other].concat();
        Self {
            exit_code: if self.exit_code == 0 { next.exit_code } else { self.exit_code },
            outcome: self.outcome.max(next.outcome),
            repaired: [&*self.repaired, &*next.repaired].concat(),
            unfilled: [&*self.unfilled, &*next.unfilled].concat(),
            roles_made: both(self.roles_made, &next.roles_made),
            jobs: next.jobs,
            stderr: both(self.stderr, &next.stderr),
            stderr_lines_dropped: self.stderr_lines_dropped + next.stderr_lines_dropped,
        }
    }
}

/// How an entry was restored that `pg_restore` could not restore at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// By `pg_restore` once more, with `--enable-row-security`, after privileges had been granted.
    RunAgain,
    /// It was there, and was given to its owner, who is no superuser.
    GivenToOwner,
    /// By `pg_restore` once more, after the roles had been created that it names.
    RolesMade,
}

/// An entry of the archive that `pg_restore` could not restore at first, and that was restored afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepairedEntry {
    /// Its number in the archive, as in `pg_restore --list`.
    pub entry: i32,
    /// Its kind and name.
    pub what: String,
    /// How it was restored.
    pub how: Repair,
}

/// A materialized view over foreign tables, which could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnfilledView {
    /// The number of the entry that fills it, as in `pg_restore --list`.
    pub entry: i32,
    /// Its kind and name.
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(exit_code: i64, outcome: RestoreOutcome) -> PgRestore {
        let how = Repair::RunAgain;
        let entry = RepairedEntry { entry: 7, what: "INDEX public.i".to_owned(), how };
        PgRestore {
            exit_code,
            outcome: Some(outcome),
            repaired: if outcome == RestoreOutcome::Repaired { vec![entry] } else { Vec::new() },
            unfilled: Vec::new(),
            roles_made: Vec::new(),
            jobs: 2,
            stderr: if exit_code == 0 { Vec::new() } else { vec!["error".to_owned()] },
            stderr_lines_dropped: 0,
        }
    }

    #[test]
    fn of_two_runs_the_worse_one_counts_and_both_are_told() {
        let (clean, repaired) = (run(0, RestoreOutcome::Clean), run(1, RestoreOutcome::Repaired));
        for both in [clean.clone().followed_by(&repaired), repaired.clone().followed_by(&clean)] {
            assert_eq!(both, repaired);
        }
        let failed = repaired.clone().followed_by(&run(2, RestoreOutcome::Failed));
        assert_eq!((failed.exit_code, failed.outcome), (1, Some(RestoreOutcome::Failed)));
        assert_eq!((failed.repaired.len(), failed.stderr.len()), (1, 2));
        // An early version wrote neither.
        let early = PgRestore { outcome: None, ..run(1, RestoreOutcome::Failed) };
        assert_eq!(early.settled(), None);
    }

    #[test]
    fn a_status_that_is_no_failure_is_explained_and_a_failure_is_not_glossed_over() {
        assert_eq!(run(0, RestoreOutcome::Clean).settled(), None);
        assert_eq!(run(1, RestoreOutcome::Failed).settled(), None);
        let told = run(1, RestoreOutcome::Repaired).settled().unwrap();
        assert!(told.contains("status 1") && told.contains("(1 entry) was restored afterwards"), "{told}");
        let told = run(1, RestoreOutcome::ViewsUnfilled).settled().unwrap();
        assert!(told.contains("all rows are restored, and 0 views over foreign tables"), "{told}");
        let repaired = run(1, RestoreOutcome::Repaired);
        let both = PgRestore { outcome: Some(RestoreOutcome::ViewsUnfilled), ..repaired }.settled().unwrap();
        assert!(
            both.contains("restored, what it could not restore at first (1 entry) too, and 0 views"),
            "{both}"
        );
    }
}
