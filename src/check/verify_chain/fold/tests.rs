mod damage;
mod rows;

use super::*;
use crate::check::chain::{AuditRow, GENESIS, HashVersion, RowHasher, SHARDS, chain_shard};
use crate::model::verdict::{CheckStatus, Finding, Severity};
pub(in crate::check::verify_chain) use rows::{Row, chain, chain_from, fold_of, layout};
use rows::{beside, fold_in, sorted};

/// A chain whose order column counts without gaps.
const COUNTED: &str = "order_by = [\"chain_sequence\"]\ncontiguous = true";

fn outcome(rows: &[Row]) -> Outcome {
    fold_in(layout(""), rows, Order::Interleaved).finish().outcome
}

/// Codes and the ids they are about.
fn seen(rows: &[Row]) -> Vec<(&'static str, String)> {
    let id = |finding: &Finding| finding.subject.split(' ').nth(1).unwrap().to_owned();
    outcome(rows).findings.iter().map(|finding| (finding.code.as_str(), id(finding))).collect()
}

fn codes(rows: &[Row]) -> Vec<&'static str> {
    seen(rows).into_iter().map(|(code, _)| code).collect()
}

/// What a table gives that is read as a drill reads it: the rows as they lie, cut into parts, the parts merged, and the
/// links read again, sorted, if that did not tell.
fn in_parts(rows: &[Row], cuts: &[usize], more: &str) -> Outcome {
    let mut whole = fold_in(layout(more), &[], Order::Any);
    let mut start = 0;
    for end in cuts.iter().copied().chain([rows.len()]) {
        let end = end.clamp(start, rows.len());
        whole.merge(fold_in(layout(more), &rows[start..end], Order::Any));
        start = end;
    }
    if let Step::Sort = whole.conclude_links() {
        whole.take_links(fold_in(layout(more).links_only(), &sorted(rows), Order::Grouped));
    }
    whole.finish().outcome
}

#[test]
fn whole_chains_hold_however_many_and_however_interleaved() {
    let rows: Vec<Row> = [chain("a", 0, 5), chain("a", 1, 1), chain("b", 0, 3)].concat();
    let held = outcome(&rows);
    assert_eq!((held.status, held.rows_verified, held.findings_total), (CheckStatus::Pass, 9, 0));
    assert_eq!(held.summary, "9 rows in 3 chains");
    let mut mixed = rows.clone();
    mixed.sort_by_key(|row| row.sequence);
    assert_eq!(outcome(&mixed), held);
    assert_eq!(fold_in(layout(""), &rows, Order::Grouped).finish().outcome, held);
}

#[test]
fn an_edited_row_is_one_finding_and_names_the_row_its_chain_and_both_hashes() {
    let mut rows = chain("a", 0, 5);
    let stored = rows[2].event_hash.clone().unwrap();
    rows[2].reason = Some("another".to_owned());
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-2".to_owned())]);
    let finding = outcome(&rows).findings.remove(0);
    assert_eq!(finding.subject, "row a-0-2 of the chain of tenant a, shard 0");
    assert_eq!(finding.actual, format!("event_hash {stored}: the row is not what was hashed"));
    let link = rows[2].prev_hash.clone().unwrap();
    assert_eq!(finding.expected, format!("event_hash {}", rows[2].seal(&link)));
}

#[test]
fn edited_metadata_is_seen_in_version_2_and_an_edited_reason_is_not_in_version_1() {
    let mut rows = chain("a", 0, 5);
    rows[3].metadata = Some("{\"n\": 4}".to_owned());
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-3".to_owned())]);

    let mut rows = chain("a", 0, 2);
    let mut prev_hash = GENESIS.to_owned();
    for row in &mut rows {
        row.version = None;
        prev_hash = row.seal(&prev_hash);
    }
    rows[1].reason = Some("edited".to_owned());
    assert_eq!(seen(&rows), []);
}

#[test]
fn a_deleted_row_breaks_the_link_of_the_next_and_a_row_twice_is_a_duplicate() {
    let mut rows = chain("a", 0, 5);
    rows.remove(2);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
    let mut rows = chain("a", 0, 5);
    rows.insert(3, rows[2].clone());
    assert_eq!(codes(&rows), ["duplicate_hash"]);
}

