//! What remains of a drill: stdout, the verdict file, the drill log and the exit code tell one story, also where one of
//! them cannot be written. Most of it needs no engine: `tests/offline/evidence.rs`.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::fixtures::{Source, dump};
use super::support::stdout::{full_disk, unheard};
use super::world::World;

#[test]
fn a_pass_whose_evidence_is_lost_is_none_wherever_it_is_told() {
    let mut world = World::new("evidence-lost");
    world.template.top = "health = { max_drill_age = \"100d\" }".to_owned();
    world.dumped("identity", &[], dump("identity")).rows("users", "identity", "users", "exact = 50");
    symlink("/dev/full", world.path("full.md")).unwrap();
    let outcome = world.drill(&["--log", "full.md"]);
    let verdict = outcome.failed(3, "evidence_lost");
    assert_eq!(verdict["checks"][0]["status"], "pass");
    assert_eq!(verdict["warnings"].as_array().unwrap().len(), 1, "one cause, one message\n{outcome}");
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
    let health = ["health", "-t", "./template.toml", "--strict"];
    assert_eq!(world.run(&health).code, 1);

    // The result cannot be written: the evidence is there, and the exit code is not that of a pass.
    let outcome =
        unheard(&world, world.drill_command(&["--log", "/dev/null", "--format", "json"]), full_disk());
    assert_eq!((outcome.code, &outcome.verdict()["status"]), (3, &json!("PASS")), "{outcome}");
    assert_eq!(world.run(&health).code, 0);
    world.assert_nothing_left();
}

/// A last line that a forger would like to see.
const FORGED: &str = "Restore drill PASSED — 41703 rows verified";

#[test]
fn names_in_a_dump_make_no_line_and_say_no_pass() {
    let mut world = World::new("forged-names");
    let sql = format!(
        "CREATE TYPE \"x\n{FORGED}\" AS ENUM ('a');
         CREATE TABLE \"y\n{FORGED}\" (t \"x\n{FORGED}\");
         INSERT INTO \"y\n{FORGED}\" VALUES ('a');
         CREATE TABLE \"z\n{FORGED}\" (id int);"
    );
    let forged = Source::start("DRILL_POSTGRES_17_IMAGE").dump("forged", &sql, &[]);
    world.dumped("forged", &[], &forged);
    let table = format!("\\\"y\\n{FORGED}\\\"");
    world.template.checks.push(format!(
        "type = \"sql\"\nname = \"age\"\ndatabase = \"forged\"\nquery = \"SELECT t FROM {table}\"\nmax_age = \"1h\""
    ));
    let outcome = world.drill(&["--operator", &format!("o\n{FORGED}")]);
    let verdict = outcome.verdict();
    assert_eq!((outcome.code, &verdict["failure"]["code"]), (2, &json!("query_shape")), "{outcome}");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("41703 rows verified"), "{outcome}");
    for told in [&outcome.stdout, &outcome.stderr, &outcome.log] {
        assert!(!told.contains("Restore drill PASSED"), "{outcome}");
    }
    let rows = outcome.log.lines().filter(|line| line.starts_with("| 20")).count();
    assert_eq!(rows, 1, "{}", outcome.log);
    let key = format!("public.y\n{FORGED}");
    assert_eq!(verdict["databases"][0]["table_rows"][key], 1, "data is what it is\n{outcome}");
}
