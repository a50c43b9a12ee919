//! Earlier drills, from their verdicts: for a forecast, and for what is compared with them.

use std::collections::BTreeMap;
use std::path::Path;

use super::lineage::{Lineage, SameStore};
use super::verdicts::{Unread, UnreadReason, VerdictRead, Verdicts};
use crate::model::earlier::{EarlierDrill, EarlierDrills};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::past::PastDrill;
use crate::model::verdict::{Status, Verdict};
use crate::template::Template;

/// Verdicts that are opened at most, the newest first, until there are enough that matter: others may drill other templates
/// into the same directory, and more often.
const OPENED: usize = 2_000;
/// Drills that are kept of each database: each may have been narrowed to other databases, or be of old backups.
const DRILLS: usize = 20;

/// Drills that a forecast is based on.
const FORECAST: usize = 10;

/// The last drills of this template, and of its store as far as they say, the newest first. What cannot be read is passed
/// over: a forecast is made from what there is.
pub fn past_drills(reports: &Path, template: &Template) -> Vec<PastDrill> {
    let lineage = Lineage::of(template);
    let verdicts = Verdicts::below(reports).take(OPENED).filter_map(Result::ok).map(|read| read.verdict);
    verdicts.filter(|verdict| lineage.may_be(verdict)).take(FORECAST).map(PastDrill::from).collect()
}

/// The last drills of this template and its store that passed, of all databases or of some. What cannot be read is passed
/// over.
pub fn earlier_drills(reports: &Path, template: &Template) -> EarlierDrills {
    let lineage = Lineage::of(template);
    let mut search = Search::of(template);
    let mut verdicts = Verdicts::below(reports);
    for read in verdicts.by_ref().take(OPENED) {
        let VerdictRead { verdict, left_out, .. } = match read {
            Ok(read) => read,
            Err(unread) => {
                search.unread += u64::from(may_be_of(&unread, &lineage));
                continue;
            }
        };
        if verdict.status == Status::Pass
            && let Some(store) = lineage.judge(&verdict)
        {
            search.in_part += u64::from(!left_out.is_empty() && store != SameStore::No);
            search.take(verdict, store);
        }
        if search.wanted.is_empty() {
            break;
        }
    }
    search.end(verdicts.left() > 0)
}

/// Whether a file that was not read is the verdict of a drill of this template and store, by another version.
fn may_be_of(unread: &Unread, lineage: &Lineage) -> bool {
    match &unread.reason {
        UnreadReason::OtherVersion { template, store, .. } => lineage.may_be_of(template, store.as_ref()),
        _ => false,
    }
}

/// What was found so far.
struct Search<'a> {
    /// How many more drills are wanted of each database.
    wanted: BTreeMap<&'a DatabaseName, usize>,
    drills: Vec<EarlierDrill>,
    of_other_stores: u64,
    of_unknown_stores: u64,
    /// Verdicts of this template that another version wrote: not read, and read in part.
    unread: u64,
    in_part: u64,
}

impl<'a> Search<'a> {
    fn of(template: &'a Template) -> Self {
        Self {
            wanted: template.databases.iter().map(|database| (&database.name, DRILLS)).collect(),
            drills: Vec::new(),
            of_other_stores: 0,
            of_unknown_stores: 0,
            unread: 0,
            in_part: 0,
        }
    }

