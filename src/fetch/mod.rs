//! From evidence to the real restore: one recovery point, or the roles of its server, is fetched and opened, and its bytes are
//! compared with those that the drill that passed restored. What it takes to restore it is given as command lines.
//!
//! Nothing runs on an engine. The file gets its name only once it is known to be whole and the right one.

mod command;
mod globals;
mod manifest;
mod output;
mod proof;
mod report;
mod runs;
mod script;
mod shell;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::format::BackupContents;
use crate::format::pg_custom::LeftOut;
use crate::layer::Identities;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{PointObject, RecoveryPoint};
use crate::plan;
use crate::store::Store;
use crate::survey;
use crate::target::postgres::restore::Kept;
use crate::template::{Access, KeyPattern, Template};
use command::{How, restore_steps};
use manifest::{Manifest, NamedGlobals};
use output::Output;
use proof::{Proof, Proofs};
use report::Digests;
use shell::fetch_globals;

pub use command::LaterCommands;
pub use globals::{GlobalsReport, GlobalsTask};
pub use report::{FetchReport, GlobalsToRestore, ManifestComparison, ProvedBy};

/// Which recovery point is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointChoice {
    /// The newest that was taken at or before this time.
    At(DateTime<Utc>),
    /// The newest that a drill restored and passed with.
    LastPassed,
}

/// What is to be fetched, and where to.
pub struct FetchTask {
    /// The template; of its databases only this one matters.
    pub template: Template,
    /// The template, as the command line names it: for commands that run this program again.
    pub arguments: Vec<String>,
    /// Where verdicts are, as the command line names it: for those commands that read them.
    pub reports_arguments: Vec<String>,
    /// The database.
    pub database: DatabaseName,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// What opens its recovery points.
    pub identities: Arc<Identities>,
    /// Where verdicts are.
    pub reports: PathBuf,
    /// The recovery point.
    pub choice: PointChoice,
    /// Take it although no drill that passed restored it.
    pub unproved: bool,
    /// The file that the dump is written to; none for stdout.
    pub file: Option<PathBuf>,
}

