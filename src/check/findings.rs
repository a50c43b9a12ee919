//! What a check saw: a bounded list, an exact count.

use super::Outcome;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::verdict::{CheckStatus, Finding, Severity};

/// What an outcome rests on.
///
/// A plain number stands for rows that were all judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Things that were judged: rows, tables, constraints, facts, whatever the check is about.
    pub judged: u64,
    /// Things that were there, and could not be judged.
    pub unjudged: u64,
    /// Rows it rests on.
    pub rows: u64,
}

impl From<u64> for Verified {
    fn from(rows: u64) -> Self {
        Self { judged: rows, unjudged: 0, rows }
    }
}

impl Verified {
    /// One fact: an answer that is right, a program that succeeded.
    pub const FACT: Self = Self { judged: 1, unjudged: 0, rows: 0 };

    /// So many things were judged, resting on so many rows.
    pub fn things(judged: u64, rows: u64) -> Self {
        Self { judged, unjudged: 0, rows }
    }

    /// Besides, so many things were there and could not be judged.
    pub fn besides(self, unjudged: u64) -> Self {
        Self { unjudged, ..self }
    }
}

/// Findings of one check that are kept; the rest is counted.
pub const FINDINGS_KEPT: usize = 100;

/// What the summary of such a check begins with.
pub const NOTHING: &str = "nothing was verified: ";

/// The code of a check that had nothing to verify, or could verify nothing.
pub const NOTHING_VERIFIED: Code = codes::NOTHING_VERIFIED;

/// Collects findings: keeps the first ones, counts all.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    total: u64,
    errors: u64,
}

impl Findings {
    /// Findings that were chosen and counted elsewhere.
    pub fn of(kept: Vec<Finding>, total: u64, errors: u64) -> Self {
        Self { kept, total, errors }
    }

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.total += 1;
        self.errors += u64::from(finding.severity == Severity::Error);
        if self.kept.len() < FINDINGS_KEPT {
            self.kept.push(finding);
        } else if let Some(lesser) = self.kept.iter_mut().rev().find(|kept| kept.severity < finding.severity)
        {
            // What is grave must not be crowded out by what is not.
            *lesser = finding;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds several.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// Sets the number of errors in all, where not every one was named.
    pub fn count_unnamed(&mut self, errors: u64) {
        self.total += errors.saturating_sub(self.errors);
        self.errors = self.errors.max(errors);
    }

    /// The outcome of a check that found these: it holds if none of them is an error, and something was judged. Nothing
    /// else in the program says that a check holds.
    pub fn into_outcome(mut self, verified: impl Into<Verified>, held: String) -> Outcome {
        let verified = verified.into();
        let nothing = self.errors == 0 && verified.judged == 0;
        // Where something kept it from verifying, there is a warning that says what.
        if nothing && !self.kept.iter().any(|finding| finding.severity == Severity::Warning) {
            self.push(Finding {
                severity: Severity::Warning,
                code: NOTHING_VERIFIED,
                subject: "the check".to_owned(),
                expected: "at least one thing to verify".to_owned(),
                actual: held.clone(),
            });
        }
        let (status, summary) =
            match (self.errors, self.kept.iter().find(|finding| finding.severity == Severity::Error)) {
                (0, _) if nothing => (CheckStatus::Skipped, format!("{NOTHING}{held}")),
                (0, _) => (CheckStatus::Pass, held),
                (1, Some(first)) => (CheckStatus::Fail, format!("{}: {}", first.subject, first.actual)),
                (n, Some(first)) => (
                    CheckStatus::Fail,
                    format!("{n} findings, the first: {}: {}", first.subject, first.actual),
                ),
                (n, None) => (CheckStatus::Fail, format!("{n} findings")),
            };
        Outcome {
            status,
            rows_verified: verified.rows,
            summary,
            findings: self.kept,
            findings_total: self.total,
            was_empty: nothing && verified.unjudged == 0,
            heads: None,
        }
    }
}

impl Outcome {
    /// The outcome with what else was found: an error fails it.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = Finding>) -> Self {
        let mut findings = Findings::of(std::mem::take(&mut self.findings), self.findings_total, 0);
        findings.extend(more);
        if self.status != CheckStatus::Fail && findings.errors > 0 {
            return Self { heads: self.heads, ..findings.into_outcome(self.rows_verified, self.summary) };
        }
        (self.findings, self.findings_total) = (findings.kept, findings.total);
        self
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (outcome.status, &*outcome.summary, outcome.findings_total),
            (CheckStatus::Pass, "held", 1)
        );
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
}
