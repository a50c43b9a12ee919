//! The proof of isolation in a drill: recorded whether or not it holds, and inspected again after the last check.

use super::journal::Journal;
use crate::model::codes;
use crate::model::event::Event;
use crate::model::failure::{Class, Failure, Result};
use crate::model::verdict::{Isolation, IsolationStatus};
use crate::sandbox::docker::Engine;
use crate::sandbox::proof::{self, NotIsolated};
use crate::sandbox::stack::RunningStack;
use crate::template::Template;

/// Proves that the stack can reach nothing.
///
/// # Errors
/// Those of [`proof::prove`].
pub async fn prove(
    engine: &Engine,
    template: &Template,
    stack: &mut RunningStack,
    journal: &Journal,
) -> Result<Isolation> {
    match proof::prove(engine, &template.isolation, stack).await {
        Ok(proof) => {
            journal.record(Event::Isolation(proof.clone())).await;
            Ok(proof)
        }
        Err(NotIsolated { seen, failure }) => {
            if let Some(seen) = seen {
                journal.record(Event::Isolation(*seen)).await;
            }
            Err(failure)
        }
    }
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
