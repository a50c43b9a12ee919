//! `verify-chain`: the check of that name, outside a drill.

use std::io::BufReader;
use std::path::PathBuf;
use std::time::Instant;

use super::output::{self, Format};
use super::signals::{Interrupted, Stop};
use crate::check::chain::{Encoding, HashFunction};
use crate::check::verify_chain::{
    self, Chain, ChainScheme, JoinForm, VerifyChain, Watch, verify, verify_jsonl,
};
use crate::check::{self, Outcome};
use crate::model::codes;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::verdict::{self, CheckStatus, Severity};
use crate::target::postgres::{DatabaseAddress, Direct};
use crate::template::{CheckSection, Environment, Purpose, TableName};
use crate::view::Page;

const EXAMPLES: &str = "\
Where the rows are: a JSON export (--jsonl), or a database, named by DATABASE_URL, by the URL in --database-url-file, or
by the PG* variables that psql reads. It is only read. Give the password in PGPASSWORD, in ~/.pgpass or in that file:
everybody on the machine can read a command line.

Examples:
  PGHOST=db PGUSER=auditor PGDATABASE=acp_audit restore-drill verify-chain --scheme aegis-audit --table audit_logs
  restore-drill verify-chain -t aegis --check audit-chain --database-url-file /run/secrets/audit-url
  restore-drill verify-chain --scheme aegis-audit --jsonl audit_logs.jsonl
  psql -qAtc 'SELECT row_to_json(e) FROM entries e ORDER BY n' | restore-drill verify-chain --jsonl - \\
      --scheme hash-chain --order-by n --hash-column hash --link-column prev_hash --columns n,amount,note

Exit codes: 0 every chain holds · 1 findings · 2 configuration or usage · 3 it could not be judged, or there are no rows ·
130 interrupted";

/// Jobs where none are given and the number of processors is unknown.
const FEW: usize = 2;

/// Arguments of `verify-chain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A template that has the check: a path, or the name of one in drill-templates/
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with_all = ["scheme", "table"], required_unless_present = "scheme")]
    template: Option<String>,
    /// The check in the template [default: its only verify-chain check]
    #[arg(long, value_name = "NAME", requires = "template")]
    check: Option<String>,
    /// The database, as postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A file with that URL, which may have the password in it
    #[arg(long, value_name = "FILE", conflicts_with = "jsonl")]
    database_url_file: Option<PathBuf>,
    /// An export instead of a database: one JSON object a line, in the order of the rows; - for stdin
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    #[command(flatten)]
    scheme: SchemeArgs,
    /// Connections at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    jobs: Option<u16>,
    /// No rows at all hold; without it nothing is verified then, exit code 3
    #[arg(long)]
    allow_empty: bool,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a template would say.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Without a template (docs/checks.md explains each)")]
struct SchemeArgs {
    /// How rows are hashed and linked
    #[arg(long, value_enum)]
    scheme: Option<ChainScheme>,
    /// The table
    #[arg(long, value_name = "TABLE")]
    table: Option<TableName>,
    /// The columns that distinguish chains
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "scheme")]
    partition_by: Option<Vec<String>>,
    /// The columns that order a chain
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "scheme")]
    order_by: Option<Vec<String>>,
    /// The columns that name a row in a finding
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "scheme")]
    id: Option<Vec<String>>,
    /// The hash function [default: sha256]
    #[arg(long, value_enum, requires = "scheme")]
    hash: Option<HashFunction>,
    /// How the columns hold a hash [default: hex]
    #[arg(long, value_enum, requires = "scheme")]
    encoding: Option<Encoding>,
    /// The column with a row's hash
    #[arg(long, value_name = "COLUMN", requires = "scheme")]
    hash_column: Option<String>,
    /// The column with the hash of the row before
    #[arg(long, value_name = "COLUMN", requires = "scheme")]
    link_column: Option<String>,
    /// What a chain's first row has in the link column [default: null]
    #[arg(long, value_name = "TEXT", requires = "scheme")]
    genesis: Option<String>,
    /// Whether the link is hashed before the rest [default: true]
    #[arg(long, value_name = "BOOL", requires = "scheme")]
    link_in_preimage: Option<bool>,
    /// The columns that are hashed
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "scheme")]
    columns: Option<Vec<String>>,
    /// How they become one text [default: json]
    #[arg(long, value_enum, requires = "scheme")]
    join: Option<JoinForm>,
    /// What stands between them with --join separator
    #[arg(long, value_name = "TEXT", requires = "scheme")]
    separator: Option<String>,
    /// Instead of columns: an SQL expression of the type text or bytea
    #[arg(long, value_name = "SQL", requires = "scheme")]
    preimage: Option<String>,
    /// A chain that begins in the middle is an error, not a warning
    #[arg(long)]
    require_genesis: bool,
    /// A gap in the order column is an error
    #[arg(long)]
    contiguous: bool,
    /// aegis-audit: more forks than this are an error [default: any number, with a warning]
    #[arg(long, value_name = "N")]
    max_forks: Option<u64>,
    /// aegis-audit: how many chains a tenant's rows are spread over; 0: do not check a row's shard [default: 16]
    #[arg(long, value_name = "N", requires = "scheme")]
    shards: Option<u16>,
}

