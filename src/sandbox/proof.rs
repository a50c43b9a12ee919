//! Proves that a stack can reach nothing: before any data is in it, and again after the last check, since another container
//! may have joined it meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join, try_join_all};

use super::docker::{Engine, ObservedContainer};
use super::spec::StackNetwork;
use super::stack::RunningStack;
use super::{isolation, ports, probe};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::{Assertion, Isolation, IsolationStatus, Probe};
use crate::template;

/// Why isolation was not proved, and what was seen until then.
#[derive(Debug)]
pub struct NotIsolated {
    /// Assertions and probes, if any were made.
    pub seen: Option<Box<Isolation>>,
    /// The reason.
    pub failure: Failure,
}

impl From<Failure> for NotIsolated {
    fn from(failure: Failure) -> Self {
        Self { seen: None, failure }
    }
}

/// Isolation that was inspected and probed while the stack was starting. It is no proof yet.
#[derive(Debug)]
pub struct Probed(Isolation);

/// Inspects the containers of a stack, and tries to get out of it. All of them were started; its servers may still be starting,
/// and have this long until they listen.
///
/// # Errors
/// `isolation_failed`: the drill fails, and no data is restored. `probe_failed`: nothing is proved.
pub async fn probe(
    engine: &Engine,
    settings: &template::Isolation,
    stack: &RunningStack,
    starting: Duration,
) -> Result<Probed, NotIsolated> {
    let (inspected, mut proof) = inspect(engine, stack, Isolation::default()).await?;
    let gap = try_out(engine, settings, stack, inspected, starting, &mut proof).await?;
    let way_out = proof.probes.iter().find(|found| !found.ok && probe::shows_a_way_out(found));
    if let Some(reached) = way_out.map(describe) {
        return Err(not_isolated(proof, &reached));
    }
    if let Some(failure) = unproved(&proof.probes, gap.as_deref()) {
        return Err(NotIsolated { seen: Some(Box::new(proof)), failure });
    }
    Ok(Probed(proof))
}

/// Completes the proof of a stack that is up: inspects it once more, since it took a while to start, and notes which ports of its
/// loopback have a listener before any data is in it.
///
/// # Errors
/// Those of [`probe()`].
pub async fn complete(
    engine: &Engine,
    stack: &RunningStack,
    Probed(probed): Probed,
) -> Result<(Isolation, Option<BTreeSet<u16>>), NotIsolated> {
    let (inspected, listening) = join(inspect(engine, stack, probed), listening(engine, stack)).await;
    let (_, proof) = inspected?;
    match listening {
        Ok(listening) => Ok((Isolation { status: IsolationStatus::Proved, ..proof }, listening)),
        Err(failure) => Err(NotIsolated { seen: Some(Box::new(proof)), failure }),
    }
}

/// The ports that have a listener, if all containers share one loopback.
async fn listening(engine: &Engine, stack: &RunningStack) -> Result<Option<BTreeSet<u16>>> {
    match &stack.network {
        StackNetwork::Loopback(postgres) => ports::listening(engine, postgres).await.map(Some),
        StackNetwork::Bridge(..) => Ok(None),
    }
}

/// Compares what the engine reports with what was asked for, and takes the assertions into the proof.
async fn inspect(
    engine: &Engine,
    stack: &RunningStack,
    proof: Isolation,
) -> Result<(Inspection, Isolation), NotIsolated> {
    let inspected = Inspection::of(engine, stack).await?;
    // A container that has ended is on no network, and says nothing about isolation.
    let containers = stack.containers.iter().zip(&inspected.containers);
    if let Some((made, ended)) = containers.into_iter().find(|(_, inspected)| !inspected.running) {
        let message = format!("{} ended while isolation was being proved", ended.name);
        let died =
            Failure::inconclusive(codes::SERVICE_DIED, message).hint(stack.died_hint(&made.spec.service));
        return Err(NotIsolated { seen: Some(Box::new(proof)), failure: died });
    }
    let proof = Isolation { assertions: inspected.assertions.clone(), ..proof };
    match broken(&proof.assertions) {
        Some(broken) => Err(not_isolated(proof, &broken)),
        None => Ok((inspected, proof)),
    }
}

