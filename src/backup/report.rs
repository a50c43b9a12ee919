//! What a backup would do, and what it did.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::content::{Fingerprinted, SourceContent};
use super::manifest::Written;
use crate::model::codes;
use crate::model::failure::{Class, Failure, FailureRecord};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::Teardown;

/// What a backup would write.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Version of this schema.
    pub schema_version: u32,
    /// The dumps, in the template's order.
    pub dumps: Vec<PlannedDump>,
    /// The key of the manifest, unless it is left out.
    pub manifest: Option<ObjectKey>,
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
pub struct Report {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// The time in the keys.
    pub taken_at: DateTime<Utc>,
    /// The dumps, in the template's order.
    pub dumps: Vec<Dump>,
    /// The manifest; absent if it was left out, or if there is no dump.
    pub manifest: Option<Written>,
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
        let tables = self.fingerprinted.iter().flat_map(|read| &read.unread);
        let tables = tables.map(|table| format!("{}: not read for the manifest: {table}", self.database));
        whole.chain(tables)
    }

    /// What was cancelled though nobody cancelled the backup ran into its time limit.
    pub(super) fn blame_the_limit(&mut self, limit: std::time::Duration) {
        if self.failure.as_ref().is_some_and(|failure| failure.class == Class::Cancelled) {
            let failure = timed_out(&self.database, limit)
                .hint("look for locks on the source server; `timeout` in the template sets the limit");
            self.error = Some(failure.to_record(None));
            self.failure = Some(failure);
        }
    }
}

/// Something that was not done when the backup's time was up.
pub(super) fn timed_out(what: impl std::fmt::Display, limit: std::time::Duration) -> Failure {
    let limit = crate::model::human::duration(limit.as_secs_f64());
    Failure::inconclusive(codes::TIMED_OUT, format!("{what}: not done within the time limit of {limit}"))
}

impl Report {
    /// The first thing that went wrong.
    pub fn failure(&self) -> Option<&Failure> {
        let manifest = self.manifest.as_ref().and_then(|written| written.failure.as_ref());
        self.dumps.iter().find_map(|dump| dump.failure.as_ref()).or(manifest)
    }
}
