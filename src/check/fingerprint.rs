//! `fingerprint`: the restored rows are those that the source had when it was dumped.
//!
//! The backup wrote a manifest: hashes of each dump, and for each table the number and the fingerprint of its rows, read
//! under the snapshot of the dump. Here the same is computed of what was restored, and compared, database by database.

pub mod code;
mod collation;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use crate::format::pg_custom::QualifiedName;
use crate::model::code::Code;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::manifest::{Content, Table};
use crate::model::names::DatabaseName;
use crate::model::verdict::{CheckStatus, Finding, Severity};
use crate::survey::{ManifestEntry, ManifestLookup};
use crate::target::postgres::SharedServer;
use crate::target::postgres::content::{Shape, TableToRead};
use crate::template::{TableName, Template};
use judge::{Found, Restored};

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "fingerprint",
    read: read::<Fingerprint>,
    keys: keys::<Fingerprint>,
    skipped: "no row was compared with the source, so rows that the backup lost or changed might not be seen",
    findings: code::FINDINGS,
};

/// Rows that must be those of the source, by the manifest that the backup wrote.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The check's name.
    pub name: String,
    /// The databases. Default: all of the template's; a template that is loaded names them here.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// Tables that are not compared, by database.
    #[serde(default)]
    pub exclude: BTreeMap<DatabaseName, Vec<TableName>>,
    /// Whether a database that cannot be compared fails the check. Otherwise it is a warning.
    #[serde(default)]
    pub require_manifest: bool,
}

#[async_trait]
impl Check for Fingerprint {
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
        if self.databases.is_empty() {
            self.databases = template.database_names();
        }
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
        self.exclude.retain(|database, _| wanted(database));
    }

    fn compares_with_source(&self) -> bool {
        true
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        match self.exclude.keys().find(|database| !self.databases.contains(database)) {
            None => Ok(()),
            Some(database) => {
                Err(format!("check {} excludes tables of {database}, which it does not look at", self.name))
            }
        }
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    findings: Findings,
    databases: u64,
    tables: u64,
    rows: u64,
    /// Databases that the source had no table in: that they have none now was compared.
    empty_databases: u64,
}

/// Compares every database with its manifest.
///
/// # Errors
/// If it cannot be judged: the store or the server does not answer, or a manifest is of a version that is not known.
async fn run(check: &Fingerprint, context: &Context<'_>) -> Result<Outcome> {
    let mut tally = Tally::default();
    for database in &check.databases {
        match context.manifest_entry(database).await? {
            ManifestLookup::Entry(entry) => compare(check, context, &entry, &mut tally).await?,
            ManifestLookup::Absent(why) => {
                tally.findings.push(judge::uncomparable(check, database.to_string(), code::NO_MANIFEST, why));
            }
            ManifestLookup::Unreadable(why) => tally.findings.push(judge::unreadable(database, why)),
        }
    }
    Ok(outcome(tally))
}

