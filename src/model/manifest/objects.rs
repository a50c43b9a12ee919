//! What a database has besides rows: indexes, constraints, views, functions, triggers and the like, as its catalogs say
//! it. Pure.
//!
//! An object is known by its kind, its schema, its table and its name, never by a number of the server's. Its definition
//! stands here as a hash: the manifest of five thousand tables stays small.

mod definition;

use serde::{Deserialize, Serialize};

use super::{Database, Manifest, Recorded};
use crate::model::human;

pub use definition::{Definition, FORM};

/// A database's objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// How definitions were brought into one form before they were hashed: [`FORM`].
    pub form: u32,
    /// In the order of their kinds and names.
    pub objects: Vec<CatalogObject>,
}

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A schema.
    Schema,
    /// An extension; what belongs to it is left out.
    Extension,
    /// An enumeration, a composite type, a range or a base type.
    Type,
    /// A domain.
    Domain,
    /// A function, a window function among them.
    Function,
    /// A procedure.
    Procedure,
    /// An aggregate.
    Aggregate,
    /// A table, partitioned and foreign ones too: its columns with their types, how it is partitioned.
    Table,
    /// A sequence, with its parameters and its owner.
    Sequence,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A column's default, the expression that generates it, or that it is an identity column.
    Default,
    /// An index that no constraint stands for.
    Index,
    /// A constraint of a table or of a domain, but for NOT NULL.
    Constraint,
    /// A trigger.
    Trigger,
    /// A rule.
    Rule,
    /// A row-level security policy: what it says is part of who may do what, and recorded there.
    Policy,
    /// Extended statistics.
    Statistics,
    /// A publication.
    Publication,
    /// An event trigger.
    EventTrigger,
    /// A kind that a later version of this program records.
    #[serde(other)]
    Other,
}

impl ObjectKind {
    /// All that are read from catalogs.
    pub const ALL: [Self; 19] = [
        Self::Schema,
        Self::Extension,
        Self::Type,
        Self::Domain,
        Self::Function,
        Self::Procedure,
        Self::Aggregate,
        Self::Table,
        Self::Sequence,
        Self::View,
        Self::MaterializedView,
        Self::Default,
        Self::Index,
        Self::Constraint,
        Self::Trigger,
        Self::Rule,
        Self::Statistics,
        Self::Publication,
        Self::EventTrigger,
    ];

    /// Its word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Aggregate => "aggregate",
            Self::Table => "table",
            Self::Sequence => "sequence",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Default => "default",
            Self::Index => "index",
            Self::Constraint => "constraint",
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::Statistics => "statistics",
            Self::Publication => "publication",
            Self::EventTrigger => "event trigger",
            Self::Other => "object",
        }
    }
}

/// One object of a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CatalogObject {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its schema; that of its table, if it has one. Empty for what is in no schema.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// The table, view or domain that it belongs to; empty if it stands for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Its name; a function's with the types of its arguments, a default's is its column.
    pub name: String,
    /// What of it can change without its definition: an extension's version, whether a trigger is enabled, whether a
    /// materialized view is populated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its definition, as the server prints it; absent where name and state are all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
    /// A table's columns that may not be null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_null: Vec<String>,
}

/// The state of a materialized view that a query can read.
pub const POPULATED: &str = "populated";
/// The state of one that a query cannot read.
pub const NOT_POPULATED: &str = "not populated";

/// What stands for an object where lists of them are compared.
pub type ObjectName<'a> = (ObjectKind, &'a str, &'a str, &'a str);

impl CatalogObject {
    /// What it is known by.
    pub fn key(&self) -> ObjectName<'_> {
        (self.kind, &self.schema, &self.table, &self.name)
    }

    /// Its schema, table and name, as far as it has them, with points between.
    pub fn path(&self) -> String {
        let parts = [&self.schema, &self.table, &self.name].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

impl Manifest {
    /// Leaves objects out, those of the database that has most first, until the manifest has no more than this many bytes:
    /// one that is too large is not read at all.
    pub fn leave_out_objects_beyond(&mut self, limit: usize) {
        while self.to_json().len() > limit {
            let number = |database: &Database| match &database.objects {
                Some(Recorded::Read(Objects { objects, .. })) => objects.len(),
                Some(Recorded::Unread { .. }) | None => 0,
            };
            let most =
                self.databases.iter_mut().filter(|database| number(database) > 0).max_by_key(|d| number(d));
            let Some(database) = most else { return };
            let reason = format!(
                "its {} made the manifest too large",
                human::things(number(database) as u64, "object")
            );
            database.objects = Some(Recorded::Unread { reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_is_too_large_leaves_the_most_objects_out_and_says_so() {
        let object = |name: &str| CatalogObject {
            kind: ObjectKind::View,
            schema: String::new(),
            table: String::new(),
            name: name.to_owned(),
            state: None,
            definition: None,
            not_null: Vec::new(),
        };
        let with = |number| {
            let objects = (0..number).map(|n: usize| object(&n.to_string())).collect();
            Some(Recorded::Read(Objects { form: FORM, objects }))
        };
        let mut manifest = crate::model::manifest::tests::of_rows(&[]);
        manifest.databases.push(manifest.databases[0].clone());
        (manifest.databases[0].objects, manifest.databases[1].objects) = (with(2), with(300));
        let whole = manifest.clone();
        manifest.leave_out_objects_beyond(1 << 20);
        assert_eq!(manifest, whole);
        manifest.leave_out_objects_beyond(10_000);
        assert_eq!(manifest.databases[0], whole.databases[0]);
        let reason = "its 300 objects made the manifest too large".to_owned();
        assert_eq!(manifest.databases[1].objects, Some(Recorded::Unread { reason }));
        manifest.leave_out_objects_beyond(0);
        assert!(matches!(manifest.databases[0].objects, Some(Recorded::Unread { .. })));
    }

    #[test]
    fn what_a_later_version_records_is_read_as_something_else() {
        let json = r#"{"status": "read", "form": 1, "objects": [
            {"kind": "index", "schema": "s", "table": "t", "name": "i", "definition": "ab", "added": 1},
            {"kind": "subscription", "name": "x"}]}"#;
        let Recorded::Read(Objects { objects, .. }) = serde_json::from_str(json).unwrap() else {
            panic!("read")
        };
        assert_eq!(objects[0].key(), (ObjectKind::Index, "s", "t", "i"));
        assert_eq!(objects[0].path(), "s.t.i");
        assert_eq!((objects[1].kind, objects[1].path().as_str()), (ObjectKind::Other, "x"));
        let written = serde_json::to_string(&objects[0]).unwrap();
        assert_eq!(written, r#"{"kind":"index","schema":"s","table":"t","name":"i","definition":"ab"}"#);
    }

    #[test]
    fn every_kind_has_a_word_and_is_written_as_one() {
        for kind in ObjectKind::ALL {
            let written = serde_json::to_string(&kind).unwrap();
            assert_eq!(written.trim_matches('"').replace('_', " "), kind.word());
        }
    }
}
