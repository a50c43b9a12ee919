//! `fetch`: from evidence to the real restore.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::common::{self, TemplateArg};
use super::fetch_globals;
use super::fetch_proofs::proofs;
use super::output::{self, Format};
use super::signals::{Interrupted, Stop};
use crate::check;
use crate::clock::Clock;
use crate::evidence::json;
use crate::fetch::{FetchReport, FetchTask, GlobalsTask, PointChoice};
use crate::layer::Identities;
use crate::model::codes;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::{DatabaseName, ServerName};
use crate::store;
use crate::template::{Environment, Purpose, Template};
use crate::view::{Page, stderr};

const EXAMPLES: &str = "\
Fetches one recovery point, or the roles of its server (--globals), decrypts it, compares its SHA-256 with the verdict of the drill that passed (and with the
backup's manifest, if there is one), and prints the commands that restore it as the drill did. Nothing is overwritten; the
file is private, and gets its name only once all of it is there and is what was proved.

With `-o -` it goes to stdout, and everything else to stderr. Whether it is the right one is known at its end: use
it only if the exit code is 0.

Examples:
  restore-drill fetch -t aegis --globals --last-passed -o globals.sql     the roles, which come first
  restore-drill fetch -t aegis --database acp_audit --last-passed -o acp_audit.dump
  restore-drill fetch -t aegis --database acp_audit --at 2026-05-16T12:00Z -o acp_audit.dump
  restore-drill fetch -t aegis --database acp_audit --unproved -o acp_audit.dump     one that no drill has restored
  set -o pipefail; restore-drill fetch -t aegis --database acp_audit --last-passed -o - | pg_restore --list

Exit codes: 0 the file is there, and is what was proved · 1 it is not what was proved, or is damaged or gone
2 configuration, or the file exists · 3 no drill that passed restored it, or the store cannot be read · 130 interrupted";

/// Arguments of `fetch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// The database
    #[arg(long, value_name = "DB", value_parser = common::parse_database, required_unless_present = "globals")]
    database: Option<DatabaseName>,
    /// Fetch the roles of the server, with their memberships and settings
    #[arg(long, conflicts_with = "database")]
    globals: bool,
    /// The server whose roles are fetched, if the template has several [default: its first]
    #[arg(long, value_name = "SERVER", requires = "globals")]
    server: Option<ServerName>,
    /// The newest recovery point at this time, or the newest globals [default: now]
    #[arg(long, value_name = "TIME", value_parser = common::parse_time, conflicts_with = "last_passed")]
    at: Option<DateTime<Utc>>,
    /// The newest that a drill restored and passed with
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
        let what = if args.globals { "SQL" } else { "a dump" };
        return Err(Failure::config(
            codes::OUTPUT_UNWRITABLE,
            format!("{what} is not written to a terminal"),
        )
        .hint("-o FILE writes a file; `-o - | …` goes into a pipe"));
    }
    let now = Clock::system().now();
    let at = common::point_in_time(args.at, now)?;
    let choice = if args.last_passed { PointChoice::LastPassed } else { PointChoice::At(at.unwrap_or(now)) };
    let template = check::load(&args.template.template, &Environment::of_process(), Purpose::Drill)?;
    let template = template.into_template();
    template.require_known(args.database.as_slice(), "--database")?;
    let stop = Stop::on_signal(Interrupted::Reads);
    let identities = Identities::of(&template).map_err(|failure| template.hinted(failure))?;
    let (identities, unproved, to_stdout) = (Arc::new(identities), args.unproved, file.is_none());
    let store = store::connect(&template.store).await.map_err(|failure| template.hinted(failure))?;
    let Some(database) = args.database else {
        let reports = args.reports;
        let server = server(&template, args.server)?;
        let task = GlobalsTask { template, store, identities, server, reports, choice, unproved, file };
        let report = task.run(&stop.token).await.map_err(|failure| task.template.hinted(failure))?;
        let (text, last) = (fetch_globals::text(&report), fetch_globals::last_line(&report));
        return Ok(printed(args.format, to_stdout, &report, text, &last, report.is_proved()));
    };
    let arguments = vec!["-t".to_owned(), args.template.template];
    let reports = args.reports;
    let reports_arguments = match reports == Path::new(common::DEFAULT_REPORTS) {
        true => Vec::new(),
        false => vec!["--reports".to_owned(), reports.display().to_string()],
    };
    let task = FetchTask {
        template,
        arguments,
        reports_arguments,
        database,
        store,
        identities,
        reports,
        choice,
        unproved,
        file,
    };
    let fetched = task.run(&stop.token, &super::backup::narrate).await;
    let report = fetched.map_err(|failure| task.template.hinted(failure))?;
    let (text, last) = (text(&report), last_line(&report));
    Ok(printed(args.format, to_stdout, &report, text, &last, report.is_proved()))
}

