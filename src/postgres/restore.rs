//! `pg_restore`, and what its words mean.

use std::sync::LazyLock;

use futures_util::TryStreamExt;
use regex::Regex;
use tokio::io::AsyncWriteExt;

use super::{Server, scratch};
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;
use crate::stack::docker::{ExecSpec, Output};
use crate::verdict::PgRestore;

/// Lines of stderr kept in a verdict.
const STDERR_LINES: usize = 60;
/// Characters kept of each.
const LINE_LENGTH: usize = 500;

impl Server {
    /// Restores a database's dump from the scratch volume. How it went is in the result: a dump that does not
    /// restore clean is not an `Err`.
    ///
    /// Owners, privileges, tablespaces and security labels belong to the machine a dump was made on, and a
    /// subscription would reach out to its publisher; none of them is part of "every row is there".
    pub async fn pg_restore(&self, database: &DatabaseName, jobs: usize) -> Result<PgRestore> {
        let command = [
            "pg_restore",
            "--username=postgres",
            &format!("--dbname={database}"),
            &format!("--jobs={jobs}"),
            "--no-owner",
            "--no-privileges",
            "--no-tablespaces",
            "--no-security-labels",
            "--no-subscriptions",
            &scratch::path(database),
        ];
        let mut exec = self.engine.exec(ExecSpec::new(&self.container, command)).await?;
        let _ = exec.input.shutdown().await;
        let mut stderr = BoundedLines::default();
        while let Some(output) = exec.output.try_next().await? {
            if let Output::Stderr(bytes) = output {
                stderr.push(&bytes);
            }
        }
        let (lines, dropped) = stderr.finish();
        Ok(PgRestore {
            exit_code: exec.exit_code().await?,
            jobs,
            stderr: lines,
            stderr_lines_dropped: dropped,
        })
    }
}

/// Why a restore did not go clean; `None` if it did. Only lines in which `pg_restore` itself reports an error are
/// looked at: its other lines quote the dump, which may say anything.
pub fn judge(outcome: &PgRestore) -> Option<Failure> {
    if outcome.exit_code == 0 {
        return None;
    }
    let errors: Vec<&str> = outcome
        .stderr
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("pg_restore: error:"))
        .collect();
    let first = errors
        .first()
        .copied()
        .or(outcome.stderr.first().map(String::as_str))
        .map_or_else(|| format!("pg_restore ended with status {}", outcome.exit_code), str::to_owned);
    let said = |words: &[&str]| errors.iter().any(|line| words.iter().any(|word| line.contains(word)));
    if said(&["No space left on device"]) {
        let message = "the engine's disk is full: the restored database does not fit";
        return Some(Failure::disk_full(message));
    }
    if said(&["unsupported version"]) {
        return Some(newer_than_image(&first));
    }
    if outcome.exit_code > 128 {
        let message = format!("pg_restore was killed by signal {}", outcome.exit_code - 128);
        return Some(Failure::inconclusive("restore_killed", message).hint(
            "this says nothing about the backup: the container may have run out of memory (postgres.memory)",
        ));
    }
    if said(SERVER_TROUBLE) {
        return Some(Failure::inconclusive("server_trouble", format!("the drill's own Postgres gave way: {first}")).hint(
            "this says nothing about the backup: give the drill more memory (postgres.memory) or fewer workers (--jobs)",
        ));
    }
    Some(explain(&errors.join("\n"), first))
}

/// What a server says that is in trouble itself.
const SERVER_TROUBLE: &[&str] = &[
    "server closed the connection",
    "connection to server was lost",
    "could not connect to server",
    "connection to server on socket",
    "in recovery mode",
    "not yet accepting connections",
    "crash of another server process",
    "terminating connection",
    "out of memory",
    "could not resize shared memory",
    "too many clients",
    "remaining connection slots",
];

/// A dump that the image's `pg_restore` is too old for.
pub fn newer_than_image(what: &str) -> Failure {
    Failure::inconclusive("dump_newer_than_image", what)
        .hint("name a Postgres image of the dump's major version, or a later one, in postgres.image (for Aegis: DRILL_POSTGRES_IMAGE)")
}

