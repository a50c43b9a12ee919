//! Connections for queries that may take long, or do what they should not: they change nothing, and they end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_postgres::Client;

use super::connections::Connections;
use super::{Server, execute};
use crate::failure::Result;
use crate::names::DatabaseName;

impl Server {
    /// A connection in a transaction that cannot write, whose statements end after `timeout`. Times without a zone are
    /// taken as UTC.
    pub(super) async fn guarded(&self, database: &DatabaseName, timeout: Duration) -> Result<Client> {
        let client = self.connect(database.as_str()).await?;
        // A function in the restored data could take the limit off; the drill's own time limit stands behind it.
        let guard = format!("{}; SET TimeZone = 'UTC'; BEGIN READ ONLY", limit(timeout));
        execute(&client, &guard, "guarding a connection").await?;
        Ok(client)
    }

    /// Works on every item: on this connection, which the SQL has still to prepare and for which the caller holds a
    /// permit, and on more where they are to spare. Results come in no order.
    pub(super) async fn on_connections<T: Send, R: Send>(
        &self,
        database: &DatabaseName,
        first: Arc<Client>,
        connections: &Connections,
        prepare: &str,
        items: Vec<T>,
        work: impl Fn(Arc<Client>, T) -> BoxFuture<'static, Result<R>> + Sync,
    ) -> Result<Vec<R>> {
        execute(&first, prepare, "preparing a connection").await?;
        let connect = || self.prepared(database, prepare).boxed();
        connections.spread(first, items, connect, work).await
    }

    async fn prepared(&self, database: &DatabaseName, prepare: &str) -> Result<Arc<Client>> {
        let client = self.connect(database.as_str()).await?;
        execute(&client, prepare, "preparing a connection").await?;
        Ok(Arc::new(client))
    }
}

/// SQL that makes every statement of a connection end after this.
pub(super) fn limit(timeout: Duration) -> String {
    // Postgres takes milliseconds, up to what fits 32 bits.
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
    format!("SET statement_timeout = {millis}")
}
