//! A verdict that another version wrote, read as far as it goes.
//!
//! A later version may write a word that this one does not know: another status of a check, another severity. Whether the drill
//! passed or failed must not be lost for that. So what cannot be read is taken out, piece by piece, and named; only what
//! every use of a verdict needs must be readable.

use serde_json::Value;

use crate::model::human;
use crate::model::verdict::{
    Isolation, Objectives, PlanRecord, RecoverySet, Runner, Stack, StoreRecord, Teardown, Verdict,
};

/// Keys that every use of a verdict needs.
const NEEDED: [&str; 9] = [
    "schema_version",
    "drill_id",
    "template",
    "timestamp",
    "status",
    "started_at",
    "finished_at",
    "at",
    "only",
];
/// Pieces that are taken out at most.
const PIECES: usize = 64;
/// Longest name of a piece, and longest reason.
const SHOWN: usize = 120;

/// A verdict in a form that this version does not know.
pub(super) enum Tolerated {
    /// It was read, but for these pieces.
    Read(Box<Verdict>, Vec<String>),
    /// What is needed could not be read.
    Unread {
        /// Its template.
        template: String,
        /// Its store, if that could be read.
        store: Option<StoreRecord>,
        /// What is not known.
        what: String,
    },
    /// It is no verdict.
    NotOurs,
}

/// Reads JSON that is no verdict of this version.
pub(super) fn read(text: &[u8]) -> Tolerated {
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else { return Tolerated::NotOurs };
    let is_version = value["schema_version"].as_u64().is_some_and(|version| version >= 1);
    let names_a_drill = value["drill_id"].as_str().is_some_and(|id| !id.is_empty());
    let template = value["template"].as_str().filter(|_| is_version && names_a_drill).map(str::to_owned);
    let Some(template) = template else { return Tolerated::NotOurs };
    let store = serde_json::from_value(value["plan"]["store"].clone()).ok();
    let mut left_out = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Verdict>(&value) {
            Ok(verdict) => return Tolerated::Read(Box::new(verdict), left_out),
            Err(error) => error,
        };
        let place = human::one_line(&error.path().to_string(), SHOWN);
        let why = human::one_line(&error.inner().to_string(), SHOWN);
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let needed = path.first().is_none_or(|key| NEEDED.contains(&key.as_str()));
        if needed || left_out.len() == PIECES || !take_out(&mut value, &path) {
            return Tolerated::Unread { template, store, what: format!("{place}: {why}") };
        }
        left_out.push(format!("{place}: {why}"));
    }
}

/// Takes a piece out. A whole section leaves an empty one.
fn take_out(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let mut place = value;
    for step in parents {
        let inner = match place {
            Value::Object(map) => map.get_mut(step),
            Value::Array(list) => index(step).and_then(|nth| list.get_mut(nth)),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        place = inner;
    }
    match place {
        Value::Object(map) if parents.is_empty() => match empty(last) {
            // One that is empty already is no progress.
            Some(section) => map.insert(last.clone(), section.clone()) != Some(section),
            None => map.remove(last).is_some(),
        },
        Value::Object(map) => map.remove(last).is_some(),
        Value::Array(list) => match index(last).filter(|nth| *nth < list.len()) {
            Some(nth) => {
                list.remove(nth);
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// The number in `[3]`.
fn index(step: &str) -> Option<usize> {
    step.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// A section that a verdict must have, with nothing in it.
fn empty(section: &str) -> Option<Value> {
    let made = match section {
        "runner" => serde_json::to_value(Runner::default()),
        "recovery_set" => serde_json::to_value(RecoverySet::default()),
        "plan" => serde_json::to_value(PlanRecord::default()),
        "stack" => serde_json::to_value(Stack::default()),
        "isolation" => serde_json::to_value(Isolation::default()),
        "objectives" => serde_json::to_value(Objectives::default()),
        "teardown" => serde_json::to_value(Teardown::default()),
        "databases" | "checks" | "phases" | "warnings" => Ok(Value::Array(Vec::new())),
        _ => return None,
    };
    made.ok()
}
