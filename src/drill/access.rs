//! Roles come first: the globals of the recovery set, found by time, held against the manifest, and restored.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::journal::Journal;
use super::task::Drill;
use crate::check::{Manifests, StoredManifest};
use crate::format::pg_globals::{Globals, Role, SIZE_LIMIT};
use crate::layer;
use crate::model::codes;
use crate::model::event::Event;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{self, Manifest};
use crate::model::verdict::{AccessRecord, AccessStatus, GlobalsRecord, RoleRecord};
use crate::plan::DrillPlan;
use crate::store;
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{SUPERUSER, Server};
use crate::template::{Access, KeyPattern};

/// Roles that a verdict lists.
const LISTED: usize = 1000;
/// How far globals may be from the dumps that they go with, unless the template says how far these may be apart.
const APART: TimeDelta = TimeDelta::hours(24);

const SKIPPED: &str = "roles, owners and privileges were not restored (access = \"skip\" in [postgres]), so it was not shown \
    that an application could log in and do its work";
const ABSENT: &str = "roles, owners and privileges were not restored, since the recovery set has no globals: it was not shown \
    that an application could log in and do its work";
const ELSEWHERE: &str = "roles, owners and privileges were not restored, since the globals in the store are of another server's source: \
    it was not shown that an application could log in and do its work";
const FAILED: &str = "roles, owners and privileges were not restored, since the globals cannot be used";

/// What became of roles.
pub(super) struct Roles {
    /// The roles, if owners and privileges are to be restored.
    pub(super) restored: Option<Arc<RestoredRoles>>,
    /// Why not, if that fails the drill.
    pub(super) failure: Option<Failure>,
}

/// Globals that were read.
struct Found {
    globals: Globals,
    record: GlobalsRecord,
}

/// Restores the roles of the recovery set, unless the template or the set says otherwise. Databases are restored without
/// owners and privileges where that fails, so that one drill reports all that is wrong.
pub(super) async fn restore_roles(
    drill: &Drill,
    plan: &DrillPlan,
    manifests: &Manifests,
    server: &Server,
    journal: &Journal,
) -> Roles {
    let first = drill.template.first_server();
    let wanted = first.settings.access;
    let without = async |status, sentence: &str, failure| {
        journal.record(Event::Access(Box::new(AccessRecord::without(status)))).await;
        journal.record(Event::NotVerified(sentence.to_owned())).await;
        Roles { restored: None, failure }
    };
    if wanted == Some(Access::Skip) {
        return without(AccessStatus::Skipped, SKIPPED, None).await;
    }
    // Roles of another source would make up a server that never was.
    if drill.template.source_server().as_ref() != Some(&first.name) {
        let failure = (wanted == Some(Access::Restore))
            .then(|| missing(format!("none are known of [{}]", first.name.section())));
        return without(AccessStatus::Absent, ELSEWHERE, failure).await;
    }
    let outcome = async {
        match find(drill, plan, manifests, wanted == Some(Access::Restore)).await? {
            Some(found) => {
                let left_out = server.restore_globals(&found.globals).await?;
                Ok::<_, Failure>(Some((found, left_out)))
            }
            None => Ok(None),
        }
    };
    match outcome.await {
        Ok(Some((found, left_out))) => {
            let record = record(&found, left_out.all);
            let apart = of_another_time(found.record.taken_at, &times(drill, plan));
            for sentence in sentences(&found.globals, &record).into_iter().chain(apart) {
                journal.record(Event::NotVerified(sentence)).await;
            }
            journal.record(Event::Access(Box::new(record))).await;
            let of_template = first.settings.roles.clone();
            let restored = RestoredRoles {
                roles: found.globals.roles,
                of_template,
                memberships: found.globals.memberships,
                settings: found.globals.settings,
                settings_left_out: left_out.settings,
                taken_at: found.record.taken_at,
                in_manifest: found.record.in_manifest,
            };
            Roles { restored: Some(Arc::new(restored)), failure: None }
        }
        Ok(None) => without(AccessStatus::Absent, ABSENT, None).await,
        Err(failure) => without(AccessStatus::Failed, FAILED, Some(failure)).await,
    }
}

