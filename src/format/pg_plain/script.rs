//! What a script of `pg_dump` holds, gathered as it is read: an entry for each comment that heads an object, and the rows of
//! each table.
//!
//! `pg_dump` writes into those comments what an archive has in its table of contents (`_printTocEntry` in
//! `pg_backup_archiver.c`), so both are read into the same type. Only comments between statements count: text inside a row,
//! a function or a string may look like one.

use std::collections::{BTreeMap, BTreeSet};

use super::heads::entry;
use super::lexer::{Lexer, Parts};
use crate::format::pg_custom::sql::{Token, Tokens};
use crate::format::pg_custom::{Entry, Limits, QualifiedName};

/// Bytes kept of one statement: a function of more is cut.
const STATEMENT: usize = 1 << 20;
/// Commands and databases that are kept for a message.
const SHOWN: usize = 5;

/// Where `psql` begins to read, if not at the first byte: behind the `\connect` of `pg_dump --create`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Bytes before it.
    pub bytes: u64,
    /// Lines before it.
    pub lines: u64,
    /// Bytes from there to its end; none if all that follows is of it.
    pub length: Option<u64>,
}

/// A line that `psql` is not given, without its line feed: one of `\restrict` or `\unrestrict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub from: u64,
    /// Where its line feed is.
    pub to: u64,
}

/// What was gathered so far.
#[derive(Debug, Default)]
pub(super) struct Script {
    limits: Limits,
    /// The line that is being read.
    pub(super) line: u64,
    pub(super) heads: u32,
    pub(super) is_cluster: bool,
    pub(super) server_version: String,
    pub(super) dump_version: String,
    pub(super) entries: Vec<Entry>,
    /// The line on which each entry begins.
    pub(super) lines: Vec<u64>,
    pub(super) rows: BTreeMap<QualifiedName, u64>,
    pub(super) inserts: u64,
    pub(super) tablespaces: BTreeSet<String>,
    pub(super) encoding: Option<String>,
    /// The last line of a whole dump has come, and nothing after it.
    pub(super) is_complete: bool,
    pub(super) restrict: Option<String>,
    pub(super) is_restricted: bool,
    /// The databases that it connects to, those of `--create` not among them.
    pub(super) connects: Vec<String>,
    /// Commands for `psql` that `pg_dump` does not write.
    pub(super) commands: Vec<String>,
    /// The start is behind the line that is being read.
    pub(super) starts_here: bool,
    /// More was said than is kept.
    pub(super) too_large: bool,
    /// The line is one of `\restrict` or `\unrestrict`.
    pub(super) cuts_here: bool,
    pub(super) cuts: Vec<Cut>,
    pub(super) plain_text_escapes: bool,
    kept: u64,
    statement: Vec<u8>,
    words: Vec<Vec<u8>>,
    reads_rows: bool,
    target: Option<QualifiedName>,
    rows_of_target: u64,
}

impl Script {
    /// One of several, of which so many bytes are kept already.
    pub(super) fn after(kept: u64) -> Self {
        Self { kept, ..Self::default() }
    }

    fn is_first_word(&self, word: &[u8]) -> bool {
        self.words.first().is_some_and(|first| first == word)
    }

    fn head_of_entry(&mut self, text: &str) {
        let Some(entry) = entry(text) else { return };
        self.is_complete = false;
        if self.entries.len() >= self.limits.entries as usize {
            self.too_large = true;
            return;
        }
        let dump_id = i32::try_from(self.entries.len() + 1).unwrap_or(i32::MAX);
        if !self.keep(text.len()) {
            return;
        }
        self.entries.push(Entry { dump_id, ..entry });
        self.lines.push(self.line);
    }

