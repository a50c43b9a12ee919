//! What a check saw: a bounded list, an exact count.

use super::Outcome;
use crate::verdict::{CheckStatus, Finding, Severity};

/// Findings of one check that are kept; the rest is counted.
pub const FINDINGS_KEPT: usize = 100;

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
        } else if finding.severity == Severity::Error {
            // What fails the check must not be crowded out by what does not.
            if let Some(lesser) = self.kept.iter_mut().rev().find(|kept| kept.severity < Severity::Error) {
                *lesser = finding;
            }
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
