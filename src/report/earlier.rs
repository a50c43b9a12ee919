//! Earlier verdicts, read back for checks that compare with them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::history::{VERDICTS, read_verdict, verdict_paths};
use crate::human;
use crate::names::DatabaseName;
use crate::plan::earlier::{EarlierDatabase, EarlierDrill, EarlierDrills};
use crate::verdict::ChainHeads;

/// Drills that are kept. Each of them may have been narrowed to other databases.
const DRILLS: usize = 20;

/// The last drills of this template that passed, of all databases or of some. What cannot be read is passed over.
pub fn earlier_drills(reports: &Path, template: &str) -> EarlierDrills {
    let paths = verdict_paths(reports);
    let read = paths.iter().take(VERDICTS).filter_map(|path| read_verdict::<Verdict>(path).ok());
    let passed = read.filter(|verdict| verdict.template == template && verdict.status == "PASS");
    EarlierDrills(passed.take(DRILLS).map(Verdict::into_earlier).collect())
}

#[derive(Deserialize)]
struct Verdict {
    timestamp: String,
    template: String,
    status: String,
    #[serde(default)]
    recovery_set: RecoverySet,
    #[serde(default)]
    databases: Vec<Database>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    heads: Option<ChainHeads>,
}

#[derive(Default, Deserialize)]
struct RecoverySet {
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    database: DatabaseName,
    taken_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Database {
    name: DatabaseName,
    #[serde(default)]
    table_rows: BTreeMap<String, u64>,
    archive: Option<Archive>,
}

#[derive(Deserialize)]
struct Archive {
    post_data: Option<usize>,
}

impl Verdict {
    fn into_earlier(self) -> EarlierDrill {
        let taken: BTreeMap<DatabaseName, DateTime<Utc>> =
            self.recovery_set.points.into_iter().map(|point| (point.database, point.taken_at)).collect();
        let databases = self.databases.into_iter().filter_map(|database| {
            let taken_at = *taken.get(&database.name)?;
            let found = EarlierDatabase {
                taken_at,
                table_rows: database.table_rows,
                post_data: database.archive.and_then(|archive| archive.post_data),
            };
            Some((database.name, found))
        });
        EarlierDrill {
            timestamp: human::one_line(&self.timestamp, 40),
            databases: databases.collect(),
            heads: self.checks.into_iter().filter_map(|check| Some((check.name, check.heads?))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::test_verdict::{passing, point};
    use crate::report::report_directory;
    use crate::verdict::Status;

    #[test]
    fn drills_that_passed_are_read_back_and_no_others() {
        let reports = tempfile::tempdir().unwrap();
        let directory = report_directory(reports.path());
        std::fs::create_dir_all(&directory).unwrap();
        let mut verdict = passing();
        let mut write = |name: &str, status, template: &str| {
            verdict.status = status;
            verdict.timestamp = name.to_owned();
            verdict.template = template.to_owned();
            let text = serde_json::to_string(&verdict).unwrap();
            std::fs::write(directory.join(format!("{name}.json")), text).unwrap();
        };
        write("20260514T000000Z", Status::Pass, "shop");
        write("20260515T000000Z", Status::Fail, "shop");
        write("20260516T000000Z", Status::Running, "shop");
        write("20260517T000000Z", Status::Pass, "another");
        let drills = earlier_drills(reports.path(), "shop");
        assert_eq!(drills.0.len(), 1);
        assert_eq!(drills.0[0].timestamp, "20260514T000000Z");
        let a = &drills.0[0].databases[&"a".parse().unwrap()];
        assert_eq!((a.taken_at, a.rows(&"t".parse().unwrap())), (point("a", 5, 1).taken_at, Some(12_450)));
        assert_eq!(earlier_drills(&reports.path().join("nowhere"), "shop"), EarlierDrills::default());
    }
}
