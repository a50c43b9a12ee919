//! Why a restore reported errors, and what is to blame: the backup, the machine or the image.
//!
//! The backup is, unless the machine or the image can be shown to be: by asking the engine, the server and the image, and
//! never by what an error says, since any dump can write `out of memory`. So a dump can make itself fail by its words, and
//! nothing else.

use crate::sandbox::exit_status;
use crate::target::postgres::failures::own_failure;
use crate::target::postgres::server::MAINTENANCE;
use tokio::time::Instant;

use super::refresh::ViewsAside;
use super::run::PgRestoreRun;
use super::shown::{self, Names};
use super::words::Words;
use crate::format::pg_custom::{Toc, newer_than_image};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::UnfilledView;
use crate::target::postgres::server::Server;

/// Room on a disk that counts as none: it is seen once a second, and much is written in one.
const FULL: u64 = 256 * 1024 * 1024;

/// What a restore that did not go clean means.
#[derive(Debug)]
pub enum Explained {
    /// All rows are there. What is missing cannot exist in a drill.
    Complete {
        /// What an operator should know.
        warning: String,
        /// Views that are not filled.
        unfilled: Vec<UnfilledView>,
    },
    /// It failed.
    Failed(Failure),
}

/// What an error is to be blamed on.
pub(super) enum Cause {
    /// It is known.
    Known(Failure),
    /// The backup, unless the image lacks what it needs.
    OfTheBackup(Failure),
}

