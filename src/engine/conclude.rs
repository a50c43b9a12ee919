//! From everything recorded to PASS or FAIL. Pure, and the only place that says PASS.

use crate::failure::Failure;
use crate::verdict::{CheckStatus, DatabaseStatus, IsolationStatus, Status, Verdict};

/// Gives a verdict that is still RUNNING its final status. PASS takes evidence for everything; a verdict that has
/// failed already keeps its status.
pub fn conclude(verdict: &mut Verdict) {
    for database in &mut verdict.databases {
        if database.status == DatabaseStatus::Pending {
            database.status = DatabaseStatus::Skipped;
        }
    }
    if verdict.status != Status::Running {
        return;
    }
    match shortfall(verdict) {
        None => verdict.status = Status::Pass,
        Some(failure) => {
            verdict.status = Status::Inconclusive;
            verdict.failure = Some(failure.to_record(None));
        }
    }
}

/// What a PASS lacks although nothing was reported as failed. Each of these has its own failure where it happens;
/// here a mistake in the program is kept from becoming a PASS.
fn shortfall(verdict: &Verdict) -> Option<Failure> {
    let lacks = |what: &str| {
        Some(
            Failure::inconclusive(
                "incomplete",
                format!("the drill ended without {what}, so nothing is proved"),
            )
            .hint("this is a defect of restore-drill; please report it with the verdict"),
        )
    };
    if verdict.isolation.status != IsolationStatus::Proved {
        return lacks("a proof of isolation");
    }
    if verdict.databases.is_empty()
        || verdict.databases.iter().any(|database| database.status != DatabaseStatus::Restored)
    {
        return lacks("every database restored");
    }
    if verdict.checks.is_empty() || verdict.checks.iter().any(|check| check.status != CheckStatus::Pass) {
        return lacks("every check passed");
    }
    None
}
