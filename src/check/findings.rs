//! What a check saw: a bounded list, an exact count.

use crate::model::code::Code;
use crate::model::codes;
use crate::model::verdict::{ChainHeads, CheckStatus, Finding, Severity};

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
    /// Whether there was nothing at all that it could have looked at.
    pub was_empty: bool,
    /// The heads of the chains that it verified.
    pub heads: Option<ChainHeads>,
}

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

    /// The outcome of a check that cannot be made here, and why. It decides nothing; the drill warns of it.
    pub fn not_possible(code: Code, subject: &str, why: &str) -> Self {
        let finding = Finding {
            severity: Severity::Warning,
            code,
            subject: subject.to_owned(),
            expected: "what the check needs".to_owned(),
            actual: why.to_owned(),
        };
        Self {
            status: CheckStatus::Skipped,
            rows_verified: 0,
            summary: format!("not possible: {why}"),
            findings: vec![finding],
            findings_total: 1,
            was_empty: false,
            heads: None,
        }
    }

    /// The outcome where the template may say that there is nothing to verify. What was there and could not be judged is
    /// not excused by that.
    #[must_use]
    pub fn allow_empty(mut self, allowed: bool) -> Self {
        if allowed && self.was_empty {
            self.status = CheckStatus::Pass;
            let held = self.summary.strip_prefix(NOTHING).unwrap_or(&self.summary);
            self.summary = format!("nothing to verify, which allow_empty permits: {held}");
            let before = self.findings.len();
            self.findings.retain(|finding| finding.code != NOTHING_VERIFIED);
            self.findings_total -= (before - self.findings.len()) as u64;
        }
        self
    }

    /// The code of the first finding that fails the check.
    pub fn failing_code(&self) -> Code {
        self.findings
            .iter()
            .find(|finding| finding.severity == Severity::Error)
            .map_or(codes::CHECK_FAILED, |f| f.code)
    }
}

#[cfg(test)]
mod tests;
