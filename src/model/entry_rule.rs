//! Which entries of an archive a template leaves out.

use std::fmt;

use serde::Deserialize;

use super::wildcard::fits;

/// Entries to leave out, by their kind and their name. A `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRule {
    /// The kind, as `pg_restore --list` shows it: `TABLE DATA`, `FK CONSTRAINT`. `*` stands for any text.
    pub kind: String,
    /// The name, with its schema in front where it has one: `public.big`, `public.orders orders_big_fkey`. `*` stands
    /// for any text.
    pub name: String,
}

impl EntryRule {
    /// Whether an entry of this kind and name is left out.
    #[must_use]
    pub fn matches(&self, kind: &str, name: &str) -> bool {
        fits(&self.kind, kind) && fits(&self.name, name)
    }
}

impl fmt::Display for EntryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_name_must_fit_both() {
        let rule = EntryRule { kind: "TABLE DATA".to_owned(), name: "public.big".to_owned() };
        assert!(rule.matches("TABLE DATA", "public.big") && !rule.matches("TABLE", "public.big"));
        assert_eq!(rule.to_string(), "TABLE DATA public.big");
    }
}
