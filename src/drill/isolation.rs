//! Proving that a stack can reach nothing: before any data is in it, and once more when the last check has ended, since
//! somebody with access to the engine may have joined it meanwhile.

use futures_util::future::try_join_all;

use super::journal::Journal;
use super::stack::{Up, died_hint};
use crate::model::event::Event;
use crate::model::failure::{Class, Failure, Result};
use crate::model::verdict::{Assertion, Isolation, IsolationStatus, Probe};
use crate::sandbox::docker::{Engine, ObservedContainer};
use crate::sandbox::spec::StackNetwork;
use crate::sandbox::{isolation, ports, probe};
use crate::template::Template;

/// Proves that the stack can reach nothing: first by what the engine says it made, then by trying from inside.
///
/// # Errors
/// `isolation_failed`: the drill fails, and no data is restored. `probe_failed`: nothing is proved.
pub async fn prove(engine: &Engine, template: &Template, up: &mut Up, journal: &Journal) -> Result<()> {
    let seen = Inspection::of(engine, up).await?;
    // A container that has ended is on no network, and says nothing about isolation.
    if let Some((made, ended)) = up.containers.iter().zip(&seen.containers).find(|(_, seen)| !seen.running) {
        let message = format!("{} ended while isolation was being proved", ended.name);
        return Err(Failure::inconclusive("service_died", message).hint(died_hint(&made.spec.service)));
    }
    let mut proof = Isolation { assertions: seen.assertions, ..Isolation::default() };
    if let Some(broken) = broken(&proof.assertions) {
        return Err(not_isolated(proof, &broken, journal));
    }

    // Open until the probes have run.
    let canary = probe::Canary::open().await.map_err(|error| no_canary(&error))?;
    let bridge = match &up.network {
        StackNetwork::Bridge(_, id) => Some(&**id),
        StackNetwork::Loopback(_) => None,
    };
    let elsewhere = probe::elsewhere(engine, &up.server.container, bridge).await?;
    let targets = probe::Targets {
        loopback_only: bridge.is_none(),
        gateways: seen.gateways,
        host: elsewhere.is_none().then(probe::host_addresses),
        ..probe::Targets::of(&canary).map_err(|error| no_canary(&error))?
    };
    let planned = probe::plan(&template.isolation, &targets);
    let from = (&*up.server.container, &*seen.containers[0].name);
    let mut probed = probe::run(engine, from.0, from.1, &planned, &canary).await?;
    if let Some(why) = elsewhere {
        probed.unheard(&why, targets.loopback_only);
    }
    (proof.probes, proof.not_probed) = (probed.probes, probed.not_probed);
    let describe = |probe: &Probe| {
        format!("{} ({}) must be {} and was: {}", probe.target, probe.reason, probe.expect, probe.observed)
    };
    let failed: Vec<&Probe> = proof.probes.iter().filter(|probe| !probe.ok).collect();
    if let Some(reached) = failed.iter().find(|found| probe::shows_a_way_out(found)) {
        let what = describe(reached);
        return Err(not_isolated(proof, &what, journal));
    }
    if let Some(unclear) = failed.first() {
        let message = format!("isolation could not be proved: {}", describe(unclear));
        journal.record(&Event::Isolation(proof));
        return Err(Failure::inconclusive("probe_failed", message).hint(
            "the machine may be too busy for the probes; isolation.probes in the verdict has all of them",
        ));
    }
    if let Some(gap) = probed.gap {
        journal.record(&Event::Isolation(proof));
        return Err(Failure::inconclusive(
            "probe_failed",
            format!("isolation on a bridge could not be proved: {gap}"),
        )
        .hint("without isolation.network = \"bridge\" the stack has no interface that anything could leave by; on a bridge the image needs perl, and the drill must run beside the engine"));
    }
    proof.status = IsolationStatus::Proved;
    journal.record(&Event::Isolation(proof));
    if let StackNetwork::Loopback(postgres) = &up.network {
        up.listening = Some(ports::listening(engine, postgres).await?);
    }
    Ok(())
}

