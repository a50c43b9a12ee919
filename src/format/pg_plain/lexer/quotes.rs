//! What stands in quotes, in dollars and between comment marks.

use memchr::{memchr2, memchr3};

use super::{LINE, Lexer, Parts, State, Within, begins_word, is_of_word};

impl Lexer {
    /// Inside a text or a name, up to its quote.
    pub(super) fn inside(
        &mut self,
        bytes: &[u8],
        escapes: bool,
        quote: u8,
        parts: &mut impl Parts,
    ) -> (usize, bool) {
        let end = if escapes { memchr3(quote, b'\n', b'\\', bytes) } else { memchr2(quote, b'\n', bytes) };
        let Some(end) = end else {
            parts.text(bytes);
            return (bytes.len(), false);
        };
        parts.text(&bytes[..=end]);
        match bytes[end] {
            b'\n' => {
                self.blank_line = true;
                return (end + 1, true);
            }
            b'\\' => self.state = State::Escaped,
            _ if quote == b'"' => self.state = State::Sql,
            _ => self.state = State::Quote { escapes },
        }
        (end + 1, false)
    }

    pub(super) fn after_quote(&mut self, byte: u8, escapes: bool, parts: &mut impl Parts) -> (usize, bool) {
        if byte == b'\'' {
            parts.text(&[byte]);
            self.state = State::Text { escapes };
            return (1, false);
        }
        self.state = State::Sql;
        self.last = b'\'';
        self.blank_line = false;
        (0, false)
    }

    pub(super) fn in_tag(&mut self, byte: u8, parts: &mut impl Parts) -> (usize, bool) {
        if byte == b'$' {
            parts.text(&[byte]);
            self.tag = [b"$", &*self.kept, b"$"].concat();
            self.kept.clear();
            self.state = State::Dollar { matched: 0 };
            return (1, false);
        }
        let belongs = if self.kept.is_empty() { begins_word(byte) } else { is_of_word(byte) };
        if belongs && self.kept.len() < LINE {
            parts.text(&[byte]);
            self.kept.push(byte);
            return (1, false);
        }
        // It was no quote, and what followed the dollar is a word.
        self.state = State::Sql;
        self.within = if self.kept.is_empty() { Within::Nothing } else { Within::Word };
        self.last = self.kept.last().copied().unwrap_or(b'$');
        (0, false)
    }

    pub(super) fn in_dollars(
        &mut self,
        bytes: &[u8],
        mut matched: usize,
        parts: &mut impl Parts,
    ) -> (usize, bool) {
        if matched == 0 {
            // Nothing of the tag yet: on to the next dollar or line.
            let end = memchr2(b'$', b'\n', bytes);
            let Some(end) = end else {
                parts.text(bytes);
                return (bytes.len(), false);
            };
            parts.text(&bytes[..=end]);
            if bytes[end] == b'\n' {
                return (end + 1, true);
            }
            self.state = State::Dollar { matched: 1 };
            return (end + 1, false);
        }
        let byte = bytes[0];
        parts.text(&bytes[..1]);
        matched = match byte {
            _ if byte == self.tag[matched] => matched + 1,
            b'$' => 1,
            _ => 0,
        };
        self.state = State::Dollar { matched };
        if matched == self.tag.len() {
            self.state = State::Sql;
            self.last = b'$';
            self.blank_line = false;
        }
        (1, byte == b'\n')
    }

    pub(super) fn in_block_comment(&mut self, byte: u8, depth: u32, last: u8) -> (usize, bool) {
        self.state = match (last, byte) {
            (b'/', b'*') => State::BlockComment { depth: depth + 1, last: 0 },
            (b'*', b'/') if depth == 1 => State::Sql,
            (b'*', b'/') => State::BlockComment { depth: depth - 1, last: 0 },
            _ => State::BlockComment { depth, last: byte },
        };
        (1, byte == b'\n')
    }
}
