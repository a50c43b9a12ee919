//! Backups: the way dumps are made. `pg_dump` → age → store, streamed, and read back afterwards.
//!
//! `pg_dump` and `pg_restore` run in a container of the template's Postgres image, so the host needs no client, and
//! the archive's version is one that the drill's image can read.

mod client;
mod dump;
mod verify;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::crypt::{Identities, Recipients};
use crate::engine::{self, key_pattern, teardown};
use crate::failure::{Class, Failure, FailureRecord, Result};
use crate::names::{DatabaseName, DrillId, ObjectKey, ProjectName};
use crate::stack::docker::Engine;
use crate::stack::labels::Ownership;
use crate::stack::owner::Owner;
use crate::store::Store;
use crate::template::{Backup, Template};
use crate::verdict::Teardown;

/// Databases dumped at once.
const PARALLEL: usize = 2;
/// After this long `reap` may remove a backup's container.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::hours(12);

/// What a backup needs.
pub struct Job {
    /// What to back up.
    pub template: Arc<Template>,
    /// The databases to dump.
    pub databases: Vec<DatabaseName>,
    /// Where to.
    pub store: Arc<dyn Store>,
    /// For whom.
    pub recipients: Arc<Recipients>,
    /// What opens the dumps again; `None` to leave that out.
    pub verify_with: Option<Arc<Identities>>,
    /// The time.
    pub clock: Clock,
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
    /// What went wrong.
    pub error: Option<FailureRecord>,
    #[serde(skip)]
    failure: Option<Failure>,
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
    /// What was cancelled though nobody cancelled the backup ran into its time limit.
    fn blame_the_limit(&mut self, limit: std::time::Duration) {
        if self.failure.as_ref().is_some_and(|failure| failure.class == Class::Cancelled) {
            let limit = crate::human::duration(limit.as_secs_f64());
            let failure = Failure::inconclusive(
                "timed_out",
                format!("{}: not done within the time limit of {limit}", self.database),
            )
            .hint("look for locks on the source server; `timeout` in the template sets the limit");
            self.error = Some(failure.to_record(None));
            self.failure = Some(failure);
        }
    }
}

impl Report {
    /// The first thing that went wrong.
    pub fn failure(&self) -> Option<&Failure> {
        self.dumps.iter().find_map(|dump| dump.failure.as_ref())
    }
}

/// The databases to dump: those of the template, or some of them.
///
/// # Errors
/// `only_unknown`, a configuration error.
pub fn databases(template: &Template, only: &[DatabaseName]) -> Result<Vec<DatabaseName>> {
    engine::require_known(template, only)?;
    let wanted = |name: &DatabaseName| only.is_empty() || only.contains(name);
    Ok(template.databases.iter().map(|database| database.name.clone()).filter(wanted).collect())
}

/// What a backup would write: each database with its key.
///
/// # Errors
/// `store_url_invalid`.
pub fn plan(
    template: &Template,
    databases: &[DatabaseName],
    now: DateTime<Utc>,
) -> Result<Vec<(DatabaseName, ObjectKey)>> {
    let pattern = key_pattern(template)?;
    Ok(databases.iter().map(|name| (name.clone(), pattern.key(name, now))).collect())
}

/// The template's `[backup]`.
///
/// # Errors
/// `backup_missing`, a configuration error.
pub fn settings(template: &Template) -> Result<&Backup> {
    template.backup.as_ref().ok_or_else(|| {
        Failure::config("backup_missing", format!("the template {} has no [backup] section", template.name))
            .hint("docs/templates.md shows what it holds")
    })
}

impl Job {
    /// Dumps every database, going on after one that fails, and removes what it made.
    ///
    /// # Errors
    /// If nothing could be dumped at all: no engine, no image, no network.
    pub async fn run(&self, cancel: &CancellationToken, progress: &(dyn Fn(&str) + Sync)) -> Result<Report> {
        let settings = settings(&self.template)?;
        let taken_at = self.clock.now();
        let plan = plan(&self.template, &self.databases, taken_at)?;
        let engine = Engine::connect().await?;
        let ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::of(&self.template.project_prefix, "backup", taken_at),
            template: self.template.name.clone(),
            purpose: "backup",
            owner: Owner::this_process(),
            lease_expires: taken_at + LEASE,
            kept: false,
        };
        let started = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            started = client::Client::start(&engine, &self.template.postgres.image, settings, &ownership) => started,
        };
        // A dump that waits for a lock, or a store that hangs, must not hang the backup.
        let limited = cancel.child_token();
        let limit = self.template.timeout;
        let timer = tokio::spawn({
            let limited = limited.clone();
            async move {
                tokio::time::sleep(limit).await;
                limited.cancel();
            }
        });
        let mut dumps: Vec<Dump> = match &started {
            Ok(client) => {
                let work = plan
                    .into_iter()
                    .map(|(database, key)| self.one(client, database, key, &limited, progress));
                stream::iter(work).buffered(PARALLEL).collect().await
            }
            Err(_) => Vec::new(),
        };
        timer.abort();
        if !cancel.is_cancelled() {
            dumps.iter_mut().for_each(|dump| dump.blame_the_limit(limit));
        }
        let teardown = teardown(&engine, ownership.drill_id, false).await;
        started?;
        Ok(Report { schema_version: 1, template: self.template.name.clone(), taken_at, dumps, teardown })
    }

    async fn one(
        &self,
        client: &client::Client,
        database: DatabaseName,
        key: ObjectKey,
        cancel: &CancellationToken,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Dump {
        let mut dump = Dump { database, key, uploaded: None, verified: None, error: None, failure: None };
        if let Err(failure) = self.dump_and_verify(client, &mut dump, cancel, progress).await {
            progress(&format!("{}: failed: {failure}", dump.database));
            dump.error = Some(failure.to_record(None));
            dump.failure = Some(failure.context(&dump.database));
        }
        dump
    }

    async fn dump_and_verify(
        &self,
        client: &client::Client,
        dump: &mut Dump,
        cancel: &CancellationToken,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<()> {
        progress(&format!("{}: dumping", dump.database));
        let uploaded =
            dump::dump(client, &*self.store, &self.recipients, &dump.database, &dump.key, cancel).await?;
        progress(&format!("{}: uploaded {}", dump.database, crate::human::bytes(uploaded.size_bytes)));
        let expected = dump.uploaded.insert(uploaded);
        let Some(identities) = &self.verify_with else { return Ok(()) };
        let verified = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::cancelled()),
            verified = verify::verify(client, &self.store, identities, &dump.key, expected) => verified?,
        };
        progress(&format!("{}: read back, {} entries", dump.database, verified.entries));
        dump.verified = Some(verified);
        Ok(())
    }
}
