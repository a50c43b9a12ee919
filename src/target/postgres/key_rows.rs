//! Keys of one side of a reconciliation, streamed in byte order.

use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream, SimpleQueryMessage, Statement};

use super::assertion::failed;
use super::failures::query_failure;
use super::server::Server;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;

/// A row of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// What the other side knows it by.
    pub key: String,
    /// When it was written, where that is known.
    pub at: Option<DateTime<Utc>>,
    /// Whether the other side must have it. Rows that it need not have still answer for its own.
    pub required: bool,
}

/// Rows of a query that returns `key text`, `at timestamptz` and `required boolean`.
pub struct KeyRows {
    /// Keeps the connection open while rows are read.
    _client: Client,
    rows: Pin<Box<RowStream>>,
}

impl Server {
    /// Runs a side's query. Rows without a key are left out: they cannot be known to anybody. A time that is in no
    /// calendar, such as `infinity`, is as good as none.
    ///
    /// # Errors
    /// `query_shape` if the columns are not the three; `query_invalid`, `query_writes`, `schema_differs`,
    /// `query_failed`.
    pub async fn key_rows(&self, database: &DatabaseName, query: &str) -> Result<KeyRows> {
        let client = self.read_only(database).await?;
        let failed = |error| failed(database, &error);
        // Prepared as it is, so that the query's own errors are not those of what is around it.
        require_shape(database, &client.prepare(query).await.map_err(failed)?)?;
        let rows = client
            .query_raw(&sorted(query), std::iter::empty::<&(dyn ToSql + Sync)>())
            .await
            .map_err(failed)?;
        Ok(KeyRows { _client: client, rows: Box::pin(rows) })
    }

    /// The first column of the first row of a query, as text.
    pub async fn fact(&self, database: &DatabaseName, query: &str) -> Result<Option<String>> {
        let client = self.read_only(database).await?;
        let sql = format!("SELECT * FROM (\n{query}\n) fact LIMIT 1");
        let messages = client.simple_query(&sql).await.map_err(|error| failed(database, &error))?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
            _ => None,
        }))
    }

    /// A connection that changes nothing: restored data is untrusted, and so is what a view in it may do.
    async fn read_only(&self, database: &DatabaseName) -> Result<Client> {
        self.guarded(database, Duration::ZERO).await
    }
}

/// The query's rows in byte order of their keys. It is on lines of its own, so that a comment at its end ends there.
fn sorted(query: &str) -> String {
    format!(
        "SELECT key, CASE WHEN at OPERATOR(pg_catalog.>=) '0001-01-01 00:00:00+00'
                           AND at OPERATOR(pg_catalog.<) '10000-01-01 00:00:00+00' THEN at END, required
         FROM (\n{query}\n) side WHERE key IS NOT NULL ORDER BY key COLLATE pg_catalog.\"C\""
    )
}

fn require_shape(database: &DatabaseName, statement: &Statement) -> Result<()> {
    let columns = statement.columns();
    let has = |name, kind| {
        let mut named = columns.iter().filter(|column| column.name() == name);
        named.next().is_some_and(|column| *column.type_() == kind) && named.next().is_none()
    };
    if has("key", Type::TEXT) && has("at", Type::TIMESTAMPTZ) && has("required", Type::BOOL) {
        return Ok(());
    }
    let found: Vec<String> =
        columns.iter().map(|column| format!("{} ({})", column.name(), column.type_())).collect();
    let found = crate::model::human::one_line(&found.join(", "), 200);
    Err(Failure::config(codes::QUERY_SHAPE, format!("the query on {database} returns {found}"))
        .hint("it must return the columns key (text), at (timestamptz) and required (boolean); cast what is another type"))
}

impl KeyRows {
    /// The next row.
    pub async fn next(&mut self) -> Result<Option<KeyRow>> {
        let failed = |error| query_failure("reading keys", &error);
        let Some(row) = self.rows.try_next().await.map_err(failed)? else { return Ok(None) };
        Ok(Some(KeyRow {
            key: row.try_get(0).map_err(failed)?,
            at: row.try_get(1).map_err(failed)?,
            required: row.try_get::<_, Option<bool>>(2).map_err(failed)?.unwrap_or(true),
        }))
    }
}
