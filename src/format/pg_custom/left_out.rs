//! What a template leaves out of an archive, and what goes with it: an entry that depends on one that is not restored
//! could not be restored either, and neither can a key to rows that are not there.
//!
//! All by the archive's own dependencies. `pg_dump` names for each entry those that it needs, and looks through what is in
//! no archive, such as the members of an extension (`findDumpableDependencies`).

mod access;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::Entry;
use super::sql;
use super::toc::{QualifiedName, Toc};
use crate::model::entry_rule::EntryRule;
use crate::model::human::one_line;
#[cfg(test)]
pub use access::testing;
pub use access::{UnrestoredAccess, UnrestoredLargeObjects};

/// Entries that say how the archive is to be read, or of what database it is: they are no objects in it.
const SPECIAL: [&str; 5] = ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"];
/// Kinds of entries that an archive has of members of an extension.
const OF_MEMBERS: [&str; 5] = ["TABLE DATA", "SEQUENCE SET", "ACL", "COMMENT", "SECURITY LABEL"];
/// Schemas that every database has: what is in them, or said of them, goes with no extension.
const SYSTEM_SCHEMAS: [&str; 2] = ["pg_catalog", "information_schema"];
/// Kinds of entries through which a materialized view reads tables.
const READING: [&str; 2] = ["VIEW", "MATERIALIZED VIEW"];

/// An entry that is not restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutEntry {
    /// Its number in the archive.
    pub dump_id: i32,
    /// Its kind and name, for people.
    pub what: String,
    /// Why, for people.
    pub why: String,
}

/// What is not restored of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The entries, in the order of the archive.
    pub entries: Vec<LeftOutEntry>,
    /// Rules of the template that no entry fits, for people.
    pub unmatched: Vec<String>,
    /// Tables and views that are not restored.
    pub relations: BTreeSet<QualifiedName>,
    /// Tables that are restored without their rows.
    pub without_rows: BTreeSet<QualifiedName>,
    /// Tables that are restored, and lack rows or the partitions and heirs that have them.
    pub partial: BTreeSet<QualifiedName>,
    /// Materialized views that are not filled.
    pub unfilled: BTreeSet<QualifiedName>,
    /// Publications that lack tables.
    pub partial_publications: BTreeSet<String>,
    /// Materialized views that a function fills, which may read rows that are not restored.
    pub through_functions: BTreeSet<QualifiedName>,
    /// Sequences whose position is not restored.
    pub sequences: BTreeSet<QualifiedName>,
    /// Extensions that are not restored.
    pub extensions: BTreeSet<String>,
    /// Owners, privileges and policies that are not restored.
    pub access: UnrestoredAccess,
}

impl LeftOut {
    /// Whether all is restored.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.entries.is_empty()
    }

    /// The numbers of the entries.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<i32> {
        self.entries.iter().map(|entry| entry.dump_id).collect()
    }

    /// Whether a relation, or any of its rows, is not restored.
    #[must_use]
    pub fn lacks(&self, name: &QualifiedName) -> bool {
        [&self.relations, &self.without_rows, &self.partial].iter().any(|names| names.contains(name))
    }
}

impl Toc {
    /// What is not restored if these entries and extensions are left out.
    #[must_use]
    pub fn leave_out(&self, rules: &[EntryRule], extensions: &[String]) -> LeftOut {
        let mut picked = Picked::of(self);
        let mut unmatched = Vec::new();
        for name in extensions {
            let fits = |entry: &Entry| entry.desc == "EXTENSION" && entry.tag == *name;
            if !picked.pick(fits, &format!("ignore_extensions has {}", one_line(name, 80))) {
                unmatched.push(format!("ignore_extensions: {}", one_line(name, 80)));
            }
        }
        for rule in rules {
            let shown = one_line(&rule.to_string(), 160);
            let fits = |entry: &Entry| rule.matches(&entry.desc, &name_of(entry));
            if !picked.pick(fits, &format!("ignore has {shown}")) {
                unmatched.push(format!("ignore: {shown}"));
            }
        }
        if picked.why.is_empty() {
            return LeftOut { unmatched, ..LeftOut::default() };
        }
        picked.follow();
        picked.of_members();
        let lacking = picked.lacking();
        picked.keys_to_missing_rows(&lacking);
        picked.views_of_missing_rows(&lacking);
        picked.follow();
        picked.finish(&lacking, unmatched)
    }

    /// The archive without what is left out.
    #[must_use]
    pub fn without(&self, left_out: &LeftOut) -> Self {
        let ids = left_out.ids();
        let kept = self.entries.iter().filter(|entry| !ids.contains(&entry.dump_id));
        Self { entries: kept.cloned().collect(), header: self.header.clone(), ..*self }
    }
}

/// The entry's name as rules have it.
fn name_of(entry: &Entry) -> String {
    match &entry.namespace {
        Some(schema) => format!("{schema}.{}", entry.tag),
        None => entry.tag.clone(),
    }
}

