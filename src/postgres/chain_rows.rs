//! Rows of a hash chain, read in parts over several connections that all see the same moment.
//!
//! A table is read in the order its rows lie on disk, cut into ranges of pages: no sorting, and as many readers as
//! there are processors. An append-only log lies in the order of its chains, which the reader of the rows can see for
//! itself. Where it does not, [`ChainTable::copy_sorted`] reads what the links need, sorted by the server.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::copy_rows::copy_rows;
use super::{Database, in_blocks, query_failure, quote_identifier, quote_relation};
use crate::check::verify_chain::{Kind, Layout, PartitionAt, Want};
use crate::failure::{Failure, Result};
use crate::foreign::Foreign;
use crate::template::TableName;

/// Pages of one range: 16 MiB, so that readers end together and a range's findings stay few.
const RANGE_PAGES: u64 = 2048;
/// Servers from this version on read a range of pages without reading the others.
const RANGES_SINCE: i32 = 140_000;

/// How values are printed where they are hashed as text: as a session without settings of its own prints them. And in
/// which order rows come: that of the pages, from the first.
const SESSION: &str = "
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET xmloption = 'content'; SET synchronize_seqscans = off;
    SET max_parallel_workers_per_gather = 0; SET jit = off; SET row_security = off; SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The relation, and what it is.
const RELATION: &str = "
    SELECT c.oid, c.relkind::text, current_setting('server_version_num')::int4, pg_export_snapshot()
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

const COLUMNS: &str = "
    SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped";

/// The table and whatever inherits from it, as long as it has pages of its own; a foreign table's rows are elsewhere.
const LEAVES: &str = "
    WITH RECURSIVE family AS (
        SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid)
    SELECT n.nspname, c.relname, coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int8
    FROM family JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') ORDER BY 1, 2";

/// A table whose rows are chained.
pub struct ChainTable {
    database: Database,
    name: TableName,
    /// Holds the snapshot that every reader sees.
    coordinator: Client,
    snapshot: String,
    columns: BTreeMap<String, u32>,
    sources: Vec<Source>,
    reads_ranges: bool,
}

/// Something that rows are selected from.
#[derive(Debug, Clone)]
struct Source {
    /// As SQL, quoted.
    from: String,
    /// Its pages; none for what has none, such as a view.
    pages: Option<u64>,
}

/// The fields to read, as SQL, and what comes of them.
pub struct Selection {
    list: Vec<String>,
    /// What the fields are.
    pub kinds: Vec<Kind>,
}

/// A part of a table.
#[derive(Debug, Clone)]
pub struct PageRange {
    source: usize,
    first: u64,
    /// None: to the end.
    next: Option<u64>,
}

/// A connection that reads the table as it was when it was opened.
pub struct Reader {
    client: Client,
    doing: String,
}

impl ChainTable {
    /// Looks at a table.
    ///
    /// # Errors
    /// `schema_differs` if it is not there, `query_failed`.
    pub async fn open(database: &Database, name: &TableName) -> Result<Self> {
        let client = database.connect().await?;
        let failed = |error| query_failure(&format!("looking at {name}"), &error);
        client.batch_execute(SESSION).await.map_err(failed)?;
        let relation = client.query_opt(RELATION, &[&name.schema, &name.table]).await.map_err(failed)?;
        let Some(relation) = relation else {
            return Err(Failure::bad("schema_differs", format!("there is no table {name}"))
                .hint("the table is not in this database, or it is named wrongly"));
        };
        let (oid, kind, version): (u32, String, i32) = (relation.get(0), relation.get(1), relation.get(2));
        let columns = client.query(COLUMNS, &[&oid]).await.map_err(failed)?;
        let columns = columns.iter().map(|row| (row.get(0), row.get(1))).collect();
        let sources = if matches!(&*kind, "r" | "m" | "p") {
            let leaves = client.query(LEAVES, &[&oid]).await.map_err(failed)?;
            let leaf = |row: &tokio_postgres::Row| Source {
                from: format!("ONLY {}", quote_relation(row.get(0), row.get(1))),
                pages: Some(u64::try_from(row.get::<_, i64>(2)).unwrap_or(0)),
            };
            leaves.iter().map(leaf).collect()
        } else {
            vec![Source { from: quote_relation(&name.schema, &name.table), pages: None }]
        };
        Ok(Self {
            database: database.clone(),
            name: name.clone(),
            snapshot: relation.get(3),
            coordinator: client,
            columns,
            sources,
            reads_ranges: version >= RANGES_SINCE,
        })
    }

    /// The names of its columns.
    pub fn columns(&self) -> BTreeSet<String> {
        self.columns.keys().cloned().collect()
    }

    /// Whether there is nothing to read from: a table with partitions that has none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// How these fields are selected.
    ///
    /// # Errors
    /// `preimage_type` if an SQL expression returns neither text nor bytes; `query_failed`.
    pub async fn selection(&self, wanted: &[Want]) -> Result<Selection> {
        let mut selection = Selection { list: Vec::new(), kinds: Vec::new() };
        for want in wanted {
            let (sql, kind) = match want {
                Want::Column(name) => native(name, self.columns.get(name).copied().unwrap_or_default()),
                Want::Text(name) => (format!("{}::text", quote_identifier(name)), Kind::Text),
                Want::Sql(sql) => self.expression(sql).await?,
            };
            selection.list.push(sql);
            selection.kinds.push(kind);
        }
        Ok(selection)
    }

