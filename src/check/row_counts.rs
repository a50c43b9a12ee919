//! `row-counts`: how many rows tables must have.

use super::{Findings, Outcome, Restored};
use crate::template::{RowCounts, RowRule};
use crate::verdict::{Finding, Severity};

/// Holds every rule against the exact count.
pub fn judge(check: &RowCounts, restored: &Restored<'_>) -> Outcome {
    let mut findings = Findings::default();
    let mut rows = 0;
    for rule in &check.rules {
        let count = restored.get(&rule.database).and_then(|contents| contents.rows.get(&rule.table)).copied();
        rows += count.unwrap_or(0);
        if let Some(finding) = violation(rule, count) {
            findings.push(finding);
        }
    }
    findings.into_outcome(rows, format!("{} tables, {} rows", check.rules.len(), crate::human::count(rows)))
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
        None => ("table_missing", "the table is not in the restored database".to_owned()),
        Some(count) if rule.exact.is_some_and(|exact| count != exact) => {
            ("row_count_differs", format!("{count} rows"))
        }
        Some(count) if rule.min.is_some_and(|min| count < min) => ("row_count_low", format!("{count} rows")),
        Some(count) if rule.max.is_some_and(|max| count > max) => ("row_count_high", format!("{count} rows")),
        Some(_) => return None,
    };
    Some(Finding {
        severity: Severity::Error,
        code,
        subject: format!("{}.{}", rule.database, rule.table),
        actual: format!("{actual}, expected {expected}"),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(min: Option<u64>, max: Option<u64>, exact: Option<u64>) -> RowRule {
        RowRule { database: "a".parse().unwrap(), table: "t".parse().unwrap(), min, max, exact }
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
            assert_eq!(violation(&rule, Some(bad)).unwrap().code, code);
            assert_eq!(violation(&rule, None).unwrap().code, "table_missing");
        }
    }
}
