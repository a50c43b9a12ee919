//! The objects that an archive makes, by kind and name: what it promises.

use std::collections::{BTreeMap, BTreeSet};

use super::{LeftOut, entry::Entry, toc::Toc};
use crate::model::manifest::ObjectKind;

/// An object that an archive makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedObject {
    /// The number of its entry in the archive.
    pub dump_id: i32,
    /// Its kind.
    pub kind: ObjectKind,
    /// Its schema; empty for what is in none.
    pub schema: String,
    /// Its name as the archive has it: behind its table's for what `pg_dump` names so, a function's with the types of its
    /// arguments.
    pub tag: String,
    /// The table or view that it belongs to, by schema and name, as far as the archive says.
    pub table: Option<(String, String)>,
    /// It is a partition, or belongs to one.
    pub of_partition: bool,
}

/// What an archive promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promised {
    /// The objects that it makes.
    pub objects: Vec<ListedObject>,
    /// Objects that are in it and are not restored, because the template says so.
    pub left_out: Vec<ListedObject>,
    /// Materialized views that it fills, by schema and name.
    pub filled: BTreeSet<(String, String)>,
    /// Materialized views that it would fill, and that the template leaves empty.
    pub unfilled: BTreeSet<(String, String)>,
}

impl Toc {
    /// What the archive promises, if this is not restored.
    #[must_use]
    pub fn promised(&self, left_out: &LeftOut) -> Promised {
        let left_out = left_out.ids();
        let (unfilled, filled): (Vec<&Entry>, Vec<&Entry>) = self
            .entries
            .iter()
            .filter(|entry| entry.desc == "MATERIALIZED VIEW DATA")
            .partition(|entry| left_out.contains(&entry.dump_id));
        let (left_out, objects) =
            self.objects().into_iter().partition(|object| left_out.contains(&object.dump_id));
        let places = |entries: Vec<&Entry>| entries.into_iter().map(Entry::place).collect();
        Promised { objects, left_out, filled: places(filled), unfilled: places(unfilled) }
    }

    /// Publications that lack tables if the entries of these numbers are not restored: it publishes one of them, or a schema
    /// that one is in. What a partition is published by is not known.
    pub(super) fn partial_publications(&self, left_out: &BTreeSet<i32>) -> BTreeSet<String> {
        let is_left_out = |entry: &&Entry| left_out.contains(&entry.dump_id);
        let tables: Vec<&Entry> =
            self.entries.iter().filter(is_left_out).filter(|entry| entry.desc == "TABLE").collect();
        let attached = self.entries.iter().filter(is_left_out).any(|entry| entry.desc == "TABLE ATTACH");
        let is_partial = |entry: &&Entry| match entry.desc.as_str() {
            "PUBLICATION TABLE" => attached || left_out.contains(&entry.dump_id),
            "PUBLICATION TABLES IN SCHEMA" => {
                attached
                    || left_out.contains(&entry.dump_id)
                    || tables.iter().any(|table| table.namespace == entry.namespace)
            }
            _ => false,
        };
        let partial: Vec<&Entry> = self.entries.iter().filter(is_partial).collect();
        let lacks = |publication: &&Entry| {
            let belongs = |part: &&Entry| {
                part.dependencies.contains(&publication.dump_id)
                    || part
                        .tag
                        .strip_prefix(publication.tag.as_str())
                        .is_some_and(|name| name.starts_with(' '))
            };
            publication.desc == "PUBLICATION" && partial.iter().any(belongs)
        };
        self.entries.iter().filter(lacks).map(|entry| entry.tag.clone()).collect()
    }

    /// The objects that the archive makes, in its order; see [`ListedObject`]. Only those of kinds that [`ObjectKind`] has.
    #[must_use]
    pub fn objects(&self) -> Vec<ListedObject> {
        let relations: BTreeMap<i32, &Entry> = self
            .entries
            .iter()
            .filter(|entry| is_relation(entry))
            .map(|entry| (entry.dump_id, entry))
            .collect();
        let partitions: BTreeSet<_> =
            self.entries.iter().filter(|entry| entry.desc == "TABLE ATTACH").map(Entry::place).collect();
        let listed = |entry: &Entry| {
            let kind = kind(&entry.desc)?;
            // A view that is made in two steps.
            if kind == ObjectKind::Rule && entry.tag.ends_with(" _RETURN") {
                return None;
            }
            let table = table_of(entry, &relations).map(Entry::place);
            let of_partition = partitions.contains(table.as_ref().unwrap_or(&entry.place()));
            let (schema, tag) = entry.place();
            Some(ListedObject { dump_id: entry.dump_id, kind, schema, tag, table, of_partition })
        };
        self.entries.iter().filter_map(listed).collect()
    }
}

impl Entry {
    fn place(&self) -> (String, String) {
        (self.namespace.clone().unwrap_or_default(), self.tag.clone())
    }
}

fn is_relation(entry: &Entry) -> bool {
    matches!(
        kind(&entry.desc),
        Some(ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Domain)
    )
}

/// The relation that an entry belongs to. Most name it; an index depends on it.
fn table_of<'a>(entry: &Entry, relations: &BTreeMap<i32, &'a Entry>) -> Option<&'a Entry> {
    let mut needed = entry.dependencies.iter().filter_map(|id| relations.get(id).copied());
    match kind(&entry.desc)? {
        ObjectKind::Index | ObjectKind::Statistics => needed.next(),
        ObjectKind::Default
        | ObjectKind::Constraint
        | ObjectKind::Trigger
        | ObjectKind::Rule
        | ObjectKind::Policy => needed.find(|table| {
            entry.tag.strip_prefix(table.tag.as_str()).is_some_and(|name| name.starts_with(' '))
        }),
        _ => None,
    }
}

