//! What a listing says of the tiers. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    LEFTOVER_TEMPORARY, STRAY_OBJECT, TIER_EMPTY_OBJECT, TIER_GAP, TIER_SHRUNK, TIER_STALE, TIER_TOO_FEW,
    TIER_TOO_MANY, TIER_YOUNG,
};
use crate::check::findings::{Findings, Outcome, Verified};
use crate::check::stored::key_glob::KeyGlob;
use crate::check::stored::reading::{file_name, some_of};
use crate::model::human;
use crate::model::verdict::{Severity, finding};
use crate::store::ObjectMeta;

/// Missing recovery points that a finding names.
const NAMED: usize = 12;
/// Strays and left-overs that are named one by one.
const LISTED: usize = 20;
/// Others that are needed before one can be called smaller than they are.
const TO_COMPARE: usize = 3;

/// What must hold.
pub struct Rules<'a> {
    pub tiers: Vec<JudgedTier<'a>>,
    pub since: Option<DateTime<Utc>>,
    pub leftovers: &'a [KeyGlob],
    pub leftover_age: TimeDelta,
    pub sidecars: &'a [String],
    pub ignore: &'a [KeyGlob],
    pub shrunk_below: f64,
}

/// A tier, its pattern read.
pub struct JudgedTier<'a> {
    pub name: &'a str,
    pub glob: KeyGlob,
    pub every: TimeDelta,
    pub keep: u32,
    pub tolerance: u32,
    pub slack: TimeDelta,
}

/// A recovery point of a tier.
struct Point<'a> {
    at: DateTime<Utc>,
    key: &'a str,
    size: u64,
}

/// Judges the tiers by the objects that there are, by their keys below the prefix.
pub fn judge(rules: &Rules<'_>, objects: &BTreeMap<String, ObjectMeta>, now: DateTime<Utc>) -> Outcome {
    let mut findings = Findings::default();
    let mut tiers: Vec<Vec<Point<'_>>> = Vec::new();
    for tier in &rules.tiers {
        tiers.push(points(tier, objects, now, &mut findings));
    }
    let oldest = tiers.iter().flatten().map(|point| point.at).min();
    let mut counts = Vec::new();
    for (tier, points) in rules.tiers.iter().zip(&tiers) {
        counts.push(format!("{} {} of {}", tier.name, points.len(), tier.keep));
        let Some(newest) = points.last() else {
            without(tier, rules.since.or(oldest), now, &mut findings);
            continue;
        };
        number(tier, points, rules.since, now, &mut findings);
        gaps(tier, points, now, &mut findings);
        let age = now - newest.at;
        if age > tier.every + tier.slack {
            let actual = format!("the newest is of {}, {} ago", human::moment(newest.at), shown(age));
            let expected = format!("one every {}, at most {} late", shown(tier.every), shown(tier.slack));
            findings.push(finding(Severity::Error, TIER_STALE, tier.name, expected, actual));
        }
        shrunk(tier, points, rules.shrunk_below, &mut findings);
    }
    others(rules, objects, now, &mut findings);
    let total = tiers.iter().map(|points| points.len() as u64).sum();
    findings.into_outcome(Verified::things(total, 0), format!("recovery points: {}", counts.join(", ")))
}

/// The recovery points of a tier, in the order of their times, without those that are empty.
fn points<'a>(
    tier: &JudgedTier<'_>,
    objects: &'a BTreeMap<String, ObjectMeta>,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> Vec<Point<'a>> {
    let mut points = Vec::new();
    for (key, object) in objects {
        let Some(at) = tier.glob.time(key) else { continue };
        let size = object.size_bytes;
        if size == 0 {
            let expected = format!("a recovery point of the tier {}", tier.name);
            findings.push(finding(
                Severity::Error,
                TIER_EMPTY_OBJECT,
                &object.key,
                expected,
                "it has no bytes",
            ));
        } else if at > now + tier.slack {
            // It would hide that backups have stopped.
            let actual = format!("its time is in the future: {}", human::moment(at));
            let expected = "a time that has passed";
            findings.push(finding(Severity::Warning, STRAY_OBJECT, &object.key, expected, actual));
        } else {
            points.push(Point { at, key, size });
        }
    }
    points.sort_by_key(|point| point.at);
    points
}

