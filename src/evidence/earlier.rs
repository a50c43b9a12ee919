//! Earlier verdicts, read back for checks that compare with them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::history::{OPENED, read_verdict, verdict_paths};
use super::lineage::{Lineage, PlanPart, SameStore};
use crate::model::earlier::{EarlierDatabase, EarlierDrill, EarlierDrills};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::ChainHeads;
use crate::template::Template;

/// Drills that are kept of each database: each may have been narrowed to other databases, or be of old backups.
const DRILLS: usize = 20;

/// The last drills of this template and its store that passed, of all databases or of some. What cannot be read is passed
/// over.
pub fn earlier_drills(reports: &Path, template: &Template) -> EarlierDrills {
    let lineage = Lineage::of(template);
    let mut search = Search::of(template);
    let paths = verdict_paths(reports);
    for path in &paths {
        if search.is_over(OPENED) {
            break;
        }
        search.opened += 1;
        let Ok(verdict) = read_verdict::<Verdict>(path) else { continue };
        if verdict.status == "PASS"
            && let Some(store) = lineage.judge(&verdict.template, &verdict.plan)
        {
            search.take(verdict, store);
        }
    }
    search.end()
}

/// What was found so far.
struct Search<'a> {
    /// How many more drills are wanted of each database.
    wanted: BTreeMap<&'a DatabaseName, usize>,
    drills: Vec<EarlierDrill>,
    opened: usize,
    /// Whether there are verdicts that were not opened.
    more: bool,
    of_other_stores: u64,
    of_unknown_stores: u64,
}

impl<'a> Search<'a> {
    fn of(template: &'a Template) -> Self {
        Self {
            wanted: template.databases.iter().map(|database| (&database.name, DRILLS)).collect(),
            drills: Vec::new(),
            opened: 0,
            more: false,
            of_other_stores: 0,
            of_unknown_stores: 0,
        }
    }

    /// Whether the next verdict is not to be opened.
    fn is_over(&mut self, most: usize) -> bool {
        self.more = self.wanted.is_empty() || self.opened >= most;
        self.more
    }

    fn take(&mut self, verdict: Verdict, store: SameStore) {
        match store {
            SameStore::No => self.of_other_stores += 1,
            SameStore::Unknown => self.of_unknown_stores += 1,
            SameStore::Yes => {
                let drill = verdict.into_earlier();
                let mut is_wanted = false;
                for (name, left) in &mut self.wanted {
                    if drill.databases.contains_key(*name) {
                        (*left, is_wanted) = (*left - 1, true);
                    }
                }
                self.wanted.retain(|_, left| *left > 0);
                if is_wanted {
                    self.drills.push(drill);
                }
            }
        }
    }

    /// What was found, and what was not looked at or does not count.
    fn end(self) -> EarlierDrills {
        let passed = |count: u64, what| {
            (count > 0)
                .then(|| format!("{} of this template that passed {what}", human::things(count, "drill")))
        };
        let why = [
            self.more.then(|| match self.wanted.is_empty() {
                true => {
                    format!("the newest {DRILLS} of each database were looked at, and older ones were not")
                }
                false => format!(
                    "the newest {} verdicts were opened, and older ones were not",
                    human::count(OPENED as u64)
                ),
            }),
            passed(self.of_other_stores, "read another store"),
            passed(self.of_unknown_stores, "did not record which store it was"),
        ];
        let why: Vec<String> = why.into_iter().flatten().collect();
        EarlierDrills { drills: self.drills, passed_over: (!why.is_empty()).then(|| why.join("; ")) }
    }
}

#[derive(Deserialize)]
struct Verdict {
    timestamp: String,
    template: String,
    status: String,
    #[serde(default)]
    plan: PlanPart,
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
    use crate::evidence::verdict_directory_of_test as written;
    use crate::model::testing::{passing, point};
    use crate::model::verdict::Status;
    use crate::template::testing::template;

    const DAY: &str = "20260514T000000Z";

    fn write(reports: &Path, name: &str, verdict: &crate::model::verdict::Verdict) {
        written(reports, &format!("{name}.json"), &serde_json::to_string(verdict).unwrap());
    }

    fn drilled(timestamp: &str, status: Status, template: &str) -> crate::model::verdict::Verdict {
        crate::model::verdict::Verdict {
            status,
            timestamp: timestamp.to_owned(),
            template: template.to_owned(),
            ..passing()
        }
    }