/// Whether a schema has an extension's name in its own: `cron` of `pg_cron`, `_timescaledb_catalog` of `timescaledb`.
fn is_named_like(schema: &str, extension: &str) -> bool {
    let name = extension.strip_prefix("pg_").unwrap_or(extension);
    name.len() > 2 && schema.contains(name)
}

fn shown(entry: &Entry) -> String {
    entry.shown()
}

impl Entry {
    /// Its kind and its name, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        one_line(&format!("{} {}", self.desc, name_of(self)), 200)
    }
}

/// Entries that were picked so far, each with the reason.
struct Picked<'a> {
    toc: &'a Toc,
    by_id: HashMap<i32, &'a Entry>,
    dependents: HashMap<i32, Vec<&'a Entry>>,
    why: BTreeMap<i32, String>,
}

impl<'a> Picked<'a> {
    fn of(toc: &'a Toc) -> Self {
        let by_id = toc.entries.iter().map(|entry| (entry.dump_id, entry)).collect();
        let mut dependents: HashMap<i32, Vec<&Entry>> = HashMap::new();
        for entry in &toc.entries {
            for id in &entry.dependencies {
                dependents.entry(*id).or_default().push(entry);
            }
        }
        Self { toc, by_id, dependents, why: BTreeMap::new() }
    }

    /// Picks the entries that fit; false if none does.
    fn pick(&mut self, fits: impl Fn(&Entry) -> bool, why: &str) -> bool {
        let mut any = false;
        for entry in &self.toc.entries {
            if !SPECIAL.contains(&entry.desc.as_str()) && fits(entry) {
                any = true;
                self.why.entry(entry.dump_id).or_insert_with(|| why.to_owned());
            }
        }
        any
    }

    /// Picks whatever depends on what was picked.
    fn follow(&mut self) {
        let mut open: Vec<i32> = self.why.keys().copied().collect();
        while let Some(id) = open.pop() {
            let Some(cause) = self.by_id.get(&id) else { continue };
            for entry in self.dependents.get(&id).into_iter().flatten() {
                // Where an archive holds rows only, those of a child come after its parent's. They do not need them.
                let only_ordered = cause.desc == "TABLE DATA" && entry.desc == "TABLE DATA";
                if only_ordered
                    || SPECIAL.contains(&entry.desc.as_str())
                    || self.why.contains_key(&entry.dump_id)
                {
                    continue;
                }
                self.why.insert(entry.dump_id, format!("it depends on {}", shown(cause)));
                open.push(entry.dump_id);
            }
        }
    }

    /// Rows and privileges of an extension's own tables. They name the table, which is in no archive, and not the extension
    /// (`dumpTableData`, `dumpACL`): so they are known by their schema. It is the extension's, or named like it, or no
    /// extension is left that it could belong to.
    fn of_members(&mut self) {
        let is_picked = |entry: &&Entry| self.why.contains_key(&entry.dump_id);
        let (gone, kept): (Vec<&Entry>, Vec<&Entry>) =
            self.toc.entries.iter().filter(|entry| entry.desc == "EXTENSION").partition(is_picked);
        let mut found = Vec::new();
        for entry in self.toc.entries.iter().filter(|entry| OF_MEMBERS.contains(&&*entry.desc)) {
            let of_none = !entry.dependencies.iter().any(|id| self.by_id.contains_key(id));
            let of_schema = entry.namespace.is_none().then(|| entry.tag.strip_prefix("SCHEMA ")).flatten();
            let schema = entry.namespace.as_deref().or(of_schema);
            let Some(schema) = schema.filter(|_| of_none && !entry.dependencies.is_empty()) else { continue };
            if SYSTEM_SCHEMAS.contains(&schema) || of_schema == Some("public") {
                continue;
            }
            // The extension that is created in a schema does not own it, if it is in the archive.
            let is_listed =
                || self.toc.entries.iter().any(|entry| entry.desc == "SCHEMA" && entry.tag == schema);
            let owns = |extension: &&&Entry| {
                is_named_like(schema, &extension.tag)
                    || (self.toc.extension_schema(&extension.tag).as_deref() == Some(schema)
                        && (of_schema.is_none() || !is_listed()))
                    || (kept.is_empty() && of_schema.is_none())
            };
            if let Some(extension) = gone.iter().find(owns) {
                found.push((entry.dump_id, format!("it belongs to {}", shown(extension))));
            }
        }
        for (id, why) in found {
            self.why.entry(id).or_insert(why);
        }
    }

