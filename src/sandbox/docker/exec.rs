//! Commands inside containers.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::answer::{CHANGE, LOOK};
use super::{Engine, engine_failure, within};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;

/// Read at once from an exec's output. The engine's own default of 8 KiB makes a dump crawl.
const OUTPUT_BUFFER: usize = 256 * 1024;

/// A command to run inside a container.
#[derive(Debug, Clone)]
pub struct ExecSpec<'a> {
    /// The container's id or name.
    pub container: &'a str,
    /// The command. Never holds a secret: it is visible to everything in the container and to the engine.
    pub command: Vec<String>,
    /// The user; the container's own if absent.
    pub user: Option<&'a str>,
    /// Its environment, on top of the container's.
    pub environment: Vec<(&'a str, Secret)>,
}

impl<'a> ExecSpec<'a> {
    /// A command run as the container's own user.
    pub fn new(container: &'a str, command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            container,
            command: command.into_iter().map(Into::into).collect(),
            user: None,
            environment: Vec::new(),
        }
    }

    /// Runs it as another user.
    #[must_use]
    pub fn user(mut self, user: &'a str) -> Self {
        self.user = Some(user);
        self
    }
}

/// What a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To standard output.
    Stdout(Bytes),
    /// To standard error.
    Stderr(Bytes),
}

/// A running command.
pub struct Exec {
    engine: Engine,
    id: String,
    /// Its standard input; shut it down to end it.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its output; ends when the command has closed both streams.
    pub output: BoxStream<'static, Result<Output>>,
}

/// What a finished command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its exit status.
    pub exit_code: i64,
    /// The beginning of its standard output.
    pub stdout: String,
    /// The beginning of its standard error.
    pub stderr: String,
}

impl Captured {
    /// Whether it succeeded.
    pub fn ok(&self) -> bool {
        self.exit_code == 0
    }
}

impl Engine {
    /// Starts a command.
    pub async fn exec(&self, spec: ExecSpec<'_>) -> Result<Exec> {
        let name = spec.command.first().cloned().unwrap_or_default();
        let failed = |error| engine_failure(&format!("running {name} in {}", spec.container), &error);
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: spec.user.map(str::to_owned),
            env: Some(
                spec.environment.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect(),
            ),
            cmd: Some(spec.command),
            ..CreateExecOptions::default()
        };
        let id = within(CHANGE, self.docker.create_exec(spec.container, options)).await.map_err(failed)?.id;
        let options =
            StartExecOptions { output_capacity: Some(OUTPUT_BUFFER), ..StartExecOptions::default() };
        match within(CHANGE, self.docker.start_exec(&id, Some(options))).await.map_err(failed)? {
            StartExecResults::Attached { output, input } => {
                let output = output.map_err(|error| engine_failure("reading a command's output", &error));
                let output = output.try_filter_map(|chunk| async {
                    Ok(match chunk {
                        LogOutput::StdOut { message } => Some(Output::Stdout(message)),
                        LogOutput::StdErr { message } => Some(Output::Stderr(message)),
                        LogOutput::StdIn { .. } | LogOutput::Console { .. } => None,
                    })
                });
                Ok(Exec { engine: self.clone(), id, input, output: output.boxed() })
            }
            StartExecResults::Detached => unreachable!("detach is not asked for"),
        }
    }

    /// Runs a command to its end, feeding it nothing, and keeps the first `limit` bytes of each output stream.
    pub async fn capture(&self, spec: ExecSpec<'_>, limit: usize) -> Result<Captured> {
        self.exec(spec).await?.capture(limit).await
    }
}

impl Exec {
    /// Its input and output, for a command whose exit status does not matter.
    pub fn into_streams(self) -> (Pin<Box<dyn AsyncWrite + Send>>, BoxStream<'static, Result<Output>>) {
        (self.input, self.output)
    }

    /// Ends the input, reads the output to its end, and returns what was captured of it.
    pub async fn capture(self, limit: usize) -> Result<Captured> {
        self.capture_seen(limit, |_| {}).await
    }

    /// As [`Exec::capture`], showing what was captured of standard output whenever there is more.
    pub async fn capture_seen(self, limit: usize, seen: impl FnMut(&[u8]) + Send) -> Result<Captured> {
        let (mut input, listening) = self.listen(limit, seen);
        // A command that has ended already has no input to end.
        let _ = input.shutdown().await;
        listening.await
    }

    /// Its input, and the capture of its output up to `limit` bytes of each stream: run both at once.
    pub fn capture_while_fed(
        self,
        limit: usize,
    ) -> (Pin<Box<dyn AsyncWrite + Send>>, impl Future<Output = Result<Captured>> + Send) {
        self.listen(limit, |_| {})
    }

    fn listen(
        self,
        limit: usize,
        mut seen: impl FnMut(&[u8]) + Send,
    ) -> (Pin<Box<dyn AsyncWrite + Send>>, impl Future<Output = Result<Captured>> + Send) {
        let Self { engine, id, input, mut output } = self;
        let listening = async move {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            while let Some(chunk) = output.try_next().await? {
                let (kept, bytes) = match &chunk {
                    Output::Stdout(bytes) => (&mut stdout, bytes),
                    Output::Stderr(bytes) => (&mut stderr, bytes),
                };
                let room = limit.saturating_sub(kept.len()).min(bytes.len());
                kept.extend_from_slice(&bytes[..room]);
                seen(&stdout);
            }
            let (stdout, stderr) =
                [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).into();
            Ok(Captured { exit_code: exit_code(&engine, &id).await?, stdout, stderr })
        };
        (input, listening)
    }

    /// The exit status, once the output has ended.
    pub async fn exit_code(self) -> Result<i64> {
        let Self { engine, id, .. } = self;
        exit_code(&engine, &id).await
    }
}

async fn exit_code(engine: &Engine, id: &str) -> Result<i64> {
    // The streams close an instant before the engine notes the end of the process.
    for attempt in 0..200u64 {
        let state = within(LOOK, engine.docker.inspect_exec(id))
            .await
            .map_err(|error| engine_failure("asking how a command ended", &error))?;
        if let (Some(false), Some(code)) = (state.running, state.exit_code) {
            return Ok(code);
        }
        tokio::time::sleep(Duration::from_millis(attempt.min(50))).await;
    }
    Err(Failure::inconclusive(codes::ENGINE_ERROR, "a command closed its output but does not end"))
}
