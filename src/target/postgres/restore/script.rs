//! `psql`, which runs a plain dump: all of it in one transaction, up to its first error.
//!
//! It runs as a user that owns nothing in the container: a command that `psql` runs by itself (`\!`) could otherwise change the
//! dumps that lie beside this one. The dump is looked through for such commands before, and psql refuses them behind
//! `\restrict`.

use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::WATCHED;
use super::explain::Cause;
use super::program::Program;
use super::run::PgRestoreRun;
use super::words::{Complaint, Words};
use crate::format::pg_custom::newer_than_image;
use crate::format::pg_plain::PlainDump;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::docker::{ExecSpec, Output};
use crate::sandbox::scratch::Room;
use crate::sandbox::spec::SCRATCH;
use crate::target::postgres::pins::Pins;
use crate::target::postgres::scratch;
use crate::target::postgres::server::Server;

/// `nobody`, by its number on every image.
const NOBODY: &str = "65534";
/// Bytes kept of a line.
const LINE_BYTES: usize = 2000;
/// Runs `psql` on a part of a file: from a byte on, and so many. With a pipe, only its own status counts.
const PART: &str = r#"file="$1"; length="$2"; shift 2; tail -c "+$0" "$file" | head -c "$length" | "$@""#;
/// The first minor release of each major version that knows `\restrict`: those of August 2025 (CVE-2025-8714).
const RESTRICT_SINCE: [(u32, u32); 5] = [(13, 22), (14, 19), (15, 14), (16, 10), (17, 6)];

impl Server {
    /// Runs a plain dump that lies in the scratch volume as that of `file`, or is a part of it.
    pub async fn run_script(
        &self,
        database: &DatabaseName,
        file: &DatabaseName,
        dump: &PlainDump,
    ) -> Result<PgRestoreRun> {
        let path = scratch::path(file);
        let option = format!("--dbname={database}");
        let mut psql = vec!["psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"];
        psql.extend(["--single-transaction", "--output=/dev/null", "--username=postgres", &option]);
        let part = dump.start.map(|start| {
            let length = start.length.unwrap_or_else(|| dump.toc.size_bytes.saturating_sub(start.bytes));
            ((start.bytes + 1).to_string(), length.to_string())
        });
        let input = format!("--file={}", if part.is_some() { "-" } else { &path });
        psql.push(&input);
        let mut command = vec!["sh", "-c", WATCHED, SCRATCH];
        if let Some((first, length)) = &part {
            command.extend(["sh", "-c", PART, first, &path, length]);
        }
        command.extend(psql);
        let mut spec = ExecSpec::new(&self.container, command).user(NOBODY);
        spec.environment.push(("PGOPTIONS", Secret::new(self.options(&Pins::restore()))));
        let mut exec = self.engine.exec(spec).await?;
        let _ = exec.input.shutdown().await;
        let (mut listener, mut room) = (Listener::default(), Room::default());
        while let Some(output) = exec.output.try_next().await? {
            match output {
                Output::Stderr(bytes) => listener.push(&bytes, dump),
                Output::Stdout(bytes) => room.push(&bytes),
            }
        }
        Ok(PgRestoreRun {
            program: Program::Psql,
            exit_code: exec.exit_code().await?,
            jobs: 1,
            words: listener.finish(dump),
            lowest_free: room.lowest(),
        })
    }

    /// Runs it once more, now that the roles are there that it lacked; none if it lacked none. Nothing of the first run is left.
    pub async fn run_script_with_roles(
        &self,
        database: &DatabaseName,
        dump: &PlainDump,
        run: &PgRestoreRun,
    ) -> Result<Option<(PgRestoreRun, Vec<String>)>> {
        let absent = self.absent_roles(&run.words.absent_roles()).await?;
        if absent.is_empty() {
            return Ok(None);
        }
        self.create_roles(absent.iter().map(String::as_str)).await?;
        Ok(Some((self.run_script(database, database, dump).await?, absent)))
    }

    /// Why a script that began at `began` did not run to its end.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub async fn explain_script(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        dump: &PlainDump,
        began: Instant,
    ) -> Result<Failure> {
        match self.cause(run, &dump.toc, began).await {
            Cause::Known(failure) => Ok(failure),
            Cause::OfTheBackup(blamed) => {
                Ok(self.lack(database, &run.words, &dump.toc).await?.unwrap_or(blamed))
            }
        }
    }

    /// A dump that begins with `\restrict` needs a `psql` that knows it. Taking that line out would take a protection away.
    ///
    /// # Errors
    /// `dump_newer_than_image`.
    pub async fn require_psql_for(&self, dump: &PlainDump) -> Result<()> {
        if !dump.is_restricted {
            return Ok(());
        }
        let spec = ExecSpec::new(&self.container, ["psql", "--version"]);
        let said = self.engine.capture(spec, 1024).await?;
        if version(&said.stdout).is_none_or(knows_restrict) {
            return Ok(());
        }
        let said = human::one_line(said.stdout.trim(), 80);
        Err(newer_than_image(&format!(
            "the dump begins with \\restrict, which psql knows since the releases of August 2025, and the image has {said}"
        )))
    }
}

