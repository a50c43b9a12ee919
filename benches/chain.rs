//! How fast `verify-chain` is: a million audit rows in a real Postgres, through the very code of a drill, and beside
//! it the judging alone, on rows that are in memory already.
//!
//! `--rows N` sets how many rows, `--jobs N` how many connections, `--repeat N` how often each is measured.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod common;

use std::sync::Arc;
use std::time::Instant;

use restore_drill::check::Outcome;
use restore_drill::check::verify_chain::{Chain, VerifyChain};
use restore_drill::check::verify_chain::{Layout, Order, RowFold, Step, Watch, verify};
use restore_drill::clock::Clock;
use restore_drill::demo::data::data_set;
use restore_drill::model::failure::Result;
use restore_drill::model::human;
use restore_drill::model::verdict::CheckStatus;
use restore_drill::target::postgres::chain_rows::ChainTable;
use restore_drill::target::postgres::{DatabaseAddress, Server};
use restore_drill::template::TableName;

use common::{option, peak_memory, with_source};

const DATABASE: &str = "acp_audit";
const CHECK: &str = "
    name = \"chain\"
    database = \"acp_audit\"
    table = \"audit_logs\"
    scheme = \"aegis-audit\"";

#[tokio::main]
async fn main() -> Result<()> {
    let rows = option("--rows", 1_000_000);
    let began = Instant::now();
    let mut data = data_set(rows, 7, Clock::system().now());
    data.databases.retain(|database| database.name == DATABASE);
    eprintln!("starting Postgres and loading {} audit rows", human::count(rows));
    with_source(&data, async |source| {
        report("generated, hashed and loaded", rows, began);
        measure(source.server, rows).await
    })
    .await
}

async fn measure(server: Server, rows: u64) -> Result<()> {
    let check: VerifyChain = toml::from_str(CHECK).expect("it is a check");
    let chain = check.chain().expect("it is consistent");
    let database = DatabaseAddress::InStack(server, check.database.clone());
    let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let jobs = usize::try_from(option("--jobs", processors)).expect("few");
    for _ in 0..option("--repeat", 3) {
        let began = Instant::now();
        let outcome = verify(&database, &check.table, &chain, jobs, &Watch::default()).await?.outcome;
        report(&format!("verified in a drill, {}", human::things(jobs as u64, "reader")), rows, began);
        require_sound(&outcome, rows);
    }
    let gathered = gather(&database, &check.table, &chain).await?;
    for threads in [1, jobs] {
        for _ in 0..option("--repeat", 3) {
            let began = Instant::now();
            let outcome = fold_alone(&gathered, threads);
            report(&format!("folded in memory, {}", human::things(threads as u64, "thread")), rows, began);
            require_sound(&outcome, rows);
        }
    }
    Ok(())
}

fn require_sound(outcome: &Outcome, rows: u64) {
    assert_eq!((outcome.status, outcome.rows_verified), (CheckStatus::Pass, rows), "{}", outcome.summary);
}

/// Rows as they came, one behind the other.
struct Gathered {
    layout: Arc<Layout>,
    kinds: Arc<[restore_drill::target::postgres::chain_rows::FieldKind]>,
    bytes: Vec<u8>,
    /// Of each field its length; none for null.
    lengths: Vec<Option<u32>>,
}

async fn gather(database: &DatabaseAddress, table: &TableName, chain: &Chain) -> Result<Gathered> {
    let source = ChainTable::open(database, table).await?;
    let layout = Layout::new(chain, &source.columns()).expect("the columns are there");
    let selection = source.selection(&layout.wanted).await?;
    let reader = source.reader().await?;
    let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
    for range in source.ranges() {
        let take = |row: &[Option<&[u8]>]| {
            for field in row {
                lengths.push(field.map(|field| u32::try_from(field.len()).expect("it is short")));
                bytes.extend_from_slice(field.unwrap_or_default());
            }
        };
        reader.rows(&source.copy_of_range(&selection, &range), take).await?;
    }
    Ok(Gathered { layout: Arc::new(layout), kinds: selection.kinds.into(), bytes, lengths })
}

/// Folds the rows in as many parts as there are threads, and joins the parts.
fn fold_alone(gathered: &Gathered, threads: usize) -> Outcome {
    let fields = gathered.kinds.len();
    let rows = gathered.lengths.len() / fields;
    let mut at = 0;
    let parts: Vec<(usize, &[Option<u32>])> = gathered
        .lengths
        .chunks(rows.div_ceil(threads) * fields)
        .map(|lengths| {
            let start = at;
            at += lengths.iter().flatten().map(|length| *length as usize).sum::<usize>();
            (start, lengths)
        })
        .collect();
    let folds: Vec<RowFold> = std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .into_iter()
            .map(|(start, lengths)| scope.spawn(move || fold_part(gathered, start, lengths)))
            .collect();
        running.into_iter().map(|fold| fold.join().expect("a fold does not panic")).collect()
    });
    let mut folds = folds.into_iter();
    let mut whole = folds.next().expect("there is a part");
    folds.for_each(|fold| whole.merge(fold));
    assert!(
        matches!(whole.conclude_links(), Step::Done),
        "the rows of the sample data lie nearly in their order"
    );
    whole.finish().outcome
}

fn fold_part(gathered: &Gathered, mut at: usize, lengths: &[Option<u32>]) -> RowFold {
    let mut fold = RowFold::new(Arc::clone(&gathered.layout), Arc::clone(&gathered.kinds), Order::Any);
    let mut row = Vec::new();
    for fields in lengths.chunks(gathered.kinds.len()) {
        row.clear();
        for length in fields {
            row.push(length.map(|length| {
                let start = at;
                at += length as usize;
                &gathered.bytes[start..at]
            }));
        }
        fold.push(&row);
    }
    fold
}

/// Prints one line of figures.
fn report(what: &str, rows: u64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "for show"
    )]
    let rate = (rows as f64 / seconds.max(1e-9)) as u64;
    println!(
        "{what:<34} {:>11} rows {seconds:>8.2} s {:>11} rows/s   peak {}",
        human::count(rows),
        human::count(rate),
        human::bytes(peak_memory())
    );
}
