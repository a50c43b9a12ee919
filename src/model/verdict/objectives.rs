//! Objectives: RTO, RPO, and the budgets of phases.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::names::DatabaseName;
use crate::model::phase::Phase;

/// A budget and what was measured against it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// The budget. Absent: measured, not judged.
    pub target_seconds: Option<f64>,
    /// The measurement. Absent: the drill ended before.
    pub actual_seconds: Option<f64>,
    /// Whether the budget was kept. Absent: not judged.
    pub met: Option<bool>,
}

impl Objective {
    /// Judges a measurement.
    pub fn judge(target: Option<std::time::Duration>, actual_seconds: f64) -> Self {
        let target_seconds = target.map(|target| target.as_secs_f64());
        Self {
            target_seconds,
            actual_seconds: Some(actual_seconds),
            met: target_seconds.map(|target| actual_seconds <= target),
        }
    }
}

/// What has a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BudgetedPhase {
    /// Waiting for the store.
    Download,
    /// Decrypting and hashing.
    Decrypt,
    /// `pg_restore`.
    Restore,
    /// All checks.
    Verification,
}

impl fmt::Display for BudgetedPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Download => "download",
            Self::Decrypt => "decrypt",
            Self::Restore => "restore",
            Self::Verification => "verification",
        })
    }
}

/// A budget of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseObjective {
    /// The phase.
    pub name: BudgetedPhase,
    /// The database, where the phase is one of a database.
    pub database: Option<DatabaseName>,
    /// The budget.
    pub target_seconds: Option<f64>,
    /// The measurement.
    pub actual_seconds: Option<f64>,
    /// Whether the budget was kept.
    pub met: Option<bool>,
}

/// Budgets and what was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Objectives {
    /// Recovery time.
    pub rto: Objective,
    /// Data loss.
    pub rpo: Objective,
    /// Budgets of phases.
    pub phases: Vec<PhaseObjective>,
}

/// When a phase began, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTime {
    /// The phase.
    pub name: Phase,
    /// When the phase began.
    pub started_at: DateTime<Utc>,
    /// Seconds that the phase took, once it has ended.
    pub seconds: Option<f64>,
}
