//! What the reader of canonical JSON and `serde_json` must agree on. The tests ask it, and so does the fuzzer, which has this
//! file as its own.

use serde_json::{Number, Value};

/// How two readers of a text disagree; none if they do not. `ours` is the canonical form, or whether it was refused for what
/// `serde_json` takes: depth, and a key that an object has twice.
pub fn disagreement(text: &str, ours: Result<&str, bool>) -> Option<String> {
    let theirs = serde_json::from_str::<Value>(text);
    match (ours, theirs) {
        (Err(true), _) | (Err(false), Err(_)) => None,
        (Err(false), Ok(_)) => Some("only serde_json takes it".to_owned()),
        (Ok(ours), Ok(theirs)) => match serde_json::from_str::<Value>(ours) {
            Ok(again) if same(&again, &theirs) => None,
            Ok(again) => Some(format!("{again} is not {theirs}")),
            Err(error) => Some(format!("the canonical form is no JSON: {error}")),
        },
        (Ok(_), Err(error)) => {
            let bound = ["recursion limit exceeded", "number out of range"];
            let is_bound = bound.iter().any(|bound| error.to_string().starts_with(bound));
            (!is_bound).then(|| format!("only serde_json refuses it: {error}"))
        }
    }
}

/// Equal but for how numbers are kept: `-0` is an integer to one, and a float to the other.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || Number::as_f64(a) == Number::as_f64(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
