//! `amcheck`: the structure of b-tree indexes and tables.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Deserialize;

use super::context::{Context, each_database};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::{positive, scan_timeout, yes};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::amcheck::{AmcheckOptions, AmcheckReport, ExaminedRelation};
use crate::template::Template;

findings! {
    INDEX_CORRUPT = "index_corrupt", "error":
        "The index is not as it must be. `lacks matching index tuple`: a query by this index would miss a row.",
        "Check whether the index is on a function that is declared `IMMUTABLE` and is not; compare the locales of source and image. If neither is it, test memory and disk of the machine.",
        "shop.public.jobs_pkey: item order invariant violated";
    TABLE_CORRUPT = "table_corrupt", "error":
        "A page or row of the table is malformed.",
        "Test memory and disk of the machine. Drill the same recovery point on another.",
        "shop.public.jobs: block 7, offset 3: xmin 12 precedes relation freeze threshold";
    NOT_CHECKED = "not_checked", "warning":
        "An index or table could not be checked, and why (with the SQLSTATE).",
        "Fix the function that the index calls.",
        "shop.public.jobs_expr_idx: the function app.is_open fails (SQLSTATE 22012)";
    NOT_POSSIBLE = "not_possible", "warning":
        "The image does not have the extension.",
        "Name one with Postgres's contrib modules.",
        "amcheck: the Postgres image does not have the extension amcheck";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "amcheck",
    read: read::<Amcheck>,
    keys: keys::<Amcheck>,
    skipped: "the structure of tables and indexes was not verified",
    findings: FINDINGS,
};

/// The structure of indexes and tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amcheck {
    /// The check's name.
    pub name: String,
    /// The databases whose indexes and tables are checked.
    pub databases: Vec<DatabaseName>,
    /// Whether b-tree indexes are checked.
    #[serde(default = "yes")]
    pub indexes: bool,
    /// Whether tables are checked, with what they keep out of line.
    #[serde(default = "yes")]
    pub tables: bool,
    /// Whether every row is looked for in every index.
    #[serde(default = "yes")]
    pub heapallindexed: bool,
    /// Whether an image without the extension ends the drill. Otherwise the check is skipped, with a warning.
    #[serde(default)]
    pub require: bool,
    /// Whether no index and no table may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one index or table may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

#[async_trait]
impl Check for Amcheck {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        if !self.indexes && !self.tables {
            return Err(format!("{place}: neither indexes nor tables, so there is nothing to check"));
        }
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Checks every database, several at once.
///
/// # Errors
/// `amcheck_unavailable`, if it is required; if it cannot be judged.
async fn run(check: &Amcheck, context: &Context<'_>) -> Result<Outcome> {
    let tools = context.tools;
    let options = AmcheckOptions {
        indexes: check.indexes,
        tables: check.tables,
        heapallindexed: check.heapallindexed,
        timeout: check.timeout,
    };
    let found = each_database(&check.databases, tools, |database, on| {
        on.server.examine(database, options, &on.connections).boxed()
    })
    .await?;
    // Of several servers some may have the extension, and others not.
    let (mut examined, mut without) = (Vec::new(), Vec::new());
    for (database, report) in found {
        match report {
            Some(report) => examined.push((database, report)),
            None => without.push(database),
        }
    }
    if !without.is_empty() && (check.require || examined.is_empty()) {
        return unavailable(check.require);
    }
    let rows = examined.iter().map(|(database, _)| context.restored[database].total_rows).sum();
    Ok(judge(check, &examined, &without, rows))
}

/// What is missing.
const NO_AMCHECK: &str = "the Postgres image does not have the extension amcheck";

fn unavailable(required: bool) -> Result<Outcome> {
    if required {
        return Err(Failure::inconclusive(codes::AMCHECK_UNAVAILABLE, NO_AMCHECK)
            .hint("use an image with Postgres's contrib modules, or take `require = true` from the check"));
    }
    Ok(Outcome::not_possible(NOT_POSSIBLE, "amcheck", NO_AMCHECK))
}

/// Judges what was examined. `without` are databases whose server does not have the extension.
fn judge(
    check: &Amcheck,
    found: &[(&DatabaseName, AmcheckReport)],
    without: &[&DatabaseName],
    rows: u64,
) -> Outcome {
    let mut findings = Findings::default();
    let (mut indexes, mut tables, mut errors, mut not_checked) = (0u64, 0u64, 0u64, without.len() as u64);
    for database in without {
        findings.push(Finding {
            severity: Severity::Warning,
            code: NOT_CHECKED,
            subject: database.to_string(),
            expected: "what the check needs".to_owned(),
            actual: NO_AMCHECK.to_owned(),
        });
    }
    let mut tables_possible = true;
    for (database, examined) in found {
        tables_possible &= examined.tables_possible;
        for relation in &examined.relations {
            let count = if relation.is_index { &mut indexes } else { &mut tables };
            *count += u64::from(relation.not_checked.is_none());
            errors += relation.total;
            not_checked += u64::from(relation.not_checked.is_some());
            report(database, relation, &mut findings);
        }
    }
    if check.tables && !tables_possible {
        not_checked += 1;
        let actual =
            "this server's amcheck cannot check tables: PostgreSQL 14 is the first that can".to_owned();
        findings.push(Finding {
            severity: Severity::Warning,
            code: NOT_CHECKED,
            subject: "tables".to_owned(),
            expected: "every table checked".to_owned(),
            actual,
        });
    }
    findings.count_unnamed(errors);
    let rows = if check.tables && tables_possible { rows } else { 0 };
    let summary =
        format!("{} and {}", things(indexes, "index", "indexes"), things(tables, "table", "tables"));
    findings.into_outcome(Verified::things(indexes + tables, rows).besides(not_checked), summary)
}

fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", human::count(number), if number == 1 { one } else { many })
}

