//! Backups: the way dumps are made. `pg_dump` → age or gpg → store, streamed, and read back afterwards. While a database is
//! dumped it is also read, under the same snapshot, for a manifest that a drill can compare with what it restored.
//!
//! `pg_dump` and `pg_restore` run in a container of the template's Postgres image, so the host needs no client, and
//! the archive's version is one that the drill's image can read.

mod client;
mod content;
mod dump;
mod explain;
mod globals;
mod manifest;
mod report;
mod small;
mod verify;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::layer::{Identities, Recipients};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::FingerprintKey;
use crate::model::names::{DatabaseName, DrillId, ObjectKey, ProjectName};
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::sandbox::owner::Owner;
use crate::sandbox::teardown::teardown;
use crate::store::Store;
use crate::template::{Backup, Template, TemplateServer};
use report::SourceContent;

pub use report::{
    BackupPlan, BackupReport, Dump, Fingerprinted, PlannedDump, Uploaded, Verified, WrittenGlobals,
    WrittenManifest,
};

/// Databases dumped at once.
const PARALLEL: usize = 2;
/// How long a backup may run beyond the template's time limit, before `reap` may remove its container: for its manifest,
/// and what is read back.
const LEASE_MARGIN: TimeDelta = TimeDelta::hours(12);

/// What a backup needs.
pub struct Job {
    /// The template with the databases.
    pub template: Arc<Template>,
    /// The databases to dump.
    pub databases: Vec<DatabaseName>,
    /// The store that dumps are written to.
    pub store: Arc<dyn Store>,
    /// The recipients that dumps are encrypted for.
    pub recipients: Arc<Recipients>,
    /// What opens the dumps again; `None` to leave that out.
    pub verify_with: Option<Arc<Identities>>,
    /// Hashes the rows of a manifest, for which the databases are read while they are dumped; `None` to leave that out.
    pub manifest: Option<FingerprintKey>,
    /// Whether the globals of the server are written too, where dumps hold privileges.
    pub globals: bool,
    /// The clock.
    pub clock: Clock,
}

/// What a recovery lacks if dumps are made without privileges.
const WITHOUT_PRIVILEGES: &str = "backup.privileges = false: no roles, owners and privileges are backed up, so whoever recovers \
    from this backup must make the roles and grant everything again before an application can log in";

/// The databases to dump: those of the template, or some of them.
///
/// # Errors
/// `only_unknown`, `backup_missing`: configuration errors.
pub fn databases(template: &Template, only: &[DatabaseName]) -> Result<Vec<DatabaseName>> {
    template.require_known(only, "--only")?;
    let wanted = |name: &DatabaseName| only.is_empty() || only.contains(name);
    let is_dumped = |name: &DatabaseName| wanted(name) && template.server_of(name).is_some();
    if let Some(file) = only.iter().find(|name| template.is_sqlite(name)) {
        let message = format!("{file} is of SQLite, and `backup` dumps databases of PostgreSQL only");
        return Err(
            Failure::config(codes::NOT_OF_POSTGRES, message).hint("make backups of it with `VACUUM INTO`")
        );
    }
    let databases: Vec<DatabaseName> = template.database_names().into_iter().filter(is_dumped).collect();
    // Another database of the same name may be on the one source that the template names.
    let source = source_server(template)?.name;
    let server = |name: &DatabaseName| template.server_name_of(name).unwrap_or_default();
    if let Some(name) = databases.iter().find(|name| server(name) != source) {
        let server = server(name).section();
        return Err(Failure::config(
            codes::BACKUP_MISSING,
            format!("the template does not say where to dump {name}: it is of [{server}], and [backup] names the source of [{}]", source.section()),
        )
        .hint("--only names the databases to dump; dump those of other servers with `pg_dump --format=custom`"));
    }
    Ok(databases)
}

/// The server whose source `[backup]` names.
fn source_server(template: &Template) -> Result<TemplateServer<'_>> {
    let source = template.source_server();
    let server = template.servers().find(|server| Some(&server.name) == source.as_ref());
    server.ok_or_else(|| {
        let message = "the template does not say which server's databases [backup] dumps: it has several servers and no [postgres]";
        Failure::config(codes::BACKUP_MISSING, message).hint(
            "name the server that is dumped [postgres]; dump databases of others with `pg_dump --format=custom`",
        )
    })
}

