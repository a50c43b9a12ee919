//! The JSON Schemas of the documents that this program writes, `docs/schema/`, are those of the types that it writes.
//!
//! `make docs` writes them anew (it runs this test with `UPDATE_DOCS=1`); otherwise the test fails where they differ.

#[path = "support/schema.rs"]
#[expect(dead_code, reason = "tests of the program use the rest")]
mod schema;

use std::fs;
use std::path::Path;

use restore_drill::model::verdict::Verdict;
use restore_drill::plan::DrillPlan;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The schema of what is written: a key is required if it is always there.
fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

fn is_committed(name: &str, schema: &Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(name);
    let made = serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("docs can be written");
        fs::write(&path, made).expect("docs can be written");
    } else {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "`make docs` writes {} anew", path.display());
    }
}

#[test]
fn the_schema_of_a_verdict_is_committed() {
    is_committed("verdict.schema.json", &schema_of::<Verdict>());
}

#[test]
fn the_schema_of_a_plan_is_committed() {
    is_committed("plan.schema.json", &schema_of::<DrillPlan>());
}

#[test]
fn a_verdict_keeps_its_schema_and_one_without_a_key_does_not() {
    let mut verdict: Value = serde_json::from_str(include_str!("fixtures/verdict.json")).expect("a verdict");
    schema::assert_kept(schema::VERDICT, &verdict);
    verdict["databases"][0].as_object_mut().expect("a database").remove("rows");
    verdict["status"] = Value::from("WELL");
    let schema = serde_json::from_str(schema::VERDICT).expect("a schema");
    let broken = schema::violations(&schema, &verdict);
    assert_eq!(broken.len(), 2, "{broken:?}");
}
