//! One database of a drill: fetched, restored, counted.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::access::left_out_sentence;
use super::fetch::{Arrived, Fetcher};
use super::plain;
use super::turn::{RestoredDatabase, Turn};
use crate::format::pg_custom::{LeftOut, NamedRoles};
use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event};
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::manifest::Recorded;
use crate::model::verdict::{MadeUpRole, StageSeconds};
use crate::plan::ignored;
use crate::survey::{ManifestLookup, Manifests};
use crate::target::postgres::catalog::RestoredContents;
use crate::target::postgres::globals::RestoredRoles;
use crate::target::{self, Restoration, RestoreEvent};

/// Dumps of at least this size are restored by several workers; for smaller ones starting them costs more.
const LARGE_DUMP: u64 = 32 * 1024 * 1024;

/// The restore of one database, and what it shares with the others.
pub struct DatabaseRestore {
    /// What it has in common with whatever else is restored.
    pub turn: Turn,
    /// Fetches recovery points.
    pub fetcher: Fetcher,
    /// Permits of restore workers, shared by all databases.
    pub workers: Arc<Semaphore>,
    /// The number of restore workers.
    pub jobs: usize,
    /// The roles that are there, if owners and privileges are restored.
    pub roles: Option<Arc<RestoredRoles>>,
    /// What backups found in the source.
    pub manifests: Arc<Manifests>,
}

/// What restoring a dump came to.
#[derive(Default)]
struct Restored {
    seconds: Option<f64>,
    missing_roles: Vec<String>,
}

impl DatabaseRestore {
    /// Restores the database and records how it went. Returns the failure for the drill.
    pub async fn run(self) -> Option<Failure> {
        let began = Instant::now();
        let mut restored = self.restore().await;
        if let Err(failure) = restored {
            let server = &self.fetcher.server;
            restored = Err(server.blame(failure, began).await.on_server(&server.name));
        }
        self.turn.end(restored).await
    }

    async fn restore(&self) -> Result<Option<RestoredDatabase>> {
        let fetching = self.fetcher.fetch(&self.point, &self.journal);
        let Some(arrived) = self.turn.fetch(fetching).await? else { return Ok(None) };
        self.require_own_dump(&arrived).await?;
        self.warn_of_empty_tables(&arrived).await;
        self.record_not_drilled(&arrived).await;
        let left_out = Arc::new(self.leave_out(&arrived).await?);
        let (mut point, mut seconds) = (self.point.clone(), StageSeconds::default());
        point.was_read(&arrived.transfer);
        seconds.was_read(&arrived.transfer);
        let Restored { seconds: restoring, missing_roles } =
            self.restore_contents(&arrived, &left_out).await?;
        seconds.restore = restoring;
        // A dump that was restored makes room while its rows are counted.
        let making_room = self.fetcher.server.remove_scratch(&self.point.database);
        let (counted, made_room) = tokio::join!(self.count(&left_out), making_room);
        let (contents, counting) = counted?;
        made_room?;
        if let Some(script) = arrived.contents.script() {
            for sentence in
                plain::not_verified(&self.point.database, script, arrived.contents.format() == "pg_cluster")
            {
                self.journal.record(Event::NotVerified(sentence)).await;
            }
            let ran_hooks = self.template.databases_with_own_sql().contains(&self.point.database);
            if !ran_hooks {
                plain::require_rows(&self.point.database, script, &contents)?;
            }
        }
        self.record_counted(&contents, counting).await;
        seconds.count = Some(counting);
        let toc = arrived.contents.toc();
        if self.roles.is_some() && !toc.holds_privileges() {
            self.record_no_privileges().await;
        }
        let promised = toc.promised(&left_out);
        Ok(Some(RestoredDatabase { contents, promised, point, seconds, missing_roles }))
    }

