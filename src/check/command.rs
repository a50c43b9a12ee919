//! `command`: a program in a container of its own, in the network of the stack, that must end with status 0.
//!
//! Its container is hardened as the stack's own are, and that is asserted before it starts. It is removed right after;
//! if that fails, its labels let teardown and `reap` remove it.

mod container;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use bytesize::ByteSize;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use serde::Deserialize;

use super::context::{Context, Stack};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::positive;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::model::verdict::{Finding, Severity};
use crate::sandbox::docker::{Engine, ObservedContainer, Output, Owned, OwnedKind};
use crate::sandbox::exit_status::KILLED;
use crate::sandbox::spec::ContainerSpec;
use crate::template::Template;
use container::{container, require_isolated};
use tail::{Stream, Tail};

findings! {
    COMMAND_FAILED = "command_failed", "error":
        "The exit status is not 0.",
        "Read `command_output`.",
        "smoke: exit status 1; it said last: no tenants";
    COMMAND_TIMED_OUT = "command_timed_out", "error":
        "The program did not end within `timeout`, and was killed.",
        "Read `command_output`. Raise `timeout` if it needs longer.",
        "smoke: it did not end within 5m, and was killed";
    COMMAND_KILLED = "command_killed", "error":
        "The kernel killed the program: it needed more than `memory`.",
        "Raise `memory`.",
        "smoke: it was killed: it needed more than 512 MiB of memory";
    COMMAND_OUTPUT = "command_output", "info":
        "The last `output_lines` lines of its output, standard output and standard error together.",
        "",
        "the last 2 of 2 lines: 13 tenants / ok";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "command",
    read: read::<Command>,
    keys: keys::<Command>,
    skipped: "nothing was verified",
    findings: FINDINGS,
};

/// The most lines of output that can be kept.
const MOST_OUTPUT_LINES: usize = 200;

/// A program that must succeed, in a container of its own on the drill's network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The check's name.
    pub name: String,
    /// The databases that must be restored before it runs.
    pub databases: Vec<DatabaseName>,
    /// Its image.
    pub image: String,
    /// Replaces the image's entrypoint. Default: the image's own.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The command. Default: the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// The user it runs as. Default: the image's own.
    #[serde(default)]
    pub user: Option<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// Whether its environment says how to reach the drill's Postgres: `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, and
    /// `PGDATABASE`, which is the first of `databases`.
    #[serde(default)]
    pub postgres: bool,
    /// The container's memory limit.
    #[serde(default = "memory")]
    pub memory: ByteSize,
    /// How long it may run.
    #[serde(with = "humantime_serde", default = "run_timeout")]
    pub timeout: Duration,
    /// The last lines of its output that are kept.
    #[serde(default = "output_lines")]
    pub output_lines: usize,
}

fn memory() -> ByteSize {
    ByteSize::mib(512)
}

fn run_timeout() -> Duration {
    Duration::from_secs(5 * 60)
}

fn output_lines() -> usize {
    20
}

#[async_trait]
impl Check for Command {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn image(&self) -> Option<&str> {
        Some(&self.image)
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        if self.image.is_empty() {
            return Err(format!("{place}: image is empty"));
        }
        if let Some(name) = self.environment.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err(format!("{place}: `{}` is not the name of a variable", name.escape_debug()));
        }
        if self.output_lines > MOST_OUTPUT_LINES {
            return Err(format!(
                "{place}: output_lines is {}, and at most {MOST_OUTPUT_LINES} are kept",
                self.output_lines
            ));
        }
        if let Some(name) = self.environment.keys().find(|name| self.postgres && name.starts_with("PG")) {
            return Err(format!(
                "{place}: postgres = true sets the PG variables; take {name} out of environment, or postgres = true"
            ));
        }
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With this status.
    Status(i64),
    /// Killed by the kernel, since it needed more memory than it may have.
    Killed,
    /// Killed when its time was over.
    TimedOut,
}

/// Runs the program, and judges how it ended.
///
/// # Errors
/// `isolation_failed`, if its container is not as it must be: it is not started then. If the engine fails.
async fn run(check: &Command, context: &Context<'_>) -> Result<Outcome> {
    let stack = &context.tools.stack;
    let first = check.databases.first().expect("a check names a database");
    let server = &context.tools.servers.of(first).server;
    let spec = container(check, stack, (first, server), image_volumes(stack, &check.image).await?);
    let id = stack.engine.create_container(&spec).await?;
    let ended = run_to_its_end(check, stack, &spec, &id, &server.password).await;
    let container =
        Owned { kind: OwnedKind::Container, id, name: spec.name.clone(), labels: spec.labels.clone() };
    // Also the end of a program whose time is over. Teardown tries again, and reports it.
    let _ = stack.engine.remove(&container).await;
    let (ending, (lines, total)) = ended?;
    Ok(judge(check, ending, &lines, total))
}

