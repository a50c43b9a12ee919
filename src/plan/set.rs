//! Judging a recovery set as a set: its skew, and each member against those before it. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::code;
use super::finding;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, RecoveryPoint, RecoverySet, Severity};
use crate::store::ObjectMeta;
use crate::template::{KeyPattern, RecoverySetRules};

/// With fewer recovery points before it, a size is not compared with theirs.
const ENOUGH_FOR_MEDIAN: usize = 3;
/// Gaps that a finding names.
const GAPS_NAMED: usize = 3;
/// Two recovery points further apart than this many intervals have a gap between them.
const GAP: f64 = 1.5;
/// How often a database is backed up, if the template does not say.
const A_DAY: Duration = Duration::from_secs(86_400);
/// A clock may run ahead by so much.
const CLOCK_TOLERANCE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// One recovery point in a database's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// Its size.
    pub size_bytes: u64,
}

/// The recovery points before the chosen one, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryRecord {
    /// How many were looked at.
    pub points: usize,
    /// How many of them have any bytes.
    pub with_bytes: usize,
    /// When the oldest of them was taken.
    pub since: Option<DateTime<Utc>>,
    /// The median of their sizes; absent if there are too few.
    pub median_bytes: Option<u64>,
}

/// Sums up the recovery points before the chosen one; `past` is in the order of time, the chosen one last.
pub fn history(past: &[Past], rules: &RecoverySetRules) -> HistoryRecord {
    let before = &past[..past.len().saturating_sub(1)];
    let before = &before[before.len().saturating_sub(usize::from(rules.history))..];
    let mut sizes: Vec<u64> = before.iter().map(|past| past.size_bytes).filter(|size| *size > 0).collect();
    sizes.sort_unstable();
    HistoryRecord {
        points: before.len(),
        with_bytes: sizes.len(),
        since: before.first().map(|past| past.taken_at),
        median_bytes: (sizes.len() >= ENOUGH_FOR_MEDIAN).then(|| sizes[sizes.len() / 2]),
    }
}

/// A recovery point that is far smaller than those before it. One without bytes has a finding of its own.
pub fn shrunken(point: &RecoveryPoint, history: &HistoryRecord, rules: &RecoverySetRules) -> Option<Finding> {
    let median = history.median_bytes?;
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes needs no exact bytes")]
    let ratio = point.size_bytes as f64 / median as f64;
    (point.size_bytes > 0 && ratio < rules.shrunk_below).then(|| {
        finding(
            Severity::Warning,
            code::set::SHRUNKEN_POINT,
            &point.database,
            format!(
                "at least {:.0} % of {}, the median of the {} before it",
                rules.shrunk_below * 100.0,
                human::bytes(median),
                history.points
            ),
            format!(
                "{} is {}, {:.0} % of that median",
                point.key,
                human::bytes(point.size_bytes),
                ratio * 100.0
            ),
        )
    })
}

/// Nights without a backup, among the recovery points looked at and since the last of them.
pub fn gaps(
    database: &DatabaseName,
    past: &[Past],
    rules: &RecoverySetRules,
    at: DateTime<Utc>,
) -> Vec<Finding> {
    let Some(schedule) = rules.schedule else { return Vec::new() };
    let limit = schedule.mul_f64(GAP);
    let looked_at = &past[past.len().saturating_sub(usize::from(rules.history) + 1)..];
    let length = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).to_std().unwrap_or(Duration::ZERO);
    let gaps: Vec<String> = looked_at
        .windows(2)
        .filter(|pair| length(pair[0].taken_at, pair[1].taken_at) > limit)
        .map(|pair| {
            let gap = length(pair[0].taken_at, pair[1].taken_at).as_secs_f64();
            format!("{} after {}", human::duration(gap), human::moment(pair[0].taken_at))
        })
        .collect();
    let every = human::duration(schedule.as_secs_f64());
    let mut findings = Vec::new();
    if !gaps.is_empty() {
        let shown: Vec<&str> = gaps.iter().rev().take(GAPS_NAMED).map(String::as_str).collect();
        let more = match gaps.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        findings.push(finding(
            Severity::Warning,
            code::set::SCHEDULE_GAP,
            database,
            format!("a recovery point every {every}"),
            format!("no recovery point for {}{more}", shown.join(", ")),
        ));
    }
    if let Some(last) = looked_at.last().filter(|last| length(last.taken_at, at) > limit) {
        findings.push(finding(
            Severity::Warning,
            code::set::BACKUP_OVERDUE,
            database,
            format!("a recovery point every {every}"),
            format!(
                "the last one is of {}, {} before",
                human::moment(last.taken_at),
                human::duration(length(last.taken_at, at).as_secs_f64())
            ),
        ));
    }
    findings
}

