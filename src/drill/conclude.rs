//! From everything recorded to PASS or FAIL. Pure, and the only place that says PASS.

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::verdict::{Check, CheckStatus, DatabaseStatus, IsolationStatus, Status, Verdict};

/// Gives a verdict that is still RUNNING its final status. PASS takes evidence for everything; a verdict that has
/// failed already keeps its status.
pub fn conclude(verdict: &mut Verdict) {
    for database in &mut verdict.databases {
        if database.status == DatabaseStatus::Pending {
            database.status = DatabaseStatus::Skipped;
        }
    }
    for cluster in &mut verdict.clusters {
        cluster.sum_up(&verdict.databases);
    }
    // Checks end in any order; a verdict should read the same from drill to drill.
    verdict.checks.sort_by(|a, b| a.name.cmp(&b.name));
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
        Some(Failure::defect(
            codes::INCOMPLETE,
            format!("the drill ended without {what}, so nothing is proved"),
        ))
    };
    if verdict.isolation.status != IsolationStatus::Proved {
        return lacks("a proof of isolation");
    }
    if verdict.isolation.confirmed_at.is_none() {
        return lacks("a second inspection of isolation after the checks");
    }
    if verdict.databases.is_empty()
        || verdict.databases.iter().any(|database| database.status != DatabaseStatus::Restored)
    {
        return lacks("every database restored");
    }
    let passed = |check: &Check| check.status == CheckStatus::Pass;
    if verdict.checks.is_empty()
        || !verdict.checks.iter().all(|check| passed(check) || was_not_possible(check))
    {
        return lacks("every check passed");
    }
    if !verdict.checks.iter().any(passed) {
        return Some(
            Failure::inconclusive(
                codes::NOTHING_VERIFIED,
                "no check of the template was possible, so nothing is proved",
            )
            .hint("warnings in the verdict say why each was skipped; add a check that is possible here"),
        );
    }
    None
}

/// Whether a check had nothing to judge by, and says so in a finding. One that was skipped for another reason has none.
fn was_not_possible(check: &Check) -> bool {
    check.status == CheckStatus::Skipped && !check.findings.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::Code;
    use crate::model::exit::ExitCode;
    use crate::model::testing::{check, database, fresh, passing};
    use crate::model::verdict::{Finding, Severity, TeardownStatus};

    fn concluded(spoil: impl FnOnce(&mut Verdict)) -> Verdict {
        let mut verdict = passing();
        spoil(&mut verdict);
        conclude(&mut verdict);
        verdict
    }

    #[test]
    fn with_evidence_for_everything_a_drill_passes() {
        let verdict = concluded(|_| {});
        assert_eq!((verdict.status, verdict.failure), (Status::Pass, None));
    }

    #[test]
    fn whatever_evidence_is_lacking_a_drill_does_not_pass() {
        type Spoil = fn(&mut Verdict);
        let cases: [(Spoil, &str); 12] = [
            (|v| v.isolation.status = IsolationStatus::NotProved, "isolation"),
            (|v| v.isolation.status = IsolationStatus::Failed, "isolation"),
            (|v| v.isolation.confirmed_at = None, "second inspection of isolation"),
            (|v| v.databases.clear(), "database"),
            (|v| database(v, "a").status = DatabaseStatus::Pending, "database"),
            (|v| database(v, "b").status = DatabaseStatus::Failed, "database"),
            (|v| database(v, "b").status = DatabaseStatus::Missing, "database"),
            (|v| database(v, "b").status = DatabaseStatus::Skipped, "database"),
            (|v| v.checks.clear(), "check"),
            (|v| v.checks.push(check(CheckStatus::Fail)), "check"),
            (|v| v.checks.push(check(CheckStatus::Error)), "check"),
            (|v| *v = fresh(), "isolation"),
        ];
        for (number, (spoil, lacks)) in cases.into_iter().enumerate() {
            let verdict = concluded(spoil);
            assert_eq!(verdict.status, Status::Inconclusive, "case {number}");
            let failure = verdict.failure.as_ref().expect("a reason is given");
            assert_eq!(failure.code.as_str(), "incomplete");
            assert!(failure.message.contains(lacks), "case {number}: {}", failure.message);
            assert_eq!(ExitCode::from(&verdict), ExitCode::Inconclusive);
        }
    }

    /// A check that had nothing to judge by.
    fn impossible() -> Check {
        let mut check = check(CheckStatus::Skipped);
        check.findings.push(Finding {
            severity: Severity::Warning,
            code: Code::new("no_manifest"),
            subject: "a".to_owned(),
            expected: "a manifest".to_owned(),
            actual: "there is none".to_owned(),
        });
        check
    }

    #[test]
    fn a_check_that_was_not_possible_forbids_no_pass_but_is_no_evidence_either() {
        assert_eq!(concluded(|verdict| verdict.checks.push(impossible())).status, Status::Pass);
        let verdict = concluded(|verdict| verdict.checks = vec![impossible()]);
        assert_eq!(verdict.status, Status::Inconclusive);
        assert_eq!(verdict.failure.unwrap().code.as_str(), "nothing_verified");
    }

    #[test]
    fn a_status_that_was_decided_before_is_kept() {
        for status in [Status::Fail, Status::Inconclusive, Status::Cancelled] {
            let verdict = concluded(|verdict| verdict.status = status);
            assert_eq!((verdict.status, verdict.failure), (status, None));
        }
    }

    #[test]
    fn databases_that_were_never_tried_are_skipped() {
        let verdict = concluded(|verdict| {
            verdict.status = Status::Cancelled;
            database(verdict, "b").status = DatabaseStatus::Pending;
        });
        assert_eq!(verdict.databases[0].status, DatabaseStatus::Restored);
        assert_eq!(verdict.databases[1].status, DatabaseStatus::Skipped);
    }

    #[test]
    fn a_leak_does_not_change_the_verdict_but_its_exit_code() {
        let verdict = concluded(|verdict| verdict.teardown.status = TeardownStatus::Leaked);
        assert_eq!((verdict.status, ExitCode::from(&verdict)), (Status::Pass, ExitCode::Leaked));
    }
}
