//! How long a drill would take and how much room it needs, from earlier drills of the template. Pure.
//!
//! Nothing here is measured: each figure says what it is based on. Time is proportional to size: a
//! stage's median time for each byte in earlier drills, times the bytes of today.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::code;
use super::contents::Contents;
use super::finding;
use super::survey::FreeDisk;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::past::{PastDatabase, PastDrill, STAGES};
use crate::model::phase::Phase;
use crate::model::verdict::{Finding, RecoveryPoint, RecoverySet, Severity};
use crate::template::Objectives;

/// Restored bytes for each byte of a dump whose rows are compressed, where no drill measured it: rows are about a
/// quarter of their size in a dump, and indexes come on top.
const ASSUMED_COMPRESSED: f64 = 6.0;
/// The same for a dump whose rows are not compressed.
const ASSUMED_PLAIN: f64 = 1.5;
/// A forecast above this part of an objective is reported.
const NEAR: f64 = 0.8;
/// The phases that come before the databases, whose time does not depend on size.
const FIXED_PHASES: [Phase; 4] = [Phase::Plan, Phase::Preflight, Phase::Stack, Phase::Isolation];

/// The stages of a database that have budgets.
const STAGE_NAMES: [&str; STAGES] = ["download", "decrypt", "restore"];

/// How long a drill would take.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// What it is based on.
    pub basis: String,
    /// Until everything is restored and verified. Absent if no earlier drill had all these databases.
    pub total: Option<Range>,
    /// All checks.
    pub verification_seconds: Option<f64>,
    /// Each database's stages.
    pub databases: Vec<DatabaseForecast>,
}

/// A figure from several drills.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Range {
    /// The median.
    pub seconds: f64,
    /// The least.
    pub low_seconds: f64,
    /// The most.
    pub high_seconds: f64,
}

/// One database's stages.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DatabaseForecast {
    /// The database.
    pub database: DatabaseName,
    /// Waiting for the store.
    pub download_seconds: Option<f64>,
    /// Decrypting and hashing.
    pub decrypt_seconds: Option<f64>,
    /// `pg_restore`.
    pub restore_seconds: Option<f64>,
    /// Whose rates these are.
    pub basis: String,
}

impl DatabaseForecast {
    fn stages(&self) -> [Option<f64>; STAGES] {
        [self.download_seconds, self.decrypt_seconds, self.restore_seconds]
    }
}

/// Forecasts a drill; `None` without an earlier one to base it on.
pub fn forecast(set: &RecoverySet, past: &[PastDrill]) -> Option<Forecast> {
    let databases: Vec<DatabaseForecast> =
        set.points.iter().filter_map(|point| forecast_database(point, past)).collect();
    if databases.is_empty() {
        return None;
    }
    let whole: Vec<(f64, &PastDrill)> =
        past.iter().filter_map(|drill| Some((growth(set, drill)?, drill))).collect();
    let totals = whole.iter().filter_map(|(growth, drill)| {
        let fixed: f64 = FIXED_PHASES.iter().filter_map(|phase| drill.phases.get(phase)).sum();
        Some(milliseconds(fixed + drill.phases.get(&Phase::Restore)? * growth))
    });
    let verification =
        whole.iter().filter_map(|(growth, drill)| Some(milliseconds(drill.verification_seconds? * growth)));
    Some(Forecast {
        basis: basis(&whole, past),
        total: range(totals.collect()),
        verification_seconds: range(verification.collect()).map(|range| range.seconds),
        databases,
    })
}

fn basis(whole: &[(f64, &PastDrill)], past: &[PastDrill]) -> String {
    match (whole.first(), whole.last()) {
        (Some((_, newest)), Some((_, oldest))) if whole.len() > 1 => format!(
            "{} earlier drills, from {} to {}, by size",
            whole.len(),
            oldest.timestamp,
            newest.timestamp
        ),
        (Some((_, only)), _) => format!("the drill of {}, by size", only.timestamp),
        _ => format!("{}; none had all these databases", human::things(past.len() as u64, "earlier drill")),
    }
}

