//! Checks: what must hold on the restored data.
//!
//! Each type is a file with a pure judgement over what was read. A check that fails yields findings; `Err` means
//! that it could not be judged. To add one: a variant in [`crate::template::Check`], a file here, an arm in [`run`].

mod reconcile;
mod required_tables;
mod row_counts;
mod transparency_roots;
mod verify_chain;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::{try_join, try_join_all};

use crate::chain::KeyRing;
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;
use crate::postgres::Server;
use crate::postgres::catalog::Contents;
use crate::template;
use crate::verdict::{CheckStatus, Finding, RecoverySet, Severity};

pub use reconcile::KeyRow;
pub use transparency_roots::{RootFold, RootRow};
pub use verify_chain::{ChainFold, ChainRow};

use reconcile::{Advance, Merge};

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
    /// The recovery points they were restored from.
    pub points: &'a RecoverySet,
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
        template::Check::Reconcile(check) => reconcile(check, context).await,
        template::Check::TransparencyRoots(check) => transparency_roots(check, context).await,
    }
}

/// Gathers the keys, then streams the roots.
async fn transparency_roots(check: &template::TransparencyRoots, context: &Context<'_>) -> Result<Outcome> {
    let table = "audit_logs".parse().expect("a table's name");
    let audit_rows =
        context.restored.get(&check.database).and_then(|contents| contents.rows.get(&table)).copied();
    let mut keys = KeyRing::new();
    let mut unreadable = Vec::new();
    for (fingerprint, pem) in context.server.signing_keys(&check.database).await? {
        if let Err(error) = keys.insert(&pem) {
            unreadable.push((fingerprint, error.to_string()));
        }
    }
    if let Some(path) = check.active_public_key.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        let unusable = |why: String| {
            Failure::config(
                "public_key_unreadable",
                format!("the active public key {} cannot be used: {why}", path.display()),
            )
            .hint("it must be an Ed25519 public key in PEM form (for Aegis: ACP_TRANSPARENCY_PUBLIC_KEY)")
        };
        let pem = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        keys.insert(&pem).map_err(|error| unusable(error.to_string()))?;
    }
    let mut fold = RootFold::new(keys, audit_rows.unwrap_or(0), check.require_genesis);
    for (fingerprint, why) in unreadable {
        fold.bad_key(&fingerprint, &why);
    }
    context.server.root_rows(&check.database, |root| fold.push(root)).await?;
    // A day's root is computed after it has ended; the day before the dump's own may still be waiting for its.
    let until = context.taken_at(&check.database).date_naive() - chrono::Days::new(1);
    let found = |tenant: &str, day, leaves| fold.day_without_root(tenant, day, leaves);
    context.server.days_without_root(&check.database, until, found).await?;
    Ok(fold.finish())
}

/// Reads both sides in step with each other.
async fn reconcile(check: &template::Reconcile, context: &Context<'_>) -> Result<Outcome> {
    let (left_side, right_side) = (&check.left, &check.right);
    let mut merge =
        Merge::new(check, context.taken_at(&left_side.database), context.taken_at(&right_side.database));
    let (mut left_rows, mut right_rows) = try_join(
        context.server.key_rows(&left_side.database, &left_side.query),
        context.server.key_rows(&right_side.database, &right_side.query),
    )
    .await?;
    let (mut left, mut right) = try_join(left_rows.next(), right_rows.next()).await?;
    loop {
        match merge.step(left.as_ref(), right.as_ref()) {
            Advance::Left => left = left_rows.next().await?,
            Advance::Right => right = right_rows.next().await?,
            Advance::End => break,
        }
    }
    let mut facts = Vec::new();
    for fact in &check.facts {
        let value = context.server.fact(&fact.database, &fact.query).await?;
        facts.push(format!(
            "{}: {}",
            fact.label,
            crate::human::one_line(value.as_deref().unwrap_or("none"), 80)
        ));
    }
    Ok(merge.finish(&facts))
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

impl Context<'_> {
    /// When a database's dump was taken. One without a recovery point is not restored, and no check sees it.
    fn taken_at(&self, database: &DatabaseName) -> DateTime<Utc> {
        let point = self.points.point(database);
        point.map_or(DateTime::<Utc>::MAX_UTC, |point| point.taken_at)
    }
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
        } else if finding.severity == Severity::Error {
            // What fails the check must not be crowded out by what does not.
            if let Some(lesser) = self.kept.iter_mut().rev().find(|kept| kept.severity < Severity::Error) {
                *lesser = finding;
            }
        }
    }

    /// Sets the number of errors in all, where not every one was named.
    pub fn count_unnamed(&mut self, errors: u64) {
        self.total += errors.saturating_sub(self.errors);
        self.errors = self.errors.max(errors);
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
    fn an_error_is_not_crowded_out_by_warnings() {
        let mut findings = Findings::default();
        (0..FINDINGS_KEPT).for_each(|_| findings.push(finding(Severity::Warning)));
        findings.push(Finding { code: "grave", ..finding(Severity::Error) });
        let outcome = findings.into_outcome(1, String::new());
        assert_eq!((outcome.failing_code(), outcome.findings_total), ("grave", 101));
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
