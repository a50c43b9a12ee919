//! What a backup would do, and what it did.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::codes;
use crate::model::failure::{Class, Failure, FailureRecord};
use crate::model::human;
use crate::model::manifest::{Access, Collations, Objects, Recorded, Roles, Rows, Source, Table};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::Teardown;

/// What a backup would write.
#[derive(Debug, Clone, Serialize)]
pub struct BackupPlan {
    /// Version of this schema.
    pub schema_version: u32,
    /// The dumps, in the template's order.
    pub dumps: Vec<PlannedDump>,
    /// The key of the server's globals, unless they are left out.
    pub globals: Option<ObjectKey>,
    /// The key of the manifest, unless it is left out.
    pub manifest: Option<ObjectKey>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// A dump that would be made.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedDump {
    /// The database.
    pub database: DatabaseName,
    /// The key it would have.
    pub key: ObjectKey,
}

/// What a backup did.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// The time in the keys.
    pub taken_at: DateTime<Utc>,
    /// The dumps, in the template's order.
    pub dumps: Vec<Dump>,
    /// The server's globals; absent if they were left out, or if there is no dump.
    pub globals: Option<WrittenGlobals>,
    /// The manifest; absent if it was left out, or if there is no dump.
    pub manifest: Option<WrittenManifest>,
    /// What an operator should know though no dump failed.
    pub warnings: Vec<String>,
    /// What became of the container that made them.
    pub teardown: Teardown,
}

/// One dump.
#[derive(Debug, Clone, Serialize)]
pub struct Dump {
    /// The database.
    pub database: DatabaseName,
    /// The key it has, or would have had.
    pub key: ObjectKey,
    /// What was uploaded; absent if nothing was.
    pub uploaded: Option<Uploaded>,
    /// What reading it back showed; absent if it was not read back.
    pub verified: Option<Verified>,
    /// What was read of the database for the manifest; absent if it was not read.
    pub fingerprinted: Option<Fingerprinted>,
    /// What went wrong.
    pub error: Option<FailureRecord>,
    #[serde(skip)]
    pub(super) failure: Option<Failure>,
    #[serde(skip)]
    pub(super) content: SourceContent,
}

/// A dump in the store.
#[derive(Debug, Clone, Serialize)]
pub struct Uploaded {
    /// Size of the object.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub ciphertext_sha256: String,
    /// Size of the dump.
    pub plaintext_bytes: u64,
    /// Its SHA-256.
    pub plaintext_sha256: String,
    /// From the start of `pg_dump` until the object was complete.
    pub seconds: f64,
}

/// A dump that was read back.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Entries that `pg_restore --list` finds in it.
    pub entries: u64,
    /// What reading it back took.
    pub seconds: f64,
}

/// The manifest that a backup wrote, or could not write.
#[derive(Debug, Clone, Serialize)]
pub struct WrittenManifest {
    /// The key it has, or would have had.
    pub key: ObjectKey,
    /// Size of the object; absent if nothing was uploaded.
    pub size_bytes: Option<u64>,
    /// Its SHA-256.
    pub ciphertext_sha256: Option<String>,
    /// Databases in it.
    pub databases: usize,
    /// Whether it was read back, and was what had been uploaded.
    pub verified: bool,
    /// What uploading it and reading it back took.
    pub seconds: f64,
    /// What went wrong.
    pub error: Option<FailureRecord>,
    #[serde(skip)]
    pub(super) failure: Option<Failure>,
}

/// The globals that a backup wrote, or could not write.
#[derive(Debug, Clone, Serialize)]
pub struct WrittenGlobals {
    /// The key they have, or would have had.
    pub key: ObjectKey,
    /// What was uploaded; absent if nothing was.
    pub uploaded: Option<Uploaded>,
    /// Whether they were read back, and were what had been uploaded.
    pub verified: bool,
    /// What went wrong.
    pub error: Option<FailureRecord>,
    /// The roles at the time at which they were written; absent if they were not to be read, or did not come to it.
    #[serde(skip)]
    pub(super) roles: Option<Recorded<Roles>>,
    #[serde(skip)]
    pub(super) failure: Option<Failure>,
}

/// What was read of a database, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct Fingerprinted {
    /// Tables whose rows were read.
    pub tables: usize,
    /// Rows in them.
    pub rows: u64,
    /// Tables whose rows were not read, with the reason.
    pub unread: Vec<String>,
    /// What reading took, beside the dump.
    pub seconds: f64,
}

/// What was read of a database for the manifest.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceContent {
    /// The server and the database, as far as they could be asked.
    pub(super) source: Option<Source>,
    /// How it compares texts; absent if the backup did not come to ask.
    pub(super) collations: Option<Recorded<Collations>>,
    /// The tables; absent if they could not be read.
    pub(super) tables: Option<Vec<Table>>,
    /// Why they could not be read.
    pub(super) unread: Option<String>,
    /// Who may do what in it; absent if the database could not be read at all.
    pub(super) access: Option<Recorded<Access>>,
    /// Its indexes, constraints, views and the like; absent if it was not even asked for them.
    pub(super) objects: Option<Recorded<Objects>>,
    /// What reading took.
    pub(super) seconds: f64,
}

