//! Restore order: parents before children.

use super::schema::{Database, Template};
use crate::model::names::DatabaseName;
use crate::model::order::order;

impl Template {
    /// Its databases in the order of their restore: those of one wave do not wait for each other.
    pub fn waves(&self) -> Vec<Vec<DatabaseName>> {
        waves(&self.databases).expect("a template is validated when it is loaded")
    }
}

/// Groups databases into waves: each database stands in the first wave after all of its parents.
///
/// # Errors
/// A sentence naming the unknown parent, or the databases of a cycle.
pub fn waves(databases: &[Database]) -> Result<Vec<Vec<DatabaseName>>, String> {
    let pairs =
        || databases.iter().flat_map(|child| child.after.iter().map(move |parent| (&child.name, parent)));
    if let Some((child, parent)) =
        pairs().find(|(_, parent)| !databases.iter().any(|other| other.name == **parent))
    {
        return Err(format!("database {child} comes after {parent}, which is not among [[databases]]"));
    }
    let order = order(databases.iter().map(|database| &database.name), pairs());
    if let Some(circle) = order.circles.first() {
        let names: Vec<&str> = circle.iter().chain(circle.first()).map(|name| name.as_str()).collect();
        return Err(format!("databases wait for each other in a cycle: {}", names.join(" → ")));
    }
    Ok(order.groups.into_iter().map(|wave| wave.into_iter().cloned().collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(name: &str, after: &[&str]) -> Database {
        toml::from_str(&format!("name = {name:?}\nafter = {after:?}")).unwrap()
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
