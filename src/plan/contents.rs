//! What is inside a recovery point, according to its table of contents. Pure; no bytes of rows are needed.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::drift::Inventory;
use crate::format::BackupContents;
use crate::format::pg_custom::{Compression, Data, LeftOut, QualifiedName, Toc};
use crate::model::human::one_line;
use crate::model::order::order;
use crate::model::verdict::Archive;
use crate::template::TableName;

/// Names listed of each kind; the totals count all.
const LISTED: usize = 5000;
/// Cycles listed.
const CYCLES: usize = 20;
/// PostgreSQL's own limit is 63 bytes; a hostile archive has none.
const NAME_LENGTH: usize = 200;

/// What is inside a recovery point.
#[derive(Debug, Clone)]
pub struct Contents {
    /// What the dump says about itself.
    pub archive: Archive,
    /// When it was made, by a clock in a zone that it does not say.
    pub created_at: Option<NaiveDateTime>,
    /// Whether rows are compressed.
    pub compressed: bool,
    /// The server's major version.
    pub server_major: Option<u32>,
    /// The major version of the `pg_dump` that made it.
    pub dump_major: Option<u32>,
    /// The major version that a server must have at least: that of the one dumped, and one whose `pg_restore` knows the
    /// archive's format.
    pub needs_major: Option<u32>,
    /// Tables.
    pub tables: BTreeSet<QualifiedName>,
    /// Views, materialized ones too.
    pub views: BTreeSet<QualifiedName>,
    /// Tables that could have rows, and whose rows are not in the dump.
    pub without_rows: BTreeSet<QualifiedName>,
    /// How many tables have their rows in the dump, if only none.
    pub with_rows: usize,
    /// Extensions.
    pub extensions: BTreeSet<String>,
    /// Schemas.
    pub schemas: BTreeSet<String>,
    /// Which table refers to which, each pair once: child, then parent.
    pub references: BTreeSet<(QualifiedName, QualifiedName)>,
    /// Some names could not be read, since the dump's encoding is another.
    pub lossy: bool,
    /// The dump's encoding.
    pub encoding: Option<String>,
    /// Entries that make a relation or tie two together, which a server must be able to lock.
    pub relations: usize,
    /// Bytes of header and table of contents.
    pub toc_bytes: u64,
    /// The byte at which the rows of the last table begin, if the dump says so.
    pub last_data_at: Option<u64>,
    /// What of it the template leaves out. All else here is said of the rest.
    pub left_out: LeftOut,
    /// Bytes of the object that were read to know all this.
    pub read_bytes: u64,
    /// All that the backup says of its contents was read. Otherwise there may be more of everything.
    pub is_whole: bool,
    /// Everything in it that has a name.
    pub inventory: Inventory,
    /// The layers around it, the outermost first.
    pub layers: Vec<&'static str>,
}

impl Contents {
    /// What a table of contents says, of all but what is left out.
    pub fn of(backup: &BackupContents, left_out: LeftOut, read_bytes: u64) -> Self {
        let whole = backup.toc();
        let kept = (!left_out.is_nothing()).then(|| whole.without(&left_out));
        let toc = kept.as_ref().unwrap_or(whole);
        let header = &toc.header;
        let placed = whole.entries.iter().filter_map(|entry| match entry.data {
            Data::At(position) => Some(position),
            Data::None | Data::Unplaced => None,
        });
        let mut without_rows = toc.tables_without_data();
        // Their rows are in the dump.
        without_rows.retain(|table| !left_out.without_rows.contains(table));
        Self {
            archive: archive(backup),
            created_at: header.created_at,
            compressed: header.compression != Compression::None,
            server_major: header.server_major(),
            dump_major: header.dump_major(),
            needs_major: needs_major(toc),
            tables: toc.tables().collect(),
            views: toc.views().collect(),
            without_rows,
            with_rows: toc.table_data().count(),
            extensions: toc.extensions().map(str::to_owned).collect(),
            schemas: toc.schemas().map(str::to_owned).collect(),
            references: toc.foreign_keys().into_iter().map(|key| (key.child, key.parent)).collect(),
            lossy: toc.lossy,
            encoding: toc.encoding().map(|name| one_line(name, 40)),
            relations: toc.relations(),
            toc_bytes: toc.size_bytes,
            last_data_at: placed.max(),
            left_out,
            read_bytes,
            is_whole: backup.is_whole(),
            inventory: Inventory::of(whole),
            layers: Vec::new(),
        }
    }

