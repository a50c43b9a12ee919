//! `sqlite-integrity`: rows of an SQLite database whose parents are missing, and full-text indexes that do not fit their tables.
//!
//! That its pages are whole is not asked here: no drill restores a file of which it is not known.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::yes;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::sqlite::ForeignKeyViolation;
use crate::template::Template;

findings! {
    ROWS_WITHOUT_PARENT = "rows_without_parent", "error":
        "Rows refer to rows that are not there (`PRAGMA foreign_key_check`).",
        "Check whether the application enforces foreign keys (`PRAGMA foreign_keys`), and whether rows were deleted.",
        "gateway.approvals: 3 rows refer to rows of decisions that are not there";
    FULL_TEXT_DIFFERS = "full_text_differs", "error":
        "A full-text index (FTS5) does not fit the rows that it indexes.",
        "Rebuild it in the source: `INSERT INTO t(t) VALUES (\'rebuild\')`.",
        "gateway.audit_search_index: the index does not fit its rows: database disk image is malformed";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "sqlite-integrity",
    read: read::<SqliteIntegrity>,
    keys: keys::<SqliteIntegrity>,
    skipped: "no foreign key and no full-text index was verified",
    findings: FINDINGS,
};

/// Databases of SQLite whose rows must fit together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteIntegrity {
    /// The check's name.
    pub name: String,
    /// The databases.
    pub databases: Vec<DatabaseName>,
    /// Whether foreign keys are checked. Default: true.
    #[serde(default = "yes")]
    pub foreign_keys: bool,
    /// Whether full-text indexes (FTS5) are checked. Default: true.
    #[serde(default = "yes")]
    pub full_text: bool,
}

/// What was seen of one database.
#[derive(Debug, Default)]
struct Seen {
    /// Rows of tables with foreign keys, and what is wrong with them, if foreign keys were checked.
    foreign_keys: Option<(u64, Vec<ForeignKeyViolation>)>,
    /// Full-text indexes, and of each what is wrong with it.
    full_text: Vec<(String, Option<String>)>,
}

#[async_trait]
impl Check for SqliteIntegrity {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn works_on(&self, system: DatabaseSystem) -> bool {
        system == DatabaseSystem::Sqlite
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(|database| wanted(database));
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        if self.foreign_keys || self.full_text {
            return Ok(());
        }
        Err(format!("check {}: it looks at nothing without foreign_keys and full_text", self.name))
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let mut all = Vec::new();
        for database in &self.databases {
            let Some(workbench) = context.workbench_of(database) else { continue };
            let mut seen = Seen::default();
            if self.foreign_keys {
                let with_parents = workbench.tables_with_parents(database).await?;
                let rows_of = |table: &String| {
                    let contents = context.restored.get(database)?;
                    contents.rows.iter().find(|(name, _)| name.table == *table).map(|(_, rows)| *rows)
                };
                let rows = with_parents.iter().filter_map(rows_of).sum();
                seen.foreign_keys = Some((rows, workbench.foreign_key_violations(database).await?));
            }
            if self.full_text {
                seen.full_text = workbench.full_text_indexes(database).await?;
            }
            all.push((database, seen));
        }
        Ok(judge(&all))
    }
}

/// Judges what was seen of each database.
fn judge(all: &[(&DatabaseName, Seen)]) -> Outcome {
    let mut findings = Findings::default();
    let (mut rows, mut indexes) = (0, 0);
    for (database, seen) in all {
        if let Some((own_rows, violations)) = &seen.foreign_keys {
            rows += own_rows;
            findings.extend(violations.iter().map(|violation| without_parent(database, violation)));
        }
        indexes += seen.full_text.len() as u64;
        findings.extend(seen.full_text.iter().filter_map(|(index, wrong)| {
            Some(Finding {
                severity: Severity::Error,
                code: FULL_TEXT_DIFFERS,
                subject: format!("{database}.{}", human::one_line(index, 120)),
                expected: "an index that fits its rows".to_owned(),
                actual: format!("the index does not fit its rows: {}", wrong.as_ref()?),
            })
        }));
    }
    let held = format!(
        "{} rows with their parents, {}",
        human::count(rows),
        human::things(indexes, "full-text index")
    );
    findings.into_outcome(Verified::things(rows + indexes, rows), held)
}

fn without_parent(database: &DatabaseName, violation: &ForeignKeyViolation) -> Finding {
    Finding {
        severity: Severity::Error,
        code: ROWS_WITHOUT_PARENT,
        subject: format!("{database}.{}", human::one_line(&violation.table, 120)),
        expected: "every row it refers to".to_owned(),
        actual: format!(
            "{} refer to rows of {} that are not there",
            human::things(violation.rows, "row"),
            human::one_line(&violation.parent, 120)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::CheckStatus;

    fn judged(seen: Seen) -> Outcome {
        judge(&[(&"gateway".parse().unwrap(), seen)])
    }

    #[test]
    fn what_fits_together_passes_and_nothing_to_verify_is_no_pass() {
        let seen = Seen { foreign_keys: Some((7, Vec::new())), full_text: vec![("search".to_owned(), None)] };
        let outcome = judged(seen);
        assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 7));
        let nothing = judged(Seen { foreign_keys: Some((0, Vec::new())), full_text: Vec::new() });
        assert_ne!(nothing.status, CheckStatus::Pass);
        assert_ne!(judged(Seen::default()).status, CheckStatus::Pass);
    }

    #[test]
    fn rows_without_parents_and_indexes_that_do_not_fit_are_named() {
        let violation =
            ForeignKeyViolation { table: "approvals".to_owned(), parent: "decisions".to_owned(), rows: 3 };
        let wrong = Some("database disk image is malformed".to_owned());
        let seen =
            Seen { foreign_keys: Some((7, vec![violation])), full_text: vec![("search".to_owned(), wrong)] };
        let outcome = judged(seen);
        let found: Vec<(&str, &str)> = outcome
            .findings
            .iter()
            .map(|finding| (finding.code.as_str(), finding.subject.as_str()))
            .collect();
        assert_eq!(
            found,
            [("rows_without_parent", "gateway.approvals"), ("full_text_differs", "gateway.search")]
        );
    }
}
