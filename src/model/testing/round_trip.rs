//! That a verdict is what it was when it is read back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::any_verdict::any_verdict;
use super::passing;
use crate::model::verdict::Verdict;

proptest! {
    #[test]
    fn a_verdict_is_read_back_as_it_was_and_written_again_it_is_the_same_text(verdict in any_verdict()) {
        let text = serde_json::to_string(&verdict).unwrap();
        let read: Verdict = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
        prop_assert_eq!(read, verdict);
    }
}

/// Every object in a value.
fn objects(value: &mut Value, change: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            change(map);
            map.values_mut().for_each(|value| objects(value, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| objects(value, change)),
        _ => {}
    }
}

#[test]
fn keys_of_later_versions_are_passed_over() {
    let verdict = passing();
    let mut later = serde_json::to_value(&verdict).unwrap();
    for map in
        ["/runner", "/plan", "/recovery_set/points/0", "/databases/0", "/checks/0", "/isolation/probes/0", ""]
    {
        let map = later.pointer_mut(map).unwrap().as_object_mut().unwrap();
        map.insert("of_tomorrow".to_owned(), json!({"deep": [1]}));
    }
    assert_eq!(serde_json::from_value::<Verdict>(later).unwrap(), verdict);
}

#[test]
fn a_verdict_of_an_early_version_is_read() {
    // Keys that the first versions did not write.
    let added = [
        "store",
        "access",
        "owner",
        "not_verified",
        "post_data",
        "disconnected",
        "not_looked_at",
        "not_probed",
        "confirmed_at",
        "heads",
        "engine_endpoint",
        "engine_context",
    ];
    let mut early = serde_json::to_value(passing()).unwrap();
    objects(&mut early, &mut |map| map.retain(|key, _| !added.contains(&key.as_str())));
    let read: Verdict = serde_json::from_value(early).unwrap();
    let mut expected = passing();
    expected.drill_id = read.drill_id;
    expected.plan.store = None;
    expected.isolation.confirmed_at = None;
    assert_eq!(read, expected);
}
