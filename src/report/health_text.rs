//! Health, for people.

use super::table::Table;
use crate::health::{DatabaseHealth, Health, HealthStatus};
use crate::human;

/// The databases, the last drill, the warnings, and the last line.
pub fn health_text(health: &Health) -> (String, String) {
    let mut table = Table::new(&["Database", "Recovery point", "Contents"], &[]);
    for database in &health.databases {
        table.row([database.name.to_string(), point(database), contents(database).to_owned()]);
    }
    let drill = match &health.last_drill {
        Some(last) => {
            format!("{} on {}, {}", last.status, last.finished_at.format("%Y-%m-%d %H:%M UTC"), last.verdict)
        }
        None => "none is known".to_owned(),
    };
    let mut text = format!(
        "{}\nNewest set  {}\nLast drill  {drill}\n",
        table.render(),
        match (health.age_hours, health.threshold_hours) {
            (Some(age), Some(threshold)) => format!("{} old, {} allowed", hours(age), hours(threshold)),
            (Some(age), None) => format!("{} old", hours(age)),
            (None, _) => "incomplete".to_owned(),
        },
    );
    if !health.warnings.is_empty() {
        text.push('\n');
    }
    for warning in &health.warnings {
        text.push_str(&format!("! {warning}\n"));
    }
    let last = match health.status {
        HealthStatus::Healthy => "Disaster recovery is HEALTHY".to_owned(),
        HealthStatus::Warning => "Disaster recovery works, with a WARNING".to_owned(),
        HealthStatus::Critical => "Disaster recovery is in a CRITICAL state".to_owned(),
    };
    (format!("{text}\n{last}\n"), last)
}

fn point(database: &DatabaseHealth) -> String {
    match database.age_hours {
        None => "MISSING".to_owned(),
        Some(age) if database.fresh => format!("{} old", hours(age)),
        Some(age) => format!("{} old: STALE", hours(age)),
    }
}

fn contents(database: &DatabaseHealth) -> &'static str {
    match database.contents {
        Some(true) => "complete",
        Some(false) => "INCOMPLETE",
        None => "not known",
    }
}

fn hours(hours: f64) -> String {
    human::duration(hours * 3600.0)
}