    fn take(&mut self, verdict: Verdict, store: SameStore) {
        match store {
            SameStore::No => self.of_other_stores += 1,
            SameStore::Unknown => self.of_unknown_stores += 1,
            SameStore::Yes => {
                let drill = EarlierDrill::from(verdict);
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

    /// What was found, and what does not count or was not looked at; `more` verdicts may have been left.
    fn end(self, more: bool) -> EarlierDrills {
        let passed = |count: u64, what| {
            (count > 0)
                .then(|| format!("{} of this template that passed {what}", human::things(count, "drill")))
        };
        let by_another = |count: u64, what| {
            let verdicts = human::things(count, "verdict");
            (count > 0).then(|| {
                format!("{what}{verdicts} of this template could not be read: another version wrote them")
            })
        };
        let unread: Vec<String> = [by_another(self.unread, ""), by_another(self.in_part, "parts of ")]
            .into_iter()
            .flatten()
            .collect();
        let unread = (!unread.is_empty()).then(|| unread.join("; "));
        let why = [
            unread.clone(),
            more.then(|| match self.wanted.is_empty() {
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
        EarlierDrills { drills: self.drills, passed_over: (!why.is_empty()).then(|| why.join("; ")), unread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::put_verdict;
    use crate::model::testing::{passing, point};
    use crate::model::verdict::Status;
    use crate::template::testing::template;

    const DAY: &str = "20260514T000000Z";

    fn write(reports: &Path, name: &str, verdict: &Verdict) {
        put_verdict(reports, &format!("{name}.json"), &serde_json::to_string(verdict).unwrap());
    }

    fn drilled(timestamp: &str, status: Status, template: &str) -> Verdict {
        Verdict { status, timestamp: timestamp.to_owned(), template: template.to_owned(), ..passing() }
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
    fn drills_that_another_version_wrote_are_told_and_read_as_far_as_they_go() {
        let reports = tempfile::tempdir().unwrap();
        let passed = serde_json::to_string(&drilled(DAY, Status::Pass, "shop")).unwrap();
        let mut of_later: serde_json::Value = serde_json::from_str(&passed).unwrap();
        of_later["stack"]["tuning"] = "odd".into();
        put_verdict(reports.path(), "20260514T000000Z.json", &of_later.to_string());
        let later = passed.replace("\"PASS\"", "\"SEALED\"");
        put_verdict(reports.path(), "20260515T000000Z.json", &later);
        put_verdict(reports.path(), "20260516T000000Z.json", &later.replace("\"shop\"", "\"another\""));
        let found = earlier_drills(reports.path(), &template());
        assert_eq!(found.drills.len(), 1);
        assert_eq!(
            found.unread.as_deref(),
            Some(
                "1 verdict of this template could not be read: another version wrote them; parts of 1 verdict of this \
                 template could not be read: another version wrote them"
            )
        );
        assert_eq!(past_drills(reports.path(), &template()).len(), 1);
    }

    #[test]
    fn drills_of_others_and_drills_that_failed_push_none_out_and_a_bound_that_is_reached_is_told() {
        let reports = tempfile::tempdir().unwrap();
        write(reports.path(), DAY, &drilled(DAY, Status::Pass, "shop"));
        let of_others = &serde_json::to_string(&drilled(DAY, Status::Pass, "another")).unwrap();
        let failed = &serde_json::to_string(&drilled(DAY, Status::Fail, "shop")).unwrap();
        let mut files = 0;
        let mut more = |count, text| {
            for nth in files..files + count {
                put_verdict(reports.path(), &format!("20260515T{nth:06}Z.json"), text);
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

    #[test]
    fn a_forecast_is_based_on_the_newest_drills_of_the_template_and_its_store() {
        let reports = tempfile::tempdir().unwrap();
        for (name, timestamp) in [("20260516T000000Z", "earlier"), ("20260517T000000Z", "later")] {
            write(reports.path(), name, &drilled(timestamp, Status::Fail, "shop"));
        }
        put_verdict(reports.path(), "20260519T000000Z.json", "{ \"half\":");
        let another = drilled("x", Status::Pass, "another");
        (0..150).for_each(|nth| write(reports.path(), &format!("20260520T{nth:06}Z"), &another));
        let past = past_drills(reports.path(), &template());
        let timestamps: Vec<_> = past.iter().map(|drill| drill.timestamp.as_str()).collect();
        assert_eq!(timestamps, ["later", "earlier"]);
        let mut elsewhere = template();
        elsewhere.store.url.push_str("/staging");
        assert!(past_drills(reports.path(), &elsewhere).is_empty(), "those are of another store");
    }
}
