//! The structure of indexes and tables, by Postgres's own extension amcheck.
//!
//! The extension is made in `pg_catalog`, beside the system's own functions, and dropped at the end: nothing of a user's
//! schema is touched, so that no other check sees it. One the backup brought along is used where it is, and stays.

use super::failures::error_text;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_postgres::{Error, Row};

use super::catalog::of_users;
use super::client::execute;
use super::connections::Connections;
use super::failures::own_failure;
use super::pins::Pins;
use super::quote::quote_identifier;
use super::server::Server;
use super::server_text::ServerText;
use super::sessions::{CatalogSession, ForeignSession};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;

/// Faults of one relation that are kept; the rest is counted.
const KEPT: usize = 20;

/// Held while the extension is in use, so that of two checks on one database none drops it under the other.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('restore-drill amcheck'))";

/// Tables and materialized views of users with what they keep out of line, and the b-tree indexes on all of these.
const RELATIONS: &str = concat!(
    "WITH tables AS (
        SELECT r.oid, r.reltoastrelid FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE r.relkind = ANY ('{r,m}'::\"char\"[]) AND r.relpersistence <> 't' AND ",
    of_users!(),
    "), heaps AS (
        SELECT oid FROM tables UNION SELECT reltoastrelid FROM tables WHERE reltoastrelid <> 0::oid
     )
     SELECT r.oid, n.nspname::text, r.relname::text, false, false, r.relpages
     FROM heaps h JOIN pg_class r ON r.oid = h.oid JOIN pg_namespace n ON n.oid = r.relnamespace
     JOIN pg_am m ON m.oid = r.relam WHERE m.amname = 'heap' AND $1
     UNION ALL
     SELECT r.oid, n.nspname::text, r.relname::text, true, i.indisunique, r.relpages
     FROM heaps h JOIN pg_index i ON i.indrelid = h.oid AND i.indisready AND i.indisvalid
     JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     JOIN pg_am m ON m.oid = r.relam WHERE m.amname = 'btree' AND r.relkind = 'i' AND $2
     ORDER BY 6 DESC, 1"
);

/// Whether the server has the extension, and where it is installed.
const INSTALLED: &str = "
    SELECT n.nspname::text FROM pg_available_extensions a
    LEFT JOIN pg_extension e ON e.extname = a.name LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE a.name = 'amcheck'";

/// What the extension can do, by its functions: those that are in the image's own library. Others may have its name.
const FUNCTIONS: &str = "
    SELECT coalesce(bool_or(p.proname = 'bt_index_check' AND p.pronargs = 3), false),
           coalesce(bool_or(p.proname = 'verify_heapam'), false),
           coalesce(bool_or(p.proname = 'bt_index_check'), false)
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    JOIN pg_proc p ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
    JOIN pg_language l ON l.oid = p.prolang
    WHERE e.extname = 'amcheck' AND l.lanname = 'c' AND p.probin = '$libdir/amcheck' AND p.pronamespace = e.extnamespace";

/// What is checked in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmcheckOptions {
    /// Whether b-tree indexes are checked.
    pub indexes: bool,
    /// Whether tables are checked, with the values that are stored out of line.
    pub tables: bool,
    /// Whether every row is looked up in every index.
    pub heapallindexed: bool,
    /// How long one index or table may take.
    pub timeout: Duration,
}

/// What was found in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmcheckReport {
    /// Its indexes and tables.
    pub relations: Vec<ExaminedRelation>,
    /// Whether the server's extension can check tables: those of PostgreSQL 14 and later can.
    pub tables_possible: bool,
}

/// What was found in an index or a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedRelation {
    /// `schema.name`.
    pub name: String,
    /// Whether it is an index.
    pub is_index: bool,
    /// Its faults, bounded.
    pub faults: Vec<String>,
    /// How many there are.
    pub total: u64,
    /// Why it could not be checked to its end.
    pub not_checked: Option<String>,
}

/// The extension, ready to be used.
struct Extension {
    /// Where its functions are, quoted.
    schema: String,
    /// Whether it can check whether a unique index is unique.
    checks_unique: bool,
    /// Whether it can check tables.
    checks_tables: bool,
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
        options: AmcheckOptions,
        connections: &Connections,
    ) -> Result<Option<AmcheckReport>> {
        // Before PostgreSQL 17 event triggers of the backup would run when the extension is made. One that is made to run
        // always still does: so nothing is read on this connection.
        let pins = Pins::setup().timeout(options.timeout).with([("session_replication_role", "replica")]);
        let setup = self.connect_pinned(database.as_str(), &pins).await?.client;
        execute(&setup, LOCK, "waiting for amcheck").await?;
        let Some(installed) = self.installed(database).await? else { return Ok(None) };
        if installed.is_none() {
            execute(&setup, "CREATE EXTENSION amcheck WITH SCHEMA pg_catalog", "creating amcheck").await?;
        }
        let examined = self.examine_with(database, options, connections, installed.as_deref()).await;
        let removed = match installed {
            None => execute(&setup, "DROP EXTENSION amcheck", "removing amcheck").await,
            Some(_) => Ok(()),
        };
        let examined = examined?;
        removed.map(|()| Some(examined))
    }

    /// Whether the image has the extension, and the schema it is in if the backup brought it along.
    async fn installed(&self, database: &DatabaseName) -> Result<Option<Option<String>>> {
        let failed = |error| own_failure("looking for amcheck", &error);
        let row = self.catalog(database.as_str()).await?.query_opt(INSTALLED, &[]).await.map_err(failed)?;
        row.map(|row| row.try_get(0).map_err(failed)).transpose()
    }

    async fn examine_with(
        &self,
        database: &DatabaseName,
        options: AmcheckOptions,
        connections: &Connections,
        schema: Option<&str>,
    ) -> Result<AmcheckReport> {
        let failed = |error| own_failure("listing indexes and tables", &error);
        let session = self.catalog(database.as_str()).await?;
        let extension = extension(&session, schema.unwrap_or("pg_catalog")).await?;
        let tables = options.tables && extension.checks_tables;
        let rows = session.query(RELATIONS, &[&tables, &options.indexes]).await.map_err(failed)?;
        drop(session);
        let relations = rows.iter().map(|row| relation(row, options, &extension));
        let relations = relations.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let work = |session: Arc<ForeignSession>, relation: Relation| {
            async move { examine(&session, relation).await }.boxed()
        };
        let pins = Pins::expressions().timeout(options.timeout);
        let relations = self.on_connections(database, connections, &pins, relations, work).await?;
        Ok(AmcheckReport { relations, tables_possible: extension.checks_tables })
    }
}