fn report(database: &DatabaseName, relation: &ExaminedRelation, findings: &mut Findings) {
    let finding = |severity, code, actual: &str| Finding {
        severity,
        code,
        subject: human::one_line(&format!("{database}.{}", relation.name), 160),
        expected: if relation.is_index { "a sound b-tree" } else { "a sound table" }.to_owned(),
        actual: human::one_line(actual, 300),
    };
    let code = if relation.is_index { INDEX_CORRUPT } else { TABLE_CORRUPT };
    for fault in &relation.faults {
        findings.push(finding(Severity::Error, code, fault));
    }
    if let Some(why) = &relation.not_checked {
        findings.push(finding(Severity::Warning, NOT_CHECKED, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::CheckStatus;

    fn relation(is_index: bool, faults: &[&str], total: u64, not_checked: Option<&str>) -> ExaminedRelation {
        ExaminedRelation {
            name: "public.t".to_owned(),
            is_index,
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
            total,
            not_checked: not_checked.map(str::to_owned),
        }
    }

    fn judged(relations: Vec<ExaminedRelation>, tables_possible: bool) -> Outcome {
        let check = toml::from_str("name = \"c\"\ndatabases = [\"d\"]").unwrap();
        judge(&check, &[(&"d".parse().unwrap(), AmcheckReport { relations, tables_possible })], &[], 7)
    }

    #[test]
    fn what_is_sound_is_counted() {
        let sound =
            vec![relation(true, &[], 0, None), relation(true, &[], 0, None), relation(false, &[], 0, None)];
        let outcome = judged(sound, true);
        assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 7));
        assert_eq!(outcome.summary, "2 indexes and 1 table");
    }

    #[test]
    fn faults_are_named_and_counted_in_full() {
        let outcome = judged(vec![relation(false, &["block 3, row 5: bad", "block 4: bad"], 50, None)], true);
        assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, "table_corrupt"));
        assert_eq!((outcome.findings.len(), outcome.findings_total), (2, 50));
        let outcome = judged(vec![relation(true, &["bad"], 1, None)], true);
        assert_eq!(
            (outcome.failing_code().as_str(), &*outcome.findings[0].subject),
            ("index_corrupt", "d.public.t")
        );
    }

    #[test]
    fn what_could_not_be_checked_is_a_warning_and_not_counted() {
        let unlooked = || relation(true, &[], 0, Some("no function f"));
        let outcome = judged(vec![relation(false, &[], 0, None), unlooked()], true);
        assert_eq!((outcome.status, outcome.findings[0].code.as_str()), (CheckStatus::Pass, "not_checked"));
        assert_eq!(outcome.summary, "0 indexes and 1 table");
        let outcome = judged(vec![unlooked()], true).allow_empty(true);
        assert_eq!(outcome.status, CheckStatus::Skipped, "the only index could not be looked at");
        let outcome = judged(vec![], false);
        assert_eq!(
            (outcome.status, outcome.findings[0].code.as_str()),
            (CheckStatus::Skipped, "not_checked")
        );
        assert_eq!(outcome.rows_verified, 0);
    }

    #[test]
    fn a_database_whose_server_lacks_the_extension_is_not_verified_and_the_others_are() {
        let check = toml::from_str("name = \"c\"\ndatabases = [\"d\", \"e\"]").unwrap();
        let [d, e] = ["d", "e"].map(|name| name.parse::<DatabaseName>().unwrap());
        let report = AmcheckReport { relations: vec![relation(true, &[], 0, None)], tables_possible: true };
        let outcome = judge(&check, &[(&d, report)], &[&e], 7);
        assert_eq!((outcome.status, outcome.findings[0].code.as_str()), (CheckStatus::Pass, "not_checked"));
        assert_eq!((&*outcome.findings[0].subject, outcome.not_verified().len()), ("e", 1));
    }

    #[test]
    fn without_the_extension_it_is_skipped_unless_required() {
        assert_eq!(unavailable(false).unwrap().status, CheckStatus::Skipped);
        assert_eq!(unavailable(true).unwrap_err().code.as_str(), "amcheck_unavailable");
    }
}
