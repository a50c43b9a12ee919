//! Roots as they were snapshotted into the store: a restored root that differs from them is a rewrite of history.
//!
//! Pure. What is in a snapshot is taken for what it says; it is not signed, but it lies where whoever can write to the
//! database cannot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Deserialize;

use super::RootRow;
use crate::check::Findings;
use crate::check::aegis::transparency_roots::code;
use crate::model::code::Code;
use crate::model::human;
use crate::model::verdict::{Finding, Severity};

/// A root as a snapshot has it. Other keys are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SnapshotRoot {
    /// Whose day it is.
    pub tenant_id: String,
    /// The day.
    pub root_date: NaiveDate,
    /// Its root.
    pub root_hash: String,
    /// The root of the day before.
    #[serde(default)]
    pub prev_root_hash: Option<String>,
    /// Rows of that day.
    pub leaf_count: i64,
}

/// What a snapshot says of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stated {
    root_hash: Box<str>,
    prev_root_hash: Option<Box<str>>,
    leaf_count: i64,
}

impl std::fmt::Display for Stated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: &str| human::one_line(text, 140);
        write!(
            f,
            "root_hash {}, prev_root_hash {}, leaf_count {}",
            shown(&self.root_hash),
            shown(self.prev_root_hash.as_deref().unwrap_or("null")),
            self.leaf_count
        )
    }
}

type Place = (Box<str>, NaiveDate);

/// Every root of every object of a snapshot.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Those that the database has not shown yet.
    roots: BTreeMap<Place, Stated>,
    /// Days of which there is any root.
    days: BTreeSet<NaiveDate>,
    /// Each tenant's first day in the database.
    first_days: BTreeMap<Box<str>, NaiveDate>,
    compared: u64,
}

impl Snapshot {
    /// Roots that are held.
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Adds a root. One that says something else than an earlier one is a finding: the snapshot contradicts itself.
    pub fn add(&mut self, root: SnapshotRoot, findings: &mut Findings) {
        let stated = Stated {
            root_hash: root.root_hash.into(),
            prev_root_hash: root.prev_root_hash.map(Into::into),
            leaf_count: root.leaf_count,
        };
        self.days.insert(root.root_date);
        let place = (root.tenant_id.into_boxed_str(), root.root_date);
        match self.roots.get(&place) {
            Some(known) if *known == stated => {}
            Some(known) => {
                let (expected, actual) = (format!("one root: {known}"), format!("another too: {stated}"));
                findings.push(finding(
                    code::SNAPSHOT_CONTRADICTS_ITSELF,
                    Severity::Error,
                    &place,
                    expected,
                    actual,
                ));
            }
            None => {
                self.roots.insert(place, stated);
            }
        }
    }

    /// Holds a root of the database against the snapshot. Roots come in the order of tenant and day.
    ///
    /// From the day `until` on a snapshot may have been written while roots were still being computed.
    pub fn compare(&mut self, root: &RootRow, until: NaiveDate, findings: &mut Findings) {
        let place = (root.tenant.clone().into_boxed_str(), root.date);
        self.first_days.entry(place.0.clone()).or_insert(root.date);
        let restored = Stated {
            root_hash: root.root_hash.as_str().into(),
            prev_root_hash: root.prev_root_hash.as_deref().map(Into::into),
            leaf_count: root.leaf_count,
        };
        match self.roots.remove(&place) {
            Some(stated) => {
                self.compared += 1;
                if stated != restored {
                    let (expected, actual) = (format!("{stated}, as in the snapshot"), restored.to_string());
                    findings.push(finding(
                        code::ROOT_DIFFERS_FROM_SNAPSHOT,
                        Severity::Error,
                        &place,
                        expected,
                        actual,
                    ));
                }
            }
            // A snapshot may have begun late, or lag behind; a day it has, it has for everybody.
            None if root.date < until && self.days.contains(&root.date) => {
                let expected =
                    "no such root: the snapshot has roots of that day, and not this one".to_owned();
                findings.push(finding(
                    code::ROOT_NOT_IN_SNAPSHOT,
                    Severity::Error,
                    &place,
                    expected,
                    restored.to_string(),
                ));
            }
            None => {}
        }
    }

    /// Reports what the database has not shown, of the days before `until`. Returns how many roots were compared.
    ///
    /// Days before a tenant's first root may have been pruned, unless `require_genesis`.
    pub fn finish(self, until: NaiveDate, require_genesis: bool, findings: &mut Findings) -> u64 {
        for (place, stated) in self.roots.into_iter().filter(|((_, day), _)| *day < until) {
            let pruned = self.first_days.get(&place.0).is_some_and(|first| place.1 < *first);
            let severity = if pruned && !require_genesis { Severity::Warning } else { Severity::Error };
            let expected = format!("{stated}, as in the snapshot");
            let actual = "no such root in the database".to_owned();
            findings.push(finding(code::ROOT_MISSING_IN_DATABASE, severity, &place, expected, actual));
        }
        self.compared
    }
}

