//! Health: is disaster recovery working right now? A pure judgement over a plan and the last drill, for a probe that
//! asks every minute.

mod drills;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity, Status};
use crate::plan::DrillPlan;
use crate::template::Template;

pub use drills::{BrokenOff, Drills, EndedDrill, Sighting, drills};

const HOUR: f64 = 3600.0;

/// Whether disaster recovery is working.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// When it was judged.
    pub at: DateTime<Utc>,
    /// The state of disaster recovery.
    pub status: HealthStatus,
    /// Age of the newest set that has every database: that of its oldest member. Absent if there is none.
    pub age_hours: Option<f64>,
    /// How old it may be: the recovery point objective. Absent if there is none.
    pub threshold_hours: Option<f64>,
    /// Complete sets among the recovery points looked at.
    pub sets: usize,
    /// Each database, in restore order.
    pub databases: Vec<DatabaseHealth>,
    /// The last drill of the template, however it ended; absent if there is none in the reports directory.
    pub last_drill: Option<EndedDrill>,
    /// Of the drills of all databases that passed, the one of the newest backups; absent if there is none, or if it is long
    /// ago.
    pub last_pass: Option<EndedDrill>,
    /// The drills since its point in time that broke off, or whose verdicts cannot be read; the newest first.
    pub broken_off: Vec<BrokenOff>,
    /// What is wrong, or will be, in plain English; what is critical first.
    pub warnings: Vec<String>,
}

/// The state of disaster recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// A disaster now would cost what the objectives allow.
    Healthy,
    /// The same holds, but something needs attention.
    Warning,
    /// A disaster now would cost more than that.
    Critical,
}

/// One database's recovery points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseHealth {
    /// Its name.
    pub name: DatabaseName,
    /// Whether it has a recovery point.
    pub present: bool,
    /// Whether that is not older than the threshold.
    pub fresh: bool,
    /// Its age.
    pub age_hours: Option<f64>,
    /// Whether everything the template asks for is in it, by its table of contents. Absent if that was not looked at.
    pub contents: Option<bool>,
}

/// Judges a plan as of now, and earlier drills.
pub fn judge(template: &Template, plan: &DrillPlan, drills: Drills) -> Health {
    let threshold_hours = template.objectives.rpo.map(|rpo| rpo.as_secs_f64() / HOUR);
    let databases: Vec<DatabaseHealth> =
        plan.waves.iter().flatten().map(|name| database(plan, name, threshold_hours)).collect();
    let complete = databases.iter().all(|database| database.present);
    let age_hours =
        databases.iter().filter_map(|database| database.age_hours).reduce(f64::max).filter(|_| complete);
    let mut troubles: Vec<(HealthStatus, String)> = plan.findings.iter().filter_map(trouble).collect();
    troubles.extend(drill_troubles(template, &drills, plan.at));
    // Stable: what is critical comes first, each in the order it was found.
    troubles.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
    Health {
        schema_version: 1,
        template: template.name.clone(),
        at: plan.at,
        status: troubles.first().map_or(HealthStatus::Healthy, |(status, _)| *status),
        age_hours,
        threshold_hours,
        sets: complete_sets(plan),
        databases,
        last_drill: drills.last,
        last_pass: drills.passed,
        broken_off: drills.broken_off,
        warnings: troubles.into_iter().map(|(_, warning)| warning).collect(),
    }
}

fn database(plan: &DrillPlan, name: &DatabaseName, threshold_hours: Option<f64>) -> DatabaseHealth {
    let age_hours =
        plan.point(name).map(|point| crate::clock::seconds_between(point.taken_at, plan.at) / HOUR);
    DatabaseHealth {
        name: name.clone(),
        present: age_hours.is_some(),
        fresh: age_hours.is_some_and(|age| threshold_hours.is_none_or(|threshold| age <= threshold)),
        age_hours,
        contents: plan.holds_what_is_needed(name),
    }
}

