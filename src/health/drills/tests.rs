use super::*;
use crate::evidence::put_verdict;
use crate::model::testing::passing;
use crate::model::verdict::{StoreRecord, Verdict};
use crate::template::testing::template;

fn now() -> DateTime<Utc> {
    "2026-05-17T08:31:11Z".parse().unwrap()
}

/// What a verdict of this text, of a drill that began a day ago, is taken for.
fn seen(name: &str, text: &str) -> Vec<String> {
    let reports = tempfile::tempdir().unwrap();
    put_verdict(reports.path(), name, text);
    let drills = drills(reports.path(), &template(), Duration::from_secs(3600), now());
    assert_eq!(drills.last, None);
    drills.broken_off.into_iter().map(|drill| drill.why).collect()
}

fn running(owner: &str) -> String {
    let mut verdict = Verdict { status: Status::Running, finished_at: None, ..passing() };
    verdict.runner.owner = owner.to_owned();
    serde_json::to_string(&verdict).unwrap()
}

/// A drill of the template of this name that passed.
fn passed(template: &str) -> Verdict {
    let finished_at = Some("2026-05-17T00:00:00Z".parse().unwrap());
    Verdict { status: Status::Pass, template: template.to_owned(), finished_at, ..passing() }
}

const DAY_AGO: &str = "20260516T083111Z.json";

#[test]
fn a_drill_whose_process_is_dead_broke_off_and_one_that_lives_did_not() {
    let this = Owner::this_process().to_string();
    let dead = format!("{}:1", this.rsplit_once(':').unwrap().0);
    let says = "its verdict says RUNNING, and it runs no more";
    assert_eq!(seen(DAY_AGO, &running(&this)), [""; 0]);
    assert_eq!(seen(DAY_AGO, &running(&dead)), [says]);
    // On another machine, or by an earlier version: it has had all its time.
    assert_eq!(seen(DAY_AGO, &running("elsewhere:boot/1:2:3")), [says]);
    assert_eq!(seen(DAY_AGO, &running("")), [says]);
    assert_eq!(seen("20260517T080000Z.json", &running("")), [""; 0], "it may run yet");
}

#[test]
fn a_verdict_that_cannot_be_read_is_a_finding_and_files_of_others_are_none() {
    assert_eq!(seen(DAY_AGO, ""), ["its verdict is empty"]);
    assert_eq!(seen(DAY_AGO, r#"{"template": "shop", "st"#), ["its verdict is cut off"]);
    assert_eq!(seen(DAY_AGO, "\0\0\0\0"), ["its verdict is no JSON"]);
    assert_eq!(seen("20260517T083110Z.json", ""), [""; 0], "it has just begun");
    assert_eq!(seen(DAY_AGO, r#"{"another": "document"}"#), [""; 0]);
    assert_eq!(
        seen(DAY_AGO, &running("").replace("\"template\":\"shop\"", "\"template\":\"another\"")),
        [""; 0]
    );
    assert_eq!(seen("notes.json", ""), [""; 0]);
}

#[test]
fn a_failure_that_a_later_version_recorded_is_a_failure() {
    let reports = tempfile::tempdir().unwrap();
    let mut verdict = passed("shop");
    verdict.status = Status::Fail;
    let known = serde_json::to_string(&verdict).unwrap();
    let mut of_later: serde_json::Value = serde_json::from_str(&known).unwrap();
    of_later["stack"]["tuning"] = "odd".into();
    put_verdict(reports.path(), DAY_AGO, &of_later.to_string());
    let read = |reports: &Path| drills(reports, &template(), Duration::from_secs(3600), now());
    let failed = read(reports.path()).failed.unwrap();
    assert!(failed.status == Status::Fail && !failed.left_out.is_empty(), "{failed:?}");
    // A status that is not known is no verdict, and another store's is no business of this one.
    put_verdict(reports.path(), DAY_AGO, &known.replace("\"FAIL\"", "\"FAILED_SOFTLY\""));
    let unknown = read(reports.path());
    assert_eq!((unknown.failed, unknown.broken_off.len()), (None, 1));
    verdict.plan.store = Some(StoreRecord { url: "s3://another".to_owned(), endpoint: None });
    let elsewhere = serde_json::to_string(&verdict).unwrap().replace("\"FAIL\"", "\"FAILED_SOFTLY\"");
    put_verdict(reports.path(), DAY_AGO, &elsewhere);
    assert_eq!(read(reports.path()).broken_off, []);
}

#[test]
fn no_more_verdicts_are_opened_than_are_needed_and_never_too_many() {
    let reports = tempfile::tempdir().unwrap();
    let ended = |template: &str| serde_json::to_string(&passed(template)).unwrap();
    for number in 0..VERDICTS {
        put_verdict(reports.path(), &format!("20260517T{number:06}Z.json"), &ended("another"));
    }
    put_verdict(reports.path(), "20260516T000000Z.json", &ended("shop"));
    let read = |reports: &Path| drills(reports, &template(), Duration::from_secs(3600), now());
    let far = read(reports.path());
    assert_eq!((far.passed, far.more), (None, true));
    put_verdict(reports.path(), "20260518T000000Z.json", &ended("shop"));
    assert!(read(reports.path()).passed.is_some());
}

#[test]
fn a_drill_of_another_store_proves_nothing() {
    let counts = |store: Option<(&str, Option<&str>)>| {
        let reports = tempfile::tempdir().unwrap();
        let mut verdict = passed("shop");
        verdict.plan.store = store.map(|(url, endpoint)| StoreRecord {
            url: url.to_owned(),
            endpoint: endpoint.map(str::to_owned),
        });
        put_verdict(reports.path(), DAY_AGO, &serde_json::to_string(&verdict).unwrap());
        drills(reports.path(), &template(), Duration::from_secs(3600), now()).passed.is_some()
    };
    assert!(counts(Some(("s3://backups", None))));
    assert!(!counts(Some(("s3://backups/staging", None))));
    assert!(!counts(Some(("s3://backups", Some("https://h")))));
    assert!(counts(None), "it does not say");
}

#[test]
fn a_verdict_of_a_version_that_is_not_known_is_told() {
    let later = running("").replace("RUNNING", "RESTING");
    let seen = seen(DAY_AGO, &later);
    assert!(
        seen[0].starts_with("its verdict is of a version that this one cannot read: status: unknown"),
        "{seen:?}"
    );
}
