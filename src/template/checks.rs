//! The `[[checks]]` of a template: what must hold on the restored data. See `docs/checks.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::chain::VerifyChain;
use super::schema::{TableName, Template};
use crate::model::names::DatabaseName;

mod data;
mod stack;

pub use data::{Amcheck, ConstraintKind, Constraints, Expected, NotValid, Sequences, Sql};
pub use stack::{Command, Http};

/// Something that must hold on the restored data.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Check {
    /// Tables that must be there.
    RequiredTables(RequiredTables),
    /// Row counts that must hold.
    RowCounts(RowCounts),
    /// A tamper-evident chain that must be unbroken.
    VerifyChain(VerifyChain),
    /// Two sides that must know each other's rows.
    Reconcile(Reconcile),
    /// Daily signed roots of an Aegis audit database.
    TransparencyRoots(TransparencyRoots),
    /// Rows that must be those of the source.
    Fingerprint(Fingerprint),
    /// A query that must hold.
    Sql(Sql),
    /// Constraints, checked again against the data.
    Constraints(Constraints),
    /// The structure of indexes and tables.
    Amcheck(Amcheck),
    /// Sequences, against the columns they number.
    Sequences(Sequences),
    /// A service of the stack that must answer.
    Http(Http),
    /// A program that must succeed.
    Command(Command),
}

impl Check {
    /// The check's name in the verdict.
    pub fn name(&self) -> &str {
        match self {
            Self::RequiredTables(check) => &check.name,
            Self::RowCounts(check) => &check.name,
            Self::VerifyChain(check) => &check.name,
            Self::Reconcile(check) => &check.name,
            Self::TransparencyRoots(check) => &check.name,
            Self::Fingerprint(check) => &check.name,
            Self::Sql(check) => &check.name,
            Self::Constraints(check) => &check.name,
            Self::Amcheck(check) => &check.name,
            Self::Sequences(check) => &check.name,
            Self::Http(check) => &check.name,
            Self::Command(check) => &check.name,
        }
    }

    /// The check's type, as the template writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RequiredTables(_) => "required-tables",
            Self::RowCounts(_) => "row-counts",
            Self::VerifyChain(_) => "verify-chain",
            Self::Reconcile(_) => "reconcile",
            Self::TransparencyRoots(_) => "transparency-roots",
            Self::Fingerprint(_) => "fingerprint",
            Self::Sql(_) => "sql",
            Self::Constraints(_) => "constraints",
            Self::Amcheck(_) => "amcheck",
            Self::Sequences(_) => "sequences",
            Self::Http(_) => "http",
            Self::Command(_) => "command",
        }
    }

    /// The tables it cannot do without, as far as the template names them: SQL of a template is not read.
    pub fn tables(&self) -> Vec<(&DatabaseName, TableName)> {
        let audit = |table: &str| TableName { schema: "public".to_owned(), table: table.to_owned() };
        match self {
            Self::RequiredTables(check) => check
                .tables
                .iter()
                .flat_map(|(database, tables)| tables.iter().map(move |table| (database, table.clone())))
                .collect(),
            Self::RowCounts(check) => {
                check.rules.iter().map(|rule| (&rule.database, rule.table.clone())).collect()
            }
            Self::VerifyChain(check) => vec![(&check.database, check.table.clone())],
            Self::TransparencyRoots(check) => {
                ["transparency_roots", "transparency_historical_keys", "audit_logs"]
                    .map(|table| (&check.database, audit(table)))
                    .into()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a view does for a table of [`Self::tables`].
    pub fn reads_views(&self) -> bool {
        matches!(self, Self::VerifyChain(_))
    }

    /// The databases it looks at, each once.
    pub fn databases(&self) -> Vec<&DatabaseName> {
        let mut names: Vec<&DatabaseName> = match self {
            Self::RequiredTables(check) => check.tables.keys().collect(),
            Self::RowCounts(check) => check.rules.iter().map(|rule| &rule.database).collect(),
            Self::VerifyChain(check) => vec![&check.database],
            Self::TransparencyRoots(check) => vec![&check.database],
            Self::Fingerprint(check) => check.databases.iter().collect(),
            Self::Reconcile(check) => [&check.left.database, &check.right.database]
                .into_iter()
                .chain(check.facts.iter().map(|fact| &fact.database))
                .collect(),
            Self::Sql(check) => vec![&check.database],
            Self::Constraints(check) => check.databases.iter().collect(),
            Self::Amcheck(check) => check.databases.iter().collect(),
            Self::Sequences(check) => check.databases.iter().collect(),
            Self::Http(check) => check.databases.iter().collect(),
            Self::Command(check) => check.databases.iter().collect(),
        };
        names.sort();
        names.dedup();
        names
    }

    /// Whether it holds though there is nothing that it could verify.
    pub fn allow_empty(&self) -> bool {
        match self {
            Self::VerifyChain(check) => check.allow_empty,
            Self::TransparencyRoots(check) => check.allow_empty,
            Self::Reconcile(check) => check.allow_empty,
            Self::Constraints(check) => check.allow_empty,
            Self::Amcheck(check) => check.allow_empty,
            Self::Sequences(check) => check.allow_empty,
            // What they look at is named in the template, or by the manifest.
            Self::RequiredTables(_)
            | Self::RowCounts(_)
            | Self::Fingerprint(_)
            | Self::Sql(_)
            | Self::Http(_)
            | Self::Command(_) => false,
        }
    }

    /// The image it runs, besides those of the stack.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Command(check) => Some(&check.image),
            _ => None,
        }
    }

    /// What the types cannot say about it; an error is a sentence for a person.
    pub(super) fn validate(&self, template: &Template) -> Result<(), String> {
        match self {
            Self::Sql(check) => check.validate(),
            Self::Reconcile(check) => check.validate(),
            Self::Constraints(check) => check.validate(),
            Self::Amcheck(check) => check.validate(),
            Self::Sequences(check) => check.validate(),
            Self::Http(check) => check.validate(template),
            Self::Command(check) => check.validate(),
            _ => Ok(()),
        }
    }
}

