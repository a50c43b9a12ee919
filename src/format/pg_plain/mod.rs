//! Plain SQL, as `pg_dump` writes it by default.
//!
//! Such a script is nothing but text that `psql` runs: it has no table of contents, no checksum and no length. What it does
//! have is a last line, comments that say what each object is, and rows that can be counted. A script that is cut off inside
//! rows runs without an error, so its end is looked for before anything is restored.

pub mod cluster;
mod heads;
mod lexer;
mod script;
/// A dump for tests.
#[cfg(test)]
pub mod testing {
    use super::{PlainDump, PlainReader};

    /// That of PostgreSQL 17.
    pub fn dump() -> PlainDump {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plain/pg17.sql");
        let mut reader = PlainReader::default();
        reader.push(&std::fs::read(path).unwrap()).unwrap();
        reader.finish().unwrap()
    }
}

#[cfg(test)]
mod tests;
mod ties;

use std::collections::{BTreeMap, BTreeSet};

use super::pg_custom::{
    Compression, Entry, FormatVersion, Header, Limits, QualifiedName, Section, Toc, too_large,
};
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human::one_line;
use lexer::Lexer;
use script::Script;

pub use script::{Cut, Start};

/// How it begins.
const HEAD: &[u8] = b"--\n-- PostgreSQL database dump\n";
/// Bytes of a name in a message.
const SHOWN: usize = 80;

/// A script of `pg_dump`, read to its end or as far as its first bytes go.
#[derive(Debug)]
pub struct PlainDump {
    /// What its comments say, as an archive has it. The database's name is empty unless the script creates the database.
    pub toc: Toc,
    /// Rows of each table that it copies.
    pub rows: BTreeMap<QualifiedName, u64>,
    /// Rows that come as statements, which are not told apart by table.
    pub inserts: u64,
    /// Where `psql` begins.
    pub start: Option<Start>,
    /// Lines of `\restrict` and `\unrestrict` in what `psql` is to read.
    pub cuts: Vec<Cut>,
    /// Tablespaces that it names.
    pub tablespaces: BTreeSet<String>,
    /// Whether it is restricted (`\restrict`, since August 2025).
    pub is_restricted: bool,
    /// Whether all of it was read.
    pub is_whole: bool,
    /// The line on which each entry begins.
    lines: Vec<u64>,
}

impl PlainDump {
    /// The entry that a line belongs to, counted from where `psql` begins.
    pub fn entry_at(&self, line: u64) -> Option<i32> {
        let line = line.saturating_add(self.start.map_or(0, |start| start.lines));
        // They are numbered from 1, in the order of the script.
        let begun = self.lines.partition_point(|begins| *begins <= line);
        i32::try_from(begun).ok().filter(|entry| *entry > 0)
    }
}

/// A script that is being read.
#[derive(Default)]
pub struct PlainReader {
    /// What came while it is not sure that it is one.
    head: Vec<u8>,
    is_one: bool,
    lexer: Lexer,
    script: Script,
    start: Option<Start>,
}

impl PlainReader {
    fn read(&mut self, mut bytes: &[u8]) {
        self.lexer.look_for_nul(bytes);
        while !bytes.is_empty() {
            self.script.line = self.lexer.line();
            let used = self.lexer.push(bytes, &mut self.script);
            if std::mem::take(&mut self.script.starts_here) {
                self.start =
                    Some(Start { bytes: self.lexer.position(), lines: self.lexer.line() - 1, length: None });
                self.lexer.restart();
            }
            self.lexer.plain_text_escapes = self.script.plain_text_escapes;
            self.script.cut(&self.lexer);
            bytes = &bytes[used..];
        }
    }

    fn into_dump(self, is_whole: bool) -> PlainDump {
        dump_of(self.script, self.start, self.lexer.position(), is_whole)
    }

    /// That the end is missing.
    fn incomplete(&self) -> Option<Failure> {
        let is_whole =
            self.script.is_complete && self.lexer.is_between_statements() && !self.script.is_restricted;
        (!is_whole).then(|| {
            let at = crate::model::human::count(self.lexer.position());
            let message = format!(
                "the dump does not end with the line that pg_dump writes last: it was cut off, after {at} bytes"
            );
            Failure::bad(codes::DUMP_INCOMPLETE, message).hint(
                "nothing of it was restored, since psql runs such a dump without an error; look at the exit status of \
                 pg_dump in the backup job (`set -o pipefail`)",
            )
        })
    }
}