    /// Whether the dump may be longer than the object that it lies in. Of all layers only age keeps the length, and gpg
    /// compresses too.
    pub fn may_have_shrunk(&self) -> bool {
        self.layers.iter().any(|layer| *layer != "age")
    }

    /// Whether this table is in the dump.
    pub fn has(&self, table: &TableName) -> bool {
        self.tables.contains(&qualified(table))
    }

    /// Whether a view of this name is in the dump.
    pub fn has_view(&self, table: &TableName) -> bool {
        self.views.contains(&qualified(table))
    }

    /// Whether this table's rows were left out.
    pub fn lacks_rows(&self, table: &TableName) -> bool {
        self.without_rows.contains(&qualified(table))
    }

    /// The contents as a plan shows them.
    pub fn record(&self) -> ContentsRecord {
        // A table may refer to itself, and waits for nothing then.
        let pairs = self.references.iter().filter(|(child, parent)| child != parent);
        let order = order(&self.tables, pairs.map(|(child, parent)| (child, parent)));
        let circles = order.circles.into_iter().take(CYCLES);
        ContentsRecord {
            encoding: self.encoding.clone(),
            schemas: listed(&self.schemas),
            extensions: listed(&self.extensions),
            tables_total: self.tables.len(),
            tables_without_rows: listed(&self.without_rows),
            references_total: self.references.len(),
            references: self
                .references
                .iter()
                .take(LISTED)
                .map(|(child, parent)| Reference { child: shown(child), parent: shown(parent) })
                .collect(),
            table_order: bounded(order.groups),
            cycles: circles.map(|circle| circle.into_iter().take(CYCLES).map(shown).collect()).collect(),
            relations_total: self.relations,
            toc_bytes: self.toc_bytes,
            read_bytes: self.read_bytes,
            partial: !self.is_whole,
        }
    }
}

pub(super) fn qualified(table: &TableName) -> QualifiedName {
    QualifiedName { schema: table.schema.clone(), name: table.table.clone() }
}

/// The major version that a server must have at least to restore this. A newer `pg_dump` may have made it: what that wrote
/// is by its server and in its format, and mostly restores.
pub fn needs_major(toc: &Toc) -> Option<u32> {
    toc.header.server_major().max(toc.header.format_version.first_major())
}

/// What a dump says about itself, in words that are safe to show.
pub fn archive(backup: &BackupContents) -> Archive {
    let toc = backup.toc();
    let header = &toc.header;
    Archive {
        format: backup.format_shown(),
        database: one_line(&header.database, NAME_LENGTH),
        server_version: one_line(&header.server_version, NAME_LENGTH),
        pg_dump_version: one_line(&header.dump_version, NAME_LENGTH),
        compression: header.compression.to_string(),
        created_at: header.created_at.map(|time| time.format("%Y-%m-%dT%H:%M:%S").to_string()),
        entries: toc.entries.len(),
        tables: toc.tables().count(),
        post_data: toc.post_data().count(),
    }
}