/// Makes the assertions again, when everything is checked: nobody may have joined the stack.
///
/// # Errors
/// `isolation_failed`: what was restored may have been read or changed by others.
pub async fn confirm(engine: &Engine, up: &Up, journal: &Journal) -> Result<()> {
    let seen = Inspection::of(engine, up).await?;
    let mut proof = journal.verdict().isolation;
    proof.assertions = seen.assertions;
    let broken = broken(&proof.assertions);
    match &broken {
        None => proof.confirmed_at = Some(journal.now()),
        Some(_) => proof.status = IsolationStatus::Failed,
    }
    journal.record(&Event::Isolation(proof));
    let Some(what) = broken else { return Ok(()) };
    Err(Failure::bad(
        "isolation_failed",
        format!("the stack did not stay isolated while it held data: {what}"),
    )
    .hint("find out who joined it, and what was read or changed there; then drill again"))
}

/// Of the second look and of what was checked meanwhile, what the drill fails for. That others were in the stack is graver
/// than whatever else is wrong; that it could not be told is not.
pub fn graver(isolated: Result<()>, checked: Result<()>) -> Result<()> {
    match (isolated, checked) {
        (Err(failure), checked) if failure.class != Class::Bad => checked.and(Err(failure)),
        (isolated, checked) => isolated.and(checked),
    }
}

/// What the engine says of a stack.
struct Inspection {
    assertions: Vec<Assertion>,
    containers: Vec<ObservedContainer>,
    gateways: Vec<String>,
}

impl Inspection {
    async fn of(engine: &Engine, up: &Up) -> Result<Self> {
        let containers =
            try_join_all(up.containers.iter().map(|made| engine.observe_container(&made.id))).await?;
        let (mut assertions, mut gateways) = (Vec::new(), Vec::new());
        if let StackNetwork::Bridge(spec, id) = &up.network {
            let network = engine.observe_network(id).await?;
            let running: Vec<&str> =
                containers.iter().filter(|one| one.running).map(|one| one.name.as_str()).collect();
            assertions.extend(isolation::of_network(spec, &network, &running));
            gateways = network.gateways;
        }
        let ownership = &up.ownership;
        let strangers = engine.strangers(&containers).await?;
        assertions.push(isolation::of_strangers(&ownership.project, &strangers));
        for (made, container) in up.containers.iter().zip(&containers) {
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

fn not_isolated(mut proof: Isolation, what: &str, journal: &Journal) -> Failure {
    proof.status = IsolationStatus::Failed;
    journal.record(&Event::Isolation(proof));
    Failure::bad("isolation_failed", format!("the stack is not isolated, so nothing was restored: {what}"))
        .hint("isolation in the verdict has every assertion and probe; docs/isolation.md explains them")
}

fn no_canary(error: &std::io::Error) -> Failure {
    Failure::inconclusive("probe_failed", format!("no port can be opened for the isolation probes: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_graver_than_a_bad_backup_and_that_nothing_could_be_told_is_not() {
        let bad = |code| Err(Failure::bad(code, ""));
        let unknown = || Err(Failure::inconclusive("engine_error", ""));
        let code = |isolated, checked| graver(isolated, checked).map_err(|failure| failure.code);
        assert_eq!(code(Ok(()), Ok(())), Ok(()));
        assert_eq!(code(bad("isolation_failed"), bad("hash_mismatch")), Err("isolation_failed"));
        assert_eq!(code(bad("isolation_failed"), Ok(())), Err("isolation_failed"));
        assert_eq!(code(unknown(), bad("hash_mismatch")), Err("hash_mismatch"));
        assert_eq!(code(unknown(), Ok(())), Err("engine_error"));
        assert_eq!(code(Ok(()), bad("hash_mismatch")), Err("hash_mismatch"));
    }
}
