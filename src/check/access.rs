//! `access`: who may do what is as it was in the source, and as the template demands.
//!
//! The backup's manifest records owners, privileges, default privileges, policies and roles, read under the snapshot of the
//! dump. Here the same is read of what was restored, and compared. Rules of the template are asked of the restored server,
//! with or without a manifest.

pub mod code;
mod found;
mod grants;
mod judge;
mod policies;
mod roles;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::positive;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::manifest::{Access, Recorded, Roles};
use crate::model::names::{DatabaseName, ServerName};
use crate::model::verdict::{CheckStatus, Finding, Severity};
use crate::survey::ManifestLookup;
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{SUPERUSER, SharedServer};
use crate::template::Template;
use found::{Judged, Sides, finding};
use rules::{Judgement, Rule};

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "access",
    read: read::<AccessCheck>,
    keys: keys::<AccessCheck>,
    skipped: "who may do what was not verified, so an application might not be able to use what is recovered, or more people than should",
    findings: code::FINDINGS,
};

/// Access that must be that of the source, by the manifest that the backup wrote, and that of the template's rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCheck {
    /// The check's name.
    pub name: String,
    /// The databases. Default: all of the template's.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// What roles may and may not do.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Whether a database that cannot be compared, or a rule that cannot be judged, fails the check. Otherwise it is a
    /// warning.
    #[serde(default)]
    pub require_manifest: bool,
    /// How long trying one privilege may take.
    #[serde(with = "humantime_serde", default = "attempt_timeout")]
    pub timeout: Duration,
    /// The databases in which the template runs SQL of its own.
    #[serde(skip)]
    pub with_own_sql: BTreeSet<DatabaseName>,
}

fn attempt_timeout() -> Duration {
    Duration::from_secs(60)
}

#[async_trait]
impl Check for AccessCheck {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn complete(&mut self, template: &Template) {
        self.with_own_sql = template.databases_with_own_sql();
        if self.databases.is_empty() {
            self.databases = template.database_names();
        }
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
        self.rules.retain(|rule| wanted(&rule.database));
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        for rule in &self.rules {
            if !self.databases.contains(&rule.database) {
                return Err(format!("{place}: a rule is about {}, which it does not look at", rule.database));
            }
            rule.validate().map_err(|why| format!("{place}: {why}"))?;
        }
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// What was compared and judged.
#[derive(Debug, Default)]
struct Tally {
    findings: Findings,
    databases: u64,
    /// Objects and the like that are as they were.
    same: u64,
    roles: u64,
    rules: u64,
}

impl Tally {
    fn add(&mut self, judged: Judged) -> u64 {
        self.findings.extend(judged.findings);
        judged.same
    }
}

/// Compares every database with its manifest, the roles, and judges the rules.
///
/// # Errors
/// If it cannot be judged: the store or the server does not answer, or a manifest is of a version that is not known.
async fn run(check: &AccessCheck, context: &Context<'_>) -> Result<Outcome> {
    let mut tally = Tally::default();
    let servers = &context.tools.servers;
    let (mut compared, mut of_another_time) = (BTreeSet::new(), BTreeMap::new());
    for database in &check.databases {
        let restored = match context.restored_roles(database) {
            Ok(restored) => restored,
            Err(why) => {
                tally.findings.push(check.uncompared(database, why.to_owned()));
                continue;
            }
        };
        match context.manifest_entry(database).await? {
            ManifestLookup::Entry(entry) => {
                compare(check, context, database, entry.database().access.as_ref(), &mut tally).await?;
                // Databases of one backup have one source. Of another time there may have been other roles.
                let server = &servers.of(database).server.name;
                if context.taken_at(database) != restored.taken_at {
                    of_another_time.entry(server).or_insert(restored.taken_at);
                } else if compared.insert(server) {
                    compare_roles(check, context, database, entry.roles(), restored, &mut tally).await?;
                }
            }
            ManifestLookup::Absent(why) => tally.findings.push(check.uncompared(database, why)),
            ManifestLookup::Unreadable(why) => tally.findings.push(unreadable(database, why)),
        }
    }
    of_another_time.retain(|server, _| !compared.contains(server));
    for (server, time) in of_another_time {
        tally.findings.push(check.roles_uncompared(on_server(server, "roles"), time));
    }
    for rule in &check.rules {
        let aside = match context.restored_roles(&rule.database) {
            Ok(_) if rule.role == SUPERUSER => Some("the drill's own superuser has this name"),
            Ok(_) => None,
            Err(why) => Some(why),
        };
        if let Some(why) = aside {
            tally.findings.push(check.unjudged(rule, why.to_owned()));
            continue;
        }
        let SharedServer { server, connections } = servers.of(&rule.database);
        let _permit = connections.hold(2).await;
        let answered = server.privileges(&rule.database, &rule.question(), check.timeout).await?;
        match rule.judge(&answered, &context.left_out(&rule.database).access) {
            Judgement::Judged(findings) => {
                tally.rules += u64::from(findings.is_empty());
                tally.findings.extend(findings);
            }
            Judgement::Aside(why) => tally.findings.push(check.unjudged(rule, why)),
        }
    }
    Ok(outcome(check, tally))
}

async fn compare(
    check: &AccessCheck,
    context: &Context<'_>,
    database: &DatabaseName,
    record: Option<&Recorded<Access>>,
    tally: &mut Tally,
) -> Result<()> {
    let Some(source) = recorded(check, database, record, tally) else { return Ok(()) };
    let SharedServer { server, connections } = context.tools.servers.of(database);
    let _permit = connections.hold(1).await;
    let restored = server.access(database).await?;
    let judged = judge::database(&Sides {
        database,
        source,
        restored: &restored,
        left_out: &context.left_out(database).access,
        has_own_sql: check.with_own_sql.contains(database),
    });
    tally.same += tally.add(judged);
    tally.databases += 1;
    Ok(())
}

async fn compare_roles(
    check: &AccessCheck,
    context: &Context<'_>,
    database: &DatabaseName,
    record: Option<&Recorded<Roles>>,
    globals: &RestoredRoles,
    tally: &mut Tally,
) -> Result<()> {
    let Some(source) = recorded(check, database, record, tally) else { return Ok(()) };
    let SharedServer { server, connections } = context.tools.servers.of(database);
    let _permit = connections.hold(1).await;
    let restored = roles::as_in_the_globals(server.roles().await?, globals);
    let mut judged = roles::compare(source, &restored, globals);
    for finding in &mut judged.findings {
        finding.subject = on_server(&server.name, &finding.subject);
    }
    tally.roles += tally.add(judged);
    Ok(())
}

/// A subject on a server: roles of one name may be on several.
fn on_server(server: &ServerName, subject: &str) -> String {
    if server.is_default() { subject.to_owned() } else { format!("{server}: {subject}") }
}

/// What a manifest has of something, or a finding that says why it has nothing.
fn recorded<'a, T>(
    check: &AccessCheck,
    database: &DatabaseName,
    record: Option<&'a Recorded<T>>,
    tally: &mut Tally,
) -> Option<&'a T> {
    let why = match record {
        Some(Recorded::Read(read)) => return Some(read),
        Some(Recorded::Unread { reason }) => {
            format!("the backup could not read it: {}", human::one_line(reason, 300))
        }
        None => "an older version wrote the manifest, which does not say who may do what".to_owned(),
    };
    tally.findings.push(check.uncompared(database, why));
    None
}

