//! What `pg_restore` says, read without believing it.
//!
//! An error of the server is printed as it comes: its first line, then details, contexts and the statement, which quote
//! rows, over as many lines as those have. A dump chooses much of that text, and can write lines that look like
//! `pg_restore`'s own. What it cannot do is make `pg_restore` miscount: its last line says how many errors there were, and
//! where other lines that look like errors were counted too, no line is believed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::sandbox::scratch::NO_SPACE;

/// Errors that are kept; the others are counted.
const KEPT: usize = 1000;
/// Bytes kept of an error's first line.
const LINE_BYTES: usize = 2000;

const OWN: &str = "pg_restore: ";
const ERROR: &str = "pg_restore: error: ";
const ENTRY: &str = "pg_restore: from TOC entry ";
const TAIL: &str = "pg_restore: warning: errors ignored on restore: ";

/// What `pg_restore` and libpq of PostgreSQL 15 and 17 say, in English. Whatever an error says, a dump may have said it.
const FOREIGN_KEY: &str = "violates foreign key constraint";
const CUT_OFF: [&str; 2] = ["unexpected end of file", "could not read from input file"];
const NEWER: &str = "unsupported version";
/// What `psql` says of a command behind `\restrict`.
const RESTRICTED: [&str; 2] = ["error: backslash commands are restricted", "error: \\unrestrict: wrong key"];
const NO_CONNECTION: &str = "connection to server";
const NO_ROLE: &str = r#"ERROR:  role "([^"]{1,63})" does not exist$"#;

/// What extensions say that work only if their library was loaded when the server started: pg_cron, Citus, pgaudit and
/// pg_stat_statements (`… can only be loaded via shared_preload_libraries`, `must be loaded via …`), TimescaleDB (`must be
/// preloaded`).
const TO_BE_PRELOADED: [&str; 2] = ["shared_preload_libraries", "must be preloaded"];
/// What pg_cron says in any database but the one that `cron.database_name` names.
const OTHER_CRON_DATABASE: &str = "can only create extension in database ";

/// Whether an extension says that its library must be loaded when the server starts.
pub fn ask_to_be_preloaded(words: &str) -> bool {
    TO_BE_PRELOADED.iter().any(|said| words.contains(said))
}

/// Whether pg_cron says that it works in another database.
pub fn want_another_database(words: &str) -> bool {
    words.contains(OTHER_CRON_DATABASE)
}

/// Roles that are looked up at once.
const ROLES: usize = 50;

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The entry of the table of contents that it is about.
    pub entry: Option<i32>,
    /// Its first line. May quote rows.
    pub words: String,
    /// A function raised it: the words are the dump's own.
    pub raised: bool,
}

/// All that `pg_restore` said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// Its errors, the first ones.
    pub complaints: Vec<Complaint>,
    /// How many errors there seem to be.
    pub seen: u64,
    /// How many there were, by its last line; none if it gave up.
    pub ignored: Option<u64>,
    /// Whether it said anything of its own. It does, before it reads a word of the dump.
    pub spoke: bool,
    /// What was said before.
    pub before: Option<String>,
}

impl Words {
    /// Whether lines that look like errors were written by the dump.
    pub fn are_forged(&self) -> bool {
        // One that gives up counts none. Of several workers that speak at once some lines are lost, and none is added.
        self.ignored.is_some_and(|ignored| ignored < self.seen)
    }

    /// The error with which it gave up.
    pub fn last_error_if_it_gave_up(&self) -> Option<&str> {
        match self.ignored {
            None if self.seen <= KEPT as u64 => self.complaints.last().map(|complaint| &*complaint.words),
            _ => None,
        }
    }

    /// The entries that could not be restored, each once; none if not all are known.
    pub fn entries(&self) -> Option<Vec<i32>> {
        if self.seen > KEPT as u64 || self.ignored != Some(self.seen) {
            return None;
        }
        let mut entries =
            self.complaints.iter().map(|complaint| complaint.entry).collect::<Option<Vec<_>>>()?;
        entries.sort_unstable();
        entries.dedup();
        Some(entries)
    }
}

