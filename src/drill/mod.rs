//! The drill: its phases, in order, with teardown at the end whatever happens.

mod conclude;
mod database;
mod fetch;
mod isolation;
mod journal;
mod limit;
mod objectives;
mod record;
mod restore;
mod stack;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::check::DrillTemplate;
use crate::clock::Clock;
use crate::layer::Identities;
use crate::model::codes;
use crate::model::earlier::EarlierDrills;
use crate::model::event::{EngineFound, Event, PlannedDrill};
use crate::model::failure::{Failure, Result};
use crate::model::names::{DatabaseName, DrillId, ProjectName, compact};
use crate::model::phase::Phase;
use crate::model::verdict::{self, Objectives, Runner, Stack, Status, Teardown, Tool, Verdict};
use crate::plan::DrillPlan;
use crate::sandbox::docker::{Engine, EngineInfo, LabelFilter, Owned};
use crate::sandbox::labels::{self, Ownership};
use crate::sandbox::owner::{self, Owner};
use crate::sandbox::shared_ports;
use crate::sandbox::teardown::{self, teardown};
use crate::store::Store;
use crate::survey::make_plan;

pub use journal::Journal;

/// More workers than this wait for each other, and use up the server's connections.
const MAX_JOBS: usize = 32;
/// How long a stack that was left standing may stand before `reap` removes it.
const KEEP_LEASE: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// How long teardown may take beyond the drill's own time limit, before `reap` may step in.
const TEARDOWN_MARGIN: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// What a drill is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The point in time to recover to. Default: now.
    pub at: Option<DateTime<Utc>>,
    /// The databases it is narrowed to; empty for all.
    pub only: Vec<DatabaseName>,
    /// Restore workers in all. Default: the engine's processors.
    pub jobs: Option<usize>,
    /// Leave the stack standing.
    pub keep: bool,
    /// Do not mind another drill of the same template.
    pub concurrent: bool,
    /// Who runs it.
    pub operator: String,
}

/// A drill, ready to run.
pub struct Drill {
    /// What to drill; narrowed already, see [`DrillTemplate::narrow`].
    pub template: Arc<DrillTemplate>,
    /// How.
    pub options: Options,
    /// Where recovery points are.
    pub store: Arc<dyn Store>,
    /// What opens them.
    pub identities: Arc<Identities>,
    /// Earlier drills that passed, for checks that compare with them.
    pub earlier: Arc<EarlierDrills>,
    /// The time.
    pub clock: Clock,
}

impl Drill {
    /// The verdict of a drill that begins now.
    pub fn first_verdict(&self, started_at: DateTime<Utc>) -> Verdict {
        let template = &self.template;
        Verdict {
            schema_version: 1,
            drill_id: DrillId::random(),
            template: template.name.clone(),
            timestamp: compact(started_at),
            project: ProjectName::new(&template.project_prefix, started_at),
            status: Status::Running,
            operator: self.options.operator.clone(),
            started_at,
            finished_at: None,
            duration_seconds: None,
            at: self.options.at.unwrap_or(started_at),
            tool: Tool { version: env!("CARGO_PKG_VERSION").to_owned() },
            runner: Runner {
                hostname: owner::hostname(),
                owner: Owner::this_process().to_string(),
                ..Runner::default()
            },
            recovery_set: verdict::RecoverySet::default(),
            plan: verdict::PlanRecord {
                store: Some(template.store.record()),
                ..verdict::PlanRecord::default()
            },
            databases: template
                .databases
                .iter()
                .map(|d| verdict::DatabaseRecord::pending(&d.name, &d.after))
                .collect(),
            stack: Stack::default(),
            isolation: verdict::Isolation::default(),
            checks: Vec::new(),
            verification_seconds: None,
            objectives: Objectives::default(),
            rows_verified: 0,
            kept: false,
            teardown: Teardown::default(),
            phases: Vec::new(),
            only: self.options.only.clone(),
            failure: None,
            warnings: Vec::new(),
            not_verified: Vec::new(),
        }
    }