impl AccessCheck {
    fn grave_if_required(&self) -> Severity {
        if self.require_manifest { Severity::Error } else { Severity::Warning }
    }

    /// A database that could not be compared.
    fn uncompared(&self, database: &DatabaseName, why: String) -> Finding {
        let expected = "a record of who may do what, made with the backup";
        finding(self.grave_if_required(), code::ACCESS_NOT_COMPARED, database.to_string(), expected, why)
    }

    /// Roles that could not be compared, since globals of this time have no manifest.
    fn roles_uncompared(&self, subject: String, time: DateTime<Utc>) -> Finding {
        let expected = "a record of the roles, of the time of the globals";
        let actual = format!(
            "the globals are of {}, and no manifest is",
            time.to_rfc3339_opts(SecondsFormat::Secs, true)
        );
        finding(self.grave_if_required(), code::ACCESS_NOT_COMPARED, subject, expected, actual)
    }

    /// A rule that could not be judged.
    fn unjudged(&self, rule: &Rule, why: String) -> Finding {
        let expected = "the role and its privileges";
        finding(self.grave_if_required(), code::RULE_NOT_JUDGED, rule.subject(), expected, why)
    }
}

/// A manifest that is there and says nothing.
fn unreadable(database: &DatabaseName, why: String) -> Finding {
    let expected = "a manifest that the identities open";
    finding(Severity::Error, code::MANIFEST_UNREADABLE, database.to_string(), expected, why)
}

fn outcome(check: &AccessCheck, tally: Tally) -> Outcome {
    let mut parts = Vec::new();
    if tally.databases > 0 {
        parts.push(format!(
            "owners, privileges and policies of {} in {} are those of the source",
            human::things(tally.same, "object"),
            human::things(tally.databases, "database")
        ));
    }
    if tally.roles > 0 {
        parts.push(format!("so are {} of roles and memberships", human::things(tally.roles, "record")));
    }
    if !check.rules.is_empty() {
        parts.push(format!(
            "rules that hold: {} of {}",
            human::count(tally.rules),
            human::count(check.rules.len() as u64)
        ));
    }
    let held = if parts.is_empty() { "nothing was compared".to_owned() } else { parts.join("; ") };
    let judged = tally.same + tally.roles + tally.rules + tally.databases;
    let unjudged = u64::from(!tally.findings.is_empty());
    let mut outcome = tally.findings.into_outcome(Verified::things(judged, 0).besides(unjudged), held);
    if outcome.status == CheckStatus::Skipped {
        let is_reason =
            |finding: &&Finding| [code::ACCESS_NOT_COMPARED, code::RULE_NOT_JUDGED].contains(&finding.code);
        if let Some(first) = outcome.findings.iter().find(is_reason) {
            outcome.summary = format!("not possible: {}", first.actual);
        }
    }
    outcome
}

#[cfg(test)]
mod tests;
