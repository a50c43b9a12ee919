//! Health, for people.

use super::page::Page;
use super::table::Table;
use crate::health::{DatabaseHealth, Health, HealthStatus};
use crate::model::human;

/// The databases, the last drill, the warnings, and the last line.
pub fn health_text(health: &Health) -> (String, String) {
    let mut table = Table::new(&["Database", "Recovery point", "Contents"], &[]);
    for database in &health.databases {
        table.row([database.name.to_string(), point(database), contents(database).to_owned()]);
    }
    let drill = match &health.last_drill {
        Some(last) => {
            let only: Vec<&str> = last.only.iter().map(|name| name.as_str()).collect();
            let only = if only.is_empty() { String::new() } else { format!(" of {} only", only.join(", ")) };
            format!(
                "{}{only} on {}, {}",
                last.status.word(),
                last.finished_at.format("%Y-%m-%d %H:%M UTC"),
                last.verdict
            )
        }
        None => "none is known".to_owned(),
    };
    let mut out = Page::default();
    out.table(&table);
    out.blank();
    let newest = match (health.age_hours, health.threshold_hours) {
        (Some(age), Some(threshold)) => format!("{} old, {} allowed", hours(age), hours(threshold)),
        (Some(age), None) => format!("{} old", hours(age)),
        (None, _) => "incomplete".to_owned(),
    };
    writeln!(out, "Newest set  {newest}");
    writeln!(out, "Last drill  {drill}");
    for piece in health.last_drill.iter().flat_map(|last| &last.left_out) {
        writeln!(out, "            not read, another version wrote it: {piece}");
    }
    if !health.warnings.is_empty() {
        out.blank();
    }
    for warning in &health.warnings {
        writeln!(out, "! {warning}");
    }
    let last = match health.status {
        HealthStatus::Healthy => "Disaster recovery is HEALTHY".to_owned(),
        HealthStatus::Warning => "Disaster recovery works, with a WARNING".to_owned(),
        HealthStatus::Critical => "Disaster recovery is in a CRITICAL state".to_owned(),
    };
    out.blank();
    (out.ending(&last), last)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::EndedDrill;
    use crate::model::verdict::Status;

    fn troubled() -> Health {
        let database = |name: &str, age_hours: Option<f64>, contents| DatabaseHealth {
            name: name.parse().unwrap(),
            present: age_hours.is_some(),
            fresh: age_hours.is_some_and(|age| age <= 24.0),
            age_hours,
            contents,
        };
        Health {
            schema_version: 1,
            template: "shop".to_owned(),
            at: "2026-05-17T08:31:11Z".parse().unwrap(),
            status: HealthStatus::Critical,
            age_hours: Some(30.5),
            threshold_hours: Some(24.0),
            sets: 7,
            databases: vec![
                database("shop", Some(5.25), Some(true)),
                database("shop_orders", Some(30.5), Some(false)),
                database("stock", None, None),
            ],
            last_drill: Some(EndedDrill {
                finished_at: "2026-05-16T03:40:00Z".parse().unwrap(),
                at: "2026-05-16T03:31:11Z".parse().unwrap(),
                status: Status::Pass,
                only: vec!["shop".parse().unwrap()],
                failure: None,
                verdict: "reports/restore_drill/20260516T033111Z.json".to_owned(),
                left_out: Vec::new(),
            }),
            last_pass: None,
            broken_off: Vec::new(),
            warnings: vec![
                "stock: no recovery point.".to_owned(),
                "No drill of all databases has passed.".to_owned(),
            ],
        }
    }

    #[test]
    fn health_for_people_is_this() {
        insta::assert_snapshot!(health_text(&troubled()).0, @"
        Database     Recovery point    Contents
        shop         5h 15m old        complete
        shop_orders  1d 6h old: STALE  INCOMPLETE
        stock        MISSING           not known

        Newest set  1d 6h old, 1d allowed
        Last drill  PASS of shop only on 2026-05-16 03:40 UTC, reports/restore_drill/20260516T033111Z.json

        ! stock: no recovery point.
        ! No drill of all databases has passed.

        Disaster recovery is in a CRITICAL state
        ");
    }

    #[test]
    fn health_as_json_is_this() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&troubled()).unwrap(), @r#"
        {
          "schema_version": 1,
          "template": "shop",
          "at": "2026-05-17T08:31:11Z",
          "status": "critical",
          "age_hours": 30.5,
          "threshold_hours": 24.0,
          "sets": 7,
          "databases": [
            {
              "name": "shop",
              "present": true,
              "fresh": true,
              "age_hours": 5.25,
              "contents": true
            },
            {
              "name": "shop_orders",
              "present": true,
              "fresh": false,
              "age_hours": 30.5,
              "contents": false
            },
            {
              "name": "stock",
              "present": false,
              "fresh": false,
              "age_hours": null,
              "contents": null
            }
          ],
          "last_drill": {
            "finished_at": "2026-05-16T03:40:00Z",
            "at": "2026-05-16T03:31:11Z",
            "status": "PASS",
            "only": [
              "shop"
            ],
            "verdict": "reports/restore_drill/20260516T033111Z.json"
          },
          "last_pass": null,
          "broken_off": [],
          "warnings": [
            "stock: no recovery point.",
            "No drill of all databases has passed."
          ]
        }
        "#);
    }
}