async fn compare(
    check: &Fingerprint,
    context: &Context<'_>,
    recorded: &ManifestEntry,
    tally: &mut Tally,
) -> Result<()> {
    let entry = recorded.database();
    let database = &entry.name;
    if let Some(point) = context.fetched.point(database) {
        tally.findings.extend(judge::dump(entry, point));
    }
    let tables = match &entry.content {
        Content::Read { tables } => tables,
        Content::Unread { reason } => {
            let why = format!("the backup could not read it: {}", human::one_line(reason, 300));
            tally.findings.push(judge::uncomparable(check, database.to_string(), code::NO_FINGERPRINT, why));
            return Ok(());
        }
    };
    let left_out = &context.restored[database].left_out;
    let ignored: Vec<TableName> =
        left_out.relations.iter().chain(&left_out.without_rows).map(named).collect();
    let excluded: BTreeSet<&TableName> =
        check.exclude.get(database).into_iter().flatten().chain(&ignored).collect();
    let jobs = &context.tools.jobs;
    let SharedServer { server, connections } = context.tools.servers.of(database);
    let _permits = connections.hold(*jobs).await;
    let (shapes, extensions) = server.shapes(database).await?;
    let shapes: Vec<Shape> = shapes.into_iter().filter(|shape| !excluded.contains(&shape.name)).collect();
    let wanted = wanted(tables, &shapes);
    let folded = server.fold_rows(database, wanted.clone(), recorded.fingerprint_key(), *jobs).await?;
    let folded: BTreeMap<TableName, _> = wanted.into_iter().map(|table| table.name).zip(folded).collect();
    let found = |shape: Shape| {
        let rows = folded.get(&shape.name).copied();
        (shape.name, Found { columns: shape.columns, rows })
    };
    let restored = Restored {
        tables: shapes.into_iter().map(found).collect(),
        extensions,
        extensions_left_out: left_out.extensions.clone(),
    };
    let judged = judge::content(check, entry, tables, &excluded, &restored);
    tally.findings.extend(judge::foreign_types(database, &server.foreign_types(database).await?));
    tally.findings.extend(judged.findings);
    let collations = server.collations(database).await?;
    tally.findings.extend(collation::differing(database, entry.collations.as_ref(), &collations));
    tally.databases += 1;
    tally.empty_databases += u64::from(tables.is_empty());
    tally.tables += judged.tables;
    tally.rows += judged.rows;
    Ok(())
}

fn named(table: &QualifiedName) -> TableName {
    TableName { schema: table.schema.clone(), table: table.name.clone() }
}

/// The tables whose rows can be compared: those on both sides with the same columns, and in the manifest's order of
/// them. Tables that inherit may get their columns in another order by being restored.
fn wanted(tables: &[Table], shapes: &[Shape]) -> Vec<TableToRead> {
    let listed: BTreeMap<(&str, &str), &Table> =
        tables.iter().map(|table| ((table.schema.as_str(), table.name.as_str()), table)).collect();
    let wanted = |shape: &Shape| {
        let table = listed.get(&(shape.name.schema.as_str(), shape.name.table.as_str()))?;
        judge::comparable(table, &shape.columns).then(|| TableToRead {
            oid: shape.oid,
            name: shape.name.clone(),
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        })
    };
    shapes.iter().filter_map(wanted).collect()
}

fn outcome(tally: Tally) -> Outcome {
    let held = format!(
        "{} in {} of {} are those of the source",
        human::things(tally.rows, "row"),
        human::things(tally.tables, "table"),
        human::things(tally.databases, "database")
    );
    let compared = tally.databases;
    let judged = tally.tables + tally.empty_databases;
    let unjudged = u64::from(!tally.findings.is_empty());
    let mut outcome =
        tally.findings.into_outcome(Verified::things(judged, tally.rows).besides(unjudged), held);
    if outcome.status == CheckStatus::Skipped {
        let unjudged: Vec<&Finding> = outcome
            .findings
            .iter()
            .filter(|finding| [code::NO_MANIFEST, code::NO_FINGERPRINT].contains(&finding.code))
            .collect();
        outcome.summary = match unjudged.as_slice() {
            [] => "not possible: nothing was compared".to_owned(),
            [only] => format!("not possible: {}", only.actual),
            [first, ..] => {
                let what = if compared == 0 { "database" } else { "table" };
                let number = human::things(unjudged.len() as u64, what);
                format!("not possible for {number}; the first, {}: {}", first.subject, first.actual)
            }
        };
    }
    outcome
}

/// The subject of a finding about a table.
fn subject(database: &DatabaseName, schema: &str, table: &str) -> String {
    human::one_line(&format!("{database}.{schema}.{table}"), 200)
}

fn finding(severity: Severity, code: Code, subject: String, expected: &str, actual: String) -> Finding {
    Finding { severity, code, subject, expected: expected.to_owned(), actual }
}

#[cfg(test)]
mod tests;
