//! `plan`, and `run --dry-run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::common::{self, Opened, TemplateArg};
use super::limit::in_time;
use super::output::{self, Format};
use crate::clock::Clock;
use crate::evidence::{earlier_drills, past_drills, write_plan};
use crate::model::exit::ExitCode;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::plan::{DrillPlan, PointDetail};
use crate::store::{ArchiveRestore, ObjectFacts, RestoreTier, Store};
use crate::survey::{self, ArchivedObject, Manifests, archived_beside};
use crate::template::KeyPattern;
use crate::view::plan_text;

const EXAMPLES: &str = "\
Examples:
  restore-drill plan -t aegis
  restore-drill plan -t aegis --at 2026-05-16 --format json
  restore-drill plan -t aegis --at 2024-01-31 --request-restore      make archived points readable

Exit codes: 0 the plan is sound · 1 it is not: a finding is an error · 2 configuration or usage
3 the store could not be read";

/// Somebody waits for it. The largest buckets take a few minutes to list.
const LIMIT: Duration = Duration::from_secs(15 * 60);

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
    /// Also write the plan, as DIR/restore_drill/TIMESTAMP.plan.json; forecasts are based on the verdicts there
    /// [default: forecasts are based on those in reports, and nothing is written]
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Ask the store for readable copies of recovery points, manifests and globals that are in an archive; this costs money
    #[arg(long)]
    request_restore: bool,
    /// How long such copies are kept
    #[arg(long, value_name = "DAYS", default_value_t = 7, requires = "request_restore",
          value_parser = clap::value_parser!(u16).range(1..=365))]
    restore_days: u16,
    /// How urgent they are; faster costs more
    #[arg(long, value_enum, default_value_t, requires = "request_restore")]
    restore_tier: RestoreTier,
    /// What stdout is
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is to be shown.
pub struct Request<'a> {
    /// The template.
    pub template: &'a TemplateArg,
    /// The point in time.
    pub at: Option<DateTime<Utc>>,
    /// The databases it is narrowed to.
    pub only: &'a [DatabaseName],
    /// Where reports go, if they were asked for.
    pub reports: Option<&'a Path>,
    /// What stdout is.
    pub format: Format,
    /// For how long and how urgently archived points are to be made readable, if they are.
    pub restore: Option<(u16, RestoreTier)>,
}

/// Shows the plan.
pub async fn run(args: Args) -> Result<ExitCode> {
    show(&Request {
        template: &args.template,
        at: args.at,
        only: &args.only,
        reports: args.reports.as_deref(),
        format: args.format,
        restore: args.request_restore.then_some((args.restore_days, args.restore_tier)),
    })
    .await
}

/// Shows what a drill with these arguments would restore.
pub async fn show(request: &Request<'_>) -> Result<ExitCode> {
    let now = Clock::system().now();
    let at = common::point_in_time(request.at, now)?.unwrap_or(now);
    let reports = request.reports.unwrap_or(Path::new(common::DEFAULT_REPORTS));
    let planning = async {
        let Opened { template, identities, store } = request.template.open(request.only).await?;
        let past = past_drills(reports, &template);
        let earlier = earlier_drills(reports, &template);
        let manifests = Arc::new(Manifests::new(Arc::clone(&store), identities, template.key_pattern()?));
        let plan = survey::make_plan(&template, &manifests, at, now, past, &earlier)
            .await
            .map_err(|failure| template.hinted(failure))?;
        Ok((store, template.key_pattern()?, plan))
    };
    let (store, pattern, plan) = in_time(LIMIT, "planning", planning).await?;
    if let Some(reports) = request.reports {
        write_plan(reports, &plan, now)?;
    }
    let printed = match request.format {
        Format::Json => output::print_json(&plan),
        Format::Human => output::print(&plan_text(&plan)),
    };
    let is_archived = match request.restore {
        Some(how) => request_restores(&*store, &pattern, &plan, now, how).await?,
        None => false,
    };
    Ok(output::delivered(printed, if plan.sound && !is_archived { ExitCode::Ok } else { ExitCode::Failed }))
}

/// Asks for readable copies of what is archived, unless that is under way. Tells on stderr: stdout is the plan.
/// What the store refuses does not keep the others from being asked for. Returns whether anything is archived.
async fn request_restores(
    store: &dyn Store,
    pattern: &KeyPattern,
    plan: &DrillPlan,
    now: DateTime<Utc>,
    (days, tier): (u16, RestoreTier),
) -> Result<bool> {
    let unreadable = plan.points.iter().filter(|detail| detail.readable == Some(false));
    let of_point = |detail: &PointDetail| {
        let point = plan.point(&detail.database)?;
        let facts =
            detail.storage.value.clone().unwrap_or_else(|| ObjectFacts::of_class(&point.storage_class));
        Some(ArchivedObject { key: point.key.clone(), facts })
    };
    let mut archived: Vec<ArchivedObject> = unreadable.filter_map(of_point).collect();
    let beside = archived_beside(store, pattern, plan, now).await;
    archived.extend(beside.archived);
    for (key, failure) in beside.not_known {
        output::report(&format!("{key}: whether it is in an archive is not known: {}", failure.message));
    }
    if archived.is_empty() {
        output::report("nothing that a drill reads is in an archive: nothing was requested");
    }
    let mut refused = None;
    for ArchivedObject { key, facts } in &archived {
        if facts.archive_restore == ArchiveRestore::UnderWay {
            output::report(&format!("{key}: its restore was requested before"));
            continue;
        }
        let days = (!facts.is_tiered()).then_some(days);
        let kept = days.map_or_else(|| "for good".to_owned(), |days| format!("{days} days"));
        match store.request_restore(key, days, tier).await {
            Ok(()) => output::report(&format!("{key}: restore requested ({}, {kept})", tier.word())),
            Err(failure) if refused.is_none() => refused = Some(failure),
            Err(failure) => output::complain(&failure.message, None),
        }
    }
    refused.map_or(Ok(!archived.is_empty()), Err)
}
