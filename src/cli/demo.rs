//! `demo`: everything, on sample data, with nothing but Docker.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;

use super::backup as backup_command;
use super::common::{self, EvidenceArgs};
use super::output::Format;
use super::signals::{Interrupted, Stop};
use crate::check::DrillTemplate;
use crate::clock::Clock;
use crate::demo::data::DEFAULT_ROWS;
use crate::demo::{Kind, SYSTEMS, Setting, System, SystemStage};
use crate::drill::{Drill, Options};
use crate::evidence::earlier_drills;
use crate::model::codes;
use crate::model::earlier::EarlierDrills;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::{Status, Verdict};

static HELP: LazyLock<String> = LazyLock::new(|| {
    format!(
        "\
Starts a Postgres with nine Aegis-shaped databases, an S3 server in this process, backs the one up into the other with
a fresh key, and drills the backup with the template `aegis`. Everything but the evidence is removed afterwards.

With --system the demo is of another system, as its own tools back it up, with the template of that name. Systems:
{}
With --break the backup is broken first, and the drill shows how it is found out (exit code 1). {}
Examples:
  restore-drill demo
  restore-drill demo --rows 1000000
  restore-drill demo --break edited-row
  DRILL_POSTGRES_IMAGE=restore-drill/postgres:17 DRILL_REDIS_IMAGE=restore-drill/redis:7 restore-drill demo",
        systems(),
        kinds_of_systems(),
    )
});

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP.as_str())]
pub struct Args {
    /// The system that the demo is of; they are listed below
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = names(), default_value = SYSTEMS[0].name)]
    system: String,
    /// Rows of the largest table, such as the audit log; the other tables follow
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROWS)]
    rows: u64,
    /// Break the backup in this way; the kinds are listed below
    #[arg(long = "break", value_name = "KIND", hide_possible_values = true, value_parser = kinds())]
    breakage: Option<String>,
    /// Leave the drill's stack standing
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn names() -> PossibleValuesParser {
    SYSTEMS.iter().map(|system| system.name).collect::<Vec<_>>().into()
}

/// The kinds of all systems. Which of them the system has is known when all arguments are.
fn kinds() -> PossibleValuesParser {
    let mut names: Vec<&str> = Vec::new();
    for kind in SYSTEMS.iter().flat_map(|system| (system.kinds)()) {
        if !names.contains(&kind.name) {
            names.push(kind.name);
        }
    }
    names.into()
}

/// The systems for the help text, one a line.
fn systems() -> String {
    let width = SYSTEMS.iter().map(|system| system.name.len()).max().unwrap_or(0);
    SYSTEMS.iter().map(|system| format!("  {:width$}  {}\n", system.name, system.about)).collect()
}

fn kinds_of_systems() -> String {
    let lists = SYSTEMS.iter().map(|system| format!("Kinds of {}:\n{}", system.name, system.list()));
    lists.collect::<Vec<_>>().join("\n")
}

/// The kind that was asked for, if the system has it.
fn kind_of(system: &System, name: &str) -> Result<Kind> {
    system.kind(name).ok_or_else(|| {
        Failure::config(
            codes::DEMO_BREAK_FAILED,
            format!("backups of {} cannot be broken in the way {name}", system.name),
        )
        .hint("`restore-drill demo --help` lists the kinds of each system")
    })
}

/// Runs the demo.
pub async fn run(args: Args) -> Result<ExitCode> {
    let stop = Stop::on_signal(Interrupted::Makes("demo"));
    let system = SYSTEMS.iter().find(|system| system.name == args.system).unwrap_or(&SYSTEMS[0]);
    let kind = args.breakage.as_deref().map(|name| kind_of(system, name)).transpose()?;
    let setting =
        Setting { rows: args.rows, kind: kind.map(|kind| kind.name), narrate: backup_command::narrate };
    let stage = (system.set)(setting).await?;
    let sound = stage.back_up(&stop.token).await?;

    backup_command::narrate("the source server is gone; what follows has only the backups");
    // Other demos had other data: nothing is compared with theirs.
    let mut earlier = EarlierDrills::default();
    if sound.is_some() {
        backup_command::narrate("drilling the backup that is sound");
        let first = drill(&*stage, sound, false, earlier).await?;
        let sealed = common::sealed_drill(&first, &args.evidence, &stop).await?;
        must_have_passed(&sealed.verdict)?;
        earlier = earlier_drills(args.evidence.reports(), stage.template());
        earlier.drills.truncate(1);
        backup_command::narrate("drilling the one after it");
    }
    let last = drill(&*stage, None, args.keep, earlier).await?;
    common::run_drill(&last, &args.evidence, args.format, &stop).await
}

/// Of the drill of the sound backup: what a broken one is compared with.
fn must_have_passed(verdict: &Verdict) -> Result<()> {
    match verdict.status {
        Status::Pass => Ok(()),
        Status::Cancelled => Err(Failure::cancelled()),
        _ => {
            let why = verdict.failure.as_ref().map_or("", |failure| &failure.message);
            Err(Failure::inconclusive(
                codes::DEMO_BREAK_FAILED,
                format!("the sound backup did not pass: {why}"),
            ))
        }
    }
}

async fn drill(
    stage: &dyn SystemStage,
    at: Option<DateTime<Utc>>,
    keep: bool,
    earlier: EarlierDrills,
) -> Result<Drill> {
    Ok(Drill {
        earlier: Arc::new(earlier),
        store: stage.store().await?,
        template: Arc::new(DrillTemplate::of(stage.template().clone())?),
        options: Options {
            at,
            only: Vec::new(),
            jobs: None,
            keep,
            concurrent: true,
            operator: "demo".to_owned(),
        },
        identities: Arc::new(stage.identities()?),
        clock: Clock::system(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_the_system_does_not_have_is_refused() {
        assert_eq!(kind_of(&SYSTEMS[0], "edited-row").unwrap().name, "edited-row");
        let failure = kind_of(&SYSTEMS[0], "nonsense").unwrap_err();
        assert_eq!(failure.message, "backups of aegis cannot be broken in the way nonsense");
    }

    #[test]
    fn a_first_drill_that_is_interrupted_is_no_failure_of_the_demo() {
        let mut verdict = crate::model::testing::passing();
        for (status, code) in [
            (Status::Pass, ExitCode::Ok),
            (Status::Cancelled, ExitCode::Interrupted),
            (Status::Fail, ExitCode::Inconclusive),
            (Status::Inconclusive, ExitCode::Inconclusive),
        ] {
            verdict.status = status;
            let outcome =
                must_have_passed(&verdict).map_or_else(|failure| failure.class.into(), |()| ExitCode::Ok);
            assert_eq!(outcome, code);
        }
    }
}