impl Words {
    /// The same without the errors about these entries.
    pub fn without(&self, entries: &BTreeSet<i32>) -> Self {
        let is_kept = |complaint: &Complaint| complaint.entry.is_none_or(|entry| !entries.contains(&entry));
        let mut others = self.clone();
        others.complaints.retain(is_kept);
        let gone = (self.complaints.len() - others.complaints.len()) as u64;
        others.seen -= gone;
        others.ignored = self.ignored.map(|ignored| ignored.saturating_sub(gone));
        others
    }

    fn says(&self, words: &str) -> bool {
        self.complaints.iter().any(|complaint| complaint.words.contains(words))
    }

    /// Whether an error says that a disk is full.
    pub fn tell_of_a_full_disk(&self) -> bool {
        self.says(NO_SPACE)
    }

    /// Whether an error says that rows refer to rows that are not there.
    pub fn tell_of_a_foreign_key(&self) -> bool {
        !self.are_forged() && self.says(FOREIGN_KEY)
    }

    /// Whether it gave up because the dump ends early.
    pub fn tell_of_a_cut_dump(&self) -> bool {
        self.last_error_if_it_gave_up().is_some()
            && !self.are_forged()
            && CUT_OFF.iter().any(|words| self.says(words))
    }

    /// Whether `psql` refused a command of its own that the dump has.
    pub fn tell_of_a_command(&self) -> bool {
        let is_refused =
            |complaint: &Complaint| RESTRICTED.iter().any(|said| complaint.words.starts_with(said));
        self.complaints.iter().any(is_refused)
    }

    /// Its error, if it gave up because of the dump's version, before it read a word of the dump.
    pub fn too_new(&self) -> Option<&str> {
        self.only_error().filter(|error| error.starts_with(NEWER))
    }

    /// Its error, if it gave up because it could not connect, before it read a word of the dump.
    pub fn not_connected(&self) -> Option<&str> {
        self.only_error().filter(|error| error.starts_with(NO_CONNECTION))
    }

    fn only_error(&self) -> Option<&str> {
        self.last_error_if_it_gave_up().filter(|_| self.seen == 1)
    }

    /// Roles that errors say are not there.
    pub fn absent_roles(&self) -> Vec<String> {
        static ROLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(NO_ROLE).expect("a constant"));
        let mut named: Vec<String> = self
            .complaints
            .iter()
            .filter(|complaint| !complaint.raised)
            .filter_map(|complaint| Some(ROLE.captures(&complaint.words)?[1].to_owned()))
            .collect();
        named.sort();
        named.dedup();
        named.truncate(ROLES);
        named
    }
}

/// Reads the words as they come.
#[derive(Default)]
pub struct Listener {
    words: Words,
    partial: Vec<u8>,
    entry: Option<i32>,
}

impl Listener {
    /// Takes in more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let Some(first) = pieces.next() else { return };
        self.extend_partial(first);
        for piece in pieces {
            self.end_line();
            self.extend_partial(piece);
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let mut line = line.as_ref();
        // Workers write their name and their words one after the other, and so one's name before another's.
        while let Some(rest) = line.strip_prefix(OWN).filter(|rest| rest.starts_with(OWN)) {
            line = rest;
        }
        // Only the very last line counts.
        self.words.ignored = line.strip_prefix(TAIL).and_then(|count| count.trim().parse().ok());
        if let Some(words) = line.strip_prefix(ERROR) {
            self.words.seen += 1;
            if self.words.complaints.len() < KEPT {
                let words = words.to_owned();
                self.words.complaints.push(Complaint { entry: self.entry, words, raised: false });
            }
        } else if let Some(rest) = line.strip_prefix(ENTRY) {
            self.entry = rest.split(';').next().and_then(|id| id.parse().ok());
        } else if let (Some(context), Some(last)) =
            (line.strip_prefix("CONTEXT:  "), self.words.complaints.last_mut())
        {
            // `COPY …` stands in every error of a row; all else is a function's stack.
            last.raised |= !context.starts_with("COPY ");
        }
        let own = line.starts_with(OWN);
        if !own && !self.words.spoke {
            self.words.before.get_or_insert_with(|| line.to_owned());
        }
        self.words.spoke |= own;
    }

    /// The words, once the stream has ended.
    pub fn finish(mut self) -> Words {
        self.end_line();
        self.words
    }
}

#[cfg(test)]
mod tests;
