//! Rows that are damaged, moved and cut into parts in many ways.

use proptest::prelude::*;

use super::rows::{Row, beside, chain, fold_in, layout, sorted};
use super::{COUNTED, in_parts, outcome, seen};
use crate::check::Outcome;
use crate::check::verify_chain::Order;
use crate::model::verdict::{CheckStatus, Finding};

/// One way to spoil one row.
#[derive(Debug, Clone)]
enum Damage {
    Tenant,
    Shard,
    Version(Option<i16>),
    Agent,
    Action,
    Tool,
    Decision,
    Request,
    Reason,
    Metadata,
    Timestamp,
    EventHash(Option<usize>),
    PrevHash(Option<usize>),
    Delete,
    Sequence(i64),
    Reseal,
    Beside,
    Copy,
}

fn damages() -> impl Strategy<Value = Damage> {
    use Damage::*;
    prop_oneof![
        Just(Tenant),
        Just(Shard),
        Just(Agent),
        Just(Action),
        Just(Tool),
        Just(Decision),
        Just(Request),
        Just(Reason),
        Just(Metadata),
        Just(Timestamp),
        Just(Reseal),
        prop_oneof![Just(None), Just(Some(1)), Just(Some(3))].prop_map(Version),
        proptest::option::of(0usize..64).prop_map(EventHash),
        proptest::option::of(0usize..64).prop_map(PrevHash),
    ]
}

fn flip(text: &mut Option<String>, at: Option<usize>) {
    *text = at.map(|at| {
        // A row may be damaged twice.
        let mut bytes = text.clone().unwrap_or_else(|| "0".repeat(64)).into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    });
}

fn apply(rows: &mut Vec<Row>, at: usize, damage: &Damage) {
    let row = &mut rows[at];
    match damage {
        Damage::Tenant => row.tenant.push('x'),
        Damage::Shard => row.shard += 7,
        Damage::Version(version) => row.version = *version,
        Damage::Agent => row.agent = None,
        Damage::Action => row.action.push('x'),
        Damage::Tool => row.tool = Some("another".to_owned()),
        Damage::Decision => row.decision = "deny".to_owned(),
        Damage::Request => row.request = None,
        Damage::Reason => row.reason = None,
        Damage::Metadata => row.metadata = None,
        Damage::Timestamp => row.at += 1,
        Damage::EventHash(at) => flip(&mut row.event_hash, *at),
        Damage::PrevHash(at) => flip(&mut row.prev_hash, *at),
        Damage::Sequence(by) => row.sequence += by,
        Damage::Reseal => {
            row.reason = Some("hashed anew".to_owned());
            let link = row.prev_hash.clone();
            row.seal(link.as_deref().unwrap_or_default());
        }
        Damage::Delete => {
            rows.remove(at);
        }
        Damage::Beside => {
            let beside = beside(row);
            rows.push(beside);
        }
        Damage::Copy => {
            let mut copy = row.clone();
            copy.id.push('c');
            rows.push(copy);
        }
    }
}

/// Of two rows of one hash, either may be the parent of a third, so it is not known whose number that must exceed.
fn has_a_hash_under_two_numbers(rows: &[Row]) -> bool {
    let twins = |a: &Row, b: &Row| {
        a.event_hash.is_some()
            && (&a.tenant, a.shard, &a.event_hash) == (&b.tenant, b.shard, &b.event_hash)
            && a.sequence != b.sequence
    };
    rows.iter().any(|a| rows.iter().any(|b| twins(a, b)))
}

fn but_for_numbers(outcome: Outcome) -> Vec<Finding> {
    let mut findings = outcome.findings;
    findings.retain(|finding| !["out_of_order", "duplicate_sequence"].contains(&finding.code.as_str()));
    findings
}

