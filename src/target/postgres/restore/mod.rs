//! `pg_restore`: run, listened to, and explained.

mod explain;
mod lacks;
mod program;
mod refresh;
mod repair;
mod run;
mod script;
mod shown;
mod words;

use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::pins::Pins;
use super::scratch;
use super::server::Server;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::docker::{ExecSpec, Output};
use crate::sandbox::scratch::Room;
use crate::sandbox::spec::SCRATCH;
use words::Listener;

pub use explain::Explained;
pub use refresh::ViewsAside;
pub use repair::{RETRY, Repaired, give_to_owner, is_of_superusers};
pub use run::{Afterwards, PgRestoreRun};

/// Runs `pg_restore` and looks at the disk's free room beside it: after an error the server gives room back, so whether
/// the disk was full can only be seen while it is. The room goes to stdout, which `pg_restore` does not use here.
const WATCHED: &str = r#"while df -Pk "$0" 2>/dev/null; do sleep 1 >/dev/null 2>&1 </dev/null || break; done &
watch=$!; "$@"; status=$?; kill "$watch" 2>/dev/null; exit "$status""#;

/// What is restored besides the objects and their rows.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Who owns them, and who may do what with them. The roles are there by then.
    pub access: bool,
    /// What modules of the server say of them.
    pub labels: bool,
}

impl Kept {
    /// Nothing besides.
    pub const NOTHING: Self = Self { access: false, labels: false };
}

/// The options of `pg_restore` that say what of a dump is restored. Whoever restores for real (`fetch` prints the line) uses
/// the same, so that what was proved is what is done.
pub fn what_is_restored(kept: Kept) -> &'static [&'static str] {
    match (kept.access, kept.labels) {
        (true, true) => &["--no-tablespaces", "--no-subscriptions"],
        (true, false) => &["--no-tablespaces", "--no-security-labels", "--no-subscriptions"],
        (false, _) => &[
            "--no-owner",
            "--no-privileges",
            "--no-tablespaces",
            "--no-security-labels",
            "--no-subscriptions",
        ],
    }
}

impl Server {
    /// Restores a database's dump from the scratch volume. How it went is in the result: a dump that does not
    /// restore clean is not an `Err`.
    ///
    /// Tablespaces belong to the machine a dump was made on, and a subscription would reach out to its publisher.
    ///
    /// With `entries`, only these are restored, in that order.
    pub async fn pg_restore(
        &self,
        database: &DatabaseName,
        jobs: usize,
        kept: Kept,
        entries: Option<Vec<i32>>,
    ) -> Result<PgRestoreRun> {
        let Some(entries) = entries else { return self.run_pg_restore(database, jobs, kept, &[]).await };
        let path = self.write_list(database, entries).await?;
        self.run_pg_restore(database, jobs, kept, &[&format!("--use-list={path}")]).await
    }

    /// Restores entries that could not be restored once more, now that the roles are there that they name. None if
    /// nothing was missing, or if it is not sure which entries those are.
    ///
    /// A dump can say that it lacks a role, and lie. It cannot make its entries go through by that.
    pub async fn restore_again_with_roles(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        kept: Kept,
    ) -> Result<Option<(PgRestoreRun, Vec<String>)>> {
        let named = run.words.absent_roles();
        let Some(entries) = run.words.entries().filter(|_| !named.is_empty() && !run.words.are_forged())
        else {
            return Ok(None);
        };
        let absent = self.absent_roles(&named).await?;
        if absent.is_empty() {
            return Ok(None);
        }
        self.create_roles(absent.iter().map(String::as_str)).await?;
        let again = self.pg_restore(database, 1, kept, Some(entries)).await?;
        Ok(Some((again, absent)))
    }

    async fn run_pg_restore(
        &self,
        database: &DatabaseName,
        jobs: usize,
        kept: Kept,
        more: &[&str],
    ) -> Result<PgRestoreRun> {
        let (database_option, jobs_option) = (format!("--dbname={database}"), format!("--jobs={jobs}"));
        let path = scratch::path(database);
        let path = path.as_str();
        let options = ["pg_restore", "--verbose", "--username=postgres", &database_option, &jobs_option];
        let options = options.iter().chain(what_is_restored(kept)).chain(more);
        let command = ["sh", "-c", WATCHED, SCRATCH].iter().chain(options).chain([&path]);
        // As root, which has no capability here: the server's own user, and so the dump, cannot kill it.
        let mut spec = ExecSpec::new(&self.container, command.copied()).user("0");
        // What a dump that was restored before left in the settings of its role has no say in this one.
        spec.environment.push(("PGOPTIONS", Secret::new(self.options(&Pins::restore()))));
        let mut listener = Listener::default();
        let (exit_code, lowest_free) = self.watch(spec, |words| listener.push(words)).await?;
        Ok(PgRestoreRun {
            program: program::Program::PgRestore,
            exit_code,
            jobs,
            words: listener.finish(),
            lowest_free,
        })
    }

    /// Runs a program below `WATCHED` to its end, and hands on what it says. Returns its exit status, and the least room that was
    /// seen on the disk meanwhile.
    async fn watch(&self, spec: ExecSpec<'_>, mut hear: impl FnMut(&[u8])) -> Result<(i64, Option<u64>)> {
        let mut exec = self.engine.exec(spec).await?;
        let _ = exec.input.shutdown().await;
        let mut room = Room::default();
        while let Some(output) = exec.output.try_next().await? {
            match output {
                Output::Stderr(bytes) => hear(&bytes),
                Output::Stdout(bytes) => room.push(&bytes),
            }
        }
        Ok((exec.exit_code().await?, room.lowest()))
    }
}
