//! How a store keeps recovery points, for people.

use crate::model::human;
use crate::plan::DrillPlan;
use crate::store::{ArchiveRestore, BucketFacts, FileFacts, LifecycleRule, ObjectFacts};

/// How the store of a plan keeps objects, in one line.
pub(super) fn store(plan: &DrillPlan) -> String {
    match (&plan.bucket, &plan.directory) {
        (Some(facts), _) => bucket(facts),
        (None, Some(facts)) => facts.to_string(),
        (None, None) => "not asked".to_owned(),
    }
}

fn file(facts: &FileFacts) -> [String; 2] {
    let immutable = match facts.immutable.value {
        Some(true) => "immutable".to_owned(),
        Some(false) => "not immutable".to_owned(),
        None => format!("whether it is immutable is {}", facts.immutable.shown(|_| String::new())),
    };
    [facts.access.to_string(), immutable]
}

/// A value, or a dash where there is none.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "—".to_owned(), show)
}

/// How an object is kept, if there is anything to say.
pub(super) fn kept(facts: &ObjectFacts) -> Option<String> {
    let mut parts = Vec::new();
    match facts.archive_restore {
        ArchiveRestore::UnderWay => parts.push("restore from the archive under way".to_owned()),
        ArchiveRestore::ReadableUntil(Some(end)) => {
            parts.push(format!("readable copy until {}", human::moment(end)))
        }
        ArchiveRestore::ReadableUntil(None) => parts.push("readable copy".to_owned()),
        ArchiveRestore::None => {}
    }
    if let Some(lock) = &facts.lock {
        let until = or_dash(lock.retain_until, human::moment);
        parts.push(format!("object lock {} until {until}", human::one_line(&lock.mode, 20)));
    }
    if facts.legal_hold == Some(true) {
        parts.push("legal hold".to_owned());
    }
    if let Some(kind) = &facts.server_side_encryption {
        parts.push(format!("server-side encryption {}", human::one_line(kind, 20)));
    }
    parts.extend(facts.file.iter().flat_map(file));
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn bucket(facts: &BucketFacts) -> String {
    let lock = facts.object_lock.shown(|lock| match (lock.enabled, &lock.mode, lock.days) {
        (false, ..) => "off".to_owned(),
        (true, Some(mode), Some(days)) => format!("{mode} for {days} days"),
        (true, ..) => "on, no default".to_owned(),
    });
    let lifecycle = facts.lifecycle.shown(|rules| match rules.as_slice() {
        [] => "none".to_owned(),
        rules => rules.iter().map(rule).collect::<Vec<_>>().join("; "),
    });
    // Most stores that are not AWS tell nothing: one reason for all of it is enough.
    if let (None, None, None, None, Some(why)) = (
        &facts.versioning.value,
        &facts.object_lock.value,
        &facts.encryption.value,
        &facts.lifecycle.value,
        &facts.versioning.not_known,
    ) {
        return format!("versioning, object lock, encryption and lifecycle not known: {why}");
    }
    format!(
        "versioning {} · object lock {lock} · encryption {} · lifecycle {lifecycle}",
        facts.versioning.shown(|state| state.to_lowercase()),
        facts.encryption.shown(Clone::clone)
    )
}

fn rule(rule: &LifecycleRule) -> String {
    let moves = rule.transitions.iter().map(|transition| {
        format!(
            "{} after {} days",
            transition.storage_class,
            or_dash(transition.after_days, |days| days.to_string())
        )
    });
    let end = rule.expires_after_days.map(|days| format!("deleted after {days} days"));
    format!("{}: {}", rule.id, moves.chain(end).collect::<Vec<_>>().join(", "))
}