    /// Tables that lack rows: their own, or those of partitions and heirs.
    fn lacking(&self) -> BTreeSet<i32> {
        let without: BTreeSet<(Option<&str>, &str)> = self
            .toc
            .entries
            .iter()
            .filter(|entry| entry.desc == "TABLE DATA" && self.why.contains_key(&entry.dump_id))
            .map(|entry| (entry.namespace.as_deref(), entry.tag.as_str()))
            .collect();
        let lacks = |entry: &&Entry| {
            self.is_table(entry.dump_id)
                && (self.why.contains_key(&entry.dump_id)
                    || without.contains(&(entry.namespace.as_deref(), entry.tag.as_str())))
        };
        let mut lacking: BTreeSet<i32> =
            self.toc.entries.iter().filter(lacks).map(|entry| entry.dump_id).collect();
        let mut open: Vec<i32> = lacking.iter().copied().collect();
        while let Some(child) = open.pop() {
            let Some(table) = self.by_id.get(&child) else { continue };
            let attaches = |entry: &&&Entry| {
                entry.desc == "TABLE ATTACH" && entry.tag == table.tag && entry.namespace == table.namespace
            };
            let dependents = self.dependents.get(&child).into_iter().flatten();
            let ties = dependents.filter(attaches).chain([table]);
            for parent in ties.flat_map(|entry| &entry.dependencies) {
                if self.is_table(*parent) && lacking.insert(*parent) {
                    open.push(*parent);
                }
            }
        }
        lacking
    }

    fn is_table(&self, id: i32) -> bool {
        self.by_id.get(&id).is_some_and(|entry| entry.desc == "TABLE")
    }

    /// A foreign key to a table that lacks rows cannot be made.
    fn keys_to_missing_rows(&mut self, lacking: &BTreeSet<i32>) {
        let names: BTreeMap<QualifiedName, i32> =
            lacking.iter().filter_map(|id| Some((QualifiedName::of(self.by_id.get(id)?), *id))).collect();
        for entry in self.toc.entries.iter().filter(|entry| entry.desc == "FK CONSTRAINT") {
            let Some(key) = sql::foreign_key(&entry.defn) else { continue };
            let parent = QualifiedName::resolve(key.parent, entry);
            if let Some(id) = names.get(&parent) {
                let why = format!("not all rows of {} are restored", shown(self.by_id[id]));
                self.why.entry(entry.dump_id).or_insert(why);
            }
        }
    }

    /// A materialized view would be filled without rows that its source had.
    fn views_of_missing_rows(&mut self, lacking: &BTreeSet<i32>) {
        let views = self.views_over(lacking);
        for entry in self.toc.entries.iter().filter(|entry| entry.desc == "MATERIALIZED VIEW DATA") {
            if views.contains(&QualifiedName::of(entry)) {
                let why = "not all rows that it reads are restored";
                self.why.entry(entry.dump_id).or_insert_with(|| why.to_owned());
            }
        }
    }

    /// Materialized views that are filled through functions. What a function reads is in no archive.
    fn filled_through_functions(&self) -> BTreeSet<QualifiedName> {
        let functions = self.toc.entries.iter().filter(|entry| entry.desc == "FUNCTION");
        let views = self.views_over(&functions.map(|entry| entry.dump_id).collect());
        let filled =
            self.toc.entries.iter().filter(|entry| {
                entry.desc == "MATERIALIZED VIEW DATA" && !self.why.contains_key(&entry.dump_id)
            });
        filled.map(QualifiedName::of).filter(|name| views.contains(name)).collect()
    }

    /// Views that read one of these entries, through other views too.
    fn views_over(&self, entries: &BTreeSet<i32>) -> BTreeSet<QualifiedName> {
        let mut reading = entries.clone();
        let mut open: Vec<i32> = entries.iter().copied().collect();
        let mut views = BTreeSet::new();
        while let Some(id) = open.pop() {
            for entry in self.dependents.get(&id).into_iter().flatten() {
                if READING.contains(&&*entry.desc) && reading.insert(entry.dump_id) {
                    views.insert(QualifiedName::of(entry));
                    open.push(entry.dump_id);
                }
            }
        }
        views
    }

    fn finish(self, lacking: &BTreeSet<i32>, unmatched: Vec<String>) -> LeftOut {
        let mut left_out = LeftOut { unmatched, ..LeftOut::default() };
        if !lacking.is_empty() {
            left_out.through_functions = self.filled_through_functions();
        }
        for entry in &self.toc.entries {
            let Some(why) = self.why.get(&entry.dump_id) else { continue };
            left_out.entries.push(LeftOutEntry {
                dump_id: entry.dump_id,
                what: shown(entry),
                why: why.clone(),
            });
            let name = QualifiedName::of(entry);
            match entry.desc.as_str() {
                "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE" => left_out.relations.insert(name),
                "TABLE DATA" => left_out.without_rows.insert(name),
                "MATERIALIZED VIEW DATA" => left_out.unfilled.insert(name),
                "SEQUENCE SET" => left_out.sequences.insert(name),
                "EXTENSION" => left_out.extensions.insert(entry.tag.clone()),
                _ => false,
            };
        }
        let ids = left_out.ids();
        left_out.partial_publications = self.toc.partial_publications(&ids);
        left_out.access = UnrestoredAccess::of(self.toc, &ids);
        left_out.without_rows.retain(|name| !left_out.relations.contains(name));
        let names = lacking.iter().filter_map(|id| self.by_id.get(id).map(|entry| QualifiedName::of(entry)));
        left_out.partial = names.filter(|name| !left_out.relations.contains(name)).collect();
        left_out
    }
}

#[cfg(test)]
mod tests;
