//! The rows of a database as `pg_dump` would write them, folded into fingerprints, on several connections at once.
//!
//! A drill reads what it restored, a backup reads its source; both do it by the same statements under the same
//! settings, or equal rows would not be equal.

mod pieces;
mod reading;
mod table;

use std::sync::Arc;

use tokio_postgres::{Client, Row};

use super::client::execute;
use super::failures::own_failure;
use super::own_sql::qualify;
use super::pins::Pins;
use super::server::Server;
use super::sessions::name;
use crate::model::failure::Result;
use crate::model::manifest::{Column, Extension, FingerprintKey};
use crate::model::names::DatabaseName;
use crate::template::TableName;

pub(super) use pieces::pieces;
pub(super) use reading::{Locking, Reading, read_on};
pub use table::{Folded, TableToRead};

/// Every setting that changes how values are written: as `pg_dump` sets it, or fixed where `pg_dump` leaves it alone; and
/// no limits of time. Settings that a server does not know are left out.
const PIN: &str = "
    SELECT pg_catalog.set_config(s.name, v.value, false)
    FROM (VALUES
        ('DateStyle', 'ISO'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '3'),
        ('bytea_output', 'hex'), ('lc_monetary', 'C'), ('xmlbinary', 'base64'), ('quote_all_identifiers', 'off'),
        ('row_security', 'off'), ('jit', 'off'), ('synchronize_seqscans', 'off'),
        ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
        ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
        ('client_encoding', CASE WHEN pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'
                                 THEN 'SQL_ASCII' ELSE 'UTF8' END)
    ) AS v (name, value)
    JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(v.name)";

/// Tables that have rows of their own in a dump: no views, no foreign tables, no partitioned tables (their partitions
/// have the rows), nothing of the system, of other sessions or of an extension. Generated columns are not dumped.
const TABLES: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                 ORDER BY a.attnum),
           ARRAY(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                 ORDER BY a.attnum),
           c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> ALL ('{pg_catalog,information_schema}'::name[]) AND n.nspname !~ '^pg_toast'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2, 3";

/// Columns of the same tables whose values are not written by a type of the system's own, nor by an array or a domain of
/// one. What an enumeration writes stands in the catalog.
const FOREIGN_TYPES: &str = "
    SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> ALL ('{pg_catalog,information_schema}'::name[]) AND n.nspname !~ '^pg_toast'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND EXISTS (
        WITH RECURSIVE parts (oid) AS (
            SELECT a.atttypid
            UNION
            SELECT part.oid FROM parts p JOIN pg_type t ON t.oid = p.oid
            CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype) AS part (oid)
            WHERE part.oid <> 0::oid
        )
        SELECT FROM parts p JOIN pg_type t ON t.oid = p.oid JOIN pg_namespace s ON s.oid = t.typnamespace
        WHERE s.nspname <> 'pg_catalog' AND t.typtype <> ALL ('{d,e}'::\"char\"[]) AND t.typelem = 0::oid)
    ORDER BY 1, 2, a.attnum";

/// A table, as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its object identifier.
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// The columns that a dump has.
    pub columns: Vec<Column>,
    /// Whether its rows are not on this server: those of unlogged tables never reach a standby.
    pub is_elsewhere: bool,
}

/// Has a connection write values as all the others do.
pub(super) async fn pin(client: &Client) -> Result<()> {
    // Before anything else, so that nothing a user has made stands in for what the catalog has.
    let catalog_only = "SELECT pg_catalog.set_config('search_path', '', false)";
    execute(client, catalog_only, "fixing the search path").await?;
    client
        .query(&qualify(PIN), &[])
        .await
        .map(drop)
        .map_err(|error| own_failure("fixing how values are written", &error))
}

/// Every table whose rows a dump has, with the columns a dump has.
pub(super) async fn shapes(client: &Client) -> Result<Vec<Shape>> {
    let failed = |error| own_failure("listing tables and columns", &error);
    let shape = |row: &Row| {
        let names: Vec<String> = row.try_get(3)?;
        let kinds: Vec<String> = row.try_get(4)?;
        Ok(Shape {
            oid: row.try_get(0)?,
            name: TableName { schema: row.try_get(1)?, table: row.try_get(2)? },
            columns: names.into_iter().zip(kinds).map(|(name, kind)| Column { name, kind }).collect(),
            is_elsewhere: row.try_get(5)?,
        })
    };
    client
        .query(&qualify(TABLES), &[])
        .await
        .and_then(|rows| rows.iter().map(shape).collect())
        .map_err(failed)
}

/// The installed extensions, by name.
pub(super) async fn extensions(client: &Client) -> Result<Vec<Extension>> {
    let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY 1";
    let extension = |row: &Row| Ok(Extension { name: row.try_get(0)?, version: row.try_get(1)? });
    let rows = client.query(&qualify(sql), &[]).await.and_then(|rows| rows.iter().map(extension).collect());
    rows.map_err(|error| own_failure("listing extensions", &error))
}

impl Server {
    /// A restored database: its tables with the columns a dump has, and its extensions.
    pub async fn shapes(&self, database: &DatabaseName) -> Result<(Vec<Shape>, Vec<Extension>)> {
        let client = self.connect_pinned(database.as_str(), &Pins::catalog()).await?.client;
        pin(&client).await?;
        Ok((shapes(&client).await?, extensions(&client).await?))
    }

    /// Columns of a restored database whose values are written by types of the backup's own, or of its extensions.
    pub async fn foreign_types(&self, database: &DatabaseName) -> Result<Vec<String>> {
        let doing = "listing the types of columns";
        let rows = self.catalog(database.as_str()).await?.query(FOREIGN_TYPES, &[]).await;
        let rows = rows.map_err(|error| own_failure(doing, &error))?;
        let column = |row: &Row| {
            let text = |index| name(row, index, doing);
            Ok(format!("{}.{}.{} ({})", text(0)?, text(1)?, text(2)?, text(3)?))
        };
        rows.iter().map(column).collect()
    }

    /// Reads every row of these tables of a restored database, on so many connections, in constant memory. Returns what
    /// each came to, in their order.
    pub async fn fold_rows(
        &self,
        database: &DatabaseName,
        tables: Vec<TableToRead>,
        key: &FingerprintKey,
        connections: usize,
    ) -> Result<Vec<Folded>> {
        let connect = async || Ok(self.connect_pinned(database.as_str(), &Pins::rows()).await?.client);
        let pieces = pieces(&connect().await?, &tables).await?;
        let mut clients = Vec::new();
        while clients.len() < connections.min(pieces.len()) {
            clients.push(connect().await?);
        }
        for client in &clients {
            pin(client).await?;
        }
        let reading = Arc::new(Reading::new(tables, pieces, key));
        read_on(clients, &reading, Locking::Needless).await?;
        Ok(reading.folded())
    }
}
