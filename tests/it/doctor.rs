//! `doctor`: each item, sound and unsound.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fixtures::dump;
use super::world::{World, ago, seal};

/// The items by what was examined.
fn examine(world: &World) -> (i32, BTreeMap<String, Value>) {
    world.write_template();
    let outcome = world.run(&["doctor", "-t", "./template.toml", "--format", "json"]);
    let examination: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    world.assert_nothing_written();
    let items = examination["items"].as_array().expect("an array").iter();
    let items = items.map(|item| (item["what"].as_str().expect("text").to_owned(), item.clone()));
    (outcome.code, items.collect())
}

fn sound(name: &str) -> World {
    let mut world = World::new(name);
    world.dumped("identity", &[], dump("identity")).rows("rows", "identity", "tenants", "min = 1");
    world
}

#[test]
fn a_machine_that_can_drill_is_told_so() {
    let world = sound("doctor-sound");
    std::process::Command::new("chmod").arg("600").arg(world.path("age.key")).status().expect("chmod runs");
    let (code, items) = examine(&world);
    assert_eq!(code, 0, "{items:?}");
    let what: Vec<&str> = items.keys().map(String::as_str).collect();
    for expected in [
        "Docker engine",
        "age identities",
        "clock against the store's",
        "disk",
        "memory",
        "leftovers of drills",
    ] {
        assert!(what.contains(&expected), "{expected} in {what:?}");
    }
    for prefix in ["image ", "store s3://", "header of nightly/identity_", "mode of "] {
        assert!(what.iter().any(|what| what.starts_with(prefix)), "{prefix} in {what:?}");
    }
    for (what, item) in &items {
        assert!(item["status"] != "failed", "{what}: {item}");
        assert!(!item["seen"].as_str().expect("text").is_empty(), "{what}");
    }
    world.write_template();
    let human = world.run(&["doctor", "-t", "./template.toml"]);
    assert!(human.stdout.lines().last().unwrap().contains("would find what it needs"), "{human}");
}

#[test]
fn a_key_file_that_everybody_may_read_is_a_warning() {
    let world = sound("doctor-mode");
    std::process::Command::new("chmod").arg("644").arg(world.path("age.key")).status().expect("chmod runs");
    let (code, items) = examine(&world);
    let mode = items.iter().find(|(what, _)| what.starts_with("mode of ")).expect("it was looked at").1;
    assert_eq!((code, &mode["status"]), (0, &Value::from("warning")));
    assert!(mode["advice"].as_str().expect("advice").starts_with("chmod 600 "), "{mode}");
}

#[test]
fn a_dump_that_the_identity_does_not_open_is_a_bad_backup() {
    let mut world = sound("doctor-other-key");
    let (_, stranger) = restore_drill::layer::generate_key();
    world.put(&world.key("ledger", ago(30)), &seal(dump("ledger"), &[&stranger]));
    world.put(&world.key("quiet", ago(30)), b"");
    world.database("ledger", &[]).database("quiet", &[]);
    let (code, items) = examine(&world);
    assert_eq!(code, 1, "{items:?}");
    let status = |database: &str| {
        let prefix = format!("header of nightly/{database}_");
        items.iter().find(|(what, _)| what.starts_with(&prefix)).map(|(_, item)| item["status"].clone())
    };
    assert_eq!(status("identity"), Some("ok".into()));
    assert_eq!(status("ledger"), Some("failed".into()));
    assert_eq!(status("quiet"), Some("failed".into()));
}

#[test]
fn everything_is_looked_at_though_the_first_things_fail() {
    let mut world = sound("doctor-all");
    world.template.identities = vec![world.path("no-such.key")];
    world.template.image = "restore-drill/no-such-image:1".to_owned();
    world.template.endpoint = "http://127.0.0.1:1".to_owned();
    world.environment.insert("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned());
    let (code, items) = examine(&world);
    assert_eq!(code, 2, "the first failure is a configuration error: {items:?}");
    for prefix in ["age identities", "store ", "image restore-drill/no-such-image"] {
        let item = items.iter().find(|(what, _)| what.starts_with(prefix)).expect("it was looked at").1;
        assert_eq!(item["status"], "failed", "{item}");
        assert!(item["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{item}");
    }
    assert_eq!(items["Docker engine"]["status"], "ok");
}