proptest! {
    #[test]
    fn any_edit_of_one_version_2_row_is_found(length in 1i64..12, at in 0usize..12, damage in damages()) {
        let mut rows = chain("a", 0, length);
        let at = at % rows.len();
        // Whoever hashes the last row anew leaves a whole chain; it takes a root or a receipt to see that.
        prop_assume!(!(matches!(damage, Damage::Reseal) && at + 1 == rows.len()));
        // The shard is not hashed, so a chain of one row is as whole under another number.
        prop_assume!(!(matches!(damage, Damage::Shard) && rows.len() == 1));
        let id = rows[at].id.clone();
        apply(&mut rows, at, &damage);
        let found = outcome(&rows);
        prop_assert!(found.findings_total > 0, "{damage:?}");
        if !matches!(damage, Damage::Reseal | Damage::Shard) {
            prop_assert!(seen(&rows).iter().any(|(_, row)| *row == id), "{damage:?}: {:?}", found.findings);
        }
    }

    #[test]
    fn links_are_followed_in_any_order(order in Just((0usize..9).collect::<Vec<_>>()).prop_shuffle()) {
        let mut rows = chain("a", 0, 7);
        rows.push(beside(&rows[2]));
        rows.push(beside(&rows[6]));
        let shuffled: Vec<Row> = order.iter().map(|index| rows[*index].clone()).collect();
        prop_assert_eq!(outcome(&shuffled), outcome(&rows));
    }

    #[test]
    fn any_exchange_of_places_is_found(order in Just((0usize..7).collect::<Vec<_>>()).prop_shuffle()) {
        // The rows keep their hashes and get each other's numbers: what an edit of the order column does.
        prop_assume!(order.windows(2).any(|pair| pair[0] > pair[1]));
        let mut rows = chain("a", 0, 7);
        for (row, sequence) in rows.iter_mut().zip(&order) {
            row.sequence = *sequence as i64;
        }
        let found = in_parts(&rows, &[3], "");
        prop_assert!(found.status == CheckStatus::Fail, "{:?}", found.findings);
    }

    #[test]
    fn cuts_and_places_on_disk_change_nothing(
        lengths in proptest::collection::vec(0i64..9, 1..4),
        damages in proptest::collection::vec(
            (0usize..30, prop_oneof![
                damages(), Just(Damage::Delete), Just(Damage::Beside), Just(Damage::Copy),
                (-4i64..5).prop_map(Damage::Sequence)
            ]), 0..5),
        moves in proptest::collection::vec((0usize..30, 0usize..30), 0..5),
        cuts in proptest::collection::vec(0usize..30, 0..5),
        strict: bool,
        rule in 0usize..3,
    ) {
        compare_places(&damaged(&lengths, &damages), &moves, cuts, strict, rule)?;
    }
}

/// Chains of these lengths, interleaved, and damaged one after another.
fn damaged(lengths: &[i64], damages: &[(usize, Damage)]) -> Vec<Row> {
    let chains =
        lengths.iter().enumerate().map(|(n, length)| chain(["a", "b", "a"][n % 3], (n / 2) as i16, *length));
    let mut rows: Vec<Row> = chains.flatten().collect();
    rows.sort_by_key(|row| row.sequence);
    for (at, damage) in damages {
        if !rows.is_empty() {
            let at = at % rows.len();
            apply(&mut rows, at, damage);
        }
    }
    rows
}

/// Compares what is found of rows in their order with what is found of them elsewhere on disk, and cut into parts.
fn compare_places(
    rows: &[Row],
    moves: &[(usize, usize)],
    mut cuts: Vec<usize>,
    strict: bool,
    rule: usize,
) -> Result<(), TestCaseError> {
    let rule = ["", "order_by = [\"chain_sequence\"]", COUNTED][rule];
    let more = format!("require_genesis = {strict}\n{rule}");
    let serial = fold_in(layout(&more), &sorted(rows), Order::Grouped).finish().outcome;
    let interleaved = {
        let mut rows = sorted(rows);
        rows.sort_by_key(|row| row.sequence);
        fold_in(layout(&more), &rows, Order::Interleaved).finish().outcome
    };
    prop_assert_eq!(interleaved.status, serial.status);
    let mut rows = rows.to_vec();
    for (from, to) in moves {
        if !rows.is_empty() {
            let row = rows.remove(from % rows.len());
            rows.insert(to % (rows.len() + 1), row);
        }
    }
    cuts.sort_unstable();
    let whole = in_parts(&rows, &cuts, &more);
    if rule.is_empty() && has_a_hash_under_two_numbers(&rows) {
        prop_assert_eq!(whole.status, serial.status);
        prop_assert_eq!(but_for_numbers(whole), but_for_numbers(serial));
    } else {
        prop_assert_eq!(whole, serial);
    }
    Ok(())
}

/// A chain's length, the damages, and the rule, as [`compare_places`] takes it.
type Case = (i64, &'static [(usize, Damage)], usize);

#[test]
fn rows_that_are_there_twice_are_found_wherever_they_lie() {
    use Damage::*;
    let cases: [Case; 7] = [
        (2, &[(2, Beside), (3, Copy), (9, Copy)], 0),
        (6, &[(0, Beside), (5, Copy), (28, Copy)], 0),
        // Without a parent, both: it is missing, or not named.
        (4, &[(1, Copy), (0, EventHash(None)), (2, Beside)], 0),
        (4, &[(1, PrevHash(None)), (1, Copy), (2, Beside)], 0),
        (3, &[(11, Beside), (1, Copy), (16, PrevHash(None)), (4, Beside)], 0),
        // Of one place and one id.
        (1, &[(0, Beside), (0, Reason), (2, Beside)], 1),
        (1, &[(0, Version(Some(3))), (0, Beside), (0, Reseal)], 0),
    ];
    for (length, damages, rule) in cases {
        let rows = damaged(&[length], damages);
        for from in 0..rows.len() {
            for to in 0..rows.len() {
                for cut in 0..rows.len() {
                    let compared = compare_places(&rows, &[(from, to)], vec![cut], false, rule);
                    compared.unwrap_or_else(|why| panic!("{damages:?}, {from} to {to}, cut at {cut}: {why}"));
                }
            }
        }
    }
}
