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
    /// It holds.
    Pass,
    /// It does not; the findings say why.
    Fail,
    /// It could not be judged.
    Error,
    /// What it looks at was not restored, or it is not possible here; the summary says which.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Its name in the template.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The outcome.
    pub status: CheckStatus,
    /// What it took.
    pub seconds: f64,
    /// Rows it rests on.
    pub rows_verified: u64,
    /// One line for people.
    pub summary: String,
    /// What it saw, bounded.
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub findings_total: u64,
    /// The heads of the chains that it verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<ChainHeads>,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it; it decides nothing.
    Warning,
    /// The check, or the plan, fails.
    Error,
}

/// One thing a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// Stable snake_case identifier.
    pub code: Code,
    /// What it is about: a row, a table, a key.
    pub subject: String,
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub actual: String,
}