/// Runs the probes. Returns what could not be probed although a proof needs it.
async fn try_out(
    engine: &Engine,
    settings: &template::Isolation,
    stack: &RunningStack,
    inspected: Inspection,
    starting: Duration,
    proof: &mut Isolation,
) -> Result<Option<String>> {
    // Open until the probes have run.
    let canary = probe::Canary::open().await.map_err(|error| no_canary(&error))?;
    let bridge = match &stack.network {
        StackNetwork::Bridge(_, id) => Some(&**id),
        StackNetwork::Loopback(_) => None,
    };
    let elsewhere = probe::elsewhere(engine, &stack.first().id, bridge).await?;
    let targets = probe::Targets {
        loopback_only: bridge.is_none(),
        gateways: inspected.gateways,
        host: elsewhere.is_none().then(probe::host_addresses),
        server: stack.servers[0].clone(),
        ..probe::Targets::of(&canary).map_err(|error| no_canary(&error))?
    };
    let planned = probe::plan(settings, &targets);
    let from = &*inspected.containers[0].name;
    let mut probed = probe::run(engine, &stack.first().id, from, &planned, &canary, starting).await?;
    if let Some(why) = elsewhere {
        probed.unheard(&why, targets.loopback_only);
    }
    (proof.probes, proof.not_probed) = (probed.probes, probed.not_probed);
    Ok(probed.gap)
}

fn describe(probe: &Probe) -> String {
    format!("{} ({}) must be {} and was: {}", probe.target, probe.reason, probe.expect, probe.observed)
}

/// Why probes that found no way out are still no proof.
fn unproved(probes: &[Probe], gap: Option<&str>) -> Option<Failure> {
    if let Some(unclear) = probes.iter().find(|probe| !probe.ok) {
        let message = format!("isolation could not be proved: {}", describe(unclear));
        return Some(Failure::inconclusive(codes::PROBE_FAILED, message).hint(
            "the machine may be too busy for the probes; isolation.probes in the verdict has all of them",
        ));
    }
    let message = format!("isolation on a bridge could not be proved: {}", gap?);
    Some(Failure::inconclusive(codes::PROBE_FAILED, message).hint("without isolation.network = \"bridge\" the stack has no interface that anything could leave by; on a bridge the image needs perl, and the drill must run beside the engine"))
}

/// Makes the assertions again, when everything is checked. Returns the first that does not hold, in words.
pub async fn confirm(engine: &Engine, stack: &RunningStack) -> Result<(Vec<Assertion>, Option<String>)> {
    let assertions = Inspection::of(engine, stack).await?.assertions;
    let broken = broken(&assertions);
    Ok((assertions, broken))
}

/// What the engine reports about a stack.
struct Inspection {
    assertions: Vec<Assertion>,
    containers: Vec<ObservedContainer>,
    gateways: Vec<String>,
}

impl Inspection {
    async fn of(engine: &Engine, stack: &RunningStack) -> Result<Self> {
        let containers =
            try_join_all(stack.containers.iter().map(|made| engine.observe_container(&made.id))).await?;
        let (mut assertions, mut gateways) = (Vec::new(), Vec::new());
        if let StackNetwork::Bridge(spec, id) = &stack.network {
            let network = engine.observe_network(id).await?;
            let running: Vec<&str> =
                containers.iter().filter(|one| one.running).map(|one| one.name.as_str()).collect();
            assertions.extend(isolation::of_network(spec, &network, &running));
            gateways = network.gateways;
        }
        let ownership = &stack.ownership;
        let strangers = engine.strangers(&containers).await?;
        assertions.push(isolation::of_strangers(&ownership.project, &strangers));
        for (made, container) in stack.containers.iter().zip(&containers) {
            assertions.extend(isolation::of_container(&made.spec.attachment, engine.facts(), container));
        }
        Ok(Self { assertions, containers, gateways })
    }
}

/// The first assertion that does not hold, in words.
fn broken(assertions: &[Assertion]) -> Option<String> {
    let broken = assertions.iter().find(|assertion| !assertion.ok)?;
    Some(format!("{} of {} is {}, not {}", broken.property, broken.subject, broken.actual, broken.expected))
}

fn not_isolated(mut proof: Isolation, what: &str) -> NotIsolated {
    proof.status = IsolationStatus::Failed;
    let failure = Failure::bad(
        codes::ISOLATION_FAILED,
        format!("the stack is not isolated, so nothing was restored: {what}"),
    )
    .hint("isolation in the verdict has every assertion and probe; docs/isolation.md explains them");
    NotIsolated { seen: Some(Box::new(proof)), failure }
}

fn no_canary(error: &std::io::Error) -> Failure {
    Failure::inconclusive(
        codes::PROBE_FAILED,
        format!("no port can be opened for the isolation probes: {error}"),
    )
}