    /// Runs the drill to its end: teardown included, whatever went wrong before. How it went is in the journal's
    /// verdict; the failure, if there was one, is returned for its class.
    pub async fn run(&self, journal: &Journal, cancel: &CancellationToken) -> Option<Failure> {
        journal.record(&Event::Started);
        if !self.options.only.is_empty() {
            let only: Vec<&str> = self.options.only.iter().map(DatabaseName::as_str).collect();
            let text = format!(
                "narrowed to {}: other databases, and checks that need them, are left out",
                only.join(", ")
            );
            journal.record(&Event::Warning(text));
        }
        let ownership = self.ownership(&journal.verdict());
        let mut engine = None;
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            outcome = AssertUnwindSafe(self.until_verdict(journal, &ownership, &mut engine)).catch_unwind() => {
                // Teardown must run whatever happens, a defect of our own included.
                outcome.unwrap_or_else(|_| Err(Failure::inconclusive(codes::INTERNAL_ERROR, "the drill broke off")
                    .hint("this is a defect of restore-drill; please report it with what stderr says")))
            }
            () = tokio::time::sleep(self.template.timeout) => {
                Err(limit::timed_out(self.template.timeout, &journal.verdict(), &journal.running_checks()))
            }
        };
        let failure = outcome.err();
        if let Some(failure) = &failure {
            journal.record(&Event::Failed(failure.clone()));
        }
        journal.record(&Event::Phase(Phase::Teardown));
        let keep = self.options.keep && !cancel.is_cancelled();
        journal.record(&Event::TornDown(match &engine {
            Some(engine) => teardown(engine, ownership.drill_id, keep).await,
            None => teardown::nothing_made(),
        }));
        journal.record(&Event::Finished);
        failure
    }

    /// Restore workers in all.
    fn jobs(&self, engine: &EngineInfo) -> usize {
        let default = || usize::try_from(engine.cpus).unwrap_or(1);
        self.options.jobs.unwrap_or_else(default).clamp(1, MAX_JOBS)
    }

    fn ownership(&self, verdict: &Verdict) -> Ownership {
        let limit = chrono::TimeDelta::from_std(self.template.timeout).unwrap_or(chrono::TimeDelta::days(1));
        let lease = if self.options.keep { KEEP_LEASE } else { limit + TEARDOWN_MARGIN };
        Ownership {
            drill_id: verdict.drill_id,
            project: verdict.project.clone(),
            template: self.template.name.clone(),
            purpose: "drill",
            owner: Owner::this_process(),
            lease_expires: verdict.started_at + lease,
            kept: self.options.keep,
        }
    }

    /// Everything up to teardown. The engine is handed out as soon as it is known, for teardown to use.
    async fn until_verdict(
        &self,
        journal: &Journal,
        ownership: &Ownership,
        engine_slot: &mut Option<Engine>,
    ) -> Result<()> {
        journal.record(&Event::Phase(Phase::Plan));
        let (at, now) = (journal.verdict().at, self.clock.now());
        // Without a forecast: a drill measures.
        let (template, store, identities) = (&self.template, &self.store, &self.identities);
        let plan = make_plan(template, store, identities, at, now, Vec::new(), &self.earlier).await?;
        journal.record(&Event::Planned(Box::new(planned(&plan))));
        if let Some(obstacle) = plan.obstacle() {
            return Err(obstacle);
        }

        journal.record(&Event::Phase(Phase::Preflight));
        let engine = Engine::connect().await?;
        journal.record(&Event::Engine(found(engine.info())));
        self.require_alone(&engine, ownership).await?;
        let images = stack::ensure_images(&engine, &self.template, journal).await?;
        let asked = self.template.checks.iter().filter_map(|check| check.port());
        shared_ports::refuse(&self.template, asked, &images)?;

        journal.record(&Event::Phase(Phase::Stack));
        let engine = engine_slot.insert(engine);
        let ownership = &mut ownership.clone();
        let (jobs, needs) = (self.jobs(engine.info()), plan.needs());
        let mut target = stack::up(engine, &self.template, ownership, &images, jobs, &needs, journal).await?;

        // Another drill may have come between the first look and our first label.
        self.require_alone(engine, ownership).await?;

        journal.record(&Event::Phase(Phase::Isolation));
        let proof = isolation::prove(engine, &self.template, &mut target.stack, journal).await?;

        journal.record(&Event::Phase(Phase::Restore));
        journal.record(&Event::Disk { free_bytes: target.server.disk_free().await });
        let checked = restore::restore_and_check(self, &plan, &target, journal).await;
        let stayed_isolated = isolation::confirm(engine, &target.stack, proof, journal).await;
        isolation::graver(stayed_isolated, checked)?;

        journal.record(&Event::Phase(Phase::Objectives));
        let objectives = objectives::judge(&self.template, &journal.verdict(), journal.seconds());
        journal.record(&Event::Objectives(objectives));
        objectives::missed(&journal.verdict()).or_else(|| plan.shortfall()).map_or(Ok(()), Err)
    }

    /// One drill of a template at a time: two would compete for the machine and make each other miss their RTO. Of two
    /// that begin together, the one with the earlier name goes on.
    async fn require_alone(&self, engine: &Engine, ownership: &Ownership) -> Result<()> {
        if self.options.concurrent {
            return Ok(());
        }
        let now = self.clock.now();
        let label = |owned: &Owned, name: &str| owned.labels.get(name).cloned().unwrap_or_default();
        let ours = (ownership.project.to_string(), ownership.drill_id.to_string());
        let all = engine.owned(LabelFilter::Template(&self.template.name)).await?;
        let ours_stands = all.iter().any(|owned| label(owned, labels::DRILL_ID) == ours.1);
        let other = all.iter().filter(|owned| teardown::is_running_drill(owned, now)).find(|owned| {
            let theirs = (label(owned, labels::PROJECT), label(owned, labels::DRILL_ID));
            theirs.1 != ours.1 && (!ours_stands || theirs < ours)
        });
        let Some(other) = other else { return Ok(()) };
        Err(Failure::inconclusive(
            codes::DRILL_RUNNING,
            format!(
                "another drill of {} is running on this engine: {}, by process {}",
                self.template.name,
                label(other, labels::PROJECT),
                label(other, labels::OWNER)
            ),
        )
        .hint("wait for it or stop it with Ctrl-C; if it is gone, `restore-drill reap --force` removes what it left; --concurrent runs beside it"))
    }
}

/// What of a plan the verdict and those who watch need.
fn planned(plan: &DrillPlan) -> PlannedDrill {
    PlannedDrill {
        recovery_set: plan.recovery_set.clone(),
        missing: plan.missing.clone(),
        rpo: plan.rpo.clone(),
        findings: plan.findings.clone(),
        cost: plan.cost,
    }
}

fn found(engine: &EngineInfo) -> EngineFound {
    EngineFound {
        version: engine.version.clone(),
        api_version: engine.api_version.clone(),
        endpoint: engine.endpoint.clone(),
        context: engine.context.clone(),
        cpus: engine.cpus,
        memory_bytes: engine.memory_bytes,
    }
}