fn finding(code: Code, severity: Severity, place: &Place, expected: String, actual: String) -> Finding {
    let subject = format!("root of tenant {} for {}", human::one_line(&place.0, 64), place.1);
    Finding { severity, code, subject, expected, actual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 5, number).unwrap()
    }

    fn stated(tenant: &str, number: u32) -> SnapshotRoot {
        SnapshotRoot {
            tenant_id: tenant.to_owned(),
            root_date: day(number),
            root_hash: format!("{tenant}{number}"),
            prev_root_hash: (number > 1).then(|| format!("{tenant}{}", number - 1)),
            leaf_count: i64::from(number),
        }
    }

    fn restored(tenant: &str, number: u32) -> RootRow {
        let root = stated(tenant, number);
        RootRow {
            tenant: root.tenant_id,
            date: root.root_date,
            root_hash: root.root_hash,
            prev_root_hash: root.prev_root_hash,
            leaf_count: root.leaf_count,
            leaf_range_start: None,
            leaf_range_end: None,
            receipt: None,
            signature: None,
            payload_fingerprint: None,
            fingerprint: String::new(),
            leaves: 0,
            leaves_before: None,
            leaves_covered: None,
            next_leaf_at: None,
            computed_at: None,
            oldest_leaf: None,
        }
    }

    /// Holds these roots against a snapshot; the dump was taken on the tenth.
    fn held(snapshot: &[SnapshotRoot], database: &[RootRow], strict: bool) -> Outcome {
        let (mut whole, mut findings) = (Snapshot::default(), Findings::default());
        snapshot.iter().for_each(|root| whole.add(root.clone(), &mut findings));
        database.iter().for_each(|root| whole.compare(root, day(9), &mut findings));
        let compared = whole.finish(day(9), strict, &mut findings);
        findings.into_outcome(compared, String::new())
    }

    fn codes(outcome: &Outcome) -> Vec<(Severity, &'static str)> {
        outcome.findings.iter().map(|finding| (finding.severity, finding.code.as_str())).collect()
    }

    fn all(tenants: &[&str], days: std::ops::RangeInclusive<u32>) -> (Vec<SnapshotRoot>, Vec<RootRow>) {
        let places: Vec<_> = tenants.iter().flat_map(|t| days.clone().map(move |n| (*t, n))).collect();
        (
            places.iter().map(|(t, n)| stated(t, *n)).collect(),
            places.iter().map(|(t, n)| restored(t, *n)).collect(),
        )
    }

    #[test]
    fn equal_roots_hold_though_the_snapshot_has_them_twice_begins_late_or_is_newer() {
        let (snapshot, database) = all(&["a", "b"], 1..=8);
        assert_eq!(codes(&held(&[snapshot.clone(), snapshot.clone()].concat(), &database, true)), []);
        let late: Vec<_> = snapshot.iter().filter(|root| root.root_date > day(3)).cloned().collect();
        let outcome = held(&late, &database, true);
        assert_eq!((codes(&outcome), outcome.rows_verified), (vec![], 10));
        let (newer, _) = all(&["a", "b"], 1..=12);
        assert_eq!(codes(&held(&newer, &database, true)), []);
    }

    #[test]
    fn a_rewritten_root_is_seen_whatever_was_rewritten() {
        let (snapshot, database) = all(&["a"], 1..=8);
        for rewrite in [
            (|root: &mut RootRow| root.root_hash.push('x')) as fn(&mut RootRow),
            |root| root.prev_root_hash = None,
            |root| root.leaf_count += 1,
        ] {
            let mut database = database.clone();
            rewrite(&mut database[4]);
            let outcome = held(&snapshot, &database, false);
            assert_eq!(codes(&outcome), [(Severity::Error, "root_differs_from_snapshot")]);
            assert_eq!(outcome.findings[0].subject, "root of tenant a for 2026-05-05");
            assert!(outcome.findings[0].expected.contains("root_hash a5, prev_root_hash a4, leaf_count 5"));
        }
    }

    #[test]
    fn roots_on_one_side_only_are_seen() {
        let (snapshot, mut database) = all(&["a", "b"], 1..=8);
        let removed = database.remove(4);
        let gone = held(&snapshot, &database, false);
        assert_eq!(codes(&gone), [(Severity::Error, "root_missing_in_database")]);
        database.insert(4, removed);
        let mut snapshot = snapshot;
        snapshot.remove(4);
        assert_eq!(codes(&held(&snapshot, &database, false)), [(Severity::Error, "root_not_in_snapshot")]);
    }

    #[test]
    fn a_snapshot_of_a_day_that_was_still_being_computed_need_not_be_whole() {
        let (snapshot, database) = all(&["a", "b"], 1..=10);
        let early: Vec<_> = snapshot
            .iter()
            .filter(|root| root.tenant_id == "a" || root.root_date < day(9))
            .cloned()
            .collect();
        assert_eq!(codes(&held(&early, &database, true)), []);
    }

    #[test]
    fn pruned_days_are_warnings_and_a_tenant_that_is_gone_is_not_pruned() {
        let (snapshot, database) = all(&["a", "b"], 1..=3);
        let pruned = held(&snapshot, &database[1..], false);
        assert_eq!(codes(&pruned), [(Severity::Warning, "root_missing_in_database")]);
        assert_eq!(
            codes(&held(&snapshot, &database[1..], true)),
            [(Severity::Error, "root_missing_in_database")]
        );
        let without_b = held(&snapshot, &database[..3], false);
        assert_eq!(codes(&without_b), [(Severity::Error, "root_missing_in_database"); 3]);
    }

    #[test]
    fn a_snapshot_that_contradicts_itself_is_told() {
        let (mut snapshot, database) = all(&["a"], 1..=3);
        snapshot.push(SnapshotRoot { leaf_count: 99, ..stated("a", 2) });
        assert_eq!(
            codes(&held(&snapshot, &database, false)),
            [(Severity::Error, "snapshot_contradicts_itself")]
        );
    }
}