/// How much larger today's set is than that of a drill that had just these databases, and restored them all.
fn growth(set: &RecoverySet, drill: &PastDrill) -> Option<f64> {
    let same = drill.databases.len() == set.points.len()
        && set.points.iter().all(|point| drill.databases.contains_key(&point.database));
    let then: u64 = drill.databases.values().map(|database| database.size_bytes).sum();
    let now: u64 = set.points.iter().map(|point| point.size_bytes).sum();
    (drill.complete && same && then > 0).then(|| ratio(now, then))
}

fn forecast_database(point: &RecoveryPoint, past: &[PastDrill]) -> Option<DatabaseForecast> {
    let own = |stage: usize| {
        let drills = past.iter().filter_map(|drill| drill.databases.get(&point.database));
        range(drills.filter_map(|database| per_byte(database, stage)).collect())
    };
    let any = |stage: usize| {
        let all = past.iter().flat_map(|drill| drill.databases.values());
        range(all.filter_map(|database| per_byte(database, stage)).collect())
    };
    let known = (0..STAGES).any(|stage| own(stage).is_some());
    let seconds = |stage: usize| {
        let rate = if known { own(stage) } else { any(stage) };
        rate.map(|rate| milliseconds(rate.seconds * ratio(point.size_bytes, 1)))
    };
    let basis = if known { "its own rates" } else { "rates of the other databases" };
    let forecast = DatabaseForecast {
        database: point.database.clone(),
        download_seconds: seconds(0),
        decrypt_seconds: seconds(1),
        restore_seconds: seconds(2),
        basis: basis.to_owned(),
    };
    forecast.stages().iter().any(Option::is_some).then_some(forecast)
}

fn per_byte(database: &PastDatabase, stage: usize) -> Option<f64> {
    let seconds = database.stages[stage]?;
    (database.size_bytes > 0).then(|| seconds / ratio(database.size_bytes, 1))
}

#[expect(clippy::cast_precision_loss, reason = "a forecast needs no exact bytes")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// Seconds to the millisecond: more digits would claim a precision that it lacks.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn range(mut figures: Vec<f64>) -> Option<Range> {
    figures.sort_by(f64::total_cmp);
    Some(Range {
        seconds: *figures.get(figures.len() / 2)?,
        low_seconds: *figures.first()?,
        high_seconds: *figures.last()?,
    })
}

/// Objectives that the forecast misses, or nearly misses.
pub fn at_risk(forecast: &Forecast, objectives: &Objectives) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut judge = |what: &str, subject: &str, target: Option<std::time::Duration>, seconds: Option<f64>| {
        let (Some(target), Some(seconds)) = (target.map(|target| target.as_secs_f64()), seconds) else {
            return;
        };
        if seconds < target * NEAR {
            return;
        }
        let severity = if seconds > target { Severity::Warning } else { Severity::Info };
        findings.push(finding(
            severity,
            code::room::OBJECTIVE_AT_RISK,
            subject,
            format!("{what} within {}", human::duration(target)),
            format!("{what} would take about {}, based on {}", human::duration(seconds), forecast.basis),
        ));
    };
    judge("recovery", "rto", objectives.rto, forecast.total.map(|total| total.seconds));
    judge("verification", "verification", objectives.verification, forecast.verification_seconds);
    let targets = [objectives.download, objectives.decrypt, objectives.restore];
    for database in &forecast.databases {
        for (stage, seconds) in database.stages().into_iter().enumerate() {
            judge(STAGE_NAMES[stage], database.database.as_str(), targets[stage], seconds);
        }
    }
    findings
}

/// How much room a drill would need.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Room {
    /// Dumps and restored databases together: the most that lies on the disk at once.
    pub needed_bytes: u64,
    /// What the estimate is based on.
    pub basis: String,
    /// Whether earlier drills measured the size of every database; if not, some are assumed.
    pub measured: bool,
    /// Bytes free, where that is known.
    pub free: Option<FreeDisk>,
    /// Restored sizes, by database.
    pub restored_bytes: BTreeMap<DatabaseName, u64>,
}

