//! `reconcile`: two sides, in two databases, that must know each other's rows.
//!
//! A pure merge of two streams sorted by key, so neither side is ever held in memory. The dumps of the two databases
//! were taken at different moments: what is younger than the older of them cannot be judged, and is counted apart.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::try_join;
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::subquery;
use crate::model::code::Code;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{CheckStatus, Finding, Severity};
use crate::target::postgres::key_rows::KeyRow;
use crate::template::Template;

findings! {
    NO_COUNTERPART = "no_counterpart", "error":
        "The other side does not have the row.",
        "Check whether the two dumps belong to the same night, whether events are waiting to be delivered, and whether rows were deleted on one side. Raise `grace` if the other side is written later.",
        "usage rows 0192f3c4: none; written 2026-05-17 03:00:00Z";
    MOSTLY_TOO_YOUNG = "mostly_too_young", "warning":
        "More than half of a side's rows are too young to be judged, so little was compared. It is in `not_verified`.",
        "Check whether `at` lies in the future, and whether the two dumps belong together.",
        "audit rows: 900 of 1,000 rows are newer than the older of the two dumps allows to judge";
    DUPLICATE_KEY = "duplicate_key", "error":
        "One side has the key more than once.",
        "Find out what wrote it twice. If that is right, let the query return each key once.",
        "usage rows 0192f3c4: the key again";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "reconcile",
    read: read::<Reconcile>,
    keys: keys::<Reconcile>,
    skipped: "no row was held against those of the other database",
    findings: FINDINGS,
};

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

#[async_trait]
impl Check for Reconcile {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.left.database, &self.right.database]
            .into_iter()
            .chain(self.facts.iter().map(|fact| &fact.database))
            .collect()
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let sides = [&self.left, &self.right].map(|side| (&side.label, &side.query));
        let facts = self.facts.iter().map(|fact| (&fact.label, &fact.query));
        let mut queries = sides.into_iter().chain(facts);
        queries.try_for_each(|(label, query)| subquery(query, &format!("check {}: {label}", self.name)))
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Rows of each kind of finding that are named; the rest is counted.
const SAMPLE: u64 = 10;

/// Which stream to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// The left one.
    Left,
    /// The right one.
    Right,
    /// Neither: both have ended.
    End,
}

/// One side's tally.
#[derive(Debug, Default)]
struct Side {
    label: String,
    /// Rows younger than this cannot be judged.
    cutoff: Option<DateTime<Utc>>,
    rows: u64,
    required: u64,
    /// Of those that are required: rows that the other side has.
    known: u64,
    alone: u64,
    too_young: u64,
    duplicates: u64,
    last: Option<KeyRow>,
    /// Whether the other side has the key of `last`.
    matched: bool,
}

/// The merge.
#[derive(Debug)]
pub struct Merge {
    left: Side,
    right: Side,
    findings: Findings,
}

impl Merge {
    /// A merge of two sides that were dumped at these times.
    pub fn new(check: &Reconcile, left_taken: DateTime<Utc>, right_taken: DateTime<Utc>) -> Self {
        let older = left_taken.min(right_taken);
        let side = |side: &ReconcileSide| Side {
            label: side.label.clone(),
            cutoff: Some(older - chrono::TimeDelta::from_std(side.grace).unwrap_or_default()),
            ..Side::default()
        };
        Self { left: side(&check.left), right: side(&check.right), findings: Findings::default() }
    }