/// What a backup would write that is sealed with this layer.
///
/// # Errors
/// `store_url_invalid`; `backup_missing`.
pub fn plan(
    template: &Template,
    databases: &[DatabaseName],
    manifest: bool,
    layer: &str,
    now: DateTime<Utc>,
) -> Result<BackupPlan> {
    let pattern = template.key_pattern()?;
    let planned = |name: &DatabaseName| {
        let key = pattern.key_in_layer(name, now, layer);
        PlannedDump { database: name.clone(), key }
    };
    let manifest = manifest.then(|| pattern.manifest_key_in_layer(now, layer));
    let privileges = settings(template)?.privileges;
    let source = source_server(template)?.name;
    Ok(BackupPlan {
        schema_version: 1,
        dumps: databases.iter().map(planned).collect(),
        globals: privileges.then(|| pattern.globals_key_in_layer(&source, now, layer)),
        manifest,
        warnings: (!privileges).then(|| WITHOUT_PRIVILEGES.to_owned()).into_iter().collect(),
    })
}

/// The template's `[backup]`.
///
/// # Errors
/// `backup_missing`, a configuration error.
pub fn settings(template: &Template) -> Result<&Backup> {
    template.backup.as_ref().ok_or_else(|| {
        Failure::config(
            codes::BACKUP_MISSING,
            format!("the template {} has no [backup] section", template.name),
        )
        .hint("docs/templates.md shows what it holds")
    })
}

fn broke_off() -> Failure {
    Failure::defect(codes::INTERNAL_ERROR, "the backup broke off")
}