/// Verifies, and shows what was found.
pub async fn run(args: Args) -> Result<ExitCode> {
    let check = check(&args)?;
    let chain = check
        .chain()
        .map_err(|why| Failure::config(codes::CHAIN_INVALID, why).hint("--help explains each option"))?;
    let cancel = Stop::on_signal(Interrupted::Reads).token;
    let began = Instant::now();
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::cancelled().hint("this says nothing about the chains; run it again")),
        outcome = judge(&args, &check, chain) => outcome,
    }?;
    let outcome = outcome.allow_empty(check.allow_empty);
    if outcome.status == CheckStatus::Skipped {
        return Err(nothing_verified(&args));
    }
    let held = outcome.status == CheckStatus::Pass;
    let record = record(check.name, outcome, began.elapsed().as_secs_f64());
    let printed = match args.format {
        Format::Json => output::print_json(&record),
        Format::Human => output::print_summary(&summary(&record), &last_line(&record), held),
    };
    Ok(output::delivered(printed, if held { ExitCode::Ok } else { ExitCode::Failed }))
}

/// An export of no rows is most often one that failed, and a table of no rows not the one that was meant.
fn nothing_verified(args: &Args) -> Failure {
    let (message, hint) = match &args.jsonl {
        Some(_) => (
            "the export has no rows",
            "did the command that writes it fail? `set -o pipefail` shows it; --allow-empty if it may be empty",
        ),
        None => (
            "the table has no rows",
            "is it the right database, and may this user see its rows? --allow-empty if it may be empty",
        ),
    };
    Failure::inconclusive(codes::NOTHING_VERIFIED, message).hint(hint)
}

async fn judge(args: &Args, check: &VerifyChain, chain: Chain) -> Result<Outcome> {
    if let Some(path) = &args.jsonl {
        let path = path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            if path.as_os_str() == "-" {
                return verify_jsonl(std::io::stdin().lock(), &chain);
            }
            let file = std::fs::File::open(&path).map_err(|error| {
                Failure::config(
                    codes::JSONL_UNREADABLE,
                    format!("{} cannot be read: {error}", path.display()),
                )
                .hint("--jsonl names a file with one JSON object a line, or - for stdin")
            })?;
            verify_jsonl(BufReader::with_capacity(1024 * 1024, file), &chain)
        });
        return reading.await.expect("reading does not panic and is not aborted");
    }
    let url = url(args)?;
    let variable = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        // What the template names is the default, as PGDATABASE would be.
        value
            .or_else(|| (name == "PGDATABASE" && args.template.is_some()).then(|| check.database.to_string()))
    };
    let database = DatabaseAddress::Direct(Direct::new(url.as_deref(), &variable)?);
    let processors = || std::thread::available_parallelism().map_or(FEW, usize::from);
    let jobs = args.jobs.map_or_else(processors, usize::from);
    let verified = verify(&database, &check.table, &chain, jobs, &Watch::default()).await;
    Ok(verified.map_err(outside_a_drill)?.outcome)
}

/// The check's own advice is on drills, which have a template's query, a kept server and a disk to make room on.
fn outside_a_drill(failure: Failure) -> Failure {
    let advice = match failure.code {
        codes::QUERY_FAILED => "may this user read the table? the server's log has more",
        codes::QUERY_TIMED_OUT => {
            "the server ended the statement: check its log, and the limits of this user"
        }
        codes::SCHEMA_DIFFERS => {
            "the table, or a column that the check needs, is not in this database, or is named wrongly"
        }
        codes::DISK_FULL => "make room on the server: sorting a large table writes temporary files",
        _ => return failure,
    };
    failure.hint(advice)
}