#[test]
fn where_columns_order_a_chain_each_row_must_name_the_one_before() {
    let in_order = |rows: &[Row]| {
        let outcome =
            fold_in(layout("order_by = [\"chain_sequence\"]"), rows, Order::Interleaved).finish().outcome;
        outcome.findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(in_order(&chain("a", 0, 5)), [""; 0]);
    let mut rows = chain("a", 0, 5);
    rows.insert(3, rows[2].clone());
    assert_eq!(in_order(&rows), ["broken_link", "duplicate_sequence"]);
    let mut rows = chain("a", 0, 5);
    rows.swap(2, 3);
    let swapped = in_order(&rows);
    assert_eq!(swapped.iter().filter(|code| **code == "broken_link").count(), 3, "{swapped:?}");
    assert!(swapped.contains(&"out_of_order"), "{swapped:?}");
}

#[test]
fn a_fork_is_a_warning_and_counted_and_an_edit_in_a_branch_is_found() {
    let mut rows = chain("a", 0, 6);
    rows.insert(3, beside(&rows[3]));
    rows.push(beside(&rows[1]));
    let forked = outcome(&rows);
    assert_eq!((forked.status, forked.summary.as_str()), (CheckStatus::Pass, "8 rows in 1 chain, 2 forks"));
    assert_eq!(forked.findings.len(), 1, "{:?}", forked.findings);
    assert_eq!(forked.findings[0].subject, "the chain of tenant a, shard 0");
    assert!(forked.findings[0].actual.contains("2 forks in all"), "{}", forked.findings[0].actual);
    for (most, status) in [(2, CheckStatus::Pass), (1, CheckStatus::Fail)] {
        let bounded = in_parts(&rows, &[3], &format!("max_forks = {most}"));
        assert_eq!(bounded.status, status);
    }
    assert_eq!(in_parts(&rows, &[3], "max_forks = 0").findings[0].code.as_str(), "too_many_forks");
    let mut edited = rows.clone();
    edited[3].reason = Some("edited".to_owned());
    assert_eq!(codes(&edited), ["hash_mismatch", "fork"]);
    rows.retain(|row| row.id != "a-0-0");
    assert_eq!(codes(&rows), ["missing_genesis", "missing_genesis", "fork"]);
}

#[test]
fn rows_hashed_with_an_empty_time_hold_and_are_said() {
    let mut rows = chain("a", 0, 6);
    let mut link = GENESIS.to_owned();
    for row in &mut rows {
        row.prev_hash = Some(link.clone());
        let content = AuditRow { timestamp_micros: (row.sequence < 2).then_some(row.at), ..row.content() };
        link = RowHasher::new().event_hash(&link, &content, HashVersion::V2).unwrap().to_string();
        row.event_hash = Some(link.clone());
    }
    let held = in_parts(&rows, &[1, 4], "");
    assert_eq!(held.status, CheckStatus::Pass);
    assert_eq!(held.summary, "6 rows in 1 chain, 4 hashed without their time");
    assert_eq!(held.findings[0].code.as_str(), "untimed_hash");
    rows[1].at += 1;
    rows[4].reason = None;
    let found = seen(&rows);
    assert_eq!(found[..2], [("hash_mismatch", "a-0-1".to_owned()), ("hash_mismatch", "a-0-4".to_owned())]);
}

#[test]
fn a_row_in_another_shard_than_its_request_says_is_found() {
    let request = "22222222-2222-4222-8222-222222222222";
    let right = chain_shard(request, SHARDS) as i16;
    let codes = |shard: i16, version: i16, request: Option<&str>, more: &str| {
        let mut rows = chain("a", shard, 1);
        (rows[0].version, rows[0].request) = (Some(version), request.map(str::to_owned));
        rows[0].seal(GENESIS);
        let outcome = in_parts(&rows, &[], more);
        outcome.findings.iter().map(|finding| (finding.severity, finding.code.as_str())).collect::<Vec<_>>()
    };
    let wrong = [(Severity::Error, "wrong_shard")];
    let sixteen = "shards = 16";
    assert_ne!(right, 0);
    for version in [1, 2] {
        assert_eq!(codes(right, version, Some(request), sixteen), []);
        assert_eq!(codes(right + 1, version, Some(request), sixteen), wrong);
        assert_eq!(codes(right, version, None, sixteen), wrong);
        assert_eq!(codes(0, version, None, sixteen), []);
        assert_eq!(codes(right + 1, version, Some(request), "shards = 0"), []);
    }
    let unsharded = [(Severity::Warning, "wrong_shard")];
    assert_eq!(codes(0, 2, Some(request), sixteen), unsharded, "an installation with one shard");
    assert_eq!(codes(0, 2, Some(request), "shards = 1"), []);
    assert_eq!(codes(0, 1, Some(request), sixteen), [], "rows from before there were shards");
    assert_eq!(codes(right % 4, 2, Some(request), "shards = 4"), []);
}

#[test]
fn heads_and_watched_rows_are_told() {
    let rows = [chain("a", 0, 5), chain("b", 3, 2)].concat();
    let of = |tenant: &str, shard: &str| [Some(tenant.to_owned()), Some(shard.to_owned())];
    let hash = |at: usize| rows[at].event_hash.clone().unwrap().into_bytes();
    let (a, b) = (of("a", "0"), of("b", "3"));
    let (in_a, in_b) = (hash(2), hash(6));
    let watch = Watch::of([&in_a[..], &in_b[..], &b"elsewhere"[..]]);
    for more in ["", "order_by = [\"chain_sequence\"]"] {
        let mut fold = fold_of(layout(more), &rows[..3], Order::Any, watch.clone());
        fold.merge(fold_of(layout(more), &rows[3..], Order::Any, watch.clone()));
        let verified = fold.finish();
        let heads: Vec<_> =
            verified.heads.iter().map(|head| (head.partitions, head.hash, head.rows)).collect();
        assert_eq!(heads, [(a.to_vec(), hash(4), 5), (b.to_vec(), hash(6), 2)]);
        let sighted = &verified.sighted;
        assert!(sighted.contains(&in_a) && sighted.contains(&in_b) && !sighted.contains(b"elsewhere"));
    }
}

#[test]
fn a_row_hashed_anew_breaks_the_link_after_it() {
    let mut rows = chain("a", 0, 5);
    rows[2].reason = Some("another".to_owned());
    let prev_hash = rows[2].prev_hash.clone().unwrap();
    rows[2].seal(&prev_hash);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
}

#[test]
fn a_chain_that_begins_in_the_middle_is_a_warning_unless_that_is_forbidden() {
    let rows = chain("a", 0, 5).split_off(2);
    let pruned = outcome(&rows);
    assert_eq!((pruned.status, pruned.findings[0].code.as_str()), (CheckStatus::Pass, "missing_genesis"));
    let strict = fold_in(layout("require_genesis = true"), &rows, Order::Interleaved).finish().outcome;
    assert_eq!(strict.status, CheckStatus::Fail);
}

#[test]
fn null_hashes_and_unknown_versions_have_their_own_codes() {
    let mut rows = chain("a", 0, 6);
    rows[1].event_hash = None;
    rows[3].version = Some(9);
    rows[5].prev_hash = None;
    let expected = [
        ("null_hash", "a-0-1"),
        ("broken_link", "a-0-2"),
        ("unknown_version", "a-0-3"),
        ("null_hash", "a-0-5"),
    ]
    .map(|(c, id)| (c, id.to_owned()));
    assert_eq!(seen(&rows), expected);
    let mut rows = chain("a", 0, 2);
    rows[0].prev_hash = None;
    rows[1].at = 400_000_000_000_000_000;
    assert_eq!(codes(&rows), ["null_hash", "unhashable_row"]);
}

#[test]
fn gaps_are_findings_only_where_there_must_be_none() {
    let mut rows = chain("a", 0, 4);
    rows.iter_mut().skip(2).for_each(|row| row.sequence += 5);
    assert_eq!(seen(&rows), []);
    let strict = in_parts(&rows, &[1], COUNTED);
    assert_eq!((strict.findings_total, strict.findings[0].code.as_str()), (1, "sequence_gap"));
    assert_eq!(strict.findings[0].actual, "chain_sequence 7");
    assert_eq!(in_parts(&chain("a", 0, 4), &[1], COUNTED).findings_total, 0);
}

#[test]
fn a_row_under_another_tenant_is_seen() {
    let mut rows = [chain("a", 0, 3), chain("b", 0, 3)].concat();
    rows[5].tenant = "c".to_owned();
    assert_eq!(codes(&rows), ["hash_mismatch", "missing_genesis"], "errors first");
}

#[test]
fn counting_goes_on_after_the_list_is_full() {
    let mut rows = chain("a", 0, 500);
    rows.iter_mut().for_each(|row| row.reason = None);
    let outcome = in_parts(&rows, &[100, 300], "");
    assert_eq!((outcome.findings.len(), outcome.findings_total, outcome.rows_verified), (100, 500, 500));
}

#[test]
fn more_than_can_be_remembered_is_read_again_in_order() {
    for more in ["", "order_by = [\"chain_sequence\"]"] {
        let mut fold = fold_in(layout(more), &[], Order::Any);
        let whole: Vec<Row> = (0..10).flat_map(|tenant| chain(&tenant.to_string(), 0, 3)).collect();
        fold.following = Following::GivenUp;
        fold.merge(fold_in(layout(more), &whole, Order::Any));
        assert!(matches!(fold.conclude_links(), Step::Sort));
        fold.take_links(fold_in(layout(more).links_only(), &whole, Order::Grouped));
        let outcome = fold.finish().outcome;
        assert_eq!((outcome.summary.as_str(), outcome.findings_total), ("30 rows in 10 chains", 0));
    }
}