/// The globals that go with the recovery set; none, if there are none and they are not `required`.
async fn find(
    drill: &Drill,
    plan: &DrillPlan,
    manifests: &Manifests,
    required: bool,
) -> Result<Option<Found>> {
    let keys = &manifests.keys;
    let times = times(drill, plan);
    let mut names_none = false;
    for taken_at in times.iter().rev() {
        let promise = promise(manifests, *taken_at).await?;
        names_none |= matches!(promise, Promise::None);
        let promised = match promise {
            Promise::Globals(globals) => Some(globals),
            Promise::None | Promise::Unknown => None,
        };
        match read(drill, keys, *taken_at, promised.as_ref()).await? {
            Some(found) => return Ok(Some(found)),
            None if promised.is_some() => {
                let message = format!(
                    "the manifest names the globals {}, and they are not in the store",
                    keys.globals_key(*taken_at)
                );
                return Err(missing(message));
            }
            None => {}
        }
    }
    // By another job than the dumps, perhaps, at another time of the same night; but a backup that wrote none has none, and
    // those that lie nearby are of another one.
    let near = if names_none { None } else { near(drill, keys, &times).await? };
    let found = match near {
        Some(taken_at) => read(drill, keys, taken_at, None).await?,
        None => None,
    };
    match found {
        None if required => Err(missing("the recovery set has no globals".to_owned())),
        found => Ok(found),
    }
}

fn missing(message: String) -> Failure {
    Failure::bad(codes::GLOBALS_MISSING, message).hint(
        "without them no role can be restored: check the backup job; access = \"skip\" in [postgres] drills without roles",
    )
}

/// The times of the dumps of the server that globals are of.
fn times(drill: &Drill, plan: &DrillPlan) -> BTreeSet<DateTime<Utc>> {
    let source = drill.template.source_server();
    let points = plan.recovery_set.points.iter();
    let of_it = points.filter(|point| Some(drill.template.server_of(&point.database).name) == source);
    of_it.map(|point| point.taken_at).collect()
}

/// What the manifest of a backup says of its globals.
#[derive(Debug, PartialEq)]
enum Promise {
    /// These.
    Globals(manifest::Globals),
    /// The backup wrote none.
    None,
    /// There is no manifest, or one that an older version wrote, which knew of none.
    Unknown,
}

impl Promise {
    fn of(manifest: &Manifest) -> Self {
        let knows = manifest.databases.iter().any(|database| database.access.is_some());
        match &manifest.globals {
            Some(globals) => Self::Globals(globals.clone()),
            None if knows => Self::None,
            None => Self::Unknown,
        }
    }
}

/// What a manifest says. What is wrong with it is for the checks that need it.
async fn promise(manifests: &Manifests, taken_at: DateTime<Utc>) -> Result<Promise> {
    match manifests.of(taken_at).await {
        Ok(StoredManifest::Read(manifest)) => Ok(Promise::of(&manifest)),
        Ok(StoredManifest::Absent | StoredManifest::Unreadable(_)) => Ok(Promise::Unknown),
        Err(failure) if failure.code == codes::MANIFEST_UNKNOWN => Ok(Promise::Unknown),
        Err(failure) => Err(failure),
    }
}

/// That globals were made at another time than dumps, if so.
fn of_another_time(globals: DateTime<Utc>, dumps: &BTreeSet<DateTime<Utc>>) -> Option<String> {
    let other = dumps.iter().filter(|time| **time != globals).min_by_key(|time| (**time - globals).abs())?;
    let shown = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC");
    Some(format!(
        "roles are of another time than dumps: the globals are of {}, and there are dumps of {}: what was granted or \
         changed between is not shown",
        shown(globals),
        shown(*other)
    ))
}

