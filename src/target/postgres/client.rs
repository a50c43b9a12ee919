//! What every connection needs.

use tokio_postgres::Client;

use super::failures::own_failure;
use crate::model::failure::Result;

/// Runs a connection until its client is gone.
pub(super) fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(async move {
        // The client's next call reports why a connection ended; no caller is waiting for it here.
        let _ = connection.await;
    });
}

pub(super) async fn execute(client: &Client, sql: &str, doing: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|error| own_failure(doing, &error))
}
