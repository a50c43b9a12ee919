use super::*;
use crate::model::names::ObjectKey;
use crate::model::testing::start;
use crate::model::verdict::CheckStatus;

const FORMAT: &str = "%Y-%m-%d_%H-%M-%S";

fn tier(name: &str, hours: i64, keep: u32) -> JudgedTier<'_> {
    let glob = KeyGlob::timed(&format!("active/{name}/{{timestamp}}.sql.gz"), FORMAT).unwrap();
    let every = TimeDelta::hours(hours);
    JudgedTier { name, glob, every, keep, tolerance: 1, slack: TimeDelta::minutes(30) }
}

fn key(tier: &str, minutes_ago: i64) -> String {
    format!("active/{tier}/{}.sql.gz", (start() - TimeDelta::minutes(minutes_ago)).format(FORMAT))
}

fn put(objects: &mut BTreeMap<String, ObjectMeta>, key: &str, size_bytes: u64, hours_ago: i64) {
    let object = ObjectMeta {
        key: ObjectKey::new(key),
        size_bytes,
        last_modified: Some(start() - TimeDelta::hours(hours_ago)),
        storage_class: "STANDARD".to_owned(),
        etag: None,
    };
    objects.insert(key.to_owned(), object);
}

/// So many of them, one each hour, the newest ten minutes old.
fn hourly(count: i64) -> BTreeMap<String, ObjectMeta> {
    let mut objects = BTreeMap::new();
    for hour in 0..count {
        put(&mut objects, &key("hourly", hour * 60 + 10), 1000, hour);
    }
    objects
}

fn judged(objects: &BTreeMap<String, ObjectMeta>, since: Option<DateTime<Utc>>) -> Outcome {
    let leftovers = [KeyGlob::try_from("**/*.tmp".to_owned()).unwrap()];
    let ignore = [KeyGlob::try_from("**/README".to_owned()).unwrap()];
    let rules = Rules {
        tiers: vec![tier("hourly", 1, 48)],
        since,
        leftovers: &leftovers,
        leftover_age: TimeDelta::days(1),
        sidecars: &[".sha256".to_owned()],
        ignore: &ignore,
        shrunk_below: 0.5,
    };
    judge(&rules, objects, start())
}

fn codes(outcome: &Outcome) -> Vec<(&str, Severity)> {
    outcome.findings.iter().map(|finding| (finding.code.as_str(), finding.severity)).collect()
}

#[test]
fn a_steady_tier_holds_with_one_more_or_less() {
    for count in 47..=49 {
        let outcome = judged(&hourly(count), None);
        assert_eq!((outcome.status, codes(&outcome)), (CheckStatus::Pass, vec![]), "{count}");
        assert_eq!(outcome.rows_verified, 0, "files are no rows");
        assert_eq!(outcome.summary, format!("recovery points: hourly {count} of 48"));
    }
    assert_eq!(codes(&judged(&hourly(60), None)), [("tier_too_many", Severity::Warning)]);
}

#[test]
fn a_young_tier_is_not_bad_unless_it_is_known_when_it_began() {
    let young = hourly(5);
    let outcome = judged(&young, None);
    assert_eq!(
        (outcome.status, codes(&outcome)),
        (CheckStatus::Pass, vec![("tier_young", Severity::Warning)])
    );
    let began = |hours| Some(start() - TimeDelta::hours(hours));
    assert_eq!(codes(&judged(&young, began(5))), [("tier_young", Severity::Warning)]);
    let outcome = judged(&young, began(90));
    assert_eq!(
        (outcome.status, codes(&outcome)),
        (CheckStatus::Fail, vec![("tier_too_few", Severity::Error)])
    );
    // None at all is bad, unless there cannot be one yet.
    let outcome = judged(&BTreeMap::new(), None);
    assert_eq!(
        (outcome.status, codes(&outcome)),
        (CheckStatus::Fail, vec![("tier_too_few", Severity::Error)])
    );
    let outcome = judged(&BTreeMap::new(), began(1));
    assert_eq!(
        (outcome.status, codes(&outcome)),
        (CheckStatus::Skipped, vec![("tier_young", Severity::Warning)])
    );
}

