//! Rows of a hash chain, read in parts over several connections that all see the same moment.
//!
//! A table is read in the order its rows lie on disk, cut into ranges of pages: no sorting, and as many readers as
//! there are processors. An append-only log lies in the order of its chains, which the reader of the rows can see for
//! itself. Where it does not, [`ChainTable::copy_sorted`] reads what the links need, sorted by the server.

mod fields;

use super::quote::quote_literal;
use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};

use super::copy_rows::copy_rows;
use super::database::DatabaseAddress;
use super::failures::{own_failure, query_failure};
use super::own_sql::qualify;
use super::quote::{in_blocks, quote_identifier, quote_relation};
use super::server_text::ServerText;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::foreign::Foreign;
use crate::template::TableName;

pub use fields::{ChainOrder, FieldKind, FieldQuery, PartitionField};
use fields::{ColumnType, native, partition_order, text};

/// Pages of one range: 16 MiB, so that readers end together and a range's findings stay few.
const RANGE_PAGES: u64 = 2048;
/// Servers from this version on read a range of pages without reading the others.
const RANGES_SINCE: i32 = 140_000;

/// How values are printed where they are hashed as text: as a session without settings of its own prints them. And in
/// which order rows come: that of the pages, from the first. None of it is a query, so nothing is looked up.
const SETTINGS: &str = "
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET xmloption = 'content'; SET synchronize_seqscans = off;
    SET max_parallel_workers_per_gather = 0; SET jit = off; SET row_security = off; SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Where nothing is found but what is the system's, and where the template's expressions find their functions.
const CATALOG_PATH: &str = "SET search_path = pg_catalog, pg_temp";
const TEMPLATE_PATH: &str = "SET search_path = pg_catalog, public, pg_temp";

/// A database without an encoding stores any bytes as text; they are hashed as they are.
const ENCODING: &str = "
    SELECT set_config('client_encoding', CASE WHEN current_setting('server_encoding') = 'SQL_ASCII'
                                              THEN 'SQL_ASCII' ELSE 'UTF8' END, false)";

/// The relation, and what it is.
const RELATION: &str = "
    SELECT c.oid, c.relkind::text, current_setting('server_version_num')::int4, pg_export_snapshot()
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND c.relname = $2::text";

/// The columns, and of each the type below all domains: its number, its name, whether it is the system's, and whether the
/// system has a cast of its own to text. Where it has none, a backup can bring one along.
const COLUMNS: &str = "
    WITH RECURSIVE columns (name, type) AS (
        SELECT a.attname, a.atttypid FROM pg_attribute a
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT c.name, t.typbasetype FROM columns c JOIN pg_type t ON t.oid = c.type WHERE t.typtype = 'd'
    )
    SELECT c.name, c.type, format_type(c.type, NULL), n.nspname = 'pg_catalog',
           EXISTS (SELECT FROM pg_cast k WHERE k.castsource = c.type AND k.casttarget = 'pg_catalog.text'::regtype
                   AND k.oid < 16384::oid)
    FROM columns c JOIN pg_type t ON t.oid = c.type JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'd'";