fn url(args: &Args) -> Result<Option<String>> {
    let Some(path) = &args.database_url_file else {
        return Ok(args.database_url.clone().filter(|url| !url.is_empty()));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::config(codes::DATABASE_URL_INVALID, format!("{} cannot be read: {error}", path.display()))
            .hint("--database-url-file names a file with a URL such as postgres://USER@HOST/DATABASE")
    })?;
    Ok(Some(text.trim().to_owned()))
}

/// The check, from the template or from the options.
fn check(args: &Args) -> Result<VerifyChain> {
    let Some(name) = &args.template else { return described(args) };
    let template = check::load(name, &Environment::of_process(), Purpose::Checks)?;
    let sections = template.sections.iter().filter(|section| section.kind == verify_chain::ENTRY.kind);
    let mut chains = sections.map(CheckSection::read::<VerifyChain>).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = chains.iter().map(|chain| chain.name.clone()).collect();
    let known = match names.as_slice() {
        [] => "it has none".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    let at = match &args.check {
        Some(name) => names.iter().position(|known| known == name),
        None => Some(0).filter(|_| names.len() == 1),
    };
    let Some(at) = at else {
        let wanted = args.check.as_ref().map_or_else(
            || "just one verify-chain check".to_owned(),
            |name| format!("a verify-chain check {name}"),
        );
        return Err(Failure::config(codes::CHECK_UNKNOWN, format!("the template has not {wanted}: {known}"))
            .hint("--check names one"));
    };
    let mut chain = chains.swap_remove(at);
    chain.require_genesis |= args.scheme.require_genesis;
    chain.contiguous |= args.scheme.contiguous;
    chain.allow_empty |= args.allow_empty;
    chain.max_forks = args.scheme.max_forks.or(chain.max_forks);
    Ok(chain)
}

fn described(args: &Args) -> Result<VerifyChain> {
    let given = &args.scheme;
    let scheme = given.scheme.ok_or_else(|| {
        Failure::config(codes::CHAIN_INVALID, "neither a template nor a scheme is given")
            .hint("use -t or --scheme")
    })?;
    let table = match (&given.table, &args.jsonl) {
        (Some(table), _) => table.clone(),
        (None, Some(_)) => "export".parse().expect("a table's name"),
        (None, None) => {
            return Err(Failure::config(codes::CHAIN_INVALID, "no table is given")
                .hint("--table names it, or --jsonl an export"));
        }
    };
    Ok(VerifyChain {
        name: "verify-chain".to_owned(),
        database: "database".parse().expect("a database's name"),
        table,
        scheme,
        partition_by: given.partition_by.clone(),
        order_by: given.order_by.clone(),
        require_genesis: given.require_genesis,
        contiguous: given.contiguous,
        allow_empty: args.allow_empty,
        allow_missing_heads: false,
        max_forks: given.max_forks,
        shards: given.shards,
        id: given.id.clone(),
        hash_column: given.hash_column.clone(),
        link_column: given.link_column.clone(),
        hash: given.hash,
        encoding: given.encoding,
        genesis: given.genesis.clone(),
        link_in_preimage: given.link_in_preimage,
        columns: given.columns.clone(),
        join: given.join,
        separator: given.separator.clone(),
        preimage: given.preimage.clone(),
        version_column: None,
        versions: std::collections::BTreeMap::new(),
    })
}

/// The outcome as a verdict would have it.
fn record(name: String, outcome: Outcome, seconds: f64) -> verdict::Check {
    verdict::Check {
        name,
        kind: "verify-chain".into(),
        status: outcome.status,
        seconds,
        rows_verified: outcome.rows_verified,
        summary: outcome.summary,
        findings: outcome.findings,
        findings_total: outcome.findings_total,
        heads: None,
    }
}

fn last_line(record: &verdict::Check) -> String {
    let rows = human::count(record.rows_verified);
    match record.status {
        CheckStatus::Pass => format!("Chain verification HELD — {}", human::inert(&record.summary)),
        _ => format!(
            "Chain verification FAILED — {} in {rows} rows",
            human::things(record.findings_total, "finding")
        ),
    }
}

fn summary(record: &verdict::Check) -> String {
    let mut out = Page::default();
    for finding in &record.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        writeln!(out, "{severity} {}: {}", finding.code, finding.subject);
        writeln!(out, "    expected {}", finding.expected);
        writeln!(out, "    actual   {}", finding.actual);
    }
    let more = record.findings_total.saturating_sub(record.findings.len() as u64);
    if more > 0 {
        writeln!(out, "… and {} more", human::count(more));
    }
    writeln!(out, "{} rows in {}", human::count(record.rows_verified), human::duration(record.seconds));
    out.ending(&last_line(record))
}
