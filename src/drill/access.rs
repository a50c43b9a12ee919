//! Roles come first: the globals of each server, as the plan chose them, are restored to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::journal::Journal;
use super::stack::RestoreTarget;
use super::task::Drill;
use crate::format::pg_globals::{Globals, Role};
use crate::model::event::Event;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::{DatabaseName, ServerName};
use crate::model::verdict::{AccessRecord, AccessStatus, RoleRecord};
use crate::plan::DrillPlan;
use crate::plan::globals::{GlobalsStatus, PlannedGlobals, ReadGlobals};
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{SUPERUSER, Server};

/// Roles that a verdict lists.
const LISTED: usize = 1000;

/// What became of roles.
#[derive(Default)]
pub(super) struct Roles {
    /// The roles of each server on which owners and privileges are to be restored.
    pub(super) restored: BTreeMap<ServerName, Arc<RestoredRoles>>,
    /// Why there are none on the others, where that fails the drill.
    pub(super) failures: Vec<Failure>,
}

/// Restores the roles of each server, unless the template or the set says otherwise. Databases are restored without
/// owners and privileges where that fails, so that one drill reports all that is wrong.
pub(super) async fn restore_roles(
    drill: &Drill,
    plan: &DrillPlan,
    target: &RestoreTarget,
    journal: &Journal,
) -> Roles {
    let mut roles = Roles::default();
    for planned in &plan.globals {
        let Some(ready) = target.servers.iter().find(|ready| ready.server.name == planned.server) else {
            continue;
        };
        let own = ServerRoles { drill, planned, server: &ready.server, journal };
        match own.restore().await {
            Ok(Some(restored)) => drop(roles.restored.insert(planned.server.clone(), Arc::new(restored))),
            Ok(None) => {}
            Err(failure) => roles.failures.push(failure),
        }
    }
    roles
}

/// The roles of one server.
struct ServerRoles<'a> {
    drill: &'a Drill,
    planned: &'a PlannedGlobals,
    server: &'a Server,
    journal: &'a Journal,
}

impl ServerRoles<'_> {
    async fn restore(&self) -> Result<Option<RestoredRoles>> {
        let planned = self.planned;
        let restored = match (&planned.read, &planned.failure) {
            (_, Some(failure)) => Err(failure.clone()),
            (Some(read), None) => {
                let left_out = self.server.restore_globals(&read.globals).await;
                left_out
                    .map(|left_out| Some((read, left_out)))
                    .map_err(|failure| failure.on_server(&self.server.name))
            }
            (None, None) => Ok(None),
        };
        match restored {
            Ok(Some((read, left_out))) => {
                self.record_restored(read, left_out.all).await;
                let section = self.drill.template.servers().find(|server| server.name == self.server.name);
                Ok(Some(RestoredRoles {
                    roles: read.globals.roles.clone(),
                    of_template: section.map(|server| server.settings.roles.clone()).unwrap_or_default(),
                    settings_left_out: left_out.settings,
                    taken_at: read.record.taken_at,
                    in_manifest: read.record.in_manifest,
                }))
            }
            Ok(None) => {
                let status = match planned.status {
                    GlobalsStatus::Skipped => AccessStatus::Skipped,
                    _ => AccessStatus::Absent,
                };
                self.record_without(status).await;
                Ok(None)
            }
            Err(failure) => {
                let is_absent = planned.status == GlobalsStatus::Absent;
                self.record_without(if is_absent { AccessStatus::Absent } else { AccessStatus::Failed })
                    .await;
                Err(failure)
            }
        }
    }

    async fn record_restored(&self, read: &ReadGlobals, left_out: Vec<String>) {
        let record = record(read, left_out);
        for sentence in sentences(&read.globals, &record)
            .into_iter()
            .chain(of_another_time(self.planned))
            .chain(self.planned.passed_over.clone())
        {
            let several = self.drill.template.has_several_servers();
            let place = if several { format!("server {}: ", self.server.name) } else { String::new() };
            self.journal.record(Event::NotVerified(format!("{place}{sentence}"))).await;
        }
        self.journal.record(Event::Access(self.server.name.clone(), Box::new(record))).await;
    }

    async fn record_without(&self, status: AccessStatus) {
        let record = AccessRecord::without(status);
        self.journal.record(Event::Access(self.server.name.clone(), Box::new(record))).await;
        let template = &self.drill.template;
        let databases: Vec<&str> =
            template.databases_on(&self.server.name).map(DatabaseName::as_str).collect();
        let several = template.has_several_servers();
        let sentence = without(status, &self.server.name, several.then_some(databases.as_slice()));
        let passed_over = self.planned.passed_over.iter().map(|said| match several {
            true => format!("server {}: {said}", self.server.name),
            false => said.clone(),
        });
        for sentence in std::iter::once(sentence).chain(passed_over) {
            self.journal.record(Event::NotVerified(sentence)).await;
        }
    }
}

/// That roles were not restored, and why; of several servers, to which databases.
fn without(status: AccessStatus, server: &ServerName, databases: Option<&[&str]>) -> String {
    let what = "roles, owners and privileges were not restored";
    let not_shown = "it was not shown that an application could log in and do its work";
    let of = if databases.is_some() { format!(" of the server {server}") } else { String::new() };
    let said = match status {
        AccessStatus::Skipped => {
            format!("{what} (access = \"skip\" in [{}]), so {not_shown}", server.section())
        }
        AccessStatus::Absent => format!("{what}, since the recovery set has no globals{of}: {not_shown}"),
        AccessStatus::Failed | AccessStatus::Restored => {
            format!("{what}, since the globals{of} cannot be used")
        }
    };
    match databases {
        Some(databases) => format!("{}: {said}", human::one_line(&databases.join(", "), 400)),
        None => said,
    }
}

/// That globals were made at another time than dumps, if so.
fn of_another_time(planned: &PlannedGlobals) -> Option<String> {
    let (globals, dump) = planned.of_another_time()?;
    let shown = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M:%S UTC");
    Some(format!(
        "roles are of another time than dumps: the globals are of {}, and there are dumps of {}: what was granted or \
         changed between is not shown",
        shown(globals),
        shown(dump)
    ))
}

fn record(found: &ReadGlobals, mut left_out: Vec<String>) -> AccessRecord {
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
    use crate::model::verdict::GlobalsRecord;

    #[test]
    fn what_was_not_restored_is_said_of_the_databases_of_that_server_alone() {
        let default = ServerName::default();
        let told = without(AccessStatus::Absent, &default, None);
        assert!(told.starts_with(
            "roles, owners and privileges were not restored, since the recovery set has no globals: "
        ));
        let told = without(AccessStatus::Skipped, &"old".parse().unwrap(), Some(&["a", "b"]));
        assert!(
            told.starts_with("a, b: roles") && told.contains("(access = \"skip\" in [servers.old])"),
            "{told}"
        );
        let told = without(AccessStatus::Failed, &"old".parse().unwrap(), Some(&["a"]));
        assert!(told.ends_with("since the globals of the server old cannot be used"), "{told}");
    }

    #[test]
    fn a_verdict_says_what_the_source_had_and_what_nobody_restored() {
        let globals =
            "CREATE ROLE a; ALTER ROLE a WITH LOGIN SUPERUSER NOINHERIT; CREATE ROLE b; GRANT b TO a;";
        let found = ReadGlobals {
            globals: Globals::read(globals.as_bytes()).unwrap(),
            record: GlobalsRecord {
                key: crate::model::names::ObjectKey::new("globals"),
                taken_at: chrono::DateTime::UNIX_EPOCH,
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