/// Members that were taken too far apart: rows of one may refer to rows that the other does not have yet.
pub fn skew(set: &RecoverySet, rules: &RecoverySetRules) -> Option<Finding> {
    let max = rules.max_skew?;
    let seconds = u64::try_from(set.skew_seconds?).unwrap_or(0);
    let first = set.points.iter().min_by_key(|point| point.taken_at)?;
    let last = set.points.iter().max_by_key(|point| point.taken_at)?;
    (Duration::from_secs(seconds) > max).then(|| {
        finding(
            Severity::Error,
            code::set::SKEW_EXCEEDED,
            "recovery set",
            format!("taken within {} of each other", human::duration(max.as_secs_f64())),
            format!(
                "{} was taken {} after {}",
                last.database,
                human::duration(Duration::from_secs(seconds).as_secs_f64()),
                first.database
            ),
        )
    })
}

/// A key that names a time which has not come yet: the clock or the zone of whatever names the objects is wrong.
pub fn from_the_future(
    database: &DatabaseName,
    taken_at: DateTime<Utc>,
    key: &str,
    now: DateTime<Utc>,
) -> Option<Finding> {
    (taken_at > now + CLOCK_TOLERANCE).then(|| {
        finding(
            Severity::Warning,
            code::set::POINT_FROM_THE_FUTURE,
            database,
            format!("keys that name times up to now, {}", human::moment(now)),
            format!("{key} names a time that has not come yet, and is passed over"),
        )
    })
}

