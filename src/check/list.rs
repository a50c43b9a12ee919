//! Every type of check, and the checks of a template.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::aegis::transparency_roots;
use super::aegis_agent::{policy_log, receipts};
use super::entry::{Check, Entry};
use super::{
    access, amcheck, command, constraints, fingerprint, http, migrations, objects, reconcile,
    required_tables, row_counts, sequences, sql, sqlite_integrity, stored, verify_chain,
};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::plan;
use crate::template::{self, Environment, NeededTable, Purpose, StackNetworkKind, Template};

/// Every type of check there is. To add one, write its file and name its entry here.
pub const CHECKS: &[&Entry] = &[
    &required_tables::ENTRY,
    &row_counts::ENTRY,
    &verify_chain::ENTRY,
    &reconcile::ENTRY,
    &transparency_roots::ENTRY,
    &fingerprint::ENTRY,
    &objects::ENTRY,
    &sql::ENTRY,
    &sqlite_integrity::ENTRY,
    &receipts::ENTRY,
    &policy_log::ENTRY,
    &migrations::ENTRY,
    &constraints::ENTRY,
    &amcheck::ENTRY,
    &sequences::ENTRY,
    &http::ENTRY,
    &command::ENTRY,
    &access::ENTRY,
    &stored::retention::ENTRY,
    &stored::immutable::ENTRY,
    &stored::history::ENTRY,
    &stored::sidecars::ENTRY,
];

/// The checks of a template, in its order.
#[derive(Debug)]
pub struct Checks(Vec<Box<dyn Check>>);

