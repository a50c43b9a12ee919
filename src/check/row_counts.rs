//! `row-counts`: how many rows tables must have, and how many fewer they may have than in the drill before.

mod share;

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::context::{Context, Restored};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use crate::model::dataset::DatabaseSystem;
use crate::model::earlier::{EarlierDrill, EarlierDrills};
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite;
use crate::template::{NeededTable, TableName, Template};
use share::Share;

findings! {
    TABLE_MISSING = "table_missing", "error":
        "The table is not in the restored database.",
        "Check whether the backup job leaves tables or schemas out, and whether the table was renamed.",
        "shop.public.orders: the table is not in the restored database";
    ROW_COUNT_LOW = "row_count_low", "error":
        "Fewer rows than `min`.",
        "Check whether the dump was made without this table's rows, and whether rows were deleted. The verdict's `warnings` name tables whose rows are not in the dump.",
        "shop.public.orders: 812 rows, expected at least 1000 rows";
    ROW_COUNT_HIGH = "row_count_high", "error":
        "More rows than `max`.",
        "Find out what wrote them; raise `max` if that is right.",
        "shop.public.jobs: 5021 rows, expected at most 5000 rows";
    ROWS_DROPPED = "rows_dropped", "error":
        "Fewer rows than in the earlier drill, by more than `max_drop`.",
        "Treat it as lost data until it is explained. If it is right, as after a large prune, drill once with a larger `max_drop`: a drill that passes is what the next one compares with.",
        "shop.public.orders: 9,100 rows, 9 % fewer than the 10,000 of the drill 20260516T083111Z";
    NO_EARLIER_DRILL = "no_earlier_drill", "warning":
        "With `max_drop`: no earlier drill recorded how many rows there were. The finding reports drills that were passed over: of another store, of a version that did not record the store, or older than the newest 2,000 verdicts or the newest 20 drills of each database.",
        "Keep the reports of drills, and name them with `--reports`; one directory for each store, and not for too many.",
        "shop.public.orders: the reports directory has no drill that passed and tells how many rows there were";
    ROW_COUNT_DIFFERS = "row_count_differs", "error":
        "Not the number of rows in `exact`.",
        "Compare with the source; `exact` suits tables that never change.",
        "crm.public.tenants: 12 rows, expected exactly 13 rows";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "row-counts",
    read: read::<RowCounts>,
    keys: keys::<RowCounts>,
    skipped: "no table was verified",
    findings: FINDINGS,
};

/// Row counts that must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCounts {
    /// The check's name.
    pub name: String,
    /// One rule for each table that is judged.
    pub rules: Vec<RowRule>,
}

/// How many rows a table must have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// Its database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// At least this many.
    #[serde(default)]
    pub min: Option<u64>,
    /// At most this many.
    #[serde(default)]
    pub max: Option<u64>,
    /// Just this many.
    #[serde(default)]
    pub exact: Option<u64>,
    /// At most this part fewer than in the last drill that passed.
    #[serde(default)]
    pub max_drop: Option<Share>,
}

