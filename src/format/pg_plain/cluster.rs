//! What `pg_dumpall` writes: the roles of a server, and then a script of `pg_dump` for each of its databases.
//!
//! The roles are never run as they stand: they are taken apart as globals are, so that no password of production reaches a
//! server of a drill. Each database is a part of the file that `psql` can be given by itself.

use super::lexer::{Lexer, Parts};
use super::script::{Script, Start, database_of_connect};
use super::{PlainDump, dump_of, refusal};
use crate::format::pg_custom::{Limits, too_large};
use crate::format::pg_globals::{Globals, GlobalsError};
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human::{count, one_line};

/// How it begins.
const HEAD: &[u8] = b"--\n-- PostgreSQL database cluster dump\n";
/// The first and the last line of globals.
const TITLE: &str = "-- PostgreSQL database cluster dump\n";
const LAST: &str = "-- PostgreSQL database cluster dump complete\n";

/// The databases of a server, and its roles.
#[derive(Debug)]
pub struct ClusterDump {
    /// Its roles. What else the file says of the server is in `left_out`.
    pub globals: Globals,
    /// Its databases, in the order of the file: `template1` and `postgres` among them.
    pub databases: Vec<ClusterDatabase>,
    /// What is known of a database that is not among them, if not all was read: the versions of server and `pg_dump`.
    pub first: PlainDump,
    /// Whether all of it was read.
    pub is_whole: bool,
}

/// A database of a cluster.
#[derive(Debug)]
pub struct ClusterDatabase {
    /// Its name.
    pub name: String,
    /// Its script: where in the file that is, and what it holds.
    pub dump: PlainDump,
}

/// A file that is being read.
#[derive(Default)]
pub struct ClusterReader {
    head: Vec<u8>,
    is_one: bool,
    lexer: Lexer,
    gathered: Gathered,
    /// Of the database that is being read.
    start: Option<Start>,
    databases: Vec<ClusterDatabase>,
    /// Bytes that are kept of those.
    kept: u64,
    /// What is wrong with one of them.
    refused: Option<Failure>,
}

#[derive(Default)]
struct Gathered {
    globals: Vec<u8>,
    statement: Vec<u8>,
    first_word: Option<Vec<u8>>,
    line: u64,
    /// The database that is being read.
    script: Option<Script>,
    /// A new one begins behind this line.
    begins: bool,
    /// The database that `psql` is connected to, by the last command outside of one.
    connected: Option<String>,
    has_databases: bool,
    is_complete: bool,
    /// What stands between two databases, and does not belong there.
    stray: Option<String>,
    is_too_large: bool,
    restrict: Option<String>,
}

impl Gathered {
    /// The script that this belongs to, unless it has ended.
    fn open(&mut self) -> Option<&mut Script> {
        self.script.as_mut().filter(|script| !script.is_complete)
    }
}

impl Parts for Gathered {
    fn text(&mut self, bytes: &[u8]) {
        if let Some(script) = self.open() {
            return script.text(bytes);
        }
        if self.globals.len() + self.statement.len() + bytes.len()
            > crate::format::pg_globals::SIZE_LIMIT as usize
        {
            self.is_too_large = true;
        } else {
            self.statement.extend_from_slice(bytes);
        }
    }

    fn unsay(&mut self) {
        match self.open() {
            Some(script) => script.unsay(),
            None => drop(self.statement.pop()),
        }
    }

    fn word(&mut self, word: &[u8]) {
        match self.open() {
            Some(script) => script.word(word),
            None => drop(self.first_word.get_or_insert_with(|| word.to_vec())),
        }
    }

    fn end_statement(&mut self) -> bool {
        self.is_complete = false;
        if let Some(script) = self.open() {
            return script.end_statement();
        }
        let statement = std::mem::take(&mut self.statement);
        let first = self.first_word.take();
        if self.has_databases {
            let shown = String::from_utf8_lossy(&statement);
            self.stray.get_or_insert_with(|| one_line(shown.trim(), 60));
        } else if first.as_deref() != Some(b"drop") {
            // What `--clean` removes first is not there.
            self.globals.extend_from_slice(&statement);
        }
        false
    }