impl Job {
    /// Dumps every database, going on after one that fails, writes the manifest of those that did not, and removes what
    /// it made on the engine.
    ///
    /// # Errors
    /// If nothing could be dumped at all: no engine, no image, no network.
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<BackupReport> {
        let settings = settings(&self.template)?;
        let taken_at = self.clock.now();
        let layer = self.recipients.layer();
        let plan = plan(&self.template, &self.databases, self.manifest.is_some(), layer, taken_at)?;
        let fingerprint_key = self.manifest.as_ref();
        let engine = Engine::connect().await?;
        let mut ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::of(&self.template.project_prefix, "backup", taken_at),
            template: self.template.name.clone(),
            purpose: "backup",
            owner: Owner::this_process(),
            lease_expires: taken_at
                + LEASE_MARGIN
                + TimeDelta::from_std(self.template.timeout).unwrap_or_default(),
            kept: false,
        };
        let image = &source_server(&self.template)?.settings.image;
        let started = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            started = client::Client::start(&engine, image, settings, &mut ownership) => started,
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
        let dumped = match &started {
            Ok(client) => {
                let pass = Pass { client, fingerprint_key, cancel: &limited, progress };
                let globals = plan.globals.filter(|_| self.globals);
                let work = self.dumps_and_globals(&pass, plan.dumps, globals);
                // The container that reaches the source must go whatever happens, a defect of our own included.
                AssertUnwindSafe(work).catch_unwind().await.map_err(|_| broke_off())
            }
            Err(_) => Ok((Vec::new(), None)),
        };
        timer.abort();
        let teardown = teardown(&engine, ownership.drill_id, false).await;
        started?;
        let (mut dumps, mut globals) = dumped?;
        let manifest = match (plan.manifest, fingerprint_key) {
            (Some(key), Some(fingerprint_key)) if !cancel.is_cancelled() => {
                self.write_manifest(key, taken_at, fingerprint_key, &dumps, globals.as_ref(), cancel).await
            }
            _ => None,
        };
        if !cancel.is_cancelled() {
            dumps.iter_mut().for_each(|dump| dump.blame_the_limit(limit));
            globals.iter_mut().for_each(|globals| globals.blame_the_limit(limit));
        }
        let of_globals = globals.iter().filter_map(WrittenGlobals::warning);
        let warnings = plan
            .warnings
            .into_iter()
            .chain(dumps.iter().flat_map(Dump::warnings))
            .chain(of_globals)
            .collect();
        let template = self.template.name.clone();
        Ok(BackupReport {
            schema_version: 1,
            template,
            taken_at,
            dumps,
            globals,
            manifest,
            warnings,
            teardown,
        })
    }

    /// The globals come last: a role that is made while a database is dumped is in them.
    async fn dumps_and_globals(
        &self,
        pass: &Pass<'_>,
        planned: Vec<PlannedDump>,
        globals: Option<ObjectKey>,
    ) -> (Vec<Dump>, Option<WrittenGlobals>) {
        let work = planned.into_iter().map(|planned| self.one(pass, planned));
        let dumps = stream::iter(work).buffered(PARALLEL).collect::<Vec<Dump>>().await;
        let written = match globals {
            Some(key) => self.write_globals(pass.client, key, &dumps, pass.cancel).await,
            None => None,
        };
        if let Some(failure) = written.as_ref().and_then(|globals| globals.failure.as_ref()) {
            (pass.progress)(&format!("failed: {failure}"));
        }
        (dumps, written)
    }

    async fn one(&self, pass: &Pass<'_>, planned: PlannedDump) -> Dump {
        let mut dump = Dump::of(planned.database, planned.key);
        if let Err(failure) = self.dump_and_verify(pass, &mut dump).await {
            let failure = self.template.hinted(failure);
            (pass.progress)(&format!("{}: failed: {failure}", dump.database));
            dump.error = Some(failure.to_record(None));
            dump.failure = Some(failure.context(&dump.database));
        }
        dump
    }

    async fn dump_and_verify(&self, pass: &Pass<'_>, dump: &mut Dump) -> Result<()> {
        let Pass { client, cancel, progress, .. } = pass;
        progress(&format!("{}: dumping", dump.database));
        let (store, recipients) = (&*self.store, &self.recipients);
        let task = dump::DumpTask { client, store, recipients, database: &dump.database, key: &dump.key };
        let (uploaded, content) = match pass.fingerprint_key {
            Some(key) => content::dump_and_read(task, key, cancel).await?,
            None => (dump::dump(task, None, None, cancel).await?, Ok(SourceContent::default())),
        };
        progress(&format!("{}: uploaded {}", dump.database, crate::model::human::bytes(uploaded.size_bytes)));
        let expected = dump.uploaded.insert(uploaded);
        dump.content = content?;
        dump.fingerprinted = dump.content.fingerprinted();
        if let Some(read) = &dump.fingerprinted {
            let (rows, tables) = (read.rows, crate::model::human::things(read.tables as u64, "table"));
            let rows = crate::model::human::things(rows, "row");
            progress(&format!("{}: read {rows} in {tables} for the manifest", dump.database));
        }
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

/// What all databases of one backup share.
struct Pass<'a> {
    client: &'a client::Client,
    fingerprint_key: Option<&'a FingerprintKey>,
    cancel: &'a CancellationToken,
    progress: &'a (dyn Fn(&str) + Sync),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::minimal_with;
    use crate::template::{Environment, Purpose, parse};

    const TWO: &str = "name = \"shop\"\nserver = \"aaa\"\n\n[servers.legacy]\nimage = \"postgres:15\"\n[[databases]]\n\
        name = \"old\"\nserver = \"legacy\"\n\n[[checks]]";

    fn refused(text: &str, only: &str) -> Option<Failure> {
        let template = parse(text, "t.toml", &Environment::default(), Purpose::Drill).unwrap();
        databases(&template, &[only.parse().unwrap()]).err()
    }

    #[test]
    fn of_several_servers_that_of_postgres_is_dumped_and_no_other() {
        let without =
            minimal_with("name = \"shop\"\n\n[[checks]]", TWO).replace("[postgres]", "[servers.aaa]");
        for only in ["shop", "old"] {
            let failure = refused(&without, only).unwrap();
            assert_eq!(failure.code, codes::BACKUP_MISSING);
            assert!(failure.message.contains("several servers and no [postgres]"), "{failure}");
        }
        let with = minimal_with("name = \"shop\"\n\n[[checks]]", &TWO.replace("server = \"aaa\"\n", ""));
        assert!(refused(&with, "shop").is_none());
        let failure = refused(&with, "old").unwrap();
        assert!(failure.message.contains("where to dump old: it is of [servers.legacy]"), "{failure}");
        let only = with
            .replace("[postgres]", "[servers.legacy]")
            .replace("[servers.legacy]\nimage = \"postgres:15\"\n", "");
        let only = only.replace("name = \"shop\"\n\n", "name = \"shop\"\nserver = \"legacy\"\n\n");
        assert!(refused(&only, "old").is_none(), "there is only one");
    }
}
