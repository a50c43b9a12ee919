//! `doctor` without an engine.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fixtures::backed_up;
use super::support::world::World;

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

#[test]
fn an_engine_that_does_not_answer_is_one_item_of_many() {
    let world = backed_up("doctor-no-engine");
    let (code, items) = examine(&world);
    assert_eq!(code, 3, "{items:?}");
    assert_eq!(items["Docker engine"]["status"], "failed");
    assert!(items.keys().any(|what| what.starts_with("header of ")), "{items:?}");
}