/// The server whose roles are asked for.
fn server(template: &Template, named: Option<ServerName>) -> Result<ServerName> {
    let Some(named) = named.or_else(|| template.first_server().map(|server| server.name)) else {
        let message = "the template has no PostgreSQL server, so there are no roles to fetch";
        return Err(Failure::config(codes::NOT_OF_POSTGRES, message).hint("leave --globals out"));
    };
    if template.servers().any(|server| server.name == named) {
        return Ok(named);
    }
    let known: Vec<String> = template.servers().map(|server| server.name.to_string()).collect();
    let message = format!("--server names {named}, which the template does not have");
    Err(Failure::config(codes::ONLY_UNKNOWN, message).hint(format!("its servers are {}", known.join(", "))))
}

/// Prints a report: to stderr, if stdout has what was fetched.
fn printed(
    format: Format,
    to_stdout: bool,
    report: &impl Serialize,
    text: String,
    last: &str,
    good: bool,
) -> ExitCode {
    let printed = match (format, to_stdout) {
        (Format::Json, false) => output::print_json(report),
        (Format::Human, false) => output::print_summary(&text, last, good),
        (Format::Json, true) => stderr::say(json(report)),
        (Format::Human, true) => stderr::say(text),
    };
    output::delivered(printed, ExitCode::Ok)
}

fn text(report: &FetchReport) -> String {
    let mut out = Page::default();
    let point = &report.point;
    writeln!(out, "Recovery point  {}", point.key);
    writeln!(out, "Taken           {}", human::moment(point.taken_at));
    if let Some(layers) = point.unusual_layers() {
        writeln!(out, "Layers          {layers}");
    }
    for (what, digest) in [("Object", &point.ciphertext_sha256), ("Dump", &point.plaintext_sha256)] {
        writeln!(out, "{what:<15} SHA-256 {}", digest.as_deref().unwrap_or("not known"));
    }
    proofs(&mut out, report.proved_by.as_ref(), &report.manifest, &report.warnings);
    out.blank();
    if let Some(globals) = &report.globals {
        match &globals.command {
            Some(command) => {
                writeln!(out, "Roles come first; {} has them:", globals.key);
                writeln!(out, "  {command}");
            }
            None => writeln!(
                out,
                "Roles come first; {} has them. `fetch --globals` does not find it: the template calls the globals of this \
                 server otherwise. Take it from the store, open it with age, and restore it with psql",
                globals.key
            ),
        }
    }
    if !report.roles.is_empty() {
        writeln!(out, "Roles that must be there first: {}", human::one_line(&report.roles.join(", "), 400));
    }
    let who = if report.proved_by.is_some() { "the drill did" } else { "a drill would" };
    writeln!(out, "To restore it as {who}:");
    commands(&mut out, &report.commands);
    for note in &report.notes {
        writeln!(out, "Note            {note}");
    }
    for caveat in &report.caveats {
        writeln!(out, "Not restored    {caveat}");
    }
    for later in &report.later {
        writeln!(
            out,
            "Not restored    {}. No drill has proved it; to restore it too, after all others:",
            later.what
        );
        commands(&mut out, &later.commands);
    }
    out.blank();
    out.ending(&last_line(report))
}

/// Commands, of which each runs only if the one before it succeeded: a database that was there already must not be restored
/// into.
fn commands(out: &mut Page, commands: &[String]) {
    let last = commands.len().saturating_sub(1);
    for (nth, command) in commands.iter().enumerate() {
        writeln!(out, "  {command}{}", if nth < last { r" && \" } else { "" });
    }
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
    use crate::fetch::{LaterCommands, ManifestComparison, ProvedBy};
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
            notes: Vec::new(),
            later: vec![LaterCommands {
                what: "left out: TABLE DATA t".to_owned(),
                commands: ["first", "second"].map(str::to_owned).into(),
            }],
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
                "  createdb a && \\\n  pg_restore d && \\\n  psql x\nNot restored    subscriptions: feed\n\
                 Not restored    left out: TABLE DATA t. No drill has proved it; to restore it too, after all others:\n  \
                 first && \\\n  second\n"
            ),
            "{text}"
        );
    }
}
