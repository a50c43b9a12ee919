//! Whether the audit rows of a day are those that its root covers.
//!
//! While a day is open its root is computed every half minute, and never again once it is over. So a root lacks the rows
//! of its last moments, and that of the day of the dump lags: such rows are counted, and no fault.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::{RootFold, RootRow};
use crate::check::aegis::transparency_roots::code;
use crate::check::chain::{EmptyRootVersion, empty_day_root};
use crate::model::human;
use crate::model::verdict::{Finding, Severity};

/// Audit rows that were written after their root was computed for the last time.
#[derive(Debug, Default)]
pub struct Tails {
    rows: u64,
    days: u64,
    /// The day with the most of them.
    longest: Option<(i64, String, NaiveDate)>,
}

impl Tails {
    fn add(&mut self, root: &RootRow, rows: i64) {
        self.rows += rows.unsigned_abs();
        self.days += 1;
        if self.longest.as_ref().is_none_or(|(most, ..)| *most < rows) {
            self.longest = Some((rows, root.tenant.clone(), root.date));
        }
    }

    /// All of them, as one finding.
    pub fn finding(&self) -> Option<Finding> {
        let (rows, tenant, date) = self.longest.as_ref()?;
        Some(Finding {
            severity: Severity::Info,
            code: code::UNANCHORED_TAIL,
            subject: format!("root of tenant {} for {date}", human::one_line(tenant, 64)),
            expected: "roots that were computed after the last row of their day".to_owned(),
            actual: format!(
                "{} of {} written after that (here {}): no root covers them",
                human::things(self.rows, "audit row"),
                human::things(self.days, "day"),
                human::count(rows.unsigned_abs()),
            ),
        })
    }
}

impl RootFold {
    /// Judges what the audit rows of the day say.
    pub(super) fn check_leaves(&mut self, root: &RootRow) {
        if root.leaf_count == 0 {
            self.check_empty_root(root);
        }
        let covers_rows = root.leaf_count != 0 || root.leaf_range_end.is_some();
        let covered = if covers_rows { root.leaves_covered } else { Some(0) };
        if covered != Some(root.leaf_count) {
            return self.leaves_differ(root, covered);
        }
        if covers_rows && root.leaves_before != Some(0) {
            let first = root.leaf_range_start.as_deref().unwrap_or("null");
            let expected = format!("row {} as the first of that day", human::one_line(first, 64));
            let actual = match root.leaves_before {
                Some(before) => format!("{} before it", human::things(before.unsigned_abs(), "audit row")),
                None => "it is not among the audit rows of that day".to_owned(),
            };
            self.find(root, Severity::Error, code::LEAF_RANGE_DIFFERS, expected, actual);
        }
        self.check_tail(root, root.leaves - root.leaf_count);
    }

    fn leaves_differ(&mut self, root: &RootRow, covered: Option<i64>) {
        // A prune need not end with a day, so it may leave a part of the oldest one.
        let are_fewer = covered.unwrap_or(root.leaves) < root.leaf_count;
        let pruned = are_fewer && root.oldest_leaf.is_some_and(|oldest| root.date <= oldest);
        let severity = if pruned && !self.require_genesis { Severity::Warning } else { Severity::Error };
        let code = if pruned { code::LEAVES_PRUNED } else { code::LEAF_COUNT_DIFFERS };
        let last = human::one_line(root.leaf_range_end.as_deref().unwrap_or("null"), 64);
        let expected = format!("{} audit rows that day, the last of them {last}", root.leaf_count);
        let actual = match covered {
            Some(covered) => format!("{covered} audit rows up to that"),
            None => format!("{} audit rows, and not that one", root.leaves),
        };
        self.find(root, severity, code, expected, actual);
    }

    /// Rows after the last that the root covers.
    fn check_tail(&mut self, root: &RootRow, rows: i64) {
        if rows <= 0 {
            return;
        }
        let computed = window_end(root);
        if computed.is_some() && root.next_leaf_at > computed {
            return self.tails.add(root, rows);
        }
        let expected = match computed {
            Some(end) => format!("every audit row up to {} in the root", end.format("%Y-%m-%dT%H:%M:%S%.fZ")),
            None => "every audit row of that day in the root".to_owned(),
        };
        let rows = human::things(rows.unsigned_abs(), "audit row");
        let actual = format!("{rows} after its last: written late, or inserted later");
        self.find(root, Severity::Warning, code::UNANCHORED_TAIL, expected, actual);
    }

    fn check_empty_root(&mut self, root: &RootRow) {
        let empty = |version| empty_day_root(version, root.prev_root_hash.as_deref(), root.date);
        let (v1, v2) = (empty(EmptyRootVersion::V1), empty(EmptyRootVersion::V2));
        if root.root_hash != v1.as_str() && root.root_hash != v2.as_str() {
            let expected = format!("the root of an empty day, {}", v2.as_str());
            let actual = format!("root_hash {}", root.root_hash);
            self.find(root, Severity::Error, code::EMPTY_ROOT_DIFFERS, expected, actual);
        }
    }
}

/// The moment up to which the root covers rows, as it was signed.
fn window_end(root: &RootRow) -> Option<DateTime<Utc>> {
    let receipt: Value = serde_json::from_str(root.receipt.as_deref()?).ok()?;
    let text = receipt.get("window_end")?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}