    /// Takes the rows at the heads of both streams, and says which stream to read on. A head is `None` once its
    /// stream has ended.
    pub fn step(&mut self, left: Option<&KeyRow>, right: Option<&KeyRow>) -> Advance {
        let order = match (left, right) {
            (None, None) => {
                self.settle();
                return Advance::End;
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.key.as_bytes().cmp(right.key.as_bytes()),
        };
        match (order, left, right) {
            (Ordering::Greater, _, Some(row)) => {
                take(&mut self.right, &self.left, row, &mut self.findings);
                Advance::Right
            }
            // On equal keys the left one goes first; the right one then finds it as the left's last.
            (Ordering::Less | Ordering::Equal, Some(row), _) => {
                take(&mut self.left, &self.right, row, &mut self.findings);
                if order == Ordering::Equal {
                    self.left.matched = true;
                }
                Advance::Left
            }
            _ => Advance::End,
        }
    }

    /// Judges the last row of each side.
    fn settle(&mut self) {
        close(&mut self.left, &self.right.label, &mut self.findings);
        close(&mut self.right, &self.left.label, &mut self.findings);
    }

    /// The outcome. `facts` are lines of context for people.
    pub fn finish(self, facts: &[String]) -> Outcome {
        let (left, right) = (&self.left, &self.right);
        let mut held = format!(
            "{} {} without {}, {} {} without {}, of {} and {}",
            left.alone,
            left.label,
            right.label,
            right.alone,
            right.label,
            left.label,
            human::count(left.required),
            human::count(right.required),
        );
        let young = left.too_young + right.too_young;
        if young > 0 {
            held.push_str(&format!("; {} too young to judge", human::count(young)));
        }
        for fact in facts {
            held.push_str(&format!("; {fact}"));
        }
        let (rows, failed) =
            (left.rows + right.rows, left.alone + right.alone + left.duplicates + right.duplicates);
        let mut findings = self.findings;
        findings.count_unnamed(failed);
        let judged = left.known + left.alone + right.known + right.alone;
        if judged > 0 {
            findings.extend([left, right].into_iter().filter_map(mostly_young));
        }
        let mut outcome = findings.into_outcome(Verified::things(judged, rows).besides(young), held.clone());
        if outcome.status == CheckStatus::Fail {
            outcome.summary = held;
        }
        outcome
    }
}

/// Moves a side on to its next row: the row before it is judged now, since every key of the other side up to it has
/// been seen.
fn take(side: &mut Side, other: &Side, row: &KeyRow, findings: &mut Findings) {
    if side.last.as_ref().is_some_and(|last| last.key == row.key) {
        side.duplicates += 1;
        let expected = format!("each key once among {}", side.label);
        name(
            findings,
            side.duplicates,
            DUPLICATE_KEY,
            row,
            &side.label,
            expected,
            "the key again".to_owned(),
        );
    } else {
        close(side, &other.label, findings);
        side.matched = other.last.as_ref().is_some_and(|last| last.key == row.key);
    }
    side.rows += 1;
    side.required += u64::from(row.required);
    side.last = Some(row.clone());
}

fn close(side: &mut Side, other: &str, findings: &mut Findings) {
    let Some(row) = side.last.take() else { return };
    if side.matched || !row.required {
        side.known += u64::from(side.matched && row.required);
        return;
    }
    if row.at.zip(side.cutoff).is_some_and(|(at, cutoff)| at > cutoff) {
        side.too_young += 1;
        return;
    }
    side.alone += 1;
    let written = row.at.map_or_else(|| "at an unknown time".to_owned(), human::moment);
    let actual = format!("none; written {written}");
    name(findings, side.alone, NO_COUNTERPART, &row, &side.label, format!("one among {other}"), actual);
}

/// A side that was hardly judged at all, as where its times lie in the future. That nothing was judged is said otherwise.
fn mostly_young(side: &Side) -> Option<Finding> {
    let judged = side.known + side.alone;
    (side.too_young > judged).then(|| Finding {
        severity: Severity::Warning,
        code: MOSTLY_TOO_YOUNG,
        subject: side.label.clone(),
        expected: "at least half of the rows old enough to be judged".to_owned(),
        actual: format!(
            "{} of {} are newer than the older of the two dumps allows to judge",
            human::count(side.too_young),
            human::things(side.too_young + judged, "row")
        ),
    })
}

/// Names a row, unless enough of its kind are named.
fn name(
    findings: &mut Findings,
    nth: u64,
    code: Code,
    row: &KeyRow,
    label: &str,
    expected: String,
    actual: String,
) {
    if nth <= SAMPLE {
        let subject = format!("{label} {}", human::one_line(&row.key, 120));
        findings.push(Finding { severity: Severity::Error, code, subject, expected, actual });
    }
}

/// Reads both sides in step with each other.
///
/// # Errors
/// If it cannot be judged.
async fn run(check: &Reconcile, context: &Context<'_>) -> Result<Outcome> {
    let (left_side, right_side) = (&check.left, &check.right);
    let servers = &context.tools.servers;
    let permits = servers.hold_one_each(&[&left_side.database, &right_side.database]).await;
    let mut merge =
        Merge::new(check, context.taken_at(&left_side.database), context.taken_at(&right_side.database));
    let (mut left_rows, mut right_rows) = try_join(
        servers.of(&left_side.database).server.key_rows(&left_side.database, &left_side.query),
        servers.of(&right_side.database).server.key_rows(&right_side.database, &right_side.query),
    )
    .await?;
    let (mut left, mut right) = try_join(left_rows.next(), right_rows.next()).await?;
    loop {
        match merge.step(left.as_ref(), right.as_ref()) {
            Advance::Left => left = left_rows.next().await?,
            Advance::Right => right = right_rows.next().await?,
            Advance::End => break,
        }
    }
    drop((left_rows, right_rows));
    drop(permits);
    let mut facts = Vec::new();
    for fact in &check.facts {
        let on = servers.of(&fact.database);
        let _permit = on.connections.hold(1).await;
        let value = on.server.fact(&fact.database, &fact.query).await?;
        facts.push(format!(
            "{}: {}",
            fact.label,
            crate::model::human::one_line(value.as_deref().unwrap_or("none"), 80)
        ));
    }
    Ok(merge.finish(&facts))
}

#[cfg(test)]
mod tests;
