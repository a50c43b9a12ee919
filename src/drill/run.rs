//! The phases of a drill, in order, with teardown at the end whatever happens.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use super::task::Drill;
use super::{alone, isolation, objectives, restore, stack};
use crate::clock::Timer;
use crate::model::codes;
use crate::model::event::{EngineFound, Event, PlannedDrill, Sink};
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::phase::Phase;
use crate::model::verdict::Verdict;
use crate::plan::DrillPlan;
use crate::sandbox::docker::{Engine, EngineInfo};
use crate::sandbox::labels::Ownership;
use crate::sandbox::shared_ports;
use crate::sandbox::teardown::{self, teardown};
use crate::survey::{Manifests, make_plan};

/// A drill that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The verdict, not yet sealed.
    pub verdict: Verdict,
    /// The failure, for its class.
    pub failure: Option<Failure>,
}

impl Drill {
    /// Runs the drill that this verdict is the first one of to its end: teardown included, whatever went wrong before.
    pub async fn run(
        &self,
        first: Verdict,
        sinks: Vec<Box<dyn Sink>>,
        timer: Timer,
        cancel: &CancellationToken,
    ) -> Ended {
        let ownership = self.ownership(&first);
        let (journal, writer) = Journal::begin(first, sinks, timer);
        let failure = self.run_to_teardown(&journal, ownership, cancel).await;
        journal.record(Event::Finished).await;
        Ended { verdict: writer.verdict().await, failure }
    }

    async fn run_to_teardown(
        &self,
        journal: &Journal,
        ownership: Ownership,
        cancel: &CancellationToken,
    ) -> Option<Failure> {
        journal.record(Event::Started).await;
        if !self.options.only.is_empty() {
            let only: Vec<&str> = self.options.only.iter().map(DatabaseName::as_str).collect();
            let text = format!(
                "narrowed to {}: other databases, and checks that need them, are left out",
                only.join(", ")
            );
            journal.record(Event::Warning(text)).await;
        }
        let mut engine = None;
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            outcome = AssertUnwindSafe(self.until_verdict(journal, &ownership, &mut engine)).catch_unwind() => {
                // Teardown must run whatever happens, a defect of our own included.
                outcome.unwrap_or_else(|_| Err(Failure::defect(codes::INTERNAL_ERROR, "the drill broke off")))
            }
            () = tokio::time::sleep(self.template.timeout) => {
                Err(journal.underway().timed_out(self.template.timeout))
            }
        };
        let failure = outcome.err().map(|failure| self.template.hinted(failure));
        if let Some(failure) = &failure {
            journal.record(Event::Failed(failure.clone())).await;
        }
        journal.record(Event::Phase(Phase::Teardown)).await;
        let keep = self.options.keep && !cancel.is_cancelled();
        let torn_down = match &engine {
            Some(engine) => teardown(engine, ownership.drill_id, keep).await,
            None => teardown::nothing_made(),
        };
        journal.record(Event::TornDown(torn_down)).await;
        failure
    }

    /// Everything up to teardown. The engine is handed out as soon as it is known, for teardown to use.
    async fn until_verdict(
        &self,
        journal: &Journal,
        ownership: &Ownership,
        engine_slot: &mut Option<Engine>,
    ) -> Result<()> {
        journal.record(Event::Phase(Phase::Plan)).await;
        let (at, now) = (self.options.at.unwrap_or(journal.began()), self.clock.now());
        // Without a forecast: a drill measures.
        let (store, identities) = (Arc::clone(&self.store), Arc::clone(&self.identities));
        let manifests = Arc::new(Manifests::new(store, identities, self.template.key_pattern()?));
        let plan = make_plan(&self.template, &manifests, at, now, Vec::new(), &self.earlier).await?;
        journal.record(Event::Planned(Box::new(planned(&plan)))).await;
        if let Some(obstacle) = plan.obstacle() {
            return Err(obstacle);
        }

        journal.record(Event::Phase(Phase::Preflight)).await;
        let engine = Engine::connect().await?;
        journal.record(Event::Engine(found(engine.info()))).await;
        alone::require(self, &engine, ownership).await?;
        let images = stack::ensure_images(&engine, &self.template, journal).await?;
        let asked = self.template.checks.iter().filter_map(|check| check.port());
        shared_ports::refuse(&self.template, asked, &images)?;

        journal.record(Event::Phase(Phase::Stack)).await;
        let engine = engine_slot.insert(engine);
        let ownership = &mut ownership.clone();
        let jobs = self.jobs(engine.info());
        let started = stack::start(engine, &self.template, ownership, &images, jobs, &plan, journal).await?;
        // Another drill may have come between the first look and our first label.
        alone::require(self, engine, ownership).await?;
        let (target, proof) = isolation::prove(engine, &self.template, started, &images, journal).await?;
        // And while it was slow to come up. Before any data is there.
        alone::require(self, engine, ownership).await?;

        journal.record(Event::Phase(Phase::Restore)).await;
        let checked = restore::restore_and_check(self, &plan, &manifests, &target, journal).await;
        let stayed_isolated = isolation::confirm(engine, &target.stack, proof, journal).await;
        let measured = isolation::graver(stayed_isolated, checked)?;
        // What answered for a server that had ended was something else in its place.
        for ready in &target.servers {
            ready.server.require_running().await?;
        }

        journal.record(Event::Phase(Phase::Objectives)).await;
        let objectives = objectives::judge(&self.template.objectives, &measured, journal.seconds());
        journal.record(Event::Objectives(objectives.clone())).await;
        objectives::missed(&objectives, &measured).or_else(|| plan.shortfall()).map_or(Ok(()), Err)
    }
}

/// The parts of a plan that the verdict and the progress display need.
fn planned(plan: &DrillPlan) -> PlannedDrill {
    PlannedDrill {
        recovery_set: plan.recovery_set.clone(),
        missing: plan.missing.clone(),
        rpo: plan.rpo.clone(),
        findings: plan.findings.clone(),
        cost: plan.cost,
    }
}

/// The facts of the engine that the verdict and the progress display need.
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