/// Of a tier without any.
fn without(tier: &JudgedTier<'_>, began: Option<DateTime<Utc>>, now: DateTime<Utc>, findings: &mut Findings) {
    let (severity, code, actual) = match began.filter(|began| now - *began <= tier.every + tier.slack) {
        Some(began) => {
            let actual = format!("no recovery point yet: backups began at {}", human::moment(began));
            (Severity::Warning, TIER_YOUNG, actual)
        }
        None => (Severity::Error, TIER_TOO_FEW, "there is no recovery point".to_owned()),
    };
    findings.push(finding(severity, code, tier.name, wanted(tier), actual));
}

fn number(
    tier: &JudgedTier<'_>,
    points: &[Point<'_>],
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let (Some(oldest), Some(newest)) = (points.first(), points.last()) else { return };
    let (there, keep, tolerance) = (points.len() as u64, u64::from(tier.keep), u64::from(tier.tolerance));
    let counted = format!("{}, expected {keep} (± {tolerance})", human::things(there, "recovery point"));
    if there > keep + tolerance {
        findings.push(finding(Severity::Warning, TIER_TOO_MANY, tier.name, wanted(tier), counted));
        return;
    }
    if there + tolerance >= keep {
        return;
    }
    // What there can be since backups began, as far as that is known.
    let possible = match since {
        Some(since) => intervals(now - since, tier.every),
        None => intervals(newest.at - oldest.at, tier.every) + 1,
    };
    if there + tolerance < possible.min(keep) {
        findings.push(finding(Severity::Error, TIER_TOO_FEW, tier.name, wanted(tier), counted));
        return;
    }
    let actual = format!("{there} of {keep} recovery points; the oldest is of {}", human::moment(oldest.at));
    findings.push(finding(Severity::Warning, TIER_YOUNG, tier.name, wanted(tier), actual));
}

/// What is missing between two that are kept now.
fn gaps(tier: &JudgedTier<'_>, points: &[Point<'_>], now: DateTime<Utc>, findings: &mut Findings) {
    let kept = i32::try_from(tier.keep + tier.tolerance).unwrap_or(i32::MAX);
    let kept_since = now.checked_sub_signed(tier.every * kept).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let mut named = Vec::new();
    let mut missing = 0u64;
    for pair in points.windows(2) {
        let (before, after) = (pair[0].at, pair[1].at);
        if after < kept_since || after - before <= tier.every + tier.slack {
            continue;
        }
        // Half an interval more or less is the same one.
        let between = intervals(after - before + tier.every / 2, tier.every).saturating_sub(1);
        // Those that would not be kept any more are not stepped through: a pair may lie centuries apart.
        let first = between.saturating_sub(u64::from(tier.keep + tier.tolerance)) + 1;
        for step in first..=between {
            let step = i32::try_from(step).unwrap_or(i32::MAX);
            let Some(at) = before.checked_add_signed(tier.every * step).filter(|at| *at >= kept_since) else {
                continue;
            };
            missing += 1;
            if named.len() < NAMED {
                named.push(human::moment(at));
            }
        }
    }
    if missing == 0 {
        return;
    }
    let within = missing <= u64::from(tier.tolerance);
    let severity = if within { Severity::Warning } else { Severity::Error };
    let more = match missing - named.len() as u64 {
        0 => String::new(),
        more => format!(" and {} more", human::count(more)),
    };
    let are = if missing == 1 { "is" } else { "are" };
    let actual = format!("{} {are} missing, about {}{more}", human::count(missing), named.join(", "));
    findings.push(finding(severity, TIER_GAP, tier.name, format!("one every {}", shown(tier.every)), actual));
}

