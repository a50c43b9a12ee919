//! Constraints, checked again against the data: no index is trusted, and no word of the catalog that one is valid.

mod catalog;
mod queries;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_postgres::{Client, Error};

use super::connections::Connections;
use super::{Server, execute, guarded};
use crate::check::{Found, Recheck, RecheckedRule};
use crate::failure::Result;
use crate::human;
use crate::names::DatabaseName;
use crate::template::ConstraintKind;
use queries::Unit;

/// Rows that violate a constraint and are named; the rest is counted.
const NAMED: usize = 5;

/// Makes every query read the tables themselves: an index that is wrong would hide what is wrong with the data.
const TRUST_NO_INDEX: &str = "SET default_transaction_read_only = on; SET enable_indexscan = off;
    SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET constraint_exclusion = off";

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
        let client = Arc::new(self.connect(database.as_str()).await?);
        execute(&client, &guarded::limit(timeout), "preparing a connection").await?;
        let catalog::Found { mut units, left_out } = catalog::read(&client, kinds).await?;
        // The largest first, so that no connection is left alone with it at the end.
        units.sort_by_key(|unit| std::cmp::Reverse(unit.size));
        let prepare = format!("{}; {TRUST_NO_INDEX}", guarded::limit(timeout));
        let work = |client: Arc<Client>, unit: Unit| async move { recheck(&client, unit).await }.boxed();
        let done = self.on_connections(database, client, connections, &prepare, units, work).await?;
        Ok(done.into_iter().flatten().chain(left_out).collect())
    }
}

/// Checks the constraints of a unit in one pass; if the pass fails, one by one, so that one that cannot be evaluated
/// does not hide the others.
async fn recheck(client: &Client, unit: Unit) -> Result<Vec<Recheck>> {
    let counts = match client.query_one(&unit.count, &[]).await {
        Ok(row) => {
            (0..=unit.rules.len()).map(|column| row.try_get::<_, i64>(column)).collect::<Result<Vec<_>, _>>()
        }
        Err(error) => Err(error),
    };
    let counts = match counts {
        Ok(counts) => counts,
        Err(error) if must_end(&error) => return Err(failed(&unit, &error)),
        Err(error) if unit.rules.len() == 1 => {
            let rules = unit.rules.into_iter();
            return Ok(rules
                .map(|probe| Recheck { rows: 0, rule: probe.rule, found: Found::Failed(why(&error)) })
                .collect());
        }
        Err(_) => {
            let mut one_by_one = Vec::new();
            for single in unit.split() {
                one_by_one.extend(Box::pin(recheck(client, single)).await?);
            }
            return Ok(one_by_one);
        }
    };
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    let mut rows = counts.first().copied().map_or(0, unsigned);
    let mut rechecks = Vec::new();
    for (probe, violations) in unit.rules.iter().zip(counts[1..].iter().copied().map(unsigned)) {
        let keys = if violations == 0 { Vec::new() } else { keys(client, &unit, &probe.keys).await? };
        rechecks.push(Recheck { rows, rule: probe.rule.clone(), found: Found::Violations(violations, keys) });
        // Those of a table are counted once.
        rows = 0;
    }
    Ok(rechecks)
}

async fn keys(client: &Client, unit: &Unit, sql: &str) -> Result<Vec<String>> {
    let rows = match client.query(&format!("{sql} LIMIT {NAMED}"), &[]).await {
        Ok(rows) => rows,
        Err(error) if must_end(&error) => return Err(failed(unit, &error)),
        // They are named for convenience; the count stands.
        Err(_) => return Ok(Vec::new()),
    };
    let keys = rows.iter().map(|row| row.try_get::<_, Option<String>>(0));
    Ok(keys.filter_map(|key| key.ok().flatten()).map(|key| human::one_line(&key, 120)).collect())
}

/// Whether an error is none of the constraint's own: the connection is gone, time or disk ran out.
fn must_end(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    code.is_none_or(|code| {
        code.starts_with("57") || code.starts_with("53") || code.starts_with("58") || code.starts_with("XX")
    })
}

fn failed(unit: &Unit, error: &Error) -> crate::failure::Failure {
    let rule: Option<&RecheckedRule> = unit.rules.first().map(|probe| &probe.rule);
    let of = rule.map(|rule| format!("{}.{}", rule.schema, rule.table)).unwrap_or_default();
    super::query_failure(&format!("checking the constraints of {}", human::one_line(&of, 120)), error)
}

/// Why a constraint could not be evaluated. Only what names objects is quoted: other messages quote values.
fn why(error: &Error) -> String {
    let code = error.code().map_or("unknown", |code| code.code());
    if code.starts_with("42") {
        super::error_text(error)
    } else {
        format!("its evaluation fails with SQLSTATE {code}")
    }
}
