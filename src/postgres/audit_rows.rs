//! Rows of an audit chain, streamed in chain order by binary COPY: no row is held longer than its turn.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use tokio_postgres::binary_copy::{BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::types::{FromSql, Type};

use super::{Server, query_failure, quote_identifier};
use crate::chain::AuditRow;
use crate::check::ChainRow;
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;
use crate::template::TableName;

/// Microseconds from the Unix epoch to Postgres's own, 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The columns, as [`chain_row`] reads them.
const TYPES: [Type; 15] = [
    Type::TEXT,        // id
    Type::TEXT,        // tenant_id
    Type::INT2,        // chain_shard
    Type::INT8,        // chain_sequence
    Type::INT2,        // hash_version
    Type::TEXT,        // event_hash
    Type::TEXT,        // prev_hash
    Type::TEXT,        // agent_id
    Type::TEXT,        // action
    Type::TEXT,        // tool
    Type::TEXT,        // decision
    Type::TEXT,        // request_id
    Type::TEXT,        // reason
    Type::TEXT,        // metadata_json
    Type::TIMESTAMPTZ, // "timestamp"
];

impl Server {
    /// Streams every row of the chains that fall into one of `slices` equal parts. A chain lies in one part whole,
    /// and comes in its order.
    ///
    /// # Errors
    /// `chain_columns_missing`, if the table is not an audit table; `query_failed`.
    pub async fn audit_rows(
        &self,
        database: &DatabaseName,
        table: &TableName,
        slice: usize,
        slices: usize,
        mut each: impl FnMut(&ChainRow<'_>),
    ) -> Result<()> {
        let client = self.connect(database.as_str()).await?;
        let failed = |error| query_failure(&format!("reading the audit chain of {table}"), &error);
        let columns = client
            .query(
                "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
                &[&table.schema, &table.table],
            )
            .await
            .map_err(failed)?;
        let columns: BTreeSet<String> = columns.iter().map(|row| row.get(0)).collect();
        let query = query(table, &columns, slice, slices)?;
        let stream =
            client.copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT binary)")).await.map_err(failed)?;
        let mut rows = std::pin::pin!(BinaryCopyOutStream::new(stream, &TYPES));
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            each(&chain_row(&row).map_err(failed)?);
        }
        Ok(())
    }
}

/// Older tables lack some columns; each has a meaning when it is absent.
fn query(table: &TableName, columns: &BTreeSet<String>, slice: usize, slices: usize) -> Result<String> {
    let required = [
        "id",
        "tenant_id",
        "event_hash",
        "prev_hash",
        "agent_id",
        "action",
        "tool",
        "decision",
        "request_id",
        "timestamp",
    ];
    let missing: Vec<&str> = required.into_iter().filter(|name| !columns.contains(*name)).collect();
    if !missing.is_empty() {
        return Err(Failure::bad(
            "chain_columns_missing",
            format!("{table} lacks the columns {}", missing.join(", ")),
        )
        .hint("is it the audit table? the scheme aegis-audit needs them all"));
    }
    let optional = |name: &str, sql: &str, absent: &str| {
        if columns.contains(name) { sql.to_owned() } else { absent.to_owned() }
    };
    let shard = optional("chain_shard", "coalesce(chain_shard, 0)::int2", "0::int2");
    let sequence = optional("chain_sequence", "chain_sequence::int8", "NULL::int8");
    let order = optional("chain_sequence", "chain_sequence", "\"timestamp\", id");
    let chain = format!("hashtext(coalesce(tenant_id::text, '') || '/' || {shard})");
    Ok(format!(
        "SELECT id::text, tenant_id::text, {shard}, {sequence}, {version}, event_hash::text, prev_hash::text,
            agent_id::text, action::text, tool::text, decision::text, request_id::text, {reason}, {metadata},
            \"timestamp\"::timestamptz
         FROM {schema}.{name} WHERE mod({chain}::int8 + 2147483648, {slices}) = {slice}
         ORDER BY tenant_id, {shard}, {order}",
        version = optional("hash_version", "hash_version::int2", "NULL::int2"),
        reason = optional("reason", "reason::text", "NULL::text"),
        metadata = optional("metadata_json", "metadata_json::text", "NULL::text"),
        schema = quote_identifier(&table.schema),
        name = quote_identifier(&table.table),
    ))
}

fn chain_row(row: &BinaryCopyOutRow) -> Result<ChainRow<'_>, tokio_postgres::Error> {
    let text = |index: usize| row.try_get::<Option<&str>>(index);
    Ok(ChainRow {
        id: text(0)?.unwrap_or_default(),
        shard: row.try_get(2)?,
        sequence: row.try_get(3)?,
        version: row.try_get(4)?,
        event_hash: text(5)?,
        prev_hash: text(6)?,
        content: AuditRow {
            tenant_id: text(1)?,
            agent_id: text(7)?,
            action: text(8)?.unwrap_or_default(),
            tool: text(9)?,
            decision: text(10)?.unwrap_or_default(),
            request_id: text(11)?,
            reason: text(12)?,
            metadata: text(13)?,
            timestamp_micros: row.try_get::<Option<Micros>>(14)?.map(|micros| micros.0),
        },
    })
}

/// A `timestamptz` as microseconds since the Unix epoch.
struct Micros(i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        // ±infinity are the ends of the range; saturating keeps them there.
        Ok(Self(i64::from_be_bytes(raw.try_into()?).saturating_add(POSTGRES_EPOCH_MICROS)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}
