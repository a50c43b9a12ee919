//! `backup`: the way dumps are made.

use std::io::IsTerminal;
use std::sync::Arc;

use super::common::{self, TemplateArg};
use super::output::{self, Format};
use super::signals::{Interrupted, Stop};
use crate::backup::{self, BackupPlan, BackupReport, Job};
use crate::check;
use crate::clock::Clock;
use crate::layer::{Identities, Recipients};
use crate::model::exit::ExitCode;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::manifest::FingerprintKey;
use crate::model::names::DatabaseName;
use crate::model::verdict::TeardownStatus;
use crate::store;
use crate::survey::Surveyor;
use crate::template::{Environment, Purpose};
use crate::view::{Page, stderr};

const EXAMPLES: &str = "\
Each database is dumped with pg_dump --format=custom, encrypted with age (or gpg, if the template has no
recipient of age) and uploaded as one stream. A dump that fails or is empty leaves nothing in the store. Nothing is ever
overwritten.

Roles, memberships and role settings, which no dump holds, go into an object beside the dumps: the server's globals, by
pg_dumpall --globals-only --no-role-passwords. `privileges = false` in [backup] leaves out roles and privileges.

While a database is dumped, its rows are read under the same snapshot. Counts and fingerprints of all tables go into a
manifest beside the dumps, encrypted like them, for a drill's check of the type `fingerprint`.

Examples:
  restore-drill backup -t aegis --dry-run
  restore-drill backup -t aegis
  restore-drill backup -t aegis --no-verify          do not read the dumps back: needs no private key
  restore-drill backup -t aegis --no-manifest        do not read the source beside pg_dump";

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// Show which objects would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not read the dumps back
    #[arg(long)]
    no_verify: bool,
    /// Do not read the source's rows, and write no manifest
    #[arg(long)]
    no_manifest: bool,
    /// Dump only these databases
    #[arg(long, value_name = "DB,…", value_delimiter = ',', value_parser = common::parse_database)]
    only: Vec<DatabaseName>,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Makes the backup.
pub async fn run(args: Args) -> Result<ExitCode> {
    let purpose = if args.no_verify { Purpose::BackupWithoutVerify } else { Purpose::Backup };
    let template = check::load(&args.template.template, &Environment::of_process(), purpose)?.into_template();
    let recipients = Recipients::of(backup::settings(&template)?, &template.encryption)
        .map_err(|failure| template.hinted(failure))?;
    let verify_with = if args.no_verify {
        None
    } else {
        let identities = Identities::of(&template);
        Some(Arc::new(identities.map_err(|failure| template.hinted(failure))?))
    };
    let databases = backup::databases(&template, &args.only)?;
    let clock = Clock::system();
    if args.dry_run {
        let plan = backup::plan(&template, &databases, !args.no_manifest, recipients.layer(), clock.now())?;
        let printed = match args.format {
            Format::Json => output::print_json(&plan),
            Format::Human => output::print(&plan_text(&plan)),
        };
        return Ok(output::delivered(printed, ExitCode::Ok));
    }
    let store = store::connect(&template.store).await.map_err(|failure| template.hinted(failure))?;
    let job = Job {
        template: Arc::new(template),
        databases,
        store,
        recipients: Arc::new(recipients),
        verify_with,
        manifest: (!args.no_manifest).then(FingerprintKey::random),
        globals: true,
        clock,
    };
    let made = job.run(&Stop::on_signal(Interrupted::Makes("backup")).token, &narrate).await;
    let mut report = made.map_err(|failure| job.template.hinted(failure))?;
    report.warnings.extend(losses(&job, &report).await);
    let printed = match args.format {
        Format::Json => output::print_json(&report),
        Format::Human => {
            let last = last_line(&report);
            output::print_summary(&text(&report), &last, report.failure().is_none())
        }
    };
    Ok(output::delivered(printed, exit_code(&report)))
}

/// What the dumps have no more that those before them have. A backup refuses nothing for that, and does not fail if it cannot
/// be known; without identities nothing can be read.
async fn losses(job: &Job, report: &BackupReport) -> Vec<String> {
    let (Some(identities), Ok(pattern)) = (&job.verify_with, job.template.key_pattern()) else {
        return Vec::new();
    };
    if report.failure().is_some() {
        return Vec::new();
    }
    let (store, identities) = (Arc::clone(&job.store), Arc::clone(identities));
    let surveyor = Surveyor { store, identities, pattern, manifests: None };
    // The time as the keys have it: a format may leave some of it out.
    let taken_at = report.dumps.iter().find_map(|dump| {
        surveyor.pattern.taken_at(&dump.database, dump.key.as_str()).filter(|_| dump.uploaded.is_some())
    });
    let Some(taken_at) = taken_at else { return Vec::new() };
    match surveyor.losses(&job.template, taken_at).await {
        Ok(losses) => losses,
        Err(failure) => vec![format!("not known what is gone since the backup before: {failure}")],
    }
}

