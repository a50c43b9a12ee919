//! Ctrl-C and SIGTERM: the first asks the drill to stop and tear down, the second ends it at once.

use tokio_util::sync::CancellationToken;

use super::common::complain;
use crate::exit::ExitCode;

/// A token that is cancelled by the first signal.
pub fn cancel_on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        next_signal().await;
        first.cancel();
        complain(
            "interrupted: removing everything the drill made",
            Some("once more ends it at once, and leaves things behind"),
        );
        next_signal().await;
        complain(
            "interrupted again: ended without removing everything",
            Some("`restore-drill reap` removes what is left"),
        );
        #[expect(clippy::disallowed_methods, reason = "asked for twice: not even teardown may hold this up")]
        std::process::exit(ExitCode::Interrupted as i32);
    });
    token
}

#[cfg(unix)]
async fn next_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn next_signal() {
    let _ = tokio::signal::ctrl_c().await;
}
