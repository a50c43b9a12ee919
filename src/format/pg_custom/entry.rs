//! One entry of the table of contents.

/// Where the object is in the catalogs of the server that was dumped. Zeros for what has no place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CatalogId {
    /// The catalog, e.g. 1259 for `pg_class`.
    pub table_oid: u32,
    /// The row in it.
    pub oid: u32,
}

/// When a restore has to run an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Section {
    /// Comments and privileges: beside what they belong to.
    #[default]
    None,
    /// Before the rows.
    PreData,
    /// The rows, large objects, and the values of sequences.
    Data,
    /// Indexes, constraints, triggers.
    PostData,
}

/// Whether the archive holds data for an entry, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Data {
    /// None: the entry is its SQL.
    #[default]
    None,
    /// Somewhere after the table of contents. All that an archive written to a pipe can say.
    Unplaced,
    /// At this byte of the archive.
    At(u64),
}

/// One entry of the table of contents.
///
/// Where `pg_dump` writes either nothing or an empty text for "not so", both are `None` here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The number by which other entries, and lists for `pg_restore --use-list`, refer to this one.
    pub dump_id: i32,
    /// The object in the catalogs it was dumped from.
    pub catalog_id: CatalogId,
    /// The object's name, or more words for what has none: `account account_pkey`, `TABLE account`.
    pub tag: String,
    /// What it is: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`, `EXTENSION`, `POLICY`, …
    pub desc: String,
    /// When a restore runs it.
    pub section: Section,
    /// The SQL that makes the object; empty if there is none.
    pub defn: String,
    /// The SQL that removes it, for `pg_restore --clean`.
    pub drop_stmt: Option<String>,
    /// The `COPY` that the data belongs to.
    pub copy_stmt: Option<String>,
    /// The schema it is in.
    pub namespace: Option<String>,
    /// The tablespace, if not the database's own.
    pub tablespace: Option<String>,
    /// The table access method, e.g. `heap` (since format 1.14).
    pub table_access_method: Option<String>,
    /// The kind of relation as in `pg_class.relkind`, e.g. `r`, or `p` for partitioned (since format 1.16).
    pub relkind: Option<char>,
    /// The role that owns it.
    pub owner: Option<String>,
    /// `WITH OIDS`, which a server from 12 on cannot honour.
    pub with_oids: bool,
    /// Entries that come before this one. May name entries that were left out of the archive.
    pub dependencies: Vec<i32>,
    /// `pg_dump` had data to write for this entry, if only no rows.
    pub has_data: bool,
    /// Where that data is.
    pub data: Data,
}

impl Entry {
    /// A partitioned table: one that has no rows of its own.
    #[must_use]
    pub fn is_partitioned_table(&self) -> bool {
        self.desc == "TABLE"
            && match self.relkind {
                Some(kind) => kind == 'p',
                // Before format 1.16 only the SQL tells (`dumpTableSchema`).
                None => self.defn.contains("\nPARTITION BY "),
            }
    }
}
