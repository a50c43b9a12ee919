//! `run`: the drill.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::common::{self, EvidenceArgs, Opened, TemplateArg};
use super::output::Format;
use super::plan;
use super::signals::{Interrupted, Stop};
use crate::clock::Clock;
use crate::drill::{Drill, Options};
use crate::evidence::earlier_drills;
use crate::model::exit::ExitCode;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

const EXAMPLES: &str = "\
Examples:
  restore-drill run -t aegis
  restore-drill run -t aegis --dry-run
  restore-drill run -t aegis --at 2026-05-16T12:00Z       the state of the store at that time
  restore-drill run -t aegis --only acp_identity,acp_audit
  restore-drill run -t aegis --keep                       leave the stack standing, to look inside
  restore-drill run -t ./my-template.toml --format json > verdict.json";

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// Show what would be restored, and restore nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the stack standing, and print how to inspect it and how to remove it
    #[arg(long)]
    keep: bool,
    /// Recover to this point in time [default: now]
    #[arg(long, value_name = "TIME", value_parser = common::parse_time)]
    at: Option<DateTime<Utc>>,
    /// Drill only these databases
    #[arg(long, value_name = "DB,…", value_delimiter = ',', value_parser = common::parse_database)]
    only: Vec<DatabaseName>,
    /// Restore workers in all [default: the engine's processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Who runs the drill [default: the login name, or "system"]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Run although another drill of this template is running
    #[arg(long)]
    concurrent: bool,
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the drill.
pub async fn run(args: Args) -> Result<ExitCode> {
    if args.dry_run {
        return plan::show(&plan::Request {
            template: &args.template,
            at: args.at,
            only: &args.only,
            reports: args.evidence.reports.as_deref(),
            format: args.format,
            restore: None,
        })
        .await;
    }
    let clock = Clock::system();
    let at = common::point_in_time(args.at, clock.now())?;
    let Opened { template, identities, store } = args.template.open(&args.only).await?;
    let earlier = earlier_drills(args.evidence.reports(), &template);
    let drill = Drill {
        earlier: Arc::new(earlier),
        template: Arc::new(template),
        options: Options {
            at,
            only: args.only,
            jobs: args.jobs.map(usize::from),
            keep: args.keep,
            concurrent: args.concurrent,
            operator: args.operator.unwrap_or_else(common::default_operator),
        },
        store,
        identities,
        clock,
    };
    common::run_drill(&drill, &args.evidence, args.format, &Stop::on_signal(Interrupted::Makes("drill")))
        .await
}
