use std::time::Duration;

use super::*;
use crate::model::verdict::CheckStatus;

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn row(key: &str, at: i64, required: bool) -> KeyRow {
    KeyRow { key: key.to_owned(), at: Some(moment(at)), required }
}

fn old(key: &str) -> KeyRow {
    row(key, -1000, true)
}

/// Dumps are taken at 0 (left) and 30 (right); the left side has a grace of 60 s.
fn merged(left: &[KeyRow], right: &[KeyRow]) -> Outcome {
    let side = |label: &str, grace| ReconcileSide {
        label: label.to_owned(),
        database: "d".parse().unwrap(),
        query: String::new(),
        grace: Duration::from_secs(grace),
    };
    let check = Reconcile {
        name: "r".to_owned(),
        left: side("audit", 60),
        right: side("usage", 0),
        facts: Vec::new(),
        allow_empty: false,
    };
    let mut merge = Merge::new(&check, moment(0), moment(30));
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    loop {
        match merge.step(l.peek().copied(), r.peek().copied()) {
            Advance::Left => drop(l.next()),
            Advance::Right => drop(r.next()),
            Advance::End => return merge.finish(&[]),
        }
    }
}

fn seen(left: &[KeyRow], right: &[KeyRow]) -> Vec<(&'static str, String)> {
    merged(left, right).findings.into_iter().map(|finding| (finding.code.as_str(), finding.subject)).collect()
}

#[test]
fn sides_that_agree_hold() {
    let outcome = merged(&[old("a"), old("b")], &[old("a"), old("b")]);
    assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 4));
    assert_eq!(outcome.summary, "0 audit without usage, 0 usage without audit, of 2 and 2");
}

#[test]
fn sides_of_which_no_row_can_be_judged_do_not_hold() {
    let young = |key| row(key, 1000, true);
    let outcome = merged(&[young("a")], &[young("b")]);
    assert_eq!(
        (outcome.status, outcome.findings[0].code.as_str()),
        (CheckStatus::Skipped, "nothing_verified")
    );
    assert!(outcome.summary.ends_with("; 2 too young to judge"), "{}", outcome.summary);
    assert_eq!(outcome.allow_empty(true).status, CheckStatus::Skipped, "there are rows");
    let empty = merged(&[], &[]);
    assert_eq!(empty.status, CheckStatus::Skipped);
    assert_eq!(empty.allow_empty(true).status, CheckStatus::Pass, "unless the template says so");
    assert_eq!(merged(&[young("a")], &[old("a")]).status, CheckStatus::Pass, "one that is found is judged");
}

#[test]
fn a_side_of_which_most_rows_are_too_young_holds_and_says_so() {
    let young = |key| row(key, 1_000_000, true);
    let told = |left: &[KeyRow], right: &[KeyRow]| {
        let outcome = merged(left, right);
        assert_eq!(outcome.status, CheckStatus::Pass, "{outcome:?}");
        outcome.not_verified()
    };
    assert_eq!(told(&[old("a"), young("b")], &[old("a")]), [""; 0], "half of them");
    let of_one_side = told(&[old("a"), young("b"), young("c")], &[old("a")]);
    let why = "2 of 3 rows are newer than the older of the two dumps allows to judge";
    assert_eq!(of_one_side, [format!("audit: most rows not held against the other side: {why}")]);
    let right = told(&[row("a", 0, false), row("b", 0, false), old("c")], &[old("a"), old("c"), young("d")]);
    assert_eq!(right, [""; 0]);
}

#[test]
fn a_row_without_counterpart_is_named_on_either_side() {
    for (left, right, expected) in [
        (vec![old("a"), old("b"), old("c")], vec![old("a"), old("c")], "audit b"),
        (vec![old("a"), old("c")], vec![old("a"), old("b"), old("c")], "usage b"),
        (vec![old("a")], vec![], "audit a"),
        (vec![], vec![old("a")], "usage a"),
        (vec![old("a"), old("z")], vec![old("a")], "audit z"),
        (vec![old("b")], vec![old("a"), old("b")], "usage a"),
    ] {
        assert_eq!(seen(&left, &right), [("no_counterpart", expected.to_owned())]);
    }
}

#[test]
fn a_row_that_needs_no_counterpart_may_still_be_one() {
    let rejected = row("a", -1000, false);
    assert_eq!(seen(&[rejected.clone(), old("b")], &[old("b")]), [], "it need not have one");
    assert_eq!(seen(&[rejected], &[old("a")]), [], "and answers for the other side's");
}

#[test]
fn what_is_younger_than_the_older_dump_is_counted_apart() {
    let outcome =
        merged(&[row("a", -59, true), row("b", -60, true)], &[row("c", 1, true), row("d", 0, true)]);
    let subjects: Vec<&str> = outcome.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["audit b", "usage d"]);
    assert!(outcome.summary.ends_with("; 2 too young to judge"), "{}", outcome.summary);
}

#[test]
fn duplicate_keys_are_findings_and_do_not_hide_a_missing_counterpart() {
    assert_eq!(seen(&[old("a"), old("a")], &[old("a")]), [("duplicate_key", "audit a".to_owned())]);
    let codes: Vec<&str> = seen(&[old("a"), old("a")], &[]).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["duplicate_key", "no_counterpart"]);
    assert_eq!(seen(&[old("a")], &[old("a"), old("a")]), [("duplicate_key", "usage a".to_owned())]);
}

#[test]
fn ten_are_named_and_all_are_counted() {
    let many: Vec<KeyRow> = (0..25).map(|n| old(&format!("{n:03}"))).collect();
    let outcome = merged(&many, &[]);
    assert_eq!((outcome.findings.len(), outcome.findings_total), (10, 25));
    assert_eq!(outcome.summary, "25 audit without usage, 0 usage without audit, of 25 and 0");
}
