use super::*;
use crate::model::testing::start;
use crate::plan::{Listing, Survey, plan};
use crate::store::ObjectMeta;
use crate::template::KeyPattern;
use crate::template::testing::template;

/// A plan over listings: for each database the hours ago of its recovery points.
fn planned(template: &Template, points: &[(&str, &[i64])]) -> DrillPlan {
    let pattern = KeyPattern::new("", "{database}_{timestamp}.dump.age", "%Y%m%dT%H%M%SZ");
    let listing: Listing = points
        .iter()
        .map(|(name, hours)| {
            let name: DatabaseName = name.parse().unwrap();
            let objects = hours.iter().map(|hours| {
                let taken_at = start() - chrono::TimeDelta::hours(*hours);
                ObjectMeta {
                    key: pattern.key(&name, taken_at),
                    size_bytes: 1 << 20,
                    last_modified: None,
                    storage_class: "STANDARD".to_owned(),
                    etag: None,
                }
            });
            (name.clone(), objects.collect())
        })
        .collect();
    plan(template, &pattern, &Survey { listing, ..Survey::default() }, start())
}

fn template_with_rpo() -> Template {
    let mut template = template();
    template.objectives.rpo = Some(Duration::from_secs(24 * 3600));
    template.health.max_drill_age = Some(Duration::from_secs(100 * 24 * 3600));
    template
}

fn drilled(status: Status, days_ago: i64) -> EndedDrill {
    EndedDrill {
        finished_at: start() - chrono::TimeDelta::days(days_ago),
        at: start() - chrono::TimeDelta::days(days_ago),
        status,
        only: Vec::new(),
        failure: (status == Status::Fail).then(|| "a row is gone".to_owned()),
        verdict: "v.json".to_owned(),
        left_out: Vec::new(),
    }
}

/// A drill of one database.
fn narrowed(status: Status, days_ago: i64, only: &str) -> EndedDrill {
    EndedDrill { only: vec![only.parse().unwrap()], ..drilled(status, days_ago) }
}

/// A drill of the backups of a while before.
fn of_older(status: Status, days_ago: i64, at_days_ago: i64) -> EndedDrill {
    EndedDrill { at: start() - chrono::TimeDelta::days(at_days_ago), ..drilled(status, days_ago) }
}

/// Drills, the newest first.
fn after(drills: &[EndedDrill]) -> Drills {
    Drills::of(drills.iter().cloned().map(Sighting::Ended))
}

#[test]
fn fresh_backups_and_a_drill_that_passed_are_healthy() {
    let template = template_with_rpo();
    let plan = planned(&template, &[("a", &[4, 28, 52]), ("b", &[5, 29])]);
    let health = judge(&template, &plan, after(&[drilled(Status::Pass, 30)]));
    assert_eq!((health.status, &health.warnings[..]), (HealthStatus::Healthy, &[][..]));
    assert_eq!((health.age_hours, health.threshold_hours, health.sets), (Some(5.0), Some(24.0), 2));
    assert!(health.databases.iter().all(|database| database.present && database.fresh));
    assert!(health.databases.iter().all(|database| database.contents.is_none()), "nobody looked inside");
}

#[test]
fn a_database_without_a_recovery_point_is_critical() {
    let template = template_with_rpo();
    let health =
        judge(&template, &planned(&template, &[("a", &[4]), ("b", &[])]), after(&[drilled(Status::Pass, 1)]));
    assert_eq!((health.status, health.sets, health.age_hours), (HealthStatus::Critical, 0, None));
    assert!(!health.databases[1].present && !health.databases[1].fresh);
    assert!(health.warnings[0].starts_with("b: no recovery point"), "{:?}", health.warnings);
}

