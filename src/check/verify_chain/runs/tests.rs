use super::*;
use crate::check::verify_chain::limits::Limits;
use crate::check::verify_chain::place;
use crate::check::verify_chain::value::Value;
use crate::target::postgres::chain_rows::FieldKind;

fn rules() -> Arc<Rules> {
    Arc::new(Rules {
        limits: Limits::default(),
        genesis: Some(b"0".to_vec()),
        require_genesis: true,
        contiguous: false,
        follows_links: false,
        max_forks: None,
        number_name: String::new(),
        hash_name: "hash".to_owned(),
        link_name: "link".to_owned(),
        order_name: "n".to_owned(),
        partition_names: Vec::new(),
        raw_hashes: false,
    })
}

/// Follows rows of one chain that lie in this order; row `n` has the hash `n` and names `n - 1`.
fn follow(runs: &mut Runs, places: &[i64]) {
    for number in places {
        let mut order = Vec::new();
        let bytes = number.to_be_bytes();
        place::push_order(&mut order, &Value { kind: FieldKind::Int, raw: Some(&bytes) });
        let (id, hash, link) = (number.to_string(), number.to_string(), (number - 1).to_string());
        runs.push(&Link {
            id: &id,
            chain: b"",
            order: &order,
            hash: Some(hash.as_bytes()),
            link: Some(link.as_bytes()),
            number: None,
            is_numbered_in_order: false,
        });
    }
}

fn of(places: &[i64]) -> Runs {
    let mut runs = Runs::new(rules());
    follow(&mut runs, places);
    runs
}

fn findings(runs: Runs) -> Option<u64> {
    let followed = runs.finish()?;
    Some(followed.sightings.into_findings().into_outcome(1, String::new()).findings_total)
}

#[test]
fn rows_a_little_out_of_place_take_little_memory() {
    let mut runs = of(&[1, 2, 9, 3, 4, 5, 6, 7, 8, 10, 11]);
    assert_eq!(runs.remembered, 2, "1 to 9, and the run that goes on");
    follow(&mut runs, &[13, 12, 14]);
    assert_eq!(findings(runs), Some(0));
}

#[test]
fn a_table_backwards_still_holds() {
    let backwards: Vec<i64> = (1..100).rev().collect();
    let runs = of(&backwards);
    assert_eq!(runs.remembered, 2, "neighbours become one");
    assert_eq!(findings(runs), Some(0));
}

#[test]
fn parts_fit_together_whichever_comes_first() {
    let mut runs = of(&[5, 6, 7]);
    runs.merge(of(&[1, 2, 3, 4]));
    runs.merge(of(&[8, 9]));
    assert_eq!(findings(runs), Some(0));
}

#[test]
fn what_is_missing_between_two_runs_is_found() {
    assert_eq!(findings(of(&[1, 2, 4, 5])), Some(1));
    assert_eq!(findings(of(&[4, 5, 1, 2])), Some(1));
    assert_eq!(findings(of(&[2, 3])), Some(1), "the first row");
}

#[test]
fn a_row_twice_must_be_looked_at_in_order() {
    assert_eq!(findings(of(&[1, 2, 3, 2])), None);
    let mut runs = of(&[1, 2, 3]);
    runs.merge(of(&[2]));
    assert_eq!(findings(runs), None);
}