/// What the extension can do.
async fn extension(session: &CatalogSession, schema: &str) -> Result<Extension> {
    let failed = |error| own_failure("looking for amcheck", &error);
    let row = session.query_one(FUNCTIONS, &[]).await.map_err(failed)?;
    if !row.try_get::<_, bool>(2).map_err(failed)? {
        let message =
            "the backup has an extension of the name amcheck whose functions are not those of the image";
        return Err(Failure::inconclusive(codes::AMCHECK_UNAVAILABLE, message)
            .hint("drop the extension on the source server and make it again, or leave the check out"));
    }
    Ok(Extension {
        schema: quote_identifier(schema),
        checks_unique: row.try_get(0).map_err(failed)?,
        checks_tables: row.try_get(1).map_err(failed)?,
    })
}

fn relation(row: &Row, options: AmcheckOptions, extension: &Extension) -> Result<Relation, Error> {
    let (oid, schema, name): (u32, ServerText, ServerText) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (is_index, unique): (bool, bool) = (row.try_get(3)?, row.try_get(4)?);
    let functions = &extension.schema;
    let sql = if is_index {
        let unique = if extension.checks_unique { format!(", {unique}") } else { String::new() };
        let all = options.heapallindexed;
        format!("SELECT {functions}.bt_index_check({oid}::pg_catalog.regclass, {all}{unique})")
    } else {
        // The first of the faults, and their number.
        format!(
            "SELECT blkno, offnum, pg_catalog.left(msg, 1000), pg_catalog.count(*) OVER ()
             FROM {functions}.verify_heapam(relation => {oid}::pg_catalog.regclass, check_toast => true) LIMIT {KEPT}"
        )
    };
    Ok(Relation { name: format!("{schema}.{name}"), is_index, sql })
}

/// An index is right if the function returns. Of a table every fault is returned as a row.
async fn examine(session: &ForeignSession, relation: Relation) -> Result<ExaminedRelation> {
    let (mut faults, mut total, mut not_checked) = (Vec::new(), 0, None);
    match session.rows(&relation.sql).await {
        Ok(_) if relation.is_index => {}
        Ok(rows) => {
            let number = rows.first().and_then(|row| row.get(3)?.as_ref()?.parse().ok());
            total = number.unwrap_or(rows.len() as u64);
            faults = rows.iter().map(|row| fault_of_row(row)).collect();
        }
        Err(error) => match fault(&relation, &error)? {
            Fault::Corrupt(text) => {
                total = 1;
                faults.push(text);
            }
            Fault::NotChecked(text) => not_checked = Some(text),
        },
    }
    Ok(ExaminedRelation { name: relation.name, is_index: relation.is_index, faults, total, not_checked })
}

fn fault_of_row(row: &[Option<String>]) -> String {
    let column = |index: usize| row.get(index).cloned().flatten();
    let place = match (column(0), column(1)) {
        (Some(block), Some(offset)) => format!("block {block}, row {offset}: "),
        (Some(block), None) => format!("block {block}: "),
        (None, _) => String::new(),
    };
    format!("{place}{}", human::one_line(&column(2).unwrap_or_default(), 300))
}

/// What an error says about a relation.
enum Fault {
    /// Its structure is wrong.
    Corrupt(String),
    /// It could not be checked.
    NotChecked(String),
}

/// Separates corruption from an expression that fails, and from an error that ends the check.
fn fault(relation: &Relation, error: &Error) -> Result<Fault> {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        // data_corrupted, index_corrupted, and a read that fell short
        Some("XX001" | "XX002" | "58030") => Ok(Fault::Corrupt(error_text(error))),
        Some(code) if code.starts_with("42") => {
            Ok(Fault::NotChecked(format!("{} (SQLSTATE {code})", error_text(error))))
        }
        // These messages quote values.
        Some(code) if code.starts_with("22") || code.starts_with("P0") => {
            Ok(Fault::NotChecked(format!("an expression in it fails with SQLSTATE {code}")))
        }
        _ => Err(own_failure(&format!("checking {}", human::one_line(&relation.name, 120)), error)),
    }
}
