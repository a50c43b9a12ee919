//! Whether the drill's own server is in trouble, asked of the engine and of the server itself. A server that dies fails
//! whatever is restored or checked on it, and says nothing about the backup.

use super::ready::ATTEMPT;
use std::time::Duration;

use tokio::time::Instant;

use super::failures::error_text;
use super::frames::Bounded;
use super::pins::Pins;
use super::ready::RETRY;
use super::server::{MAINTENANCE, Server};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::{Class, Failure};
use crate::sandbox::docker::ExecSpec;

/// How long a server may take to answer again: it may be recovering from a crash.
const RECOVERY: Duration = Duration::from_secs(30);
/// How long the engine may take to note that a container has ended.
const NOTED: Duration = Duration::from_secs(5);
/// Answers of a server that is not there for anybody: it starts, ends, or recovers.
const NOT_NOW: [&str; 3] = ["57P01", "57P02", "57P03"];
/// Where the kernel counts processes of the container that it killed for memory (control groups of either version).
const KILLED_FOR_MEMORY: &str =
    "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null";

/// Failures that a server in trouble causes, among others.
const MAY_BE_TROUBLE: [Code; 5] = [
    codes::SERVER_UNREACHABLE,
    codes::QUERY_FAILED,
    codes::ENGINE_ERROR,
    codes::ENGINE_SILENT,
    codes::SCRATCH_FAILED,
];

impl Server {
    /// What befell the server since then, if anything did: it ended, ran out of memory, crashed, or does not answer.
    pub async fn trouble(&self, since: Instant) -> Option<Failure> {
        if let Err(failure) = self.require_running().await {
            return Some(failure);
        }
        let deadline = Instant::now() + RECOVERY;
        while let Err(problem) = self.answers().await {
            if let Err(failure) = self.require_running().await {
                return Some(failure);
            }
            if Instant::now() >= deadline {
                let message = format!("the drill's Postgres does not answer any more ({problem})");
                return Some(Failure::inconclusive(codes::SERVER_NOT_READY, message).hint(
                    "this says nothing about the backup: look at the engine's free memory and disk space",
                ));
            }
            tokio::time::sleep(RETRY).await;
        }
        self.crash(since).await
    }

    /// What befell the container, if it ends in this moment: the engine notes its end some time after the programs in it
    /// were killed.
    pub(super) async fn ends_soon(&self) -> Option<Failure> {
        let deadline = Instant::now() + NOTED;
        loop {
            match self.require_running().await {
                Err(failure) => return Some(failure),
                Ok(()) if Instant::now() >= deadline => return None,
                Ok(()) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// The failure's cause, if the server's trouble is; the failure itself otherwise.
    pub async fn blame(&self, failure: Failure, since: Instant) -> Failure {
        self.cause_of(&failure, since).await.unwrap_or(failure)
    }

    /// The failure's cause, if the server's trouble is.
    pub async fn cause_of(&self, failure: &Failure, since: Instant) -> Option<Failure> {
        if may_be_trouble(failure) { self.trouble(since).await } else { None }
    }

    /// Whether the server takes queries. One that turns us away with an error of its own does.
    async fn answers(&self) -> Result<(), String> {
        let way = self.way().await.map_err(|failure| failure.message)?;
        let config = self.config(MAINTENANCE, &self.options(&Pins::catalog()));
        let connecting = config.connect_raw(Bounded::new(way), tokio_postgres::NoTls);
        match tokio::time::timeout(ATTEMPT, connecting).await {
            Err(_) => Err(format!("no answer within {} s", ATTEMPT.as_secs())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => match error.code() {
                Some(code) if !NOT_NOW.contains(&code.code()) => Ok(()),
                _ => Err(error_text(&error)),
            },
        }
    }

    /// A crash of one process restarts the others. The checkpointer is never restarted otherwise.
    async fn crash(&self, since: Instant) -> Option<Failure> {
        let Ok(client) = self.connect(MAINTENANCE).await else { return self.ends_soon().await };
        let sql = "SELECT pg_catalog.date_part('epoch', \
                       pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) backend_start) \
                   FROM pg_catalog.pg_stat_activity WHERE backend_type OPERATOR(pg_catalog.=) 'checkpointer'";
        let row = client.query_opt(sql, &[]).await.ok()??;
        let age: f64 = row.try_get(0).ok()?;
        if age >= since.elapsed().as_secs_f64() {
            return None;
        }
        let why = if self.killed_for_memory().await {
            Failure::inconclusive(
                codes::OUT_OF_MEMORY,
                "the drill's Postgres ran out of memory and restarted",
            )
            .hint("raise postgres.memory in the template, or lower --jobs")
        } else {
            Failure::inconclusive(
                codes::SERVER_CRASHED,
                "a process of the drill's Postgres crashed, and it restarted",
            )
            .hint("this says nothing about the backup; --keep leaves the container, whose log says more")
        };
        Some(why)
    }

    async fn killed_for_memory(&self) -> bool {
        let spec = ExecSpec::new(&self.container, ["sh", "-c", KILLED_FOR_MEMORY]);
        let said = self.engine.capture(spec, 4096).await;
        said.is_ok_and(|said| counts_a_kill(&said.stdout))
    }
}

/// Whether a server in trouble may have caused this failure.
fn may_be_trouble(failure: &Failure) -> bool {
    failure.class == Class::Inconclusive && MAY_BE_TROUBLE.contains(&failure.code)
}

fn counts_a_kill(events: &str) -> bool {
    let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok();
    events.lines().filter_map(count).any(|kills| kills > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_engine_may_hide_a_server_in_trouble_and_a_bad_backup_never_does() {
        for code in [codes::ENGINE_SILENT, codes::ENGINE_ERROR, codes::QUERY_FAILED] {
            assert!(may_be_trouble(&Failure::inconclusive(code, "x")), "{code}");
        }
        assert!(!may_be_trouble(&Failure::inconclusive(codes::QUERY_TIMED_OUT, "x")));
        assert!(!may_be_trouble(&Failure::bad(codes::QUERY_FAILED, "x")));
    }

    #[test]
    fn kills_are_counted_by_either_version_of_control_groups() {
        assert!(!counts_a_kill("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"));
        assert!(counts_a_kill("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
        assert!(counts_a_kill("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n"));
        assert!(!counts_a_kill(""));
    }
}
