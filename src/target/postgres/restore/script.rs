//! `psql`, which runs a plain dump: all of it in one transaction, up to its first error.
//!
//! It runs as a user that owns nothing in the container: a command that `psql` runs by itself (`\!`) could otherwise change the
//! dumps that lie beside this one. The dump is looked through for such commands before, and psql refuses whatever that missed:
//! it runs behind a `\restrict` of our own, whose key no dump can know. The dump's own is left out, since only one can be in force.

use tokio::time::Instant;

use super::WATCHED;
use super::explain::Cause;
use super::program::Program;
use super::run::PgRestoreRun;
use super::words::{Complaint, Words};
use crate::format::pg_custom::newer_than_image;
use crate::format::pg_plain::{Cut, PlainDump};
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::docker::ExecSpec;
use crate::sandbox::spec::SCRATCH;
use crate::target::postgres::pins::Pins;
use crate::target::postgres::scratch;
use crate::target::postgres::server::Server;

/// `nobody`, by its number on every image.
const NOBODY: &str = "65534";
/// Bytes kept of a line.
const LINE_BYTES: usize = 2000;
/// Runs `psql` on parts of a file: each from a byte on, and so many. With a pipe, only its own status counts.
const PARTS: &str = r#"parts="$1"; shift
for part in $parts; do tail -c "+${part%:*}" "$0" | head -c "${part#*:}"; done | "$@""#;
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
        let key = uuid::Uuid::new_v4().simple();
        let (restrict, unrestrict) =
            (format!("--command=\\restrict {key}"), format!("--command=\\unrestrict {key}"));
        let is_restricted = self.knows_restrict().await?.is_ok();
        let parts = parts(dump, is_restricted);
        let mut psql = vec!["psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"];
        psql.extend(["--single-transaction", "--output=/dev/null", "--username=postgres", &option]);
        // All of these are of one session, one after the other.
        let input = format!("--file={}", if parts.is_some() { "-" } else { &path });
        if is_restricted {
            psql.extend([restrict.as_str(), &input, &unrestrict]);
        } else {
            psql.push(&input);
        }
        let mut command = vec!["sh", "-c", WATCHED, SCRATCH];
        if let Some(parts) = &parts {
            command.extend(["sh", "-c", PARTS, &path, parts]);
        }
        command.extend(psql);
        let mut spec = ExecSpec::new(&self.container, command).user(NOBODY);
        spec.environment.push(("PGOPTIONS", Secret::new(self.options(&Pins::restore()))));
        let mut listener = Listener::default();
        let (exit_code, lowest_free) = self.watch(spec, |words| listener.push(words, dump)).await?;
        Ok(PgRestoreRun {
            program: Program::Psql,
            exit_code,
            jobs: 1,
            words: listener.finish(dump),
            lowest_free,
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
    /// Of any other it is said if the image's `psql` does not.
    ///
    /// # Errors
    /// `dump_newer_than_image`.
    pub async fn require_psql_for(&self, dump: &PlainDump) -> Result<Option<String>> {
        let Err(said) = self.knows_restrict().await? else { return Ok(None) };
        if dump.is_restricted {
            return Err(newer_than_image(&format!(
                "the dump begins with \\restrict, which psql knows since the releases of August 2025, and the image has {said}"
            )));
        }
        Ok(Some(format!(
            "the image has {said}, which cannot refuse commands in a dump (\\restrict, since August 2025): that the dump has \
             none is known by its text alone"
        )))
    }

    /// Whether the image's `psql` knows `\restrict`; if not, which it is. One whose version cannot be read counts as a later one.
    async fn knows_restrict(&self) -> Result<std::result::Result<(), String>> {
        let spec = ExecSpec::new(&self.container, ["psql", "--version"]);
        let said = self.engine.capture(spec, 1024).await?;
        if version(&said.stdout).is_none_or(knows_restrict) {
            return Ok(Ok(()));
        }
        Ok(Err(human::one_line(said.stdout.trim(), 80)))
    }
}

/// The parts of the file that `psql` is given, as `PARTS` has them; none if that is the whole file. What is cut out are lines
/// without their line feed, so that lines keep their numbers.
fn parts(dump: &PlainDump, is_restricted: bool) -> Option<String> {
    let cuts: &[Cut] = if is_restricted { &dump.cuts } else { &[] };
    if dump.start.is_none() && cuts.is_empty() {
        return None;
    }
    let mut from = dump.start.map_or(0, |start| start.bytes);
    let length = dump.start.and_then(|start| start.length);
    let end = length.map_or(dump.toc.size_bytes.max(from), |length| from + length);
    let mut parts = Vec::new();
    for cut in cuts {
        parts.push(format!("{}:{}", from + 1, cut.from.saturating_sub(from)));
        from = cut.to;
    }
    parts.push(format!("{}:{}", from + 1, end.saturating_sub(from)));
    Some(parts.join(" "))
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
    use crate::format::pg_plain::testing::dump;
    use crate::format::{BackupContents, Inspector};

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
    fn psql_is_given_all_but_the_restriction_of_the_dump_itself() {
        for name in ["pg17.sql", "pg17-create.sql", "pg15.sql"] {
            let path = format!("{}/tests/fixtures/plain/{name}", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).unwrap();
            let mut inspector = Inspector::default();
            let _ = inspector.push(&bytes).unwrap();
            let Ok(BackupContents::PgPlain(dump)) = inspector.finish() else { panic!("{name}") };
            let start = dump.start.map_or(0, |start| start.bytes as usize);
            let mut given = Vec::new();
            for part in parts(&dump, true).unwrap().split(' ') {
                let (first, length) = part.split_once(':').unwrap();
                let from = first.parse::<usize>().unwrap() - 1;
                given.extend_from_slice(&bytes[from..from + length.parse::<usize>().unwrap()]);
            }
            let all = String::from_utf8(bytes[start..].to_vec()).unwrap();
            let expected: Vec<&str> =
                all.split('\n').map(|line| if line.contains("restrict ") { "" } else { line }).collect();
            assert_eq!(String::from_utf8(given).unwrap(), expected.join("\n"), "{name}");
            assert_eq!(parts(&dump, false).is_none(), start == 0);
        }
    }

    #[test]
    fn a_command_that_psql_refuses_is_read() {
        for said in
            ["backslash commands are restricted; only \\unrestrict is allowed", "\\unrestrict: wrong key"]
        {
            assert!(heard(&format!("psql:<stdin>:5: error: {said}\n")).tell_of_a_command(), "{said}");
        }
        let quoted = heard("psql:<stdin>:5: ERROR:  backslash commands are restricted\n");
        assert!(!quoted.tell_of_a_command());
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
