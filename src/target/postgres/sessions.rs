//! Connections to a restored server: one type for queries of our own, one for those that may run code of the backup.
//!
//! What a backup brings along runs in many places: a CHECK constraint, an index that is made of an expression (already
//! when a query on its table is planned), a cast, a view. It can change the settings of the connection it runs on, and with
//! them what the next statement means. So a [`CatalogSession`] takes nothing but queries that are written in this program,
//! on the system's own catalogs; and a [`ForeignSession`] is set back to its beginning before each statement.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, SimpleQueryRow};

use super::failures::own_failure;
use super::own_sql::qualify;
use super::pins::Pins;
use super::server::Server;
use super::server_text::ServerText;
use crate::model::failure::Result;

/// A connection on which no code of the backup's ever runs.
pub struct CatalogSession(Pinned);

/// A connection on which code of the backup's may run.
pub struct ForeignSession(Pinned);

/// A connection whose settings are ours.
pub(super) struct Pinned {
    /// The connection.
    pub client: Client,
    /// Whether the database has no encoding, and stores any bytes as text.
    pub is_ascii: bool,
}

impl Server {
    /// A connection for queries on the catalogs of a database.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn catalog(&self, database: &str) -> Result<CatalogSession> {
        self.connect_pinned(database, &Pins::catalog()).await.map(CatalogSession)
    }

    /// A connection for statements that name relations of the backup's, or have expressions of its own in them.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn foreign(&self, database: &str, pins: &Pins) -> Result<ForeignSession> {
        self.connect_pinned(database, pins).await.map(ForeignSession)
    }
}

impl Pinned {
    /// Asks for texts as they are stored: a database without an encoding cannot translate them into UTF-8.
    pub async fn take_any_bytes(&self) -> Result<(), Error> {
        if self.is_ascii {
            self.client.batch_execute("SET client_encoding = 'SQL_ASCII'").await
        } else {
            Ok(())
        }
    }

    /// Resets the connection to what it was in its beginning. `DISCARD ALL` is not a query: it looks up no name that the
    /// backup could have defined.
    async fn begin_anew(&self) -> Result<(), Error> {
        self.client.batch_execute("DISCARD ALL").await?;
        self.take_any_bytes().await
    }
}

impl CatalogSession {
    /// Runs a query of our own. Only what is written in this program has that lifetime, so that no name of the backup's is
    /// ever part of it.
    pub async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.0.client.query(&qualify(sql), parameters).await
    }

    /// As [`CatalogSession::query`], for one row.
    pub async fn query_one(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        self.0.client.query_one(&qualify(sql), parameters).await
    }

    /// As [`CatalogSession::query`], for one row or none.
    pub async fn query_opt(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        self.0.client.query_opt(&qualify(sql), parameters).await
    }
}

impl ForeignSession {
    /// Runs a statement on the connection as it was in its beginning, whatever ran on it before. Returns the rows, as text.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.0.begin_anew().await?;
        let messages = self.0.client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |row: &SimpleQueryRow, index| row.try_get(index).map(|text| text.map(str::to_owned));
        rows.map(|row| (0..row.len()).map(|index| text(row, index)).collect()).collect()
    }

    /// As [`ForeignSession::rows`], for a statement that returns one row of numbers.
    pub async fn numbers(&self, sql: &str) -> Result<Vec<Option<i64>>, Error> {
        let row = self.rows(sql).await?.into_iter().next().unwrap_or_default();
        Ok(row.into_iter().map(|value| value.and_then(|value| value.parse().ok())).collect())
    }
}

/// A name, or another text, of a row of the catalogs.
pub fn name(row: &Row, index: usize, doing: &str) -> Result<String> {
    let text = row.try_get::<_, ServerText>(index);
    text.map(ServerText::into_string).map_err(|error| own_failure(doing, &error))
}
