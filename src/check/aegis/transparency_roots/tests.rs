use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

use chrono::{Days, Duration};

use super::*;
use crate::check::chain::{EmptyRootVersion, Receipt, empty_day_root, fingerprint, sign_receipt};
use crate::model::verdict::CheckStatus;

fn signer(seed: u8) -> (SigningKey, String) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    (key, pem)
}

fn ring() -> KeyRing {
    let mut ring = KeyRing::new();
    ring.insert(&signer(1).1).unwrap();
    ring
}

/// Signs the row's columns as they are now.
fn seal(root: &mut RootRow, seed: u8) {
    let (key, pem) = signer(seed);
    let json = Receipt {
        kind: "daily_root",
        leaf_count: root.leaf_count,
        leaf_range_end_id: root.leaf_range_end.as_deref(),
        leaf_range_start_id: root.leaf_range_start.as_deref(),
        prev_root_hash: root.prev_root_hash.as_deref(),
        root_date: root.date,
        root_hash: &root.root_hash,
        tenant_id: &root.tenant,
        version: 2,
        window_end: &window_end(root.date),
    }
    .canonical_json();
    root.signature = Some(sign_receipt(&key, &json));
    root.receipt = Some(json);
    root.fingerprint = fingerprint(&pem).to_string();
    root.payload_fingerprint = Some(root.fingerprint.clone());
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 5, number).unwrap()
}

/// The root of a day was computed for the last time twenty seconds before its end.
fn window_end(date: NaiveDate) -> String {
    format!("{date}T23:59:40.000123+00:00")
}

/// So many rows after the last that a root covers, the first of them so many seconds after midnight.
fn with_tail(root: &mut RootRow, rows: i64, seconds: u32) {
    root.leaves += rows;
    root.next_leaf_at =
        root.date.and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc() + Duration::seconds(seconds.into()));
}

/// Four days: the third is empty.
fn roots() -> Vec<RootRow> {
    let first = day(1);
    let mut previous: Option<String> = None;
    (0..4u64)
        .map(|day| {
            let date = first + Days::new(day);
            let leaf_count = if day == 2 { 0 } else { 5 };
            let root_hash = match leaf_count {
                0 => empty_day_root(EmptyRootVersion::V2, previous.as_deref(), date).to_string(),
                _ => format!("{day:064}"),
            };
            let range = |end: &str| (leaf_count > 0).then(|| format!("{day}-{end}"));
            let mut root = RootRow {
                tenant: "t".to_owned(),
                date,
                root_hash: root_hash.clone(),
                prev_root_hash: previous.replace(root_hash),
                leaf_count,
                leaf_range_start: range("first"),
                leaf_range_end: range("last"),
                receipt: None,
                signature: None,
                payload_fingerprint: None,
                fingerprint: String::new(),
                leaves: leaf_count,
                leaves_before: (leaf_count > 0).then_some(0),
                leaves_covered: (leaf_count > 0).then_some(leaf_count),
                next_leaf_at: None,
                computed_at: date.and_hms_opt(23, 59, 40).map(|time| time.and_utc()),
                oldest_leaf: Some(first),
            };
            seal(&mut root, 1);
            root
        })
        .collect()
}

fn outcome_with(keys: KeyRing, roots: Vec<RootRow>) -> Outcome {
    let mut fold = RootFold::new(keys, 15, false);
    roots.into_iter().for_each(|root| fold.push(root));
    fold.finish()
}

fn codes(roots: Vec<RootRow>) -> Vec<&'static str> {
    outcome_with(ring(), roots).findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn good_roots_hold() {
    let outcome = outcome_with(ring(), roots());
    assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, 4), "{:?}", outcome.findings);
    assert_eq!(outcome.summary, "4 roots, 1 key");
}

#[test]
fn a_short_fingerprint_names_the_same_key() {
    let mut roots = roots();
    for root in &mut roots {
        root.fingerprint.truncate(32);
        root.payload_fingerprint = Some(root.fingerprint.clone());
    }
    assert_eq!(codes(roots), [""; 0]);
}

#[test]
fn a_rewritten_root_is_seen_even_when_its_link_is_mended() {
    let mut roots = roots();
    roots[1].root_hash = "f".repeat(64);
    roots[2].prev_root_hash = Some("f".repeat(64));
    roots[2].root_hash =
        empty_day_root(EmptyRootVersion::V2, roots[2].prev_root_hash.as_deref(), roots[2].date).to_string();
    roots[3].prev_root_hash = Some(roots[2].root_hash.clone());
    let codes = codes(roots);
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "receipt_differs"), "{codes:?}");
}

