//! The structure of indexes and tables, by Postgres's own extension amcheck.
//!
//! The extension is made in `pg_catalog`, beside the system's own functions, and dropped at the end: nothing of a user's
//! schema is touched, so that no other check sees it. One the backup brought along is used where it is, and stays.

use std::sync::Arc;

use futures_util::{FutureExt, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};

use super::catalog::OF_USERS;
use super::connections::Connections;
use super::{Server, execute, guarded, query_failure, quote_identifier};
use crate::check::{Examined, RelationExamined};
use crate::failure::Result;
use crate::human;
use crate::names::DatabaseName;
use crate::template::Amcheck;

/// Faults of one relation that are kept; the rest is counted.
const KEPT: usize = 20;

/// Held while the extension is in use, so that of two checks on one database none drops it under the other.
const LOCK: &str = "SELECT pg_advisory_lock(hashtext('restore-drill amcheck'))";

/// Tables and materialized views of users with what they keep out of line, and the b-tree indexes on all of these.
const RELATIONS: &str = "
    WITH tables AS (
        SELECT r.oid, r.reltoastrelid FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE r.relkind IN ('r', 'm') AND r.relpersistence <> 't' AND {OF_USERS}
    ), heaps AS (
        SELECT oid FROM tables UNION SELECT reltoastrelid FROM tables WHERE reltoastrelid <> 0
    )
    SELECT r.oid, n.nspname::text, r.relname::text, false, false, r.relpages
    FROM heaps h JOIN pg_class r ON r.oid = h.oid JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_am m ON m.oid = r.relam WHERE m.amname = 'heap' AND $1
    UNION ALL
    SELECT r.oid, n.nspname::text, r.relname::text, true, i.indisunique, r.relpages
    FROM heaps h JOIN pg_index i ON i.indrelid = h.oid AND i.indisready AND i.indisvalid
    JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_am m ON m.oid = r.relam WHERE m.amname = 'btree' AND r.relkind = 'i' AND $2
    ORDER BY 6 DESC, 1";

/// The extension, ready to be used.
struct Extension {
    /// Where its functions are, quoted.
    schema: String,
    /// Whether it is ours to drop.
    ours: bool,
    /// Whether it can look whether a unique index is.
    checks_unique: bool,
    /// Whether it can check tables.
    checks_tables: bool,
}

async fn remove(client: &Client) -> Result<()> {
    execute(client, "SET default_transaction_read_only = off", "removing amcheck").await?;
    execute(client, "DROP EXTENSION amcheck", "removing amcheck").await
}

/// An index or a table.
struct Relation {
    name: String,
    is_index: bool,
    sql: String,
}

impl Server {
    /// Checks the indexes and tables of a database on several connections; `None` if the server does not have the
    /// extension. The caller holds a permit for the first.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn examine(
        &self,
        database: &DatabaseName,
        check: &Amcheck,
        connections: &Connections,
    ) -> Result<Option<Examined>> {
        let client = Arc::new(self.connect(database.as_str()).await?);
        execute(&client, &guarded::limit(check.timeout), "preparing a connection").await?;
        // Before PostgreSQL 17 event triggers of the backup would run when the extension is made.
        execute(&client, "SET session_replication_role = replica", "preparing a connection").await?;
        execute(&client, LOCK, "waiting for amcheck").await?;
        let Some(extension) = extension(&client).await? else { return Ok(None) };
        let examined = self.examine_with(database, check, connections, &client, &extension).await;
        let removed = if extension.ours { remove(&client).await } else { Ok(()) };
        let examined = examined?;
        removed.map(|()| Some(examined))
    }

    async fn examine_with(
        &self,
        database: &DatabaseName,
        check: &Amcheck,
        connections: &Connections,
        client: &Arc<Client>,
        extension: &Extension,
    ) -> Result<Examined> {
        let tables = check.tables && extension.checks_tables;
        let sql = RELATIONS.replace("{OF_USERS}", OF_USERS);
        let failed = |error| query_failure("listing indexes and tables", &error);
        let rows = client.query(&sql, &[&tables, &check.indexes]).await.map_err(failed)?;
        let relations = rows.iter().map(|row| relation(row, check, extension));
        let relations = relations.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let prepare = format!("{}; SET default_transaction_read_only = on", guarded::limit(check.timeout));
        let work = |client: Arc<Client>, relation: Relation| {
            async move {
                if relation.is_index {
                    index(&client, relation).await
                } else {
                    table(&client, relation).await
                }
            }
            .boxed()
        };
        let relations =
            self.on_connections(database, Arc::clone(client), connections, &prepare, relations, work).await?;
        Ok(Examined { relations, tables_possible: extension.checks_tables })
    }
}

