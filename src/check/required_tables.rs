//! `required-tables`: tables that must be there.

use super::{Findings, Outcome, Restored, Verified};
use crate::model::code::Code;
use crate::model::verdict::{Finding, Severity};
use crate::template::RequiredTables;

/// Looks for every required table.
pub fn judge(check: &RequiredTables, restored: &Restored<'_>) -> Outcome {
    let mut findings = Findings::default();
    let mut found = 0u64;
    let mut rows = 0;
    for (database, tables) in &check.tables {
        let contents = restored.get(database);
        for table in tables {
            if let Some(count) = contents.and_then(|contents| contents.rows.get(table)) {
                found += 1;
                rows += count;
            } else {
                findings.push(Finding {
                    severity: Severity::Error,
                    code: Code::new("table_missing"),
                    subject: format!("{database}.{table}"),
                    expected: "the table".to_owned(),
                    actual: "the table is not in the restored database (was it left out of the backup?)"
                        .to_owned(),
                });
            }
        }
    }
    let summary = format!("{found} tables in {} databases", check.tables.len());
    findings.into_outcome(Verified::things(found, rows), summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::CheckStatus;
    use crate::target::postgres::catalog::Contents;

    fn judged(tables: &[&str]) -> Outcome {
        let database = "a".parse().unwrap();
        let check = RequiredTables {
            name: "tables".to_owned(),
            tables: [("a".parse().unwrap(), vec!["t".parse().unwrap(), "s.t".parse().unwrap()])].into(),
        };
        let rows = tables.iter().map(|table| (table.parse().unwrap(), 3)).collect();
        judge(&check, &[(&database, &Contents { rows, total_rows: 0 })].into())
    }

    #[test]
    fn all_there() {
        let outcome = judged(&["t", "s.t", "more"]);
        assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 6));
    }

    #[test]
    fn a_missing_table_is_named_with_its_schema() {
        let outcome = judged(&["t", "u.t"]);
        assert_eq!(outcome.status, CheckStatus::Fail);
        assert_eq!(
            (outcome.findings[0].code.as_str(), &*outcome.findings[0].subject),
            ("table_missing", "a.s.t")
        );
    }
}
