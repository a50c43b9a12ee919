//! The proof of isolation in a drill: made while the stack starts, recorded whether or not it holds, and inspected again after
//! the last check.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join, select};

use super::journal::Journal;
use super::servers::ReadyServer;
use super::stack::{RestoreTarget, StartedStack};
use crate::model::codes;
use crate::model::event::Event;
use crate::model::failure::{Class, Failure, Result};
use crate::model::phase::Phase;
use crate::model::verdict::{Isolation, IsolationStatus};
use crate::sandbox::docker::Engine;
use crate::sandbox::image::Images;
use crate::sandbox::proof::{self, NotIsolated, Probed};
use crate::sandbox::scratch;
use crate::sandbox::stack::RunningStack;
use crate::template::Template;

/// Waits until the stack is up, and proves meanwhile that it can reach nothing. Only with the proof does anybody get the stack to
/// restore to.
///
/// # Errors
/// Those of [`StartedStack::ready`], [`proof::probe`] and [`proof::complete`].
pub async fn prove(
    engine: &Engine,
    template: &Template,
    mut started: StartedStack<'_>,
    images: &Images,
    journal: &Journal,
) -> Result<(RestoreTarget, Isolation)> {
    let proved = match while_starting(engine, template, &started, images, journal).await? {
        Ok((servers, probed)) => {
            let completing = proof::complete(engine, &started.stack, probed);
            let (completed, free_bytes) =
                join(completing, scratch::disk_free(engine, &started.stack.first().id)).await;
            journal.record(Event::Disk { free_bytes }).await;
            completed.map(|(proof, listening)| (servers, proof, listening))
        }
        Err(not_isolated) => Err(not_isolated),
    };
    match proved {
        Ok((servers, proof, listening)) => {
            journal.record(Event::Isolation(proof.clone())).await;
            started.stack.listening = listening;
            let workbench = started.workbench(engine);
            let target = RestoreTarget { engine: engine.clone(), servers, workbench, stack: started.stack };
            Ok((target, proof))
        }
        Err(NotIsolated { seen, failure }) => {
            if let Some(seen) = seen {
                journal.record(Event::Isolation(*seen)).await;
            }
            Err(failure)
        }
    }
}

/// The last attempt to connect to a server may begin just before its time is up, and the control must not give up earlier.
const LAST_ATTEMPT: Duration = Duration::from_secs(15);

/// How long the workbench may take until it listens, where it is the control.
const WORKBENCH_STARTS: Duration = Duration::from_secs(60);

/// Waits until the stack is up, while it is inspected and probed. The phase of isolation begins when only that is left.
async fn while_starting(
    engine: &Engine,
    template: &Template,
    started: &StartedStack<'_>,
    images: &Images,
    journal: &Journal,
) -> Result<Result<(Vec<ReadyServer>, Probed), NotIsolated>> {
    let first = template.first_server().map_or(WORKBENCH_STARTS, |server| server.ready_timeout);
    let starting = first + LAST_ATTEMPT;
    let ready = pin!(started.ready(engine, template, images, journal));
    let probing = pin!(proof::probe(engine, &template.isolation, &started.stack, starting));
    Ok(match select(ready, probing).await {
        // Probes in a stack that does not come up fail too, and say less of the reason.
        Either::Left((servers, probing)) => {
            let servers = servers?;
            journal.record(Event::Phase(Phase::Isolation)).await;
            probing.await.map(|probed| (servers, probed))
        }
        Either::Right((Err(way_out), _)) if way_out.failure.class == Class::Bad => {
            journal.record(Event::Phase(Phase::Isolation)).await;
            Err(way_out)
        }
        Either::Right((probed, ready)) => {
            let servers = ready.await?;
            journal.record(Event::Phase(Phase::Isolation)).await;
            probed.map(|probed| (servers, probed))
        }
    })
}

/// Makes the assertions of a proof again after the checks: no other container may have joined the stack.
///
/// # Errors
/// `isolation_failed`: what was restored may have been read or changed by others.
pub async fn confirm(
    engine: &Engine,
    stack: &RunningStack,
    mut proof: Isolation,
    journal: &Journal,
) -> Result<()> {
    let (assertions, broken) = proof::confirm(engine, stack).await?;
    proof.assertions = assertions;
    match &broken {
        None => proof.confirmed_at = Some(journal.now()),
        Some(_) => proof.status = IsolationStatus::Failed,
    }
    journal.record(Event::Isolation(proof)).await;
    let Some(what) = broken else { return Ok(()) };
    Err(Failure::bad(
        codes::ISOLATION_FAILED,
        format!("the stack did not stay isolated while it held data: {what}"),
    )
    .hint("find out what joined it, and what was read or changed there; then drill again"))
}

/// The failure of the drill, from the second inspection and from the checks before it. A container that joined the stack takes
/// precedence over any other failure; an inspection that was not possible does not.
pub fn graver<T>(isolated: Result<()>, checked: Result<T>) -> Result<T> {
    match (isolated, checked) {
        (Err(failure), checked) if failure.class != Class::Bad => checked.and(Err(failure)),
        (isolated, checked) => isolated.and(checked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::Code;

    #[test]
    fn a_stranger_is_graver_than_a_bad_backup_and_that_nothing_could_be_told_is_not() {
        let bad = |code| Err(Failure::bad(code, ""));
        let unknown = || Err(Failure::inconclusive(codes::ENGINE_ERROR, ""));
        let code = |isolated, checked| graver(isolated, checked).map_err(|failure| failure.code.as_str());
        assert_eq!(code(Ok(()), Ok(())), Ok(()));
        assert_eq!(
            code(bad(codes::ISOLATION_FAILED), bad(Code::new("hash_mismatch"))),
            Err("isolation_failed")
        );
        assert_eq!(code(bad(codes::ISOLATION_FAILED), Ok(())), Err("isolation_failed"));
        assert_eq!(code(unknown(), bad(Code::new("hash_mismatch"))), Err("hash_mismatch"));
        assert_eq!(code(unknown(), Ok(())), Err("engine_error"));
        assert_eq!(code(Ok(()), bad(Code::new("hash_mismatch"))), Err("hash_mismatch"));
    }
}
