//! Checks, and what they found.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::heads::ChainHeads;
use crate::model::code::Code;

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// What the check demands holds.
    Pass,
    /// It does not hold; the findings say why.
    Fail,
    /// The check could not be judged.
    Error,
    /// What the check reads was not restored, or the check is not possible here; the summary says which.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Name of the check in the template.
    pub name: String,
    /// Type of the check.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The outcome.
    pub status: CheckStatus,
    /// Seconds that the check took.
    pub seconds: f64,
    /// Rows that the outcome is based on.
    pub rows_verified: u64,
    /// One line for people.
    pub summary: String,
    /// What the check found: a bounded list.
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub findings_total: u64,
    /// The heads of the chains that the check verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<ChainHeads>,
}

/// A finding.
pub fn finding(
    severity: Severity,
    code: Code,
    subject: impl ToString,
    expected: impl Into<String>,
    actual: impl Into<String>,
) -> Finding {
    Finding { severity, code, subject: subject.to_string(), expected: expected.into(), actual: actual.into() }
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information.
    Info,
    /// To be looked at; it does not change the outcome.
    Warning,
    /// The check, or the plan, fails.
    Error,
}

/// One thing a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How serious.
    pub severity: Severity,
    /// Stable snake_case identifier.
    pub code: Code,
    /// What the finding is about: a row, a table, a key.
    pub subject: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub actual: String,
}
