//! `health`: a probe that needs a store and a key, and nothing else.

use serde_json::{Value, json};

use super::fixtures;
use super::support::world::{Outcome, World, ago};

const OBJECTIVES: &str = "rpo = \"24h\"";

fn backed_up(name: &str) -> World {
    let mut world = fixtures::backed_up(name);
    world.template.objectives = OBJECTIVES.to_owned();
    world.template.top = "health = { max_drill_age = \"100d\" }".to_owned();
    world
}

fn probe(world: &World, arguments: &[&str]) -> (Outcome, Value) {
    world.write_template();
    let arguments = [&["health", "-t", "./template.toml", "--format", "json"], arguments].concat();
    let outcome = world.run(&arguments);
    let health = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    (outcome, health)
}

/// The verdict of a drill that came to its end without an engine; nothing of it is left.
fn verdict(world: &World) -> Value {
    let outcome = world.drill(&[]);
    for place in ["reports", "runbooks"] {
        std::fs::remove_dir_all(world.path(place)).unwrap();
    }
    outcome.failed(3, "engine_unreachable").clone()
}

/// Writes this as the verdict of a drill of so many minutes ago.
fn leave(world: &World, minutes: i64, verdict: impl AsRef<[u8]>) {
    let name = restore_drill::model::names::compact(ago(minutes));
    world.write(&format!("reports/restore_drill/{name}.json"), verdict);
}

/// A drill that ended so many minutes ago.
fn drilled(world: &World, mut verdict: Value, status: &str, minutes: i64) {
    verdict["status"] = status.into();
    for moment in ["started_at", "finished_at"] {
        verdict[moment] = json!(ago(minutes));
    }
    if status == "PASS" {
        verdict["failure"] = Value::Null;
    }
    leave(world, minutes, verdict.to_string());
}

#[test]
fn fresh_backups_that_were_drilled_are_healthy() {
    let world = backed_up("health-good");
    let verdict = verdict(&world);
    drilled(&world, verdict.clone(), "FAIL", 900);
    drilled(&world, verdict.clone(), "PASS", 30);
    world.write("reports/restore_drill/29991231.json", "not a verdict");
    let (outcome, health) = probe(&world, &["--strict"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!((&health["status"], &health["warnings"]), (&json!("healthy"), &json!([])), "{outcome}");
    assert_eq!((&health["sets"], &health["threshold_hours"]), (&json!(1), &json!(24.0)));
    let age = health["age_hours"].as_f64().expect("a number");
    assert!((0.9..1.3).contains(&age), "{age}");
    let database = &health["databases"][0];
    assert_eq!(
        (&database["present"], &database["fresh"], &database["contents"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(health["last_drill"]["status"], "PASS");
    let human = world.run(&["health", "-t", "./template.toml"]);
    assert_eq!(human.stdout.lines().last(), Some("Disaster recovery is HEALTHY"), "{human}");
}

#[test]
fn drills_that_broke_off_are_a_warning_until_another_passes() {
    let world = backed_up("health-broken-off");
    let verdict = verdict(&world);
    drilled(&world, verdict.clone(), "PASS", 90);
    // The world of a moment ago: its process began at another time than the one that has its number now.
    let this = restore_drill::sandbox::owner::Owner::this_process().to_string();
    let dead = format!("{}:1", this.rsplit_once(':').expect("four parts").0);
    let mut running = verdict.clone();
    running["status"] = "RUNNING".into();
    running["finished_at"] = Value::Null;
    running["runner"]["owner"] = dead.into();
    let running = running.to_string();
    leave(&world, 60, &running);
    leave(&world, 50, "");
    leave(&world, 40, &running[..30]);
    let (outcome, health) = probe(&world, &[]);
    assert_eq!((outcome.code, &health["status"]), (0, &json!("warning")), "{outcome}");
    assert_eq!(health["broken_off"].as_array().expect("a list").len(), 3, "{outcome}");
    assert_eq!(probe(&world, &["--strict"]).0.code, 1);
    drilled(&world, verdict.clone(), "PASS", 30);
    assert_eq!(probe(&world, &["--strict"]).0.code, 0);
}

#[test]
fn backups_that_were_never_drilled_are_a_warning() {
    let world = backed_up("health-undrilled");
    let (outcome, health) = probe(&world, &[]);
    assert_eq!((outcome.code, &health["status"]), (0, &json!("warning")), "{outcome}");
    assert_eq!(probe(&world, &["--strict"]).0.code, 1);
    world.assert_nothing_written();
}

#[test]
fn a_dump_without_a_critical_table_is_critical() {
    let mut world = backed_up("health-contents");
    let verdict = verdict(&world);
    world.tables("tables", fixtures::FIXTURE, &["no_such_table"]);
    drilled(&world, verdict, "PASS", 30);
    let (outcome, health) = probe(&world, &[]);
    assert_eq!((outcome.code, &health["status"]), (1, &json!("critical")), "{outcome}");
    assert_eq!(health["databases"][0]["contents"], false);
    assert!(health["warnings"][0].as_str().expect("text").contains("no_such_table"), "{outcome}");
}

#[test]
fn a_drill_that_failed_and_a_backup_that_is_missing_are_critical() {
    let mut world = backed_up("health-bad");
    let verdict = verdict(&world);
    drilled(&world, verdict, "FAIL", 30);
    let (outcome, health) = probe(&world, &[]);
    assert_eq!((outcome.code, &health["status"]), (1, &json!("critical")), "{outcome}");
    world.database("ledger", &[]);
    let (outcome, health) = probe(&world, &[]);
    assert_eq!((outcome.code, &health["sets"]), (1, &json!(0)), "{outcome}");
    assert_eq!(health["age_hours"], Value::Null);
}

#[test]
fn a_store_that_does_not_answer_says_nothing_of_health() {
    let mut world = backed_up("health-no-store");
    world.template.endpoint = "http://127.0.0.1:1".to_owned();
    world.environment.insert("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned());
    world.write_template();
    world.run(&["health", "-t", "./template.toml"]).refused(3, &["cannot be reached"]);
}
