//! What is broken, and how it is reported: the exit code, the stable code, the reason, and what to do.

use restore_drill::layer;
use serde_json::{Value, json};

use super::fixtures::dump;
use super::world::{Outcome, World, ago, seal};

/// A world with one sound recovery point.
fn sound(name: &str) -> World {
    let mut world = World::new(name);
    world.dumped("identity", &[], dump("identity")).rows("users", "identity", "users", "exact = 50");
    world
}

/// Drills one object that must make the drill fail with this code.
fn drill_of(name: &str, object: impl FnOnce(&World) -> Vec<u8>, code: &str) -> Outcome {
    let mut world = World::new(name);
    let bytes = object(&world);
    world.put(&world.key("layers", ago(60)), &bytes);
    world.database("layers", &[]).tables("tables", "layers", &["a_first"]);
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, code);
    assert_eq!(verdict["failure"]["phase"], "restore");
    assert_eq!(outcome.database("layers")["status"], "failed");
    assert_eq!(outcome.database("layers")["error"]["code"], code);
    assert_eq!(outcome.check("tables")["status"], "skipped");
    assert_eq!(verdict["rows_verified"], 0);
    world.assert_nothing_left();
    outcome
}

fn sealed_layers(world: &World) -> Vec<u8> {
    seal(dump("layers"), &[&world.recipient])
}

#[test]
fn a_recovery_point_cut_in_the_middle_of_a_chunk_fails_the_drill() {
    let cut = |world: &World| {
        let whole = sealed_layers(world);
        whole[..whole.len() / 2].to_vec()
    };
    drill_of("cut-middle", cut, "ciphertext_corrupted");
}

#[test]
fn a_recovery_point_cut_between_two_chunks_fails_the_drill() {
    let cut = |world: &World| {
        let whole = sealed_layers(world);
        // The header ends with the line of its MAC; a nonce and chunks of 64 KiB with a tag of 16 bytes follow.
        let mac = whole.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 1;
        let header = mac + 1 + whole[mac..].iter().position(|byte| *byte == b'\n').unwrap();
        let end = header + 16 + 2 * (65_536 + 16);
        assert!(end < whole.len());
        whole[..end].to_vec()
    };
    drill_of("cut-boundary", cut, "ciphertext_truncated");
}

#[test]
fn one_altered_byte_fails_the_drill() {
    let flip = |world: &World| {
        let mut object = sealed_layers(world);
        let last_chunk = object.len() - 1000;
        object[last_chunk] ^= 1;
        object
    };
    drill_of("flipped", flip, "ciphertext_corrupted");
}

#[test]
fn a_recovery_point_that_decrypts_to_nothing_fails_the_drill() {
    let outcome = drill_of("nothing-in-it", |world| seal(b"", &[&world.recipient]), "empty_dump");
    assert!(outcome.stdout.contains("pipefail"), "the hint names the usual cause\n{outcome}");
}

#[test]
fn an_sql_script_of_another_system_fails_the_drill() {
    let script =
        b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\nDROP TABLE IF EXISTS `orders`;\n";
    let outcome = drill_of("mysql", |world| seal(script, &[&world.recipient]), "not_an_archive");
    assert!(outcome.stdout.contains("MySQL or MariaDB"), "{outcome}");
}

#[test]
fn random_bytes_inside_valid_encryption_fail_the_drill() {
    let noise: Vec<u8> =
        (0..300_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 0x80).collect();
    drill_of("random", |world| seal(&noise, &[&world.recipient]), "not_an_archive");
}

#[test]
fn an_object_that_is_not_encrypted_fails_the_drill() {
    let outcome = drill_of("not-age", |_| dump("layers").to_vec(), "not_age");
    assert!(outcome.stdout.contains("begins with `PGDMP"), "{outcome}");
}

#[test]
fn a_recovery_point_for_another_key_tells_its_type_and_the_keys_tried() {
    let (_, stranger) = layer::generate_key();
    let outcome = drill_of("wrong-key", |_| seal(dump("layers"), &[&stranger]), "no_identity_fits");
    let message = outcome.verdict()["failure"]["message"].as_str().unwrap();
    assert!(message.contains("X25519"), "{message}");
    let tried = message.split("tried are ").nth(1).unwrap();
    assert!(tried.starts_with("age1") && !message.contains(&stranger), "{message}");
}

#[test]
fn a_dump_that_ends_early_never_passes_though_its_first_tables_restore() {
    let mut world = World::new("short-dump");
    let whole = dump("layers");
    let cuts = [
        ("in-the-last-table", whole.len() - 60_000),
        ("by-one-byte", whole.len() - 1),
        ("in-the-contents", 900),
    ];
    for (name, end) in cuts {
        world.dumped(name, &[], &whole[..end]).rows(name, name, "a_first", "exact = 100");
    }
    world.dumped("whole", &[], whole).rows("whole", "whole", "a_first", "exact = 100");
    let outcome = world.drill(&[]);
    outcome.failed(1, "dump_truncated");
    for (name, _) in cuts {
        assert_eq!(outcome.database(name)["status"], "failed", "{name}\n{outcome}");
        assert_eq!(outcome.database(name)["error"]["code"], "dump_truncated", "{name}\n{outcome}");
        assert_eq!(outcome.check(name)["status"], "skipped");
    }
    assert_eq!(outcome.database("in-the-last-table")["pg_restore"]["exit_code"], 1, "it had begun");
    assert_eq!(outcome.database("in-the-contents")["pg_restore"], Value::Null, "it had not");
    assert_eq!(outcome.database("whole")["status"], "restored", "one run tells all there is to tell");
    assert_eq!(outcome.check("whole")["status"], "pass");
    world.assert_nothing_left();
}