    /// Bytes that are kept.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    fn keep(&mut self, bytes: usize) -> bool {
        self.kept += bytes as u64;
        self.too_large |= self.kept > self.limits.bytes;
        !self.too_large
    }

    /// Notes that the line that was read is one to leave out.
    pub(super) fn cut(&mut self, lexer: &Lexer) {
        if std::mem::take(&mut self.cuts_here) {
            self.cuts.push(Cut { from: lexer.command_at(), to: lexer.position() - 1 });
        }
    }

    fn refuse(&mut self, command: &str) {
        if self.commands.len() < SHOWN {
            self.commands.push(command.to_owned());
        }
    }

    /// `psql` reads strings by this setting, so it must be plain what it is.
    fn changes_strings_oddly(statement: &str) -> bool {
        let lower = statement.to_ascii_lowercase();
        let is_as_written = matches!(
            statement,
            "SET standard_conforming_strings = on;" | "SET standard_conforming_strings = off;"
        );
        !is_as_written && lower.contains("standard_conforming_strings") || lower.starts_with("reset all")
    }

    fn setting(&mut self, statement: &str) {
        if Self::changes_strings_oddly(statement) {
            return self.refuse(statement);
        }
        let mut tokens = Tokens::new(statement);
        let (_, name, _, value) = (tokens.next(), tokens.next(), tokens.next(), tokens.next());
        let (Some(Token::Word(name)), Some(value)) = (name, value) else { return };
        let value = match value {
            Token::Word(value) | Token::Quoted(value) | Token::Literal(value) => value,
            Token::Symbol(_) => return,
        };
        match name.as_str() {
            "client_encoding" => drop(self.encoding.get_or_insert(value)),
            "standard_conforming_strings" => self.plain_text_escapes = value == "off",
            "default_tablespace" => self.tablespace(value),
            _ => {}
        }
    }

    fn tablespace(&mut self, name: String) {
        if !name.is_empty() && !self.tablespaces.contains(&name) && self.keep(name.len()) {
            self.tablespaces.insert(name);
        }
    }

    /// What makes the object belongs to its entry; who owns it is said in the entry itself.
    fn keep_definition(&mut self, statement: &str) {
        let Some(entry) = self.entries.last_mut() else { return };
        let says_owner =
            statement.starts_with("ALTER ") && statement.contains(" OWNER TO ") && !statement.contains('\n');
        // What `pg_dump` sets for itself, once more behind `\connect`.
        if says_owner || statement.starts_with("SELECT pg_catalog.set_config(") {
            return;
        }
        self.kept += statement.len() as u64;
        if self.kept > self.limits.bytes {
            self.too_large = true;
            return;
        }
        entry.defn.push_str(statement);
        entry.defn.push('\n');
    }

    fn copy(&mut self, statement: &str) {
        let mut tokens = Tokens::new(statement);
        tokens.next();
        let name = tokens.qualified_name();
        let name = name.map(|(schema, name)| QualifiedName { schema: schema.unwrap_or_default(), name });
        // The statement, and the name of the table in it.
        let is_kept = self.keep(2 * statement.len());
        if let (Some(entry), true) = (self.entries.last_mut(), name.is_some() && is_kept) {
            entry.copy_stmt = Some(statement.to_owned());
        }
        self.target = name.filter(|_| is_kept);
        self.rows_of_target = 0;
    }

    /// Whether `pg_dump --create` may connect to the database here: that is all that was made so far.
    fn is_before_connect(&self) -> bool {
        let of_database =
            |entry: &Entry| entry.desc.starts_with("DATABASE") || entry.tag.starts_with("DATABASE ");
        self.entries.iter().all(of_database) && !self.entries.is_empty()
    }

    fn may_be_its_own_database(&self, name: &str) -> bool {
        let is_named = |entry: &Entry| entry.desc == "DATABASE" && entry.tag == name;
        self.is_before_connect() && self.entries.iter().any(is_named)
    }

    fn connect(&mut self, arguments: &str) {
        let name = database_of_connect(arguments);
        if self.may_be_its_own_database(&name) {
            // A session of its own begins.
            self.starts_here = true;
            self.plain_text_escapes = false;
            self.cuts.clear();
        } else if self.connects.len() < SHOWN {
            self.connects.push(name);
        }
    }
}