/// The contents of a recovery point, as a plan shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContentsRecord {
    /// The dump's encoding.
    pub encoding: Option<String>,
    /// Schemas it lists; not `public` as every database has it.
    pub schemas: Vec<String>,
    /// Extensions that the server must offer.
    pub extensions: Vec<String>,
    /// How many tables there are.
    pub tables_total: usize,
    /// Tables whose rows were left out of the dump.
    pub tables_without_rows: Vec<String>,
    /// How many pairs of tables refer to each other.
    pub references_total: usize,
    /// Those pairs.
    pub references: Vec<Reference>,
    /// Tables, parents before children: those of one group do not refer to each other.
    pub table_order: Vec<Vec<String>>,
    /// Tables that refer to each other in a circle. Rows restore all the same: keys are checked after them.
    pub cycles: Vec<Vec<String>>,
    /// Entries that make a relation or tie two together, which a server must be able to lock.
    pub relations_total: usize,
    /// Bytes of header and table of contents.
    pub toc_bytes: u64,
    /// Bytes of the object that were read.
    pub read_bytes: u64,
    /// The bytes that were read do not show all: there may be more of everything. So it is with plain SQL of which only the
    /// beginning was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A table that refers to another by a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reference {
    /// The table that refers.
    pub child: String,
    /// The table it refers to.
    pub parent: String,
}

fn shown(name: impl ToString) -> String {
    one_line(&name.to_string(), NAME_LENGTH)
}

fn listed<T: std::fmt::Display>(names: &BTreeSet<T>) -> Vec<String> {
    names.iter().take(LISTED).map(shown).collect()
}

fn bounded(groups: Vec<Vec<&QualifiedName>>) -> Vec<Vec<String>> {
    let mut left = LISTED;
    let mut out = Vec::new();
    for group in groups {
        let names: Vec<String> = group.into_iter().take(left).map(shown).collect();
        left -= names.len();
        if !names.is_empty() {
            out.push(names);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::read_toc;

    const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");

    fn name(text: &str) -> QualifiedName {
        QualifiedName { schema: "public".to_owned(), name: text.to_owned() }
    }

    fn ordered(tables: &[&str], references: &[(&str, &str)]) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
        let toc = BackupContents::PgCustom(read_toc(&std::fs::read(DUMP).unwrap()).unwrap());
        let mut contents = Contents::of(&toc, LeftOut::default(), 4096);
        contents.tables = tables.iter().map(|table| name(table)).collect();
        contents.references = references.iter().map(|(child, parent)| (name(child), name(parent))).collect();
        let record = contents.record();
        (record.table_order, record.cycles)
    }

    #[test]
    fn parents_stand_before_children() {
        let (groups, cycles) = ordered(
            &["users", "orgs", "keys", "alone"],
            &[("users", "orgs"), ("keys", "users"), ("keys", "orgs")],
        );
        assert_eq!(groups, [vec!["public.alone", "public.orgs"], vec!["public.users"], vec!["public.keys"]]);
        assert!(cycles.is_empty());
    }

    #[test]
    fn a_table_that_refers_to_itself_or_to_what_is_not_there_waits_for_nothing() {
        let (groups, cycles) = ordered(&["tree"], &[("tree", "tree"), ("tree", "elsewhere")]);
        assert_eq!((groups, cycles.len()), (vec![vec!["public.tree".to_owned()]], 0));
    }

    #[test]
    fn a_circle_is_told_and_broken_at_its_first_table() {
        let (groups, cycles) =
            ordered(&["a", "b", "c", "d"], &[("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")]);
        assert_eq!(groups, [vec!["public.b"], vec!["public.a", "public.c"], vec!["public.d"]]);
        assert_eq!(cycles, [["public.b", "public.c"]]);
    }

    #[test]
    fn what_a_real_dump_holds_is_told() {
        let toc = BackupContents::PgCustom(read_toc(&std::fs::read(DUMP).unwrap()).unwrap());
        let contents = Contents::of(&toc, LeftOut::default(), 4096);
        let record = contents.record();
        assert_eq!(record.tables_total, contents.archive.tables);
        assert_eq!(record.table_order.iter().map(Vec::len).sum::<usize>(), record.tables_total);
        assert!(contents.has(&"app.account".parse().unwrap()));
        assert!(!contents.has(&"account".parse().unwrap()), "it is in another schema");
        for view in ["app.open_tenant", "app.tenant_count"] {
            let view = view.parse().unwrap();
            assert!(contents.has_view(&view) && !contents.has(&view), "{view}");
        }
        assert_eq!(contents.needs_major, Some(17));
        assert!(contents.last_data_at.is_some_and(|at| at >= contents.toc_bytes));
    }
}
