//! One database of SQLite: fetched into the workbench, found whole, counted.

use std::sync::Arc;

use tokio::time::Instant;

use super::fetch::stream;
use super::turn::{RestoredDatabase, Turn};
use crate::format::pg_custom::Promised;
use crate::format::sqlite::{HeaderReader, SqliteHeader};
use crate::layer::Identities;
use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event, Fetched};
use crate::model::failure::{Failure, Result};
use crate::model::transfer::TransferStats;
use crate::model::verdict::StageSeconds;
use crate::store::Store;
use crate::target::sqlite::{Integrity, Workbench, path};

/// The restore of one database.
pub struct SqliteRestore {
    /// What it has in common with whatever else is restored.
    pub turn: Turn,
    /// The store of the recovery points.
    pub store: Arc<dyn Store>,
    /// The keys that open them.
    pub identities: Arc<Identities>,
    /// Where the file is opened.
    pub workbench: Workbench,
}

impl SqliteRestore {
    /// Restores the database and records how it went. Returns the failure for the drill.
    pub async fn run(self) -> Option<Failure> {
        let restored = self.restore().await;
        self.turn.end(restored).await
    }

    async fn restore(&self) -> Result<Option<RestoredDatabase>> {
        let Some((transfer, header)) = self.turn.fetch(self.fetch()).await? else { return Ok(None) };
        let name = &self.turn.point.database;
        header.require_size(transfer.plaintext_bytes)?;
        if header.is_wal {
            self.turn
                .warn(
                    "the file is in the mode of a write-ahead log: if it was copied as a file while it was in use, it may lack \
                     what was only in the log",
                )
                .await;
        }
        let cannot_tell = format!(
            "{name}: whether the file was copied in the middle of a transaction cannot be seen in it; copies made with `VACUUM INTO` \
             are not"
        );
        self.turn.journal.record(Event::NotVerified(cannot_tell)).await;
        let (mut point, mut seconds) = (self.turn.point.clone(), StageSeconds::default());
        point.was_read(&transfer);
        seconds.was_read(&transfer);

        self.turn.record(DatabaseEvent::Restoring { jobs: 1 }).await;
        let began = Instant::now();
        if let Integrity::Damaged(found) = self.workbench.integrity(name).await? {
            return Err(damaged(&found));
        }
        let looked = began.elapsed().as_secs_f64();
        self.turn.record(DatabaseEvent::Intact { seconds: looked }).await;
        seconds.restore = Some(looked);

        self.turn.record(DatabaseEvent::Counting).await;
        let began = Instant::now();
        let contents = self.workbench.contents(name, transfer.plaintext_bytes).await?;
        let counting = began.elapsed().as_secs_f64();
        self.turn.record_counted(&contents, counting).await;
        seconds.count = Some(counting);
        let promised = Promised::default();
        Ok(Some(RestoredDatabase { contents, promised, point, seconds, missing_roles: Vec::new() }))
    }

    /// Streams the recovery point into the workbench. Only a file whose layers reached their end counts as arrived.
    async fn fetch(&self) -> Result<(TransferStats, SqliteHeader)> {
        let Self { turn, store, identities, workbench } = self;
        let place = (&workbench.engine, &*workbench.container, &*path(&turn.point.database));
        let (transfer, header) =
            stream(store, identities, &turn.point, place, &turn.journal, HeaderReader::default()).await?;
        let fetched = Fetched { transfer: transfer.clone(), archive: None, sqlite: Some(header.record()) };
        turn.record(DatabaseEvent::Fetched(Box::new(fetched))).await;
        Ok((transfer, header))
    }
}

fn damaged(found: &[String]) -> Failure {
    let said = crate::model::human::one_line(&found.join("; "), 400);
    Failure::bad(codes::INTEGRITY_FAILED, format!("the database is damaged: {said}")).hint(
        "it was copied while it was written, or the disk damaged it: make backups with `VACUUM INTO`, and drill an \
         older recovery point with --at",
    )
}