#[test]
fn rows_without_their_parents_fail_the_drill_and_children_are_skipped() {
    let mut world = World::new("orphans");
    world
        .dumped("orphans", &[], dump("orphans"))
        .dumped("child", &["orphans"], dump("quiet"))
        .dumped("grandchild", &["child"], dump("quiet"))
        .dumped("unrelated", &[], dump("ledger"))
        .rows("parents", "orphans", "parents", "min = 1")
        .tables("letters", "grandchild", &["letters"])
        .rows("entries", "unrelated", "entries", "exact = 11");
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "foreign_key_violated");
    assert!(verdict["failure"]["message"].as_str().unwrap().starts_with("orphans: "), "{outcome}");
    assert_eq!(outcome.database("orphans")["status"], "failed");
    for (name, parent) in [("child", "orphans"), ("grandchild", "child")] {
        let database = outcome.database(name);
        assert_eq!(database["status"], "skipped");
        assert_eq!(database["error"]["code"], "parent_failed");
        assert!(database["error"]["message"].as_str().unwrap().contains(parent), "{outcome}");
    }
    assert_eq!(outcome.database("unrelated")["status"], "restored");
    for (check, status) in [("parents", "skipped"), ("letters", "skipped"), ("entries", "pass")] {
        assert_eq!(outcome.check(check)["status"], status, "{check}");
    }
    assert!(outcome.log.contains("| FAIL |"), "{}", outcome.log);
    world.assert_nothing_left();
}

#[test]
fn the_dump_of_another_database_of_the_set_is_no_backup_of_this_one() {
    let mut world = World::new("mixed-up");
    world
        .dumped("ledger", &[], dump("ledger"))
        .dumped("quiet", &[], dump("ledger"))
        .rows("entries", "ledger", "entries", "exact = 11")
        .rows("the same", "quiet", "entries", "exact = 11");
    let outcome = world.drill(&[]);
    outcome.failed(1, "wrong_database");
    assert_eq!(outcome.database("quiet")["status"], "failed");
    assert_eq!(outcome.database("ledger")["status"], "restored");
    world.assert_nothing_left();
}

#[test]
fn a_dump_without_any_rows_is_warned_of() {
    let mut world = World::new("shell");
    world.dumped("empty-shell", &[], dump("empty-shell")).tables("tables", "empty-shell", &["entries"]);
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let warning = verdict["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.contains("no rows of public.entries"), "{outcome}");
    assert!(outcome.stdout.contains(warning), "people see it too\n{outcome}");
    world.assert_nothing_left();
}

#[test]
fn row_counts_outside_their_bounds_fail_the_drill() {
    let mut world = sound("bounds");
    world.template.checks = vec![
        "type = \"row-counts\"\nname = \"bounds\"\nrules = [\n\
         { database = \"identity\", table = \"tenants\", min = 4 },\n\
         { database = \"identity\", table = \"users\", max = 49 },\n\
         { database = \"identity\", table = \"archive.users\", exact = 6 },\n\
         { database = \"identity\", table = \"tenants\", min = 1, max = 3 },\n]\n"
            .to_owned(),
    ];
    let outcome = world.drill(&["--format", "json"]);
    outcome.failed(1, "row_count_low");
    let check = outcome.check("bounds");
    assert_eq!((&check["status"], &check["findings_total"]), (&json!("fail"), &json!(3)));
    let codes: Vec<&str> = check["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["row_count_low", "row_count_high", "row_count_differs"]);
    assert_eq!(outcome.stdout, outcome.verdict_text, "a failed drill's verdict is on stdout too");
    world.assert_nothing_left();
}

#[test]
fn a_backup_older_than_the_rpo_fails_the_drill_and_is_still_restored() {
    let mut world = sound("rpo");
    world.template.objectives = "rpo = \"30m\"\nrto = \"1h\"\n".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "rpo_missed");
    assert_eq!(verdict["objectives"]["rpo"]["met"], false);
    assert_eq!(verdict["objectives"]["rto"]["met"], true);
    assert_eq!(outcome.database("identity")["status"], "restored");
    assert_eq!(outcome.check("users")["status"], "pass");
    world.assert_nothing_left();
}

#[test]
fn a_recovery_slower_than_the_rto_fails_the_drill() {
    let mut world = sound("rto");
    world.template.objectives = "rto = \"1ms\"\n".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "rto_missed");
    assert_eq!(verdict["objectives"]["rto"]["met"], false);
    assert_eq!(outcome.check("users")["status"], "pass");
    world.assert_nothing_left();
}

#[test]
fn a_dump_newer_than_the_image_is_inconclusive() {
    let mut world = sound("newer-dump");
    world.template.image = "${DRILL_POSTGRES_15_IMAGE}".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "dump_newer_than_image");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("15"), "{outcome}");
    assert!(outcome.log.contains("| INCONCLUSIVE |"), "{}", outcome.log);
    world.assert_nothing_left();
}

#[test]
fn an_image_that_cannot_be_had_is_inconclusive() {
    let mut world = sound("no-image");
    // A registry on this machine that is not there: nothing outside is asked.
    world.template.image = "localhost:1/nope:1".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "image_unavailable");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("localhost:1/nope:1"), "{outcome}");
    world.assert_nothing_left();
}

#[test]
fn a_server_that_does_not_start_is_inconclusive_and_its_own_words_are_shown() {
    let mut world = sound("no-server");
    world.template.postgres = "settings = { max_connections = \"banana\" }\n".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "server_died");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("banana"), "{outcome}");
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("postgres.settings"), "{outcome}");
    world.assert_nothing_left();
}
