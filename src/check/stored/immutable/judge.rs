//! Whether objects are kept so that nobody can change them. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CLAIM_UNREADABLE, IMMUTABILITY_CLAIMED_NOT_HELD, IMMUTABILITY_NOT_CHECKED, IMMUTABLE_NOT_ENFORCED,
    LOCK_TOO_SHORT, NOT_IMMUTABLE,
};
use crate::check::findings::{Findings, Outcome, Verified};
use crate::check::stored::reading::file_name;
use crate::model::human;
use crate::model::names::ObjectKey;
use crate::model::verdict::{Finding, Severity, finding};
use crate::store::{FileFacts, ObjectFacts};

/// What is expected of each.
const EXPECTED: &str = "an object that nobody can change or remove";

/// An object, as it was looked at.
#[derive(Debug)]
pub struct Object {
    pub key: ObjectKey,
    pub written: Option<DateTime<Utc>>,
    pub kept: Kept,
    pub claim: Claim,
}

/// How it is kept.
#[derive(Debug)]
pub enum Kept {
    /// It was removed after it was listed.
    Gone,
    /// So; and whether it could be opened to append to it, if that was tried.
    As(Box<ObjectFacts>, Option<bool>),
}

/// What is said of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing, or that it is not immutable.
    None,
    /// That it is, in this file.
    Made(ObjectKey),
    /// The file does not say it, for this reason.
    Unreadable(ObjectKey, String),
}

/// Judges what was looked at; `missing` are recovery points that are not listed, `unasked` is how many objects were not asked about.
pub fn judge(
    objects: &[Object],
    missing: &[ObjectKey],
    unasked: usize,
    needed: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Outcome {
    let mut findings = Findings::default();
    let (mut judged, mut held) = (0u64, 0u64);
    for key in missing {
        findings.push(finding(
            Severity::Error,
            NOT_IMMUTABLE,
            key,
            EXPECTED,
            "it was removed since the plan",
        ));
    }
    for Object { key, written, kept, claim } in objects {
        let Kept::As(facts, opened) = kept else { continue };
        judged += 1;
        let lacking = lacking(facts, now);
        held += u64::from(lacking.is_none());
        if let Some(lacking) = &lacking {
            findings.push(finding(Severity::Error, NOT_IMMUTABLE, key, EXPECTED, lacking.as_str()));
        }
        if *opened == Some(true) {
            let actual = "its attribute `i` is set, and it could be opened for writing (nothing was written)";
            findings.push(finding(Severity::Error, IMMUTABLE_NOT_ENFORCED, key, EXPECTED, actual));
        }
        if lacking.is_none() {
            findings.extend(needed.and_then(|needed| too_short(key, facts, *written, needed)));
        }
        match claim {
            Claim::Made(file) if lacking.is_some() => {
                let name = human::one_line(file_name(file.as_str()), 200);
                let actual = format!("{name} says `immutable`, and it is not");
                let expected = "immutable, as is claimed";
                findings.push(finding(Severity::Error, IMMUTABILITY_CLAIMED_NOT_HELD, key, expected, actual));
            }
            Claim::Unreadable(file, why) => {
                let actual = format!("{} {why}", human::one_line(file_name(file.as_str()), 200));
                let expected = "a file that says whether it is immutable";
                findings.push(finding(Severity::Warning, CLAIM_UNREADABLE, key, expected, actual));
            }
            Claim::Made(_) | Claim::None => {}
        }
    }
    if unasked > 0 {
        let (unasked, total) = (unasked as u64, (unasked + objects.len()) as u64);
        let actual = format!("{} of {} were not asked about", human::count(unasked), human::count(total));
        findings.push(finding(Severity::Warning, IMMUTABILITY_NOT_CHECKED, "objects", "all objects", actual));
    }
    let summary = format!("{held} of {} cannot be changed", human::things(judged, "object"));
    findings.into_outcome(Verified::things(judged, 0).besides(unasked as u64), summary)
}

/// What an object lacks, if it can be changed.
fn lacking(facts: &ObjectFacts, now: DateTime<Utc>) -> Option<String> {
    if let Some(file) = &facts.file {
        return lacking_file(file);
    }
    if facts.legal_hold == Some(true) {
        return None;
    }
    match &facts.lock {
        None => Some("no lock and no legal hold is seen on it".to_owned()),
        Some(lock) => match lock.retain_until {
            Some(until) if until > now => None,
            Some(until) => Some(format!("its lock ended at {}", human::moment(until))),
            None => Some("its lock has no end that the store reports".to_owned()),
        },
    }
}

fn lacking_file(file: &FileFacts) -> Option<String> {
    match (file.immutable.value, &file.immutable.not_known) {
        (Some(true), _) => None,
        (Some(false), _) => {
            let mode = &file.access.mode;
            let is_read_only = u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o222 == 0);
            Some(if is_read_only {
                format!(
                    "its attribute `i` is not set; its permissions {mode} make it read-only, not immutable"
                )
            } else {
                format!("its attribute `i` is not set, and its permissions are {mode}")
            })
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or("the system does not say");
            Some(format!("whether its attribute `i` is set is not known: {why}"))
        }
    }
}

/// A lock that ends too early after the object was written.
fn too_short(
    key: &ObjectKey,
    facts: &ObjectFacts,
    written: Option<DateTime<Utc>>,
    needed: TimeDelta,
) -> Option<Finding> {
    if facts.legal_hold == Some(true) {
        return None;
    }
    let (until, written) = (facts.lock.as_ref()?.retain_until?, written?);
    let lasts = until - written;
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    let shown = |time: TimeDelta| human::duration(time.num_seconds() as f64);
    // Stores count in whole days or seconds.
    (lasts + TimeDelta::minutes(1) < needed).then(|| {
        let actual = format!("locked until {}, {} after it was written", human::moment(until), shown(lasts));
        let expected = format!("a lock of {}, for min_retention", shown(needed));
        finding(Severity::Error, LOCK_TOO_SHORT, key, expected, actual)
    })
}

#[cfg(test)]
mod tests;