/// The time of the globals nearest to the recovery set, if they may go with it.
async fn near(
    drill: &Drill,
    keys: &KeyPattern,
    times: &BTreeSet<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>> {
    let (Some(oldest), Some(newest)) = (times.first(), times.last()) else { return Ok(None) };
    let skew = drill.template.recovery_set.max_skew;
    let apart = skew.and_then(|skew| TimeDelta::from_std(skew).ok()).unwrap_or(APART);
    let listed = drill.store.list(&keys.globals_prefix()).await?;
    let times = listed.iter().filter_map(|object| keys.globals_taken_at(object.key.as_str()));
    let near = times.filter(|time| (*newest - apart..=*oldest + apart).contains(time));
    Ok(near.min_by_key(|time| (*time - *newest).abs()))
}

async fn read(
    drill: &Drill,
    keys: &KeyPattern,
    taken_at: DateTime<Utc>,
    promised: Option<&manifest::Globals>,
) -> Result<Option<Found>> {
    let key = keys.globals_key(taken_at);
    let Some(sealed) = store::whole(&drill.store, &key, SIZE_LIMIT).await? else { return Ok(None) };
    let ciphertext_sha256 = hex::encode(Sha256::digest(&sealed));
    if promised.is_some_and(|promised| promised.ciphertext_sha256 != ciphertext_sha256) {
        let message = format!(
            "the globals {key} are not those that the backup wrote: their SHA-256 is another than in the manifest"
        );
        return Err(Failure::bad(codes::GLOBALS_REPLACED, message)
            .hint("find out who wrote to the store; the roles in it may be anybody's"));
    }
    let file = layer::open_whole(&format!("the globals {key}"), &sealed, &drill.identities)?;
    let globals = Globals::read(&file).map_err(|error| error.into_failure(&key))?;
    let record = GlobalsRecord {
        key,
        taken_at,
        size_bytes: sealed.len() as u64,
        ciphertext_sha256,
        plaintext_sha256: hex::encode(Sha256::digest(&file)),
        in_manifest: promised.is_some(),
    };
    Ok(Some(Found { globals, record }))
}

fn record(found: &Found, mut left_out: Vec<String>) -> AccessRecord {
    let globals = &found.globals;
    left_out.truncate(AccessRecord::LEFT_OUT_LIMIT);
    let roles = globals.roles.iter().take(LISTED);
    AccessRecord {
        globals: Some(found.record.clone()),
        roles: roles
            .map(|(name, role)| RoleRecord { name: name.clone(), attributes: attributes(role) })
            .collect(),
        roles_dropped: globals.roles.len().saturating_sub(LISTED) as u64,
        memberships: globals.memberships.len() as u64,
        left_out,
        ..AccessRecord::without(AccessStatus::Restored)
    }
}

fn attributes(role: &Role) -> Vec<String> {
    let all = [
        (role.login, "login"),
        (role.superuser, "superuser"),
        (role.create_role, "createrole"),
        (role.create_db, "createdb"),
        (role.replication, "replication"),
        (role.bypass_rls, "bypassrls"),
        (!role.inherit, "noinherit"),
    ];
    all.iter().filter(|(has, _)| *has).map(|(_, word)| (*word).to_owned()).collect()
}

/// What a PASS does not cover although roles were restored.
fn sentences(globals: &Globals, record: &AccessRecord) -> Vec<String> {
    // A new server comes with a superuser of its own.
    let log_in = globals.roles.iter().filter(|(name, role)| role.login && *name != SUPERUSER).count() as u64;
    let passwords = (log_in > 0).then(|| {
        format!(
            "passwords: globals hold none, so after a recovery {} before an application can log in",
            if log_in == 1 {
                "one role needs a new one".to_owned()
            } else {
                format!("{log_in} roles need new ones")
            }
        )
    });
    let left_out = (!record.left_out.is_empty()).then(|| left_out_sentence("roles", &record.left_out));
    passwords.into_iter().chain(left_out).collect()
}

/// That something was left out, in one sentence.
pub(super) fn left_out_sentence(of: &str, left_out: &[String]) -> String {
    format!("{of}: not restored as it was: {}", crate::model::human::one_line(&left_out.join(", "), 400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globals_of_another_time_are_told() {
        let at = |hour: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        assert_eq!(of_another_time(at(1), &BTreeSet::from([at(1)])), None);
        let told = of_another_time(at(1), &BTreeSet::from([at(1), at(4), at(3)])).unwrap();
        assert!(told.contains("of 1970-01-01 01:00:00 UTC") && told.contains("of 1970-01-01 03:00:00 UTC"));
    }

    #[test]
    fn a_manifest_without_globals_says_that_there_are_none_unless_it_is_too_old_to_know() {
        let mut manifest = crate::model::manifest::tests::of_rows(&[]);
        manifest.databases[0].access = None;
        assert_eq!(Promise::of(&manifest), Promise::Unknown);
        manifest.databases[0].access = Some(manifest::Recorded::Unread { reason: "x".to_owned() });
        assert_eq!(Promise::of(&manifest), Promise::None);
    }

    #[test]
    fn a_verdict_says_what_the_source_had_and_what_nobody_restored() {
        let globals =
            "CREATE ROLE a; ALTER ROLE a WITH LOGIN SUPERUSER NOINHERIT; CREATE ROLE b; GRANT b TO a;";
        let found = Found {
            globals: Globals::read(globals.as_bytes()).unwrap(),
            record: GlobalsRecord {
                key: crate::model::names::ObjectKey::new("globals"),
                taken_at: DateTime::UNIX_EPOCH,
                size_bytes: 1,
                ciphertext_sha256: String::new(),
                plaintext_sha256: String::new(),
                in_manifest: false,
            },
        };
        let record = record(&found, vec!["setting role of role a".to_owned()]);
        assert_eq!((record.roles.len(), record.memberships, record.roles_dropped), (2, 1, 0));
        assert_eq!(record.roles[0].attributes, ["login", "superuser", "noinherit"]);
        let told = sentences(&found.globals, &record);
        assert!(told[0].starts_with("passwords: ") && told[0].contains("one role needs"), "{told:?}");
        assert_eq!(told[1], "roles: not restored as it was: setting role of role a");
    }
}
