//! What earlier drills of a template prove, from their verdicts in the reports directory.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::evidence::{Lineage, PlanPart, Unread, read_verdict, verdict_paths};
use crate::model::names::{COMPACT_TIMESTAMP, DatabaseName};
use crate::sandbox::owner::Owner;
use crate::template::Template;

/// Verdicts opened at most, the newest first, whatever template they are of: a probe that asks every minute must not read
/// the files of years.
pub const VERDICTS: usize = 500;
/// How much longer than its time limit a drill may take before one that cannot be looked up is taken for dead: what
/// teardown may take.
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

/// A drill that broke off, or whose verdict cannot be read: whatever it found out is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenOff {
    /// When it began, by its verdict's name.
    pub started_at: DateTime<Utc>,
    /// How that shows.
    pub why: &'static str,
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
            match drill.status.as_str() {
                "PASS" => {
                    let newer = all.passed.as_ref().is_none_or(|passed| passed.at < drill.at);
                    if drill.only.is_empty() && newer {
                        all.passed = Some(drill.clone());
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
    runner: Runner,
    #[serde(default)]
    plan: PlanPart,
    #[serde(default)]
    only: Vec<DatabaseName>,
    failure: Option<FailureRecord>,
}

#[derive(Default, Deserialize)]
struct Runner {
    #[serde(default)]
    owner: String,
}

#[derive(Deserialize)]
struct FailureRecord {
    message: String,
}

/// The drills of this template and its store, as far as they say, whose time limit is `timeout`: files sort by their time.
/// Those that others keep there are passed over, and so is a drill that runs.
pub fn drills(reports: &Path, template: &Template, timeout: Duration, now: DateTime<Utc>) -> Drills {
    let lineage = Lineage::of(template);
    let paths = verdict_paths(reports);
    let mut drills = Drills::of(
        paths.iter().take(VERDICTS).filter_map(|path| sighting(path, &lineage, timeout + MARGIN, now)),
    );
    drills.more = paths.len() > VERDICTS;
    drills
}

fn sighting(path: &Path, lineage: &Lineage, longest: Duration, now: DateTime<Utc>) -> Option<Sighting> {
    let broken_off = |started_at, why| {
        Some(Sighting::BrokenOff(BrokenOff { started_at, why, verdict: path.display().to_string() }))
    };
    let record: Record = match read_verdict(path) {
        Ok(record) => record,
        Err(Unread::Other) => return None,
        Err(unread) => {
            let began = began(path)?;
            let why = match unread {
                Unread::Empty if now - began < JUST_BEGUN => return None,
                Unread::Empty => "its verdict is empty",
                Unread::Cut => "its verdict is cut off",
                Unread::Garbled | Unread::Other => "its verdict is no JSON",
                Unread::Unreadable => "its verdict cannot be read",
            };
            return broken_off(began, why);
        }
    };
    if !lineage.may_be(&record.template, &record.plan) {
        return None;
    }
    let Some(finished_at) = record.finished_at else {
        let began = began(path)?;
        let owner = record.runner.owner.parse().ok();
        let why = "its verdict says RUNNING, and it runs no more";
        return runs_no_more(owner.as_ref(), began, longest, now).then(|| broken_off(began, why))?;
    };
    Some(Sighting::Ended(EndedDrill {
        finished_at,
        at: record.at.unwrap_or(finished_at),
        status: record.status,
        only: record.only,
        failure: record.failure.map(|failure| crate::model::human::one_line(&failure.message, 300)),
        verdict: path.display().to_string(),
    }))
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
mod tests {
    use super::*;
    use crate::evidence::verdict_directory_of_test as written;
    use crate::template::testing::template;

    fn now() -> DateTime<Utc> {
        "2026-05-17T08:31:11Z".parse().unwrap()
    }

    /// What a verdict of this text, of a drill that began a day ago, is taken for.
    fn seen(name: &str, text: &str) -> Vec<&'static str> {
        let reports = tempfile::tempdir().unwrap();
        written(reports.path(), name, text);
        let drills = drills(reports.path(), &template(), Duration::from_secs(3600), now());
        assert_eq!(drills.last, None);
        drills.broken_off.iter().map(|drill| drill.why).collect()
    }

    fn running(owner: &str) -> String {
        format!(
            r#"{{"template": "shop", "status": "RUNNING", "finished_at": null, "runner": {{"owner": "{owner}"}}}}"#
        )
    }

    const DAY_AGO: &str = "20260516T083111Z.json";

    #[test]
    fn a_drill_whose_process_is_dead_broke_off_and_one_that_lives_did_not() {
        let this = Owner::this_process().to_string();
        let dead = format!("{}:1", this.rsplit_once(':').unwrap().0);
        let says = "its verdict says RUNNING, and it runs no more";
        assert_eq!(seen(DAY_AGO, &running(&this)), [""; 0]);
        assert_eq!(seen(DAY_AGO, &running(&dead)), [says]);
        // On another machine, or by an earlier version: it has had all its time.
        assert_eq!(seen(DAY_AGO, &running("elsewhere:boot/1:2:3")), [says]);
        assert_eq!(seen(DAY_AGO, &running("")), [says]);
        assert_eq!(seen("20260517T080000Z.json", &running("")), [""; 0], "it may run yet");
    }

    #[test]
    fn a_verdict_that_cannot_be_read_is_a_finding_and_files_of_others_are_none() {
        assert_eq!(seen(DAY_AGO, ""), ["its verdict is empty"]);
        assert_eq!(seen(DAY_AGO, r#"{"template": "shop", "st"#), ["its verdict is cut off"]);
        assert_eq!(seen(DAY_AGO, "\0\0\0\0"), ["its verdict is no JSON"]);
        assert_eq!(seen("20260517T083110Z.json", ""), [""; 0], "it has just begun");
        assert_eq!(seen(DAY_AGO, r#"{"another": "document"}"#), [""; 0]);
        assert_eq!(seen(DAY_AGO, &running("").replace("shop", "another")), [""; 0]);
        assert_eq!(seen("notes.json", ""), [""; 0]);
    }

    #[test]
    fn no_more_verdicts_are_opened_than_are_needed_and_never_too_many() {
        let reports = tempfile::tempdir().unwrap();
        let ended = |status: &str, name: &str| {
            format!(
                r#"{{"template": "{name}", "status": "{status}", "finished_at": "2026-05-17T00:00:00Z", "failure": null}}"#
            )
        };
        for number in 0..VERDICTS {
            written(reports.path(), &format!("20260517T{number:06}Z.json"), &ended("PASS", "another"));
        }
        written(reports.path(), "20260516T000000Z.json", &ended("PASS", "shop"));
        let read = |reports: &Path| drills(reports, &template(), Duration::from_secs(3600), now());
        let far = read(reports.path());
        assert_eq!((far.passed, far.more), (None, true));
        written(reports.path(), "20260518T000000Z.json", &ended("PASS", "shop"));
        assert!(read(reports.path()).passed.is_some());
    }

    #[test]
    fn a_drill_of_another_store_proves_nothing() {
        let passed = |plan: &str| {
            let reports = tempfile::tempdir().unwrap();
            let text = format!(
                r#"{{"template": "shop", "status": "PASS", "finished_at": "2026-05-17T00:00:00Z", "failure": null{plan}}}"#
            );
            written(reports.path(), DAY_AGO, &text);
            drills(reports.path(), &template(), Duration::from_secs(3600), now()).passed.is_some()
        };
        assert!(passed(r#", "plan": {"store": {"url": "s3://backups"}}"#));
        assert!(!passed(r#", "plan": {"store": {"url": "s3://backups/staging"}}"#));
        assert!(!passed(r#", "plan": {"store": {"url": "s3://backups", "endpoint": "https://h"}}"#));
        assert!(passed("") && passed(r#", "plan": {"findings": []}"#), "it does not say");
    }
}
