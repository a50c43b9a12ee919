//! `plan`, and `run --dry-run`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::common::{self, Format, TemplateArg};
use crate::clock::Clock;
use crate::crypt::Identities;
use crate::engine;
use crate::exit::ExitCode;
use crate::failure::Result;
use crate::names::DatabaseName;
use crate::report::{plan_text, write_plan};
use crate::store::S3Store;
use crate::template::{self, Environment, Purpose};

const EXAMPLES: &str = "\
Examples:
  restore-drill plan -t aegis
  restore-drill plan -t aegis --at 2026-05-16 --format json";

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// Recover to this point in time [default: now]
    #[arg(long, value_name = "TIME", value_parser = common::parse_time)]
    at: Option<DateTime<Utc>>,
    /// Plan for only these databases
    #[arg(long, value_name = "DB,…", value_delimiter = ',', value_parser = common::parse_database)]
    only: Vec<DatabaseName>,
    /// Also write the plan, as DIR/restore_drill/TIMESTAMP.plan.json
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows the plan.
pub async fn run(args: Args) -> Result<ExitCode> {
    show(&args.template, args.at, &args.only, args.reports.as_deref(), args.format).await
}

/// Shows what a drill with these arguments would restore.
pub async fn show(
    template: &TemplateArg,
    at: Option<DateTime<Utc>>,
    only: &[DatabaseName],
    reports: Option<&Path>,
    format: Format,
) -> Result<ExitCode> {
    let template = template::load(&template.template, &Environment::of_process(), Purpose::Drill)?;
    let template = engine::narrow(template, only)?;
    // A drill without its key would stop at once, so a plan without it is not sound either.
    Identities::load(&template.encryption.identities)?;
    let store = S3Store::connect(&template.store).await?;
    let now = Clock::system().now();
    let plan = engine::make_plan(&template, &store, at.unwrap_or(now)).await?;
    if let Some(reports) = reports {
        write_plan(reports, &plan, now)?;
    }
    match format {
        Format::Json => common::print_json(&plan),
        Format::Human => common::print(&plan_text(&plan)),
    }
    Ok(if plan.sound { ExitCode::Ok } else { ExitCode::Failed })
}
