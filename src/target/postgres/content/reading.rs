//! Reading pieces of tables on several connections, and adding up what they come to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::pieces::{Piece, copy, quoted};
use super::table::{Folded, TableToRead};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{FingerprintKey, RowHasher, TableFold};
use crate::target::postgres::client::execute;
use crate::target::postgres::failures::own_failure;

/// Whether the rows of a table may be others now than in the snapshot: it was emptied, rewritten, dropped, or another has
/// its name since. Snapshots take no notice of that; the number of the table's file does.
const CHANGED: &str = "
    SELECT NOT EXISTS (
        SELECT FROM pg_catalog.pg_class c
        WHERE c.oid OPERATOR(pg_catalog.=) $1
          AND c.relfilenode OPERATOR(pg_catalog.=) pg_catalog.pg_relation_filenode(c.oid)
          AND c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2)::pg_catalog.oid)";

/// Why rows of a table that changed are not read.
const IT_CHANGED: &str = "the table was emptied, rewritten or dropped while the backup ran";
/// Why rows of a table that cannot be locked are not read.
const IT_IS_WAITED_FOR: &str = "somebody was waiting to change the table";

/// The pieces that are still to be read, and what was read: shared by the connections that read them.
pub(in crate::target::postgres) struct Reading {
    tables: Vec<TableToRead>,
    hashers: Vec<RowHasher>,
    queue: Mutex<VecDeque<Piece>>,
    folded: Mutex<Vec<Folded>>,
    refused: Mutex<VecDeque<Piece>>,
    unread: Mutex<BTreeMap<u32, &'static str>>,
}

/// Whether a connection must lock what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target::postgres) enum Locking {
    /// No other session changes the tables.
    Needless,
    /// Lock each table as long as it is read, and never wait for it.
    WhileRead,
}

/// What became of locking a table.
enum Locked {
    Yes,
    /// Another session waits to change it, and a reader would have to wait behind it.
    No,
    /// It is not the table of the snapshot any more.
    Changed,
}

impl Reading {
    pub(in crate::target::postgres) fn new(
        tables: Vec<TableToRead>,
        pieces: VecDeque<Piece>,
        key: &FingerprintKey,
    ) -> Self {
        let hasher = |table: &TableToRead| {
            let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            RowHasher::new(key, &table.name.schema, &table.name.table, &columns)
        };
        Self {
            hashers: tables.iter().map(hasher).collect(),
            folded: Mutex::new(vec![Folded::default(); tables.len()]),
            queue: Mutex::new(pieces),
            refused: Mutex::default(),
            unread: Mutex::default(),
            tables,
        }
    }

    /// Reads pieces until none is left. A piece whose table cannot be locked at once is put aside.
    pub(in crate::target::postgres) async fn drain(&self, client: &Client, locking: Locking) -> Result<()> {
        while let Some(piece) = self.next() {
            match locking {
                Locking::Needless => self.read_and_add(client, &piece).await?,
                Locking::WhileRead => self.read_locked(client, piece).await?,
            }
        }
        Ok(())
    }

    /// Reads a piece while its table is locked. The lock goes with the savepoint, and so do those on the table's indexes:
    /// however many tables there are, the source's lock table, which all its sessions share, holds few of ours.
    async fn read_locked(&self, client: &Client, piece: Piece) -> Result<()> {
        let table = &self.tables[piece.table];
        match lock_at_once(client, table).await? {
            Locked::Yes => self.read_and_add(client, &piece).await?,
            Locked::No => lock(&self.refused).push_back(piece),
            Locked::Changed => drop(lock(&self.unread).insert(table.oid, IT_CHANGED)),
        }
        execute(client, "ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading", "giving locks back").await
    }

    async fn read_and_add(&self, client: &Client, piece: &Piece) -> Result<()> {
        let folded = self.read(client, piece).await?;
        let sum = &mut lock(&self.folded)[piece.table];
        sum.rows += folded.rows;
        sum.fingerprint.add(&folded.fingerprint);
        Ok(())
    }

    fn next(&self) -> Option<Piece> {
        lock(&self.queue).pop_front()
    }

    /// Has the pieces read that were put aside.
    pub(in crate::target::postgres) fn take_up_refused(&self) {
        let refused = std::mem::take(&mut *lock(&self.refused));
        lock(&self.queue).extend(refused);
    }

    /// Tables of which some rows could not be read as they were, with the reason. What the others came to stands in
    /// [`Self::folded`].
    pub(in crate::target::postgres) fn unread(&self) -> BTreeMap<u32, &'static str> {
        let mut unread = lock(&self.unread).clone();
        for piece in lock(&self.refused).iter() {
            unread.entry(self.tables[piece.table].oid).or_insert(IT_IS_WAITED_FOR);
        }
        unread
    }

    /// What each table came to, in the order of the list.
    pub(in crate::target::postgres) fn folded(&self) -> Vec<Folded> {
        lock(&self.folded).clone()
    }

    async fn read(&self, client: &Client, piece: &Piece) -> Result<Folded> {
        let table = &self.tables[piece.table];
        let failed = |error| own_failure(&format!("reading the rows of {}", table.name), &error);
        let mut fold = TableFold::new(self.hashers[piece.table].clone());
        let rows = client.copy_out(&copy(table, piece)).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(chunk) = rows.try_next().await.map_err(failed)? {
            fold.push(&chunk);
        }
        let (rows, fingerprint) = fold.finish().map_err(|_| {
            let message = format!("reading the rows of {}: the last one has no end", table.name);
            Failure::inconclusive(codes::QUERY_FAILED, message)
        })?;
        Ok(Folded { rows, fingerprint })
    }
}

/// Locks a table against being dropped, emptied or rewritten, if that can be had at once. Waiting could be for ever:
/// the session in front may wait for a lock that the same backup holds. Begins the savepoint `reading` in the same request. In a
/// transaction that failed if the table is not locked.
async fn lock_at_once(client: &Client, table: &TableToRead) -> Result<Locked> {
    let name = quoted(&table.name);
    let sql = format!("SAVEPOINT reading; LOCK TABLE ONLY {name} IN ACCESS SHARE MODE NOWAIT");
    match client.batch_execute(&sql).await.map_err(|error| (error.code().cloned(), error)) {
        Ok(()) => {}
        Err((Some(SqlState::LOCK_NOT_AVAILABLE), _)) => return Ok(Locked::No),
        Err((Some(SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME), _)) => {
            return Ok(Locked::Changed);
        }
        Err((_, error)) => return Err(own_failure(&format!("locking {}", table.name), &error)),
    }
    let changed = client.query_one(CHANGED, &[&table.oid, &name]).await.and_then(|row| row.try_get(0));
    let changed: bool =
        changed.map_err(|error| own_failure(&format!("looking at {}", table.name), &error))?;
    Ok(if changed { Locked::Changed } else { Locked::Yes })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that could panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has several connections read at once, each on a task of its own. The first failure ends them all.
pub(in crate::target::postgres) async fn read_on(
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
            Failure::defect(codes::INTERNAL_ERROR, format!("reading rows broke off: {error}"))
        })??;
    }
    Ok(())
}
