//! Budgets against measurements. Pure.

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{
    BudgetedPhase, Objective, Objectives, PhaseObjective, RecoverySet, StageSeconds,
};
use crate::template::Objectives as Budgets;

/// What was measured of a drill whose data is restored and verified.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The recovery points as they were read, in restore order.
    pub points: RecoverySet,
    /// What the stages of each database took, in the template's order.
    pub stages: Vec<(DatabaseName, StageSeconds)>,
    /// Seconds in which at least one check ran, if any did.
    pub verification: Option<f64>,
    /// The age of the oldest recovery point, as the plan judged it.
    pub rpo: Objective,
}

/// Judges every objective of a drill that took so many seconds.
pub fn judge(budgets: &Budgets, measured: &Measured, recovery_seconds: f64) -> Objectives {
    let mut phases = Vec::new();
    for (database, stages) in &measured.stages {
        let of_database = [
            (BudgetedPhase::Download, budgets.download, stages.download),
            (BudgetedPhase::Decrypt, budgets.decrypt, stages.decrypt),
            (BudgetedPhase::Restore, budgets.restore, stages.restore),
        ];
        for (name, budget, seconds) in of_database {
            if let (Some(budget), Some(seconds)) = (budget, seconds) {
                phases.push(phase(name, Some(database), Objective::judge(Some(budget), seconds)));
            }
        }
    }
    if let (Some(budget), Some(seconds)) = (budgets.verification, measured.verification) {
        phases.push(phase(BudgetedPhase::Verification, None, Objective::judge(Some(budget), seconds)));
    }
    Objectives { rto: Objective::judge(budgets.rto, recovery_seconds), rpo: measured.rpo.clone(), phases }
}

fn phase(name: BudgetedPhase, database: Option<&DatabaseName>, objective: Objective) -> PhaseObjective {
    PhaseObjective {
        name,
        database: database.cloned(),
        target_seconds: objective.target_seconds,
        actual_seconds: objective.actual_seconds,
        met: objective.met,
    }
}

/// The gravest objective that was missed.
pub fn missed(objectives: &Objectives, measured: &Measured) -> Option<Failure> {
    if let (Some(false), Some(target), Some(actual)) =
        (objectives.rpo.met, objectives.rpo.target_seconds, objectives.rpo.actual_seconds)
    {
        let oldest = measured.points.points.iter().min_by_key(|point| point.taken_at)?;
        return Some(
            Failure::bad(
                codes::RPO_MISSED,
                format!(
                    "RPO missed: the recovery point of {} is {} old, the objective is {}",
                    oldest.database,
                    human::duration(actual),
                    human::duration(target)
                ),
            )
            .hint("everything written since would be lost; check the backup job's last runs"),
        );
    }
    if let (Some(false), Some(target), Some(actual)) =
        (objectives.rto.met, objectives.rto.target_seconds, objectives.rto.actual_seconds)
    {
        return Some(
            Failure::bad(
                codes::RTO_MISSED,
                format!(
                    "RTO missed: recovery took {}, the objective is {}",
                    human::duration(actual),
                    human::duration(target)
                ),
            )
            .hint(
                slowest_stage(measured)
                    .unwrap_or_else(|| "phases in the verdict say where the time went".to_owned()),
            ),
        );
    }
    let late = objectives.phases.iter().find(|phase| phase.met == Some(false))?;
    let of = late.database.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    Some(
        Failure::bad(
            codes::PHASE_BUDGET_MISSED,
            format!(
                "{}{of} took {}, its budget is {}",
                late.name,
                human::duration(late.actual_seconds.unwrap_or_default()),
                human::duration(late.target_seconds.unwrap_or_default())
            ),
        )
        .hint(
            slowest_stage(measured)
                .unwrap_or_else(|| "objectives in the verdict has every budget".to_owned()),
        ),
    )
}

/// Which stage of which database took longest, and its rate.
fn slowest_stage(measured: &Measured) -> Option<String> {
    let stages = measured.stages.iter().flat_map(|(database, seconds)| {
        [
            ("download", seconds.download),
            ("decrypt", seconds.decrypt),
            ("write", seconds.write),
            ("restore", seconds.restore),
            ("count", seconds.count),
        ]
        .into_iter()
        .filter_map(move |(name, seconds)| Some((database, name, seconds?)))
    });
    let (database, stage, seconds) = stages.max_by(|a, b| a.2.total_cmp(&b.2))?;
    let point = measured.points.point(database)?;
    Some(format!(
        "the longest stage was the {stage} of {database}: {} at {}",
        human::duration(seconds),
        human::rate(point.plaintext_bytes.unwrap_or(point.size_bytes), seconds)
    ))
}

#[cfg(test)]
mod tests;
