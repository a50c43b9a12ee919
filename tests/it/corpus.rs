//! Every way to break a backup that `demo --break` knows, from the source to the verdict: the drill fails for the right
//! reason and names what was hit, every other check holds, and what only looks broken passes.

use std::collections::BTreeSet;

use restore_drill::demo::breakage::{ALL, Breakage, Expect};
use serde_json::Value;

use super::world::{Outcome, World};

/// Enough for every tenant to have rows on most days.
const ROWS: &str = "600";

macro_rules! corpus {
    ($($test:ident $kind:literal)*) => {
        const KINDS: &[&str] = &[$($kind),*];
        $(#[test]
        fn $test() {
            drill($kind);
        })*
    };
}

corpus! {
    edited_row "edited-row"
    edited_metadata "edited-metadata"
    deleted_row "deleted-row"
    relinked_row "relinked-row"
    rewritten_chain "rewritten-chain"
    swapped_rows "swapped-rows"
    repeated_number "repeated-number"
    edited_branch "edited-branch"
    deleted_fork "deleted-fork"
    forged_branch "forged-branch"
    wrong_shard "wrong-shard"
    null_hash "null-hash"
    unknown_version "unknown-version"
    pruned "pruned"
    rewritten_root "rewritten-root"
    foreign_signature "foreign-signature"
    unknown_key "unknown-key"
    missing_historical_keys "missing-historical-keys"
    missing_roots "missing-roots"
    replayed_request "replayed-request"
    missing_usage "missing-usage"
    extra_usage "extra-usage"
    billed_twice "billed-twice"
    missing_table "missing-table"
    replaced_dump "replaced-dump"
    lost_rows "lost-rows"
    shrunk_audit "shrunk-audit"
    no_post_data "no-post-data"
    orphans "orphans"
    unvalidated_orphans "unvalidated-orphans"
    lost_sequence "lost-sequence"
    abandoned "abandoned"
    empty_database "empty-database"
    stale "stale"
    truncated_object "truncated-object"
    flipped_bit "flipped-bit"
    empty_object "empty-object"
    missing_object "missing-object"
    truncated_dump "truncated-dump"
    empty_dump "empty-dump"
    terminal "terminal"
    other_key "other-key"
    wrong_database "wrong-database"
}

#[test]
fn every_kind_is_drilled() {
    let tested: BTreeSet<&str> = KINDS.iter().copied().collect();
    let known: BTreeSet<&str> = ALL.iter().map(|breakage| breakage.name).collect();
    assert_eq!(tested, known);
}

#[test]
fn the_sample_data_is_sound() {
    let world = World::new("corpus-sound");
    let outcome = world.run(&["demo", "--rows", ROWS]);
    let checks = outcome.passed()["checks"].as_array().expect("an array").clone();
    // What the platform's writers are known for is said, and no fault; and so is that there is no drill to compare with.
    let mut said = BTreeSet::new();
    for check in &checks {
        assert_eq!(check["status"], "pass", "{outcome}");
        said.extend(
            check["findings"]
                .as_array()
                .expect("an array")
                .iter()
                .map(|finding| finding["code"].clone().to_string()),
        );
    }
    let known = [
        "\"fork\"",
        "\"heads_not_compared\"",
        "\"no_earlier_drill\"",
        "\"unanchored_tail\"",
        "\"untimed_hash\"",
    ];
    assert_eq!(said, known.map(str::to_owned).into(), "{outcome}");
    let not_verified = outcome.verdict()["not_verified"].as_array().expect("an array");
    assert_eq!(not_verified.len(), 2, "{outcome}");
}

fn drill(kind: &str) {
    let breakage = Breakage::named(kind).expect("a kind");
    let world = World::new("corpus");
    let outcome = world.run(&["demo", "--break", kind, "--rows", ROWS]);
    match breakage.expect {
        Expect::Pass => {
            outcome.passed();
            only_these_fail(&outcome, &[]);
        }
        Expect::Findings(expected) => {
            let verdict = outcome.failed(1, &failure_code(&outcome));
            assert!(
                expected.iter().any(|(_, code)| verdict["failure"]["code"] == *code),
                "the failure is one of {expected:?}\n{outcome}"
            );
            let names: Vec<&str> = expected.iter().map(|(check, _)| *check).collect();
            only_these_fail(&outcome, &names);
            for (check, code) in expected {
                let codes: Vec<&Value> = findings(&outcome, check).map(|finding| &finding["code"]).collect();
                assert!(codes.iter().any(|found| *found == code), "{check} finds {code}\n{outcome}");
            }
            names_what_was_hit(&outcome, expected[0]);
        }
        Expect::Failure(code) => {
            outcome.failed(1, code);
            only_these_fail(&outcome, &[]);
        }
    }
}

fn failure_code(outcome: &Outcome) -> String {
    outcome.verdict()["failure"]["code"].as_str().unwrap_or_default().to_owned()
}

/// No check fails but these. One whose database could not be restored is skipped.
fn only_these_fail(outcome: &Outcome, names: &[&str]) {
    for check in outcome.verdict()["checks"].as_array().expect("an array") {
        let name = check["name"].as_str().expect("a name");
        let failed = !["pass", "skipped"].contains(&check["status"].as_str().expect("a status"));
        assert_eq!(failed, names.contains(&name), "{name}\n{outcome}");
    }
}

fn findings<'a>(outcome: &'a Outcome, check: &str) -> impl Iterator<Item = &'a Value> {
    outcome.check(check)["findings"].as_array().expect("an array").iter()
}

/// The finding's subject holds what the demo said that it broke.
fn names_what_was_hit(outcome: &Outcome, (check, code): (&str, &str)) {
    let hit = outcome.stderr.lines().find_map(|line| line.strip_prefix("broken: "));
    let hit = hit.unwrap_or_else(|| panic!("the demo says what it broke\n{outcome}"));
    let named = findings(outcome, check)
        .filter(|finding| finding["code"] == code)
        .any(|finding| finding["subject"].as_str().expect("text").contains(hit));
    assert!(named, "no {code} of {check} names {hit}\n{outcome}");
}
