use super::*;
use crate::model::testing::start;
use crate::model::verdict::CheckStatus;

const FORMAT: &str = "%Y-%m-%d_%H-%M-%S";

fn tiers() -> [JudgedTier<'static>; 2] {
    [("hourly", 2), ("daily", 7)].map(|(name, days)| JudgedTier {
        name,
        glob: KeyGlob::timed(&format!("active/{name}/{{timestamp}}.gz"), FORMAT).unwrap(),
        keep_for: Some(TimeDelta::days(days)),
    })
}

fn file(hours_ago: i64) -> String {
    format!("{}.gz", (start() - TimeDelta::hours(hours_ago)).format(FORMAT))
}

fn existing(tier: usize, hours_ago: i64) -> Existing {
    let key = format!("active/{}/{}", tiers()[tier].name, file(hours_ago));
    let hashes = vec![("its content".to_owned(), "aa".to_owned())];
    Existing { shown: ObjectKey::new(key.as_str()), key, tier, is_recent: false, hashes }
}

fn created(kind: &str, hours_ago: i64) -> String {
    let (file, at) = (file(hours_ago), (start() - TimeDelta::hours(hours_ago)).to_rfc3339());
    format!(
        r#"{{"event":"backup_created","timestamp":"{at}","manifest":{{"filename":"{file}","type":"{kind}","sha256":"aa"}}}}"#
    )
}