async fn image_volumes(stack: &Stack, image: &str) -> Result<Vec<String>> {
    // Preflight made sure that it is there; it may have been removed since.
    Ok(stack.engine.ensure_image(image, |_| {}).await?.volumes)
}

async fn run_to_its_end(
    check: &Command,
    stack: &Stack,
    spec: &ContainerSpec,
    id: &str,
    password: &Secret,
) -> Result<(Ending, (Vec<String>, u64))> {
    let engine = &stack.engine;
    require_isolated(stack, spec, id).await?;
    let output = engine.attach(id).await?;
    if let Err(failure) = engine.start_container(id).await {
        return Err(failure.context(format!("check {}", check.name)));
    }
    let mut tail = Tail::new(check.output_lines, check.environment.values().chain([password]));
    let watched = tokio::time::timeout(check.timeout, watch(engine, id, output, &mut tail)).await;
    let ending = match watched {
        Err(_) => Ending::TimedOut,
        Ok(state) => {
            let state = state?;
            let killed = state.exit_code == Some(KILLED);
            let for_memory = state.oom_killed || (killed && engine.ran_out_of_memory(id).await);
            ending(check, &state, for_memory)?
        }
    };
    Ok((ending, tail.finish()))
}

/// How a program ended whose time was not over.
fn ending(check: &Command, state: &ObservedContainer, for_memory: bool) -> Result<Ending> {
    match state.exit_code {
        _ if for_memory => Ok(Ending::Killed),
        Some(KILLED) => Err(killed_from_outside(check)),
        Some(status) => Ok(Ending::Status(status)),
        None => {
            let message = format!("the engine does not report how the program of {} ended", check.name);
            Err(Failure::inconclusive(codes::ENGINE_ERROR, message))
        }
    }
}

/// Something outside the drill stopped the program: that says nothing about the data it looked at.
fn killed_from_outside(check: &Command) -> Failure {
    let message = format!(
        "the program of {} was killed, neither by the drill nor for exceeding its own memory limit",
        check.name
    );
    Failure::inconclusive(codes::COMMAND_KILLED_FROM_OUTSIDE, message)
        .hint("run the drill again; if it happens again, the engine's machine may be short of memory")
}

/// Reads what a program writes, to its end. The output goes with this: an engine cannot end a container whose output
/// is held and not read.
async fn watch(
    engine: &Engine,
    id: &str,
    mut output: BoxStream<'static, Result<Output>>,
    tail: &mut Tail,
) -> Result<ObservedContainer> {
    while let Some(chunk) = output.try_next().await? {
        match chunk {
            Output::Stdout(bytes) => tail.push(Stream::Out, &bytes),
            Output::Stderr(bytes) => tail.push(Stream::Err, &bytes),
        }
    }
    engine.ended(id).await
}

fn judge(check: &Command, ending: Ending, lines: &[String], total: u64) -> Outcome {
    let mut findings = Findings::default();
    let limit = human::duration(check.timeout.as_secs_f64());
    let wrong = match ending {
        Ending::Status(0) => None,
        Ending::Status(status) => Some((COMMAND_FAILED, format!("exit status {status}"))),
        Ending::TimedOut => {
            Some((COMMAND_TIMED_OUT, format!("it did not end within {limit}, and was killed")))
        }
        Ending::Killed => {
            let memory = human::bytes(check.memory.as_u64());
            Some((COMMAND_KILLED, format!("it was killed: it needed more than {memory} of memory")))
        }
    };
    let said = lines.iter().rev().find(|line| !line.trim().is_empty());
    let said = said.map(|line| format!("; it said last: {line}")).unwrap_or_default();
    if let Some((code, actual)) = wrong {
        findings.push(Finding {
            severity: Severity::Error,
            code,
            subject: check.name.clone(),
            expected: format!("exit status 0 within {limit}"),
            actual: format!("{actual}{said}"),
        });
    }
    if !lines.is_empty() {
        findings.push(Finding {
            severity: Severity::Info,
            code: COMMAND_OUTPUT,
            subject: format!(
                "the last {} of {}",
                human::count(lines.len() as u64),
                human::things(total, "line")
            ),
            expected: String::new(),
            actual: lines.join(" / "),
        });
    }
    findings.into_outcome(Verified::FACT, format!("exit status 0{said}"))
}

#[cfg(test)]
mod tests;
