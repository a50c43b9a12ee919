//! What is not restored of who may do what, under the names that a manifest's record of access has for it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entry::Entry;
use super::super::toc::Toc;
use crate::model::manifest::{ObjectKind, object_name};

/// Owners, privileges and policies whose entries are not restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnrestoredAccess {
    /// Objects, by class and name.
    pub objects: BTreeSet<(String, String)>,
    /// Objects whose privileges are not restored, by class and name; functions are among `routines`.
    pub privileges: BTreeSet<(String, String)>,
    /// Functions whose privileges are not restored: the arguments of each, by its name.
    pub routines: BTreeMap<String, Vec<Vec<String>>>,
    /// Whether privileges on the database itself are not restored.
    pub of_database: bool,
    /// Default privileges, by role, schema and kind.
    pub default_privileges: BTreeSet<(String, Option<String>, String)>,
    /// Large objects, by their owner.
    pub large_objects: BTreeMap<Option<String>, UnrestoredLargeObjects>,
    /// Policies, by table and name.
    pub policies: BTreeSet<(String, String)>,
    /// Tables to which row security is not applied.
    pub row_security: BTreeSet<String>,
}

/// Large objects of one owner that are not restored as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnrestoredLargeObjects {
    /// How many are not restored at all.
    pub number: u64,
    /// Whether some are restored without their privileges.
    pub lack_privileges: bool,
}

impl UnrestoredAccess {
    /// Whether an object is not restored; of a column, whether its table is not.
    #[must_use]
    pub fn lacks_object(&self, kind: &str, name: &str) -> bool {
        let (kind, name) = if kind == "column" { ("table", table_of_column(name)) } else { (kind, name) };
        self.objects.contains(&(class(kind).to_owned(), name.to_owned()))
    }

    /// Whether privileges on an object are not restored.
    #[must_use]
    pub fn lacks_privileges(&self, kind: &str, name: &str) -> bool {
        if class(kind) == ROUTINE {
            let (name, arguments) = name.split_at(outside_quotes(name, '(').unwrap_or(name.len()));
            let arguments = split_arguments(arguments);
            let fits = |entry: &Vec<String>| same_types(entry, &arguments);
            return self.routines.get(name).is_some_and(|entries| entries.iter().any(fits));
        }
        self.privileges.contains(&(class(kind).to_owned(), name.to_owned()))
    }

    /// Whether who may do what with a table, or with any of its columns, is not restored.
    #[must_use]
    pub fn concerns_table(&self, schema: &str, table: &str) -> bool {
        let name = object_name("table", schema, table, "");
        let is_its_column =
            |(class, column): &(String, String)| class == "column" && table_of_column(column) == name;
        self.lacks_object("table", &name)
            || self.lacks_privileges("table", &name)
            || self.privileges.iter().any(is_its_column)
    }

    /// What these entries say, of all that the archive has.
    pub(super) fn of(toc: &Toc, left_out: &BTreeSet<i32>) -> Self {
        let mut unrestored = Self::default();
        for entry in toc.entries.iter().filter(|entry| left_out.contains(&entry.dump_id)) {
            unrestored.add(entry);
        }
        for policy in toc.objects() {
            let Some((schema, table)) = &policy.table else { continue };
            if policy.kind == ObjectKind::Policy && left_out.contains(&policy.dump_id) {
                let name =
                    policy.tag.strip_prefix(table.as_str()).unwrap_or_default().trim_start_matches(' ');
                unrestored.policies.insert((object_name("table", schema, table, ""), name.to_owned()));
            }
        }
        unrestored
    }

    fn add(&mut self, entry: &Entry) {
        let schema = entry.namespace.as_deref().unwrap_or_default();
        match entry.desc.as_str() {
            "ACL" => self.add_privileges(entry, schema),
            "DEFAULT ACL" => {
                let kind = entry.tag.strip_prefix("DEFAULT PRIVILEGES FOR ").unwrap_or_default();
                let role = entry.owner.clone().unwrap_or_default();
                self.default_privileges.insert((role, entry.namespace.clone(), kind.to_lowercase()));
            }
            "ROW SECURITY" => {
                self.row_security.insert(object_name("table", schema, &entry.tag, ""));
            }
            "BLOB" => self.large_objects.entry(entry.owner.clone()).or_default().number += 1,
            // Large objects that are alike stand in one entry, a line for each (`dumpLO`).
            "BLOB METADATA" => {
                let number = entry.defn.lines().filter(|line| !line.trim().is_empty()).count() as u64;
                self.large_objects.entry(entry.owner.clone()).or_default().number += number;
            }
            desc => {
                let Some(class) = class_of_entry(desc) else { return };
                let (name, arguments) = match entry.tag.find('(').filter(|_| class == ROUTINE) {
                    Some(at) => entry.tag.split_at(at),
                    None => (entry.tag.as_str(), ""),
                };
                // An aggregate of no arguments has a star (`format_aggregate_signature`).
                let arguments = arguments.replace("(*)", "()").replace(", ", ",");
                self.objects.insert((class.to_owned(), object_name("", schema, name, &arguments)));
            }
        }
    }

