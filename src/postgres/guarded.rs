//! Connections for queries that may take long, or do what they should not: they change nothing, and they end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, try_join_all};
use tokio::sync::Semaphore;
use tokio_postgres::Client;

use super::{Server, execute};
use crate::failure::Result;
use crate::names::DatabaseName;

/// Connections that the databases of a check share: the largest is not left alone at the end with one of them.
#[derive(Debug)]
pub struct Connections {
    permits: Semaphore,
    most: usize,
}

impl Connections {
    /// So many may be at work at once.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { permits: Semaphore::new(most), most }
    }
}

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

    /// Works on every item: on this connection, which the SQL has still to prepare, and on more where there are permits
    /// to spare. A permit is held for as long as an item takes. Results come in no order.
    pub(super) async fn on_connections<T: Send, R: Send>(
        &self,
        database: &DatabaseName,
        first: Arc<Client>,
        shared: &Connections,
        prepare: &str,
        items: Vec<T>,
        work: impl Fn(Arc<Client>, T) -> BoxFuture<'static, Result<R>> + Sync,
    ) -> Result<Vec<R>> {
        execute(&first, prepare, "preparing a connection").await?;
        let connections = shared.most.min(items.len().max(1));
        let queue = Mutex::new(items.into_iter());
        let (queue, work) = (&queue, &work);
        let workers = (0..connections).map(|number| {
            let mut client = (number == 0).then(|| Arc::clone(&first));
            async move {
                let mut done = Vec::new();
                loop {
                    let _permit = shared.permits.acquire().await.expect("never closed");
                    let item = queue.lock().expect("nothing panics while it is held").next();
                    let Some(item) = item else { return Ok(done) };
                    let connected = match client.take() {
                        Some(connected) => connected,
                        // Only now, since most databases are done before a second connection would be made.
                        None => self.prepared(database, prepare).await?,
                    };
                    done.push(work(Arc::clone(&connected), item).await?);
                    client = Some(connected);
                }
            }
        });
        Ok(try_join_all(workers).await?.into_iter().flatten().collect())
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