impl Deref for Checks {
    type Target = [Box<dyn Check>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Checks {
    /// Reads and validates the checks of a template.
    ///
    /// # Errors
    /// `template_invalid`, a configuration error.
    pub fn of(template: &Template) -> Result<Self> {
        let mut checks = Vec::new();
        for section in &template.sections {
            let entry = CHECKS.iter().find(|entry| entry.kind == section.kind);
            let entry = entry.ok_or_else(|| {
                section.unknown_kind(&CHECKS.iter().map(|entry| entry.kind).collect::<Vec<_>>())
            })?;
            let mut check = (entry.read)(section)?;
            check.complete(template);
            checks.push(check);
        }
        validate(&checks, template)
            .and_then(|()| validate_hints(template))
            .map_err(|message| template.inconsistent(&message))?;
        Ok(Self(checks))
    }

    /// The checks, as far as they concern these databases.
    fn narrow(mut self, only: &[DatabaseName]) -> Result<Self> {
        let wanted = |name: &DatabaseName| only.contains(name);
        self.0.iter_mut().for_each(|check| check.narrow(&wanted));
        self.0.retain(|check| {
            let databases = check.databases();
            (!databases.is_empty() || check.looks_at_store()) && databases.into_iter().all(wanted)
        });
        if self.iter().all(|check| check.databases().is_empty()) {
            return Err(Failure::config(
                codes::ONLY_UNCHECKED,
                "no check of the template looks at the databases that --only names",
            )
            .hint("a drill that verifies nothing proves nothing: add a check, or name another database"));
        }
        Ok(self)
    }
}

/// A template whose checks are read.
#[derive(Debug)]
pub struct DrillTemplate {
    template: Template,
    /// Its checks.
    pub checks: Checks,
}

impl Deref for DrillTemplate {
    type Target = Template;

    fn deref(&self) -> &Template {
        &self.template
    }
}

impl DrillTemplate {
    /// Reads the checks of a template.
    ///
    /// # Errors
    /// `template_invalid`, a configuration error.
    pub fn of(template: Template) -> Result<Self> {
        let checks = Checks::of(&template)?;
        Ok(Self::with(template, checks))
    }

    fn with(mut template: Template, checks: Checks) -> Self {
        template.needed_tables = checks.iter().flat_map(|check| check.tables()).collect();
        Self { template, checks }
    }

    /// The template with only these databases, and what of its checks concerns them (all if none is named). Every
    /// database is restored to a place of its own, so a parent that is left out is not waited for.
    ///
    /// # Errors
    /// `only_unknown`, `only_unchecked`: configuration errors.
    pub fn narrow(self, only: &[DatabaseName]) -> Result<Self> {
        if only.is_empty() {
            return Ok(self);
        }
        Ok(Self::with(self.template.narrow(only)?, self.checks.narrow(only)?))
    }

    /// The template alone, where only its checks had to be read.
    pub fn into_template(self) -> Template {
        self.template
    }

    /// Every image a drill runs: of the server, of the services, and of checks that run a program.
    pub fn images(&self) -> BTreeSet<&str> {
        self.template.images().chain(self.checks.iter().filter_map(|check| check.image())).collect()
    }
}

/// Loads a template by its name or path, with its checks.
///
/// # Errors
/// As [`template::load`].
pub fn load(name_or_path: &str, environment: &Environment, purpose: Purpose) -> Result<DrillTemplate> {
    DrillTemplate::of(template::load(name_or_path, environment, purpose)?)
}

fn validate(checks: &[Box<dyn Check>], template: &Template) -> std::result::Result<(), String> {
    let mut seen = BTreeSet::new();
    for check in checks {
        let name = check.name();
        if !seen.insert(name) {
            return Err(format!("check {name} is listed twice"));
        }
        let databases = check.databases();
        if databases.is_empty() && !check.looks_at_store() {
            return Err(format!("check {name} looks at nothing"));
        }
        for database in databases {
            template.require_database(database, &format!("check {name}"))?;
            require_system(&**check, database, template)?;
        }
        check.tables().iter().try_for_each(|needed| refuse_ignored(needed, template))?;
        check.validate(template)?;
    }
    validate_ports(checks, template)
}

/// What a check asks is mostly asked of PostgreSQL.
fn require_system(
    check: &dyn Check,
    database: &DatabaseName,
    template: &Template,
) -> std::result::Result<(), String> {
    if template.database(database).is_none_or(|database| check.works_on(database.system)) {
        return Ok(());
    }
    let (name, kind) = (check.name(), check.entry().kind);
    Err(format!(
        "check {name}: {database} is of SQLite, and a check of the type {kind} is only for PostgreSQL"
    ))
}

/// Hints are for codes that there are: those of failures, and those of findings.
fn validate_hints(template: &Template) -> std::result::Result<(), String> {
    let failures = codes::GROUPS.iter().flat_map(|group| group.entries).map(|entry| entry.code);
    let of_checks = CHECKS.iter().flat_map(|entry| entry.findings);
    let of_plans = plan::code::GROUPS.iter().flat_map(|(_, findings)| *findings);
    let known: BTreeSet<Code> =
        failures.chain(of_checks.chain(of_plans).map(|finding| finding.code)).collect();
    match template.hints.keys().find(|hint| !known.iter().any(|code| code == hint.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(format!(
            "hints.{unknown}: there is no failure or finding of this code; docs/verdict.md, docs/checks.md and docs/plan.md \
             list them"
        )),
    }
}

/// A check of what is not restored would prove nothing. What goes with an extension is known once the archive is read.
fn refuse_ignored(needed: &NeededTable, template: &Template) -> std::result::Result<(), String> {
    let NeededTable { check, database, table, .. } = needed;
    let rules = template.database(database).map(|database| database.ignore.as_slice()).unwrap_or_default();
    let name = format!("{}.{}", table.schema, table.table);
    match rules.iter().find(|rule| rule.matches("TABLE DATA", &name) || rule.matches("TABLE", &name)) {
        None => Ok(()),
        Some(rule) => Err(format!(
            "check {check} needs {database}.{table}, and `ignore` of {database} leaves out {rule}"
        )),
    }
}

/// On one loopback a port has room for one.
fn validate_ports(checks: &[Box<dyn Check>], template: &Template) -> std::result::Result<(), String> {
    if template.isolation.network != StackNetworkKind::Loopback {
        return Ok(());
    }
    let servers: Vec<_> = template.servers().map(|server| (server.port(), server.name)).collect();
    let mut listening: BTreeMap<u16, &str> =
        servers.iter().map(|(port, name)| (*port, name.as_str())).collect();
    for check in checks {
        let Some((port, service)) = check.port() else { continue };
        let owner = *listening.entry(port).or_insert(service);
        if owner != service {
            return Err(format!(
                "check {}: {owner} has the port {port} already, and services share one loopback: give {service} \
                 another, or set isolation.network = \"bridge\"",
                check.name()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