/// So many times over the store has every database, among the recovery points that were looked at. Empty ones do not
/// count.
fn complete_sets(plan: &DrillPlan) -> usize {
    let points = |name: &DatabaseName| {
        let newest = plan.point(name).is_some_and(|point| point.size_bytes > 0);
        let before = plan.points.iter().find(|point| point.database == *name);
        usize::from(newest) + before.map_or(0, |point| point.history.with_bytes)
    };
    plan.waves.iter().flatten().map(points).min().unwrap_or(0)
}

/// What a finding of the plan means for health.
fn trouble(finding: &Finding) -> Option<(HealthStatus, String)> {
    let status = match finding.severity {
        Severity::Info => return None,
        Severity::Warning => HealthStatus::Warning,
        Severity::Error => HealthStatus::Critical,
    };
    Some((status, format!("{}: {}; expected is {}.", finding.subject, finding.actual, finding.expected)))
}

/// What earlier drills, or their absence, mean for health. A backup that was never restored is a hope.
fn drill_troubles(template: &Template, drills: &Drills, at: DateTime<Utc>) -> Vec<(HealthStatus, String)> {
    let when = |drill: &EndedDrill| drill.finished_at.format("%Y-%m-%d %H:%M UTC");
    let mut troubles = Vec::new();
    if let Some(failed) = &drills.failed {
        let why = failed.failure.as_deref().unwrap_or("it does not say why");
        let of = names(&failed.only);
        troubles.push((HealthStatus::Critical, format!("The drill{of} of {} failed: {why}.", when(failed))));
    }
    let came_to_none = |last: &&EndedDrill| !matches!(last.status, Status::Pass | Status::Fail);
    if let Some(last) = drills.last.as_ref().filter(came_to_none) {
        let status = last.status.word().to_lowercase();
        let warning = format!("The last drill, of {}, came to no verdict ({status}).", when(last));
        troubles.push((HealthStatus::Warning, warning));
    }
    troubles.extend(broken_off(drills).map(|warning| (HealthStatus::Warning, warning)));
    troubles.extend(unproved(template, drills, at).map(|warning| (HealthStatus::Warning, warning)));
    troubles
}

/// Drills that broke off prove nothing, and what ends them needs attention.
fn broken_off(drills: &Drills) -> Option<String> {
    let newest = drills.broken_off.first()?;
    let others = match drills.broken_off.len() - 1 {
        0 => String::new(),
        more => format!(", as did {more} more since the last that passed"),
    };
    Some(format!(
        "The drill begun at {} broke off{others}: {} ({}).",
        newest.started_at.format("%Y-%m-%d %H:%M UTC"),
        newest.why,
        newest.verdict
    ))
}

/// Why restoring is not proved as the template demands it. A drill that failed is reported already.
fn unproved(template: &Template, drills: &Drills, at: DateTime<Utc>) -> Option<String> {
    let limit = template.health.max_drill_age.filter(|_| drills.failed.is_none())?;
    let Some(passed) = &drills.passed else {
        let known = match (drills.last.is_none(), drills.more) {
            (true, false) => "There is no verdict of a drill".to_owned(),
            (false, false) => "No drill of all databases has passed".to_owned(),
            (_, true) => format!(
                "None of the newest {} verdicts is of a drill of all databases that passed",
                drills::VERDICTS
            ),
        };
        return Some(format!("{known}: whether these backups can be restored is not proved."));
    };
    // Of what it restored: a drill of old backups proves nothing about those of today.
    let age = (at - passed.at).to_std().unwrap_or(Duration::ZERO);
    (age > limit).then(|| {
        let (age, limit) = (human::duration(age.as_secs_f64()), human::duration(limit.as_secs_f64()));
        format!(
            "The last drill of all databases that passed restored the state of {age} ago, more than {limit}."
        )
    })
}

/// The databases a drill was narrowed to, as a part of a sentence.
fn names(only: &[DatabaseName]) -> String {
    let names: Vec<&str> = only.iter().map(DatabaseName::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}
