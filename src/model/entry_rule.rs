//! Which entries of an archive a template leaves out.

use std::fmt;

use serde::Deserialize;

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

/// Whether a text fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    // The earliest place for each part leaves the most for those after it.
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, is_fit) in [
            ("public.big", "public.big", true),
            ("public.big", "public.bigger", false),
            ("public.*", "public.big", true),
            ("public.*", "private.big", false),
            ("*.log_*", "public.log_2026", true),
            ("*.log_*", "public.catalog", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("", "", true),
            ("", "a", false),
            ("*é", "café", true),
        ] {
            assert_eq!(fits(pattern, text), is_fit, "{pattern} {text}");
        }
    }

    #[test]
    fn kind_and_name_must_fit_both() {
        let rule = EntryRule { kind: "TABLE DATA".to_owned(), name: "public.big".to_owned() };
        assert!(rule.matches("TABLE DATA", "public.big") && !rule.matches("TABLE", "public.big"));
        assert_eq!(rule.to_string(), "TABLE DATA public.big");
    }
}
