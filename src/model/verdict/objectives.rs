//! Objectives: RTO, RPO, and the budgets of phases.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::names::DatabaseName;

/// A budget and what was measured against it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objective {
    /// The budget. Absent: measured, not judged.
    pub target_seconds: Option<f64>,
    /// The measurement. Absent: it never came to that.
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

/// A budget of one phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseObjective {
    /// The phase: `download`, `decrypt`, `restore` or `verification`.
    pub name: &'static str,
    /// The database, where the phase is one of a database.
    pub database: Option<DatabaseName>,
    /// The budget.
    pub target_seconds: Option<f64>,
    /// The measurement.
    pub actual_seconds: Option<f64>,
    /// Whether it was kept.
    pub met: Option<bool>,
}

/// Budgets against measurements.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objectives {
    /// Recovery time.
    pub rto: Objective,
    /// Data loss.
    pub rpo: Objective,
    /// Budgets of phases.
    pub phases: Vec<PhaseObjective>,
}

/// When a phase began, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseTime {
    /// The phase.
    pub name: &'static str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// What it took, once it has ended.
    pub seconds: Option<f64>,
}
