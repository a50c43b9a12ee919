//! The command line: one file a subcommand, each from its arguments to one call into the engine.

mod backup;
mod common;
mod completions;
mod demo;
mod doctor;
mod fetch;
mod fetch_globals;
mod fetch_proofs;
mod health;
mod hooks;
mod limit;
mod output;
mod plan;
mod reap;
mod run;
mod signals;
mod verify_chain;

use std::io::IsTerminal;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use crate::model::exit::ExitCode;
use crate::view::stderr::{self, Stderr};

const EXAMPLES: &str = "\
Examples:
  restore-drill demo                           see a whole drill, with nothing but Docker
  restore-drill doctor -t aegis                is everything there that a drill needs?
  restore-drill run -t aegis --dry-run         what would a drill use, and is it sound?
  restore-drill run -t aegis                   the drill
  restore-drill run -t aegis --format json     the same, for a CI job: the verdict on stdout
  restore-drill fetch -t aegis --database acp_audit --last-passed -o acp_audit.dump
                                               the dump that a drill has proved, for the real restore

Exit codes: 0 passed · 1 the backup, the data or an objective is bad · 2 configuration or usage
3 inconclusive · 4 passed, but teardown left something behind · 130 interrupted";

/// Proves that encrypted Postgres backups can be restored.
#[derive(Debug, Parser)]
#[command(name = "restore-drill", version, about, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Restore the newest backups into an isolated stack, verify them, write the verdict, remove everything
    Run(run::Args),
    /// Show what a drill would restore: no Docker, no writes
    Plan(plan::Args),
    /// Check whether a drill would find what it needs: keys, store, engine, images, disk
    Doctor(doctor::Args),
    /// Tell whether disaster recovery is working right now: a probe for monitoring
    Health(health::Args),
    /// Make encrypted dumps of a template's databases, and read them back
    Backup(backup::Args),
    /// Fetch and decrypt a recovery point, or the roles, that a drill has proved, for the real restore
    Fetch(fetch::Args),
    /// Print the template's SQL around a restore as a script for psql, for the real restore
    Hooks(hooks::Args),
    /// Remove what crashed or kept drills left on the engine
    Reap(reap::Args),
    /// Run everything on sample data: a source, a backup, and a drill of it
    Demo(demo::Args),
    /// Verify the hash chains of a table in any database, or of a JSON export
    VerifyChain(Box<verify_chain::Args>),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// The command line, for its documentation.
pub fn command_line() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Parses the command line, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("cannot start: {error}"), None);
            stderr::flush();
            return ExitCode::Inconclusive;
        }
    };
    let code = runtime.block_on(async {
        let outcome = match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Plan(args) => plan::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Health(args) => health::run(args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Fetch(args) => fetch::run(args).await,
            Command::Hooks(args) => hooks::run(args),
            Command::Reap(args) => reap::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::VerifyChain(args) => verify_chain::run(*args).await,
            Command::Completions(args) => completions::run(args),
        };
        outcome.unwrap_or_else(|failure| {
            output::complain_of(&failure, failure.hint.as_deref());
            failure.class.into()
        })
    });
    // A thread that waits for the store must not hold up the end of a drill that was cancelled.
    runtime.shutdown_background();
    stderr::flush();
    code
}

/// `RESTORE_DRILL_LOG` sets what is logged. Of other libraries only warnings are, whatever it says: at `debug` some
/// log whole requests, with the passwords in them. The demo's own S3 server has nothing to say: what it does not know is
/// reported by the client.
fn start_logging() {
    let asked = EnvFilter::try_from_env("RESTORE_DRILL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let ours_or_grave = filter_fn(|event| {
        let target = event.target();
        let grave = *event.level() <= tracing::Level::WARN && !target.starts_with("s3s");
        target.starts_with(env!("CARGO_CRATE_NAME")) || grave
    });
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(Stderr::default)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(to_stderr.with_filter(asked).with_filter(ours_or_grave)).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Help is made of doc comments, and what is a link in those is noise on a terminal.
    #[test]
    fn no_help_shows_a_link_of_the_source() {
        let mut commands = vec![Cli::command()];
        while let Some(mut command) = commands.pop() {
            let help = command.render_long_help().to_string();
            assert!(!help.contains("[`") && !help.contains("crate::"), "{}: {help}", command.get_name());
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