    fn comment(&mut self, line: &[u8]) {
        match line {
            b"-- PostgreSQL database dump" if self.open().is_none() => {
                self.begins = true;
                self.has_databases = true;
                self.is_complete = false;
            }
            b"-- PostgreSQL database cluster dump complete" if self.open().is_none() => {
                self.is_complete = true
            }
            line => {
                let current = self.line;
                if let Some(script) = self.open() {
                    script.line = current;
                    script.comment(line);
                }
            }
        }
    }

    fn command(&mut self, line: &[u8], alone: bool) {
        // The end of a script is its last line, and then this.
        if let Some(script) =
            self.script.as_mut().filter(|script| !script.is_complete || script.is_restricted)
        {
            return script.command(line, alone);
        }
        self.is_complete = false;
        let text = String::from_utf8_lossy(line);
        let (name, arguments) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        match name {
            _ if !alone => drop(self.stray.get_or_insert_with(|| one_line(&text, 60))),
            "\\connect" => self.connected = Some(database_of_connect(arguments.trim())),
            "\\restrict" if !self.has_databases => self.restrict = Some(arguments.trim().to_owned()),
            "\\unrestrict" if self.restrict.as_deref() == Some(arguments.trim()) => self.restrict = None,
            "\\encoding" if arguments.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {}
            _ => drop(self.stray.get_or_insert_with(|| one_line(&text, 60))),
        }
    }

    fn row(&mut self) {
        if let Some(script) = self.open() {
            script.row();
        }
    }

    fn end_rows(&mut self) {
        if let Some(script) = self.open() {
            script.end_rows();
        }
    }
}