    /// What the template leaves out of the dump. Each entry is recorded, and what its checks need must not be among them.
    async fn leave_out(&self, arrived: &Arrived) -> Result<LeftOut> {
        let toc = arrived.contents.toc();
        let Some(database) = self.template.database(&self.point.database) else {
            return Ok(LeftOut::default());
        };
        let left_out = toc.leave_out(&database.ignore, &database.ignore_extensions);
        if arrived.contents.script().is_some() && !left_out.is_nothing() {
            return Err(plain::cannot_leave_out(&database.name));
        }
        for rule in &left_out.unmatched {
            self.warn(&ignored::unmatched(rule)).await;
        }
        if left_out.is_nothing() {
            return Ok(left_out);
        }
        for sentence in ignored::not_verified(&database.name, &left_out) {
            self.journal.record(Event::NotVerified(sentence)).await;
        }
        let (entries, total) = (ignored::records(&left_out), left_out.entries.len() as u64);
        self.record(DatabaseEvent::LeftOut { entries, total }).await;
        match ignored::needed_and_ignored(&self.template, &database.name, &left_out) {
            Some(needed) => Err(ignored::contradiction(needed)),
            None => Ok(left_out),
        }
    }

    /// A dump of a whole server may have databases that nobody named. Said once for each dump.
    async fn record_not_drilled(&self, arrived: &Arrived) {
        let Some(cluster) = self.template.cluster_led_by(&self.point.database) else { return };
        let is_named = |name: &String| cluster.databases.iter().any(|named| named.as_str() == name);
        let others: Vec<&str> =
            arrived.beside.iter().filter(|name| !is_named(name)).map(String::as_str).collect();
        if !others.is_empty() {
            let names = human::one_line(&others.join(", "), 300);
            let text = format!(
                "cluster {}: its dump also has databases that are not drilled: {names}",
                cluster.name
            );
            self.journal.record(Event::Warning(text.clone())).await;
            self.journal.record(Event::NotVerified(text)).await;
        }
    }

    /// Counts the rows of all tables. Returns what that took, too.
    async fn count(&self, left_out: &Arc<LeftOut>) -> Result<(RestoredContents, f64)> {
        self.record(DatabaseEvent::Counting).await;
        let began = Instant::now();
        let contents = self.fetcher.server.contents(&self.point.database, left_out).await?;
        Ok((contents, began.elapsed().as_secs_f64()))
    }

    /// Restores what arrived.
    async fn restore_contents(&self, arrived: &Arrived, left_out: &LeftOut) -> Result<Restored> {
        let is_large = arrived.transfer.plaintext_bytes >= LARGE_DUMP;
        let jobs = if is_large && arrived.contents.has_room_for_workers() { self.jobs } else { 1 };
        let permits = u32::try_from(jobs).unwrap_or(u32::MAX);
        let _permits = self.workers.acquire_many(permits).await.expect("never closed");
        let database = self.template.database(&self.point.database);
        let server = self.template.server_of(&self.point.database);
        // A handful: one for each step of the restore.
        let (events, mut reported) = mpsc::unbounded_channel();
        let restoring = async move {
            let report = move |event| drop(events.send(event));
            let restoration = Restoration {
                server: &self.fetcher.server,
                database: &self.point.database,
                contents: &arrived.contents,
                left_out,
                before_restore: database.map_or(&[], |database| &database.before_restore),
                after_restore: database.map_or(&[], |database| &database.after_restore),
                jobs,
                locale: server.as_ref().and_then(|server| server.settings.locale.as_deref()),
                roles: self.roles.as_deref(),
                report: &report,
            };
            (target::of(&arrived.contents).restore)(restoration).await
        };
        let recording = async {
            let mut came_to = Restored::default();
            while let Some(event) = reported.recv().await {
                match event {
                    RestoreEvent::Warning(text) => self.warn(&text).await,
                    RestoreEvent::NotVerified(text) => self.journal.record(Event::NotVerified(text)).await,
                    RestoreEvent::RolesMadeUp(roles) => {
                        self.record_made_up(&roles).await;
                        came_to.missing_roles.extend(roles.needed);
                    }
                    RestoreEvent::AccessLeftOut(left_out) => self.record_left_out(left_out).await,
                    RestoreEvent::Hook(hook) => self.record(DatabaseEvent::Hook(hook)).await,
                    RestoreEvent::Started => self.record(DatabaseEvent::Restoring { jobs }).await,
                    RestoreEvent::Ended(outcome, seconds) => {
                        // Some archives are restored in two parts.
                        came_to.seconds = Some(came_to.seconds.unwrap_or_default() + seconds);
                        self.record(DatabaseEvent::PgRestore { outcome, seconds }).await;
                    }
                }
            }
            came_to
        };
        let (restored, came_to) = tokio::join!(restoring, recording);
        restored?;
        if database.is_some_and(|database| !database.after_restore.is_empty()) {
            self.warn("after_restore has run: the evidence covers the rows as they are after it").await;
        }
        Ok(came_to)
    }

