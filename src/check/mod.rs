//! Checks: what must hold on the restored data.
//!
//! Each type is a file with a pure judgement over what was read. A check that fails yields findings; `Err` means
//! that it could not be judged. To add one: a variant in [`crate::template::Check`], a file here, an arm in [`run`].

mod required_tables;
mod row_counts;
mod verify_chain;

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use crate::failure::Result;
use crate::names::DatabaseName;
use crate::postgres::Server;
use crate::postgres::catalog::Contents;
use crate::template;
use crate::verdict::{CheckStatus, Finding, Severity};

pub use verify_chain::{ChainFold, ChainRow};

/// Findings of one check that are kept; the rest is counted.
pub const FINDINGS_KEPT: usize = 100;

/// What the restored databases hold.
pub type Restored<'a> = BTreeMap<&'a DatabaseName, &'a Contents>;

/// What a check found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub status: CheckStatus,
    /// Rows the outcome rests on.
    pub rows_verified: u64,
    /// One line for people.
    pub summary: String,
    /// What it saw, bounded.
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub findings_total: u64,
}

/// What checks work with.
pub struct Context<'a> {
    /// The server the databases were restored to.
    pub server: &'a Server,
    /// What they hold.
    pub restored: Restored<'a>,
    /// Connections a check may use at once.
    pub jobs: usize,
}

/// Runs a check on databases that are restored, every one it names among them.
///
/// # Errors
/// If it cannot be judged.
pub async fn run(check: &template::Check, context: &Context<'_>) -> Result<Outcome> {
    match check {
        template::Check::RequiredTables(check) => Ok(required_tables::judge(check, &context.restored)),
        template::Check::RowCounts(check) => Ok(row_counts::judge(check, &context.restored)),
        template::Check::VerifyChain(check) => verify_chain(check, context).await,
    }
}

/// Streams the chains over several connections at once, each folded where it arrives.
async fn verify_chain(check: &template::VerifyChain, context: &Context<'_>) -> Result<Outcome> {
    let slices = context.jobs.max(1);
    let folds = (0..slices).map(|slice| {
        let (server, check) = (context.server.clone(), check.clone());
        let work = tokio::spawn(async move {
            let mut fold = ChainFold::new(check.require_genesis);
            server.audit_rows(&check.database, &check.table, slice, slices, |row| fold.push(row)).await?;
            Ok(fold)
        });
        async { work.await.expect("a fold does not panic and is not aborted") }
    });
    let mut folds = try_join_all(folds).await?.into_iter();
    let mut whole = folds.next().expect("there is at least one slice");
    folds.for_each(|fold| whole.merge(fold));
    Ok(whole.finish())
}

impl Outcome {
    /// The code of the first finding that fails the check.
    pub fn failing_code(&self) -> &'static str {
        self.findings
            .iter()
            .find(|finding| finding.severity == Severity::Error)
            .map_or("check_failed", |f| f.code)
    }
}

/// Collects findings: keeps the first ones, counts all.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    total: u64,
    errors: u64,
}

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.total += 1;
        self.errors += u64::from(finding.severity == Severity::Error);
        if self.kept.len() < FINDINGS_KEPT {
            self.kept.push(finding);
        }
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.errors += other.errors;
        let room = FINDINGS_KEPT.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// The outcome of a check that found these: it holds if none of them is an error.
    pub fn into_outcome(self, rows_verified: u64, held: String) -> Outcome {
        let (status, summary) =
            match (self.errors, self.kept.iter().find(|finding| finding.severity == Severity::Error)) {
                (0, _) => (CheckStatus::Pass, held),
                (1, Some(first)) => (CheckStatus::Fail, format!("{}: {}", first.subject, first.actual)),
                (n, Some(first)) => (
                    CheckStatus::Fail,
                    format!("{n} findings, the first: {}: {}", first.subject, first.actual),
                ),
                (n, None) => (CheckStatus::Fail, format!("{n} findings")),
            };
        Outcome { status, rows_verified, summary, findings: self.kept, findings_total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Finding {
        Finding {
            severity,
            code: "x",
            subject: "s".to_owned(),
            expected: "e".to_owned(),
            actual: "a".to_owned(),
        }
    }

    #[test]
    fn findings_are_bounded_and_counted_exactly() {
        let mut findings = Findings::default();
        for _ in 0..FINDINGS_KEPT + 5 {
            findings.push(finding(Severity::Error));
        }
        let outcome = findings.into_outcome(1, String::new());
        assert_eq!((outcome.findings.len(), outcome.findings_total), (FINDINGS_KEPT, 105));
        assert_eq!(outcome.status, CheckStatus::Fail);
    }

    #[test]
    fn warnings_do_not_fail_a_check() {
        let mut findings = Findings::default();
        findings.push(finding(Severity::Warning));
        let outcome = findings.into_outcome(1, "held".to_owned());
        assert_eq!(
            (outcome.status, &*outcome.summary, outcome.findings_total),
            (CheckStatus::Pass, "held", 1)
        );
    }
}
