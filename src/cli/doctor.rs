//! `doctor`: would a drill find what it needs?

use std::path::PathBuf;
use std::time::Duration;

use super::common::{self, TemplateArg};
use super::limit::in_time;
use super::output::{self, Format};
use crate::check;
use crate::clock::Clock;
use crate::doctor;
use crate::evidence::past_drills;
use crate::model::exit::ExitCode;
use crate::model::failure::Result;
use crate::store;
use crate::template::{Environment, Purpose};
use crate::view::doctor_text;

const EXAMPLES: &str = "\
Looks at the keys, the store, each recovery point's header, the globals, the engine, its images, memory and disk,
the clock, and leftovers. Makes, writes and pulls nothing.

Examples:
  restore-drill doctor -t aegis
  restore-drill doctor -t aegis --format json

Exit codes: 0 a drill would find what it needs (there may be warnings) · otherwise what the drill's would be:
1 a recovery point cannot be opened · 2 configuration · 3 the engine or the store";

/// Somebody waits for it.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// Where verdicts are: the estimate of disk space is based on those in DIR/restore_drill
    #[arg(long, value_name = "DIR", default_value = common::DEFAULT_REPORTS)]
    reports: PathBuf,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Examines.
pub async fn run(args: Args) -> Result<ExitCode> {
    let template = check::load(&args.template.template, &Environment::of_process(), Purpose::Drill)?;
    let past = past_drills(&args.reports, &template);
    let examining = async {
        let store = store::connect(&template.store).await;
        let store = store.as_ref().map_err(Clone::clone);
        Ok(doctor::examine(&template, store, &past, &Clock::system()).await)
    };
    let examination = in_time(LIMIT, "examining the store and the engine", examining).await?;
    let printed = match args.format {
        Format::Json => output::print_json(&examination),
        Format::Human => {
            let (text, last) = doctor_text(&examination);
            output::print_summary(&text, &last, examination.exit_code() == ExitCode::Ok)
        }
    };
    Ok(output::delivered(printed, examination.exit_code()))
}