impl RowRule {
    fn validate(&self) -> std::result::Result<(), String> {
        let place = format!("row count of {}.{}", self.database, self.table);
        match (self.min, self.max, self.exact) {
            (None, None, None) if self.max_drop.is_none() => {
                Err(format!("{place}: give min, max, exact or max_drop"))
            }
            (None, None, None) => Ok(()),
            (min, max, Some(_)) if min.is_some() || max.is_some() => {
                Err(format!("{place}: exact excludes min and max"))
            }
            (Some(min), Some(max), _) if min > max => Err(format!("{place}: min {min} is above max {max}")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Check for RowCounts {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.rules.iter().map(|rule| &rule.database).collect()
    }

    fn tables(&self) -> Vec<NeededTable> {
        let needed = |rule: &RowRule| NeededTable {
            check: self.name.clone(),
            database: rule.database.clone(),
            table: rule.table.clone(),
            view_suffices: false,
            rows: rule.exact.or(rule.min).unwrap_or(0),
        };
        self.rules.iter().map(needed).collect()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn complete(&mut self, template: &Template) {
        for rule in self.rules.iter_mut().filter(|rule| template.is_sqlite(&rule.database)) {
            rule.table = sqlite::table_name(&rule.table);
        }
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.rules.retain(|rule| wanted(&rule.database));
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        self.rules.iter().try_for_each(RowRule::validate)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        Ok(judge(self, &context.restored, &context.tools.earlier, |database| context.taken_at(database)))
    }
}

/// Holds every rule against the exact count, and against that of the drill before.
fn judge(
    check: &RowCounts,
    restored: &Restored<'_>,
    earlier: &EarlierDrills,
    taken_at: impl Fn(&DatabaseName) -> DateTime<Utc>,
) -> Outcome {
    let mut findings = Findings::default();
    let (mut rows, mut judged, mut unjudged) = (0, 0, 0);
    let mut not_compared = Vec::new();
    for rule in &check.rules {
        let count = restored.get(&rule.database).and_then(|contents| contents.rows.get(&rule.table)).copied();
        rows += count.unwrap_or(0);
        findings.extend(violation(rule, count));
        let Some(count) = count else { continue };
        let mut is_judged = rule.min.or(rule.max).or(rule.exact).is_some();
        if let Some(max_drop) = rule.max_drop {
            let before = earlier.before(&rule.database, taken_at(&rule.database));
            match before.and_then(|(drill, found)| Some((drill, found.rows(&rule.table.key())?))) {
                Some((drill, before)) => {
                    is_judged = true;
                    findings.extend(drop(rule, count, before, max_drop, drill));
                }
                None => not_compared.push(subject(rule)),
            }
        }
        // A rule without a bound, and with nothing to compare with, lets any number pass.
        *(if is_judged { &mut judged } else { &mut unjudged }) += 1;
    }
    if !not_compared.is_empty() {
        findings.push(Finding {
            severity: Severity::Warning,
            code: NO_EARLIER_DRILL,
            subject: human::one_line(&not_compared.join(", "), 300),
            expected: "a drill that passed before, of the same dump or an older one".to_owned(),
            actual: earlier.none("tells how many rows there were"),
        });
    }
    let held = format!("{} tables, {} rows", check.rules.len(), human::count(rows));
    findings.into_outcome(Verified::things(judged, rows).besides(unjudged), held)
}

fn violation(rule: &RowRule, count: Option<u64>) -> Option<Finding> {
    let expected = match (rule.min, rule.max, rule.exact) {
        (_, _, Some(exact)) => format!("exactly {exact} rows"),
        (Some(min), Some(max), None) => format!("{min} to {max} rows"),
        (Some(min), None, None) => format!("at least {min} rows"),
        (None, Some(max), None) => format!("at most {max} rows"),
        (None, None, None) => "any number of rows".to_owned(),
    };
    let (code, actual) = match count {
        None => (TABLE_MISSING, "the table is not in the restored database".to_owned()),
        Some(count) if rule.exact.is_some_and(|exact| count != exact) => {
            (ROW_COUNT_DIFFERS, format!("{count} rows"))
        }
        Some(count) if rule.min.is_some_and(|min| count < min) => (ROW_COUNT_LOW, format!("{count} rows")),
        Some(count) if rule.max.is_some_and(|max| count > max) => (ROW_COUNT_HIGH, format!("{count} rows")),
        Some(_) => return None,
    };
    Some(Finding {
        severity: Severity::Error,
        code,
        subject: subject(rule),
        actual: format!("{actual}, expected {expected}"),
        expected,
    })
}

/// A backup that lost rows is a sound dump of a database that lost them: only the backup before it shows that.
#[expect(clippy::cast_precision_loss, reason = "a share of rows needs no exact rows")]
fn drop(rule: &RowRule, count: u64, before: u64, max_drop: Share, drill: &EarlierDrill) -> Option<Finding> {
    let dropped = before.saturating_sub(count) as f64;
    (dropped > before as f64 * max_drop.fraction()).then(|| Finding {
        severity: Severity::Error,
        code: ROWS_DROPPED,
        subject: subject(rule),
        expected: format!(
            "at most {} fewer than the {} of the drill {}",
            percent(max_drop.fraction()),
            human::things(before, "row"),
            drill.timestamp
        ),
        actual: format!(
            "{}, {} fewer than the {} of the drill {}",
            human::things(count, "row"),
            percent(dropped / before as f64),
            human::count(before),
            drill.timestamp
        ),
    })
}

/// As exact as need be for what is not all not to look like all.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent > 99.0 && percent < 100.0 { 3 } else { 1 };
    let shown = format!("{percent:.digits$}");
    format!("{} %", shown.trim_end_matches('0').trim_end_matches('.'))
}

fn subject(rule: &RowRule) -> String {
    format!("{}.{}", rule.database, rule.table)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::earlier::EarlierDatabase;
    use crate::model::verdict::CheckStatus;
    use crate::target::postgres::catalog::RestoredContents;

    fn rule(min: Option<u64>, max: Option<u64>, exact: Option<u64>) -> RowRule {
        RowRule {
            database: "a".parse().unwrap(),
            table: "t".parse().unwrap(),
            min,
            max,
            exact,
            max_drop: None,
        }
    }

    #[test]
    fn each_bound_can_fail_and_hold() {
        for (rule, good, bad, code) in [
            (rule(Some(2), None, None), 2, 1, "row_count_low"),
            (rule(None, Some(2), None), 2, 3, "row_count_high"),
            (rule(None, None, Some(2)), 2, 3, "row_count_differs"),
            (rule(None, None, Some(0)), 0, 1, "row_count_differs"),
            (rule(Some(1), Some(2), None), 1, 0, "row_count_low"),
        ] {
            assert_eq!(violation(&rule, Some(good)), None);
            assert_eq!(violation(&rule, Some(bad)).unwrap().code.as_str(), code);
            assert_eq!(violation(&rule, None).unwrap().code.as_str(), "table_missing");
        }
    }

    fn taken_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_779_006_671, 0).unwrap()
    }

    /// What a rule of this drop makes of so many rows, and so many in an earlier drill.
    fn compared(max_drop: &str, before: Option<u64>, count: u64) -> Outcome {
        compared_by(&format!("max_drop = {max_drop}"), before, count)
    }

    fn compared_by(bounds: &str, before: Option<u64>, count: u64) -> Outcome {
        let rules = format!("name = \"rows\"\nrules = [{{ database = \"a\", table = \"t\", {bounds} }}]");
        let earlier = before.map(|rows| EarlierDrill {
            timestamp: "20260516T083111Z".to_owned(),
            databases: BTreeMap::from([(
                "a".parse().unwrap(),
                EarlierDatabase {
                    taken_at: taken_at(),
                    table_rows: [("public.t".to_owned(), rows)].into(),
                    post_data: None,
                },
            )]),
            ..EarlierDrill::default()
        });
        let contents = RestoredContents {
            rows: [("t".parse().unwrap(), count)].into(),
            total_rows: count,
            ..RestoredContents::default()
        };
        let database = "a".parse().unwrap();
        let restored = [(&database, &contents)].into();
        let earlier = EarlierDrills { drills: earlier.into_iter().collect(), ..EarlierDrills::default() };
        judge(&toml::from_str(&rules).unwrap(), &restored, &earlier, |_| taken_at())
    }

    #[test]
    fn fewer_rows_than_before_are_found_if_they_are_too_few() {
        for (max_drop, before, count, holds) in [
            ("0.1", 100, 90, true),
            ("0.1", 100, 89, false),
            ("\"10%\"", 100, 90, true),
            ("\"10 %\"", 100, 89, false),
            ("0", 100, 100, true),
            ("0", 100, 99, false),
            ("1", 100, 0, true),
            ("0.1", 100, 5000, true),
            ("0.1", 0, 0, true),
        ] {
            let outcome = compared(max_drop, Some(before), count);
            assert_eq!(outcome.status == CheckStatus::Pass, holds, "{max_drop} {before} {count}");
        }
        let outcome = compared("\"10%\"", Some(100_000), 1);
        assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, "rows_dropped"));
        assert_eq!(
            outcome.findings[0].expected,
            "at most 10 % fewer than the 100,000 rows of the drill 20260516T083111Z"
        );
        assert_eq!(
            outcome.findings[0].actual,
            "1 row, 99.999 % fewer than the 100,000 of the drill 20260516T083111Z"
        );
    }

    #[test]
    fn without_an_earlier_drill_it_is_said_that_nothing_was_compared() {
        for (bounds, status) in [
            ("max_drop = 0.1", CheckStatus::Skipped),
            ("max_drop = 0.1, min = 0", CheckStatus::Pass),
            ("max_drop = 0.1, max = 1", CheckStatus::Pass),
            ("max_drop = 0.1, exact = 1", CheckStatus::Pass),
        ] {
            let outcome = compared_by(bounds, None, 1).allow_empty(true);
            assert_eq!((outcome.status, outcome.findings[0].code), (status, NO_EARLIER_DRILL), "{bounds}");
            assert_eq!(
                (outcome.findings[0].severity, &*outcome.findings[0].subject),
                (Severity::Warning, "a.public.t")
            );
            assert_eq!(outcome.not_verified().len(), 1, "{bounds}");
        }
    }

    #[test]
    fn a_share_is_a_part_of_a_whole() {
        for bad in ["1.5", "-0.1", "2", "\"110%\"", "\"a lot\"", "\"10\"", "nan"] {
            let rule = format!("database = \"a\"\ntable = \"t\"\nmax_drop = {bad}");
            assert!(toml::from_str::<RowRule>(&rule).is_err(), "{bad}");
        }
    }
}
