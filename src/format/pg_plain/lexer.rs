//! Reads a script as `psql` does: what is a statement, a string, a comment, a command of `psql`'s own, or a row.
//!
//! This follows `psqlscan.l` of PostgreSQL 18, its count of BEGIN and END in functions included, and `handleCopyIn` in
//! `copy.c`. Memory does not grow with the script: a name or a line of more bytes than are kept is cut.

mod quotes;
mod words;

use memchr::memchr;

/// Bytes of a comment or a command that are kept.
const LINE: usize = 4096;
/// Bytes of a word that are kept: longer than any keyword.
const WORD: usize = 64;

/// What a script is made of.
pub(super) trait Parts {
    /// Bytes of a statement, or white space before one.
    fn text(&mut self, bytes: &[u8]);
    /// The last byte of the text was the first of a comment.
    fn unsay(&mut self);
    /// A word of a statement, outside of quotes and parentheses.
    fn word(&mut self, word: &[u8]);
    /// A statement ends. Whether rows follow, from the next line on.
    fn end_statement(&mut self) -> bool;
    /// A comment that has its line for itself, between two statements.
    fn comment(&mut self, line: &[u8]);
    /// A command of `psql`'s own, to the end of its line; whether it has the line for itself, between two statements.
    fn command(&mut self, line: &[u8], alone: bool);
    /// A row has been read.
    fn row(&mut self);
    /// All rows have.
    fn end_rows(&mut self);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sql,
    Text {
        escapes: bool,
    },
    /// After a quote, which another one right behind it makes part of the text.
    Quote {
        escapes: bool,
    },
    Escaped,
    Name,
    /// After `$`, inside what may be the tag of a quote.
    Tag,
    Dollar {
        matched: usize,
    },
    LineComment {
        alone: bool,
    },
    BlockComment {
        depth: u32,
        last: u8,
    },
    Command {
        alone: bool,
    },
    Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Word,
    Number,
}

/// Where in a script its reader is.
pub(super) struct Lexer {
    state: State,
    /// The line, from 1.
    line: u64,
    /// Bytes read.
    position: u64,
    parentheses: u32,
    /// Blocks of `BEGIN … END` in a function's body.
    blocks: u32,
    /// The first letters of the first words of a statement, of those that say that it makes a function.
    beginning: [u8; 4],
    words: usize,
    within: Within,
    /// A word, the tag of a quote, a comment, or the beginning of a row.
    kept: Vec<u8>,
    /// The tag that ends a quote, with its dollars.
    tag: Vec<u8>,
    last: u8,
    in_statement: bool,
    /// The same, before the last byte.
    was_in_statement: bool,
    /// Only white space is before this on its line.
    blank_line: bool,
    was_blank_line: bool,
    rows_follow: bool,
    /// The last byte was a carriage return that only a line feed may follow.
    carriage_return: bool,
    /// The word before `&`, in which a quote may begin, was `U`.
    after_u: bool,
    /// Where the last command began.
    command_at: u64,
    /// What `pg_dump` does not write, and `psql` may read otherwise than this does.
    odd: Option<&'static str>,
    /// Whether a backslash means something in a plain text: if `standard_conforming_strings` is off.
    pub(super) plain_text_escapes: bool,
}

impl Default for Lexer {
    fn default() -> Self {
        Self {
            state: State::Sql,
            line: 1,
            position: 0,
            parentheses: 0,
            blocks: 0,
            beginning: [0; 4],
            words: 0,
            within: Within::Nothing,
            kept: Vec::new(),
            tag: Vec::new(),
            last: 0,
            in_statement: false,
            was_in_statement: false,
            blank_line: true,
            was_blank_line: true,
            rows_follow: false,
            carriage_return: false,
            after_u: false,
            command_at: 0,
            odd: None,
            plain_text_escapes: false,
        }
    }
}

fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_of_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit()
}

impl Lexer {
    /// The line that is being read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes that were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where the last command began.
    pub(super) fn command_at(&self) -> u64 {
        self.command_at
    }

