//! The globals of a server (its roles, their memberships and settings), compared with those that the drill that passed used.
//!
//! A drill never runs the file: it takes values out of it, and leaves out what it does not know. Whoever restores for real runs
//! it as a superuser. So what `psql` will do with it, and the drill did not, is named.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Found};
use super::output::Output;
use super::proof::{self, Drills, Proved};
use super::report::{Digests, ManifestComparison, ProvedBy};
use super::shell::{line, psql_file};
use super::{PointChoice, changed};
use crate::evidence::VerdictRead;
use crate::format::pg_globals::{Globals, SIZE_LIMIT};
use crate::layer::{self, Identities};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::manifest::Manifest;
use crate::model::names::{ObjectKey, ServerName};
use crate::model::verdict::{AccessStatus, GlobalsRecord};
use crate::plan::globals::{Promise, named_key};
use crate::store::{self, Store};
use crate::target::postgres::database_settings::is_kept_of_role;
use crate::target::postgres::{MAINTENANCE, SUPERUSER};
use crate::template::{KeyPattern, Template};

/// Globals, the newest first, whose manifests are asked of which server they are.
const LOOKED_AT: usize = 100;
/// How the command for `psql` begins that such a file has since August 2025.
const RESTRICT: &[u8] = b"\\restrict ";

/// Globals to fetch, and where to.
pub struct GlobalsTask {
    /// The template.
    pub template: Template,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// What opens the globals.
    pub identities: Arc<Identities>,
    /// The server that they are restored to.
    pub server: ServerName,
    /// Where verdicts are.
    pub reports: PathBuf,
    /// Which ones.
    pub choice: PointChoice,
    /// Take them although no drill that passed used them.
    pub unproved: bool,
    /// The file that they are written to; none for stdout.
    pub file: Option<PathBuf>,
}

/// What was fetched.
#[derive(Debug, Serialize)]
pub struct GlobalsReport {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// The object, with the digests of what was read.
    pub globals: GlobalsRecord,
    /// The drill that used the same bytes and passed; absent if none did.
    pub proved_by: Option<ProvedBy>,
    /// Why a drill with these globals failed, if it is later than the one that passed, or if none passed.
    pub failed_later: Option<String>,
    /// Whether the manifest of the backup says the same.
    pub manifest: ManifestComparison,
    /// The file; `-` for stdout.
    pub output: String,
    /// How many roles they have.
    pub roles: u64,
    /// Roles that log in and for which they hold no password: each needs a new one.
    pub passwords_to_set: Vec<String>,
    /// How many passwords they hold, as the server keeps them.
    pub passwords: u64,
    /// Whether the file tells `psql` to take no commands from it (`\restrict`), which older ones do not know.
    pub restricted: bool,
    /// What `psql` will do by them, and the drill did not: a bounded list.
    pub beyond: Vec<String>,
    /// What restores them, for a shell.
    pub command: String,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl GlobalsReport {
    /// Whether a drill passed with them, and none failed with them since.
    pub fn is_proved(&self) -> bool {
        self.proved_by.is_some() && self.failed_later.is_none()
    }
}

/// A drill that passed, and the globals that it used.
struct GlobalsProof {
    by: ProvedBy,
    used: GlobalsRecord,
    digests: Digests,
    nth: usize,
}

impl GlobalsProof {
    /// The globals that a drill used, and what it proves of them if it passed.
    fn look(server: &ServerName, nth: usize, read: &VerdictRead) -> Option<(ObjectKey, Option<Self>)> {
        let access = read.verdict.access_on(server)?;
        let used = access.globals.clone()?;
        let digests = Digests {
            source: proof::source(&read.verdict),
            size_bytes: used.size_bytes,
            ciphertext_sha256: used.ciphertext_sha256.clone(),
            plaintext_sha256: used.plaintext_sha256.clone(),
        };
        let (key, by) = (used.key.clone(), ProvedBy::of(read));
        let restored = access.status == AccessStatus::Restored;
        Some((key, restored.then_some(Self { by, used, digests, nth })))
    }
}

impl Proved for GlobalsProof {
    fn key(&self) -> &ObjectKey {
        &self.used.key
    }

    fn taken_at(&self) -> DateTime<Utc> {
        self.used.taken_at
    }