/// An error that the dump caused, or that an image or a template without something it needs did.
fn explain(errors: &str, first: String) -> Failure {
    static ROLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"role "([^"]+)" does not exist"#).expect("a constant"));
    static EXTENSION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"extension "([^"]+)" is not available"#).expect("a constant"));
    if let Some(found) = ROLE.captures(errors) {
        return Failure::inconclusive("role_missing", first)
            .hint(format!("add the role to the template: postgres.roles = [\"{}\"]", &found[1]));
    }
    if let Some(found) = EXTENSION.captures(errors) {
        return Failure::inconclusive("extension_missing", first).hint(format!(
            "the image lacks the extension {}; name one that has it in postgres.image",
            &found[1]
        ));
    }
    if errors.contains("collation") && errors.contains("does not exist") {
        return Failure::inconclusive("collation_missing", first)
            .hint("the image lacks a locale of the source server; name one that has it in postgres.image");
    }
    if errors.contains("foreign key constraint") {
        return Failure::bad("foreign_key_violated", first)
            .hint("rows refer to rows that are not in the dump: was it taken from one snapshot, and whole?");
    }
    if errors.contains("unexpected end of file") || errors.contains("could not read from input file") {
        return Failure::bad("dump_truncated", first)
            .hint("the dump ends early: look at the exit status of pg_dump in the backup job");
    }
    Failure::bad("restore_failed", first)
        .hint("databases[].pg_restore.stderr in the verdict has all of pg_restore's words")
}

/// The first lines of a stream, and how many there were beyond them.
#[derive(Default)]
struct BoundedLines {
    lines: Vec<String>,
    partial: Vec<u8>,
    dropped: u64,
}

impl BoundedLines {
    fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let Some(first) = pieces.next() else { return };
        self.extend_partial(first);
        for piece in pieces {
            self.end_line();
            self.extend_partial(piece);
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        // UTF-8 has at most four bytes to a character.
        let room = (LINE_LENGTH * 4).saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return;
        }
        // These quote values of rows, and a verdict lies on the host's disk.
        if let Some(word) = ["DETAIL:", "CONTEXT:"].into_iter().find(|word| line.starts_with(word.as_bytes()))
        {
            self.lines.extend(
                (self.lines.len() < STDERR_LINES).then(|| format!("{word} left out: it may quote rows")),
            );
            return;
        }
        if self.lines.len() < STDERR_LINES {
            self.lines.push(crate::human::one_line(&String::from_utf8_lossy(&line), LINE_LENGTH));
        } else {
            self.dropped += 1;
        }
    }

    fn finish(mut self) -> (Vec<String>, u64) {
        self.end_line();
        (self.lines, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    fn judged(stderr: &[&str]) -> Failure {
        let stderr = stderr.iter().map(|line| (*line).to_owned()).collect();
        judge(&PgRestore { exit_code: 1, jobs: 1, stderr, stderr_lines_dropped: 0 }).unwrap()
    }

    #[test]
    fn lines_are_bounded_in_number_and_length() {
        let mut lines = BoundedLines::default();
        for part in ["a\nb", "c\n\n", &"x".repeat(5000), "\n"] {
            lines.push(part.as_bytes());
        }
        for _ in 0..100 {
            lines.push(b"again\n");
        }
        let (lines, dropped) = lines.finish();
        assert_eq!((&*lines[0], &*lines[1]), ("a", "bc"));
        assert_eq!(lines[2].chars().count(), LINE_LENGTH + 1);
        assert_eq!((lines.len(), dropped), (STDERR_LINES, 43));
    }

    #[test]
    fn values_of_rows_are_not_kept() {
        let mut lines = BoundedLines::default();
        lines.push(b"pg_restore: error: ERROR:  violates\nDETAIL:  Key (e)=(a@b) is not present\nCommand was: ALTER\n");
        let (lines, _) = lines.finish();
        assert_eq!(lines.len(), 3);
        assert!(!lines.concat().contains("a@b"), "{lines:?}");
    }

    #[test]
    fn the_first_error_is_told_and_explained() {
        let failure = judged(&[
            "pg_restore: while PROCESSING TOC:",
            "pg_restore: error: could not execute query: ERROR:  role \"app\" does not exist",
        ]);
        assert_eq!(failure.code, "role_missing");
        assert!(failure.message.contains("role \"app\""));
        assert!(failure.hint.unwrap().contains("roles = [\"app\"]"));
    }

    #[test]
    fn a_full_disk_says_nothing_about_the_backup() {
        let failure = judged(&["pg_restore: error: could not extend file: No space left on device"]);
        assert_eq!((failure.code, failure.class), ("disk_full", Class::Inconclusive));
        let failure = judged(&["pg_restore: error: unsupported version (1.16) in file header"]);
        assert_eq!((failure.code, failure.class), ("dump_newer_than_image", Class::Inconclusive));
    }

    #[test]
    fn a_pg_restore_that_was_killed_says_nothing_about_the_backup() {
        let outcome = |exit_code| PgRestore { exit_code, jobs: 1, stderr: vec![], stderr_lines_dropped: 0 };
        let killed = judge(&outcome(137)).unwrap();
        assert_eq!((killed.code, killed.class), ("restore_killed", Class::Inconclusive));
        assert_eq!(judge(&outcome(1)).unwrap().class, Class::Bad);
    }

    #[test]
    fn a_clean_restore_is_not_judged_by_its_words() {
        let warned =
            PgRestore { exit_code: 0, jobs: 1, stderr: vec!["warning".to_owned()], stderr_lines_dropped: 0 };
        assert_eq!(judge(&warned), None);
    }
}
