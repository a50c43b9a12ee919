//! `migrations`: the migrations that a database has are those of the binary that will be started on it.
//!
//! sqlx does not start on a database with a migration that was broken off, one that the binary does not have, or one whose
//! text was another. All of it stands in the backup, so it is known before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::{Failure, Result};
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite::{AppliedMigration, MIGRATIONS_TABLE};
use crate::template::Template;

findings! {
    MIGRATION_DIRTY = "migration_dirty", "error":
        "A migration was begun and did not end: sqlx refuses to start on the database.",
        "Drill an older recovery point with `--at`. In the source, finish or undo the migration by hand.",
        "gateway, migration 12 (agent allowed environments): it did not end";
    MIGRATION_UNKNOWN = "migration_unknown", "error":
        "The database has a migration that the list does not have: it is of a newer binary, and the one that the list is of refuses to start on it.",
        "Start the newer binary on it; or bring the list up to date.",
        "gateway, migration 99 (of later): the list ends at 31";
    MIGRATION_CHECKSUM_DIFFERS = "migration_checksum_differs", "error":
        "The migration's text was another one when it ran: sqlx refuses to start on the database.",
        "Find the binary that it ran with, or the difference: line ends are one.",
        "gateway, migration 3 (mcp manifest snapshots): the checksum 9f86d081…";
    MIGRATION_OTHER_TEXT = "migration_other_text", "warning":
        "The migration's text was another one when it ran, and the list knows it from the program's history: the backup is as it should be, and the binary that the list is of refuses to start on it all the same.",
        "Keep a binary of that time, or set the checksum right in the source once both texts were compared.",
        "gateway, migration 1 (baseline): a text from before";
    MIGRATION_MISSING = "migration_missing", "info; warning before one that ran":
        "The database does not have a migration of the list: it runs when the binary is started on it.",
        "Nothing. Where later ones ran already, find out why it did not.",
        "gateway, migration 31 (sensors): it runs when the binary starts";
    NO_MIGRATIONS = "no_migrations", "error":
        "The database has no table of migrations, or it is empty.",
        "Check what the backup was made of.",
        "gateway: it has no table _sqlx_migrations";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "migrations",
    read: read::<Migrations>,
    keys: keys::<Migrations>,
    skipped: "no migration was compared",
    findings: FINDINGS,
};

/// Lists that come with the program.
const LISTS: [(&str, &str); 1] = [("aegis-agent", include_str!("migrations/aegis_agent.json"))];

/// A database whose migrations must be those of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migrations {
    /// The check's name.
    pub name: String,
    /// The database.
    pub database: DatabaseName,
    /// The list: its name, or the path of a file that ends in `.json`.
    pub list: String,
}

/// The migrations of a binary.
#[derive(Debug, Deserialize)]
struct List {
    migrations: Vec<Listed>,
    /// Other texts that migrations had.
    #[serde(default)]
    other_texts: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    version: i64,
    description: String,
    checksum_sha384: String,
}

#[async_trait]
impl Check for Migrations {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.database].into()
    }

    fn works_on(&self, system: DatabaseSystem) -> bool {
        system == DatabaseSystem::Sqlite
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        if is_path(&self.list) || LISTS.iter().any(|(name, _)| *name == self.list) {
            return Ok(());
        }
        let known: Vec<&str> = LISTS.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "check {}: there is no list {}; known are {}, or the path of a file that ends in .json",
            self.name,
            self.list,
            known.join(", ")
        ))
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let list = read_list(&self.list)?;
        let applied = match context.workbench_of(&self.database) {
            Some(workbench) => workbench.applied_migrations(&self.database).await?,
            None => None,
        };
        Ok(judge(&self.database, &list, applied.as_deref()))
    }
}

fn is_path(list: &str) -> bool {
    Path::new(list).extension().is_some_and(|extension| extension == "json")
}

fn read_list(list: &str) -> Result<List> {
    let unusable = |why: String| {
        Failure::config(
            codes::TEMPLATE_INVALID,
            format!("the list of migrations {list} cannot be used: {why}"),
        )
        .hint("docs/checks.md has its form")
    };
    let text = match LISTS.iter().find(|(name, _)| *name == list) {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(list).map_err(|error| unusable(error.to_string()))?,
    };
    serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))
}

/// Judges what ran by what the list has.
fn judge(database: &DatabaseName, list: &List, applied: Option<&[AppliedMigration]>) -> Outcome {
    let mut findings = Findings::default();
    let mut find = |severity, code: Code, subject, expected: &str, actual: String| {
        findings.push(Finding { severity, code, subject, expected: expected.to_owned(), actual });
    };
    let applied = applied.filter(|applied| !applied.is_empty()).unwrap_or_default();
    if applied.is_empty() {
        let actual = format!("it has no table {MIGRATIONS_TABLE}, or an empty one");
        find(Severity::Error, NO_MIGRATIONS, database.to_string(), "migrations that ran", actual);
        return findings.into_outcome(0, String::new());
    }
    let known: BTreeMap<String, &Listed> =
        list.migrations.iter().map(|listed| (listed.version.to_string(), listed)).collect();
    let subject = |version: &str, description: &str| {
        format!(
            "{database}, migration {} ({})",
            human::one_line(version, 20),
            human::one_line(description, 80)
        )
    };
    for ran in applied {
        let own = subject(&ran.version, &ran.description);
        if !ran.success {
            find(
                Severity::Error,
                MIGRATION_DIRTY,
                own,
                "a migration that ended",
                "it did not end".to_owned(),
            );
            continue;
        }
        let same = |listed: &Listed| listed.checksum_sha384.eq_ignore_ascii_case(&ran.checksum);
        let is_other_text =
            || list.other_texts.iter().any(|other| other.version.to_string() == ran.version && same(other));
        let shown = human::one_line(&ran.checksum, 96);
        match known.get(&ran.version) {
            Some(listed) if same(listed) => {}
            _ if is_other_text() => {
                let actual = format!("the checksum {shown}, of a text from before");
                find(Severity::Warning, MIGRATION_OTHER_TEXT, own, "the text of the list", actual);
            }
            Some(listed) => {
                let expected = format!("the checksum {}", listed.checksum_sha384);
                let actual = format!("the checksum {shown}");
                find(Severity::Error, MIGRATION_CHECKSUM_DIFFERS, own, &expected, actual);
            }
            None => {
                let last = list.migrations.iter().map(|listed| listed.version).max().unwrap_or_default();
                let actual = format!("the list does not have it, and ends at {last}");
                find(Severity::Error, MIGRATION_UNKNOWN, own, "a migration of the list", actual);
            }
        }
    }
    let have: BTreeSet<&str> = applied.iter().map(|ran| &*ran.version).collect();
    let newest = applied.iter().filter_map(|ran| ran.version.parse::<i64>().ok()).max().unwrap_or_default();
    for listed in list.migrations.iter().filter(|listed| !have.contains(&*listed.version.to_string())) {
        let is_passed_over = listed.version < newest;
        let severity = if is_passed_over { Severity::Warning } else { Severity::Info };
        let later = if is_passed_over { ", and later ones ran already" } else { "" };
        let own = subject(&listed.version.to_string(), &listed.description);
        let actual = format!("it runs when the binary starts{later}");
        find(severity, MIGRATION_MISSING, own, "a migration that ran", actual);
    }
    let count = applied.len() as u64;
    let held = format!("{} as in the list", human::things(count, "migration"));
    findings.into_outcome(Verified::things(count, count), held)
}

#[cfg(test)]
mod tests;