    #[test]
    fn drills_that_passed_are_read_back_and_no_others() {
        let reports = tempfile::tempdir().unwrap();
        for (name, status, template) in [
            (DAY, Status::Pass, "shop"),
            ("20260515T000000Z", Status::Fail, "shop"),
            ("20260516T000000Z", Status::Running, "shop"),
            ("20260517T000000Z", Status::Pass, "another"),
        ] {
            write(reports.path(), name, &drilled(name, status, template));
        }
        let found = earlier_drills(reports.path(), &template());
        assert_eq!((found.drills.len(), found.passed_over), (1, None));
        assert_eq!(found.drills[0].timestamp, DAY);
        let a = &found.drills[0].databases[&"a".parse().unwrap()];
        assert_eq!((a.taken_at, a.rows("public.t")), (point("a", 5, 1).taken_at, Some(12_450)));
        assert_eq!(earlier_drills(&reports.path().join("nowhere"), &template()), EarlierDrills::default());
    }

    #[test]
    fn drills_of_others_and_drills_that_failed_push_none_out_and_a_bound_that_is_reached_is_told() {
        let reports = tempfile::tempdir().unwrap();
        write(reports.path(), DAY, &drilled(DAY, Status::Pass, "shop"));
        let of_others = r#"{"timestamp": "x", "template": "another", "status": "PASS"}"#;
        let failed = r#"{"timestamp": "x", "template": "shop", "status": "FAIL"}"#;
        let mut files = 0;
        let mut more = |count, text| {
            for nth in files..files + count {
                written(reports.path(), &format!("20260515T{nth:06}Z.json"), text);
            }
            files += count;
            earlier_drills(reports.path(), &template())
        };
        more(200, of_others);
        let found = more(OPENED - 201, failed);
        assert_eq!((found.drills.len(), found.passed_over), (1, None), "the last that is opened");
        let found = more(1, failed);
        assert_eq!(found.drills, []);
        assert_eq!(
            found.none("recorded them"),
            "nothing was compared with a drill that passed and recorded them: the newest 2,000 verdicts were opened, \
             and older ones were not"
        );
    }

    #[test]
    fn drills_that_were_narrowed_push_out_none_of_other_databases() {
        let reports = tempfile::tempdir().unwrap();
        write(reports.path(), DAY, &drilled(DAY, Status::Pass, "shop"));
        for nth in 0..3 * DRILLS {
            let name = format!("20260515T{nth:06}Z");
            let mut narrowed = drilled(&name, Status::Pass, "shop");
            narrowed.databases.retain(|database| database.name.as_str() == "a");
            write(reports.path(), &name, &narrowed);
        }
        let found = earlier_drills(reports.path(), &template());
        assert_eq!(found.drills.len(), DRILLS + 1);
        assert!(found.before(&"b".parse().unwrap(), point("b", 0, 1).taken_at).is_some());
        // There are enough of both: a check that all of these lack may be in an older one.
        for nth in 0..=DRILLS {
            let name = format!("20260516T{nth:06}Z");
            write(reports.path(), &name, &drilled(&name, Status::Pass, "shop"));
        }
        let found = earlier_drills(reports.path(), &template());
        assert_eq!(found.drills.len(), DRILLS);
        assert!(found.none("x").contains("the newest 20 of each database were looked at"), "{found:?}");
    }

    #[test]
    fn drills_of_another_store_or_of_none_are_not_compared_with_and_are_counted() {
        let reports = tempfile::tempdir().unwrap();
        let mut verdict = drilled(DAY, Status::Pass, "shop");
        write(reports.path(), DAY, &verdict);
        let mut elsewhere = template();
        elsewhere.store.endpoint = "https://staging:9000".to_owned();
        let found = earlier_drills(reports.path(), &elsewhere);
        assert_eq!(found.drills, []);
        assert_eq!(
            found.none("recorded them"),
            "nothing was compared with a drill that passed and recorded them: 1 drill of this template that passed \
             read another store"
        );
        verdict.plan.store = None;
        write(reports.path(), DAY, &verdict);
        let found = earlier_drills(reports.path(), &template());
        assert_eq!(found.drills, []);
        assert!(found.none("x").ends_with("did not record which store it was"), "{found:?}");
    }
}
