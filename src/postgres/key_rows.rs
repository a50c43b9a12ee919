//! Keys of one side of a reconciliation, streamed in byte order.

use std::pin::Pin;

use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream, SimpleQueryMessage};

use super::{Server, query_failure, quote_identifier};
use crate::check::KeyRow;
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;

/// Rows of a query that returns `key text`, `at timestamptz` and `required boolean`.
pub struct KeyRows {
    /// Keeps the connection open while rows are read.
    _client: Client,
    rows: Pin<Box<RowStream>>,
}

impl Server {
    /// Runs a side's query. Rows without a key are left out: they cannot be known to anybody.
    ///
    /// # Errors
    /// `query_failed`, `query_shape` if the columns are not the three.
    pub async fn key_rows(&self, database: &DatabaseName, query: &str) -> Result<KeyRows> {
        let client = self.read_only(database).await?;
        let doing = format!("running the query on {database}");
        let failed = |error| query_failure(&doing, &error);
        let key = quote_identifier("key");
        let sorted = format!(
            "SELECT {key}, at, required FROM ({query}) side WHERE {key} IS NOT NULL ORDER BY {key} COLLATE \"C\""
        );
        let statement = client.prepare(&sorted).await.map_err(failed)?;
        let kinds: Vec<&Type> = statement.columns().iter().map(tokio_postgres::Column::type_).collect();
        if kinds != [&Type::TEXT, &Type::TIMESTAMPTZ, &Type::BOOL] {
            let found: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            return Err(Failure::config("query_shape", format!("the query on {database} returns {}", found.join(", ")))
                .hint("it must return the columns key (text), at (timestamptz) and required (boolean); cast what is another type"));
        }
        let rows =
            client.query_raw(&statement, std::iter::empty::<&(dyn ToSql + Sync)>()).await.map_err(failed)?;
        Ok(KeyRows { _client: client, rows: Box::pin(rows) })
    }

    /// The first column of the first row of a query, as text.
    pub async fn fact(&self, database: &DatabaseName, query: &str) -> Result<Option<String>> {
        let client = self.read_only(database).await?;
        let sql = format!("SELECT * FROM ({query}) fact LIMIT 1");
        let messages = client
            .simple_query(&sql)
            .await
            .map_err(|error| query_failure(&format!("running the query on {database}"), &error))?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
            _ => None,
        }))
    }

    /// A connection that changes nothing: restored data is untrusted, and so is what a view in it may do.
    async fn read_only(&self, database: &DatabaseName) -> Result<Client> {
        let client = self.connect(database.as_str()).await?;
        let read_only = client.batch_execute("SET default_transaction_read_only = on").await;
        read_only.map_err(|error| query_failure("making a connection read-only", &error))?;
        Ok(client)
    }
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