/// The kind of an entry (`pg_dump.c`: the `description` of each).
fn kind(desc: &str) -> Option<ObjectKind> {
    Some(match desc {
        "SCHEMA" => ObjectKind::Schema,
        "EXTENSION" => ObjectKind::Extension,
        "TYPE" => ObjectKind::Type,
        "DOMAIN" => ObjectKind::Domain,
        "FUNCTION" => ObjectKind::Function,
        "PROCEDURE" => ObjectKind::Procedure,
        "AGGREGATE" => ObjectKind::Aggregate,
        "TABLE" | "FOREIGN TABLE" => ObjectKind::Table,
        "SEQUENCE" => ObjectKind::Sequence,
        "VIEW" => ObjectKind::View,
        "MATERIALIZED VIEW" => ObjectKind::MaterializedView,
        "DEFAULT" => ObjectKind::Default,
        "INDEX" => ObjectKind::Index,
        "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT" => ObjectKind::Constraint,
        "TRIGGER" => ObjectKind::Trigger,
        "RULE" => ObjectKind::Rule,
        "POLICY" => ObjectKind::Policy,
        "STATISTICS" => ObjectKind::Statistics,
        "PUBLICATION" => ObjectKind::Publication,
        "EVENT TRIGGER" => ObjectKind::EventTrigger,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::read_toc;
    use crate::model::entry_rule::EntryRule;

    #[test]
    fn what_is_left_out_leaves_views_empty_and_publications_partial() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        let mut toc = read_toc(&std::fs::read(path).unwrap()).unwrap();
        let entry = |dump_id, desc: &str, tag: &str, schema: Option<&str>, dependencies: &[i32]| Entry {
            dump_id,
            desc: desc.to_owned(),
            tag: tag.to_owned(),
            namespace: schema.map(str::to_owned),
            dependencies: dependencies.to_vec(),
            ..Entry::default()
        };
        toc.entries = vec![
            entry(1, "TABLE", "t", Some("a"), &[]),
            entry(2, "TABLE", "u", Some("b"), &[]),
            entry(3, "PUBLICATION", "p", None, &[]),
            entry(4, "PUBLICATION", "q", None, &[]),
            entry(5, "PUBLICATION", "r", None, &[]),
            entry(6, "PUBLICATION TABLE", "p t", Some("a"), &[3, 1]),
            entry(7, "PUBLICATION TABLES IN SCHEMA", "q a", Some("a"), &[4]),
            entry(8, "PUBLICATION TABLE", "r u", Some("b"), &[5, 2]),
            entry(9, "MATERIALIZED VIEW DATA", "m", Some("a"), &[]),
            entry(10, "MATERIALIZED VIEW DATA", "n", Some("a"), &[]),
        ];
        let rule = |kind: &str, name: &str| EntryRule { kind: kind.to_owned(), name: name.to_owned() };
        let rules = [rule("TABLE", "a.t"), rule("MATERIALIZED VIEW DATA", "a.m")];
        let left_out = toc.leave_out(&rules, &[]);
        assert_eq!(left_out.ids(), [1, 6, 9].into());
        assert_eq!(left_out.partial_publications, ["p".to_owned(), "q".to_owned()].into());
        let promised = toc.promised(&left_out);
        assert_eq!(promised.unfilled, [("a".to_owned(), "m".to_owned())].into());
        assert_eq!(promised.filled, [("a".to_owned(), "n".to_owned())].into());
        assert!(toc.leave_out(&[rule("TABLE", "c.t")], &[]).partial_publications.is_empty());
    }

    #[test]
    fn a_real_archive_lists_its_objects_with_their_tables() {
        for dump in ["pg15-gzip.dump", "pg17-gzip.dump"] {
            let path = format!("{}/tests/fixtures/archive/{dump}", env!("CARGO_MANIFEST_DIR"));
            let toc = read_toc(&std::fs::read(path).unwrap()).unwrap();
            let objects = toc.objects();
            let of = |kind| -> Vec<String> {
                let found = objects.iter().filter(|object| object.kind == kind);
                found
                    .map(|object| {
                        let table =
                            object.table.as_ref().map(|(schema, name)| format!(" of {schema}.{name}"));
                        let partition = if object.of_partition { " (partition)" } else { "" };
                        format!("{}.{}{}{partition}", object.schema, object.tag, table.unwrap_or_default())
                    })
                    .collect()
            };
            let indexes = [
                "app.account_email of app.account",
                "app.reading_value of app.reading",
                "app.reading_2026_value_idx of app.reading_2026 (partition)",
                "app.reading_rest_value_idx of app.reading_rest (partition)",
            ];
            assert_eq!(of(ObjectKind::Index), indexes);
            assert_eq!(of(ObjectKind::Trigger), ["app.account touch of app.account"]);
            assert_eq!(of(ObjectKind::Default), ["public.event id of public.event"]);
            assert_eq!(of(ObjectKind::Function), ["app.touch()"]);
            assert_eq!(of(ObjectKind::MaterializedView), ["app.tenant_count"]);
            assert_eq!(of(ObjectKind::Extension), [".pg_trgm", ".pgcrypto"]);
            assert!(of(ObjectKind::Policy).contains(&"app.account read TO write of app.account".to_owned()));
            let constraints = of(ObjectKind::Constraint);
            assert!(constraints.contains(&"app.account account_tenant_id_fkey of app.account".to_owned()));
            assert!(constraints.iter().all(|constraint| constraint.contains(" of ")), "{constraints:?}");
            let filled = toc.promised(&LeftOut::default()).filled;
            assert_eq!(filled, [("app".to_owned(), "tenant_count".to_owned())].into());
            assert_eq!(toc.privileges(), 3);
        }
    }
}
