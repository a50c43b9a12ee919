//! A snapshot of the source that several connections share, `pg_dump`'s among them: what is read here are the very rows
//! that are dumped, whatever is written meanwhile.

use super::failures::error_text;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use super::client::execute;
use super::collation;
use super::content::{self, Locking, Reading, Shape, TableToRead};
use super::failures::query_failure;
use super::quote::quote_literal;
use super::source::SourceServer;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{Collations, FingerprintKey, Rows, Source, Table};
use crate::model::names::DatabaseName;

/// Connections that read the source's rows besides the one that holds the snapshot. `pg_dump` reads on one more.
const CONNECTIONS: usize = 2;
/// Older servers write floating-point numbers in other ways than the server they are restored to.
const OLDEST: i32 = 12;

/// Why rows of an unlogged table are not read from a standby.
const IT_IS_ELSEWHERE: &str = "it is unlogged, and its rows are not on a standby";

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// An exported snapshot. It lasts as long as this value.
pub struct Snapshot {
    client: Client,
    server: SourceServer,
    database: DatabaseName,
    major: u32,
    /// What `pg_dump --snapshot` takes.
    pub id: String,
    /// What the server says about itself and the database.
    pub source: Source,
}

impl SourceServer {
    /// Takes a snapshot of a database, and exports it.
    ///
    /// # Errors
    /// `source_unreachable`; `source_too_old`; `snapshot_refused`, by a server that cannot export one.
    pub async fn snapshot(&self, database: &DatabaseName) -> Result<Snapshot> {
        let client = self.connect(database).await?;
        content::pin(&client).await?;
        execute(&client, BEGIN, "beginning a transaction on the source").await?;
        let failed = |error| query_failure("asking the source for its version", &error);
        let row = client
            .query_one(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int4 / 10000,
                        current_setting('server_encoding'), pg_is_in_recovery(), now()",
                &[],
            )
            .await
            .map_err(failed)?;
        let (version, major): (String, i32) =
            (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        if major < OLDEST {
            let message = format!(
                "the source is PostgreSQL {version}, and writes numbers in other ways than {OLDEST} and later"
            );
            return Err(Failure::bad(codes::SOURCE_TOO_OLD, message));
        }
        let snapshot_at: DateTime<Utc> = row.try_get(4).map_err(failed)?;
        let source = Source {
            server_version: version,
            encoding: row.try_get(2).map_err(failed)?,
            standby: row.try_get(3).map_err(failed)?,
            snapshot_at,
            extensions: content::extensions(&client).await?,
        };
        let exported = client.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await;
        let exported = exported.and_then(|row| row.try_get(0)).map_err(|error| {
            Failure::bad(
                codes::SNAPSHOT_REFUSED,
                format!("the source exports no snapshot: {}", error_text(&error)),
            )
        });
        Ok(Snapshot {
            id: exported?,
            client,
            server: self.clone(),
            database: database.clone(),
            major: major.unsigned_abs(),
            source,
        })
    }
}

impl Snapshot {
    /// The connection that holds it. What is asked on it must not end its transaction.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Reads every table under the snapshot. Begin once `pg_dump` holds its locks: as long as it does, no session changes a
    /// table. A table is locked while it is read and no longer, since the source's lock table is shared by all its sessions,
    /// and locks that cannot be had at once are not waited for.
    pub async fn read(&self, key: &FingerprintKey) -> Result<Vec<Table>> {
        let shapes = content::shapes(&self.client).await?;
        let wanted: Vec<TableToRead> =
            shapes.iter().filter(|shape| !shape.is_elsewhere).map(TableToRead::from).collect();
        let pieces = content::pieces(&self.client, &wanted).await?;
        let mut helpers = Vec::new();
        while helpers.len() < CONNECTIONS.min(pieces.len()) {
            match self.join().await {
                Ok(helper) => helpers.push(helper),
                // The source has no connection to spare; those there are have to do.
                Err(_) => break,
            }
        }
        let reading = Arc::new(Reading::new(wanted.clone(), pieces, key));
        content::read_on(helpers, &reading, Locking::WhileRead).await?;
        // What is left: there was no helper, or somebody waited to change it, who may be done by now.
        reading.take_up_refused();
        reading.drain(&self.client, Locking::WhileRead).await?;
        let unread = reading.unread();
        let folded: BTreeMap<u32, _> = wanted.iter().map(|table| table.oid).zip(reading.folded()).collect();
        let table = |shape: Shape| {
            let rows = match (unread.get(&shape.oid), folded.get(&shape.oid)) {
                (Some(reason), _) => Rows::Unread { reason: (*reason).to_owned() },
                (None, Some(folded)) => Rows::Read { count: folded.rows, fingerprint: folded.fingerprint },
                // Reading one would fail, and with it everything else in the transaction. A dump has no rows of it either.
                (None, None) => Rows::Unread { reason: IT_IS_ELSEWHERE.to_owned() },
            };
            Table { schema: shape.name.schema, name: shape.name.table, columns: shape.columns, rows }
        };
        Ok(shapes.into_iter().map(table).collect())
    }

    /// How the database compares texts.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn collations(&self) -> Result<Collations> {
        collation::read(&self.client, self.major).await
    }

    /// Another connection that sees what this one sees.
    async fn join(&self) -> Result<Client> {
        let client = self.server.connect(&self.database).await?;
        content::pin(&client).await?;
        execute(&client, BEGIN, "beginning a transaction on the source").await?;
        let sql = format!("SET TRANSACTION SNAPSHOT {}", quote_literal(&self.id));
        execute(&client, &sql, "sharing the snapshot").await?;
        Ok(client)
    }
}

impl From<&Shape> for TableToRead {
    fn from(shape: &Shape) -> Self {
        Self {
            oid: shape.oid,
            name: shape.name.clone(),
            columns: shape.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }
}
