//! Earlier verdicts, read back for a forecast.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::files;
use super::lineage::{Lineage, PlanPart};
use super::verdict_file::report_directory;
use crate::model::names::DatabaseName;
use crate::model::past::{PastDatabase, PastDrill};
use crate::template::Template;

/// Drills a forecast goes by.
const DRILLS: usize = 10;
/// Verdicts that are opened at most, the newest first, until there are enough that matter: others may drill other templates
/// into the same directory, and more often.
pub(super) const OPENED: usize = 2_000;
/// A verdict larger than this is passed over.
const LARGEST: u64 = 64 << 20;

/// The last drills of this template, and of its store as far as they say, whose verdicts are below this directory, the
/// newest first. What cannot be read is passed over: a forecast is made from what there is.
pub fn past_drills(reports: &Path, template: &Template) -> Vec<PastDrill> {
    let (lineage, paths) = (Lineage::of(template), verdict_paths(reports));
    paths.iter().take(OPENED).filter_map(|path| past_drill(path, &lineage)).take(DRILLS).collect()
}

/// The verdicts below this directory, the newest first: their names are their times.
pub fn verdict_paths(reports: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(report_directory(reports)).into_iter().flatten();
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.strip_suffix(".json").is_some_and(|stem| !stem.contains('.'))
        })
        .collect();
    paths.sort_by(|a, b| b.cmp(a));
    paths
}

/// Why a file is not read as a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// There is nothing in it.
    Empty,
    /// It ends before its JSON does.
    Cut,
    /// It is no JSON.
    Garbled,
    /// It is JSON of another shape: somebody else's.
    Other,
    /// It is no file, or the system refuses it.
    Unreadable,
}

/// What of a verdict the caller wants to know. The rest is passed over as it is read.
///
/// # Errors
/// Why the file is none.
pub fn read_verdict<T: DeserializeOwned>(path: &Path) -> Result<T, Unread> {
    let file = files::open_options().read(true).open(path).map_err(|_| Unread::Unreadable)?;
    let metadata = file.metadata().map_err(|_| Unread::Unreadable)?;
    match (metadata.is_file(), metadata.len()) {
        (false, _) => return Err(Unread::Unreadable),
        (true, 0) => return Err(Unread::Empty),
        _ => {}
    }
    serde_json::from_reader(BufReader::new(file.take(LARGEST))).map_err(|error| match error.classify() {
        Category::Eof => Unread::Cut,
        Category::Syntax => Unread::Garbled,
        Category::Data => Unread::Other,
        Category::Io => Unread::Unreadable,
    })
}

fn past_drill(path: &Path, lineage: &Lineage) -> Option<PastDrill> {
    let verdict: Verdict = read_verdict(path).ok()?;
    lineage.may_be(&verdict.template, &verdict.plan).then(|| verdict.into_past())
}

/// What of a verdict is read back.
#[derive(Deserialize)]
struct Verdict {
    timestamp: String,
    template: String,
    status: String,
    #[serde(default)]
    runner: Runner,
    #[serde(default)]
    plan: PlanPart,
    #[serde(default)]
    recovery_set: RecoverySet,
    #[serde(default)]
    databases: Vec<Database>,
    #[serde(default)]
    stack: Stack,
    verification_seconds: Option<f64>,
    #[serde(default)]
    phases: Vec<Phase>,
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Default, Deserialize)]
struct Runner {
    #[serde(default)]
    hostname: String,
    disk_free_bytes: Option<u64>,
}

#[derive(Default, Deserialize)]
struct RecoverySet {
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    database: DatabaseName,
    size_bytes: u64,
}

#[derive(Deserialize)]
struct Database {
    name: DatabaseName,
    status: String,
    restored_bytes: Option<u64>,
    #[serde(default)]
    seconds: Seconds,
}

