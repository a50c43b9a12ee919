//! Newtypes for things that must not be mixed up.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::foreign::Foreign;

/// How a moment is written in project names, report names and object keys.
pub const COMPACT_TIMESTAMP: &str = "%Y%m%dT%H%M%SZ";

/// `2026-05-17T08:31:11Z` as `20260517T083111Z`.
pub fn compact(moment: DateTime<Utc>) -> String {
    moment.format(COMPACT_TIMESTAMP).to_string()
}

/// `schema.name`, a part in double quotes if a dot or a quote in it would make two names one, as Postgres quotes.
pub fn qualified(schema: &str, name: &str) -> String {
    let part = |text: &str| {
        if text.contains(['.', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    format!("{}.{}", part(schema), part(name))
}

/// The schema, if there is one, and the name: [`qualified`] read back. What is not in quotes ends at its first dot if it is
/// a schema, and may have dots if it is a name.
pub fn split_qualified(text: &str) -> Option<(Option<String>, String)> {
    let (first, rest) = quoted(text).or_else(|| {
        let (schema, name) = text.split_once('.').map_or((text, None), |(schema, name)| (schema, Some(name)));
        Some((schema.to_owned(), name))
    })?;
    let Some(rest) = rest else { return Some((None, first)) };
    match quoted(rest) {
        Some((name, None)) => Some((Some(first), name)),
        Some((_, Some(_))) => None,
        None => Some((Some(first), rest.to_owned())),
    }
}

/// What is in double quotes at the beginning, and what comes behind a dot after it.
fn quoted(text: &str) -> Option<(String, Option<&str>)> {
    let mut name = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (part, behind) = rest.split_once('"')?;
        name.push_str(part);
        rest = match behind.strip_prefix('"') {
            Some(more) => more,
            None if behind.is_empty() => return Some((name, None)),
            None => return Some((name, Some(behind.strip_prefix('.')?))),
        };
        name.push('"');
    }
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

macro_rules! parsed_on_deserialize {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_newtype! {
    /// The name of a database: in the template, in object keys, and on the server it is restored to.
    DatabaseName
}
parsed_on_deserialize!(DatabaseName);

impl FromStr for DatabaseName {
    type Err = String;

    /// Accepts what can stand in a key, a file name and an SQL identifier without surprises.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | '.');
        if text.is_empty() || text.len() > 63 || !text.chars().all(plain) || text.starts_with(['-', '.']) {
            return Err(format!(
                "`{}` is not a database name: 1 to 63 of A-Z a-z 0-9 _ - $ ., and not a - or . in front",
                text.escape_debug()
            ));
        }
        if matches!(text, "template0" | "template1") {
            return Err(format!("`{text}` belongs to Postgres itself and cannot be drilled"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_newtype! {
    /// The name of a PostgreSQL server of the stack: of its service, and what the others of the stack reach it by.
    ServerName
}
parsed_on_deserialize!(ServerName);

impl ServerName {
    /// What the server of `[postgres]` is called.
    pub const DEFAULT: &str = "postgres";

    /// Whether it is the server of `[postgres]`.
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }

    /// The template's section about it.
    pub fn section(&self) -> String {
        if self.is_default() { self.0.clone() } else { format!("servers.{}", self.0) }
    }
}

/// The server of `[postgres]`.
impl Default for ServerName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for ServerName {
    type Err = String;

    /// Accepts a label of a host's name (RFC 1123) that leaves room in the name of a container.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty()
            || text.len() > 40
            || !text.chars().all(plain)
            || text.starts_with('-')
            || text.ends_with('-')
        {
            return Err(format!(
                "`{}` is not the name of a server: 1 to 40 of a-z 0-9 -, and not a - in front or at the end",
                text.escape_debug()
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The whole key of an object in a store, prefix and all. Whoever may write to the store chose it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ObjectKey(#[schemars(with = "String")] Foreign);

impl ObjectKey {
    /// Wraps a key as the store gave it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(Foreign::new(key))
    }

    /// The key itself, to ask the store for.
    pub fn as_str(&self) -> &str {
        self.0.raw()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

text_newtype! {
    /// The name of a drill's Compose project, and the stem of all its containers' names.
    ProjectName
}

impl ProjectName {
    /// `<prefix>_<timestamp>`, for example `acp_drill_20260517T083111Z`.
    pub fn new(prefix: &ProjectPrefix, started_at: DateTime<Utc>) -> Self {
        Self(format!("{prefix}_{}", compact(started_at)))
    }

    /// The project of something that is not a drill: `<prefix>_<purpose>_<timestamp>`.
    pub fn of(prefix: &ProjectPrefix, purpose: &str, started_at: DateTime<Utc>) -> Self {
        Self(format!("{prefix}_{purpose}_{}", compact(started_at)))
    }

    /// The same a second later.
    pub fn next(&self) -> Self {
        let (stem, stamp) = self.0.rsplit_once('_').expect("a moment stands behind the last _");
        let moment = NaiveDateTime::parse_from_str(stamp, COMPACT_TIMESTAMP).expect("it was written so");
        Self(format!("{stem}_{}", compact(moment.and_utc() + TimeDelta::seconds(1))))
    }

    /// The project as Compose knows it. Compose v2 refuses capitals in `-p`, so the label that it filters by, and every
    /// command shown to people, has the name in lower case.
    pub fn compose_label(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

parsed_on_deserialize!(ProjectName);

impl FromStr for ProjectName {
    type Err = String;

    /// Accepts what ends in a moment, as every project does.
    fn from_str(text: &str) -> Result<Self, String> {
        let moment =
            text.rsplit_once('_').map(|(_, stamp)| NaiveDateTime::parse_from_str(stamp, COMPACT_TIMESTAMP));
        match moment {
            Some(Ok(_)) => Ok(Self(text.to_owned())),
            _ => Err(format!("`{}` is not a project name: it does not end in a moment", text.escape_debug())),
        }
    }
}

text_newtype! {
    /// What a drill's project names begin with, for example `acp_drill`.
    ProjectPrefix
}
parsed_on_deserialize!(ProjectPrefix);

impl FromStr for ProjectPrefix {
    type Err = String;

    /// Accepts what Compose accepts as a project name.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !starts_well || text.len() > 40 || !text.chars().all(plain) {
            return Err(format!(
                "`{}` is not a project prefix: up to 40 of a-z 0-9 _ -, a letter or digit first",
                text.escape_debug()
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Identifies one drill: in its verdict, and in the labels of everything it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DrillId(uuid::Uuid);

impl DrillId {
    /// A new random id.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }
}

impl fmt::Display for DrillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stand_as_they_are_and_two_names_are_never_one() {
        assert_eq!(qualified("public", "audit_logs"), "public.audit_logs");
        assert_eq!(qualified("Odd Schema", "naïve-table"), "Odd Schema.naïve-table");
        assert_eq!(qualified("a.b", "c"), "\"a.b\".c");
        assert_eq!(qualified("a", "b.c"), "a.\"b.c\"");
        assert_eq!(qualified("a\"b", "c"), "\"a\"\"b\".c");
        let split = |text: &str| split_qualified(text);
        assert_eq!(split("t"), Some((None, "t".to_owned())));
        assert_eq!(split("\"a.t\""), Some((None, "a.t".to_owned())));
        assert_eq!(split("a.b.c"), Some((Some("a".to_owned()), "b.c".to_owned())));
        for bad in ["\"a\".\"b\".c", "a.\"b\".c"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_qualified_name_is_read_back(schema in "[a-z.\" ]{1,6}", name in "[a-z.\" ]{1,6}") {
            let text = qualified(&schema, &name);
            prop_assert_eq!(split_qualified(&text), Some((Some(schema), name)));
        }
    }

    #[test]
    fn names_that_could_escape_their_place_are_refused() {
        for bad in ["", "../etc", "a b", "a/b", "-x", ".x", "a\"b", "template0", "né", &"x".repeat(64)] {
            assert!(bad.parse::<DatabaseName>().is_err(), "{bad:?} must be refused");
        }
        assert!("acp_identity-2$".parse::<DatabaseName>().is_ok());
    }

    #[test]
    fn a_project_is_its_prefix_and_the_moment_it_began() {
        let prefix: ProjectPrefix = "acp_drill".parse().unwrap();
        let at = DateTime::from_timestamp(1_779_006_671, 0).unwrap();
        let project = ProjectName::new(&prefix, at);
        assert_eq!(project.as_str(), "acp_drill_20260517T083111Z");
        assert_eq!(project.compose_label(), "acp_drill_20260517t083111z");
        let backup = ProjectName::of(&prefix, "backup", at + TimeDelta::seconds(48));
        assert_eq!(backup.next().as_str(), "acp_drill_backup_20260517T083200Z");
    }

    #[test]
    fn a_server_is_named_as_a_host_is() {
        for bad in ["", "-x", "x-", "Legacy", "a_b", "a.b", "a b", &"x".repeat(41)] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad:?} must be refused");
        }
        assert_eq!("legacy-15".parse::<ServerName>().unwrap().section(), "servers.legacy-15");
        assert_eq!(ServerName::default().section(), "postgres");
    }

    #[test]
    fn a_prefix_is_what_compose_accepts() {
        for bad in ["", "Drill", "_x", "a.b", "a b"] {
            assert!(bad.parse::<ProjectPrefix>().is_err(), "{bad:?} must be refused");
        }
    }
}
