use super::super::fold::tests::{Row, chain, chain_from, fold_of, layout};
use super::super::order::Order;
use super::*;

/// A drill that verified these rows, with the heads that it recorded.
fn drilled(rows: &[Row]) -> (EarlierDrill, ChainHeads) {
    let verified = fold_of(layout(""), rows, Order::Any, Watch::default()).finish();
    assert_eq!(verified.outcome.status, CheckStatus::Pass);
    let drill = EarlierDrill { timestamp: "20260516T083111Z".to_owned(), ..EarlierDrill::default() };
    let outcome = compare(&check(""), verified, None, &EarlierDrills::default());
    (drill, outcome.heads.unwrap())
}

fn check(more: &str) -> VerifyChain {
    let text = format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\nscheme = \"aegis-audit\"\n{more}");
    toml::from_str(&text).unwrap()
}

fn then(before: &(EarlierDrill, ChainHeads), rows: &[Row], more: &str) -> Outcome {
    let before = Some((&before.0, &before.1));
    let verified = fold_of(layout(""), rows, Order::Any, watch(before)).finish();
    compare(&check(more), verified, before, &EarlierDrills::default())
}

fn codes(outcome: &Outcome) -> Vec<(&'static str, Severity, &str)> {
    let all = outcome.findings.iter().filter(|finding| finding.code.as_str().starts_with("head"));
    all.map(|finding| (finding.code.as_str(), finding.severity, finding.subject.as_str())).collect()
}

#[test]
fn chains_that_grew_hold_and_say_that_they_were_compared() {
    let before = drilled(&[chain("a", 0, 5), chain("b", 3, 2)].concat());
    let outcome = then(&before, &[chain("a", 0, 9), chain("b", 3, 2), chain("new", 0, 1)].concat(), "");
    assert_eq!((outcome.status, codes(&outcome)), (CheckStatus::Pass, vec![]));
    assert_eq!(outcome.summary, "12 rows in 3 chains, 2 heads of the drill 20260516T083111Z are there");
    assert_eq!(outcome.heads.unwrap().chains, 3);
}

#[test]
fn a_chain_whose_end_is_cut_off_is_found_though_what_is_left_is_whole() {
    let before = drilled(&[chain("a", 0, 5), chain("b", 3, 2)].concat());
    let cut = [chain("a", 0, 4), chain("b", 3, 2)].concat();
    let outcome = then(&before, &cut, "");
    assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, "head_missing"));
    assert_eq!(codes(&outcome), [("head_missing", Severity::Error, "the chain of a, 0 in d.public.t")]);
    let allowed = then(&before, &cut, "allow_missing_heads = true");
    assert_eq!((allowed.status, codes(&allowed)[0].1), (CheckStatus::Pass, Severity::Warning));
}

#[test]
fn a_chain_that_is_gone_is_found_and_so_is_a_table_without_rows() {
    let before = drilled(&[chain("a", 0, 5), chain("b", 3, 2)].concat());
    let outcome = then(&before, &chain("a", 0, 5), "");
    let told = codes(&outcome);
    assert_eq!((outcome.status, told.len(), told[0].0), (CheckStatus::Fail, 1, "head_missing"));
    assert!(told[0].2.starts_with("the chain with the digest "), "{}", told[0].2);
    let empty = then(&before, &[], "");
    assert_eq!((empty.status, codes(&empty).len()), (CheckStatus::Fail, 2));
}

#[test]
fn what_a_prune_took_is_a_warning() {
    let rows = [chain("a", 0, 9), chain("b", 3, 9)].concat();
    let before = drilled(&[&rows[..3], &rows[9..12]].concat());
    let outcome = then(&before, &[&rows[5..9], &rows[14..]].concat(), "");
    assert_eq!(outcome.status, CheckStatus::Pass, "{outcome:?}");
    assert!(
        codes(&outcome)
            .iter()
            .all(|(code, severity, _)| (*code, *severity) == ("head_pruned", Severity::Warning))
    );
    assert_eq!(codes(&outcome).len(), 2);
    assert_eq!(outcome.not_verified().len(), 1, "it is said at the top: {outcome:?}");
    let quiet = then(&before, &rows[5..9], "");
    assert_eq!((quiet.status, codes(&quiet).len()), (CheckStatus::Pass, 2), "all that is left is newer");
}

#[test]
fn a_table_that_was_wiped_and_begun_anew_is_found_though_all_its_rows_are_newer() {
    let before = drilled(&[chain("a", 0, 5), chain("b", 3, 2)].concat());
    for rows in [chain_from("a", 0, 100, 9), chain_from("new", 0, 100, 9)] {
        let outcome = then(&before, &rows, "");
        assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, "head_missing"));
        assert_eq!(codes(&outcome).len(), 2);
        assert!(outcome.findings.iter().all(|finding| finding.actual.contains("begun anew")), "{outcome:?}");
        let allowed = then(&before, &rows, "allow_missing_heads = true");
        assert_eq!(allowed.status, CheckStatus::Pass);
        assert_eq!(allowed.not_verified().len(), 1, "{allowed:?}");
    }
    // One of two was pruned, and the other begun anew.
    let rows = [&chain("a", 0, 9)[5..], &chain_from("b", 3, 100, 2)].concat();
    let outcome = then(&before, &rows, "");
    assert_eq!(
        codes(&outcome).iter().map(|(code, ..)| *code).collect::<Vec<_>>(),
        ["head_pruned", "head_missing"]
    );
}

#[test]
fn without_an_earlier_drill_it_is_said_that_nothing_was_compared() {
    let verified = fold_of(layout(""), &chain("a", 0, 5), Order::Any, Watch::default()).finish();
    let earlier = EarlierDrills {
        passed_over: Some("older ones were not opened".to_owned()),
        ..EarlierDrills::default()
    };
    let outcome = compare(&check(""), verified, None, &earlier);
    assert_eq!((outcome.status, outcome.findings[0].code), (CheckStatus::Pass, code::HEADS_NOT_COMPARED));
    assert!(outcome.not_verified()[0].ends_with(": older ones were not opened"), "{outcome:?}");
}

#[test]
fn whose_a_chain_is_cannot_be_read_from_what_is_recorded() {
    let (_, heads) = drilled(&chain("secret@example.org", 0, 5));
    let text = serde_json::to_string(&heads).unwrap();
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(serde_json::from_str::<ChainHeads>(&text).unwrap(), heads);
}

#[test]
fn raw_hashes_are_read_back_as_they_were() {
    for hash in [&b"00ff"[..], &[0, 0xff], b"\\x00", b"a b"] {
        let head = ChainHead { chain: String::new(), hash: shown(hash), rows: 1, place: None };
        assert_eq!(hash_of(&head), hash);
    }
}
