//! From a table to an outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::fold::{Fold, RowFold, Search, Step, Verified};
use super::heads::Watch;
use super::layout::{ContentAt, Layout};
use super::limits::Limits;
use super::order::Order;
use super::settings::Chain;
use crate::check::chain::Encoding;
use crate::check::verify_chain::code;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::DatabaseAddress;
use crate::target::postgres::chain_rows::{ChainTable, FieldKind, PageRange, Selection};
use crate::template::TableName;

/// Ranges that may be done before the first of them is joined, for each reader.
const AHEAD: usize = 4;

/// Verifies every chain of a table, over several connections at once.
///
/// # Errors
/// `chain_columns_missing` if the table is not such a table; if rows cannot be read.
pub async fn verify(
    database: &DatabaseAddress,
    table: &TableName,
    chain: &Chain,
    jobs: usize,
    watch: &Watch,
) -> Result<Verified> {
    verify_within(database, table, chain, jobs, watch, Limits::default()).await
}

/// The same, and no more is remembered than that.
///
/// # Errors
/// As [`verify`].
pub async fn verify_within(
    database: &DatabaseAddress,
    table: &TableName,
    chain: &Chain,
    jobs: usize,
    watch: &Watch,
    limits: Limits,
) -> Result<Verified> {
    let source = ChainTable::open(database, table).await?;
    let layout = Layout::new(chain, &source.columns()).map_err(|missing| {
        Failure::bad(
            codes::CHAIN_COLUMNS_MISSING,
            format!("{table} lacks the columns {}", missing.join(", ")),
        )
        .hint("is it the right table? the check's scheme needs them all")
    })?;
    let (source, layout) = (Arc::new(source), Arc::new(layout.within(limits)));
    let readers = jobs.max(1);
    let mut fold = scan(&source, &layout, readers, RowFold::any(&layout, watch)).await?;
    let mut is_sorted = false;
    loop {
        match fold.conclude_links() {
            // That much disorder hides no row that was edited.
            Step::Sort if is_sorted && !fold.has_errors() => return Err(disordered(table)),
            Step::Sort if !is_sorted => {
                fold.take_links(sorted_links(&source, &layout).await?);
                is_sorted = true;
            }
            Step::Search(wanted) => {
                let narrow = Arc::new(layout.links_only());
                fold.take_found(&scan(&source, &narrow, readers, Search::of(&narrow, wanted)).await?.found);
            }
            Step::Done | Step::Sort => {
                let mut verified = fold.finish();
                if let Some(finding) = foreign_types(table, &source.foreign(&layout.wanted)) {
                    verified.outcome.findings.push(finding);
                    verified.outcome.findings_total += 1;
                }
                return Ok(verified);
            }
        }
    }
}

/// Rows without parents by the hundred thousand, in the order of their time: no writer leaves that behind.
fn disordered(table: &TableName) -> Failure {
    Failure::inconclusive(
        codes::CHAIN_DISORDERED,
        format!("the links of {table} cannot be followed: too many rows name a parent far from them"),
    )
    .hint("look at the timestamps of the rows, or set order_by to the columns that order each chain")
}

/// Says of which columns the backup itself decides how they are written, and with that what is hashed.
fn foreign_types(table: &TableName, columns: &[String]) -> Option<Finding> {
    let names = human::one_line(&columns.join(", "), 300);
    (!columns.is_empty()).then(|| Finding {
        severity: Severity::Info,
        code: code::FOREIGN_TYPE,
        subject: table.to_string(),
        expected: "columns of the system's own types".to_owned(),
        actual: format!(
            "what is hashed of these columns is how a type of the backup's own writes itself: {names}"
        ),
    })
}

/// Reads every row once, in the order of the pages. `start` makes the fold of a part from the kinds of the fields.
async fn scan<F: Fold>(
    source: &Arc<ChainTable>,
    layout: &Arc<Layout>,
    readers: usize,
    start: impl Fn(Arc<[FieldKind]>) -> F + Send + Sync + 'static,
) -> Result<F> {
    let selection = source.selection(&layout.wanted).await?;
    require_encoding(layout, &selection)?;
    require_countable(layout, &selection)?;
    let kinds: Arc<[FieldKind]> = selection.kinds.clone().into();
    let work = Arc::new(Work {
        source: Arc::clone(source),
        start: {
            let kinds = Arc::clone(&kinds);
            move || start(Arc::clone(&kinds))
        },
        selection,
        ranges: source.ranges(),
        next: AtomicUsize::new(0),
        ahead: Arc::new(Semaphore::new(readers * AHEAD)),
    });
    let (parts, joined) = mpsc::channel(readers * AHEAD);
    let mut tasks = JoinSet::new();
    for _ in 0..readers.min(work.ranges.len().max(1)) {
        tasks.spawn(Arc::clone(&work).read(parts.clone()));
    }
    drop(parts);
    let mut fold = (work.start)();
    join_parts(&mut fold, joined, &work.ahead).await;
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a reader does not panic and is not aborted")?;
    }
    Ok(fold)
}

