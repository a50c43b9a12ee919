//! Words of a statement, and its count of BEGIN and END.

use super::{Lexer, Parts, WORD, Within, begins_word, is_of_word};

impl Lexer {
    /// Whether this byte belongs to a word or a number that has begun, or begins one.
    pub(super) fn goes_on_with_word(&mut self, byte: u8) -> bool {
        match self.within {
            Within::Nothing if begins_word(byte) => {
                self.within = Within::Word;
                self.kept.clear();
            }
            Within::Nothing if byte.is_ascii_digit() => self.within = Within::Number,
            Within::Word if is_of_word(byte) || byte == b'$' => {}
            Within::Number if is_of_word(byte) => {}
            _ => return false,
        }
        if self.rows_follow {
            self.find_odd("something behind a COPY on its line");
        }
        self.after_u = false;
        if self.within == Within::Word && self.kept.len() < WORD {
            self.kept.push(byte);
        }
        (self.was_in_statement, self.was_blank_line) = (self.in_statement, self.blank_line);
        (self.in_statement, self.blank_line) = (true, false);
        true
    }

    pub(super) fn end_word(&mut self, parts: &mut impl Parts) {
        if self.within == Within::Word {
            let word = self.kept.to_ascii_lowercase();
            if self.words < self.beginning.len()
                && [b"create".as_slice(), b"function", b"procedure", b"or", b"replace"].contains(&&*word)
            {
                self.beginning[self.words] = word[0];
            }
            self.words += 1;
            let makes_function =
                matches!(self.beginning, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
            if makes_function && self.parentheses == 0 {
                match &*word {
                    b"begin" => self.blocks += 1,
                    b"case" if self.blocks > 0 => self.blocks += 1,
                    b"end" => self.blocks = self.blocks.saturating_sub(1),
                    _ => {}
                }
            }
            if self.parentheses == 0 {
                parts.word(&word);
            }
            self.kept.clear();
        }
        self.within = Within::Nothing;
    }
}