    /// What it has that `psql` may read otherwise than this does.
    pub(super) fn odd(&self) -> Option<&'static str> {
        self.odd
    }

    /// `psql` begins to read here, and knows nothing of what was before.
    pub(super) fn restart(&mut self) {
        *self = Self { line: self.line, position: self.position, odd: self.odd, ..Self::default() };
    }

    /// Whether a script that ends here ends between two statements.
    pub(super) fn is_between_statements(&self) -> bool {
        !self.in_statement
            && matches!(self.state, State::Sql | State::LineComment { .. } | State::Command { .. })
    }

    /// Whether the last line is a command that goes on.
    pub(super) fn is_in_command(&self) -> bool {
        matches!(self.state, State::Command { .. })
    }

    /// Takes the next bytes, up to the end of the first line or of what a line may hold: whoever hears of a part can ask
    /// where it is. Returns how many those were.
    pub(super) fn push(&mut self, bytes: &[u8], parts: &mut impl Parts) -> usize {
        let Some(&byte) = bytes.first() else { return 0 };
        if std::mem::take(&mut self.carriage_return) && byte != b'\n' {
            self.find_odd("a carriage return within a line");
        }
        let (used, newline) = match self.state {
            State::Sql => self.sql(byte, parts),
            State::Text { escapes } => self.inside(bytes, escapes, b'\'', parts),
            State::Name => self.inside(bytes, false, b'"', parts),
            State::Quote { escapes } => self.after_quote(byte, escapes, parts),
            State::Escaped => {
                parts.text(&bytes[..1]);
                self.state = State::Text { escapes: true };
                (1, byte == b'\n')
            }
            State::Tag => self.in_tag(byte, parts),
            State::Dollar { matched } => self.in_dollars(bytes, matched, parts),
            State::LineComment { .. } | State::Command { .. } => self.up_to_line_end(bytes, parts),
            State::BlockComment { depth, last } => self.in_block_comment(byte, depth, last),
            State::Rows => self.in_rows(bytes, parts),
        };
        self.position += used as u64;
        if newline {
            self.line += 1;
        }
        used
    }

    /// Notes bytes that no text has. `psql` takes them for the end of a line.
    pub(super) fn look_for_nul(&mut self, bytes: &[u8]) {
        if memchr(0, bytes).is_some() {
            self.find_odd("a NUL byte");
        }
    }

    fn find_odd(&mut self, what: &'static str) {
        self.odd.get_or_insert(what);
    }

    /// The script ends: a last line without a line feed counts as one.
    pub(super) fn end(&mut self, parts: &mut impl Parts) {
        match self.state {
            State::LineComment { .. } | State::Command { .. } => self.end_line(parts),
            State::Rows if !self.kept.is_empty() => {
                let _ = self.end_row(parts);
            }
            _ => {}
        }
    }

    fn sql(&mut self, byte: u8, parts: &mut impl Parts) -> (usize, bool) {
        if self.goes_on_with_word(byte) {
            parts.text(&[byte]);
            self.last = byte;
            return (1, false);
        }
        let before_quote = match self.within {
            Within::Word => self.kept.to_ascii_lowercase(),
            Within::Number if byte == b'\'' => {
                self.find_odd("a quote right behind a number");
                Vec::new()
            }
            _ => Vec::new(),
        };
        let after_u = std::mem::replace(&mut self.after_u, byte == b'&' && before_quote == b"u");
        self.end_word(parts);
        let (before, blank_before) = (self.was_in_statement, self.was_blank_line);
        (self.was_in_statement, self.was_blank_line) = (self.in_statement, self.blank_line);
        let last = std::mem::replace(&mut self.last, byte);
        self.carriage_return = byte == b'\r';
        // `psql` reads rows from the next line on, whatever the rest of this one begins.
        let may_precede_rows = byte.is_ascii_whitespace() && last != b'-' || byte == b'-';
        if self.rows_follow && !may_precede_rows {
            self.find_odd("something behind a COPY on its line");
        }
        match (last, byte) {
            (b'-', b'-') => {
                parts.unsay();
                self.in_statement = before;
                self.last = 0;
                self.kept.clear();
                self.kept.extend_from_slice(b"--");
                self.state = State::LineComment { alone: !before && blank_before };
                return (1, false);
            }
            (b'/', b'*') => {
                parts.unsay();
                self.in_statement = before;
                self.last = 0;
                self.state = State::BlockComment { depth: 1, last: 0 };
                return (1, false);
            }
            (_, b'\\') => {
                self.kept.clear();
                self.kept.push(byte);
                self.last = 0;
                self.command_at = self.position;
                self.state = State::Command { alone: !self.in_statement && self.blank_line };
                return (1, false);
            }
            _ => {}
        }
        parts.text(&[byte]);
        if !byte.is_ascii_whitespace() {
            (self.in_statement, self.blank_line) = (true, false);
        }
        match byte {
            b'\'' => {
                let escapes = match &*before_quote {
                    b"e" => true,
                    b"b" | b"x" => false,
                    _ => self.plain_text_escapes && !after_u,
                };
                self.state = State::Text { escapes };
            }
            b'"' => self.state = State::Name,
            b'$' => {
                self.kept.clear();
                self.state = State::Tag;
            }
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b';' if self.parentheses == 0 && self.blocks == 0 => {
                self.rows_follow = parts.end_statement();
                self.in_statement = false;
                self.beginning = [0; 4];
                self.words = 0;
            }
            b'\n' => {
                self.blank_line = true;
                if std::mem::take(&mut self.rows_follow) {
                    self.kept.clear();
                    self.state = State::Rows;
                }
                return (1, true);
            }
            _ => {}
        }
        (1, false)
    }

    fn up_to_line_end(&mut self, bytes: &[u8], parts: &mut impl Parts) -> (usize, bool) {
        let end = memchr(b'\n', bytes);
        let line = &bytes[..end.unwrap_or(bytes.len())];
        self.keep(line, LINE);
        // `psql` ends a comment at a carriage return, and reads on behind it.
        self.carriage_return = end.is_none() && line.last() == Some(&b'\r');
        if memchr(b'\r', line.strip_suffix(b"\r").unwrap_or(line)).is_some() {
            self.find_odd("a carriage return within a line");
        }
        if matches!(self.state, State::Command { .. }) && self.kept.len() == LINE {
            self.find_odd("a command of an odd length");
        }
        let Some(end) = end else { return (bytes.len(), false) };
        self.end_line(parts);
        self.blank_line = true;
        if std::mem::take(&mut self.rows_follow) {
            self.state = State::Rows;
        }
        (end + 1, true)
    }

    fn end_line(&mut self, parts: &mut impl Parts) {
        let line = std::mem::take(&mut self.kept);
        match self.state {
            State::LineComment { alone: true } => parts.comment(line.strip_suffix(b"\r").unwrap_or(&line)),
            State::Command { alone } => parts.command(line.strip_suffix(b"\r").unwrap_or(&line), alone),
            _ => {}
        }
        self.state = State::Sql;
    }

    fn in_rows(&mut self, bytes: &[u8], parts: &mut impl Parts) -> (usize, bool) {
        let end = memchr(b'\n', bytes);
        let line = &bytes[..end.unwrap_or(bytes.len())];
        // One byte more than what ends the rows.
        self.keep(line, 4);
        let Some(end) = end else { return (bytes.len(), false) };
        if self.end_row(parts) {
            self.state = State::Sql;
            self.blank_line = true;
        }
        (end + 1, true)
    }

    /// Whether this line was the last.
    fn end_row(&mut self, parts: &mut impl Parts) -> bool {
        let is_last = matches!(&*self.kept, b"\\." | b"\\.\r");
        self.kept.clear();
        if is_last {
            parts.end_rows()
        } else {
            parts.row()
        }
        is_last
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
    }
}
