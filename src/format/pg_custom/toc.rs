//! What a restore asks of a table of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{
    database::{self, DatabaseLocale, DatabaseSetting},
    entry::{Entry, Section},
    header::Header,
    sql::{self, first_literal},
};

/// A header and all entries, in the order in which `pg_restore` would run them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    /// What the archive says about itself.
    pub header: Header,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Bytes from the start of the archive to the end of the table of contents.
    pub size_bytes: u64,
    /// Some text was not UTF-8, as in a dump of another [`encoding`](Toc::encoding), and has
    /// U+FFFD where bytes could not be read. Names may then differ from those in the database.
    pub lossy: bool,
}

/// A table, by the schema it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema. Empty if the archive does not say.
    pub schema: String,
    /// The name in that schema.
    pub name: String,
}

impl QualifiedName {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { schema: entry.namespace.clone().unwrap_or_default(), name: entry.tag.clone() }
    }

    pub(super) fn resolve((schema, name): (Option<String>, String), entry: &Entry) -> Self {
        Self { schema: schema.or_else(|| entry.namespace.clone()).unwrap_or_default(), name }
    }
}

/// `schema.name`.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::model::foreign::Foreign::new(crate::model::names::qualified(&self.schema, &self.name)).fmt(f)
    }
}

/// Rows of `child` that point at rows of `parent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The table that has the constraint.
    pub child: QualifiedName,
    /// The table that it references.
    pub parent: QualifiedName,
}

impl Toc {
    fn of_type<'a>(&'a self, desc: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.desc == desc)
    }

    /// Tables, with partitioned tables and their partitions; no views and no foreign tables.
    pub fn tables(&self) -> impl Iterator<Item = QualifiedName> {
        self.of_type("TABLE").map(QualifiedName::of)
    }

    /// Views, materialized ones too.
    pub fn views(&self) -> impl Iterator<Item = QualifiedName> {
        self.of_type("VIEW").chain(self.of_type("MATERIALIZED VIEW")).map(QualifiedName::of)
    }

    /// Tables whose rows are in the archive, if only none.
    pub fn table_data(&self) -> impl Iterator<Item = QualifiedName> {
        self.of_type("TABLE DATA").map(QualifiedName::of)
    }

    /// Tables that could have rows, and whose rows are not in the archive: they will be empty after a
    /// restore. `pg_dump` was asked for that by `--schema-only`, `--exclude-table-data` or the like.
    #[must_use]
    pub fn tables_without_data(&self) -> BTreeSet<QualifiedName> {
        let with_data: BTreeSet<_> = self.table_data().collect();
        self.of_type("TABLE")
            .filter(|table| !table.is_partitioned_table())
            .map(QualifiedName::of)
            .filter(|name| !with_data.contains(name))
            .collect()
    }

    /// What is made after the rows: indexes, keys, constraints, triggers, rules. `pg_dump --section` leaves all of it out
    /// and no trace of that: what an archive is not to hold is not listed in it (`WriteToc`).
    pub fn post_data(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.section == Section::PostData)
    }

    /// Extensions, which the server that is restored into must offer. Never `plpgsql` as it was
    /// installed by `initdb`: that one is not dumped.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.of_type("EXTENSION").map(|entry| entry.tag.as_str())
    }

    /// Schemas that the archive lists. See [`creates_public_schema`](Self::creates_public_schema).
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.of_type("SCHEMA").map(|entry| entry.tag.as_str())
    }

    /// Whether a restore runs `CREATE SCHEMA public`, which fails in a new database, since that has
    /// one. So it must be removed first.
    ///
    /// True for `pg_dump --schema=public`, and for any dump by a `pg_dump` before 11. A current one
    /// leaves `public` out, or, if its owner is not the usual one, lists it with only a comment
    /// (`selectDumpableNamespace`, `dumpNamespace`, and `_printTocEntry`, which is based on the comment).
    #[must_use]
    pub fn creates_public_schema(&self) -> bool {
        self.of_type("SCHEMA")
            .any(|entry| entry.tag == "public" && !entry.defn.is_empty() && !entry.defn.starts_with("--"))
    }

    /// The encoding of the dump by PostgreSQL's name, e.g. `UTF8`.
    #[must_use]
    pub fn encoding(&self) -> Option<&str> {
        self.of_type("ENCODING").find_map(|entry| first_literal(&entry.defn))
    }

    /// The locale of the database that was dumped. None if the archive does not say, or not in the form that `pg_dump`
    /// writes.
    #[must_use]
    pub fn locale(&self) -> Option<DatabaseLocale> {
        self.of_type("DATABASE").find_map(|entry| database::locale(&entry.defn))
    }

    /// The settings of that database, in the order in which they were made.
    #[must_use]
    pub fn settings(&self) -> Vec<DatabaseSetting> {
        self.of_type("DATABASE PROPERTIES").flat_map(|entry| database::settings(&entry.defn)).collect()
    }

    /// `standard_conforming_strings` of the session that dumped.
    #[must_use]
    pub fn std_strings(&self) -> Option<bool> {
        self.of_type("STDSTRINGS").find_map(|entry| match first_literal(&entry.defn)? {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// Roles that must exist for a restore with `--no-owner --no-privileges`: those that row-level
    /// security policies and user mappings name. Dumps do not hold roles, `pg_dumpall --roles-only` does.
    ///
    /// Without those that every server has: `PUBLIC`, and names that begin with `pg_`.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<String> {
        let policies = self.of_type("POLICY").flat_map(|entry| sql::policy_roles(&entry.defn));
        let mappings = self.of_type("USER MAPPING").filter_map(|entry| sql::user_mapping_role(&entry.defn));
        policies.chain(mappings).filter(|role| !role.starts_with("pg_")).collect()
    }

    /// These entries, and all that they need.
    #[must_use]
    pub fn needed_by(&self, ids: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        let needs: BTreeMap<i32, &[i32]> =
            self.entries.iter().map(|entry| (entry.dump_id, &*entry.dependencies)).collect();
        let mut needed: BTreeSet<i32> = ids.into_iter().collect();
        let mut open: Vec<i32> = needed.iter().copied().collect();
        while let Some(id) = open.pop() {
            let needs = needs.get(&id).copied().unwrap_or_default();
            open.extend(needs.iter().copied().filter(|id| needed.insert(*id)));
        }
        needed.retain(|id| needs.contains_key(id));
        needed
    }

    /// These entries, and all that need them.
    #[must_use]
    pub fn needing(&self, ids: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        let mut needing: BTreeSet<i32> = ids.into_iter().collect();
        loop {
            let before = needing.len();
            for entry in &self.entries {
                if entry.dependencies.iter().any(|id| needing.contains(id)) {
                    needing.insert(entry.dump_id);
                }
            }
            if needing.len() == before {
                return needing;
            }
        }
    }

    /// Foreign keys, in the order of the archive. One whose definition is not in the form that
    /// `pg_dump` writes is left out.
    #[must_use]
    pub fn foreign_keys(&self) -> Vec<ForeignKey> {
        self.of_type("FK CONSTRAINT")
            .filter_map(|entry| {
                let key = sql::foreign_key(&entry.defn)?;
                Some(ForeignKey {
                    name: key.name,
                    child: QualifiedName::resolve(key.child, entry),
                    parent: QualifiedName::resolve(key.parent, entry),
                })
            })
            .collect()
    }
}
