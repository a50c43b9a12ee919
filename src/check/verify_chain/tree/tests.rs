use super::*;
use crate::check::verify_chain::limits::Limits;
use crate::check::verify_chain::place;
use crate::check::verify_chain::search::FoundParents;
use crate::check::verify_chain::value::Value;
use crate::model::verdict::Finding;
use crate::target::postgres::chain_rows::FieldKind;

const LIMITS: Limits = Limits { latest: 4_000, waiting: 1_000, pieces: 1_000 };

fn rules() -> Arc<Rules> {
    Arc::new(Rules {
        limits: LIMITS,
        genesis: Some(b"0".to_vec()),
        require_genesis: false,
        contiguous: false,
        follows_links: true,
        max_forks: None,
        number_name: "number".to_owned(),
        hash_name: "hash".to_owned(),
        link_name: "link".to_owned(),
        order_name: "time".to_owned(),
        partition_names: Vec::new(),
        raw_hashes: false,
    })
}

/// A row of this hash that names that one. Its time is the number it begins with.
type Row = (&'static str, &'static str);

fn push(push: &mut dyn FnMut(&Link<'_>), hash: &str, link: &str) {
    let digits = hash.trim_end_matches(|character: char| !character.is_ascii_digit());
    let time: i64 = digits.parse().unwrap();
    let mut order = Vec::new();
    place::push_order(&mut order, &Value { kind: FieldKind::Int, raw: Some(&time.to_be_bytes()) });
    let (hash, link) = (hash.as_bytes(), link.as_bytes());
    push(&Link {
        id: str::from_utf8(hash).unwrap(),
        chain: b"",
        order: &order,
        hash: Some(hash),
        link: Some(link),
        number: Some(time),
        is_numbered_in_order: true,
    });
}

fn tree(rows: &[Row]) -> Tree {
    let mut tree = Tree::new(rules(), Order::Any);
    rows.iter().for_each(|(hash, link)| push(&mut |row| tree.push(row), hash, link));
    tree
}

/// The forks, and the codes of the findings with their subjects.
fn seen(mut tree: Tree) -> (u64, Vec<String>) {
    tree.close_chains();
    assert!(tree.wanted().is_none());
    let followed = tree.finish();
    let outcome = followed.sightings.into_findings().into_outcome(1, String::new());
    let said = |finding: &Finding| format!("{} {}", finding.code.as_str(), finding.subject);
    (followed.forks.count, outcome.findings.iter().map(said).collect())
}

/// What is seen in whatever order the rows come, and wherever they are cut.
fn seen_in_any_order(rows: &[Row]) -> (u64, Vec<String>) {
    let first = seen(tree(rows));
    let mut rows = rows.to_vec();
    for turn in 0..rows.len() * 2 {
        rows.rotate_left(1);
        if turn == rows.len() {
            rows.reverse();
        }
        assert_eq!(seen(tree(&rows)), first, "{rows:?}");
        for cut in 0..=rows.len() {
            let mut whole = tree(&[]);
            whole.merge(tree(&rows[..cut]));
            whole.merge(tree(&rows[cut..]));
            assert_eq!(seen(whole), first, "{rows:?} cut at {cut}");
        }
    }
    first
}

#[test]
fn forks_are_counted_and_no_row_is_missing() {
    let twice =
        [("1", "0"), ("2", "1"), ("3", "2"), ("3b", "2"), ("4", "3b"), ("5", "4"), ("5b", "4"), ("5c", "4")];
    assert_eq!(seen_in_any_order(&twice), (3, vec![]));
    assert_eq!(seen_in_any_order(&[("1", "0"), ("1b", "0"), ("2", "1b")]), (1, vec![]), "of the first row");
}

#[test]
fn a_missing_parent_is_found_also_that_of_two_branches() {
    let deleted = [("1", "0"), ("3", "2"), ("4", "3")];
    assert_eq!(seen_in_any_order(&deleted), (0, vec!["broken_link row 3 of the chain".to_owned()]));
    let both = [("1", "0"), ("3", "2"), ("3b", "2"), ("4", "3b")];
    let expected = ["broken_link row 3 of the chain", "broken_link row 3b of the chain"].map(str::to_owned);
    assert_eq!(seen_in_any_order(&both), (0, expected.to_vec()));
}

#[test]
fn a_chain_may_begin_with_the_branches_that_a_prune_has_cut() {
    let pruned = [("4", "3"), ("4b", "3b"), ("5", "4b"), ("6", "5"), ("6b", "5")];
    let begins =
        ["missing_genesis row 4 of the chain", "missing_genesis row 4b of the chain"].map(str::to_owned);
    assert_eq!(seen_in_any_order(&pruned), (1, begins.to_vec()));
    let later = [("4", "3"), ("5", "4"), ("7", "6")];
    let expected =
        ["broken_link row 7 of the chain", "missing_genesis row 4 of the chain"].map(str::to_owned);
    assert_eq!(seen_in_any_order(&later), (0, expected.to_vec()));
}

#[test]
fn a_row_twice_is_a_duplicate_and_not_only_a_fork() {
    let rows = [("1", "0"), ("2", "1"), ("2", "1"), ("3", "2")];
    assert_eq!(seen_in_any_order(&rows), (0, vec!["duplicate_hash the chain".to_owned()]));
    let first = [("1", "0"), ("1", "0"), ("2", "1")];
    assert_eq!(seen_in_any_order(&first), (0, vec!["duplicate_hash the chain".to_owned()]));
}

#[test]
fn what_comes_after_a_row_that_is_there_twice_is_not_judged_by_which_of_the_two_it_follows() {
    let beside = [("1", "0"), ("3", "1"), ("4", "3"), ("3", "1"), ("4b", "3")];
    assert_eq!(seen_in_any_order(&beside), (0, vec!["duplicate_hash the chain".to_owned()]));
    let piece = [("1", "0"), ("3", "1"), ("4", "3"), ("5", "4"), ("3", "1"), ("4", "3"), ("5", "4")];
    assert_eq!(seen_in_any_order(&piece), (0, vec!["duplicate_hash the chain".to_owned()]));
    let first = [("1", "0"), ("2", "1"), ("1", "0"), ("2b", "1")];
    assert_eq!(seen_in_any_order(&first), (0, vec!["duplicate_hash the chain".to_owned()]));
    // The same where their own parent is missing, and where only one of them names a parent that is there.
    let orphans = [("1", "0"), ("3", "2"), ("4", "3"), ("3", "2"), ("4b", "3")];
    let expected =
        ["broken_link row 3 of the chain", "broken_link row 3 of the chain", "duplicate_hash the chain"];
    let (forks, mut found) = seen_in_any_order(&orphans);
    found.sort();
    assert_eq!((forks, found), (0, expected.map(str::to_owned).to_vec()));
    let elsewhere = [("1", "0"), ("3", "1"), ("4", "3"), ("3", "2"), ("4b", "3")];
    assert_eq!(seen_in_any_order(&elsewhere), (0, vec!["broken_link row 3 of the chain".to_owned()]));
}

#[test]
fn circles_and_rows_that_name_themselves_are_found() {
    assert_eq!(seen_in_any_order(&[("1", "3"), ("2", "1"), ("3", "2")]).1[0], "cycle the chain");
    assert_eq!(
        seen_in_any_order(&[("1", "0"), ("2", "2")]),
        (0, vec!["cycle row 2 of the chain".to_owned()])
    );
}

#[test]
fn a_number_below_that_of_the_parent_is_found() {
    let (_, found) = seen_in_any_order(&[("1", "0"), ("5", "1"), ("3", "5"), ("3b", "3")]);
    let expected = ["duplicate_sequence row 3b of the chain", "out_of_order row 3 of the chain"];
    assert_eq!(found, expected);
}

#[test]
fn the_newest_row_is_the_head() {
    let mut tree = tree(&[("1", "0"), ("4", "3"), ("2", "1"), ("3", "2")]);
    tree.close_chains();
    let followed = tree.finish();
    let heads: Vec<_> = followed.heads.iter().map(|head| (head.hash, head.rows)).collect();
    assert_eq!(heads, [(b"4".to_vec(), 4)]);
}

/// A chain longer than is remembered, with these rows at its end.
fn long(last: &[(String, String)]) -> (Tree, Vec<(String, String)>) {
    let length = 2 * LIMITS.latest;
    let mut rows: Vec<(String, String)> =
        (1..=length).map(|number| (number.to_string(), (number - 1).to_string())).collect();
    rows.extend_from_slice(last);
    let mut tree = Tree::new(rules(), Order::Any);
    rows.iter().for_each(|(hash, link)| push(&mut |row| tree.push(row), hash, link));
    (tree, rows)
}

#[test]
fn parents_that_were_forgotten_are_looked_up_among_all_rows() {
    let row = |hash: &str, link: &str| (hash.to_owned(), link.to_owned());
    let missing = "broken_link row 900003a of the chain";
    // Two more rows after row 5, and one after row 6: another one, and row 7 again.
    for (last, forks, said) in [("7b", 3, vec![missing]), ("7", 0, vec![missing, "duplicate_hash the chain"])]
    {
        let (mut tree, rows) =
            long(&[row("900001a", "5"), row("900002a", "5"), row("900003a", "nowhere"), row(last, "6")]);
        tree.close_chains();
        let wanted = tree.wanted().expect("their parents are long gone");
        let mut parts = [FoundParents::of(wanted.clone()), FoundParents::of(wanted)];
        for (nth, (hash, link)) in rows.iter().enumerate() {
            push(&mut |row| parts[nth % 2].push(row), hash, link);
        }
        let [mut found, more] = parts;
        found.merge(more);
        tree.take_found(&found);
        assert_eq!(seen(tree), (forks, said.into_iter().map(str::to_owned).collect()));
    }
}

#[test]
fn a_chain_with_one_beginning_needs_no_second_look() {
    let mut tree = Tree::new(rules(), Order::Any);
    for number in 1000..1000 + 2 * LIMITS.latest {
        push(&mut |row| tree.push(row), &number.to_string(), &(number - 1).to_string());
    }
    let (forks, said) = seen(tree);
    assert_eq!((forks, said), (0, vec!["missing_genesis row 1000 of the chain".to_owned()]));
}

#[test]
fn disorder_is_given_up_in_time() {
    let mut tree = Tree::new(rules(), Order::Any);
    for number in (2..2 * (LIMITS.waiting + 2)).step_by(2) {
        assert!(!tree.is_too_much() || number > 2 * LIMITS.waiting);
        push(&mut |row| tree.push(row), &number.to_string(), &(number - 1).to_string());
    }
    assert!(tree.is_too_much());
}

#[test]
fn too_much_disorder_hides_no_missing_row() {
    let follow = |rows: &mut dyn Iterator<Item = (usize, usize)>| {
        let mut tree = Tree::new(rules(), Order::Grouped);
        for (hash, link) in rows {
            push(&mut |row| tree.push(row), &hash.to_string(), &link.to_string());
            if tree.is_too_much() {
                tree.stop();
            }
        }
        tree.close_chains();
        tree
    };
    let length = 2 * LIMITS.waiting + 4;
    // Every second row is deleted.
    let mut tree = follow(&mut (1..length).step_by(2).map(|number| (number, number - 1)));
    tree.take_found(&FoundParents::of(tree.wanted().expect("they are looked up")));
    assert!(!tree.is_unfinished());
    // All are there, and stand backwards.
    let mut tree = follow(&mut (1..length).rev().map(|number| (number, number - 1)).step_by(2));
    let mut found = FoundParents::of(tree.wanted().expect("they are looked up"));
    for number in 1..=length {
        push(&mut |row| found.push(row), &number.to_string(), &(number - 1).to_string());
    }
    tree.take_found(&found);
    assert!(tree.is_unfinished(), "what follows is not known");
}
