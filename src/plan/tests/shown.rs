//! What a plan looks like to programs.

use super::*;

#[test]
fn a_full_plan_as_json_is_this() {
    let plan = super::super::plan(&demanding(), &pattern(), &rich(), now());
    let mut json = serde_json::to_value(&plan).unwrap();
    // These have a snapshot of their own.
    for key in ["recovery_set", "findings"] {
        json.as_object_mut().unwrap().remove(key);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn a_plan_as_json_is_this() {
    let json = serde_json::to_string_pretty(&troubled()).unwrap();
    insta::assert_snapshot!(json);
}