    /// The tag of an entry of privileges is the kind, and the name with quotes where it needs them (`dumpACL`).
    fn add_privileges(&mut self, entry: &Entry, schema: &str) {
        let tag = entry.tag.as_str();
        if tag.starts_with("DATABASE ") && schema.is_empty() {
            self.of_database = true;
            return;
        }
        if tag.starts_with("LARGE OBJECT") {
            self.large_objects.entry(entry.owner.clone()).or_default().lack_privileges = true;
            return;
        }
        let found = ACL_CLASSES.iter().find_map(|(word, class)| Some((*class, tag.strip_prefix(word)?)));
        let Some((class, (name, rest))) = found.and_then(|(class, rest)| Some((class, first_name(rest)?)))
        else {
            return;
        };
        match class {
            "column" => {
                let Some((column, _)) = rest.strip_prefix('.').and_then(first_name) else { return };
                self.privileges.insert((class.to_owned(), object_name(class, schema, &name, &column)));
            }
            ROUTINE => {
                let arguments = split_arguments(rest);
                let inputs = arguments.into_iter().filter(|argument| !argument.starts_with("OUT ")).collect();
                self.routines.entry(object_name(class, schema, &name, "")).or_default().push(inputs);
            }
            _ => {
                self.privileges.insert((class.to_owned(), object_name(class, schema, &name, "")));
            }
        }
    }
}

/// Functions, procedures and aggregates.
const ROUTINE: &str = "routine";
/// What an entry of privileges begins with, and the class of the object.
const ACL_CLASSES: [(&str, &str); 11] = [
    ("TABLE ", "relation"),
    ("SEQUENCE ", "relation"),
    ("COLUMN ", "column"),
    ("FUNCTION ", ROUTINE),
    ("PROCEDURE ", ROUTINE),
    ("TYPE ", "type"),
    ("DOMAIN ", "type"),
    ("SCHEMA ", "schema"),
    ("LANGUAGE ", "language"),
    ("FOREIGN DATA WRAPPER ", "foreign-data wrapper"),
    ("FOREIGN SERVER ", "foreign server"),
];

/// Kinds of a record whose names are unique among each other have one class; any other kind is its own.
fn class(kind: &str) -> &str {
    match kind {
        "table" | "view" | "materialized view" | "foreign table" | "sequence" => "relation",
        "function" | "procedure" | "aggregate" => ROUTINE,
        "domain" => "type",
        kind => kind,
    }
}

/// The class of the object that an entry makes. Operators, their classes and families are not among them: their names are
/// not unique.
fn class_of_entry(desc: &str) -> Option<&'static str> {
    Some(match desc {
        "TABLE" | "FOREIGN TABLE" | "VIEW" | "MATERIALIZED VIEW" | "SEQUENCE" => "relation",
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => ROUTINE,
        "TYPE" | "DOMAIN" => "type",
        "SCHEMA" => "schema",
        "PROCEDURAL LANGUAGE" => "language",
        "FOREIGN DATA WRAPPER" => "foreign-data wrapper",
        "SERVER" => "foreign server",
        "COLLATION" => "collation",
        "TEXT SEARCH CONFIGURATION" => "text search configuration",
        "TEXT SEARCH DICTIONARY" => "text search dictionary",
        "STATISTICS" => "statistics object",
        _ => return None,
    })
}

/// The first name of a text that `pg_dump` wrote, without its quotes, and what follows it.
fn first_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at(text.find(['.', '(']).unwrap_or(text.len()));
        return Some((name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &quoted[at + 1..]));
        }
    }
    None
}

/// Where a character first stands outside of quotes.
fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '"';
        (c == wanted && !is_quoted).then_some(at)
    })
}

/// The table's part of `schema.table.column`.
fn table_of_column(name: &str) -> &str {
    let mut end = 0;
    while let Some(at) = outside_quotes(&name[end..], '.') {
        let after = end + at + 1;
        if outside_quotes(&name[after..], '.').is_none() {
            return &name[..end + at];
        }
        end = after;
    }
    name
}

/// The arguments between the outermost brackets.
fn split_arguments(text: &str) -> Vec<String> {
    let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let (mut arguments, mut rest) = (Vec::new(), inside);
    while let Some(at) = outside_quotes(rest, ',') {
        arguments.push(rest[..at].trim().to_owned());
        rest = &rest[at + 1..];
    }
    arguments.push(rest.trim().to_owned());
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// Whether arguments of an entry, which may have a mode and a name, are of these types.
fn same_types(entry: &[String], types: &[String]) -> bool {
    let is_of = |(argument, wanted): (&String, &String)| {
        argument.strip_suffix(wanted.as_str()).is_some_and(|named| named.is_empty() || named.ends_with(' '))
    };
    entry.len() == types.len() && entry.iter().zip(types).all(is_of)
}

/// For tests of what is left out.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// An entry of a kind, a schema and a tag.
    pub fn entry(desc: &str, schema: Option<&str>, tag: &str) -> Entry {
        Entry {
            desc: desc.to_owned(),
            tag: tag.to_owned(),
            namespace: schema.map(str::to_owned),
            owner: Some("owner".to_owned()),
            ..Entry::default()
        }
    }

    /// What is not restored if the entries with these kinds, schemas and tags are not.
    pub fn without(entries: &[(&str, Option<&str>, &str)]) -> UnrestoredAccess {
        let mut unrestored = UnrestoredAccess::default();
        for (desc, schema, tag) in entries {
            unrestored.add(&entry(desc, *schema, tag));
        }
        unrestored
    }
}

#[cfg(test)]
mod tests;
