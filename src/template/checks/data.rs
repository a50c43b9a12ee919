//! Checks of restored data: of a query's answer, of constraints, of indexes and tables, of sequences.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use crate::model::names::DatabaseName;
use crate::template::TableName;

/// A query that must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The check's name.
    pub name: String,
    /// The database it is asked of.
    pub database: DatabaseName,
    /// The query.
    pub query: String,
    /// The single value must be this.
    #[serde(default)]
    pub expect: Option<Expected>,
    /// The single value must be a number, and at least this.
    #[serde(default)]
    pub min: Option<f64>,
    /// The single value must be a number, and at most this.
    #[serde(default)]
    pub max: Option<f64>,
    /// There must be no row.
    #[serde(default)]
    pub empty: bool,
    /// The column by which rows that should not be there are named. Without it they are counted only.
    #[serde(default)]
    pub key: Option<String>,
    /// The single value is a time, and must not lie further back from the recovery point than this.
    #[serde(with = "humantime_serde", default)]
    pub max_age: Option<Duration>,
    /// Whether a text that is not the expected one may be shown. Numbers, times and truth values always are.
    #[serde(default)]
    pub show_value: bool,
    /// How long the query may take.
    #[serde(with = "humantime_serde", default = "query_timeout")]
    pub timeout: Duration,
}

/// What a query must answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expect must be a text, a number or a truth value")]
pub enum Expected {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// Text, or any other value as Postgres writes it.
    Text(String),
}

impl Sql {
    pub(in crate::template) fn validate(&self) -> Result<(), String> {
        let place = format!("check {}", self.name);
        let rules = [
            self.expect.is_some(),
            self.min.is_some() || self.max.is_some(),
            self.empty,
            self.max_age.is_some(),
        ];
        if rules.iter().filter(|given| **given).count() != 1 {
            return Err(format!("{place}: give one of expect, min and max, empty = true, or max_age"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("{place}: min {min} is above max {max}"));
        }
        if [self.min, self.max].into_iter().flatten().any(f64::is_nan) {
            return Err(format!("{place}: a bound must be a number"));
        }
        if self.key.is_some() && !self.empty {
            return Err(format!(
                "{place}: key names rows that should not be there, so it goes with empty = true"
            ));
        }
        if self.show_value && !matches!(self.expect, Some(Expected::Text(_))) {
            return Err(format!(
                "{place}: show_value goes with a text in expect; other values are always shown"
            ));
        }
        subquery(&self.query, &place)?;
        positive(self.timeout, &place)
    }
}

/// A query must be one that can stand in another.
pub(super) fn subquery(query: &str, place: &str) -> Result<(), String> {
    if query.trim().is_empty() {
        return Err(format!("{place}: the query is empty"));
    }
    if query.trim_end().ends_with(';') {
        return Err(format!(
            "{place}: the query ends with a semicolon; it is used as a subquery, so leave it out"
        ));
    }
    Ok(())
}

/// Constraints, checked again against the data.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// The check's name.
    pub name: String,
    /// The databases whose constraints are checked.
    pub databases: Vec<DatabaseName>,
    /// Which kinds of constraints. Default: all.
    #[serde(default = "ConstraintKind::all")]
    pub kinds: BTreeSet<ConstraintKind>,
    /// What rows mean that violate a constraint marked `NOT VALID`.
    #[serde(default)]
    pub not_valid: NotValid,
    /// Whether no constraint may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one query may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

/// A kind of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// Foreign keys.
    ForeignKey,
    /// Primary keys, unique constraints and unique indexes.
    Unique,
    /// Check constraints of tables, and of the domains of their columns.
    Check,
    /// Columns, and domains of columns, that may not be null.
    NotNull,
}

impl ConstraintKind {
    fn all() -> BTreeSet<Self> {
        [Self::ForeignKey, Self::Unique, Self::Check, Self::NotNull].into()
    }
}

/// What rows mean that violate a constraint marked `NOT VALID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotValid {
    /// They fail the check, as those of any other constraint.
    #[default]
    Fail,
    /// They are a warning.
    Warn,
}

impl Constraints {
    pub(in crate::template) fn validate(&self) -> Result<(), String> {
        let place = format!("check {}", self.name);
        if self.kinds.is_empty() {
            return Err(format!("{place}: kinds is empty; leave it out for all kinds"));
        }
        positive(self.timeout, &place)
    }
}

/// The structure of indexes and tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amcheck {
    /// The check's name.
    pub name: String,
    /// The databases whose indexes and tables are checked.
    pub databases: Vec<DatabaseName>,
    /// Whether b-tree indexes are checked.
    #[serde(default = "yes")]
    pub indexes: bool,
    /// Whether tables are checked, with what they keep out of line.
    #[serde(default = "yes")]
    pub tables: bool,
    /// Whether every row is looked for in every index.
    #[serde(default = "yes")]
    pub heapallindexed: bool,
    /// Whether an image without the extension ends the drill. Otherwise the check is skipped, with a warning.
    #[serde(default)]
    pub require: bool,
    /// Whether no index and no table may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one index or table may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

impl Amcheck {
    pub(in crate::template) fn validate(&self) -> Result<(), String> {
        let place = format!("check {}", self.name);
        if !self.indexes && !self.tables {
            return Err(format!("{place}: neither indexes nor tables, so there is nothing to check"));
        }
        positive(self.timeout, &place)
    }
}

/// Sequences, against the columns they number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequences {
    /// The check's name.
    pub name: String,
    /// The databases whose sequences are checked.
    pub databases: Vec<DatabaseName>,
    /// Sequences that are known to be behind, and meant to be.
    #[serde(default)]
    pub ignore: BTreeSet<TableName>,
    /// Whether no sequence may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one query may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

impl Sequences {
    pub(in crate::template) fn validate(&self) -> Result<(), String> {
        positive(self.timeout, &format!("check {}", self.name))
    }
}

/// Postgres takes no time at all for no limit.
pub(super) fn positive(timeout: Duration, place: &str) -> Result<(), String> {
    if timeout.as_millis() == 0 {
        return Err(format!("{place}: timeout must be longer than nothing"));
    }
    Ok(())
}

fn yes() -> bool {
    true
}

fn query_timeout() -> Duration {
    Duration::from_secs(60)
}

fn scan_timeout() -> Duration {
    Duration::from_secs(10 * 60)
}
