//! Restore order: parents before children.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::names::DatabaseName;
use crate::template::Database;

/// Groups databases into waves: each database stands in the first wave after all of its parents.
///
/// # Errors
/// A sentence naming the unknown parent, or the databases of a cycle.
pub fn waves(databases: &[Database]) -> Result<Vec<Vec<DatabaseName>>, String> {
    let mut waiting: BTreeMap<&DatabaseName, BTreeSet<&DatabaseName>> = BTreeMap::new();
    for database in databases {
        for parent in &database.after {
            if !databases.iter().any(|other| other.name == *parent) {
                return Err(format!(
                    "database {} comes after {parent}, which is not among [[databases]]",
                    database.name
                ));
            }
        }
        waiting.insert(&database.name, database.after.iter().collect());
    }
    let mut waves = Vec::new();
    while !waiting.is_empty() {
        let wave: Vec<&DatabaseName> =
            waiting.iter().filter(|(_, parents)| parents.is_empty()).map(|(name, _)| *name).collect();
        if wave.is_empty() {
            return Err(format!("databases wait for each other in a cycle: {}", cycle(&waiting)));
        }
        waiting.retain(|name, _| !wave.contains(name));
        for parents in waiting.values_mut() {
            parents.retain(|parent| !wave.contains(parent));
        }
        waves.push(wave.into_iter().cloned().collect());
    }
    Ok(waves)
}

/// Follows parents until a name comes up again. Every name in `waiting` has a parent in `waiting`.
fn cycle(waiting: &BTreeMap<&DatabaseName, BTreeSet<&DatabaseName>>) -> String {
    let mut path: Vec<&DatabaseName> = Vec::new();
    let mut current = waiting.keys().next().copied();
    while let Some(name) = current {
        if let Some(at) = path.iter().position(|seen| *seen == name) {
            path.drain(..at);
            path.push(name);
            break;
        }
        path.push(name);
        current = waiting.get(name).and_then(|parents| parents.first().copied());
    }
    path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(name: &str, after: &[&str]) -> Database {
        Database { name: name.parse().unwrap(), after: after.iter().map(|n| n.parse().unwrap()).collect() }
    }

    fn texts(waves: &[Vec<DatabaseName>]) -> Vec<Vec<&str>> {
        waves.iter().map(|wave| wave.iter().map(DatabaseName::as_str).collect()).collect()
    }

    #[test]
    fn parents_come_before_children() {
        let waves = waves(&[
            database("usage", &["audit", "identity"]),
            database("audit", &["registry"]),
            database("registry", &["identity"]),
            database("api", &["identity"]),
            database("identity", &[]),
        ])
        .unwrap();
        assert_eq!(texts(&waves), [vec!["identity"], vec!["api", "registry"], vec!["audit"], vec!["usage"]]);
    }

    #[test]
    fn a_cycle_is_named() {
        let error = waves(&[
            database("a", &["c"]),
            database("b", &["a"]),
            database("c", &["b"]),
            database("d", &["a"]),
        ]);
        assert_eq!(error.unwrap_err(), "databases wait for each other in a cycle: a → c → b → a");
        assert!(waves(&[database("a", &["a"])]).unwrap_err().ends_with("a → a"));
    }

    #[test]
    fn an_unknown_parent_is_named() {
        let error = waves(&[database("a", &["b"])]).unwrap_err();
        assert_eq!(error, "database a comes after b, which is not among [[databases]]");
    }
}
