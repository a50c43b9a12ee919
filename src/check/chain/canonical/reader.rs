//! Reading JSON tokens and writing their canonical form.

use super::JsonError;
use crate::check::chain::python;

/// A cursor over JSON text (RFC 8259).
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    /// The next byte that is not white space, which is skipped.
    pub(super) fn peek_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
        self.peek()
    }

    /// Goes past the byte that was peeked.
    pub(super) fn take(&mut self) {
        self.at += 1;
    }

    pub(super) fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Malformed { expected, offset: self.at }
    }

    pub(super) fn expect_end(&mut self) -> Result<(), JsonError> {
        match self.peek_token() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end")),
        }
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let rest = &self.bytes()[self.at..];
        for word in ["true", "false", "null"] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                out.extend_from_slice(word.as_bytes());
                return Ok(());
            }
        }
        Err(self.expected("a value"))
    }

    /// A number: without point and exponent an integer of any length, copied; otherwise a double.
    pub(super) fn number(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let start = self.at;
        let mut is_integer = true;
        if self.peek() == Some(b'-') {
            self.take();
        }
        match self.peek() {
            Some(b'0') => self.take(),
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.take();
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_integer = false;
            self.take();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.take();
            }
            self.digits()?;
        }
        let literal = &self.text[start..self.at];
        if is_integer {
            out.extend_from_slice(literal.as_bytes());
        } else if let Some(shortest) = short_decimal(literal) {
            out.extend_from_slice(shortest.as_bytes());
        } else {
            let value = literal.parse().map_err(|_| self.expected("a number"))?;
            python::push_float(out, value);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self.bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// A string, with its quotes. True when what was written has escapes.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<bool, JsonError> {
        let mut has_escapes = false;
        self.take();
        out.push(b'"');
        loop {
            let rest = &self.bytes()[self.at..];
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            out.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.take();
                    out.push(b'"');
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    has_escapes |= python::push_raw_char(out, character);
                }
                _ => return Err(self.expected("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.take();
        let character = match self.peek() {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte as char,
            Some(b'u') => {
                self.take();
                return self.code_point();
            }
            _ => return Err(self.expected("an escape")),
        };
        self.take();
        Ok(character)
    }

    /// What follows `\u`: four hexadecimal digits, and for a high surrogate the escape of its other half.
    fn code_point(&mut self) -> Result<char, JsonError> {
        let mut units = [self.code_unit()?, 0];
        let mut count = 1;
        if matches!(units[0], 0xd800..=0xdbff) && self.bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            units[1] = self.code_unit()?;
            count = 2;
        }
        match char::decode_utf16(units[..count].iter().copied()).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(self.expected("both halves of a surrogate pair")),
        }
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| (byte as char).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.expected("a hexadecimal digit"))? as u16;
            self.take();
        }
        Ok(unit)
    }
}

/// What a decimal such as `0.250` prints as without a detour through a double, when that is certain.
///
/// No two decimals of up to 15 digits are the same double, so such a one is already the shortest form of its double
/// but for zeros at its end. Below 1e-4 Python prints an exponent; that is left to the detour, as are exponents.
fn short_decimal(literal: &str) -> Option<&str> {
    let (whole, fraction) = literal.split_once('.')?;
    let is_small = matches!(whole, "0" | "-0") && fraction.starts_with("000");
    if is_small || literal.len() > 16 || fraction.contains(['e', 'E']) {
        return None;
    }
    let kept = fraction.trim_end_matches('0').len().max(1);
    Some(&literal[..whole.len() + 1 + kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn short_decimals_print_as_their_doubles(literal in "-?(0|[1-9][0-9]{0,14})\\.[0-9]{0,5}0{0,3}[0-9]{1,7}") {
            if let Some(shortest) = short_decimal(&literal) {
                let mut out = Vec::new();
                python::push_float(&mut out, literal.parse().unwrap());
                proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), shortest);
            }
        }
    }

    #[test]
    fn only_decimals_whose_form_is_certain_are_short() {
        assert_eq!(short_decimal("0.250"), Some("0.25"));
        assert_eq!(short_decimal("-10.000"), Some("-10.0"));
        assert_eq!(short_decimal("0.0012"), Some("0.0012"));
        for other in ["0.0001", "0.00001", "1.5e-07", "1.234567890123456", "12"] {
            assert_eq!(short_decimal(other), None);
        }
    }
}
