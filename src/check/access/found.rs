//! What was found, and how it is worded.

use crate::model::code::Code;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};

/// What comparing came to.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was seen.
    pub findings: Vec<Finding>,
    /// Objects, tables with policies and the like that are as they were.
    pub same: u64,
}

impl Judged {
    /// Counts one thing that was compared, with what was found about it.
    pub fn one(&mut self, findings: Vec<Finding>) {
        self.same += u64::from(findings.is_empty());
        self.findings.extend(findings);
    }
}

/// The subject of a finding about an object.
pub fn subject(database: &DatabaseName, name: &str) -> String {
    human::one_line(&format!("{database}.{name}"), 200)
}

/// A finding that fails the check.
pub fn error(code: Code, subject: &str, expected: &str, actual: String) -> Finding {
    finding(Severity::Error, code, subject.to_owned(), expected, actual)
}

/// A finding.
pub fn finding(severity: Severity, code: Code, subject: String, expected: &str, actual: String) -> Finding {
    Finding { severity, code, subject, expected: expected.to_owned(), actual }
}