/// Has the extension, if the server's image does.
async fn extension(client: &Client) -> Result<Option<Extension>> {
    let failed = |error| query_failure("looking for amcheck", &error);
    let sql = "SELECT n.nspname::text FROM pg_available_extensions a
               LEFT JOIN pg_extension e ON e.extname = a.name LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
               WHERE a.name = 'amcheck'";
    let Some(row) = client.query_opt(sql, &[]).await.map_err(failed)? else { return Ok(None) };
    let installed: Option<String> = row.try_get(0).map_err(failed)?;
    if installed.is_none() {
        execute(client, "CREATE EXTENSION amcheck WITH SCHEMA pg_catalog", "creating amcheck").await?;
    }
    let sql = "SELECT coalesce(bool_or(p.proname = 'bt_index_check' AND p.pronargs = 3), false),
                      coalesce(bool_or(p.proname = 'verify_heapam'), false)
               FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
               JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
               WHERE e.extname = 'amcheck'";
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    Ok(Some(Extension {
        ours: installed.is_none(),
        schema: quote_identifier(installed.as_deref().unwrap_or("pg_catalog")),
        checks_unique: row.try_get(0).map_err(failed)?,
        checks_tables: row.try_get(1).map_err(failed)?,
    }))
}

fn relation(row: &Row, check: &Amcheck, extension: &Extension) -> Result<Relation, Error> {
    let (oid, schema, name): (u32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (is_index, unique): (bool, bool) = (row.try_get(3)?, row.try_get(4)?);
    let functions = &extension.schema;
    let sql = if is_index {
        let unique = if extension.checks_unique { format!(", {unique}") } else { String::new() };
        format!("SELECT {functions}.bt_index_check({oid}::regclass, {}{unique})", check.heapallindexed)
    } else {
        format!(
            "SELECT blkno, offnum, msg FROM {functions}.verify_heapam(relation => {oid}::regclass, check_toast => true)"
        )
    };
    Ok(Relation { name: format!("{schema}.{name}"), is_index, sql })
}

/// An index is right if the function returns.
async fn index(client: &Client, relation: Relation) -> Result<RelationExamined> {
    let found = client.query(&relation.sql, &[]).await;
    let (faults, not_checked) = match found {
        Ok(_) => (Vec::new(), None),
        Err(error) => match fault(&relation, &error)? {
            Fault::Corrupt(text) => (vec![text], None),
            Fault::NotChecked(text) => (Vec::new(), Some(text)),
        },
    };
    Ok(RelationExamined {
        name: relation.name,
        is_index: true,
        total: faults.len() as u64,
        faults,
        not_checked,
    })
}

/// Of a table every fault is returned as a row.
async fn table(client: &Client, relation: Relation) -> Result<RelationExamined> {
    let (mut faults, mut total, mut not_checked) = (Vec::new(), 0u64, None);
    let rows = client.query_raw(&relation.sql, std::iter::empty::<&(dyn ToSql + Sync)>()).await;
    let ended = match rows {
        Err(error) => Some(error),
        Ok(rows) => {
            let mut rows = std::pin::pin!(rows);
            loop {
                match rows.try_next().await {
                    Ok(Some(row)) => {
                        total += 1;
                        if faults.len() < KEPT {
                            faults.push(
                                fault_of_row(&row)
                                    .map_err(|error| query_failure("reading faults", &error))?,
                            );
                        }
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            }
        }
    };
    if let Some(error) = ended {
        match fault(&relation, &error)? {
            Fault::Corrupt(text) => {
                total += 1;
                faults.push(text);
            }
            Fault::NotChecked(text) => not_checked = Some(text),
        }
    }
    Ok(RelationExamined { name: relation.name, is_index: false, faults, total, not_checked })
}

fn fault_of_row(row: &Row) -> Result<String, Error> {
    let (block, offset): (Option<i64>, Option<i32>) = (row.try_get(0)?, row.try_get(1)?);
    let message: Option<String> = row.try_get(2)?;
    let place = match (block, offset) {
        (Some(block), Some(offset)) => format!("block {block}, row {offset}: "),
        (Some(block), None) => format!("block {block}: "),
        (None, _) => String::new(),
    };
    Ok(format!("{place}{}", human::one_line(&message.unwrap_or_default(), 300)))
}

/// What an error says about a relation.
enum Fault {
    /// Its structure is wrong.
    Corrupt(String),
    /// It could not be checked.
    NotChecked(String),
}

/// Tells corruption apart from an expression that fails, and from what ends the check.
fn fault(relation: &Relation, error: &Error) -> Result<Fault> {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        // data_corrupted, index_corrupted, and a read that fell short
        Some("XX001" | "XX002" | "58030") => Ok(Fault::Corrupt(super::error_text(error))),
        Some(code) if code.starts_with("42") => Ok(Fault::NotChecked(super::error_text(error))),
        // These messages quote values.
        Some(code) if code.starts_with("22") || code.starts_with("P0") => {
            Ok(Fault::NotChecked(format!("an expression in it fails with SQLSTATE {code}")))
        }
        _ => Err(query_failure(&format!("checking {}", human::one_line(&relation.name, 120)), error)),
    }
}
