//! What every restore of a drill has in common, whatever it restores: it fetches, waits for its parents, and reports how it went.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::journal::Journal;
use crate::check::DrillTemplate;
use crate::format::pg_custom::Promised;
use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event};
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::{RecoveryPoint, StageSeconds};
use crate::target::postgres::catalog::RestoredContents;

/// How far a database is, for the parts that wait for it.
#[derive(Debug, Clone)]
pub enum RestoreProgress {
    /// Not yet restored.
    Pending,
    /// Restored and counted.
    Restored(Arc<RestoredDatabase>),
    /// It will not be.
    Lost,
}

/// A database that was restored, and what is known of it.
#[derive(Debug)]
pub struct RestoredDatabase {
    /// Its tables and their rows.
    pub contents: RestoredContents,
    /// What its dump promised.
    pub promised: Promised,
    /// The recovery point it was restored from, with its hashes.
    pub point: RecoveryPoint,
    /// What each stage took.
    pub seconds: StageSeconds,
    /// Roles that own something in it or that policies are for, and that the globals do not have.
    pub missing_roles: Vec<String>,
}

/// Waits until a database is restored, or will not be.
pub async fn settled(mut progress: watch::Receiver<RestoreProgress>) -> Option<Arc<RestoredDatabase>> {
    let end = progress.wait_for(|progress| !matches!(progress, RestoreProgress::Pending)).await;
    match end.as_deref() {
        Ok(RestoreProgress::Restored(restored)) => Some(Arc::clone(restored)),
        // The sender is dropped without a result when a database was given up.
        Ok(RestoreProgress::Lost | RestoreProgress::Pending) | Err(_) => None,
    }
}

/// The turn of one database.
pub struct Turn {
    /// Its recovery point.
    pub point: RecoveryPoint,
    /// The databases that must be restored first.
    pub parents: Vec<(DatabaseName, watch::Receiver<RestoreProgress>)>,
    /// Where the result is sent.
    pub done: watch::Sender<RestoreProgress>,
    /// Permits to fetch.
    pub fetching: Arc<Semaphore>,
    /// The template.
    pub template: Arc<DrillTemplate>,
    /// Where events are recorded.
    pub journal: Journal,
}

impl Turn {
    /// Fetches the recovery point, and waits for the parents. `None` if one of them is lost: that is the cause, and is recorded.
    pub(super) async fn fetch<T>(&self, fetching: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let fetched = {
            let _permit = self.fetching.acquire().await.expect("never closed");
            if self.parents.iter().any(|(_, parent)| matches!(*parent.borrow(), RestoreProgress::Lost)) {
                None
            } else {
                self.record(DatabaseEvent::Fetching).await;
                Some(fetching.await?)
            }
        };
        self.record(DatabaseEvent::Waiting).await;
        for (name, parent) in &self.parents {
            if settled(parent.clone()).await.is_none() {
                let failure = Failure::bad(
                    codes::PARENT_FAILED,
                    format!("not restored, because its parent {name} was not"),
                )
                .hint(format!("see the error of {name}"));
                self.record(DatabaseEvent::Skipped(failure)).await;
                return Ok(None);
            }
        }
        Ok(fetched)
    }

    /// Tells those that wait how it went. Returns the failure for the drill.
    pub(super) async fn end(&self, restored: Result<Option<RestoredDatabase>>) -> Option<Failure> {
        match restored {
            Ok(Some(restored)) => {
                self.done.send_replace(RestoreProgress::Restored(Arc::new(restored)));
                None
            }
            // Skipped: the parent's failure is the cause.
            Ok(None) => {
                self.done.send_replace(RestoreProgress::Lost);
                None
            }
            Err(failure) => {
                let failure = self.template.hinted(failure);
                self.record(DatabaseEvent::Failed(failure.clone())).await;
                self.done.send_replace(RestoreProgress::Lost);
                Some(failure.context(&self.point.database))
            }
        }
    }

    /// It is restored.
    pub(super) async fn record_counted(&self, contents: &RestoredContents, seconds: f64) {
        if let Some(restored_bytes) = contents.bytes {
            self.record(DatabaseEvent::Measured { restored_bytes }).await;
        }
        self.record(DatabaseEvent::Restored {
            table_rows: contents.rows.iter().map(|(table, rows)| (table.key(), *rows)).collect(),
            total_rows: contents.total_rows,
            seconds,
        })
        .await;
    }

    pub(super) async fn warn(&self, text: &str) {
        self.journal.record(Event::Warning(format!("{}: {text}", self.point.database))).await;
    }

    pub(super) async fn record(&self, event: DatabaseEvent) {
        self.journal.record(Event::Database(self.point.database.clone(), event)).await;
    }
}
