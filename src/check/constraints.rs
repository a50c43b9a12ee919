//! `constraints`: every constraint of a database, checked again against the restored data.
//!
//! Postgres checks a constraint when a row is written, or when the constraint is made. `pg_restore` makes most of them
//! after the data, so they are checked then. But one marked `NOT VALID` never is, a CHECK may call a function that
//! answers otherwise now, and an index that is wrong hides its duplicates.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Deserialize;

use super::context::{Context, each_database};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::{positive, scan_timeout};
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::constraints::{ConstraintKind, Recheck, RecheckResult};
use crate::template::Template;

findings! {
    CONSTRAINT_VIOLATED = "constraint_violated", "error":
        "Rows violate a constraint that the catalog says is valid.",
        "Ask the source the same. If it has these rows too, fix it there, and find out how they came in. If not, the backup is not what the source was.",
        "shop.public.jobs jobs_tenant_fkey: 2 rows violate it: (17); (18)";
    NOT_VALID_VIOLATED = "not_valid_violated", "error; warning with `not_valid = \"warn\"`":
        "Rows violate a constraint marked `NOT VALID`.",
        "Ask the source the same. If it has these rows too, fix it there, and find out how they came in. If not, the backup is not what the source was. Where production is known to have such rows, fix them, or set `not_valid = \"warn\"`.",
        "shop.public.jobs jobs_tenant_fkey: 2 rows violate it: (17); (18); it is NOT VALID";
    CONSTRAINT_NOT_CHECKED = "constraint_not_checked", "warning":
        "The constraint cannot be evaluated, and does not count as one that holds: its function fails (the finding gives the SQLSTATE) or does not find its tables, or a name in it is not UTF-8.",
        "Functions in constraints should name schemas. The same constraint would fail whoever restores the dump by hand.",
        "shop.public.jobs jobs_check: the function app.is_open fails";
    CONSTRAINT_LEFT_OUT = "constraint_left_out", "info":
        "An exclusion constraint, or a key with a period: every row would have to be compared with every other.",
        "Nothing. `pg_restore` checked it when it made it.",
        "shop.public.rooms rooms_excl: exclusion constraints are not checked";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "constraints",
    read: read::<Constraints>,
    keys: keys::<Constraints>,
    skipped: "no constraint was verified",
    findings: FINDINGS,
};

/// Constraints, checked again against the data.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// The check's name.
    pub name: String,
    /// The databases whose constraints are checked.
    pub databases: Vec<DatabaseName>,
    /// Which kinds of constraints. Default: all.
    #[serde(default = "ConstraintKind::all")]
    pub kinds: BTreeSet<ConstraintKind>,
    /// What rows mean that violate a constraint marked `NOT VALID`.
    #[serde(default)]
    pub not_valid: NotValid,
    /// Whether no constraint may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one query may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

/// What rows mean that violate a constraint marked `NOT VALID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotValid {
    /// They fail the check, as those of any other constraint.
    #[default]
    Fail,
    /// They are a warning.
    Warn,
}

