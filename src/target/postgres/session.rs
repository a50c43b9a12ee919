//! A connection to one database, for loading data into it.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::client::execute;
use super::failures::query_failure;
use super::server::Server;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// An open connection.
pub struct Session {
    client: Client,
}

impl Server {
    /// Connects to a database.
    pub async fn session(&self, database: &DatabaseName) -> Result<Session> {
        Ok(Session { client: self.connect_unpinned(database.as_str()).await? })
    }
}

impl Session {
    /// Runs SQL that returns nothing.
    pub async fn execute(&mut self, sql: &str, doing: &str) -> Result<()> {
        execute(&self.client, sql, doing).await
    }

    /// Runs SQL whose last statement returns a text, and returns that of its first row.
    pub async fn text(&mut self, sql: &str, doing: &str) -> Result<Option<String>> {
        let failed = |error| query_failure(doing, &error);
        let messages = self.client.simple_query(sql).await.map_err(failed)?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
            _ => None,
        }))
    }

    /// Runs a `COPY … FROM STDIN`, streaming its data.
    pub async fn copy_in(
        &mut self,
        statement: &str,
        chunks: Box<dyn Iterator<Item = Bytes> + Send>,
    ) -> Result<u64> {
        let failed = |error| query_failure("loading rows", &error);
        let sink = self.client.copy_in(statement).await.map_err(failed)?;
        let mut sink = std::pin::pin!(sink);
        for chunk in chunks {
            sink.send(chunk).await.map_err(failed)?;
        }
        sink.finish().await.map_err(failed)
    }
}