fn shrunk(tier: &JudgedTier<'_>, points: &[Point<'_>], below: f64, findings: &mut Findings) {
    let Some((newest, others)) = points.split_last().filter(|(_, others)| others.len() >= TO_COMPARE) else {
        return;
    };
    let mut sizes: Vec<u64> = others.iter().map(|point| point.size).collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    #[expect(clippy::cast_precision_loss, reason = "sizes are compared roughly")]
    let is_small = (newest.size as f64) < median as f64 * below;
    if is_small {
        let (size, median) = (human::bytes(newest.size), human::bytes(median));
        let name = human::one_line(file_name(newest.key), 200);
        let actual = format!("{name} has {size}, and the median of the others is {median}");
        findings.push(finding(Severity::Warning, TIER_SHRUNK, tier.name, format!("about {median}"), actual));
    }
}

/// What lies there and is no recovery point.
fn others(
    rules: &Rules<'_>,
    objects: &BTreeMap<String, ObjectMeta>,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let (mut leftovers, mut strays) = (Vec::new(), Vec::new());
    for (key, object) in objects {
        if rules.leftovers.iter().any(|glob| glob.fits(key)) {
            let age = object.last_modified.map(|written| now - written);
            if age.is_none_or(|age| age > rules.leftover_age) {
                let written = age.map(|age| format!("it was written {} ago", shown(age)));
                let actual = written.unwrap_or_else(|| "when it was written is not known".to_owned());
                leftovers.push((object.key.to_string(), actual));
            }
        } else if rules.tiers.iter().any(|tier| is_in_folder(&tier.glob, key)) && !belongs(rules, key) {
            let trace = if file_name(key).contains('*') {
                ": the `*` in its name is the trace of a shell that did not expand a pattern"
            } else {
                ""
            };
            strays.push((object.key.to_string(), format!("it is no recovery point{trace}")));
        }
    }
    // What looks like an attempt to overwrite backups comes first.
    strays.sort_by_key(|(key, _)| !key.contains('*'));
    for (code, found) in [(LEFTOVER_TEMPORARY, leftovers), (STRAY_OBJECT, strays)] {
        let expected = "recovery points, and what belongs to them";
        let rest: Vec<String> = found.iter().skip(LISTED).map(|(key, _)| key.clone()).collect();
        for (key, actual) in found.into_iter().take(LISTED) {
            findings.push(finding(Severity::Warning, code, key, expected, actual));
        }
        if !rest.is_empty() {
            findings.push(finding(Severity::Warning, code, "others", expected, some_of(&rest, 3)));
        }
    }
}

fn is_in_folder(glob: &KeyGlob, key: &str) -> bool {
    key.strip_prefix(glob.folder()).is_some_and(|rest| glob.has_folders() || !rest.contains('/'))
}

/// Whether it is a recovery point, belongs to one, or may be there.
fn belongs(rules: &Rules<'_>, key: &str) -> bool {
    let is_point = |key: &str| rules.tiers.iter().any(|tier| tier.glob.fits(key));
    is_point(key)
        || rules.sidecars.iter().filter_map(|suffix| key.strip_suffix(suffix.as_str())).any(is_point)
        || rules.ignore.iter().any(|glob| glob.fits(key))
}

/// How many whole intervals there are in a time.
fn intervals(time: TimeDelta, every: TimeDelta) -> u64 {
    u64::try_from(time.num_seconds() / every.num_seconds().max(1)).unwrap_or(0)
}

fn wanted(tier: &JudgedTier<'_>) -> String {
    format!("{} recovery points, one every {}", tier.keep, shown(tier.every))
}

fn shown(time: TimeDelta) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    human::duration(time.num_seconds().max(0) as f64)
}

#[cfg(test)]
mod tests;
