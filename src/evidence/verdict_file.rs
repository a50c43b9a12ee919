//! The verdict as a file: written at the start, replaced atomically at each phase, sealed after teardown.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::files::{self, Staged};
use super::json;
use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event, Sink};
use crate::model::failure::{Failure, Result};
use crate::model::names::compact;
use crate::model::verdict::Verdict;

/// Where verdicts lie below the reports directory.
pub fn report_directory(reports: &Path) -> PathBuf {
    reports.join("restore_drill")
}

/// A verdict file that no other drill writes to.
#[derive(Debug, Clone)]
pub struct VerdictFile {
    path: PathBuf,
    /// Whether the drill is at its end. A write that shows progress takes place only before, however long it was held up.
    sealed: Arc<Mutex<bool>>,
}

impl VerdictFile {
    /// Claims `<reports>/restore_drill/<timestamp>.json`. `None` if another drill has this second. Removes what killed
    /// drills left there.
    ///
    /// # Errors
    /// `reports_unwritable`, a configuration error: a drill without evidence is not worth starting.
    pub fn claim(reports: &Path, started_at: DateTime<Utc>) -> Result<Option<Self>> {
        let directory = report_directory(reports);
        let path = directory.join(format!("{}.json", compact(started_at)));
        let claimed = fs::create_dir_all(&directory)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path));
        match claimed {
            Ok(_) => {
                files::remove_leftovers(&directory, ".report-");
                Ok(Some(Self { path, sealed: Arc::default() }))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(None),
            Err(error) => Err(unwritable("the verdict", &path, &error)),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the writes that show progress. Waits for one that is under way.
    pub(super) fn end_progress(&self) {
        *self.sealed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Gives the second up again: no drill began.
    pub fn give_up(self) {
        // It is empty. One that stays is no verdict.
        let _ = fs::remove_file(&self.path);
    }

    /// Writes a verdict to the disk, beside the one that is there.
    pub(super) fn stage(&self, verdict: &Verdict) -> io::Result<Staged> {
        files::stage(&self.path, &json::pretty(verdict), true)
    }
}

/// Writes a plan to `<reports>/restore_drill/<timestamp>.plan.json`, and returns the path.
///
/// # Errors
/// `reports_unwritable`, a configuration error.
pub fn write_plan(reports: &Path, plan: &impl Serialize, now: DateTime<Utc>) -> Result<PathBuf> {
    let directory = report_directory(reports);
    let path = directory.join(format!("{}.plan.json", compact(now)));
    fs::create_dir_all(&directory)
        .and_then(|()| files::replace(&path, &json::pretty(plan), true))
        .map_err(|error| unwritable("the plan", &path, &error))?;
    Ok(path)
}

pub(super) fn unwritable(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::config(codes::REPORTS_UNWRITABLE, format!("cannot write {what} {}: {error}", path.display()))
        .hint("--reports names another directory")
}

impl Sink for VerdictFile {
    fn name(&self) -> String {
        format!("the verdict {}", self.path.display())
    }

    fn handle(&mut self, event: &Event, verdict: &Verdict) -> io::Result<()> {
        let worth_writing = match event {
            Event::Phase(_)
            | Event::Isolation(_)
            | Event::CheckFinished(_)
            | Event::Failed(_)
            | Event::TornDown(_) => true,
            Event::Database(_, event) => {
                matches!(
                    event,
                    DatabaseEvent::Restored { .. } | DatabaseEvent::Failed(_) | DatabaseEvent::Skipped(_)
                )
            }
            _ => false,
        };
        if !worth_writing {
            return Ok(());
        }
        // Verdicts between the first and the sealed one only show progress: they need not survive a power cut. The lock is not
        // held while the disk may hang: the seal waits for it.
        let staged = files::stage(&self.path, &json::pretty(verdict), false)?;
        let sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if *sealed { Ok(()) } else { staged.commit() }
    }
}
