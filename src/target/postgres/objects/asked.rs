//! Who is asked: the source under a backup's snapshot, or the server of a drill.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};

use crate::target::postgres::aside::aside;
use crate::target::postgres::own_sql::qualify;
use crate::target::postgres::sessions::CatalogSession;

/// A connection to catalogs.
pub(super) enum Asked<'a> {
    /// The one that holds a backup's snapshot.
    Source(&'a Client),
    /// One to a restored database.
    Restored(&'a CatalogSession),
}

/// A lock that somebody else holds is not waited for for long.
const PATIENCE: &str = "SET LOCAL lock_timeout = '5s'";

impl Asked<'_> {
    /// The rows that a query of our own returns.
    pub(super) async fn rows(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Asked::Restored(session) => session.query(sql, parameters).await,
            Asked::Source(client) => {
                let sql = qualify(sql);
                aside(client, PATIENCE, |error| error, client.query(&sql, parameters)).await
            }
        }
    }
}
