use std::time::Duration;

use super::{Measured, judge};
use crate::model::failure::{Class, Failure};
use crate::model::testing::{database, passing, restored_at};
use crate::model::verdict::{Objective, Verdict};
use crate::template::Template;
use crate::template::testing::template;

/// What a drill with this verdict measured.
fn measured(verdict: &Verdict) -> Measured {
    Measured {
        points: verdict.recovery_set.clone(),
        stages: verdict.databases.iter().map(|database| (database.name.clone(), database.seconds)).collect(),
        verification: verdict.verification_seconds,
        rpo: verdict.objectives.rpo.clone(),
    }
}

fn judged(template: &Template, mut verdict: Verdict, seconds_taken: u32) -> Verdict {
    verdict.objectives = judge(&template.objectives, &measured(&verdict), f64::from(seconds_taken));
    verdict
}

fn missed(verdict: &Verdict) -> Option<Failure> {
    super::missed(&verdict.objectives, &measured(verdict))
}

fn with(change: impl FnOnce(&mut crate::template::Objectives)) -> Template {
    let mut template = template();
    change(&mut template.objectives);
    template
}

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn without_budgets_everything_is_measured_and_nothing_judged() {
    let verdict = judged(&with(|_| {}), passing(), 42);
    assert_eq!(verdict.objectives.rto, Objective { actual_seconds: Some(42.0), ..Objective::default() });
    assert!(verdict.objectives.phases.is_empty());
    assert_eq!(missed(&verdict), None);
}

#[test]
fn an_rto_is_kept_up_to_its_last_moment() {
    let template = with(|objectives| objectives.rto = MINUTE);
    let kept = judged(&template, passing(), 60);
    assert_eq!((kept.objectives.rto.met, missed(&kept)), (Some(true), None));
    assert_eq!(judged(&template, passing(), 61).objectives.rto.met, Some(false));
}

#[test]
fn a_missed_rto_names_the_slowest_stage_and_its_rate() {
    let mut verdict = passing();
    // 100 MiB in 50 s.
    restored_at(&mut verdict, "b", |seconds| seconds.restore = Some(50.0), 100 << 20);
    restored_at(&mut verdict, "a", |seconds| seconds.download = Some(49.0), 1 << 30);
    let verdict = judged(&with(|objectives| objectives.rto = MINUTE), verdict, 125);
    let failure = missed(&verdict).unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Bad, "rto_missed"));
    assert_eq!(failure.message, "RTO missed: recovery took 2m 5s, the objective is 1m");
    assert_eq!(failure.hint.unwrap(), "the longest stage was the restore of b: 50s at 2.0 MiB/s");
}

#[test]
fn every_stage_can_be_the_slowest() {
    type Slow = fn(&mut crate::model::verdict::StageSeconds);
    let cases: [(Slow, &str); 5] = [
        (|seconds| seconds.download = Some(70.0), "download"),
        (|seconds| seconds.decrypt = Some(70.0), "decrypt"),
        (|seconds| seconds.write = Some(70.0), "write"),
        (|seconds| seconds.restore = Some(70.0), "restore"),
        (|seconds| seconds.count = Some(70.0), "count"),
    ];
    for (slow, stage) in cases {
        let mut verdict = passing();
        restored_at(&mut verdict, "a", slow, 1 << 20);
        let verdict = judged(&with(|objectives| objectives.rto = MINUTE), verdict, 80);
        let hint = missed(&verdict).unwrap().hint.unwrap();
        assert!(hint.starts_with(&format!("the longest stage was the {stage} of a: 1m 10s at ")), "{hint}");
    }
}

#[test]
fn each_phase_budget_can_be_kept_and_missed() {
    type Budget = fn(&mut crate::template::Objectives);
    type Spend = fn(&mut Verdict, f64);
    let cases: [(Budget, Spend, &str); 4] = [
        (|o| o.download = MINUTE, |v, s| database(v, "b").seconds.download = Some(s), "download of b"),
        (|o| o.decrypt = MINUTE, |v, s| database(v, "b").seconds.decrypt = Some(s), "decrypt of b"),
        (|o| o.restore = MINUTE, |v, s| database(v, "b").seconds.restore = Some(s), "restore of b"),
        (|o| o.verification = MINUTE, |v, s| v.verification_seconds = Some(s), "verification"),
    ];
    for (budget, spend, what) in cases {
        for (seconds, met) in [(60.0, true), (60.1, false)] {
            let mut verdict = passing();
            spend(&mut verdict, seconds);
            let verdict = judged(&with(budget), verdict, 5);
            let message = missed(&verdict).map(|failure| (failure.code.as_str(), failure.message));
            let expected =
                (!met).then(|| ("phase_budget_missed", format!("{what} took 1m, its budget is 1m")));
            assert_eq!(message, expected, "{what} {seconds}");
        }
    }
}

#[test]
fn only_stages_that_ran_are_judged() {
    let mut verdict = passing();
    for database in &mut verdict.databases {
        database.seconds = crate::model::verdict::StageSeconds::default();
    }
    verdict.verification_seconds = None;
    let template = with(|objectives| {
        objectives.download = MINUTE;
        objectives.verification = MINUTE;
    });
    assert!(judged(&template, verdict, 1).objectives.phases.is_empty());
}

#[test]
fn a_missed_rpo_is_the_gravest_and_then_the_rto() {
    let template = with(|objectives| {
        objectives.rto = MINUTE;
        objectives.download = Some(Duration::ZERO);
    });
    let mut verdict = judged(&template, passing(), 61);
    assert_eq!(missed(&verdict).unwrap().code.as_str(), "rto_missed");
    verdict.objectives.rpo =
        Objective { target_seconds: Some(86_400.0), actual_seconds: Some(183_600.0), met: Some(false) };
    let failure = missed(&verdict).unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Bad, "rpo_missed"));
    assert_eq!(failure.message, "RPO missed: the recovery point of a is 2d 3h old, the objective is 1d");
    verdict.objectives.rpo = Objective::default();
    verdict.objectives.rto = Objective::default();
    assert_eq!(missed(&verdict).unwrap().code.as_str(), "phase_budget_missed");
}

#[test]
fn the_rpo_that_the_plan_judged_is_kept() {
    let mut verdict = passing();
    verdict.objectives.rpo = Objective::judge(Some(Duration::from_secs(10)), 9.0);
    let verdict = judged(&with(|_| {}), verdict, 1);
    assert_eq!(verdict.objectives.rpo.met, Some(true));
}