    /// A dump made with `--no-privileges` looks like one of a database in which nobody granted anything. That there was
    /// nothing to grant, the manifest can show.
    async fn record_no_privileges(&self) {
        // What is wrong with a manifest is for the checks that need it.
        let entry = match self.manifests.entry(&self.point.database, self.point.taken_at).await {
            Ok(ManifestLookup::Entry(entry)) => Some(entry),
            _ => None,
        };
        let granted = match entry.as_ref().and_then(|entry| entry.database().access.as_ref()) {
            Some(Recorded::Read(access)) => Some(access.grants_anything()),
            _ => None,
        };
        let text = match granted {
            Some(false) => return,
            Some(true) => "the dump holds no privileges, and in the source some were granted",
            None => "the dump holds no privileges: nothing was granted",
        };
        self.journal.record(Event::NotVerified(format!("{}: {text}", self.point.database))).await;
    }

    async fn record_made_up(&self, roles: &NamedRoles) {
        let made_up = |needed| {
            move |name: &String| MadeUpRole {
                name: name.clone(),
                database: self.point.database.clone(),
                needed,
            }
        };
        let all: Vec<MadeUpRole> =
            roles.needed.iter().map(made_up(true)).chain(roles.granted.iter().map(made_up(false))).collect();
        let names: Vec<&str> = all.iter().map(|role| role.name.as_str()).collect();
        let text = format!(
            "{}: the globals do not have roles that the dump names, so they were made up and lack what they had: {}",
            self.point.database,
            human::one_line(&names.join(", "), 400)
        );
        self.journal.record(Event::Warning(text.clone())).await;
        self.journal.record(Event::NotVerified(text)).await;
        self.record(DatabaseEvent::RolesMadeUp(all)).await;
    }

    async fn record_left_out(&self, left_out: Vec<String>) {
        let text = left_out_sentence(self.point.database.as_str(), &left_out);
        self.journal.record(Event::Warning(text.clone())).await;
        self.journal.record(Event::NotVerified(text)).await;
        self.record(DatabaseEvent::AccessLeftOut(left_out)).await;
    }

    /// A dump of another of the server's databases under this one's key means that the backup job mixed them up: this
    /// one has no backup. Any other name may be a rename.
    async fn require_own_dump(&self, arrived: &Arrived) -> Result<()> {
        let toc = arrived.contents.toc();
        let (name, dumped) = (self.point.database.as_str(), &toc.header.database);
        // A script seldom says of which database it is.
        if dumped.is_empty() || name == dumped {
            return Ok(());
        }
        let dumped_shown = crate::model::human::one_line(dumped, 80);
        let text = format!("the dump under {} was made of a database named {dumped_shown}", self.point.key);
        if self.template.has_sibling(&self.point.database, dumped) {
            return Err(Failure::bad(codes::WRONG_DATABASE, text).hint(
                "the backup job mixed databases up: compare its database names with its object names",
            ));
        }
        self.journal.record(Event::Warning(format!("{name}: {text}"))).await;
        Ok(())
    }

    /// Tables whose rows were left out of the dump are restored empty, without a message from `pg_restore`.
    async fn warn_of_empty_tables(&self, arrived: &Arrived) {
        let toc = arrived.contents.toc();
        let empty: Vec<String> = toc.tables_without_data().iter().map(ToString::to_string).collect();
        if !empty.is_empty() {
            let names = crate::model::human::one_line(&empty.join(", "), 400);
            let text = format!(
                "{}: the dump holds no rows of {names}: they were left out on purpose",
                self.point.database
            );
            self.journal.record(Event::Warning(text)).await;
        }
    }
}

impl Deref for DatabaseRestore {
    type Target = Turn;

    fn deref(&self) -> &Turn {
        &self.turn
    }
}
