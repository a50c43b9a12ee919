//! `amcheck`: the structure of b-tree indexes and tables.

use futures_util::FutureExt;

use super::{Context, Findings, Outcome, Verified, each_database};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::amcheck::{AmcheckOptions, AmcheckReport, ExaminedRelation};
use crate::template::Amcheck;

/// Checks every database, several at once.
///
/// # Errors
/// `amcheck_unavailable`, if it is required; if it cannot be judged.
pub async fn run(check: &Amcheck, context: &Context<'_>) -> Result<Outcome> {
    let tools = context.tools;
    let options = AmcheckOptions {
        indexes: check.indexes,
        tables: check.tables,
        heapallindexed: check.heapallindexed,
        timeout: check.timeout,
    };
    let found = each_database(&check.databases, tools, |database| {
        tools.server.examine(database, options, &tools.connections).boxed()
    })
    .await?;
    // All databases are on one server: it has the extension, or it has not.
    let found: Option<Vec<_>> =
        found.into_iter().map(|(database, examined)| Some((database, examined?))).collect();
    let Some(found) = found else { return unavailable(check.require) };
    let rows = context.restored.values().map(|contents| contents.total_rows).sum();
    Ok(judge(check, &found, rows))
}

fn unavailable(required: bool) -> Result<Outcome> {
    let why = "the Postgres image does not have the extension amcheck";
    if required {
        return Err(Failure::inconclusive(codes::AMCHECK_UNAVAILABLE, why)
            .hint("use an image with Postgres's contrib modules, or take `require = true` from the check"));
    }
    Ok(Outcome::not_possible("amcheck", why))
}

fn judge(check: &Amcheck, found: &[(&DatabaseName, AmcheckReport)], rows: u64) -> Outcome {
    let mut findings = Findings::default();
    let (mut indexes, mut tables, mut errors, mut not_checked) = (0u64, 0u64, 0u64, 0u64);
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
            code: Code::new("not_checked"),
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
    let code = if relation.is_index { "index_corrupt" } else { "table_corrupt" };
    for fault in &relation.faults {
        findings.push(finding(Severity::Error, Code::new(code), fault));
    }
    if let Some(why) = &relation.not_checked {
        findings.push(finding(Severity::Warning, Code::new("not_checked"), why));
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
        judge(&check, &[(&"d".parse().unwrap(), AmcheckReport { relations, tables_possible })], 7)
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
    fn without_the_extension_it_is_skipped_unless_required() {
        assert_eq!(unavailable(false).unwrap().status, CheckStatus::Skipped);
        assert_eq!(unavailable(true).unwrap_err().code.as_str(), "amcheck_unavailable");
    }
}