/// Keys that are a database's in all but their time are passed over. If they were uploaded long after the chosen recovery
/// point, that one is not the newest backup, and a drill of it would prove an old one.
pub fn unreadable_times(
    pattern: &KeyPattern,
    database: &DatabaseName,
    objects: &[ObjectMeta],
    chosen: Option<&RecoveryPoint>,
    rules: &RecoverySetRules,
    at: DateTime<Utc>,
) -> Option<Finding> {
    let uploaded = |object: &&ObjectMeta| object.last_modified;
    let passed_over: Vec<&ObjectMeta> = objects
        .iter()
        .filter(|object| pattern.has_unreadable_time(database, object.key.as_str()))
        .filter(|object| uploaded(object).is_none_or(|uploaded| uploaded <= at + CLOCK_TOLERANCE))
        .collect();
    let newest = passed_over.iter().copied().max_by_key(uploaded)?;
    let interval =
        chrono::TimeDelta::from_std(rules.schedule.unwrap_or(A_DAY)).unwrap_or(chrono::TimeDelta::MAX);
    let long_after = |chosen: DateTime<Utc>, newest: DateTime<Utc>| newest - chosen > interval;
    let is_newer = chosen
        .and_then(|chosen| chosen.last_modified)
        .zip(newest.last_modified)
        .is_some_and(|(chosen, newest)| long_after(chosen, newest));
    let told = match (chosen, is_newer) {
        (Some(chosen), true) => format!(
            ", uploaded long after {}: that one is not the newest backup",
            human::one_line(chosen.key.as_str(), 200)
        ),
        _ => String::new(),
    };
    Some(finding(
        if is_newer { Severity::Error } else { Severity::Warning },
        code::set::KEY_TIME_UNREADABLE,
        database,
        format!("keys like {}", pattern.key(database, at)),
        format!(
            "{} passed over, for a time that store.timestamp does not read; the last: {}{told}",
            human::things(passed_over.len() as u64, "object"),
            human::one_line(newest.key.as_str(), 200)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing::{point, start};

    fn rules() -> RecoverySetRules {
        RecoverySetRules { schedule: Some(Duration::from_secs(86_400)), ..RecoverySetRules::default() }
    }

    /// Recovery points of so many hours ago, of these sizes.
    fn past(points: &[(i64, u64)]) -> Vec<Past> {
        let one = |(hours, size_bytes): &(i64, u64)| Past {
            taken_at: start() - TimeDelta::hours(*hours),
            size_bytes: *size_bytes,
        };
        points.iter().map(one).collect()
    }

    fn nightly(sizes: &[u64]) -> Vec<Past> {
        let hours = (0..i64::try_from(sizes.len()).unwrap()).rev().map(|night| night * 24 + 4);
        past(&hours.zip(sizes.iter().copied()).collect::<Vec<_>>())
    }

    fn codes(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn a_size_is_compared_with_the_median_of_those_before_it() {
        let judged = |sizes: &[u64], rules: &RecoverySetRules| {
            let last = *sizes.last().unwrap();
            shrunken(&point("a", 4, last), &history(&nightly(sizes), rules), rules)
        };
        let rules = rules();
        assert_eq!(judged(&[100, 100, 100, 50], &rules), None, "the threshold itself is not below it");
        let finding = judged(&[100, 90, 1_000_000, 110, 49], &rules).unwrap();
        assert_eq!((finding.code.as_str(), finding.severity), ("shrunken_point", Severity::Warning));
        assert!(finding.actual.contains("45 %"), "{}", finding.actual);
        assert_eq!(judged(&[100, 100, 1], &rules), None, "two are too few to compare with");
        assert_eq!(judged(&[100, 100, 100, 0], &rules), None, "an empty object has a finding of its own");
        let strict = RecoverySetRules { shrunk_below: 0.9, ..rules.clone() };
        assert!(judged(&[100, 100, 100, 80], &strict).is_some());
        let long_ago = RecoverySetRules { history: 3, ..rules };
        assert_eq!(judged(&[1000, 1000, 1000, 1000, 10, 10, 10, 9], &long_ago), None, "it shrank long ago");
    }

    #[test]
    fn nights_without_a_backup_are_found() {
        let judged = |hours: &[i64]| {
            let points: Vec<(i64, u64)> = hours.iter().map(|hours| (*hours, 1)).collect();
            gaps(&"a".parse().unwrap(), &past(&points), &rules(), start())
        };
        assert_eq!(codes(&judged(&[76, 52, 28, 4])), Vec::<&str>::new());
        assert_eq!(codes(&judged(&[100, 52, 28, 4])), ["schedule_gap"]);
        assert_eq!(
            codes(&judged(&[64, 28, 4])),
            Vec::<&str>::new(),
            "twelve hours late is not a night without"
        );
        assert_eq!(codes(&judged(&[100, 40])), ["schedule_gap", "backup_overdue"]);
        assert_eq!(codes(&judged(&[])), Vec::<&str>::new());
        let many: Vec<i64> = (0..8).rev().map(|n| n * 48 + 4).collect();
        assert!(judged(&many)[0].actual.ends_with("and 4 more"), "{:?}", judged(&many));
        let unscheduled = RecoverySetRules::default();
        assert!(gaps(&"a".parse().unwrap(), &past(&[(900, 1), (4, 1)]), &unscheduled, start()).is_empty());
    }

    #[test]
    fn a_gap_before_the_history_looked_at_is_history() {
        let mut hours: Vec<(i64, u64)> = (0..8).rev().map(|n| (n * 24 + 4, 1)).collect();
        hours.insert(0, (900, 1));
        assert!(gaps(&"a".parse().unwrap(), &past(&hours), &rules(), start()).is_empty());
    }

    #[test]
    fn members_taken_too_far_apart_are_found() {
        let set = RecoverySet::of(vec![point("a", 5, 1), point("b", 3, 1)]);
        let judged = |minutes: u64| {
            let rules = RecoverySetRules { max_skew: Some(Duration::from_secs(minutes * 60)), ..rules() };
            skew(&set, &rules)
        };
        assert_eq!(judged(120), None);
        let finding = judged(119).unwrap();
        assert_eq!((finding.code.as_str(), finding.severity), ("skew_exceeded", Severity::Error));
        assert_eq!(finding.actual, "b was taken 2h after a");
        assert_eq!(skew(&set, &rules()), None, "nothing is demanded");
    }

    #[test]
    fn a_key_of_tomorrow_is_told_and_a_clock_a_little_ahead_is_not() {
        let judged = |minutes| {
            from_the_future(&"a".parse().unwrap(), start() + TimeDelta::minutes(minutes), "k", start())
        };
        assert_eq!(judged(4), None);
        assert_eq!(judged(60).unwrap().code.as_str(), "point_from_the_future");
    }

    proptest! {
        #[test]
        fn points_at_their_times_never_make_a_finding(n in 0usize..20, jitter in prop::collection::vec(-3600i64..3600, 20)) {
            let past: Vec<Past> = (0..n).rev().map(|night| Past {
                taken_at: start() - TimeDelta::hours(24 * i64::try_from(night).unwrap() + 2)
                    + TimeDelta::seconds(jitter[night]),
                size_bytes: 1000,
            }).collect();
            prop_assert!(gaps(&"a".parse().unwrap(), &past, &rules(), start()).is_empty());
            let record = history(&past, &rules());
            prop_assert!(record.points <= 7);
            prop_assert!(shrunken(&point("a", 2, 1000), &record, &rules()).is_none());
        }
    }
}