#[test]
fn a_short_fingerprint_may_be_in_the_column_or_in_the_payload_alone() {
    let mut short = roots();
    short[0].fingerprint.truncate(32);
    short[1].payload_fingerprint.as_mut().unwrap().truncate(32);
    assert_eq!(codes(short), [""; 0]);
    let mut other = roots();
    other[1].payload_fingerprint = Some(fingerprint(&signer(2).1).as_str()[..32].to_owned());
    assert_eq!(codes(other), ["receipt_differs"]);
}

#[test]
fn a_key_is_the_one_whose_fingerprint_stands_beside_it() {
    let (own, foreign) = (fingerprint(&signer(1).1), fingerprint(&signer(2).1));
    let seen = |beside: &str| {
        let mut fold = RootFold::new(KeyRing::new(), 15, false);
        fold.add_key(beside, &signer(1).1);
        roots().into_iter().for_each(|root| fold.push(root));
        fold.finish().findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((seen(own.as_str()), seen(&own.as_str()[..32])), (vec![], vec![]));
    assert_eq!(seen(foreign.as_str()), ["signing_key_differs"]);
}

#[test]
fn keys_that_cannot_be_read_are_not_taken_for_an_empty_table() {
    let mut fold = RootFold::new(KeyRing::new(), 15, false);
    fold.add_key("abc", "no key");
    roots().into_iter().for_each(|root| fold.push(root));
    let outcome = fold.finish();
    let codes: Vec<&str> = outcome.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["signing_key_unreadable", "no_signing_keys"]);
    assert!(outcome.findings[1].actual.contains("none in the table can be read"), "{:?}", outcome.findings);
}

/// Spoils good roots.
type Fault = fn(&mut Vec<RootRow>);

#[test]
fn each_fault_has_its_code() {
    let cases: [(Fault, &str); 13] = [
        (|roots| roots[1].leaves_covered = Some(4), "leaf_count_differs"),
        (|roots| roots[1].leaves_covered = Some(6), "leaf_count_differs"),
        (|roots| roots[1].leaves_covered = None, "leaf_count_differs"),
        (|roots| roots[1].leaves_before = Some(1), "leaf_range_differs"),
        (|roots| roots[1].leaves_before = None, "leaf_range_differs"),
        (|roots| roots[3].signature = roots[1].signature.clone(), "bad_signature"),
        (|roots| roots[3].signature = Some("?".to_owned()), "bad_signature"),
        (|roots| roots[3].signature = None, "bad_signature"),
        (|roots| seal(&mut roots[1], 2), "unknown_signing_key"),
        (|roots| roots[1].receipt = None, "receipt_missing"),
        (
            |roots| {
                roots[3].prev_root_hash = Some("0".repeat(64));
                seal(&mut roots[3], 1);
            },
            "broken_root_link",
        ),
        (
            |roots| {
                roots[3].leaf_count = 0;
                (roots[3].leaf_range_start, roots[3].leaf_range_end) = (None, None);
                roots[3].leaves = 0;
                seal(&mut roots[3], 1);
            },
            "empty_root_differs",
        ),
        (|roots| roots[1].leaf_range_end = Some("x".to_owned()), "receipt_differs"),
    ];
    for (spoil, code) in cases {
        let mut roots = roots();
        spoil(&mut roots);
        assert_eq!(codes(roots), [code]);
    }
}

#[test]
fn no_key_at_all_is_one_finding_with_its_likely_cause() {
    let outcome = outcome_with(KeyRing::new(), roots());
    assert_eq!((outcome.findings.len(), outcome.findings[0].code.as_str()), (1, "no_signing_keys"));
    assert!(outcome.findings[0].actual.contains("left out of the backup"));
    assert_eq!(
        RootFold::new(KeyRing::new(), 0, false).finish().status,
        CheckStatus::Skipped,
        "without roots nothing is verified"
    );
}

#[test]
fn pruned_days_are_warnings_unless_that_is_forbidden() {
    let pruned: Vec<RootRow> = roots()
        .split_off(1)
        .into_iter()
        .map(|mut root| {
            root.oldest_leaf = Some(NaiveDate::from_ymd_opt(2026, 5, 3).unwrap());
            if root.date < root.oldest_leaf.unwrap() {
                (root.leaves, root.leaves_before, root.leaves_covered) = (0, None, None);
            }
            root
        })
        .collect();
    let outcome = outcome_with(ring(), pruned.clone());
    let codes: Vec<&str> = outcome.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!((outcome.status, codes), (CheckStatus::Pass, vec!["missing_genesis_root", "leaves_pruned"]));
    let mut strict = RootFold::new(ring(), 10, true);
    pruned.into_iter().for_each(|root| strict.push(root));
    assert_eq!(strict.finish().status, CheckStatus::Fail);
}

