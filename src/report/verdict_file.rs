//! The verdict as a file: written at the start, replaced atomically at each phase, final after teardown.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::engine::{DatabaseEvent, Event, Sink};
use crate::failure::{Failure, Result};
use crate::names::compact;
use crate::plan::DrillPlan;
use crate::verdict::Verdict;

/// Where verdicts lie below the reports directory.
pub fn report_directory(reports: &Path) -> PathBuf {
    reports.join("restore_drill")
}

/// A verdict file that no other drill writes to.
#[derive(Debug)]
pub struct VerdictFile {
    path: PathBuf,
}

impl VerdictFile {
    /// Claims `<reports>/restore_drill/<timestamp>.json`. `None` if another drill has this second.
    ///
    /// # Errors
    /// `reports_unwritable`, a configuration error: a drill without evidence is not worth starting.
    pub fn claim(reports: &Path, started_at: DateTime<Utc>) -> Result<Option<Self>> {
        let directory = report_directory(reports);
        let path = directory.join(format!("{}.json", compact(started_at)));
        let claimed = fs::create_dir_all(&directory)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path));
        match claimed {
            Ok(_) => Ok(Some(Self { path })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(None),
            Err(error) => Err(unwritable("the verdict", &path, &error)),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a plan to `<reports>/restore_drill/<timestamp>.plan.json`, and returns the path.
///
/// # Errors
/// `reports_unwritable`, a configuration error.
pub fn write_plan(reports: &Path, plan: &DrillPlan, now: DateTime<Utc>) -> Result<PathBuf> {
    let directory = report_directory(reports);
    let path = directory.join(format!("{}.plan.json", compact(now)));
    fs::create_dir_all(&directory)
        .and_then(|()| replace(&path, plan))
        .map_err(|error| unwritable("the plan", &path, &error))?;
    Ok(path)
}

fn unwritable(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::config("reports_unwritable", format!("cannot write {what} {}: {error}", path.display()))
        .hint("--reports names another directory")
}

/// Replaces a file's content: readers see the old one or the new one, never half of one.
fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".report-").tempfile_in(directory)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    world_readable(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are private; evidence is for everybody that may read the directory.
fn world_readable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

impl Sink for VerdictFile {
    fn name(&self) -> String {
        format!("the verdict {}", self.path.display())
    }

    fn handle(&mut self, event: &Event, verdict: &Verdict) -> io::Result<()> {
        let worth_writing = match event {
            Event::Started
            | Event::Phase(_)
            | Event::Isolation(_)
            | Event::CheckFinished(_)
            | Event::Failed(_)
            | Event::TornDown(_)
            | Event::Finished => true,
            Event::Database(_, event) => {
                matches!(
                    event,
                    DatabaseEvent::Restored { .. } | DatabaseEvent::Failed(_) | DatabaseEvent::Skipped(_)
                )
            }
            _ => false,
        };
        if worth_writing { replace(&self.path, verdict) } else { Ok(()) }
    }
}
