//! What was found, and how it is worded.

use super::code;
use crate::format::pg_custom::UnrestoredAccess;
use crate::model::code::Code;
use crate::model::human;
use crate::model::manifest::Access;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};

/// A database on both sides.
pub struct Sides<'a> {
    /// Its name.
    pub database: &'a DatabaseName,
    /// What the source's record says.
    pub source: &'a Access,
    /// What was restored.
    pub restored: &'a Access,
    /// What of it the template leaves out.
    pub left_out: &'a UnrestoredAccess,
    /// Whether the template runs SQL of its own in it, which may have made what the source did not have.
    pub has_own_sql: bool,
}

impl Sides<'_> {
    /// The major versions of both.
    pub fn majors(&self) -> (u32, u32) {
        (self.source.major, self.restored.major)
    }

    /// Whether an object is left out. If it is there all the same, the template's own SQL must have made it; every new
    /// database has a schema `public`.
    pub fn lacks_object(&self, kind: &str, name: &str, is_there: bool) -> bool {
        self.left_out.lacks_object(kind, name)
            && (!is_there || self.has_own_sql || (kind, name) == ("schema", "public"))
    }
}

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

    /// Takes what was found about one thing of which something is left out: the rest of it holds, and was not all.
    pub fn part(&mut self, subject: String, what: &str, findings: Vec<Finding>) {
        if findings.is_empty() {
            self.findings.push(left_out(subject, what));
        }
        self.findings.extend(findings);
    }
}

/// That something was not compared, because the template leaves it out.
pub fn left_out(subject: String, what: &str) -> Finding {
    let expected = format!("{what} as in the source");
    let actual = "`ignore` or `ignore_extensions` leaves out entries of the archive that say so".to_owned();
    finding(Severity::Warning, code::ACCESS_LEFT_OUT, subject, &expected, actual)
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