impl SourceContent {
    pub(super) fn unread(source: Option<Source>, failure: &Failure) -> Self {
        Self { source, unread: Some(human::one_line(&failure.message, 300)), ..Self::default() }
    }

    /// What was read; nothing, if the tables could not be.
    pub(super) fn fingerprinted(&self) -> Option<Fingerprinted> {
        let tables = self.tables.as_ref()?;
        let mut fingerprinted =
            Fingerprinted { tables: 0, rows: 0, unread: Vec::new(), seconds: self.seconds };
        for table in tables {
            match &table.rows {
                Rows::Read { count, .. } => {
                    fingerprinted.tables += 1;
                    fingerprinted.rows += count;
                }
                Rows::Unread { reason } => {
                    let name = human::one_line(&format!("{}.{}", table.schema, table.name), 140);
                    fingerprinted.unread.push(format!("{name}: {reason}"));
                }
            }
        }
        Some(fingerprinted)
    }
}

impl Dump {
    /// One that is to be made.
    pub(super) fn of(database: DatabaseName, key: ObjectKey) -> Self {
        Self {
            database,
            key,
            uploaded: None,
            verified: None,
            fingerprinted: None,
            error: None,
            failure: None,
            content: SourceContent::default(),
        }
    }

    /// What of it is not in the manifest although it was asked for.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let whole = self.content.unread.iter().map(|reason| {
            format!("{}: the manifest has no fingerprints, because it was not read: {reason}", self.database)
        });
        let objects = self.content.objects.iter().filter_map(|objects| match objects {
            Recorded::Unread { reason } => Some(format!(
                "{}: the manifest does not have its indexes, views, functions and the like: {reason}",
                self.database
            )),
            Recorded::Read(_) => None,
        });
        let tables = self.fingerprinted.iter().flat_map(|read| &read.unread);
        let tables = tables.map(|table| format!("{}: not read for the manifest: {table}", self.database));
        let access = self.content.access.iter().filter_map(|access| match access {
            Recorded::Read(_) => None,
            Recorded::Unread { reason } => Some(reason),
        });
        let access = access.map(|reason| {
            format!("{}: who may do what was not read for the manifest: {reason}", self.database)
        });
        whole.chain(objects).chain(tables).chain(access)
    }

    /// A dump that was cancelled although the backup was not has reached the time limit.
    pub(super) fn blame_the_limit(&mut self, limit: std::time::Duration) {
        if self.failure.as_ref().is_some_and(|failure| failure.class == Class::Cancelled) {
            let failure = timed_out(&self.database, limit)
                .hint("check for locks on the source server; `timeout` in the template sets the limit");
            self.error = Some(failure.to_record(None));
            self.failure = Some(failure);
        }
    }
}

impl WrittenGlobals {
    /// What the manifest does not have although it was asked for.
    pub(super) fn warning(&self) -> Option<String> {
        match self.roles.as_ref()? {
            Recorded::Read(_) => None,
            Recorded::Unread { reason } => Some(format!(
                "the manifest does not have the roles, so a drill cannot compare them: {reason}"
            )),
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.error = Some(failure.to_record(None));
        self.failure = Some(failure.context("the globals"));
    }

    /// As for a dump.
    pub(super) fn blame_the_limit(&mut self, limit: std::time::Duration) {
        if self.failure.as_ref().is_some_and(|failure| failure.class == Class::Cancelled) {
            self.fail(
                timed_out("dumping them", limit)
                    .hint("the dumps are not affected; `timeout` in the template sets the limit"),
            );
        }
    }
}

/// Something that was not done when the backup's time was up.
pub(super) fn timed_out(what: impl std::fmt::Display, limit: std::time::Duration) -> Failure {
    let limit = human::duration(limit.as_secs_f64());
    Failure::inconclusive(codes::TIMED_OUT, format!("{what}: not done within the time limit of {limit}"))
}

impl BackupReport {
    /// The first thing that went wrong.
    pub fn failure(&self) -> Option<&Failure> {
        let manifest = self.manifest.as_ref().and_then(|written| written.failure.as_ref());
        let globals = self.globals.as_ref().and_then(|written| written.failure.as_ref());
        self.dumps.iter().find_map(|dump| dump.failure.as_ref()).or(globals).or(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Fingerprint;

    fn table(name: &str, rows: Rows) -> Table {
        Table { schema: "public".to_owned(), name: name.to_owned(), columns: Vec::new(), rows }
    }

    #[test]
    fn rows_that_were_read_are_counted_and_tables_that_were_not_are_named() {
        let read = |count| Rows::Read { count, fingerprint: Fingerprint::default() };
        let locked = Rows::Unread { reason: "it is locked".to_owned() };
        let tables = vec![table("a", read(2)), table("b", locked), table("c", read(40))];
        let content = SourceContent { tables: Some(tables), seconds: 1.5, ..SourceContent::default() };
        let told = content.fingerprinted().unwrap();
        assert_eq!((told.tables, told.rows, told.unread), (2, 42, vec!["public.b: it is locked".to_owned()]));
    }

    #[test]
    fn what_was_not_read_has_a_reason_on_one_line() {
        let content = SourceContent::unread(None, &Failure::bad(codes::SOURCE_UNREACHABLE, "no\nanswer"));
        assert_eq!((content.unread.as_deref(), content.fingerprinted().is_none()), (Some("no answer"), true));
    }
}
