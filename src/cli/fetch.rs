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
            output::print_summary(&text(&report), &last_line(&report), report.is_proved())
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
    writeln!(out, "Taken           {}", human::moment(point.taken_at));
    for (what, digest) in [("Object", &point.ciphertext_sha256), ("Dump", &point.plaintext_sha256)] {
        writeln!(out, "{what:<15} SHA-256 {}", digest.as_deref().unwrap_or("not known"));
    }
    match &report.proved_by {
        Some(drill) => writeln!(
            out,
            "Proved by       the drill of {}, {}",
            human::moment(drill.started_at),
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
    if let Some(globals) = &report.globals {
        writeln!(out, "Roles come first; {} has them. Once it is in this directory:", globals.key);
        writeln!(out, "  {}", globals.command);
        writeln!(out, "It holds no passwords: give each role that logs in a new one.");
    }
    if !report.roles.is_empty() {
        writeln!(out, "Roles that must be there first: {}", human::one_line(&report.roles.join(", "), 400));
    }
    let who = if report.proved_by.is_some() { "the drill did" } else { "a drill would" };
    writeln!(out, "To restore it as {who}:");
    let last = report.commands.len().saturating_sub(1);
    for (nth, command) in report.commands.iter().enumerate() {
        // A database that was there already must not be restored into.
        writeln!(out, "  {command}{}", if nth < last { r" && \" } else { "" });
    }
    for caveat in &report.caveats {
        writeln!(out, "Not restored    {caveat}");
    }
    out.blank();
    out.ending(&last_line(report))
}

fn last_line(report: &FetchReport) -> String {
    let point = &report.point;
    let size = human::bytes(point.plaintext_bytes.unwrap_or_default());
    let taken = human::moment(point.taken_at);
    let proved = match (&report.proved_by, &report.failed_later) {
        (Some(_), None) => "the bytes that a drill restored and passed with",
        (Some(_), Some(_)) => "the bytes that a drill restored and passed with; a later drill of it FAILED",
        (None, None) => "NOT proved: no drill that passed has restored it",
        (None, Some(_)) => "NOT proved: no drill that passed has restored it; a drill of it FAILED",
    };
    format!("Fetched {size} of {}, taken {taken}: {proved}", point.database)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{ManifestComparison, ProvedBy};
    use crate::model::testing::{passing, start};

    fn report(proved: bool, failed: bool) -> FetchReport {
        let verdict = passing();
        let point = verdict.recovery_set.points[0].clone();
        FetchReport {
            schema_version: 1,
            template: "shop".to_owned(),
            proved_by: proved.then(|| ProvedBy {
                drill_id: verdict.drill_id,
                started_at: start(),
                verdict: "v.json".to_owned(),
                only: Vec::new(),
            }),
            failed_later: failed.then(|| "rows are missing".to_owned()),
            manifest: ManifestComparison {
                key: point.key.clone(),
                equal: false,
                not_compared: Some("there is none".to_owned()),
            },
            output: "d".to_owned(),
            globals: None,
            roles: Vec::new(),
            commands: ["createdb a", "pg_restore d", "psql x"].map(str::to_owned).into(),
            caveats: vec!["subscriptions: feed".to_owned()],
            warnings: Vec::new(),
            seconds: 0.0,
            point,
        }
    }

    #[test]
    fn the_last_line_the_colour_and_the_json_tell_one_story() {
        for (proved, failed, end) in [
            (true, false, "passed with"),
            (true, true, "passed with; a later drill of it FAILED"),
            (false, false, "NOT proved: no drill that passed has restored it"),
            (false, true, "has restored it; a drill of it FAILED"),
        ] {
            let report = report(proved, failed);
            let last = last_line(&report);
            assert!(last.ends_with(end), "{last}");
            assert!(text(&report).ends_with(&format!("\n{last}\n")), "{last}");
            assert_eq!(report.is_proved(), !last.contains("NOT proved") && !last.contains("FAILED"));
            let json = serde_json::to_value(&report).unwrap();
            let told = (!json["proved_by"].is_null(), !json["failed_later"].is_null());
            assert_eq!(told, (proved, failed), "{json}");
        }
    }

    #[test]
    fn a_command_that_failed_is_followed_by_none() {
        let text = text(&report(true, false));
        assert!(
            text.contains(
                "  createdb a && \\\n  pg_restore d && \\\n  psql x\nNot restored    subscriptions: feed\n"
            ),
            "{text}"
        );
    }
}
