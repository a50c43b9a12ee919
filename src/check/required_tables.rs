//! `required-tables`: tables that must be there.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::Deserialize;

use super::context::{Context, Restored};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite;
use crate::template::{NeededTable, TableName, Template};

findings! {
    TABLE_MISSING = "table_missing", "error":
        "The table is not in the restored database.",
        "Check whether the backup job leaves tables or schemas out, and whether the table was renamed.",
        "shop.public.orders: the table is not in the restored database";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "required-tables",
    read: read::<RequiredTables>,
    keys: keys::<RequiredTables>,
    skipped: "no table was verified",
    findings: FINDINGS,
};

/// Tables that must be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredTables {
    /// The check's name.
    pub name: String,
    /// The tables, by database.
    pub tables: BTreeMap<DatabaseName, Vec<TableName>>,
}

#[async_trait]
impl Check for RequiredTables {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.tables.keys().collect()
    }

    fn tables(&self) -> Vec<NeededTable> {
        let needed = |database: &DatabaseName, table: &TableName| NeededTable {
            check: self.name.clone(),
            database: database.clone(),
            table: table.clone(),
            view_suffices: false,
            rows: 0,
        };
        self.tables
            .iter()
            .flat_map(|(database, tables)| tables.iter().map(move |table| needed(database, table)))
            .collect()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn complete(&mut self, template: &Template) {
        for (database, tables) in &mut self.tables {
            if template.is_sqlite(database) {
                tables.iter_mut().for_each(|table| *table = sqlite::table_name(table));
            }
        }
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.tables.retain(|database, _| wanted(database));
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        Ok(judge(self, &context.restored))
    }
}

/// Looks for every required table.
fn judge(check: &RequiredTables, restored: &Restored<'_>) -> Outcome {
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
                    code: TABLE_MISSING,
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
    use crate::target::postgres::catalog::RestoredContents;

    fn judged(tables: &[&str]) -> Outcome {
        let database = "a".parse().unwrap();
        let check = RequiredTables {
            name: "tables".to_owned(),
            tables: [("a".parse().unwrap(), vec!["t".parse().unwrap(), "s.t".parse().unwrap()])].into(),
        };
        let rows = tables.iter().map(|table| (table.parse().unwrap(), 3)).collect();
        judge(&check, &[(&database, &RestoredContents { rows, ..RestoredContents::default() })].into())
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