/// Tables that must be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredTables {
    /// The check's name.
    pub name: String,
    /// The tables, by database.
    pub tables: BTreeMap<DatabaseName, Vec<TableName>>,
}

/// Row counts that must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCounts {
    /// The check's name.
    pub name: String,
    /// One rule for each table that is judged.
    pub rules: Vec<RowRule>,
}

/// Daily signed roots of an Aegis audit database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransparencyRoots {
    /// The check's name.
    pub name: String,
    /// The audit database.
    pub database: DatabaseName,
    /// Path of the public key that signs roots today, in PEM form: it is not in the database. Empty for none.
    #[serde(default)]
    pub active_public_key: Option<PathBuf>,
    /// Where the store keeps snapshots of the roots: a prefix of the bucket, whole. Empty for none.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// Whether pruned days fail the check. Otherwise they are warnings.
    #[serde(default)]
    pub require_genesis: bool,
    /// Whether no root may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
}

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

/// Two sides, in two databases, that must know each other's rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The check's name.
    pub name: String,
    /// One side.
    pub left: ReconcileSide,
    /// The other.
    pub right: ReconcileSide,
    /// Figures to show beside the outcome.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Whether two sides without rows may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
}

impl Reconcile {
    fn validate(&self) -> Result<(), String> {
        let sides = [&self.left, &self.right].map(|side| (&side.label, &side.query));
        let facts = self.facts.iter().map(|fact| (&fact.label, &fact.query));
        let mut queries = sides.into_iter().chain(facts);
        queries.try_for_each(|(label, query)| data::subquery(query, &format!("check {}: {label}", self.name)))
    }
}

/// One side of a reconciliation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSide {
    /// What its rows are called.
    pub label: String,
    /// Its database.
    pub database: DatabaseName,
    /// SQL that returns `key` (text), `at` (timestamptz: when the row was written) and `required` (boolean: whether
    /// the other side must have it; rows that are not required still answer for the other side's).
    pub query: String,
    /// A row may lack its counterpart for so long.
    #[serde(with = "humantime_serde", default)]
    pub grace: Duration,
}

/// A figure to show beside an outcome.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// Its database.
    pub database: DatabaseName,
    /// SQL that returns one value.
    pub query: String,
}

/// How many rows a table must have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// Its database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// At least this many.
    #[serde(default)]
    pub min: Option<u64>,
    /// At most this many.
    #[serde(default)]
    pub max: Option<u64>,
    /// Just this many.
    #[serde(default)]
    pub exact: Option<u64>,
    /// At most this part fewer than in the last drill that passed.
    #[serde(default)]
    pub max_drop: Option<Share>,
}

/// A part of a whole, from 0 to 1: written as a fraction, or as a percentage.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "WrittenShare")]
pub struct Share(f64);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a fraction such as 0.1, or a percentage such as \"10%\"")]
enum WrittenShare {
    Whole(i64),
    Fraction(f64),
    Percentage(String),
}

impl TryFrom<WrittenShare> for Share {
    type Error = String;

    fn try_from(written: WrittenShare) -> Result<Self, String> {
        let share = match &written {
            WrittenShare::Whole(0) => Some(0.0),
            WrittenShare::Whole(1) => Some(1.0),
            WrittenShare::Whole(_) => None,
            WrittenShare::Fraction(fraction) => Some(*fraction),
            WrittenShare::Percentage(text) => {
                let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                number.map(|percent| percent / 100.0)
            }
        };
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| "must be from 0 to 1, or from \"0%\" to \"100%\"".to_owned())
    }
}

impl Share {
    /// The fraction.
    pub fn fraction(self) -> f64 {
        self.0
    }
}
