//! What earlier drills of a template prove, from their verdicts in the reports directory.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::DatabaseName;
use crate::report::{read_verdict, verdict_paths};

/// Drills looked at, the newest first.
const DRILLS: usize = 200;

/// A drill that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedDrill {
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// The point in time it recovered to.
    pub at: DateTime<Utc>,
    /// Its status, as the verdict has it.
    pub status: String,
    /// The databases it was narrowed to; absent for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<DatabaseName>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The verdict's path.
    pub verdict: String,
}

/// The drills that matter to health.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drills {
    /// The newest, however it ended.
    pub last: Option<EndedDrill>,
    /// The newest that failed, unless a later one of the same databases, and of no older backups, passed.
    pub failed: Option<EndedDrill>,
    /// The newest of all databases that passed.
    pub passed: Option<EndedDrill>,
}

impl Drills {
    /// Sums up drills, the newest first. One that was stopped or came to no verdict neither proves nor disproves
    /// anything, one that was narrowed speaks of its own databases alone, and one of older backups not of later ones.
    pub fn of(drills: impl Iterator<Item = EndedDrill>) -> Self {
        let mut all = Self::default();
        let mut passes: Vec<EndedDrill> = Vec::new();
        for drill in drills {
            if all.passed.as_ref().is_some_and(|passed| drill.finished_at <= passed.at) {
                // Whatever failed until then was of older backups.
                break;
            }
            all.last.get_or_insert_with(|| drill.clone());
            match drill.status.as_str() {
                "PASS" => {
                    if drill.only.is_empty() {
                        all.passed.get_or_insert_with(|| drill.clone());
                    }
                    passes.push(drill);
                }
                "FAIL" if all.failed.is_none() => {
                    all.failed = Some(drill).filter(|failed| !made_good(failed, &passes));
                }
                _ => {}
            }
        }
        all
    }
}

/// Whether later drills that passed undo a failure.
fn made_good(failed: &EndedDrill, passes: &[EndedDrill]) -> bool {
    let mut passes = passes.iter().filter(|passed| passed.at >= failed.at);
    if failed.only.is_empty() {
        return passes.any(|passed| passed.only.is_empty());
    }
    let passes: Vec<&EndedDrill> = passes.collect();
    let holds = |name| passes.iter().any(|passed| passed.only.is_empty() || passed.only.contains(name));
    failed.only.iter().all(holds)
}

/// What of a verdict is read.
#[derive(Deserialize)]
struct Record {
    template: String,
    status: String,
    finished_at: Option<DateTime<Utc>>,
    at: Option<DateTime<Utc>>,
    #[serde(default)]
    only: Vec<DatabaseName>,
    failure: Option<FailureRecord>,
}

#[derive(Deserialize)]
struct FailureRecord {
    message: String,
}

/// The drills of this template: files sort by their time. What cannot be read is passed over, since others may keep
/// files there, and so is a drill that has not ended.
pub fn drills(reports: &Path, template: &str) -> Drills {
    let paths = verdict_paths(reports);
    let drills = paths.iter().filter_map(|path| {
        let record = read_verdict::<Record>(path).filter(|record| record.template == template)?;
        let finished_at = record.finished_at?;
        Some(EndedDrill {
            finished_at,
            at: record.at.unwrap_or(finished_at),
            status: record.status,
            only: record.only,
            failure: record.failure.map(|failure| crate::human::one_line(&failure.message, 300)),
            verdict: path.display().to_string(),
        })
    });
    Drills::of(drills.take(DRILLS))
}