#[async_trait]
impl Check for Constraints {
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
        if self.kinds.is_empty() {
            return Err(format!("{place}: kinds is empty; leave it out for all kinds"));
        }
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Checks every constraint of every database, several databases at once.
///
/// # Errors
/// If they cannot be judged.
async fn run(check: &Constraints, context: &Context<'_>) -> Result<Outcome> {
    let tools = context.tools;
    let found = each_database(&check.databases, tools, |database, on| {
        on.server.recheck_constraints(database, &check.kinds, &on.connections, check.timeout).boxed()
    })
    .await?;
    Ok(judge(check.not_valid, &found))
}

/// Judges what was found.
fn judge(not_valid: NotValid, found: &[(&DatabaseName, Vec<Recheck>)]) -> Outcome {
    let mut findings = Findings::default();
    let (mut held, mut judged, mut rows, mut unvalidated, mut unchecked) = (0u64, 0u64, 0u64, 0u64, 0u64);
    for (database, rechecks) in found {
        for recheck in rechecks {
            rows += recheck.rows;
            let rule = &recheck.rule;
            unvalidated += u64::from(!rule.validated);
            judged += u64::from(matches!(recheck.found, RecheckResult::Violations(..)));
            let (severity, code, actual) = match &recheck.found {
                RecheckResult::Violations(0, _) => {
                    held += 1;
                    continue;
                }
                RecheckResult::Violations(violations, keys) if rule.validated => {
                    (Severity::Error, CONSTRAINT_VIOLATED, violated(*violations, keys))
                }
                RecheckResult::Violations(violations, keys) => {
                    let severity =
                        if not_valid == NotValid::Fail { Severity::Error } else { Severity::Warning };
                    (
                        severity,
                        NOT_VALID_VIOLATED,
                        format!("{}; it is NOT VALID", violated(*violations, keys)),
                    )
                }
                RecheckResult::Failed(why) => {
                    unchecked += 1;
                    (Severity::Warning, CONSTRAINT_NOT_CHECKED, human::one_line(why, 300))
                }
                RecheckResult::LeftOut(why) => {
                    unchecked += 1;
                    (Severity::Info, CONSTRAINT_LEFT_OUT, (*why).to_owned())
                }
            };
            findings.push(Finding {
                severity,
                code,
                subject: human::one_line(
                    &format!("{database}.{}.{} {}", rule.schema, rule.table, rule.name),
                    200,
                ),
                expected: format!("every row satisfies the {}", rule.kind),
                actual,
            });
        }
    }
    let mut summary =
        format!("{} in {}", human::things(held, "constraint"), human::things(found.len() as u64, "database"));
    if unvalidated > 0 {
        summary.push_str(&format!("; {} NOT VALID", human::count(unvalidated)));
    }
    if unchecked > 0 {
        summary.push_str(&format!("; {} not checked", human::count(unchecked)));
    }
    findings.into_outcome(Verified::things(judged, rows).besides(unchecked), summary)
}

fn violated(violations: u64, keys: &[String]) -> String {
    let rows = human::things(violations, "row");
    let verb = if violations == 1 { "violates" } else { "violate" };
    if keys.is_empty() {
        return format!("{rows} {verb} it");
    }
    let more = if violations > keys.len() as u64 { ", …" } else { "" };
    format!("{rows} {verb} it: {}{more}", keys.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::CheckStatus;
    use crate::target::postgres::constraints::RecheckedRule;

    fn recheck(validated: bool, found: RecheckResult) -> Recheck {
        let rule = RecheckedRule {
            kind: "foreign key",
            schema: "s".to_owned(),
            table: "t".to_owned(),
            name: "fk".to_owned(),
            validated,
        };
        Recheck { rule, rows: 3, found }
    }

    fn judged(not_valid: NotValid, rechecks: Vec<Recheck>) -> Outcome {
        judge(not_valid, &[(&"d".parse().unwrap(), rechecks)])
    }

    #[test]
    fn constraints_that_hold_are_counted() {
        let outcome = judged(
            NotValid::Fail,
            vec![
                recheck(true, RecheckResult::Violations(0, vec![])),
                recheck(false, RecheckResult::Violations(0, vec![])),
            ],
        );
        assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 6));
        assert_eq!(outcome.summary, "2 constraints in 1 database; 1 NOT VALID");
    }

    #[test]
    fn violations_are_counted_and_named() {
        let keys = vec!["7".to_owned(), "9".to_owned()];
        let outcome = judged(NotValid::Warn, vec![recheck(true, RecheckResult::Violations(12, keys))]);
        assert_eq!(
            (outcome.status, outcome.failing_code().as_str()),
            (CheckStatus::Fail, "constraint_violated")
        );
        assert_eq!(outcome.findings[0].subject, "d.s.t fk");
        assert_eq!(outcome.findings[0].actual, "12 rows violate it: 7; 9, …");
    }

    #[test]
    fn what_a_constraint_that_is_not_valid_means_is_the_templates_to_say() {
        let rechecks = || vec![recheck(false, RecheckResult::Violations(1, vec!["7".to_owned()]))];
        let outcome = judged(NotValid::Fail, rechecks());
        assert_eq!(
            (outcome.status, outcome.failing_code().as_str()),
            (CheckStatus::Fail, "not_valid_violated")
        );
        let outcome = judged(NotValid::Warn, rechecks());
        assert_eq!((outcome.status, outcome.findings[0].severity), (CheckStatus::Pass, Severity::Warning));
    }

    #[test]
    fn what_cannot_be_evaluated_is_said_and_does_not_fail() {
        let sound = || recheck(true, RecheckResult::Violations(0, vec![]));
        let raised = || recheck(true, RecheckResult::Failed("no function".to_owned()));
        let outcome = judged(NotValid::Fail, vec![sound(), raised()]);
        assert_eq!(
            (outcome.status, outcome.findings[0].code.as_str()),
            (CheckStatus::Pass, "constraint_not_checked")
        );
        assert!(outcome.summary.ends_with("1 not checked"));
        let outcome =
            judged(NotValid::Fail, vec![sound(), recheck(true, RecheckResult::LeftOut("too much"))]);
        assert_eq!((outcome.status, outcome.findings[0].severity), (CheckStatus::Pass, Severity::Info));
        let outcome = judged(NotValid::Fail, vec![raised(), raised()]).allow_empty(true);
        assert_eq!(outcome.status, CheckStatus::Skipped, "none of them could be checked");
        assert_eq!(judged(NotValid::Fail, vec![]).status, CheckStatus::Skipped, "there is none");
    }
}
