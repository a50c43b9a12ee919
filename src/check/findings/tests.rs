use super::*;

fn finding(severity: Severity) -> Finding {
    Finding {
        severity,
        code: Code::new("x"),
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
    findings.push(Finding { code: Code::new("grave"), ..finding(Severity::Error) });
    let outcome = findings.into_outcome(1, String::new());
    assert_eq!((outcome.failing_code().as_str(), outcome.findings_total), ("grave", 101));
}

#[test]
fn warnings_do_not_fail_a_check() {
    let mut findings = Findings::default();
    findings.push(finding(Severity::Warning));
    let outcome = findings.into_outcome(1, "held".to_owned());
    assert_eq!((outcome.status, &*outcome.summary, outcome.findings_total), (CheckStatus::Pass, "held", 1));
}

#[test]
fn what_verified_nothing_does_not_pass() {
    let outcome = Findings::default().into_outcome(0, "0 rows".to_owned());
    assert_eq!((outcome.status, outcome.findings[0].code), (CheckStatus::Skipped, NOTHING_VERIFIED));
    assert_eq!(outcome.summary, "nothing was verified: 0 rows");
    let mut findings = Findings::default();
    (0..FINDINGS_KEPT).for_each(|_| findings.push(finding(Severity::Info)));
    let outcome = findings.into_outcome(0, String::new());
    assert_eq!(outcome.findings_total, 101);
    assert!(outcome.findings.iter().any(|finding| finding.code == NOTHING_VERIFIED), "not crowded out");
    assert_eq!(Findings::default().into_outcome(Verified::FACT, String::new()).status, CheckStatus::Pass);
}

#[test]
fn emptiness_may_be_allowed_and_what_could_not_be_judged_may_not() {
    let judged = |unjudged| {
        let verified = Verified::default().besides(unjudged);
        Findings::default().into_outcome(verified, "0 rows".to_owned())
    };
    let allowed = judged(0).allow_empty(true);
    assert_eq!((allowed.status, allowed.findings_total), (CheckStatus::Pass, 0));
    assert_eq!(allowed.findings, []);
    assert_eq!(allowed.summary, "nothing to verify, which allow_empty permits: 0 rows");
    assert_eq!(judged(0).allow_empty(false).status, CheckStatus::Skipped);
    assert_eq!(judged(3).allow_empty(true).status, CheckStatus::Skipped);
    let mut findings = Findings::default();
    findings.push(finding(Severity::Error));
    assert_eq!(findings.into_outcome(0, String::new()).allow_empty(true).status, CheckStatus::Fail);
}