/// Estimates the room for a set.
pub fn room(
    set: &RecoverySet,
    contents: &BTreeMap<&DatabaseName, &Contents>,
    past: &[PastDrill],
    free: Option<FreeDisk>,
) -> Room {
    let mut measured = 0;
    let mut restored_bytes = BTreeMap::new();
    for point in &set.points {
        let ratios = past.iter().filter_map(|drill| {
            let database = drill.databases.get(&point.database)?;
            (database.size_bytes > 0).then(|| Some(ratio(database.restored_bytes?, database.size_bytes)))?
        });
        let factor = match range(ratios.collect()) {
            Some(range) => {
                measured += 1;
                range.seconds
            }
            None if contents
                .get(&point.database)
                .is_some_and(|contents| !contents.compressed && !contents.may_have_shrunk()) =>
            {
                ASSUMED_PLAIN
            }
            None => ASSUMED_COMPRESSED,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, not negative"
        )]
        let bytes = (ratio(point.size_bytes, 1) * factor) as u64;
        restored_bytes.insert(point.database.clone(), bytes);
    }
    let assumed = set.points.len() - measured;
    let assumption = format!("{ASSUMED_COMPRESSED} times a compressed dump, {ASSUMED_PLAIN} times another");
    let basis = match (measured, assumed) {
        (_, 0) => "what earlier drills restored".to_owned(),
        (0, _) => format!("assumed: {assumption}; no earlier drill measured it"),
        (_, assumed) => format!("what earlier drills restored; assumed for {assumed}: {assumption}"),
    };
    let dumps: u64 = set.points.iter().map(|point| point.size_bytes).sum();
    let needed_bytes = dumps + restored_bytes.values().sum::<u64>();
    Room { needed_bytes, basis, measured: assumed == 0, free, restored_bytes }
}

/// A disk that is probably too small. An estimate decides nothing, so it is a warning.
pub fn too_small(room: &Room) -> Option<Finding> {
    let free = room.free.as_ref().filter(|free| free.free_bytes < room.needed_bytes)?;
    Some(finding(
        Severity::Warning,
        code::room::DISK_MAY_BE_TOO_SMALL,
        "disk",
        format!("about {} free ({})", human::bytes(room.needed_bytes), room.basis),
        format!("{} free: {}", human::bytes(free.free_bytes), free.basis),
    ))
}