impl PlainReader {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Why it is no dump, or none that may be restored, as soon as the bytes so far show it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_one {
            self.read(bytes);
        } else {
            let taken = bytes.len().min(HEAD.len());
            self.head.extend_from_slice(&bytes[..taken]);
            let length = self.head.len().min(HEAD.len());
            if self.head[..length] != HEAD[..length] {
                return Err(not_one());
            }
            if length == HEAD.len() {
                self.is_one = true;
                // The rest of the head came before this.
                let head = std::mem::take(&mut self.head);
                self.read(&head[..head.len() - taken]);
                self.read(bytes);
            }
        }
        refusal(&self.script, &self.lexer).map_or(Ok(()), Err)
    }

    /// Whether it is sure that it is a script of `pg_dump`.
    pub fn is_one(&self) -> bool {
        self.is_one
    }

    /// The dump, if there are no more bytes.
    ///
    /// # Errors
    /// Why it is no dump, or none that may be restored: because its end is missing, for one.
    pub fn finish(mut self) -> Result<PlainDump, Failure> {
        if !self.is_one {
            return Err(not_one());
        }
        let ends_in_command = self.lexer.is_in_command();
        self.lexer.end(&mut self.script);
        if std::mem::take(&mut self.script.cuts_here) {
            // A last line without its line feed.
            let (from, to) = (self.lexer.command_at(), self.lexer.position());
            self.script.cuts.push(Cut { from, to });
        }
        let refused = refusal(&self.script, &self.lexer);
        // A command without its line feed is the rest of one: of `\unrestrict`, as far as is known.
        let failure = match refused {
            Some(refused) if !ends_in_command => Some(refused),
            refused => self.incomplete().or(refused),
        };
        match failure {
            Some(failure) => Err(failure),
            None => Ok(self.into_dump(true)),
        }
    }

    /// What its beginning shows; none if that is too little.
    pub fn so_far(self) -> Option<PlainDump> {
        (self.is_one && !self.script.dump_version.is_empty()).then(|| self.into_dump(false))
    }
}

/// What a script holds.
fn dump_of(script: Script, start: Option<Start>, size_bytes: u64, is_whole: bool) -> PlainDump {
    let Script { mut entries, lines, .. } = script;
    let lossy = entries.iter().any(|entry| entry.tag.contains('\u{fffd}') || entry.defn.contains('\u{fffd}'));
    for entry in &mut entries {
        if let Some(name) = script::with_line_feeds(&entry.tag, &entry.defn) {
            entry.tag = name;
        }
    }
    ties::tie(&mut entries);
    let database = entries.iter().find(|entry| entry.desc == "DATABASE");
    let database = database.map(|entry| entry.tag.clone()).unwrap_or_default();
    if let Some(encoding) = script.encoding {
        entries.push(Entry {
            dump_id: i32::try_from(entries.len() + 1).unwrap_or(i32::MAX),
            tag: "ENCODING".to_owned(),
            desc: "ENCODING".to_owned(),
            section: Section::PreData,
            defn: format!("SET client_encoding = '{}';\n", encoding.replace('\'', "''")),
            ..Entry::default()
        });
    }
    let header = Header {
        // Any server reads it.
        format_version: FormatVersion::OLDEST,
        compression: Compression::None,
        created_at: None,
        database,
        server_version: script.server_version,
        dump_version: script.dump_version,
        entry_count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
    };
    PlainDump {
        toc: Toc { header, entries, size_bytes, lossy },
        rows: script.rows,
        inserts: script.inserts,
        start,
        cuts: script.cuts,
        tablespaces: script.tablespaces,
        is_restricted: script.restrict.is_some(),
        is_whole,
        lines,
    }
}

/// What is wrong with what was read so far.
fn refusal(script: &Script, lexer: &Lexer) -> Option<Failure> {
    if script.too_large {
        return Some(too_large(Limits::default().bytes));
    }
    if let Some(odd) = lexer.odd() {
        let message =
            format!("the dump may hide commands for psql: it has {odd}, which pg_dump does not write");
        return Some(
            Failure::bad(codes::DUMP_RUNS_COMMANDS, message)
                .hint("nothing of it was run; find out what changed the dump"),
        );
    }
    let shown = |all: &[String]| one_line(&all.join(", "), SHOWN);
    if !script.commands.is_empty() {
        let message = format!(
            "the dump has commands for psql that pg_dump does not write: {}",
            shown(&script.commands)
        );
        return Some(Failure::bad(codes::DUMP_RUNS_COMMANDS, message).hint(
            "nothing of it was run; such a command can start any program where the dump is restored: find out what \
             changed the dump",
        ));
    }
    if !script.connects.is_empty() {
        let message =
            format!("the dump is of one database, and connects to another: {}", shown(&script.connects));
        return Some(Failure::bad(codes::DUMP_SWITCHES_DATABASE, message).hint(
            "nothing of it was run; several dumps may have been put together: write each to an object of its own",
        ));
    }
    None
}

/// What is said of something else, where no other format says more.
pub(super) fn not_one() -> Failure {
    Failure::bad(codes::NOT_AN_ARCHIVE, "it is no dump of pg_dump")
        .hint("dumps must be made with pg_dump; docs/formats.md has the formats that are read")
}
