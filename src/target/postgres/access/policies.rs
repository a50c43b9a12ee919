//! Policies. A server that prints an expression locks what it looks at, so few are printed at a time, and on the source the
//! locks are given back after each time.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::{Side, Texts, parse, queries, rows, rows_of};
use crate::model::failure::Result;
use crate::model::manifest::{Policy, object_name};
use crate::target::postgres::aside::aside;
use crate::target::postgres::failures::own_failure;

/// Policies that are printed at once.
const AT_ONCE: usize = 50;
/// How often a lock is waited for in vain. What is left then stays unread.
const PATIENCE: usize = 10;

/// A policy, whose expressions are not printed yet.
struct Listed {
    oid: u32,
    table: String,
    /// Which of the two it has.
    has: (bool, bool),
    policy: Policy,
}

/// The policies with their tables. On the source, those of a table that somebody waits to change are listed without their
/// expressions.
pub(super) async fn read(client: &Client, side: Side) -> Result<Vec<(String, Policy)>> {
    let mut listed = rows(client, queries::POLICIES, policy).await?;
    let mut refused = Refused::default();
    let mut to_print: Vec<&mut Listed> = listed.iter_mut().filter(|one| one.policy.unread).collect();
    for batch in to_print.chunks_mut(AT_ONCE) {
        if refused.times >= PATIENCE {
            break;
        }
        if !printed(client, side, batch).await? {
            refused.times += 1;
            one_by_one(client, side, batch, &mut refused).await?;
        }
    }
    Ok(listed.into_iter().map(|one| (one.table, one.policy)).collect())
}

/// What was not to be had.
#[derive(Default)]
struct Refused {
    times: usize,
    tables: BTreeSet<String>,
}

async fn one_by_one(
    client: &Client,
    side: Side,
    batch: &mut [&mut Listed],
    refused: &mut Refused,
) -> Result<()> {
    for one in batch.chunks_mut(1) {
        let table = one[0].table.clone();
        if refused.times >= PATIENCE || refused.tables.contains(&table) {
            continue;
        }
        if !printed(client, side, one).await? {
            refused.times += 1;
            refused.tables.insert(table);
        }
    }
    Ok(())
}

fn policy(row: &Texts<'_>) -> std::result::Result<Listed, tokio_postgres::Error> {
    let mut roles = row.texts(5)?;
    roles.sort();
    let has: (bool, bool) = (row.0.try_get(6)?, row.0.try_get(7)?);
    let policy = Policy {
        name: row.text(2)?,
        command: parse::command(&row.text(3)?),
        permissive: row.0.try_get(4)?,
        roles,
        using: None,
        check: None,
        unread: has.0 || has.1,
    };
    let table = object_name("table", &row.text(0)?, &row.text(1)?, "");
    Ok(Listed { oid: row.0.try_get(8)?, table, has, policy })
}

/// Whether these could be printed.
async fn printed(client: &Client, side: Side, policies: &mut [&mut Listed]) -> Result<bool> {
    let oids: Vec<u32> = policies.iter().map(|one| one.oid).collect();
    let expressions =
        |row: &Texts<'_>| Ok((row.0.try_get::<_, u32>(0)?, (row.text_or_none(1)?, row.text_or_none(2)?)));
    let parameters: [&(dyn ToSql + Sync); 1] = [&oids];
    let asking = rows_of(client, queries::EXPRESSIONS, &parameters, expressions);
    let found = match side {
        Side::Drill => asking.await?,
        Side::Source => {
            let failed = |error| own_failure("reading the expressions of policies", &error);
            match aside(client, "", failed, asking.map(Ok)).await? {
                Ok(found) => found,
                Err(_) => return Ok(false),
            }
        }
    };
    let found: BTreeMap<u32, _> = found.into_iter().collect();
    for one in policies {
        if let Some((using, check)) = found.get(&one.oid)
            && one.has == (using.is_some(), check.is_some())
        {
            (one.policy.using, one.policy.check) = (using.clone(), check.clone());
            one.policy.unread = false;
        }
    }
    Ok(true)
}