impl Parts for Script {
    fn text(&mut self, bytes: &[u8]) {
        if self.statement.is_empty() && bytes[0].is_ascii_whitespace() && bytes.len() == 1 {
            return;
        }
        // Rows as statements are counted, and not kept.
        let room =
            if self.is_first_word(b"insert") { 0 } else { STATEMENT.saturating_sub(self.statement.len()) };
        self.statement.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn unsay(&mut self) {
        if self.statement.len() < STATEMENT {
            self.statement.pop();
        }
    }

    fn word(&mut self, word: &[u8]) {
        // The first, and the last two.
        if word == b"stdin"
            && self.is_first_word(b"copy")
            && self.words.last().is_some_and(|last| last == b"from")
        {
            self.reads_rows = true;
        }
        if self.words.len() == 2 {
            self.words.pop();
        }
        self.words.push(word.to_vec());
    }

    fn end_statement(&mut self) -> bool {
        self.is_complete = false;
        let bytes = std::mem::take(&mut self.statement);
        let statement = String::from_utf8_lossy(&bytes);
        let statement = statement.trim();
        let reads_rows = std::mem::take(&mut self.reads_rows);
        match self.words.first().map(Vec::as_slice) {
            Some(b"set" | b"reset") => self.setting(statement),
            Some(b"copy") if reads_rows => self.copy(statement),
            Some(b"insert") => self.inserts += 1,
            _ => self.keep_definition(statement),
        }
        self.words.clear();
        reads_rows
    }

    fn comment(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some(text) = line.strip_prefix("-- ") else { return };
        match text {
            "PostgreSQL database dump" => {
                self.heads += 1;
                self.is_complete = false;
            }
            "PostgreSQL database cluster dump" => self.is_cluster = true,
            "PostgreSQL database dump complete" => self.is_complete = true,
            _ => match text.split_once(" version ") {
                Some(("Dumped from database", version)) => self.server_version = version.to_owned(),
                Some(("Dumped by pg_dump", version)) => self.dump_version = version.to_owned(),
                _ => self.head_of_entry(text),
            },
        }
    }

    fn command(&mut self, line: &[u8], alone: bool) {
        let line = String::from_utf8_lossy(line);
        let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let arguments = arguments.trim();
        match name {
            _ if !alone => self.refuse(&line),
            "\\unrestrict" if self.is_restricted && self.restrict.as_deref() == Some(arguments) => {
                self.is_restricted = false;
                self.cuts_here = true;
                return;
            }
            // Once, and once more behind `\connect`.
            "\\restrict" if !self.is_restricted && self.cuts.is_empty() && is_token(arguments) => {
                self.restrict = Some(arguments.to_owned());
                self.is_restricted = true;
                self.cuts_here = true;
            }
            // `pg_dump --create` of a database with an odd name.
            "\\encoding" if self.is_before_connect() && is_token(&arguments.replace('_', "")) => {}
            "\\connect" | "\\c" => self.connect(arguments),
            _ => self.refuse(&line),
        }
        self.is_complete = false;
    }

    fn row(&mut self) {
        self.rows_of_target += 1;
    }

    fn end_rows(&mut self) {
        if let Some(table) = self.target.take() {
            *self.rows.entry(table).or_default() += self.rows_of_target;
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The name in `\connect name`, `\connect "name"` and `\connect -reuse-previous=on "dbname='name'"`.
pub(super) fn database_of_connect(arguments: &str) -> String {
    let arguments = arguments.strip_prefix("-reuse-previous=on ").unwrap_or(arguments).trim();
    let unquoted = match arguments.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => arguments.to_owned(),
    };
    match unquoted.strip_prefix("dbname='").and_then(|rest| rest.strip_suffix('\'')) {
        Some(inside) => inside.replace("\\'", "'").replace("\\\\", "\\"),
        None => unquoted,
    }
}

/// The name as it is, of one in whose comment line feeds are spaces (`sanitize_line`): as the definition has it.
pub(super) fn with_line_feeds(tag: &str, defn: &str) -> Option<String> {
    if !tag.contains(' ') || !defn.contains('\n') {
        return None;
    }
    let defn = defn.replace("\"\"", "\"");
    if defn.contains(tag) {
        return None;
    }
    let flat: String = defn.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    let at = flat.find(tag)?;
    // Each character takes as many bytes in one as in the other.
    defn.get(at..at + tag.len()).map(str::to_owned)
}
