//! Connections for the template's own queries, and for work that spreads over several connections.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_postgres::Client;

use super::connections::Connections;
use super::pins::Pins;
use super::server::Server;
use super::sessions::ForeignSession;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

impl Server {
    /// A connection for one query of the template's: it cannot write, and its statements end after `timeout`. Times
    /// without a zone are taken as UTC.
    pub(super) async fn guarded(&self, database: &DatabaseName, timeout: Duration) -> Result<Client> {
        // A function in the restored data could take the limit off; the drill's own time limit stands behind it.
        let pins = Pins::template().timeout(timeout);
        Ok(self.connect_pinned(database.as_str(), &pins).await?.client)
    }

    /// Works on every item: on one connection, for which the caller holds a permit, and on more where they are to spare.
    /// Results come in no order.
    pub(super) async fn on_connections<T: Send, R: Send>(
        &self,
        database: &DatabaseName,
        connections: &Connections,
        pins: &Pins,
        items: Vec<T>,
        work: impl Fn(Arc<ForeignSession>, T) -> BoxFuture<'static, Result<R>> + Sync,
    ) -> Result<Vec<R>> {
        let connect = || async move { Ok(Arc::new(self.foreign(database.as_str(), pins).await?)) }.boxed();
        let first = connect().await?;
        connections.spread(first, items, connect, work).await
    }
}
