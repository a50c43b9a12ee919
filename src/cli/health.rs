//! `health`: is disaster recovery working right now?

use std::path::PathBuf;
use std::time::Duration;

use super::common::{self, Opened, TemplateArg};
use super::limit::in_time;
use super::output::{self, Format};
use crate::clock::Clock;
use crate::evidence::{earlier_drills, past_drills};
use crate::health::{self, HealthStatus};
use crate::model::exit::ExitCode;
use crate::model::failure::Result;
use crate::survey::Surveyor;
use crate::view::health_text;

const EXAMPLES: &str = "\
Looks at the newest recovery points, their ages and tables of contents, and at the verdict of the last drill. Reads
some kilobytes, needs no engine, and writes nothing: cheap enough to ask every minute.

Examples:
  restore-drill health -t aegis
  restore-drill health -t aegis --format json
  restore-drill health -t aegis --strict            a warning is a failure, too

Exit codes: 0 healthy, or a warning · 1 critical, or with --strict a warning · 2 configuration · 3 the store cannot be
read";

/// A probe that does not answer is no probe.
const LIMIT: Duration = Duration::from_secs(120);

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// Where verdicts are: the last drill's is read from DIR/restore_drill
    #[arg(long, value_name = "DIR", default_value = common::DEFAULT_REPORTS)]
    reports: PathBuf,
    /// Exit with 1 on a warning, too
    #[arg(long)]
    strict: bool,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Judges.
pub async fn run(args: Args) -> Result<ExitCode> {
    let now = Clock::system().now();
    let reading = async {
        let Opened { template, identities, store } = args.template.open(&[]).await?;
        let past = past_drills(&args.reports, &template);
        let earlier = earlier_drills(&args.reports, &template);
        // Globals and manifests are read whole, and this is asked every minute.
        let pattern = template.key_pattern()?;
        let surveyor = Surveyor { store, identities, pattern, manifests: None };
        let plan = surveyor
            .plan(&template, now, now, past, &earlier)
            .await
            .map_err(|failure| template.hinted(failure))?;
        Ok((template, plan))
    };
    let (template, plan) = in_time(LIMIT, "reading the store", reading).await?;
    let health =
        health::judge(&template, &plan, health::drills(&args.reports, &template, template.timeout, now));
    let printed = match args.format {
        Format::Json => output::print_json(&health),
        Format::Human => {
            let (text, last) = health_text(&health);
            output::print_summary(&text, &last, health.status == HealthStatus::Healthy)
        }
    };
    let code = match health.status {
        HealthStatus::Critical => ExitCode::Failed,
        HealthStatus::Warning if args.strict => ExitCode::Failed,
        HealthStatus::Healthy | HealthStatus::Warning => ExitCode::Ok,
    };
    Ok(output::delivered(printed, code))
}