#[test]
fn a_set_older_than_its_objective_is_critical_and_the_stale_member_is_told() {
    let template = template_with_rpo();
    let health = judge(
        &template,
        &planned(&template, &[("a", &[4]), ("b", &[25])]),
        after(&[drilled(Status::Pass, 1)]),
    );
    assert_eq!((health.status, health.age_hours), (HealthStatus::Critical, Some(25.0)));
    assert_eq!(health.databases.iter().map(|database| database.fresh).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn the_last_drill_counts() {
    let template = template_with_rpo();
    let plan = planned(&template, &[("a", &[4]), ("b", &[4])]);
    for (drills, status, words) in [
        (vec![drilled(Status::Fail, 1)], HealthStatus::Critical, "failed: a row is gone"),
        (
            vec![drilled(Status::Inconclusive, 1), drilled(Status::Pass, 2)],
            HealthStatus::Warning,
            "came to no verdict",
        ),
        (vec![drilled(Status::Pass, 101)], HealthStatus::Warning, "more than 100d"),
        (vec![], HealthStatus::Warning, "There is no verdict"),
        (
            vec![drilled(Status::Cancelled, 1), drilled(Status::Fail, 2)],
            HealthStatus::Critical,
            "failed: a row is gone",
        ),
        (vec![narrowed(Status::Pass, 1, "a"), drilled(Status::Fail, 2)], HealthStatus::Critical, "failed"),
        (
            vec![narrowed(Status::Pass, 1, "a"), narrowed(Status::Fail, 2, "b")],
            HealthStatus::Critical,
            "drill (b) of",
        ),
        (
            vec![narrowed(Status::Pass, 1, "a"), drilled(Status::Pass, 101)],
            HealthStatus::Warning,
            "more than 100d",
        ),
        (
            vec![of_older(Status::Pass, 1, 9), drilled(Status::Fail, 2)],
            HealthStatus::Critical,
            "failed: a row is gone",
        ),
        (vec![narrowed(Status::Pass, 1, "a")], HealthStatus::Warning, "No drill of all databases"),
        (vec![of_older(Status::Pass, 1, 101)], HealthStatus::Warning, "restored the state of 101d ago"),
    ] {
        let health = judge(&template, &plan, after(&drills));
        assert_eq!(health.status, status, "{words}");
        assert!(health.warnings[0].contains(words), "{:?}", health.warnings);
    }
    let fixed = [
        narrowed(Status::Pass, 1, "b"),
        narrowed(Status::Fail, 2, "b"),
        drilled(Status::Pass, 3),
        drilled(Status::Fail, 4),
    ];
    assert_eq!(judge(&template, &plan, after(&fixed)).status, HealthStatus::Healthy);
    let of_older_backups =
        [of_older(Status::Pass, 1, 9), drilled(Status::Fail, 10), drilled(Status::Pass, 11)];
    assert_eq!(judge(&template, &plan, after(&of_older_backups)).status, HealthStatus::Healthy);
    let newer_before = [of_older(Status::Pass, 1, 101), drilled(Status::Pass, 2)];
    assert_eq!(judge(&template, &plan, after(&newer_before)).status, HealthStatus::Healthy);
    let mut undemanding = template;
    undemanding.health.max_drill_age = None;
    assert_eq!(judge(&undemanding, &plan, after(&[])).status, HealthStatus::Healthy);
}

#[test]
fn drills_that_broke_off_since_the_last_that_passed_are_a_warning() {
    let template = template_with_rpo();
    let plan = planned(&template, &[("a", &[4]), ("b", &[4])]);
    let broken = |days_ago| {
        Sighting::BrokenOff(BrokenOff {
            started_at: start() - chrono::TimeDelta::days(days_ago),
            why: "its verdict is empty".to_owned(),
            verdict: "v.json".to_owned(),
        })
    };
    let passed = Sighting::Ended(drilled(Status::Pass, 3));
    let drills = |seen: &[Sighting]| Drills::of(seen.iter().cloned());
    let health = judge(&template, &plan, drills(&[broken(1), broken(2), passed.clone()]));
    assert_eq!((health.status, health.broken_off.len()), (HealthStatus::Warning, 2));
    assert_eq!(
        health.warnings,
        [
            "The drill begun at 2026-05-16 08:31 UTC broke off, as did 1 more since the last that passed: its verdict is empty (v.json)."
        ]
    );
    let health = judge(&template, &plan, drills(&[passed, broken(4)]));
    assert_eq!((health.status, health.broken_off.len()), (HealthStatus::Healthy, 0), "one has passed since");
    let of_older = Sighting::Ended(of_older(Status::Pass, 3, 9));
    let health = judge(&template, &plan, drills(&[of_older, broken(4), broken(10)]));
    assert_eq!(health.broken_off.len(), 1, "what passed since is of older backups than one of them");
    let health = judge(&template, &plan, drills(&[broken(1), Sighting::Ended(drilled(Status::Fail, 2))]));
    assert_eq!(health.status, HealthStatus::Critical, "a failure is graver");
}

#[test]
fn what_is_critical_is_said_first() {
    let mut template = template_with_rpo();
    template.recovery_set.schedule = Some(Duration::from_secs(24 * 3600));
    let plan = planned(&template, &[("a", &[4, 28, 100]), ("b", &[4, 28])]);
    let health = judge(&template, &plan, after(&[drilled(Status::Fail, 1)]));
    assert_eq!((health.status, health.warnings.len()), (HealthStatus::Critical, 2));
    assert!(health.warnings[0].contains("The drill of"), "{:?}", health.warnings);
}
