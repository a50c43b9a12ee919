//! Reading pieces of tables on several connections, and adding up what they come to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::{execute, query_failure};
use super::pieces::{Piece, copy, quoted};
use super::{Folded, Wanted};
use crate::failure::{Failure, Result};
use crate::manifest::{FingerprintKey, RowHasher, TableFold};
use crate::template::TableName;

/// The pieces that are still to be read, and what was read: shared by the connections that read them.
pub(in crate::postgres) struct Reading {
    tables: Vec<Wanted>,
    hashers: Vec<RowHasher>,
    queue: Mutex<VecDeque<Piece>>,
    folded: Mutex<Vec<Folded>>,
    refused: Mutex<VecDeque<Piece>>,
}

/// Whether a connection must lock what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Locking {
    /// Nobody else changes the tables, or they are locked already.
    Needless,
    /// Lock each table, but never wait for it.
    NoWait,
}

impl Reading {
    pub(in crate::postgres) fn new(
        tables: Vec<Wanted>,
        pieces: VecDeque<Piece>,
        key: &FingerprintKey,
    ) -> Self {
        let hasher = |table: &Wanted| {
            let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            RowHasher::new(key, &table.name.schema, &table.name.table, &columns)
        };
        Self {
            hashers: tables.iter().map(hasher).collect(),
            folded: Mutex::new(vec![Folded::default(); tables.len()]),
            queue: Mutex::new(pieces),
            refused: Mutex::default(),
            tables,
        }
    }

    /// Reads pieces until none is left. A piece whose table cannot be locked at once is put aside.
    pub(in crate::postgres) async fn drain(&self, client: &Client, locking: Locking) -> Result<()> {
        while let Some(piece) = self.next() {
            if locking == Locking::NoWait && !lock_at_once(client, &[&self.tables[piece.table].name]).await? {
                lock(&self.refused).push_back(piece);
                continue;
            }
            let folded = self.read(client, &piece).await?;
            let sum = &mut lock(&self.folded)[piece.table];
            sum.rows += folded.rows;
            sum.fingerprint.add(&folded.fingerprint);
        }
        Ok(())
    }

    fn next(&self) -> Option<Piece> {
        lock(&self.queue).pop_front()
    }

    /// Has the pieces read that were put aside.
    pub(in crate::postgres) fn take_up_refused(&self) {
        let refused = std::mem::take(&mut *lock(&self.refused));
        lock(&self.queue).extend(refused);
    }

    /// What each table came to, in the order of the list.
    pub(in crate::postgres) fn folded(&self) -> Vec<Folded> {
        lock(&self.folded).clone()
    }

    async fn read(&self, client: &Client, piece: &Piece) -> Result<Folded> {
        let table = &self.tables[piece.table];
        let failed = |error| query_failure(&format!("reading the rows of {}", table.name), &error);
        let mut fold = TableFold::new(self.hashers[piece.table].clone());
        let rows = client.copy_out(&copy(table, piece)).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(chunk) = rows.try_next().await.map_err(failed)? {
            fold.push(&chunk);
        }
        let (rows, fingerprint) = fold.finish().map_err(|_| {
            let message = format!("reading the rows of {}: the last one has no end", table.name);
            Failure::inconclusive("query_failed", message)
        })?;
        Ok(Folded { rows, fingerprint })
    }
}

/// Locks tables against being dropped, emptied or rewritten, within a transaction that goes on if they cannot be locked
/// at once. Waiting could be for ever: whoever is in front may wait for a lock that the same backup holds.
pub(in crate::postgres) async fn lock_at_once(client: &Client, tables: &[&TableName]) -> Result<bool> {
    let names: Vec<String> = tables.iter().map(|table| format!("ONLY {}", quoted(table))).collect();
    let names = names.join(", ");
    let sql =
        format!("SAVEPOINT lock; LOCK TABLE {names} IN ACCESS SHARE MODE NOWAIT; RELEASE SAVEPOINT lock");
    match client.batch_execute(&sql).await {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            execute(client, "ROLLBACK TO SAVEPOINT lock", "going on without a lock").await?;
            Ok(false)
        }
        Err(error) => Err(query_failure("locking tables", &error)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that could panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has several connections read at once, each on a task of its own. The first failure ends them all.
pub(in crate::postgres) async fn read_on(
    clients: Vec<Client>,
    reading: &Arc<Reading>,
    locking: Locking,
) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients {
        let reading = Arc::clone(reading);
        tasks.spawn(async move { reading.drain(&client, locking).await });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| {
            Failure::inconclusive("internal_error", format!("reading rows broke off: {error}"))
                .hint("this is a defect of restore-drill; please report it")
        })??;
    }
    Ok(())
}
