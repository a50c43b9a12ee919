//! Judging how a store keeps recovery points. Facts are shown; what the template demands is judged. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{code, directory, finding};
use crate::model::codes;
use crate::model::human;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::store::{self, ArchiveRestore, BucketFacts, Fact, LifecycleRule, ObjectFacts};
use crate::template::{self, RecoverySetRules};

/// A recovery point that cannot be read now, and how it could be.
pub fn archived(
    point: &RecoveryPoint,
    facts: &ObjectFacts,
    settings: &template::Store,
    now: DateTime<Utc>,
) -> Option<Finding> {
    if facts.readable(now) {
        return None;
    }
    let class = match &facts.archive_status {
        Some(status) => format!("{} ({status})", facts.storage_class),
        None => facts.storage_class.clone(),
    };
    let actual = match facts.archive_restore {
        ArchiveRestore::UnderWay => {
            format!("{} is in {class}; its restore was requested and is under way", point.key)
        }
        ArchiveRestore::None | ArchiveRestore::ReadableUntil(_) => {
            let command = store::restore_command(settings, &point.key, facts);
            let command = command.map(|command| format!("{command}, or ")).unwrap_or_default();
            format!(
                "{} is in {class} and cannot be read now. To make it readable: {command}this command with --request-restore",
                point.key
            )
        }
    };
    Some(finding(
        Severity::Error,
        codes::OBJECT_ARCHIVED,
        &point.database,
        "an object that can be read",
        actual,
    ))
}

/// What the template demands of each recovery point.
pub fn lock_of_point(
    point: &RecoveryPoint,
    facts: &Fact<ObjectFacts>,
    rules: &RecoverySetRules,
    now: DateTime<Utc>,
) -> Option<Finding> {
    if !rules.require_object_lock {
        return None;
    }
    let expected = "an object lock, for recovery_set.require_object_lock";
    let Some(facts) = &facts.value else {
        return Some(not_known("object lock", &point.database, expected, facts));
    };
    let error = |code, expected: String, actual| {
        Some(finding(Severity::Error, code, &point.database, expected, actual))
    };
    if let Some(file) = &facts.file {
        return directory::immutable(point, file);
    }
    if facts.legal_hold == Some(true) {
        // It has no end.
        return None;
    }
    let Some(lock) = &facts.lock else {
        return error(
            code::storage::OBJECT_LOCK_MISSING,
            expected.to_owned(),
            format!("no lock is seen on {} (seeing one needs s3:GetObjectRetention)", point.key),
        );
    };
    let until = lock.retain_until?;
    if until <= now {
        let actual = format!("the lock on {} ended at {}", point.key, human::moment(until));
        return error(code::storage::OBJECT_LOCK_MISSING, expected.to_owned(), actual);
    }
    let needed = rules.min_retention?;
    let kept = (until - point.taken_at).to_std().unwrap_or(Duration::ZERO);
    if kept >= needed {
        return None;
    }
    error(
        code::storage::RETENTION_TOO_SHORT,
        format!("kept for {}, for recovery_set.min_retention", human::duration(needed.as_secs_f64())),
        format!("{} is locked until {} only", point.key, human::moment(until)),
    )
}

/// What the template demands of the bucket. Keys of recovery points begin with one of these prefixes.
pub fn bucket(
    facts: &BucketFacts,
    rules: &RecoverySetRules,
    prefixes: &[String],
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if rules.require_versioning {
        let expected = "versioning, for recovery_set.require_versioning";
        match &facts.versioning.value {
            None => findings.push(not_known("versioning", "bucket", expected, &facts.versioning)),
            Some(state) if state != "Enabled" => findings.push(finding(
                Severity::Error,
                code::storage::VERSIONING_MISSING,
                "bucket",
                expected,
                format!("versioning is {}", human::one_line(state, 20).to_lowercase()),
            )),
            Some(_) => {}
        }
    }
    if let Some(needed) = rules.min_retention {
        let expected =
            format!("kept for {}, for recovery_set.min_retention", human::duration(needed.as_secs_f64()));
        match &facts.lifecycle.value {
            None => findings.push(not_known("lifecycle", "bucket", &expected, &facts.lifecycle)),
            Some(lifecycle) => {
                let of_points =
                    lifecycle.iter().filter(|rule| prefixes.iter().any(|prefix| meet(&rule.prefix, prefix)));
                findings.extend(of_points.filter_map(|rule| {
                    let when = too_early(rule, needed, now)?;
                    // Which of them have such a tag or size is not known.
                    let (severity, which) = if rule.narrowed {
                        (Severity::Warning, "some of them")
                    } else {
                        (Severity::Error, "them")
                    };
                    let actual = format!(
                        "the lifecycle rule {} deletes {which} {when}",
                        human::one_line(&rule.id, 80)
                    );
                    Some(finding(
                        severity,
                        code::storage::RETENTION_TOO_SHORT,
                        "bucket",
                        expected.clone(),
                        actual,
                    ))
                }));
            }
        }
    }
    findings
}