/// The last drill that recorded which version an image has.
pub fn version_seen<'a>(image: &str, past: &'a [PastDrill]) -> Option<(&'a str, u32)> {
    past.iter().find_map(|drill| Some((drill.timestamp.as_str(), *drill.majors.get(image)?)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::testing::point;

    fn drill(timestamp: &str, sizes: [u64; 2], restore: f64, phase: f64) -> PastDrill {
        let database = |size_bytes| PastDatabase {
            size_bytes,
            restored_bytes: Some(size_bytes * 5),
            stages: [Some(1.0), Some(0.5), Some(restore)],
        };
        PastDrill {
            timestamp: timestamp.to_owned(),
            complete: true,
            phases: [(Phase::Stack, 3.0), (Phase::Restore, phase), (Phase::Teardown, 100.0)].into(),
            verification_seconds: Some(2.0),
            databases: [("a", sizes[0]), ("b", sizes[1])]
                .map(|(n, s)| (n.parse().unwrap(), database(s)))
                .into(),
            ..PastDrill::default()
        }
    }

    fn set(a: u64, b: u64) -> RecoverySet {
        RecoverySet::of(vec![point("a", 5, a), point("b", 5, b)])
    }

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn time_goes_by_size_and_is_the_median_of_earlier_drills() {
        let past = [
            drill("3", [1000, 1000], 10.0, 20.0),
            drill("2", [1000, 1000], 30.0, 60.0),
            drill("1", [1000, 1000], 20.0, 40.0),
        ];
        let forecast = forecast(&set(2000, 2000), &past).unwrap();
        let total = forecast.total.unwrap();
        assert!(near(Some(total.seconds), 83.0), "the stack's 3 s, and twice the median of 40: {total:?}");
        assert!(near(Some(total.low_seconds), 43.0) && near(Some(total.high_seconds), 123.0));
        assert!(near(forecast.databases[0].restore_seconds, 40.0));
        assert!(near(forecast.verification_seconds, 4.0));
        assert_eq!(forecast.basis, "3 earlier drills, from 1 to 3, by size");
    }

    #[test]
    fn a_database_no_drill_has_seen_goes_by_the_others_and_the_whole_is_not_guessed() {
        let past = [drill("1", [1000, 1000], 10.0, 20.0)];
        let set = RecoverySet::of(vec![point("a", 5, 1000), point("c", 5, 3000)]);
        let forecast = forecast(&set, &past).unwrap();
        assert_eq!(forecast.total, None);
        assert!(near(forecast.databases[1].restore_seconds, 30.0));
        assert_eq!(forecast.databases[1].basis, "rates of the other databases");
        assert_eq!(forecast.basis, "1 earlier drill; none had all these databases");
    }

    #[test]
    fn nothing_is_forecast_from_nothing() {
        assert_eq!(forecast(&set(1, 1), &[]), None);
        let mut failed = drill("1", [1000, 1000], 10.0, 20.0);
        failed.complete = false;
        assert_eq!(forecast(&set(1000, 1000), &[failed]).unwrap().total, None);
        let empty = drill("1", [0, 0], 10.0, 20.0);
        assert_eq!(forecast(&set(1000, 1000), &[empty]), None);
    }

    #[test]
    fn objectives_at_risk_are_flagged_with_the_reason() {
        let forecast = forecast(&set(1000, 1000), &[drill("1", [1000, 1000], 10.0, 20.0)]).unwrap();
        let risks = |rto: u64, restore: u64| -> Vec<(Severity, String)> {
            let objectives = Objectives {
                rto: Some(Duration::from_secs(rto)),
                restore: Some(Duration::from_secs(restore)),
                ..Objectives::default()
            };
            at_risk(&forecast, &objectives).into_iter().map(|f| (f.severity, f.subject)).collect()
        };
        assert_eq!(risks(900, 600), []);
        assert_eq!(risks(22, 600), [(Severity::Warning, "rto".to_owned())]);
        assert_eq!(risks(25, 600), [(Severity::Info, "rto".to_owned())]);
        assert_eq!(risks(900, 9), [(Severity::Warning, "a".to_owned()), (Severity::Warning, "b".to_owned())]);
    }

    #[test]
    fn room_goes_by_what_was_restored_or_by_a_stated_assumption() {
        let free = |free_bytes| Some(FreeDisk { free_bytes, basis: "here".to_owned() });
        let contents = BTreeMap::new();
        let measured = room(&set(1000, 1000), &contents, &[drill("1", [10, 10], 1.0, 1.0)], free(11_999));
        assert_eq!(measured.needed_bytes, 12_000);
        assert_eq!(measured.basis, "what earlier drills restored");
        assert_eq!(too_small(&measured).unwrap().code.as_str(), "disk_may_be_too_small");
        let assumed = room(&set(1000, 1000), &contents, &[], free(14_000));
        assert_eq!(assumed.needed_bytes, 14_000);
        assert!(assumed.basis.starts_with("assumed: 6 times"), "{}", assumed.basis);
        assert_eq!(too_small(&assumed), None);
        assert_eq!(too_small(&room(&set(1000, 1000), &contents, &[], None)), None, "nothing is known");
    }

    #[test]
    fn a_version_is_known_from_a_drill_with_the_same_image_only() {
        let mut seen = drill("1", [1, 1], 1.0, 1.0);
        seen.majors = [("postgres:17".to_owned(), 17)].into();
        assert_eq!(version_seen("postgres:17", std::slice::from_ref(&seen)), Some(("1", 17)));
        seen.majors = [("postgres:16".to_owned(), 16)].into();
        assert_eq!(version_seen("postgres:17", &[seen]), None);
    }
}