    async fn expression(&self, sql: &str) -> Result<(String, Kind)> {
        // On a line of its own, so that a comment in it ends with it.
        let sql = format!("(\n{sql}\n)");
        let Some(source) = self.sources.first() else { return Ok((sql, Kind::Text)) };
        let statement = self
            .coordinator
            .prepare(&format!("SELECT {sql} FROM {}", source.from))
            .await
            .map_err(|error| query_failure("reading the template's preimage", &error))?;
        let kind = statement.columns().first().map(|column| column.type_().clone());
        match kind {
            Some(Type::TEXT | Type::VARCHAR) => Ok((sql, Kind::Text)),
            Some(Type::BYTEA) => Ok((sql, Kind::Bytes)),
            other => {
                let name =
                    other.map_or_else(|| "no type".to_owned(), |kind| Foreign::new(kind.name()).to_string());
                Err(Failure::config(
                    "preimage_type",
                    format!("the preimage is of the type {name}; only text and bytea can be hashed"),
                )
                .hint("it must be one expression; cast it, for example with (…)::text"))
            }
        }
    }

    /// The table, cut into parts that together have every row once, in the order of the pages.
    pub fn ranges(&self) -> Vec<PageRange> {
        let mut ranges = Vec::new();
        for (source, Source { pages, .. }) in self.sources.iter().enumerate() {
            let pages = if self.reads_ranges { pages.unwrap_or(0) } else { 0 };
            let mut first = 0;
            loop {
                let next = Some(first + RANGE_PAGES).filter(|next| *next < pages);
                ranges.push(PageRange { source, first, next });
                let Some(next) = next else { break };
                first = next;
            }
        }
        ranges
    }

    /// Opens a further connection.
    pub async fn reader(&self) -> Result<Reader> {
        let client = self.database.connect().await?;
        let doing = format!("reading the chain of {}", self.name);
        let snapshot = super::quote_literal(&self.snapshot);
        client
            .batch_execute(&format!("{SESSION}; SET TRANSACTION SNAPSHOT {snapshot}"))
            .await
            .map_err(|error| query_failure(&doing, &error))?;
        Ok(Reader { client, doing })
    }

    /// The statement that reads a range in the order of its pages.
    pub fn copy_of_range(&self, selection: &Selection, range: &PageRange) -> String {
        let source = &self.sources[range.source];
        let blocks = match source.pages {
            Some(_) => in_blocks((range.first > 0).then_some(range.first), range.next),
            None => String::new(),
        };
        let query = format!("SELECT {} FROM {}{blocks}", selection.list.join(", "), source.from);
        format!("COPY ({query}) TO STDOUT (FORMAT binary)")
    }

    /// The statement that reads every row, chain by chain, each in its order.
    pub fn copy_sorted(&self, selection: &Selection, layout: &Layout) -> String {
        let mut inner: Vec<String> = Vec::new();
        for (index, sql) in selection.list.iter().enumerate() {
            inner.push(format!("{sql} AS c{index}"));
        }
        // Ordered by what the columns are, not by the text that some are read as.
        for (nth, index) in layout.order.iter().enumerate() {
            let Want::Column(name) = &layout.wanted[*index] else { continue };
            inner.push(format!("{} AS k{nth}", quote_identifier(name)));
        }
        let inner = inner.join(", ");
        let selects = self.sources.iter().map(|source| format!("SELECT {inner} FROM {}", source.from));
        let from = selects.collect::<Vec<_>>().join(" UNION ALL ");
        let mut order: Vec<String> =
            layout.partition.iter().filter_map(|at| partition_order(*at, &selection.kinds)).collect();
        order.extend((0..layout.order.len()).map(|nth| format!("k{nth}")));
        order.extend(layout.id.iter().map(|index| format!("c{index}")));
        let outer: Vec<String> = (0..selection.list.len()).map(|index| format!("c{index}")).collect();
        format!(
            "COPY (SELECT {} FROM ({from}) AS rows ORDER BY {}) TO STDOUT (FORMAT binary)",
            outer.join(", "),
            order.join(", ")
        )
    }
}

impl Reader {
    /// Runs a statement of the table's, and hands on its rows.
    pub async fn rows(&self, copy: &str, each: impl FnMut(&[Option<&[u8]>])) -> Result<()> {
        copy_rows(&self.client, copy, &self.doing, each).await
    }
}

/// How rows are brought together that are in one chain: equal must mean what it means to the reader, byte for byte.
fn partition_order(at: PartitionAt, kinds: &[Kind]) -> Option<String> {
    let index = at.index?;
    Some(match (kinds[index], at.absent) {
        (Kind::Int, Some(absent)) => format!("coalesce(c{index}, {absent})"),
        (_, Some(absent)) => format!("coalesce(c{index}::text, '{absent}') COLLATE \"C\""),
        (Kind::Int | Kind::Uuid | Kind::Date | Kind::Moment, None) => format!("c{index}"),
        (_, None) => format!("c{index}::text COLLATE \"C\""),
    })
}

/// How a column of this type is selected, and what comes.
fn native(name: &str, oid: u32) -> (String, Kind) {
    let quoted = quote_identifier(name);
    let kind = match Type::from_oid(oid) {
        Some(Type::INT2 | Type::INT4 | Type::INT8) => Kind::Int,
        Some(Type::UUID) => Kind::Uuid,
        Some(Type::TIMESTAMPTZ | Type::TIMESTAMP) => Kind::Moment,
        Some(Type::DATE) => Kind::Date,
        Some(Type::JSONB) => Kind::Jsonb,
        Some(Type::BYTEA) => Kind::Bytes,
        Some(Type::TEXT | Type::VARCHAR | Type::JSON) => Kind::Text,
        _ => return (format!("{quoted}::text"), Kind::Text),
    };
    (quoted, kind)
}