    fn nth(&self) -> usize {
        self.nth
    }
}

impl GlobalsTask {
    /// Fetches the globals.
    ///
    /// # Errors
    /// What kept them from being fetched, and why they are not those that were proved. Then there is no file.
    pub async fn run(&self, cancel: &CancellationToken) -> Result<GlobalsReport> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                Err(Failure::cancelled().hint("the file was not made; run it again"))
            }
            fetched = self.fetch() => fetched,
        }
    }

    async fn fetch(&self) -> Result<GlobalsReport> {
        let began = Instant::now();
        // First what costs nothing: a name that is taken.
        let output = Output::open(self.file.as_deref())?;
        let pattern = self.template.key_pattern()?;
        let look = |nth, read: &VerdictRead| GlobalsProof::look(&self.server, nth, read);
        let drills = Drills::look(&self.reports, &self.template, "with these globals", look);
        let (key, taken_at, proof) = self.choose(&pattern, &drills).await?;
        let (manifest_key, manifest) =
            manifest::find(&self.store, &self.identities, &pattern, taken_at, proof.is_some()).await?;
        let (manifest, recorded) = self.compared_with(manifest, &pattern, &manifest_key, &key);
        let expected: Vec<Digests> =
            proof.iter().map(|proof| proof.digests.clone()).chain(recorded).collect();
        let sealed = store::whole(&self.store, &key, SIZE_LIMIT).await?.ok_or_else(|| {
            Failure::bad(codes::OBJECT_GONE, format!("{key} was drilled, and is not in the store any more"))
                .hint("check the bucket's lifecycle rules; versions of it may be left; --at chooses among what is there")
        })?;
        let (size_bytes, ciphertext) = (sealed.len() as u64, hex::encode(Sha256::digest(&sealed)));
        if let Some(differs) = expected.iter().find_map(|digests| digests.size_differs(size_bytes)) {
            return Err(changed(&key, &differs));
        }
        let sql = layer::open_whole(&format!("the globals {key}"), &sealed, &self.identities)?;
        let plaintext = hex::encode(Sha256::digest(&sql));
        let differs =
            |digests: &Digests| digests.differ(Some(&ciphertext), "the SQL in it", Some(&plaintext));
        if let Some(differs) = expected.iter().find_map(differs) {
            return Err(changed(&key, &differs));
        }
        let globals = Globals::read(&sql).map_err(|error| error.into_failure(&key))?;
        let writer = output.writer()?;
        let restricted = sql.split(|byte| *byte == b'\n').any(|line| line.starts_with(RESTRICT));
        let written = tokio::task::spawn_blocking(move || writer.whole("the globals", &sql));
        written.await.expect("writing does not panic")?;
        let place = output.commit()?;
        let failed_later = drills.failed_since(proof, &key);
        let unproved =
            proof.is_none().then(|| "no drill that passed has restored roles from these globals".to_owned());
        let warnings = unproved.into_iter().chain(failed_later.clone()).chain(drills.not_seen());
        let command = match &place {
            Some(file) => psql_file(file),
            None => line(&["psql", "--no-psqlrc", "--quiet", &format!("--dbname={MAINTENANCE}")]),
        };
        Ok(GlobalsReport {
            schema_version: 1,
            template: self.template.name.clone(),
            globals: GlobalsRecord {
                in_manifest: manifest.equal,
                size_bytes,
                ciphertext_sha256: ciphertext,
                plaintext_sha256: plaintext,
                key,
                taken_at,
            },
            proved_by: proof.map(|proof| proof.by.clone()),
            failed_later,
            manifest,
            output: place.map_or_else(|| "-".to_owned(), |place| place.display().to_string()),
            roles: globals.roles.len() as u64,
            passwords_to_set: passwords_to_set(&globals),
            passwords: globals.with_password.len() as u64,
            restricted,
            beyond: beyond(&globals),
            command,
            warnings: warnings.collect(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The globals, their time, and the drill that proved them.
    async fn choose<'a>(
        &self,
        pattern: &KeyPattern,
        drills: &'a Drills<GlobalsProof>,
    ) -> Result<(ObjectKey, DateTime<Utc>, Option<&'a GlobalsProof>)> {
        let at = match self.choice {
            PointChoice::LastPassed => {
                let proof = drills.of_newest_point().ok_or_else(|| {
                    let message = format!(
                        "{} has no verdict of a drill that passed and restored roles{}",
                        self.reports.display(),
                        drills.in_brackets()
                    );
                    Failure::inconclusive(codes::NO_DRILL_PASSED, message)
                        .hint("--reports names the directory of the verdicts; without --last-passed, --unproved takes the newest globals")
                })?;
                return Ok((proof.used.key.clone(), proof.used.taken_at, Some(proof)));
            }
            PointChoice::At(at) => at,
        };
        let listed = self.store.list(&pattern.globals_prefix(&self.server)).await?;
        let times = listed.into_iter().filter_map(|object| {
            let taken_at = pattern.globals_taken_at(&self.server, object.key.as_str())?;
            (taken_at <= at).then_some((taken_at, object.key))
        });
        let mut times: Vec<(DateTime<Utc>, ObjectKey)> = times.collect();
        times.sort_unstable_by_key(|(taken_at, _)| std::cmp::Reverse(*taken_at));
        let (mut newest, mut of_others) = (None, 0);
        for (taken_at, key) in times.into_iter().take(LOOKED_AT) {
            if !self.is_of_another_server(pattern, taken_at).await? {
                newest = Some((taken_at, key));
                break;
            }
            of_others += 1;
        }
        let (taken_at, key) = newest.ok_or_else(|| {
            let of_others = match of_others {
                0 => String::new(),
                count => format!(
                    "; the newest {} of those by key are of other servers, by their manifests",
                    human::count(count)
                ),
            };
            let message =
                format!("the store has no globals taken at or before {}{of_others}", human::moment(at));
            Failure::bad(codes::GLOBALS_MISSING, message).hint(format!(
                "they are an object like {}, which `restore-drill backup` writes; without them, create the roles that \
                 `fetch --database` names by hand",
                pattern.globals_key(&self.server, at)
            ))
        })?;
        let proof = drills.of(&key);
        if proof.is_none() && !self.unproved {
            return Err(drills.none_passed(&key));
        }
        Ok((key, taken_at, proof))
    }

    /// Whether the backup of this time was of another server's databases. Whether its manifest can be had is for who needs it.
    async fn is_of_another_server(&self, pattern: &KeyPattern, taken_at: DateTime<Utc>) -> Result<bool> {
        if !self.template.has_several_servers() {
            return Ok(false);
        }
        Ok(match manifest::find(&self.store, &self.identities, pattern, taken_at, true).await?.1 {
            Found::Read(manifest) => self.is_about_another_server(&manifest, pattern),
            Found::Nothing(_) => false,
        })
    }

    fn is_about_another_server(&self, manifest: &Manifest, pattern: &KeyPattern) -> bool {
        matches!(Promise::of(manifest, &self.template, &self.server, pattern), Promise::Elsewhere(_))
    }

    /// What the manifest says of the globals.
    fn compared_with(
        &self,
        found: Found,
        pattern: &KeyPattern,
        manifest_key: &ObjectKey,
        key: &ObjectKey,
    ) -> (ManifestComparison, Option<Digests>) {
        let not_compared = |why: &str| (ManifestComparison::not_compared(manifest_key, why.to_owned()), None);
        let manifest = match found {
            Found::Nothing(why) => return not_compared(&why),
            Found::Read(manifest) => manifest,
        };
        if self.is_about_another_server(&manifest, pattern) {
            return not_compared("the manifest is about the globals of another server");
        }
        match &manifest.globals {
            None => not_compared("the manifest names no globals"),
            Some(_) if named_key(&manifest, pattern).as_ref() != Some(key) => {
                not_compared("the manifest names other globals")
            }
            Some(globals) => {
                let digests = Digests {
                    source: format!("the manifest {manifest_key}"),
                    size_bytes: globals.size_bytes,
                    ciphertext_sha256: globals.ciphertext_sha256.clone(),
                    plaintext_sha256: globals.plaintext_sha256.clone(),
                };
                (ManifestComparison::equal(manifest_key), Some(digests))
            }
        }
    }
}

/// Roles that log in and for which there is no password. A new server's own superuser has one.
fn passwords_to_set(globals: &Globals) -> Vec<String> {
    let needs_one = globals
        .roles
        .iter()
        .filter(|(name, role)| role.login && *name != SUPERUSER && !globals.with_password.contains(*name));
    needs_one.map(|(name, _)| human::one_line(name, 80)).collect()
}

/// What `psql` does by the file, and a drill leaves out.
fn beyond(globals: &Globals) -> Vec<String> {
    let statements = globals.left_out.iter().map(|statement| format!("statement: {statement}"));
    let settings = globals.settings.iter().filter(|setting| !is_kept_of_role(&setting.role, &setting.name));
    let settings = settings.map(|setting| {
        let (name, role) = (human::one_line(&setting.name, 60), human::one_line(&setting.role, 80));
        format!("setting {name} of role {role}")
    });
    statements.chain(settings).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_psql_does_and_a_drill_does_not_is_named_without_its_texts() {
        let sql = "CREATE ROLE postgres; ALTER ROLE postgres WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$x';
            CREATE ROLE app; ALTER ROLE app WITH LOGIN; CREATE ROLE none; ALTER ROLE none WITH LOGIN PASSWORD NULL;
            ALTER ROLE app SET session_preload_libraries TO 'evil'; ALTER ROLE app SET search_path TO 'a';
            DROP DATABASE shop;";
        let globals = Globals::read(sql.as_bytes()).unwrap();
        assert_eq!(
            beyond(&globals),
            ["statement: DROP DATABASE SHOP …", "setting session_preload_libraries of role app"]
        );
        assert_eq!(passwords_to_set(&globals), ["app", "none"]);
        assert_eq!(globals.with_password.len(), 1);
    }
}