#[test]
fn a_prune_may_end_within_a_day() {
    let cut = |leaves| {
        let mut roots = roots().split_off(1);
        roots[0].prev_root_hash = None;
        seal(&mut roots[0], 1);
        roots.iter_mut().for_each(|root| root.oldest_leaf = NaiveDate::from_ymd_opt(2026, 5, 2));
        (roots[0].leaves, roots[0].leaves_covered, roots[0].leaves_before) = (leaves, Some(leaves), None);
        roots
    };
    assert_eq!((codes(cut(2)), codes(cut(6))), (vec!["leaves_pruned"], vec!["leaf_count_differs"]));
    let mut later = cut(2);
    later[2].leaves_covered = Some(4);
    assert_eq!(
        codes(later),
        ["leaves_pruned", "leaf_count_differs"],
        "after the oldest day nothing was pruned"
    );
    let mut strict = RootFold::new(ring(), 10, true);
    cut(2).into_iter().for_each(|root| strict.push(root));
    assert_eq!(strict.finish().status, CheckStatus::Fail);
}

#[test]
fn rows_after_the_last_computation_are_a_note_and_earlier_ones_a_warning() {
    let mut late = roots();
    with_tail(&mut late[0], 3, 86_395);
    with_tail(&mut late[2], 2, 86_390);
    let outcome = outcome_with(ring(), late);
    assert_eq!((outcome.status, outcome.findings_total), (CheckStatus::Pass, 1), "{:?}", outcome.findings);
    let finding = &outcome.findings[0];
    assert_eq!((finding.severity, finding.code.as_str()), (Severity::Info, "unanchored_tail"));
    assert_eq!(finding.subject, "root of tenant t for 2026-05-01");
    assert!(finding.actual.starts_with("5 audit rows of 2 days"), "{}", finding.actual);
    let mut early = roots();
    with_tail(&mut early[0], 1, 86_380);
    let outcome = outcome_with(ring(), early);
    assert_eq!(outcome.status, CheckStatus::Pass);
    let finding = &outcome.findings[0];
    assert_eq!((finding.severity, finding.code.as_str()), (Severity::Warning, "unanchored_tail"));
    assert!(finding.expected.contains("2026-05-01T23:59:40.000123Z"), "{}", finding.expected);
}

#[test]
fn a_day_without_rows_may_have_no_root_and_the_next_names_the_newest_there_is() {
    let mut gap = roots();
    let before = gap[1].root_hash.clone();
    gap.remove(2);
    assert_eq!(codes(gap.clone()), ["broken_root_link"], "there was a root, and it is gone");
    gap[2].prev_root_hash = Some(before);
    seal(&mut gap[2], 1);
    assert_eq!(codes(gap), [""; 0]);
}

#[test]
fn a_root_that_was_made_up_for_later_need_not_be_named() {
    let mut late = roots();
    late[2].prev_root_hash = Some(late[0].root_hash.clone());
    late[2].root_hash =
        empty_day_root(EmptyRootVersion::V2, late[2].prev_root_hash.as_deref(), late[2].date).to_string();
    late[3].prev_root_hash = Some(late[2].root_hash.clone());
    late[2..].iter_mut().for_each(|root| seal(root, 1));
    assert_eq!(codes(late.clone()), ["broken_root_link"], "the root of the second day was there");
    late[1].computed_at = late[3].computed_at;
    let outcome = outcome_with(ring(), late);
    assert_eq!((outcome.status, outcome.findings_total), (CheckStatus::Pass, 1), "{:?}", outcome.findings);
    assert_eq!(outcome.findings[0].code.as_str(), "late_root");
    assert!(outcome.findings[0].actual.contains("the root of 2026-05-02 was computed after"));
}

#[test]
fn a_tenant_whose_rows_are_all_gone_was_not_pruned() {
    let mut emptied = roots();
    for root in &mut emptied {
        (root.leaves, root.leaves_before, root.leaves_covered, root.oldest_leaf) = (0, None, None, None);
    }
    assert_eq!(codes(emptied), ["leaf_count_differs"; 3]);
}

#[test]
fn a_day_with_rows_and_no_root_fails() {
    let mut fold = RootFold::new(ring(), 15, false);
    fold.day_without_root("t", NaiveDate::from_ymd_opt(2026, 5, 9).unwrap(), 3);
    let outcome = fold.finish();
    assert_eq!((outcome.status, outcome.findings[0].code.as_str()), (CheckStatus::Fail, "missing_root"));
}