impl Server {
    /// Explains why a restore that began at `began` did not go clean. If views that cannot be filled are all that is missing by now,
    /// they are `unfilled`.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub async fn explain(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        toc: &Toc,
        began: Instant,
        unfilled: Option<ViewsAside>,
    ) -> Result<Explained> {
        let blamed = match self.cause(run, toc, began).await {
            Cause::Known(failure) => return Ok(Explained::Failed(failure)),
            Cause::OfTheBackup(blamed) => blamed,
        };
        if let Some(ViewsAside { warning, unfilled, .. }) = unfilled {
            return Ok(Explained::Complete { warning, unfilled });
        }
        Ok(Explained::Failed(self.lack(database, &run.words, toc).await?.unwrap_or(blamed)))
    }

    /// Why a restore that began at `began` did not go clean, without what the image may lack.
    pub(super) async fn cause(&self, run: &PgRestoreRun, toc: &Toc, began: Instant) -> Cause {
        if let Some(trouble) = self.trouble(began).await {
            return Cause::Known(trouble);
        }
        if exit_status::signal(run.exit_code).is_some()
            && let Some(ended) = self.ends_soon().await
        {
            return Cause::Known(ended);
        }
        if let Some(failure) = of_the_program(run).or_else(|| of_the_machine(run)) {
            return Cause::Known(failure);
        }
        let names = Names::of(toc);
        let first = shown::first(&run.words, &names, run.exit_code, run.program);
        let blamed = of_the_backup(&run.words, first);
        // What can only be wrong with the rows is, whatever else is missing.
        if run.words.are_forged() || blamed.code != "restore_failed" {
            return Cause::Known(blamed);
        }
        Cause::OfTheBackup(blamed)
    }

    /// Those of these roles that the server does not have.
    pub(super) async fn absent_roles(&self, named: &[String]) -> Result<Vec<String>> {
        let client = self.connect(MAINTENANCE).await?;
        let sql = "SELECT name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name \
                   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles \
                                     WHERE rolname OPERATOR(pg_catalog.=) name::pg_catalog.name)";
        let rows = client.query(sql, &[&named]).await;
        let rows = rows.map_err(|error| own_failure("looking for roles", &error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// `pg_restore` itself could not run, or was stopped. No dump has a hand in that: it runs as another user than the server.
fn of_the_program(run: &PgRestoreRun) -> Option<Failure> {
    if let Some(signal) = exit_status::signal(run.exit_code) {
        let message = format!("{} was killed by signal {signal}", run.program.name());
        return Some(Failure::inconclusive(codes::RESTORE_KILLED, message).hint(
            "this says nothing about the backup: the container may have run out of memory (postgres.memory)",
        ));
    }
    match run.exit_code {
        126 | 127 => Some(unusable(run)),
        _ if !run.words.spoke => Some(unusable(run)),
        _ => None,
    }
}

fn unusable(run: &PgRestoreRun) -> Failure {
    let said = run.words.before.as_deref().unwrap_or("it says nothing");
    let message = format!(
        "the image's {} cannot run: {}",
        run.program.name(),
        crate::model::human::one_line(said, 200)
    );
    Failure::inconclusive(codes::PG_RESTORE_UNUSABLE, message)
        .hint("this says nothing about the backup: name another image in postgres.image")
}

/// The machine failed: shown by more than words.
fn of_the_machine(run: &PgRestoreRun) -> Option<Failure> {
    let shown = |error: &str| crate::model::human::one_line(error, 200);
    let name = run.program.name();
    if run.words.tell_of_a_full_disk() && run.lowest_free.is_some_and(|free| free < FULL) {
        return Some(Failure::disk_full("the engine's disk is full: the restored database does not fit"));
    }
    if let Some(error) = run.words.too_new() {
        return Some(newer_than_image(&format!("{name}: error: {}", shown(error))));
    }
    run.words.not_connected().map(|error| {
        let message = format!("{name} could not connect to the drill's Postgres: {}", shown(error));
        Failure::inconclusive(codes::SERVER_TROUBLE, message)
            .hint("this says nothing about the backup: give the drill fewer workers (--jobs)")
    })
}

/// What is wrong with the backup, by the words of the errors: a dump may blame itself.
fn of_the_backup(words: &Words, first: String) -> Failure {
    if words.tell_of_a_command() {
        let message = format!("the dump hides commands for psql, and psql refused the first: {first}");
        return Failure::bad(codes::DUMP_RUNS_COMMANDS, message)
            .hint("psql ran no command, and stopped there; find out what changed the dump");
    }
    if words.tell_of_a_foreign_key() {
        return Failure::bad(codes::FOREIGN_KEY_VIOLATED, first)
            .hint("rows refer to rows that are not in the dump: was it taken from one snapshot, and whole?");
    }
    if words.tell_of_a_cut_dump() {
        return Failure::bad(codes::DUMP_TRUNCATED, first)
            .hint("the dump ends early: look at the exit status of pg_dump in the backup job");
    }
    Failure::bad(codes::RESTORE_FAILED, first).hint(
        "databases[].pg_restore.stderr in the verdict has the errors; --keep leaves the server to look at",
    )
}

#[cfg(test)]
mod tests {
    use super::super::words::Complaint;
    use super::*;
    use crate::model::failure::Class;

    fn run(exit_code: i64, errors: &[&str], ignored: Option<u64>, lowest_free: Option<u64>) -> PgRestoreRun {
        let complaint = |words: &&str| Complaint { entry: None, words: (*words).to_owned(), raised: false };
        let complaints: Vec<Complaint> = errors.iter().map(complaint).collect();
        let words = Words { seen: complaints.len() as u64, complaints, ignored, spoke: true, before: None };
        PgRestoreRun {
            program: super::super::program::Program::PgRestore,
            exit_code,
            jobs: 1,
            words,
            lowest_free,
        }
    }

    fn judged(run: &PgRestoreRun) -> Failure {
        of_the_program(run)
            .or_else(|| of_the_machine(run))
            .unwrap_or_else(|| of_the_backup(&run.words, "first".to_owned()))
    }

    #[test]
    fn words_alone_blame_the_backup() {
        for words in [
            "ERROR:  out of memory",
            "ERROR:  could not extend file: No space left on device",
            "FATAL:  terminating connection due to administrator command",
            "ERROR:  could not resize shared memory segment",
            "ERROR:  unsupported version (1.16) in file header",
            "ERROR:  collation \"collation_rules\" does not exist",
        ] {
            let failure = judged(&run(1, &[words], Some(1), Some(1 << 40)));
            assert_eq!((failure.code.as_str(), failure.class), ("restore_failed", Class::Bad), "{words}");
        }
    }

    #[test]
    fn a_disk_that_was_seen_full_is_the_machines() {
        let words = &["COPY failed for table \"t\": ERROR:  could not extend file: No space left on device"];
        assert_eq!(judged(&run(1, words, Some(1), Some(1 << 20))).code.as_str(), "disk_full");
        assert_eq!(judged(&run(1, &["ERROR:  x"], Some(1), Some(1 << 20))).code.as_str(), "restore_failed");
    }

    #[test]
    fn a_program_that_cannot_run_or_was_killed_says_nothing_about_the_backup() {
        for (exit_code, code) in
            [(126, "pg_restore_unusable"), (127, "pg_restore_unusable"), (137, "restore_killed")]
        {
            let failure = judged(&run(exit_code, &[], None, None));
            assert_eq!((failure.code.as_str(), failure.class), (code, Class::Inconclusive));
        }
        assert_eq!(judged(&run(1, &[], None, None)).class, Class::Bad);
    }

    #[test]
    fn what_pg_restore_says_before_it_reads_a_word_of_the_dump_is_its_own() {
        let said = |words: &[&str]| judged(&run(1, words, None, None)).code.as_str();
        assert_eq!(said(&["unsupported version (1.16) in file header"]), "dump_newer_than_image");
        assert_eq!(
            said(&["connection to server on socket \"x\" failed: FATAL:  too many clients"]),
            "server_trouble"
        );
        assert_eq!(said(&["ERROR:  x", "connection to server on socket failed"]), "restore_failed");
        assert_eq!(said(&["ERROR:  x", "could not read from input file: end of file"]), "dump_truncated");
    }
}