/// Reports the progress of a backup on stderr.
pub fn narrate(line: &str) {
    let mark = if std::io::stderr().is_terminal() { "· " } else { "" };
    // A backup does not wait until this is read, and does not fail if it is not.
    let _ = stderr::say(format!("{mark}{}\n", human::inert(line)));
}

/// How the backup went.
pub fn exit_code(report: &BackupReport) -> ExitCode {
    match report.failure() {
        Some(failure) => failure.class.into(),
        None if report.teardown.status == TeardownStatus::Leaked => ExitCode::Leaked,
        None => ExitCode::Ok,
    }
}

fn plan_text(plan: &BackupPlan) -> String {
    let mut out = Page::default();
    for dump in &plan.dumps {
        writeln!(out, "{} → {}", dump.database, dump.key);
    }
    if let Some(key) = &plan.globals {
        writeln!(out, "globals → {key}");
    }
    if let Some(key) = &plan.manifest {
        writeln!(out, "manifest → {key}");
    }
    for warning in &plan.warnings {
        writeln!(out, "warning: {warning}");
    }
    out.text()
}

/// What became of the server's roles.
fn globals_text(report: &BackupReport, out: &mut Page) {
    let Some(written) = &report.globals else { return };
    let outcome = match (&written.error, &written.uploaded) {
        (Some(error), _) => format!("FAILED: {}", human::one_line(&error.message, 300)),
        (None, uploaded) => {
            let bytes = uploaded.as_ref().map_or(0, |uploaded| uploaded.size_bytes);
            let read_back = if written.verified { ", read back" } else { "" };
            format!("{} of roles and their settings{read_back}", human::bytes(bytes))
        }
    };
    writeln!(out, "{}  {outcome}", written.key);
}

/// What became of the manifest, and what is not in it.
fn manifest_text(report: &BackupReport, out: &mut Page) {
    if let Some(written) = &report.manifest {
        let outcome = match (&written.error, written.size_bytes) {
            (Some(error), _) => format!("FAILED: {}", human::one_line(&error.message, 300)),
            (None, size) => {
                let read_back = if written.verified { ", read back" } else { "" };
                let databases = human::things(written.databases as u64, "database");
                format!("{} for {databases}{read_back}", human::bytes(size.unwrap_or_default()))
            }
        };
        writeln!(out, "{}  {outcome}", written.key);
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}");
    }
}

fn text(report: &BackupReport) -> String {
    let mut out = Page::default();
    for dump in &report.dumps {
        let outcome = match (&dump.uploaded, &dump.verified, &dump.error) {
            (_, _, Some(error)) => format!("FAILED: {}", human::one_line(&error.message, 300)),
            (Some(uploaded), Some(verified), None) => {
                let entries = match verified.entries {
                    0 => "an empty database".to_owned(),
                    entries => format!("{entries} entries"),
                };
                let (bytes, seconds) = (uploaded.size_bytes, uploaded.seconds);
                format!("{} in {}, read back: {entries}", human::bytes(bytes), human::duration(seconds))
            }
            (Some(uploaded), None, None) => {
                format!("{} in {}", human::bytes(uploaded.size_bytes), human::duration(uploaded.seconds))
            }
            (None, _, None) => "nothing was uploaded".to_owned(),
        };
        writeln!(out, "{}  {outcome}", dump.key);
    }
    globals_text(report, &mut out);
    manifest_text(report, &mut out);
    if let Some(hint) = report.failure().and_then(|failure| failure.hint.as_ref()) {
        writeln!(out, "hint: {hint}");
    }
    let remains = report.teardown.remains();
    if !remains.is_empty() {
        writeln!(out, "left behind: {remains}");
    }
    out.blank();
    out.ending(&last_line(report))
}

fn last_line(report: &BackupReport) -> String {
    if let Some(failure) = report.failure() {
        return format!("Backup FAILED — {failure}");
    }
    let bytes = report
        .dumps
        .iter()
        .filter_map(|dump| dump.uploaded.as_ref())
        .map(|uploaded| uploaded.size_bytes)
        .sum();
    let read_back = if report.dumps.iter().all(|dump| dump.verified.is_some()) {
        ", each read back"
    } else {
        ", NOT read back"
    };
    format!("Backup PASSED — {} dumps, {}{read_back}", report.dumps.len(), human::bytes(bytes))
}
