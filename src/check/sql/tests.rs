use proptest::prelude::*;

use super::*;
use crate::model::verdict::CheckStatus;

fn check(rule: &str) -> Sql {
    toml::from_str(&format!("name = \"c\"\ndatabase = \"d\"\nquery = \"SELECT 1\"\n{rule}")).unwrap()
}

fn answer(type_name: &str, values: &[Option<&str>]) -> Answer {
    Answer {
        type_name: type_name.to_owned(),
        plain: type_name != "text",
        values: values.iter().map(|value| value.map(str::to_owned)).collect(),
    }
}

/// The code of the finding, or `None` if the rule holds.
fn code(rule: &str, value: &str) -> Option<&'static str> {
    let outcome = judge_value(&check(rule), &answer("int8", &[Some(value)]));
    assert_eq!(outcome.status == CheckStatus::Pass, outcome.findings.is_empty());
    outcome.findings.first().map(|finding| finding.code.as_str())
}

#[test]
fn each_rule_holds_and_fails() {
    for (rule, good, bad, failing) in [
        ("expect = 3", "3", "4", "value_differs"),
        ("expect = 3", "3.00", "3.01", "value_differs"),
        ("expect = 9007199254740993", "9007199254740993", "9007199254740992", "value_differs"),
        ("expect = 0.5", "0.50", "0.6", "value_differs"),
        ("expect = true", "true", "false", "value_differs"),
        ("expect = \"a\"", "a", "A", "value_differs"),
        ("expect = \"\"", "", " ", "value_differs"),
        ("min = 1", "1", "0.9", "value_low"),
        ("max = 1.5", "-7", "1.6", "value_high"),
        ("min = 1\nmax = 3", "2", "4", "value_high"),
        ("min = 1", "Infinity", "NaN", "not_a_number"),
        ("min = 1", "1e3", "many", "not_a_number"),
    ] {
        assert_eq!(code(rule, good), None, "{rule} {good}");
        assert_eq!(code(rule, bad), Some(failing), "{rule} {bad}");
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_point_or_an_exponent() {
    for (text, number) in [
        ("3.00", Some(3)),
        ("-3.0", Some(-3)),
        ("1e+06", Some(1_000_000)),
        ("1.5e+07", Some(15_000_000)),
        ("-1.25e+02", Some(-125)),
        ("1200e-02", Some(12)),
        ("1e+30", Some(1_000_000_000_000_000_000_000_000_000_000)),
        ("1.25e+01", None),
        ("1e-05", None),
        ("1e+99999", None),
        ("1e99999999999999999999", None),
        ("NaN", None),
        ("Infinity", None),
        ("text", None),
        ("", None),
    ] {
        assert_eq!(whole(text), number, "{text}");
    }
    let outcome = judge_value(&check("expect = 1000000"), &answer("float4", &[Some("1e+06")]));
    assert_eq!(outcome.status, CheckStatus::Pass);
}

#[test]
fn null_no_row_and_several_rows_are_told_apart() {
    for rule in ["expect = 1", "min = 0"] {
        for (values, failing) in
            [(&[None][..], "value_null"), (&[], "no_row"), (&[Some("1"), Some("1")], "several_rows")]
        {
            let outcome = judge_value(&check(rule), &answer("int8", values));
            assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, failing));
        }
    }
}

#[test]
fn a_text_that_is_wrong_is_shown_only_on_request() {
    let wrong = answer("text", &[Some("jane@example.org")]);
    let shown = |rule: &str| judge_value(&check(rule), &wrong).findings[0].actual.clone();
    assert_eq!(shown("expect = \"a\""), "another text of 16 characters, expected `a`");
    assert!(shown("expect = \"a\"\nshow_value = true").starts_with("jane@example.org"));
}

#[test]
fn rows_that_should_not_be_there_are_counted_and_named_on_request() {
    let outcome = judge_empty(&check("empty = true"), 12, &[]);
    assert_eq!((outcome.failing_code().as_str(), &*outcome.findings[0].actual), ("rows_found", "12 rows"));
    let keys = ["a".to_owned(), "b\nc".to_owned()];
    let outcome = judge_empty(&check("empty = true\nkey = \"id\""), 12, &keys);
    assert_eq!((outcome.findings.len(), outcome.findings_total), (2, 12));
    assert_eq!(outcome.findings[1].subject, "d b c");
    assert_eq!(judge_empty(&check("empty = true"), 0, &[]).status, CheckStatus::Pass);
}

#[test]
fn age_is_counted_back_from_the_recovery_point() {
    let taken_at: DateTime<Utc> = "2026-05-17T08:00:00Z".parse().unwrap();
    let judged = |at: &str| {
        let moments = [Moment::At(at.parse().unwrap())];
        let outcome = judge_age(&check("max_age = \"26h\""), TimeDelta::hours(26), &moments, taken_at);
        (outcome.status, outcome.findings.first().map(|finding| finding.code.as_str()))
    };
    assert_eq!(judged("2026-05-16T06:00:00Z"), (CheckStatus::Pass, None));
    assert_eq!(judged("2026-05-16T05:59:59Z"), (CheckStatus::Fail, Some("too_old")));
    assert_eq!(judged("2026-05-17T08:04:00Z"), (CheckStatus::Pass, None));
    assert_eq!(judged("2099-01-01T00:00:00Z"), (CheckStatus::Pass, Some("newer_than_dump")));
    let code = |moments: &[Moment]| {
        judge_age(&check("max_age = \"1h\""), TimeDelta::hours(1), moments, taken_at).failing_code()
    };
    assert_eq!(code(&[Moment::Null]), "value_null");
    assert_eq!(code(&[Moment::Infinite]), "not_a_time");
    assert_eq!(code(&[]), "no_row");
    assert_eq!(code(&[Moment::Null, Moment::Null]), "several_rows");
}

proptest! {
    #[test]
    fn a_number_is_within_its_bounds_or_it_is_a_finding(value in any::<i32>(), min in any::<i32>(), max in any::<i32>()) {
        let (min, max) = (min.min(max), min.max(max));
        let failing = code(&format!("min = {min}\nmax = {max}"), &value.to_string());
        prop_assert_eq!(failing.is_none(), (min..=max).contains(&value));
    }

    #[test]
    fn any_number_is_what_it_is(value in any::<i64>(), other in any::<i64>()) {
        prop_assert_eq!(code(&format!("expect = {value}"), &other.to_string()).is_none(), value == other);
        prop_assert_eq!(code(&format!("expect = {value}"), &format!("{value}.000")), None);
    }
}
