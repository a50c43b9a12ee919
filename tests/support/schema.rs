//! Whether a JSON value keeps a schema, as far as the schemas of `docs/schema/` go.

use serde_json::Value;

/// The schema of a verdict.
pub const VERDICT: &str = include_str!("../../docs/schema/verdict.schema.json");
/// The schema of a plan.
pub const PLAN: &str = include_str!("../../docs/schema/plan.schema.json");

/// Asserts that a document keeps its schema.
pub fn assert_kept(schema: &str, document: &Value) {
    let schema = serde_json::from_str(schema).expect("a schema");
    assert_eq!(violations(&schema, document), [""; 0]);
}

/// What in a value breaks the schema, each with its place.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a definition");
        check(root, target, value, place, found);
    }
    for choices in ["anyOf", "oneOf"].iter().filter_map(|key| schema[key].as_array()) {
        let keeps = |choice: &&Value| {
            let mut broken = Vec::new();
            check(root, choice, value, place, &mut broken);
            broken.is_empty()
        };
        if !choices.iter().any(|choice| keeps(&choice)) {
            found.push(format!("{place}: none of the choices"));
        }
    }
    if let Some(wanted) = schema.get("const").filter(|wanted| *wanted != value) {
        found.push(format!("{place}: {value} is not {wanted}"));
    }
    if let Some(wanted) = schema["enum"].as_array().filter(|wanted| !wanted.contains(value)) {
        found.push(format!("{place}: {value} is none of {wanted:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|kind| is_a(kind, value)) {
        found.push(format!("{place}: {value} is no {types:?}"));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(key).is_none() {
            found.push(format!("{place}: {key} is missing"));
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(key).or(schema.get("additionalProperties"));
        match known {
            Some(known) => check(root, known, inner, &format!("{place}/{key}"), found),
            None if schema.get("properties").is_some() => {
                found.push(format!("{place}: {key} is not described"))
            }
            None => {}
        }
    }
    for (nth, inner) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            check(root, items, inner, &format!("{place}/{nth}"), found);
        }
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
