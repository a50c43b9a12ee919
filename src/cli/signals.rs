//! Ctrl-C and SIGTERM: the first asks to stop and to remove what was made, the second ends at once.

use tokio_util::sync::CancellationToken;

use super::common::complain;
use crate::exit::ExitCode;

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Something that makes things on the engine, by this name.
    Makes(&'static str),
    /// Something that only reads.
    Reads,
}

/// A token that is cancelled by the first signal.
pub fn cancel_on_signal(what: Interrupted) -> CancellationToken {
    let token = CancellationToken::new();
    let first = token.clone();
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        signals.next().await;
        first.cancel();
        if let Interrupted::Makes(what) = what {
            complain(
                &format!("interrupted: removing everything the {what} made"),
                Some("once more ends it at once, and leaves things behind"),
            );
        }
        signals.next().await;
        match what {
            Interrupted::Makes(_) => complain(
                "interrupted again: ended without removing everything",
                Some("`restore-drill reap` removes what is left"),
            ),
            Interrupted::Reads => complain("interrupted again", None),
        }
        #[expect(clippy::disallowed_methods, reason = "asked for twice: not even teardown may hold this up")]
        std::process::exit(ExitCode::Interrupted as i32);
    });
    token
}

/// Ctrl-C and SIGTERM, listened for as long as this value lives: one that comes between two waits is not lost.
#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // What cannot be listened for keeps its default: to end the program.
        Self([SignalKind::interrupt(), SignalKind::terminate()].into_iter().flat_map(signal).collect())
    }

    async fn next(&mut self) {
        let any = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        match any.len() {
            0 => std::future::pending().await,
            _ => drop(futures_util::future::select_all(any).await),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