/// When a rule deletes what was made just now, if that is too early.
fn too_early(rule: &LifecycleRule, needed: Duration, now: DateTime<Utc>) -> Option<String> {
    if let Some(days) = rule.expires_after_days {
        return (Duration::from_secs(u64::from(days) * 86_400) < needed)
            .then(|| format!("after {days} days"));
    }
    let on = rule.expires_on?;
    let left = (on - now).to_std().unwrap_or(Duration::ZERO);
    (left < needed).then(|| format!("on {}", on.format("%Y-%m-%d")))
}

/// Whether some key may begin with both.
fn meet(a: &str, b: &str) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// What is demanded and cannot be seen is not there, as far as the plan can see.
fn not_known<T>(what: &str, subject: impl ToString, expected: &str, fact: &Fact<T>) -> Finding {
    let why = fact.not_known.as_deref().unwrap_or("the store did not report it");
    finding(
        Severity::Error,
        code::storage::STORAGE_FACT_NOT_KNOWN,
        subject,
        expected,
        format!("{what} is not known: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{point, start};
    use crate::store::ObjectLock;

    fn locked(days: i64) -> Fact<ObjectFacts> {
        let retain_until = Some(start() + chrono::TimeDelta::days(days));
        let lock = Some(ObjectLock { mode: "COMPLIANCE".to_owned(), retain_until });
        Fact::known(ObjectFacts { storage_class: "STANDARD".to_owned(), lock, ..ObjectFacts::default() })
    }

    fn demanding() -> RecoverySetRules {
        RecoverySetRules {
            require_object_lock: true,
            require_versioning: true,
            min_retention: Some(Duration::from_secs(30 * 86_400)),
            ..RecoverySetRules::default()
        }
    }

    fn code(finding: Option<Finding>) -> Option<&'static str> {
        finding.map(|finding| finding.code.as_str())
    }

    #[test]
    fn an_archived_point_is_told_with_the_request_that_makes_it_readable() {
        let mut facts = ObjectFacts { storage_class: "DEEP_ARCHIVE".to_owned(), ..ObjectFacts::default() };
        let finding =
            archived(&point("a", 5, 1), &facts, &template::testing::template().store, start()).unwrap();
        assert_eq!((finding.code.as_str(), finding.severity), ("object_archived", Severity::Error));
        assert!(
            finding
                .actual
                .contains("aws s3api restore-object --bucket backups --key a_20260517T033111Z.dump.age"),
            "{}",
            finding.actual
        );
        // There, S3 refuses a number of days.
        let tiered = ObjectFacts {
            storage_class: "INTELLIGENT_TIERING".to_owned(),
            archive_status: Some("ARCHIVE_ACCESS".to_owned()),
            ..ObjectFacts::default()
        };
        let finding =
            archived(&point("a", 5, 1), &tiered, &template::testing::template().store, start()).unwrap();
        assert!(
            finding.actual.contains("restore-object") && !finding.actual.contains("Days"),
            "{}",
            finding.actual
        );
        facts.archive_restore = ArchiveRestore::UnderWay;
        let finding =
            archived(&point("a", 5, 1), &facts, &template::testing::template().store, start()).unwrap();
        assert!(
            finding.actual.contains("under way") && !finding.actual.contains("aws"),
            "{}",
            finding.actual
        );
        facts.archive_restore = ArchiveRestore::ReadableUntil(Some(start() + chrono::TimeDelta::days(1)));
        assert_eq!(archived(&point("a", 5, 1), &facts, &template::testing::template().store, start()), None);
    }

    #[test]
    fn a_lock_is_judged_only_where_it_is_demanded() {
        let unlocked = Fact::known(ObjectFacts::default());
        let judged =
            |facts: &Fact<ObjectFacts>| code(lock_of_point(&point("a", 5, 1), facts, &demanding(), start()));
        assert_eq!(judged(&unlocked), Some("object_lock_missing"));
        assert_eq!(judged(&Fact::unknown("access denied")), Some("storage_fact_not_known"));
        assert_eq!(judged(&locked(40)), None);
        assert_eq!(judged(&locked(20)), Some("retention_too_short"));
        let held = Fact::known(ObjectFacts { legal_hold: Some(true), ..ObjectFacts::default() });
        assert_eq!(judged(&held), None, "a legal hold has no end");
        assert_eq!(judged(&locked(-1)), Some("object_lock_missing"), "a lock that ended protects nothing");
        let mut both = locked(20);
        both.value.as_mut().unwrap().legal_hold = Some(true);
        assert_eq!(judged(&both), None);
        let easy = RecoverySetRules::default();
        assert_eq!(lock_of_point(&point("a", 5, 1), &unlocked, &easy, start()), None);
        assert_eq!(lock_of_point(&point("a", 5, 1), &Fact::unknown("x"), &easy, start()), None);
    }

    #[test]
    fn a_bucket_is_judged_only_by_what_is_demanded() {
        let rule = |prefix: &str, days| LifecycleRule {
            id: "tidy".to_owned(),
            prefix: prefix.to_owned(),
            expires_after_days: days,
            ..LifecycleRule::default()
        };
        let facts = |versioning: &str, rules: Vec<LifecycleRule>| BucketFacts {
            versioning: Fact::known(versioning.to_owned()),
            lifecycle: Fact::known(rules),
            ..BucketFacts::default()
        };
        let codes = |facts: &BucketFacts, rules: &RecoverySetRules| -> Vec<&str> {
            let prefixes = ["nightly/acp_a_".to_owned(), "nightly/acp_b_".to_owned()];
            bucket(facts, rules, &prefixes, start())
                .into_iter()
                .map(|finding| finding.code.as_str())
                .collect()
        };
        let on = |days| LifecycleRule {
            expires_on: Some(start() + chrono::TimeDelta::days(days)),
            ..rule("nightly/", None)
        };
        let good = facts(
            "Enabled",
            vec![
                rule("nightly/", Some(90)),
                rule("logs/", Some(1)),
                rule("nightly/receipts/", Some(1)),
                rule("", None),
                on(31),
            ],
        );
        assert!(codes(&good, &demanding()).is_empty());
        let bad = facts("Suspended", vec![rule("", Some(7)), rule("nightly/acp_", Some(29))]);
        assert_eq!(
            codes(&bad, &demanding()),
            ["versioning_missing", "retention_too_short", "retention_too_short"]
        );
        assert!(codes(&bad, &RecoverySetRules::default()).is_empty(), "nothing is demanded");
        assert_eq!(codes(&facts("Enabled", vec![on(29), on(-1)]), &demanding()), ["retention_too_short"; 2]);
        let narrowed = facts("Enabled", vec![LifecycleRule { narrowed: true, ..rule("", Some(7)) }]);
        let findings = bucket(&narrowed, &demanding(), &["nightly/acp_a_".to_owned()], start());
        assert_eq!(
            (findings[0].code.as_str(), findings[0].severity),
            ("retention_too_short", Severity::Warning)
        );
        let silent = BucketFacts::default();
        assert_eq!(codes(&silent, &demanding()), ["storage_fact_not_known", "storage_fact_not_known"]);
        assert!(codes(&silent, &RecoverySetRules::default()).is_empty());
    }
}