#[test]
fn what_is_missing_between_others_is_named() {
    let mut objects = hourly(48);
    objects.remove(&key("hourly", 130));
    let outcome = judged(&objects, None);
    assert_eq!((outcome.status, codes(&outcome)), (CheckStatus::Pass, vec![("tier_gap", Severity::Warning)]));
    assert_eq!(outcome.findings[0].actual, "1 is missing, about 2026-05-17 06:21:11Z");
    for hour in 3..20 {
        objects.remove(&key("hourly", hour * 60 + 10));
    }
    let outcome = judged(&objects, None);
    assert_eq!(codes(&outcome), [("tier_too_few", Severity::Error), ("tier_gap", Severity::Error)]);
    let gap = &outcome.findings[1].actual;
    assert!(
        gap.starts_with("18 are missing, about 2026-05-16 13:21:11Z, ") && gap.ends_with(" and 6 more"),
        "{gap}"
    );
}

#[test]
fn a_backup_that_is_made_a_second_time_in_an_hour_leaves_no_gap() {
    let mut objects = hourly(47);
    put(&mut objects, &key("hourly", 200), 1000, 3);
    assert_eq!(codes(&judged(&objects, None)), []);
}

#[test]
fn backups_that_have_stopped_are_found_although_one_is_of_the_future() {
    let mut objects = BTreeMap::new();
    for hour in 2..50 {
        put(&mut objects, &key("hourly", hour * 60), 1000, hour);
    }
    put(&mut objects, &key("hourly", -600), 1000, 1);
    let outcome = judged(&objects, None);
    assert_eq!(codes(&outcome), [("stray_object", Severity::Warning), ("tier_stale", Severity::Error)]);
    assert_eq!(outcome.findings[1].actual, "the newest is of 2026-05-17 06:31:11Z, 2h ago");
}

#[test]
fn what_is_empty_is_no_recovery_point_and_what_is_small_is_reported() {
    let mut objects = hourly(48);
    put(&mut objects, &key("hourly", 10), 400, 0);
    assert_eq!(codes(&judged(&objects, None)), [("tier_shrunk", Severity::Warning)]);
    put(&mut objects, &key("hourly", 10), 0, 0);
    let outcome = judged(&objects, None);
    assert_eq!(
        (outcome.status, codes(&outcome)),
        (CheckStatus::Fail, vec![("tier_empty_object", Severity::Error)])
    );
}

#[test]
fn what_lies_among_them_is_named_and_what_belongs_there_is_not() {
    let mut objects = hourly(48);
    for (name, hours_ago) in [
        ("active/hourly/*.sql.gz", 1),
        ("active/hourly/notes.txt", 1),
        ("active/hourly/2026-02-30_00-00-00.sql.gz", 1),
        ("active/hourly/README", 1),
        ("active/hourly/dump.tmp", 1),
        ("staging/dump.tmp", 30),
        ("elsewhere/notes.txt", 1),
    ] {
        put(&mut objects, name, 1, hours_ago);
    }
    put(&mut objects, &format!("{}.sha256", key("hourly", 10)), 80, 1);
    let outcome = judged(&objects, None);
    let found: Vec<(&str, &str)> =
        outcome.findings.iter().map(|finding| (finding.code.as_str(), &*finding.subject)).collect();
    assert_eq!(
        found,
        [
            ("leftover_temporary", "staging/dump.tmp"),
            ("stray_object", "active/hourly/*.sql.gz"),
            ("stray_object", "active/hourly/2026-02-30_00-00-00.sql.gz"),
            ("stray_object", "active/hourly/notes.txt"),
        ]
    );
    assert!(outcome.findings[1].actual.contains("did not expand"), "{outcome:?}");
    assert_eq!(outcome.status, CheckStatus::Pass);
    for number in 0..50 {
        put(&mut objects, &format!("active/hourly/x{number:02}"), 1, 1);
    }
    let outcome = judged(&objects, None);
    assert_eq!(outcome.findings_total, 22, "a finding stands for the rest");
    assert!(outcome.findings.last().unwrap().actual.ends_with(" and 30 more"), "{outcome:?}");
}
