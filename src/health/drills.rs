//! What earlier drills of a template prove, from their verdicts in the reports directory.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::evidence::{Lineage, Unread, UnreadReason, VerdictRead, Verdicts};
use crate::model::human;
use crate::model::names::{COMPACT_TIMESTAMP, DatabaseName};
use crate::model::verdict::Status;
use crate::sandbox::owner::Owner;
use crate::template::Template;

/// Verdicts opened at most, the newest first, whatever template they are of: a probe that asks every minute must not read
/// the files of years.
pub const VERDICTS: usize = 500;
/// How much longer than its time limit a drill may take before one whose process cannot be looked up counts as dead: the
/// time that teardown may take.
const MARGIN: Duration = Duration::from_secs(15 * 60);
/// A drill names its verdict a moment before it writes it.
const JUST_BEGUN: TimeDelta = TimeDelta::minutes(1);

/// A drill that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedDrill {
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// The point in time it recovered to.
    pub at: DateTime<Utc>,
    /// Its status.
    pub status: Status,
    /// The databases it was narrowed to; absent for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<DatabaseName>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The verdict's path.
    pub verdict: String,
    /// What of the verdict could not be read, because another version wrote it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A drill that broke off, or whose verdict cannot be read: its findings are lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenOff {
    /// When it began, by its verdict's name.
    pub started_at: DateTime<Utc>,
    /// What shows it.
    pub why: String,
    /// The verdict's path.
    pub verdict: String,
}

/// What a verdict says of its drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// It ended.
    Ended(EndedDrill),
    /// It did not, and runs no more.
    BrokenOff(BrokenOff),
}

/// The drills that matter to health.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drills {
    /// The newest, however it ended.
    pub last: Option<EndedDrill>,
    /// The newest that failed, unless a later one of the same databases, and of no older backups, passed.
    pub failed: Option<EndedDrill>,
    /// Of those of all databases that passed, the one of the newest backups.
    pub passed: Option<EndedDrill>,
    /// Those that broke off and began after its point in time, the newest first.
    pub broken_off: Vec<BrokenOff>,
    /// Whether there are older verdicts that were not read.
    pub more: bool,
}

impl Drills {
    /// Sums up drills, the newest first. One that was stopped or came to no verdict neither proves nor disproves
    /// anything, one that was narrowed speaks of its own databases alone, and one of older backups not of later ones.
    pub fn of(drills: impl Iterator<Item = Sighting>) -> Self {
        let mut all = Self::default();
        let mut passes: Vec<EndedDrill> = Vec::new();
        for drill in drills {
            let drill = match drill {
                Sighting::Ended(drill) => drill,
                Sighting::BrokenOff(drill) => {
                    if all.passed.as_ref().is_none_or(|passed| passed.at < drill.started_at) {
                        all.broken_off.push(drill);
                    }
                    continue;
                }
            };
            if all.passed.as_ref().is_some_and(|passed| drill.finished_at <= passed.at) {
                // Whatever failed until then was of older backups.
                break;
            }
            all.last.get_or_insert_with(|| drill.clone());
            match drill.status {
                Status::Pass => {
                    let newer = all.passed.as_ref().is_none_or(|passed| passed.at < drill.at);
                    if drill.only.is_empty() && newer {
                        all.passed = Some(drill.clone());
                    }
                    passes.push(drill);
                }
                Status::Fail if all.failed.is_none() => {
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

/// The drills of this template and its store, as far as they say, whose time limit is `timeout`: files sort by their time.
/// Files of other programs and drills that still run are ignored.
pub fn drills(reports: &Path, template: &Template, timeout: Duration, now: DateTime<Utc>) -> Drills {
    let lineage = Lineage::of(template);
    let verdicts = Verdicts::below(reports);
    let more = verdicts.left() > VERDICTS;
    let sightings = verdicts.take(VERDICTS).filter_map(|read| match read {
        Ok(read) => lineage.may_be(&read.verdict).then(|| of_verdict(read, timeout + MARGIN, now))?,
        Err(unread) => of_unread(&unread, &lineage, now),
    });
    Drills { more, ..Drills::of(sightings) }
}

fn of_verdict(read: VerdictRead, longest: Duration, now: DateTime<Utc>) -> Option<Sighting> {
    let VerdictRead { path, verdict, left_out } = read;
    let Some(finished_at) = verdict.finished_at else {
        let owner = verdict.runner.owner.parse().ok();
        return runs_no_more(owner.as_ref(), began(&path)?, longest, now)
            .then(|| broken_off(&path, "its verdict says RUNNING, and it runs no more".to_owned()))?;
    };
    Some(Sighting::Ended(EndedDrill {
        finished_at,
        at: verdict.at,
        status: verdict.status,
        only: verdict.only,
        failure: verdict.failure.map(|failure| human::one_line(&failure.message, 300)),
        verdict: path.display().to_string(),
        left_out,
    }))
}

fn of_unread(unread: &Unread, lineage: &Lineage, now: DateTime<Utc>) -> Option<Sighting> {
    match &unread.reason {
        UnreadReason::NotOurs => return None,
        UnreadReason::OtherVersion { template, store, .. }
            if !lineage.may_be_of(template, store.as_ref()) =>
        {
            return None;
        }
        UnreadReason::Empty if now - began(&unread.path)? < JUST_BEGUN => return None,
        _ => {}
    }
    broken_off(&unread.path, format!("its verdict {}", unread.reason))
}

fn broken_off(path: &Path, why: String) -> Option<Sighting> {
    let verdict = path.display().to_string();
    Some(Sighting::BrokenOff(BrokenOff { started_at: began(path)?, why, verdict }))
}

/// When a drill began, by its verdict's name; others name their files otherwise.
fn began(path: &Path) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(path.file_stem()?.to_str()?, COMPACT_TIMESTAMP)
        .ok()
        .map(|time| time.and_utc())
}

/// Whether a drill that has not ended is dead: its process is, or it cannot be looked up and has had all its time.
fn runs_no_more(owner: Option<&Owner>, began: DateTime<Utc>, longest: Duration, now: DateTime<Utc>) -> bool {
    match owner {
        Some(owner) if owner.is_alive() => false,
        Some(owner) if owner.is_gone() => true,
        _ => (now - began).to_std().is_ok_and(|age| age > longest),
    }
}

#[cfg(test)]
mod tests;
