use super::*;
use crate::model::testing::start;
use crate::model::verdict::CheckStatus;
use crate::store::{Access, Fact, ObjectLock};

fn file(immutable: Fact<bool>, mode: &str) -> ObjectFacts {
    let access = Access {
        owner: 0,
        group: 0,
        mode: mode.to_owned(),
        others_read: Fact::known(false),
        others_write: Fact::known(false),
    };
    ObjectFacts { file: Some(FileFacts { access, immutable }), ..ObjectFacts::default() }
}

fn locked(days: i64) -> ObjectFacts {
    let retain_until = Some(start() + TimeDelta::days(days));
    ObjectFacts {
        lock: Some(ObjectLock { mode: "COMPLIANCE".to_owned(), retain_until }),
        ..ObjectFacts::default()
    }
}

fn object(facts: ObjectFacts, opened: Option<bool>, claim: Claim) -> Object {
    Object {
        key: ObjectKey::new("a.gz"),
        written: Some(start()),
        kept: Kept::As(facts.into(), opened),
        claim,
    }
}

fn judged(objects: &[Object]) -> (CheckStatus, Vec<(String, String)>) {
    let outcome = judge(objects, &[], 0, Some(TimeDelta::days(30)), start());
    let findings = outcome.findings.into_iter().map(|found| (found.code.as_str().to_owned(), found.actual));
    (outcome.status, findings.collect())
}

fn one(facts: ObjectFacts) -> Option<(String, String)> {
    judged(&[object(facts, None, Claim::None)]).1.into_iter().next()
}

#[test]
fn a_file_is_immutable_by_its_attribute_alone() {
    assert_eq!(one(file(Fact::known(true), "0644")), None);
    let said = |facts| one(facts).unwrap();
    assert_eq!(said(file(Fact::known(false), "0644")).0, "not_immutable");
    for mode in ["0400", "0444"] {
        let (code, actual) = said(file(Fact::known(false), mode));
        assert_eq!(code, "not_immutable");
        assert!(actual.contains(&format!("permissions {mode} make it read-only, not immutable")), "{actual}");
    }
    let (code, actual) = said(file(Fact::unknown("its file system has no such attribute"), "0400"));
    assert_eq!(code, "not_immutable");
    assert!(actual.ends_with("is not known: its file system has no such attribute"), "{actual}");
}

#[test]
fn an_object_is_immutable_while_its_lock_or_its_hold_is_in_force() {
    assert_eq!(one(locked(40)), None);
    assert_eq!(one(locked(30)), None);
    let (code, actual) = one(locked(3)).unwrap();
    assert_eq!(
        (&*code, &*actual),
        ("lock_too_short", "locked until 2026-05-20 08:31:11Z, 3d after it was written")
    );
    assert_eq!(one(locked(-1)).unwrap().1, "its lock ended at 2026-05-16 08:31:11Z");
    assert_eq!(one(ObjectFacts::default()).unwrap().0, "not_immutable");
    for facts in [locked(3), ObjectFacts::default()] {
        assert_eq!(one(ObjectFacts { legal_hold: Some(true), ..facts }), None, "a hold has no end");
    }
}

#[test]
fn a_claim_is_held_against_what_is() {
    let claim = || Claim::Made(ObjectKey::new("a.gz.manifest.json"));
    let codes = |objects: &[Object]| judged(objects).1.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(&[object(file(Fact::known(true), "0400"), Some(false), claim())]), [""; 0]);
    assert_eq!(
        codes(&[object(file(Fact::known(false), "0400"), None, claim())]),
        ["not_immutable", "immutability_claimed_not_held"]
    );
    let unreadable = Claim::Unreadable(ObjectKey::new("a.gz.manifest.json"), "is not there".to_owned());
    let (status, found) = judged(&[object(file(Fact::known(true), "0400"), None, unreadable)]);
    assert_eq!((status, &*found[0].1), (CheckStatus::Pass, "a.gz.manifest.json is not there"));
}

#[test]
fn an_attribute_that_is_not_heeded_is_an_error() {
    let (status, found) = judged(&[object(file(Fact::known(true), "0400"), Some(true), Claim::None)]);
    assert_eq!((status, &*found[0].0), (CheckStatus::Fail, "immutable_not_enforced"));
}

#[test]
fn nothing_looked_at_is_never_a_pass() {
    assert_eq!(judge(&[], &[], 0, None, start()).status, CheckStatus::Skipped);
    let gone = Object { kept: Kept::Gone, ..object(locked(40), None, Claim::None) };
    assert_eq!(judge(&[gone], &[], 0, None, start()).status, CheckStatus::Skipped);
    assert_eq!(judge(&[], &[ObjectKey::new("a")], 0, None, start()).status, CheckStatus::Fail);
    let outcome = judge(&[object(locked(40), None, Claim::None)], &[], 5, None, start());
    assert_eq!(
        (outcome.status, &*outcome.findings[0].actual),
        (CheckStatus::Pass, "5 of 6 were not asked about")
    );
    assert_eq!(outcome.summary, "1 of 1 object cannot be changed");
}