/// The table and whatever inherits from it, as long as it has pages of its own; a foreign table's rows are elsewhere.
const LEAVES: &str = "
    WITH RECURSIVE family AS (
        SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid)
    SELECT n.nspname::text, c.relname::text,
           coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int8
    FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = ANY ('{r,m}'::\"char\"[]) ORDER BY 1, 2";

/// A table whose rows are chained.
pub struct ChainTable {
    database: DatabaseAddress,
    name: TableName,
    /// Holds the snapshot that every reader sees.
    coordinator: Client,
    snapshot: String,
    columns: BTreeMap<String, ColumnType>,
    sources: Vec<ChainSource>,
    reads_ranges: bool,
}

/// Something that rows are selected from.
#[derive(Debug, Clone)]
struct ChainSource {
    /// As SQL, quoted.
    from: String,
    /// Its pages; none for what has none, such as a view.
    pages: Option<u64>,
}

/// The fields to read, as SQL, and what comes of them.
pub struct Selection {
    list: Vec<String>,
    /// What the fields are.
    pub kinds: Vec<FieldKind>,
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
    snapshot: String,
    doing: String,
}

impl ChainTable {
    /// Looks at a table.
    ///
    /// # Errors
    /// `schema_differs` if it is not there, `query_failed`.
    pub async fn open(database: &DatabaseAddress, name: &TableName) -> Result<Self> {
        let client = database.connect().await?;
        let failed = |error| own_failure(&format!("looking at {name}"), &error);
        begin(&client, CATALOG_PATH).await.map_err(failed)?;
        let relation =
            client.query_opt(&qualify(RELATION), &[&name.schema, &name.table]).await.map_err(failed)?;
        let Some(relation) = relation else {
            return Err(Failure::bad(codes::SCHEMA_DIFFERS, format!("there is no table {name}"))
                .hint("the table is not in this database, or it is named wrongly"));
        };
        let (oid, kind, version): (u32, String, i32) = (
            relation.try_get(0).map_err(failed)?,
            relation.try_get(1).map_err(failed)?,
            relation.try_get(2).map_err(failed)?,
        );
        let columns = client.query(&qualify(COLUMNS), &[&oid]).await.map_err(failed)?;
        let columns = columns.iter().map(column).collect::<Result<_, _>>().map_err(failed)?;
        let sources = if matches!(&*kind, "r" | "m" | "p") {
            let leaves = client.query(&qualify(LEAVES), &[&oid]).await.map_err(failed)?;
            leaves.iter().map(leaf).collect::<Result<_, _>>().map_err(failed)?
        } else {
            vec![ChainSource { from: quote_relation(&name.schema, &name.table), pages: None }]
        };
        let snapshot = relation.try_get(3).map_err(failed)?;
        client.batch_execute(TEMPLATE_PATH).await.map_err(failed)?;
        Ok(Self {
            database: database.clone(),
            name: name.clone(),
            snapshot,
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

    /// Those of these fields whose type is the backup's own, each with its type: what is hashed is how that writes itself.
    pub fn foreign(&self, wanted: &[FieldQuery]) -> Vec<String> {
        let foreign = |want: &FieldQuery| match want {
            FieldQuery::Column(name) | FieldQuery::Text(name) => {
                let column = self.columns.get(name).filter(|column| !column.is_system)?;
                Some(format!("{name} ({})", column.name))
            }
            FieldQuery::Sql(_) => None,
        };
        wanted.iter().filter_map(foreign).collect()
    }

    /// How these fields are selected.
    ///
    /// # Errors
    /// `preimage_type` if an SQL expression returns neither text nor bytes; `query_failed`.
    pub async fn selection(&self, wanted: &[FieldQuery]) -> Result<Selection> {
        let mut selection = Selection { list: Vec::new(), kinds: Vec::new() };
        for want in wanted {
            let (sql, kind) = match want {
                FieldQuery::Column(name) => native(name, self.columns.get(name)),
                FieldQuery::Text(name) => (text(name, self.columns.get(name)), FieldKind::Text),
                FieldQuery::Sql(sql) => self.expression(sql).await?,
            };
            selection.list.push(sql);
            selection.kinds.push(kind);
        }
        Ok(selection)
    }

    async fn expression(&self, sql: &str) -> Result<(String, FieldKind)> {
        // On a line of its own, so that a comment in it ends with it.
        let sql = format!("(\n{sql}\n)");
        let Some(source) = self.sources.first() else { return Ok((sql, FieldKind::Text)) };
        let statement = self
            .coordinator
            .prepare(&format!("SELECT {sql} FROM {}", source.from))
            .await
            .map_err(|error| query_failure("reading the template's preimage", &error))?;
        let kind = statement.columns().first().map(|column| column.type_().clone());
        match kind {
            Some(Type::TEXT | Type::VARCHAR) => Ok((sql, FieldKind::Text)),
            Some(Type::BYTEA) => Ok((sql, FieldKind::Bytes)),
            other => {
                let name =
                    other.map_or_else(|| "no type".to_owned(), |kind| Foreign::new(kind.name()).to_string());
                Err(Failure::config(
                    codes::PREIMAGE_TYPE,
                    format!("the preimage is of the type {name}; only text and bytea can be hashed"),
                )
                .hint("it must be one expression; cast it, for example with (…)::text"))
            }
        }
    }

    /// The table, cut into parts that together have every row once, in the order of the pages.
    pub fn ranges(&self) -> Vec<PageRange> {
        let mut ranges = Vec::new();
        for (source, ChainSource { pages, .. }) in self.sources.iter().enumerate() {
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
        let snapshot = quote_literal(&self.snapshot);
        Ok(Reader { client, snapshot, doing })
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
    pub fn copy_sorted(&self, selection: &Selection, by: &ChainOrder) -> String {
        let mut inner: Vec<String> = Vec::new();
        for (index, sql) in selection.list.iter().enumerate() {
            inner.push(format!("{sql} AS c{index}"));
        }
        // Ordered by what the columns are, not by the text that some are read as.
        for (nth, name) in by.columns.iter().enumerate() {
            inner.push(format!("{} AS k{nth}", quote_identifier(name)));
        }
        let inner = inner.join(", ");
        let selects = self.sources.iter().map(|source| format!("SELECT {inner} FROM {}", source.from));
        let from = selects.collect::<Vec<_>>().join(" UNION ALL ");
        let mut order: Vec<String> =
            by.partition.iter().filter_map(|at| partition_order(*at, &selection.kinds)).collect();
        order.extend((0..by.columns.len()).map(|nth| format!("k{nth}")));
        order.extend(by.ties.iter().map(|index| format!("c{index}")));
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
        self.begin_anew().await.map_err(|error| query_failure(&self.doing, &error))?;
        copy_rows(&self.client, copy, &self.doing, each).await
    }
}

impl Reader {
    /// Makes the connection what it was in its beginning, and has it see what the others see. A preimage or a type of the backup's
    /// own may have changed what the next statement means.
    async fn begin_anew(&self) -> Result<(), Error> {
        self.client.batch_execute("ROLLBACK").await?;
        self.client.batch_execute("DISCARD ALL").await?;
        begin(&self.client, TEMPLATE_PATH).await?;
        self.client.batch_execute(&format!("SET TRANSACTION SNAPSHOT {}", self.snapshot)).await
    }
}

/// Begins to read.
async fn begin(client: &Client, path: &str) -> Result<(), Error> {
    client.batch_execute(&format!("{SETTINGS}; {path}")).await?;
    client.batch_execute(&qualify(ENCODING)).await?;
    client.batch_execute(BEGIN).await
}

fn column(row: &Row) -> Result<(String, ColumnType), Error> {
    let column = ColumnType {
        oid: row.try_get(1)?,
        name: row.try_get::<_, ServerText>(2)?.into_string(),
        is_system: row.try_get(3)?,
        has_cast: row.try_get(4)?,
    };
    Ok((row.try_get::<_, ServerText>(0)?.into_string(), column))
}

fn leaf(row: &Row) -> Result<ChainSource, Error> {
    Ok(ChainSource {
        from: format!("ONLY {}", quote_relation(row.try_get(0)?, row.try_get(1)?)),
        pages: Some(u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0)),
    })
}