fn removed(kind: &str, made_hours_ago: i64, hours_ago: i64) -> String {
    let (file, at) = (file(made_hours_ago), (start() - TimeDelta::hours(hours_ago)).to_rfc3339());
    format!(r#"{{"event":"backup_removed","timestamp":"{at}","filename":"{file}","type":"{kind}"}}"#)
}

fn failed(kind: &str, hours_ago: i64) -> String {
    let at = (start() - TimeDelta::hours(hours_ago)).to_rfc3339();
    format!(r#"{{"event":"backup_failed","timestamp":"{at}","backup_type":"{kind}","error":"secret"}}"#)
}

fn outcome(files: &[Existing], lines: &[String]) -> Outcome {
    let (tiers, fields, place) = (tiers(), Fields::default(), Place::default());
    let slack = TimeDelta::minutes(5);
    let rules = Rules { tiers: &tiers, fields: &fields, slack, listed_at: start(), place: &place };
    let mut fold = HistoryFold::new(&rules, files);
    for (number, line) in lines.iter().enumerate() {
        fold.push(number as u64 + 1, Some(line.as_bytes()));
    }
    fold.finish(&ObjectKey::new("log"))
}

fn found(files: &[Existing], lines: &[String]) -> Vec<(String, String, String)> {
    let findings = outcome(files, lines).findings.into_iter();
    findings.map(|found| (found.code.as_str().to_owned(), found.subject, found.actual)).collect()
}

fn codes(files: &[Existing], lines: &[String]) -> Vec<String> {
    found(files, lines).into_iter().map(|(code, ..)| code).collect()
}

#[test]
fn a_log_that_agrees_holds() {
    // At midnight files of two types have one name.
    let files = [existing(0, 1), existing(0, 2), existing(1, 2)];
    let lines = [
        created("hourly", 90),
        failed("hourly", 3),
        created("hourly", 2),
        created("daily", 2),
        created("hourly", 1),
        removed("hourly", 90, 40),
        r#"{"event":"something else"}"#.to_owned(),
    ];
    let outcome = outcome(&files, &lines);
    assert_eq!((outcome.status, outcome.findings.len()), (CheckStatus::Pass, 0), "{outcome:?}");
    assert_eq!(
        outcome.summary,
        "3 files, 3 as logged, 3 with a checksum to compare; 1 gone, 0 of these without a trace"
    );
    assert_eq!(outcome.rows_verified, 0);
}

#[test]
fn what_was_never_logged_or_logged_otherwise_is_an_error_with_its_key() {
    let mut recent = existing(0, 0);
    recent.is_recent = true;
    let other = Existing { hashes: vec![("its content".to_owned(), "bb".to_owned())], ..existing(0, 2) };
    let files = [existing(0, 1), other, recent];
    let said = outcome(&files, &[created("hourly", 2)]);
    let severities: Vec<_> =
        said.findings.iter().map(|found| (found.code.as_str(), found.severity)).collect();
    assert_eq!(
        severities,
        [
            ("never_logged", Severity::Error),
            ("logged_checksum_differs", Severity::Error),
            ("never_logged", Severity::Warning),
        ]
    );
    assert_eq!(said.findings[1].actual, "the log has aa, and its content is bb");
    assert_eq!(said.findings[1].subject, files[1].key);
}

#[test]
fn a_file_that_is_gone_was_removed_in_time_or_is_a_finding() {
    let files = [existing(1, 2)];
    let base = [created("daily", 2), created("hourly", 60), created("hourly", 30)];
    let gone = found(&files, &[&base[..], &[removed("hourly", 60, 11), removed("hourly", 30, 11)]].concat());
    assert_eq!(gone.len(), 1, "{gone:?}");
    let (code, subject, actual) = &gone[0];
    assert_eq!((&**code, &**subject), ("removed_early", &*format!("active/hourly/{}", file(30))));
    assert!(actual.ends_with("(line 5), 19h after it was made"), "{actual}");
    let gone = found(&files, &base);
    assert_eq!(gone.iter().map(|(code, ..)| &**code).collect::<Vec<_>>(), ["vanished", "vanished"]);
    assert!(gone[0].2.contains("(line 2), not there"), "{gone:?}");
    // What was removed before the log began is judged by its name.
    assert_eq!(codes(&files, &[created("daily", 2), removed("daily", 50, 40)]), ["removed_early"]);
    assert_eq!(codes(&files, &[created("daily", 2), removed("daily", 2, 1)]), ["removed_and_there"]);
    // A type that the template does not name is not looked at.
    assert_eq!(codes(&files, &[created("daily", 2), created("yearly", 2)]), [""; 0]);
}

#[test]
fn a_failure_counts_until_one_of_its_type_succeeds() {
    let files = [existing(0, 1), existing(1, 2)];
    let base = [created("daily", 2), created("hourly", 1)];
    let lines = |more: &[String]| [&base[..], more].concat();
    let said = found(&files, &lines(&[failed("daily", 0)]));
    assert_eq!((&*said[0].0, &*said[0].1), ("failed_since", "daily"));
    assert!(!said[0].2.contains("secret"), "{said:?}");
    assert_eq!(codes(&files, &[failed("daily", 3), base[0].clone(), base[1].clone()]), [""; 0]);
    assert_eq!(codes(&files, &[base[0].clone(), failed("daily", 2), base[1].clone()]), ["failed_since"]);
    let untyped = r#"{"event":"backup_failed"}"#.to_owned();
    assert_eq!(codes(&files, &[untyped.clone(), base[0].clone(), base[1].clone()]), [""; 0]);
    assert_eq!(codes(&files, &lines(&[untyped])), ["failed_since"]);
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_some_are_named() {
    let files = [existing(0, 1)];
    let mut lines = vec![created("hourly", 1)];
    lines.extend(vec!["{".to_owned(); 30]);
    let said = found(&files, &lines);
    assert!(
        said[0].2.starts_with("30 lines cannot be read: 2, 3, ") && said[0].2.ends_with("21 and 10 more")
    );
    assert_eq!(outcome(&[], &[]).status, CheckStatus::Skipped);
}

#[test]
fn what_happens_after_the_listing_is_passed_over() {
    let files = [existing(0, 1)];
    let lines = [created("hourly", 1), created("hourly", -1), removed("hourly", 1, -1)];
    assert_eq!(codes(&files, &lines), [""; 0]);
    assert_eq!(
        codes(&files, &[created("hourly", 1), removed("hourly", 1, 0)]),
        [""; 0],
        "it may be under way"
    );
}