/// What readers share.
struct Work<S> {
    source: Arc<ChainTable>,
    /// Begins the fold of a part.
    start: S,
    selection: Selection,
    ranges: Vec<PageRange>,
    /// The range that is read next.
    next: AtomicUsize,
    /// Keeps fast readers from running far ahead of a slow one: what they have done waits in memory.
    ahead: Arc<Semaphore>,
}

impl<F: Fold, S: Fn() -> F + Send + Sync> Work<S> {
    async fn read(self: Arc<Self>, parts: mpsc::Sender<(usize, F)>) -> Result<()> {
        let outcome = self.read_ranges(parts).await;
        if outcome.is_err() {
            // What this reader owes never comes, so nothing after it can be joined: the others need not go on.
            self.ahead.close();
        }
        outcome
    }

    async fn read_ranges(&self, parts: mpsc::Sender<(usize, F)>) -> Result<()> {
        let reader = self.source.reader().await?;
        loop {
            let Ok(permit) = self.ahead.acquire().await else { return Ok(()) };
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(range) = self.ranges.get(index) else { return Ok(()) };
            let mut fold = (self.start)();
            let copy = self.source.copy_of_range(&self.selection, range);
            reader.rows(&copy, |row| fold.push(row)).await?;
            permit.forget();
            if parts.send((index, fold)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Joins what the readers have done, in the order of the ranges: neighbours fit together, and need no memory.
async fn join_parts<F: Fold>(fold: &mut F, mut parts: mpsc::Receiver<(usize, F)>, ahead: &Semaphore) {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    while let Some((index, part)) = parts.recv().await {
        waiting.insert(index, part);
        while let Some(part) = waiting.remove(&next) {
            fold.merge(part);
            ahead.add_permits(1);
            next += 1;
        }
    }
}

/// Judges the links alone, on rows that the server sorts.
async fn sorted_links(source: &ChainTable, layout: &Layout) -> Result<RowFold> {
    let layout = Arc::new(layout.links_only());
    let selection = source.selection(&layout.wanted).await?;
    let kinds: Arc<[FieldKind]> = selection.kinds.clone().into();
    let mut fold = RowFold::new(Arc::clone(&layout), kinds, Order::Grouped);
    if source.is_empty() {
        return Ok(fold);
    }
    let reader = source.reader().await?;
    reader.rows(&source.copy_sorted(&selection, &layout.sorted()), |row| fold.push(row)).await?;
    Ok(fold)
}

/// Between places that are no whole numbers no gap could be seen.
fn require_countable(layout: &Layout, selection: &Selection) -> Result<()> {
    if !layout.rules.contiguous || layout.order.iter().all(|index| selection.kinds[*index] == FieldKind::Int)
    {
        return Ok(());
    }
    let name = &layout.rules.order_name;
    Err(Failure::config(codes::CHAIN_ORDER, format!("the column {name} is no smallint, integer or bigint"))
        .hint("contiguous counts whole numbers: leave it out, or name such a column in order_by"))
}

/// The values alone do not show whether hashes are raw bytes of a `bytea` column or digits.
fn require_encoding(layout: &Layout, selection: &Selection) -> Result<()> {
    let ContentAt::General { scheme, .. } = &layout.content else { return Ok(()) };
    for (name, index) in [(&layout.rules.hash_name, layout.hash), (&layout.rules.link_name, layout.link)] {
        let (is_bytes, wants_bytes) =
            (selection.kinds[index] == FieldKind::Bytes, scheme.encoding == Encoding::Bytea);
        if is_bytes != wants_bytes {
            let (what, instead) = if is_bytes {
                ("of the type bytea", "set encoding = \"bytea\" in the check")
            } else {
                ("not of the type bytea", "set encoding to hex, base64 or base64url in the check")
            };
            return Err(
                Failure::config(codes::CHAIN_ENCODING, format!("the column {name} is {what}")).hint(instead)
            );
        }
    }
    Ok(())
}
