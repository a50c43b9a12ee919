//! Waiting until the server of a drill answers, and why it does not.

use std::time::Duration;

use tokio::time::Instant;

use super::server::{MAINTENANCE, Server, ServerVersion};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Between two attempts to reach a server.
pub(super) const RETRY: Duration = Duration::from_millis(50);
/// How long one attempt may take.
pub(super) const ATTEMPT: Duration = Duration::from_secs(10);
/// How long one attempt waits for a server that does not listen yet. Then it is asked whether the container still runs.
const STARTING: Duration = Duration::from_secs(2);
/// Lines of a dead container's log that are shown.
const LOG_LINES: usize = 15;

impl Server {
    /// Waits until the server takes a connection over TCP. The image's entrypoint runs a temporary server first, which
    /// listens on a Unix socket only, so an answer over TCP comes from the real one.
    ///
    /// # Errors
    /// `server_died` with the last lines of its log, `server_not_ready`, `authentication_failed`.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<ServerVersion> {
        let deadline = Instant::now() + timeout;
        loop {
            let greeting = self.greet(MAINTENANCE, STARTING);
            let problem = match tokio::time::timeout(ATTEMPT, greeting).await {
                Ok(Ok(version)) => return Ok(version),
                Ok(Err(failure)) if failure.code == codes::AUTHENTICATION_FAILED => return Err(failure),
                Ok(Err(failure)) => failure.message,
                Err(_) => format!("no answer within {} s", ATTEMPT.as_secs()),
            };
            self.require_running().await?;
            if Instant::now() >= deadline {
                let message = format!(
                    "Postgres does not answer after {} ({problem})",
                    crate::model::human::duration(timeout.as_secs_f64())
                );
                return Err(Failure::inconclusive(codes::SERVER_NOT_READY, message)
                    .hint("a slow disk may need a larger postgres.ready_timeout; --keep leaves the container to look at"));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Fails with the reason if the container has ended.
    pub async fn require_running(&self) -> Result<()> {
        let state = self.engine.observe_container(&self.container).await?;
        if state.running {
            return Ok(());
        }
        if state.oom_killed {
            return Err(Failure::inconclusive(
                codes::OUT_OF_MEMORY,
                "the Postgres container ran out of memory and was killed",
            )
            .hint("raise postgres.memory in the template, or lower --jobs"));
        }
        let log = self.engine.last_log_lines(&self.container, LOG_LINES).await;
        let exit = state.exit_code.unwrap_or_default();
        Err(Failure::inconclusive(
            codes::SERVER_DIED,
            format!("the Postgres container ended with status {exit}: {}", log.join(" / ")),
        )
        .hint("look at postgres.settings in the template and at the engine's free disk space and memory"))
    }
}