impl ClusterReader {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Why it is no such file, or none that may be restored, as soon as the bytes so far show it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_one {
            self.read(bytes);
        } else {
            let taken = bytes.len().min(HEAD.len());
            self.head.extend_from_slice(&bytes[..taken]);
            let length = self.head.len().min(HEAD.len());
            if self.head[..length] != HEAD[..length] {
                return Err(super::not_one());
            }
            if length == HEAD.len() {
                self.is_one = true;
                let head = std::mem::take(&mut self.head);
                self.read(&head[..head.len() - taken]);
                self.read(bytes);
            }
        }
        self.refusal().map_or(Ok(()), Err)
    }

    /// Whether it is sure that it is a file of `pg_dumpall`.
    pub fn is_one(&self) -> bool {
        self.is_one
    }

    fn read(&mut self, mut bytes: &[u8]) {
        self.lexer.look_for_nul(bytes);
        while !bytes.is_empty() {
            self.gathered.line = self.lexer.line();
            let used = self.lexer.push(bytes, &mut self.gathered);
            bytes = &bytes[used..];
            if std::mem::take(&mut self.gathered.begins) {
                self.end_database();
                self.start = Some(self.here());
                self.gathered.script = Some(Script::after(self.kept));
                self.lexer.restart();
            }
            let here = self.here();
            let Some(script) = &mut self.gathered.script else { continue };
            if std::mem::take(&mut script.starts_here) {
                self.start = Some(here);
                self.lexer.restart();
            }
            self.lexer.plain_text_escapes = script.plain_text_escapes;
            script.cut(&self.lexer);
            if let (true, Some(start)) = (script.is_complete && !script.is_restricted, &mut self.start) {
                start.length.get_or_insert(here.bytes - start.bytes);
            }
        }
    }

    fn here(&self) -> Start {
        Start { bytes: self.lexer.position(), lines: self.lexer.line() - 1, length: None }
    }

    fn end_database(&mut self) {
        if let Some(script) = self.gathered.script.take() {
            self.push_database(script, true);
        }
    }

    fn push_database(&mut self, script: Script, is_whole: bool) {
        self.refused = self.refused.take().or_else(|| refusal(&script, &self.lexer));
        self.kept = script.kept();
        let start = self.start.take();
        let dump = dump_of(script, start, start.and_then(|start| start.length).unwrap_or_default(), is_whole);
        let own = Some(dump.toc.header.database.clone()).filter(|name| !name.is_empty());
        let name = own.or_else(|| self.gathered.connected.clone()).unwrap_or_default();
        self.databases.push(ClusterDatabase { name, dump });
    }

    /// What is wrong with what was read so far.
    fn refusal(&self) -> Option<Failure> {
        if self.gathered.is_too_large {
            return Some(too_large(Limits::default().bytes));
        }
        if let Some(stray) = &self.gathered.stray {
            let message = format!(
                "the dump of the cluster has between its databases what pg_dumpall does not write: {stray}"
            );
            return Some(
                Failure::bad(codes::DUMP_RUNS_COMMANDS, message)
                    .hint("nothing of it was run; find out what changed the dump"),
            );
        }
        self.refused
            .clone()
            .or_else(|| self.gathered.script.as_ref().and_then(|script| refusal(script, &self.lexer)))
    }

    /// The databases and roles, if there are no more bytes.
    ///
    /// # Errors
    /// Why it is no such file, or none that may be restored: because its end is missing, for one.
    pub fn finish(mut self) -> Result<ClusterDump, Failure> {
        if !self.is_one {
            return Err(super::not_one());
        }
        let ends_in_command = self.lexer.is_in_command();
        self.lexer.end(&mut self.gathered);
        if let Some(failure) = self.refusal().filter(|_| !ends_in_command) {
            return Err(failure);
        }
        if !(self.gathered.is_complete && self.lexer.is_between_statements()) {
            let message = format!(
                "the dump of the cluster does not end with the line that pg_dumpall writes last: it was cut off, after {} bytes",
                count(self.lexer.position())
            );
            return Err(Failure::bad(codes::DUMP_INCOMPLETE, message).hint(
                "nothing of it was restored; look at the exit status of pg_dumpall in the backup job (`set -o pipefail`)",
            ));
        }
        self.end_database();
        let globals = self.globals().map_err(|error| {
            Failure::bad(codes::NOT_AN_ARCHIVE, format!("the roles of the cluster cannot be read: {error}"))
                .hint("make the dump with pg_dumpall, which writes the roles before the databases")
        })?;
        let first = nothing_of(self.databases.first());
        Ok(ClusterDump { globals, databases: self.databases, first, is_whole: true })
    }

    /// What its beginning shows; none if that is too little.
    pub fn so_far(mut self) -> Option<ClusterDump> {
        let script = self.gathered.script.take();
        if let Some(script) = script.filter(|script| !script.dump_version.is_empty()) {
            let is_whole = script.is_complete;
            self.push_database(script, is_whole);
        }
        let first = nothing_of(self.databases.first());
        let globals = self.globals().unwrap_or_default();
        (!self.databases.is_empty()).then_some(ClusterDump {
            globals,
            databases: self.databases,
            first,
            is_whole: false,
        })
    }

    fn globals(&self) -> Result<Globals, GlobalsError> {
        let text = [TITLE.as_bytes(), &self.gathered.globals, b"\n", LAST.as_bytes()].concat();
        Globals::read(&text)
    }
}

/// A database of which nothing is known but who dumped it.
fn nothing_of(database: Option<&ClusterDatabase>) -> PlainDump {
    let mut nothing = dump_of(Script::default(), None, 0, false);
    if let Some(database) = database {
        nothing.toc.header.server_version.clone_from(&database.dump.toc.header.server_version);
        nothing.toc.header.dump_version.clone_from(&database.dump.toc.header.dump_version);
    }
    nothing
}

#[cfg(test)]
mod tests;
