//! Constraints, checked again against the data: no index is trusted, and no word of the catalog that one is valid.

mod catalog;
mod queries;

use super::failures::error_text;
use super::failures::own_failure;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Deserialize;
use tokio_postgres::Error;

use super::connections::Connections;
use super::pins::Pins;
use super::server::Server;
use super::sessions::ForeignSession;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use queries::Unit;

pub use queries::RecheckedRule;

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
    /// All of them.
    pub fn all() -> BTreeSet<Self> {
        [Self::ForeignKey, Self::Unique, Self::Check, Self::NotNull].into()
    }
}

/// Rows that violate a constraint and are named; the rest is counted.
const NAMED: usize = 5;

/// Makes every query read the tables themselves: an index that is wrong would hide what is wrong with the data.
const TRUST_NO_INDEX: [(&str, &str); 4] = [
    ("enable_indexscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("enable_bitmapscan", "off"),
    ("constraint_exclusion", "off"),
];

/// A constraint, checked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recheck {
    /// The constraint.
    pub rule: RecheckedRule,
    /// Rows read for it, where they are not counted with another's.
    pub rows: u64,
    /// What was found.
    pub found: RecheckResult,
}

/// What was found of a constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecheckResult {
    /// So many rows violate it, and these are the keys of some.
    Violations(u64, Vec<String>),
    /// It could not be evaluated, and why.
    Failed(String),
    /// It is of a kind that is not checked, and why.
    LeftOut(&'static str),
}

impl Server {
    /// Checks every constraint of these kinds of a database, on several connections. The caller holds a permit for the
    /// first.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn recheck_constraints(
        &self,
        database: &DatabaseName,
        kinds: &BTreeSet<ConstraintKind>,
        connections: &Connections,
        timeout: Duration,
    ) -> Result<Vec<Recheck>> {
        let catalog::ConstraintUnits { mut units, left_out } = {
            let session = self.catalog(database.as_str()).await?;
            catalog::read(&session, kinds).await?
        };
        // The largest first, so that no connection is left alone with it at the end.
        units.sort_by_key(|unit| std::cmp::Reverse(unit.size));
        let pins = Pins::expressions().timeout(timeout).with(TRUST_NO_INDEX);
        let work =
            |session: Arc<ForeignSession>, unit: Unit| async move { recheck(&session, unit).await }.boxed();
        let done = self.on_connections(database, connections, &pins, units, work).await?;
        Ok(done.into_iter().flatten().chain(left_out).collect())
    }
}

/// Checks the constraints of a unit in one pass; if the pass fails, one by one, so that one that cannot be evaluated
/// does not hide the others.
async fn recheck(session: &ForeignSession, unit: Unit) -> Result<Vec<Recheck>> {
    let counts = match session.numbers(&unit.count).await {
        Ok(counts) => counts,
        Err(error) if must_end(&error) => return Err(failed(&unit, &error)),
        Err(error) if unit.rules.len() == 1 => {
            let rules = unit.rules.into_iter();
            return Ok(rules
                .map(|probe| Recheck { rows: 0, rule: probe.rule, found: RecheckResult::Failed(why(&error)) })
                .collect());
        }
        Err(_) => {
            let mut one_by_one = Vec::new();
            for single in unit.split() {
                one_by_one.extend(Box::pin(recheck(session, single)).await?);
            }
            return Ok(one_by_one);
        }
    };
    let counts: Option<Vec<u64>> =
        counts.into_iter().map(|count| count.and_then(|count| u64::try_from(count).ok())).collect();
    let Some((mut rows, violations)) =
        counts.as_ref().and_then(|counts| counts.split_first()).map(|(rows, violations)| (*rows, violations))
    else {
        let message =
            format!("checking the constraints of {}: the server's answer is no number", unit.table());
        return Err(Failure::inconclusive(codes::QUERY_FAILED, message));
    };
    let mut rechecks = Vec::new();
    for (probe, violations) in unit.rules.iter().zip(violations.iter().copied()) {
        let keys = if violations == 0 { Vec::new() } else { keys(session, &unit, &probe.keys).await? };
        rechecks.push(Recheck {
            rows,
            rule: probe.rule.clone(),
            found: RecheckResult::Violations(violations, keys),
        });
        // Those of a table are counted once.
        rows = 0;
    }
    Ok(rechecks)
}

async fn keys(session: &ForeignSession, unit: &Unit, sql: &str) -> Result<Vec<String>> {
    let rows = match session.rows(&format!("{sql} LIMIT {NAMED}")).await {
        Ok(rows) => rows,
        Err(error) if must_end(&error) => return Err(failed(unit, &error)),
        // They are named for convenience; the count stands.
        Err(_) => return Ok(Vec::new()),
    };
    Ok(rows.into_iter().flatten().flatten().map(|key| human::one_line(&key, 120)).collect())
}

/// Whether an error is none of the constraint's own: the connection is gone, time or disk ran out.
fn must_end(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    code.is_none_or(|code| {
        code == super::frames::TOO_LONG
            || code.starts_with("57")
            || code.starts_with("53")
            || code.starts_with("58")
            || code.starts_with("XX")
    })
}

fn failed(unit: &Unit, error: &Error) -> Failure {
    own_failure(&format!("checking the constraints of {}", unit.table()), error)
}

/// Why a constraint could not be evaluated. Only what names objects is quoted: other messages quote values.
fn why(error: &Error) -> String {
    let code = error.code().map_or("unknown", |code| code.code());
    if code.starts_with("42") {
        format!("{} (SQLSTATE {code})", error_text(error))
    } else {
        format!("its evaluation fails with SQLSTATE {code}")
    }
}