#[derive(Default, Deserialize)]
struct Seconds {
    download: Option<f64>,
    decrypt: Option<f64>,
    restore: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Stack {
    postgres_version: Option<String>,
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    image: String,
}

#[derive(Deserialize)]
struct Phase {
    name: String,
    seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
}

impl Verdict {
    fn into_past(self) -> PastDrill {
        let sizes: BTreeMap<DatabaseName, u64> =
            self.recovery_set.points.into_iter().map(|point| (point.database, point.size_bytes)).collect();
        // A drill that was only too slow, or of too old a backup, tells as much of time as one that passed.
        let in_time = |code: &str| matches!(code, "rpo_missed" | "rto_missed" | "phase_budget_missed");
        let all_restored = self.databases.iter().all(|database| database.status == "restored");
        let complete = all_restored
            && (self.status == "PASS" || self.failure.as_ref().is_some_and(|failure| in_time(&failure.code)));
        let databases = self
            .databases
            .into_iter()
            .filter(|database| database.status == "restored")
            .map(|database| {
                let past = PastDatabase {
                    size_bytes: sizes.get(&database.name).copied().unwrap_or(0),
                    restored_bytes: database.restored_bytes,
                    stages: [database.seconds.download, database.seconds.decrypt, database.seconds.restore],
                };
                (database.name, past)
            })
            .collect();
        let version = self.stack.postgres_version.as_deref().unwrap_or_default();
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        PastDrill {
            timestamp: crate::model::human::one_line(&self.timestamp, 40),
            hostname: self.runner.hostname,
            image: self.stack.services.into_iter().find(|s| s.name == "postgres").map(|s| s.image),
            major: digits.parse().ok(),
            disk_free_bytes: self.runner.disk_free_bytes,
            complete,
            phases: self
                .phases
                .into_iter()
                .filter_map(|phase| Some((phase.name, phase.seconds?)))
                .filter(|(_, seconds)| seconds.is_finite() && *seconds >= 0.0)
                .collect(),
            verification_seconds: self.verification_seconds,
            databases,
        }
    }
}

/// Puts a file among the verdicts below this directory.
#[cfg(test)]
pub fn written(reports: &Path, name: &str, text: &str) {
    let directory = report_directory(reports);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), text).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::passing;
    use crate::model::verdict::Status;
    use crate::template::testing::template;

    #[test]
    fn verdicts_of_the_template_are_read_back_the_newest_first_and_others_are_passed_over() {
        let reports = tempfile::tempdir().unwrap();
        let mut verdict = passing();
        verdict.status = Status::Pass;
        for (name, timestamp) in [("20260516T000000Z", "earlier"), ("20260517T000000Z", "later")] {
            verdict.timestamp = timestamp.to_owned();
            written(reports.path(), &format!("{name}.json"), &serde_json::to_string(&verdict).unwrap());
        }
        written(reports.path(), "20260518T000000Z.plan.json", &serde_json::to_string(&verdict).unwrap());
        written(reports.path(), "20260519T000000Z.json", "{ \"half\":");
        verdict.template = "another".to_owned();
        let another = serde_json::to_string(&verdict).unwrap();
        (0..150).for_each(|nth| written(reports.path(), &format!("20260520T{nth:06}Z.json"), &another));
        let elsewhere = || {
            let mut template = template();
            template.store.url.push_str("/staging");
            template
        };
        let past = past_drills(reports.path(), &template());
        assert!(past_drills(reports.path(), &elsewhere()).is_empty(), "those are of another store");
        assert_eq!(
            past.iter().map(|drill| drill.timestamp.as_str()).collect::<Vec<_>>(),
            ["later", "earlier"]
        );
        let first = &past[0];
        assert!(first.complete && first.databases.len() == 2);
        let a = &first.databases[&"a".parse().unwrap()];
        assert_eq!((a.size_bytes, a.stages), (1 << 20, [Some(0.5), Some(0.1), Some(1.25)]));
        assert!(past_drills(&reports.path().join("nowhere"), &template()).is_empty());
    }

    #[test]
    fn a_drill_that_broke_off_is_not_complete() {
        let reports = tempfile::tempdir().unwrap();
        let mut verdict = passing();
        verdict.status = Status::Inconclusive;
        written(reports.path(), "20260516T000000Z.json", &serde_json::to_string(&verdict).unwrap());
        assert!(!past_drills(reports.path(), &template())[0].complete);
    }
}
