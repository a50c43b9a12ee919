//! `fetch`: from evidence to the real restore.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::common::{self, TemplateArg};
use super::output::{self, Format};
use super::signals::{Interrupted, Stop};
use crate::check;
use crate::clock::Clock;
use crate::evidence::json;
use crate::fetch::{FetchReport, FetchTask, PointChoice};
use crate::layer::Identities;
use crate::model::codes;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::store;
use crate::template::{Environment, Purpose};
use crate::view::{Page, stderr};

const EXAMPLES: &str = "\
Fetches one recovery point, decrypts it, compares its SHA-256 with the verdict of the drill that passed (and with the
backup's manifest, if there is one), and prints the commands that restore it as the drill did. Nothing is overwritten; the
file is private, and gets its name only once all of it is there and is what was proved.

With `-o -` the dump goes to stdout, and everything else to stderr. Whether it is the right one is known at its end: use
it only if the exit code is 0.

Examples:
  restore-drill fetch -t aegis --database acp_audit --last-passed -o acp_audit.dump
  restore-drill fetch -t aegis --database acp_audit --at 2026-05-16T12:00Z -o acp_audit.dump
  restore-drill fetch -t aegis --database acp_audit --unproved -o acp_audit.dump     one that no drill has restored
  set -o pipefail; restore-drill fetch -t aegis --database acp_audit --last-passed -o - | pg_restore --list

Exit codes: 0 the dump is there, and is what was proved · 1 it is not what was proved, or is damaged or gone
2 configuration, or the file exists · 3 no drill that passed restored it, or the store cannot be read · 130 interrupted";

/// Arguments of `fetch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// The database
    #[arg(long, value_name = "DB", value_parser = common::parse_database)]
    database: DatabaseName,
    /// The newest recovery point at this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = common::parse_time, conflicts_with = "last_passed")]
    at: Option<DateTime<Utc>>,
    /// The newest recovery point that a drill restored and passed with
    #[arg(long)]
    last_passed: bool,
    /// Fetch it although no drill that passed has restored it
    #[arg(long, conflicts_with = "last_passed")]
    unproved: bool,
    /// The file to write, which must not exist; - for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where verdicts are: DIR/restore_drill
    #[arg(long, value_name = "DIR", default_value = common::DEFAULT_REPORTS)]
    reports: PathBuf,
    /// What the report is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Fetches.
pub async fn run(args: Args) -> Result<ExitCode> {
    let file = (args.output.as_os_str() != "-").then_some(args.output);
    if file.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::config(codes::OUTPUT_UNWRITABLE, "a dump is not written to a terminal")
            .hint("-o FILE writes a file; `-o - | …` goes into a pipe"));
    }
    let at = common::point_in_time(args.at, Clock::system().now())?;
    let template = check::load(&args.template.template, &Environment::of_process(), Purpose::Drill)?;
    let template = template.into_template();
    template.require_known(std::slice::from_ref(&args.database), "--database")?;
    let stop = Stop::on_signal(Interrupted::Reads);
    let identities =
        Identities::load(&template.encryption.identities).map_err(|failure| template.hinted(failure))?;
    let store = store::connect(&template.store).await.map_err(|failure| template.hinted(failure))?;
    let task = FetchTask {
        database: args.database,
        store,
        identities: Arc::new(identities),
        reports: args.reports,
        choice: if args.last_passed {
            PointChoice::LastPassed
        } else {
            PointChoice::At(at.unwrap_or_else(|| Clock::system().now()))
        },
        unproved: args.unproved,
        file,
        template,
    };
    let fetched = task.run(&stop.token, &super::backup::narrate).await;
    let report = fetched.map_err(|failure| task.template.hinted(failure))?;
    let printed = match (args.format, task.file.is_some()) {
        (Format::Json, true) => output::print_json(&report),
        (Format::Human, true) => {
            output::print_summary(&text(&report), &last_line(&report), report.proved_by.is_some())
        }
        // Stdout is the dump.
        (Format::Json, false) => stderr::say(json(&report)),
        (Format::Human, false) => stderr::say(text(&report)),
    };
    Ok(output::delivered(printed, ExitCode::Ok))
}

fn text(report: &FetchReport) -> String {
    let mut out = Page::default();
    let point = &report.point;
    writeln!(out, "Recovery point  {}", point.key);
    writeln!(out, "Taken           {}", point.taken_at.format("%Y-%m-%d %H:%M:%SZ"));
    for (what, digest) in [("Object", &point.ciphertext_sha256), ("Dump", &point.plaintext_sha256)] {
        writeln!(out, "{what:<15} SHA-256 {}", digest.as_deref().unwrap_or("not known"));
    }
    match &report.proved_by {
        Some(drill) => writeln!(
            out,
            "Proved by       the drill of {}, {}",
            drill.started_at.format("%Y-%m-%d %H:%M:%SZ"),
            drill.verdict
        ),
        None => writeln!(out, "Proved by       no drill"),
    }
    match &report.manifest.not_compared {
        None => writeln!(out, "Manifest        the same digests, {}", report.manifest.key),
        Some(why) => writeln!(out, "Manifest        not compared: {why}"),
    }
    for warning in &report.warnings {
        writeln!(out, "Warning         {warning}");
    }
    out.blank();
    if !report.roles.is_empty() {
        writeln!(out, "Roles that must be there first: {}", human::one_line(&report.roles.join(", "), 400));
    }
    writeln!(out, "To restore it as the drill did:");
    for command in &report.commands {
        writeln!(out, "  {command}");
    }
    out.blank();
    out.ending(&last_line(report))
}

fn last_line(report: &FetchReport) -> String {
    let point = &report.point;
    let size = human::bytes(point.plaintext_bytes.unwrap_or_default());
    let taken = point.taken_at.format("%Y-%m-%d %H:%M:%SZ");
    let proved = match &report.proved_by {
        Some(_) => "the bytes that a drill restored and passed with",
        None => "NOT proved: no drill that passed has restored it",
    };
    format!("Fetched {size} of {}, taken {taken}: {proved}", point.database)
}
