//! A plan for people.

use std::fmt::Write;

use super::table::Table;
use crate::human;
use crate::plan::DrillPlan;
use crate::verdict::Severity;

/// The plan; its last line says whether it is sound.
pub fn plan_text(plan: &DrillPlan) -> String {
    let mut out = format!(
        "Plan of a restore drill of {} from {}, as of {}\n\n",
        plan.template,
        plan.store,
        plan.at.format("%Y-%m-%d %H:%M:%SZ")
    );
    let mut table =
        Table::new(&["Order", "Database", "Taken", "Age", "Uploaded", "Size", "Class", "Object"], &[0, 3, 5]);
    for (wave, names) in plan.waves.iter().enumerate() {
        for name in names {
            let order = (wave + 1).to_string();
            table.row(match plan.point(name) {
                Some(point) => vec![
                    order,
                    name.to_string(),
                    point.taken_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
                    human::duration(crate::clock::seconds_between(point.taken_at, plan.at)),
                    point
                        .last_modified
                        .map_or_else(|| "—".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string()),
                    human::bytes(point.size_bytes),
                    point.storage_class.clone(),
                    point.key.to_string(),
                ],
                None => vec![order, name.to_string(), "MISSING".to_owned()],
            });
        }
    }
    out.push_str(&table.render());
    let total: u64 = plan.recovery_set.points.iter().map(|point| point.size_bytes).sum();
    let skew = plan.recovery_set.skew_seconds.unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    let skew = human::duration(skew as f64);
    let _ = writeln!(
        out,
        "\n{} recovery points, {} in all, taken within {skew} of each other",
        plan.recovery_set.points.len(),
        human::bytes(total)
    );
    if let (Some(actual), Some(target)) = (plan.rpo.actual_seconds, plan.rpo.target_seconds) {
        let met = if plan.rpo.met == Some(true) { "met" } else { "MISSED" };
        let _ = writeln!(out, "RPO {} of {} {met}", human::duration(actual), human::duration(target));
    }
    for finding in &plan.findings {
        let severity = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let _ = writeln!(
            out,
            "{severity}: {}: {} (expected {})",
            finding.subject, finding.actual, finding.expected
        );
    }
    let verdict = if plan.sound {
        "The plan is sound: a drill would make sense"
    } else {
        "The plan is NOT sound: a drill would fail"
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}