/// The version in `psql (PostgreSQL) 17.6 (Debian …)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let (major, minor) = said.split_whitespace().nth(2)?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn knows_restrict((major, minor): (u32, u32)) -> bool {
    match RESTRICT_SINCE.iter().find(|(known, _)| *known == major) {
        Some((_, first)) => minor >= *first,
        None => major > 17,
    }
}

/// Reads what `psql` says. Its errors are `psql:FILE:LINE: ERROR:  …` and `psql: error: …`.
#[derive(Default)]
struct Listener {
    words: Words,
    partial: Vec<u8>,
}

impl Listener {
    fn push(&mut self, bytes: &[u8], dump: &PlainDump) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line(dump);
            } else if self.partial.len() < LINE_BYTES {
                self.partial.push(*byte);
            }
        }
    }

    fn end_line(&mut self, dump: &PlainDump) {
        let line = std::mem::take(&mut self.partial);
        let line = String::from_utf8_lossy(&line);
        if let Some(context) = line.strip_prefix("CONTEXT:  ") {
            if let Some(last) = self.words.complaints.last_mut() {
                last.raised |= !context.starts_with("COPY ");
            }
            return;
        }
        let Some(rest) = line.strip_prefix("psql:") else {
            if !self.words.spoke && !line.is_empty() {
                self.words.before.get_or_insert_with(|| line.clone().into_owned());
            }
            return;
        };
        self.words.spoke = true;
        let (entry, words) = match rest.strip_prefix(" error: ") {
            Some(words) => (None, words),
            None => {
                let Some((place, words)) = rest.split_once(": ") else { return };
                let line = place.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
                (line.and_then(|line| dump.entry_at(line)), words)
            }
        };
        let is_own = rest.starts_with(" error: ");
        if is_own || ["ERROR:", "FATAL:", "PANIC:", "error:"].iter().any(|kind| words.starts_with(kind)) {
            self.words.seen += 1;
            self.words.complaints.push(Complaint { entry, words: words.to_owned(), raised: false });
            // It stops at the first error. Of more lines, the dump wrote some.
            self.words.complaints.truncate(2);
        }
    }

    fn finish(mut self, dump: &PlainDump) -> Words {
        self.end_line(dump);
        self.words.ignored = (self.words.seen > 1).then_some(1);
        self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{BackupContents, Inspector};

    fn dump() -> PlainDump {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plain/pg17.sql");
        let mut inspector = Inspector::default();
        let _ = inspector.push(&std::fs::read(path).unwrap()).unwrap();
        match inspector.finish() {
            Ok(BackupContents::PgPlain(dump)) => dump,
            other => panic!("{other:?}"),
        }
    }

    fn heard(said: &str) -> Words {
        let (mut listener, dump) = (Listener::default(), dump());
        for piece in said.as_bytes().chunks(7) {
            listener.push(piece, &dump);
        }
        listener.finish(&dump)
    }

    #[test]
    fn an_error_is_read_with_the_object_that_it_is_about() {
        let words = heard(
            "psql:/scratch/a.dump:3: NOTICE:  nothing\npsql:/scratch/a.dump:215: ERROR:  value too long\n\
             CONTEXT:  COPY tenant, line 1\n",
        );
        let complaint = &words.complaints[0];
        assert_eq!(
            (words.seen, complaint.words.as_str(), complaint.raised),
            (1, "ERROR:  value too long", false)
        );
        assert!(complaint.entry.is_some() && words.spoke && !words.are_forged());
        let refused = heard("psql: error: connection to server on socket failed\n");
        assert!(refused.not_connected().is_some());
        let raised = heard("psql:x:9: ERROR:  a secret\nCONTEXT:  PL/pgSQL function f() line 1 at RAISE\n");
        assert!(raised.complaints[0].raised);
    }

    #[test]
    fn a_dump_that_writes_errors_itself_is_not_believed() {
        let words = heard("psql:x:1: WARNING:  \npsql:x:2: ERROR:  role \"a\"\npsql:x:3: ERROR:  true\n");
        assert!(words.are_forged());
        assert_eq!(heard("sh: psql: not found\n").before.as_deref(), Some("sh: psql: not found"));
    }

    #[test]
    fn the_psql_that_is_needed_is_known_by_its_version() {
        for (said, knows) in [
            ("psql (PostgreSQL) 17.5 (Debian 17.5-1)\n", false),
            ("psql (PostgreSQL) 17.6\n", true),
            ("psql (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", true),
            ("psql (PostgreSQL) 12.22\n", false),
            ("psql (PostgreSQL) 18.0\n", true),
        ] {
            assert_eq!(version(said).map(knows_restrict), Some(knows), "{said}");
        }
        assert_eq!(version("psql (PostgreSQL) 18beta1\n"), None);
    }
}