impl FetchTask {
    /// Fetches the dump.
    ///
    /// # Errors
    /// What kept it from being fetched, and why it is not the one that was proved. Then there is no file.
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<FetchReport> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                Err(Failure::cancelled().hint("the file was not made; run it again"))
            }
            fetched = self.fetch(progress) => fetched,
        }
    }

    async fn fetch(&self, progress: &(dyn Fn(&str) + Sync)) -> Result<FetchReport> {
        let began = Instant::now();
        if self.template.is_sqlite(&self.database) {
            let message =
                format!("{} is of SQLite, and `fetch` gives out dumps of PostgreSQL only", self.database);
            return Err(Failure::config(codes::NOT_OF_POSTGRES, message).hint(
                "the recovery point is the file itself, in its layers: move `-wal` and `-shm` away before it takes its place",
            ));
        }
        // First what costs nothing: a name that is taken.
        let output = Output::open(self.file.as_deref())?;
        let pattern = self.template.key_pattern()?;
        let proofs = Proofs::read(&self.reports, &self.template, &self.database);
        let (point, proof) = self.choose(&pattern, &proofs).await?;
        let mut expected: Vec<Digests> = proof.iter().map(|proof| proof.digests()).collect();
        if let Some(differs) = expected.iter().find_map(|digests| digests.size_differs(point.size_bytes)) {
            return Err(changed(&point.key, &differs));
        }
        let manifest = self.manifest(&pattern, &point, proof.is_some()).await?;
        expected.extend(manifest.digests.clone());
        let size = human::bytes(point.size_bytes);
        progress(&format!("{}: fetching {}, {size}", point.database, point.key));
        let writer = output.writer()?;
        let arrived = transfer::transfer(&self.store, &self.identities, &point, writer, progress).await?;
        let mut point = point;
        point.was_read(&arrived.transfer);
        let (ciphertext, plaintext) = (&point.ciphertext_sha256, &point.plaintext_sha256);
        let differs =
            |digests: &Digests| digests.differ(ciphertext.as_deref(), "the dump in it", plaintext.as_deref());
        if let Some(differs) = expected.iter().find_map(differs) {
            return Err(changed(&point.key, &differs));
        }
        let place = output.commit()?;
        let how = self.how(proof, &manifest, place.as_deref());
        let toc = arrived.contents.toc();
        let left_out =
            how.template.map(|template| toc.leave_out(&template.ignore, &template.ignore_extensions));
        let left_out = left_out.unwrap_or_default();
        let steps = match arrived.contents.script() {
            Some(script) => script::steps(&point.database, script, &how),
            None => restore_steps(&point.database, &arrived.contents, &left_out, &how),
        };
        let globals = self.globals(&pattern, proof, manifest.globals);
        Ok(FetchReport {
            schema_version: 1,
            template: self.template.name.clone(),
            proved_by: proof.map(|proof| proof.by.clone()),
            failed_later: proofs.failed_since(proof, &point.key),
            manifest: manifest.comparison,
            warnings: self.warnings(&proofs, proof, &point, &arrived.contents, &left_out),
            output: place.map_or_else(|| "-".to_owned(), |place| place.display().to_string()),
            globals,
            roles: steps.roles,
            commands: steps.commands,
            notes: steps.notes,
            later: steps.later,
            caveats: steps.caveats,
            seconds: began.elapsed().as_secs_f64(),
            point,
        })
    }

    /// The roles that the drill used, or else those that the manifest names, which no drill has proved then.
    fn globals(
        &self,
        pattern: &KeyPattern,
        proof: Option<&Proof>,
        of_manifest: Option<NamedGlobals>,
    ) -> Option<GlobalsToRestore> {
        let used = proof.and_then(|proof| proof.globals.clone());
        let proved = used.is_some() && proof.is_some_and(|proof| proof.kept.access);
        let NamedGlobals { key, taken_at, ciphertext_sha256 } = used.or(of_manifest)?;
        let server = self.template.server_name_of(&self.database)?;
        let mut arguments = [&self.arguments[..], &self.reports_arguments].concat();
        if self.template.first_server().is_none_or(|first| first.name != server) {
            arguments.extend(["--server".to_owned(), server.to_string()]);
        }
        // By their time others would come, if those of this server are called otherwise.
        let command = pattern
            .is_key_of_globals(&server, taken_at, &key)
            .then(|| fetch_globals(&arguments, &key, taken_at, proved));
        Some(GlobalsToRestore { key, ciphertext_sha256, command })
    }

    /// How it is restored: as that drill did, or as one would.
    fn how<'a>(&'a self, proof: Option<&'a Proof>, manifest: &Manifest, file: Option<&'a Path>) -> How<'a> {
        let server =
            self.template.server_of(&self.database).expect("it is of PostgreSQL, as was asked first");
        let with_roles = manifest.globals.is_some() && server.settings.access != Some(Access::Skip);
        How {
            file,
            jobs: proof.and_then(|proof| Some(proof.record.pg_restore.as_ref()?.jobs)),
            kept: proof.map_or(Kept { access: with_roles, labels: false }, |proof| proof.kept),
            roles: &server.settings.roles,
            template: self.template.database(&self.database),
            recorded: proof.and_then(|proof| proof.record.pg_restore.as_ref()),
            arguments: &self.arguments,
        }
    }

    /// The recovery point as it lies in the store now, and the drill that proved it.
    async fn choose<'a>(
        &self,
        pattern: &KeyPattern,
        proofs: &'a Proofs,
    ) -> Result<(RecoveryPoint, Option<&'a Proof>)> {
        match self.choice {
            PointChoice::LastPassed => {
                let proof = proofs.of_newest_point().ok_or_else(|| {
                    let message = format!(
                        "{} has no verdict of a drill that passed with {}{}",
                        self.reports.display(),
                        self.database,
                        proofs.in_brackets()
                    );
                    Failure::inconclusive(codes::NO_DRILL_PASSED, message)
                        .hint("--reports names the directory of the verdicts; without --last-passed, --unproved takes the newest recovery point")
                })?;
                Ok((self.as_it_is_now(&proof.point).await?, Some(proof)))
            }
            PointChoice::At(at) => {
                let point = self.newest(pattern, at).await?;
                let proof = proofs.of(&point.key);
                if proof.is_none() && !self.unproved {
                    return Err(proofs.none_passed(&point.key));
                }
                Ok((point, proof))
            }
        }
    }

    /// The recovery point of a drill, as the store has it today.
    async fn as_it_is_now(&self, drilled: &RecoveryPoint) -> Result<RecoveryPoint> {
        let mut point = drilled.clone();
        let mut objects = Vec::new();
        for PointObject { key, .. } in drilled.objects() {
            let Some(object) = self.store.stat(&key).await? else {
                let message = format!("{key} was drilled, and is not in the store any more");
                return Err(Failure::bad(codes::OBJECT_GONE, message)
                    .hint("check the bucket's lifecycle rules; versions of it may be left; --at chooses among what is there"));
            };
            objects.push(PointObject { key, size_bytes: object.size_bytes, etag: object.etag.clone() });
            // The first is the one that stands for all.
            if objects.len() == 1 {
                point.last_modified = object.last_modified;
                point.storage_class = object.storage_class;
                point.etag = object.etag;
            }
        }
        point.size_bytes = objects.iter().map(|object| object.size_bytes).sum();
        if !drilled.objects.is_empty() {
            point.objects = objects;
        }
        Ok(point)
    }

    /// The newest recovery point that was taken at or before this time.
    async fn newest(&self, pattern: &KeyPattern, at: DateTime<Utc>) -> Result<RecoveryPoint> {
        let template = self.template.clone().narrow(std::slice::from_ref(&self.database))?;
        let window = survey::window(&template);
        let listed = survey::list_points(&*self.store, pattern, &template, at, window).await?;
        let set = plan::choose(&template, pattern, &listed.listing, at);
        set.points.into_iter().next().ok_or_else(|| {
            let (name, like) = (&self.database, pattern.key(&self.database, at));
            let message = format!("{name} has no recovery point taken at or before {}", human::moment(at));
            Failure::bad(codes::NO_RECOVERY_POINT, message)
                .hint(format!("it is an object like {like}; `restore-drill plan` shows what there is"))
        })
    }

    fn warnings(
        &self,
        proofs: &Proofs,
        proof: Option<&Proof>,
        point: &RecoveryPoint,
        contents: &BackupContents,
        left_out: &LeftOut,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        match proof {
            None => warnings.push(
                "no drill that passed has restored this recovery point, so what pg_restore cannot do in one go is not known"
                    .to_owned(),
            ),
            Some(proof) => {
                warnings.extend(proof.only().into_iter().chain(proof.in_part()).chain(proof.unexplained()));
                let template = self.template.database(&self.database);
                warnings.extend(template.into_iter().flat_map(|template| proof.differs(template, left_out)));
            }
        }
        warnings.extend(proofs.failed_since(proof, &point.key));
        warnings.extend(of_another(&point.database, contents));
        warnings.extend(proofs.not_seen());
        warnings
    }
}

/// That the dump was made of a database of another name.
fn of_another(database: &DatabaseName, contents: &BackupContents) -> Option<String> {
    let dumped = &contents.toc().header.database;
    // A script seldom says of which database it is.
    (!dumped.is_empty() && dumped != database.as_str()).then(|| {
        let dumped = human::one_line(dumped, 80);
        format!("the dump was made of a database named {dumped}, not of {database}: make sure that it is the right one")
    })
}

/// The failure of an object that is not the one that was proved.
fn changed(key: &ObjectKey, differs: &str) -> Failure {
    Failure::bad(codes::POINT_CHANGED, format!("{key} is not what was proved: {differs}")).hint(
        "do not restore from it; find out what wrote to its key; versions of the object may be left; --at chooses another",
    )
}
