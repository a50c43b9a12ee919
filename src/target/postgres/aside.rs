//! Questions to a source that leave the transaction of its snapshot as it was.

use tokio_postgres::{Client, Error};

/// Asks something in a savepoint, under these settings. Whatever comes of it, the transaction goes on, and locks that were
/// taken for it are given back.
pub(super) async fn aside<T, E>(
    client: &Client,
    settings: &str,
    failed: impl Fn(Error) -> E,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    client.batch_execute(&format!("SAVEPOINT aside; {settings}")).await.map_err(&failed)?;
    let answer = asking.await;
    client.batch_execute("ROLLBACK TO SAVEPOINT aside; RELEASE SAVEPOINT aside").await.map_err(failed)?;
    answer
}
