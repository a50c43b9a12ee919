//! `reap`: removes what crashed or kept drills left on the engine.

use std::collections::BTreeMap;

use super::output;
use crate::clock::Clock;
use crate::model::codes;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::TeardownStatus;
use crate::sandbox::docker::{Engine, LabelFilter, Owned};
use crate::sandbox::labels;
use crate::sandbox::removal::{list_patiently, remove_all};
use crate::sandbox::teardown::{may_reap, may_reap_by_name};
use crate::view::{Page, removed_things};

const EXAMPLES: &str = "\
A drill's things are removed if its lease has expired, or if it ran on this machine and its process is gone.
A stack kept with --keep is removed once its lease (a day) has expired, or by its id.

Examples:
  restore-drill reap --dry-run
  restore-drill reap
  restore-drill reap --drill 6f1c…             one drill, kept or not
  restore-drill reap --force                   everything that any drill made, even of drills that run";

/// Arguments of `reap`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove also what belongs to drills that run or are kept
    #[arg(long)]
    force: bool,
    /// Remove what this drill made, if it does not run any more
    #[arg(long, value_name = "ID", conflicts_with = "force")]
    drill: Option<uuid::Uuid>,
}

/// Reaps.
pub async fn run(args: Args) -> Result<ExitCode> {
    let engine = Engine::connect().await?;
    let now = Clock::system().now();
    let drill = args.drill.map(|id| id.to_string());
    let label = |owned: &Owned, name: &str| owned.labels.get(name).cloned().unwrap_or_default();
    let chosen = |owned: &Owned| match &drill {
        Some(id) => label(owned, labels::DRILL_ID) == *id && may_reap_by_name(owned, now),
        None => (args.force && !owned.is_copy()) || may_reap(owned, now),
    };
    let all = list_patiently(&engine, LabelFilter::Any).await?;
    let shown: Vec<&Owned> = all
        .iter()
        .filter(|owned| drill.as_ref().is_none_or(|id| label(owned, labels::DRILL_ID) == *id))
        .collect();
    if let Some(id) = drill.as_ref().filter(|_| shown.is_empty()) {
        return Err(Failure::config(
            codes::DRILL_UNKNOWN,
            format!("nothing on this engine belongs to the drill {id}"),
        )
        .hint("`restore-drill reap --dry-run` lists what there is"));
    }
    let mut projects: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for owned in shown {
        let things = projects.entry((label(owned, labels::PROJECT), chosen(owned))).or_default();
        let copy = if owned.is_copy() {
            ", which has a drill's labels and another name: a copy is left alone"
        } else {
            ""
        };
        things.push(format!("{} {}{copy}", owned.kind.word(), owned.name));
    }
    let mut out = Page::default();
    for ((project, removed), things) in &projects {
        let fate = match (removed, args.dry_run) {
            (true, true) => "would be removed",
            (true, false) => "removing",
            (false, _) => {
                "left alone: it runs, or is kept, or its process is elsewhere, and its lease has not expired"
            }
        };
        writeln!(out, "{project}: {fate}");
        for thing in things {
            writeln!(out, "  {thing}");
        }
    }
    // Removal continues even if nothing can be printed.
    let printed = output::print(&out.text());
    if args.dry_run {
        return Ok(output::delivered(printed, ExitCode::Ok));
    }
    let outcome = remove_all(&engine, LabelFilter::Any, chosen).await;
    let printed = printed.and(output::print(&format!("removed {}\n", removed_things(&outcome.removed))));
    if outcome.status == TeardownStatus::Leaked {
        output::complain(&format!("left behind: {}", outcome.remains()), None);
        return Ok(output::delivered(printed, ExitCode::Leaked));
    }
    Ok(output::delivered(printed, ExitCode::Ok))
}
