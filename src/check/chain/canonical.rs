//! JSON in the one form that is hashed and signed: compact, keys sorted by code point, raw UTF-8.
//!
//! The input is the text Postgres prints for a `jsonb`. Its keys are ordered by length first, its numbers are
//! decimals without exponents, so both have to be brought into the form Python's
//! `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` gives.

mod reader;

use std::cmp::Ordering;

use reader::Reader;

/// How deeply arrays and objects may nest.
///
/// Python's own encoder gives up at its recursion limit of 1000, so a deeper value cannot have been hashed by the
/// platform, while Postgres stores several thousand levels of what a hostile dump holds.
pub const MAX_DEPTH: usize = 1000;

/// Why a text has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON: expected {expected} at byte {offset}")]
    Malformed {
        /// What would have been right.
        expected: &'static str,
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// Arrays and objects nest more than [`MAX_DEPTH`] deep.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// An object has one key twice, which a `jsonb` cannot have.
    #[error("an object has the key {0:?} twice")]
    DuplicateKey(String),
}

/// Brings JSON into canonical form, reusing its buffers from call to call.
///
/// Values are written in the order they come; when an object closes and its members turn out not to be sorted,
/// they are moved into order. The open containers are kept on a stack of its own, so depth costs no call stack.
#[derive(Debug, Default)]
pub struct Canonicalizer {
    out: Vec<u8>,
    open: Vec<Container>,
    members: Vec<Member>,
    sorted: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Container {
    Array,
    /// `start`: where in `out` the first member begins; `first`: its place in `members`.
    Object {
        start: usize,
        first: usize,
    },
}

/// One `"key":value` of an object that is still open, as places in `out`.
#[derive(Debug, Clone, Copy)]
struct Member {
    start: usize,
    key_end: usize,
    key_has_escapes: bool,
    end: usize,
}

impl Canonicalizer {
    /// With empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The canonical form of `json`, valid until the next call.
    ///
    /// # Errors
    /// When `json` is not JSON, nests too deeply or repeats a key. A `jsonb` printed by Postgres can only do the
    /// second.
    pub fn canonicalize(&mut self, json: &str) -> Result<&[u8], JsonError> {
        self.out.clear();
        self.open.clear();
        self.members.clear();
        let mut input = Reader::new(json);
        loop {
            let opened = self.begin_value(&mut input)?;
            if !opened && !self.end_value(&mut input)? {
                break;
            }
        }
        input.expect_end()?;
        Ok(&self.out)
    }

    /// Reads a scalar or an empty container whole, or the start of a container up to its first value.
    /// True when a value must follow.
    fn begin_value(&mut self, input: &mut Reader<'_>) -> Result<bool, JsonError> {
        match input.peek_token() {
            Some(open @ (b'{' | b'[')) => {
                if self.open.len() == MAX_DEPTH {
                    return Err(JsonError::TooDeep);
                }
                let close = if open == b'{' { b'}' } else { b']' };
                input.take();
                self.out.push(open);
                if input.peek_token() == Some(close) {
                    input.take();
                    self.out.push(close);
                    return Ok(false);
                }
                if open == b'{' {
                    let (start, first) = (self.out.len(), self.members.len());
                    self.open.push(Container::Object { start, first });
                    self.begin_member(input)?;
                } else {
                    self.open.push(Container::Array);
                }
                Ok(true)
            }
            Some(b'"') => input.string(&mut self.out).map(|_| false),
            Some(b'-' | b'0'..=b'9') => input.number(&mut self.out).map(|()| false),
            _ => input.word(&mut self.out).map(|()| false),
        }
    }

    fn begin_member(&mut self, input: &mut Reader<'_>) -> Result<(), JsonError> {
        if input.peek_token() != Some(b'"') {
            return Err(input.expected("a key"));
        }
        let start = self.out.len();
        let key_has_escapes = input.string(&mut self.out)?;
        let key_end = self.out.len();
        if input.peek_token() != Some(b':') {
            return Err(input.expected("a colon"));
        }
        input.take();
        self.out.push(b':');
        self.members.push(Member { start, key_end, key_has_escapes, end: key_end });
        Ok(())
    }

    /// After a value: closes the containers that end here. True when another value must follow.
    fn end_value(&mut self, input: &mut Reader<'_>) -> Result<bool, JsonError> {
        while let Some(&container) = self.open.last() {
            match (container, input.peek_token()) {
                (Container::Array, Some(b',')) => {
                    input.take();
                    self.out.push(b',');
                    return Ok(true);
                }
                (Container::Array, Some(b']')) => self.out.push(b']'),
                (Container::Object { .. }, Some(b',')) => {
                    input.take();
                    self.end_member();
                    self.out.push(b',');
                    self.begin_member(input)?;
                    return Ok(true);
                }
                (Container::Object { start, first }, Some(b'}')) => {
                    self.end_member();
                    self.sort_members(start, first)?;
                    self.out.push(b'}');
                }
                (Container::Array, _) => return Err(input.expected("a comma or ]")),
                (Container::Object { .. }, _) => return Err(input.expected("a comma or }")),
            }
            input.take();
            self.open.pop();
        }
        Ok(false)
    }

    fn end_member(&mut self) {
        if let Some(member) = self.members.last_mut() {
            member.end = self.out.len();
        }
    }

    fn sort_members(&mut self, start: usize, first: usize) -> Result<(), JsonError> {
        let members = &mut self.members[first..];
        let out = &self.out;
        let ascending = |pair: &[Member]| compare_keys(out, &pair[0], &pair[1]) == Ordering::Less;
        if !members.windows(2).all(ascending) {
            members.sort_unstable_by(|a, b| compare_keys(out, a, b));
            if let Some(twice) = members.windows(2).find(|pair| !ascending(pair)) {
                let key = &out[twice[0].start + 1..twice[0].key_end - 1];
                return Err(JsonError::DuplicateKey(String::from_utf8_lossy(key).into_owned()));
            }
            self.sorted.clear();
            for member in members {
                if !self.sorted.is_empty() {
                    self.sorted.push(b',');
                }
                self.sorted.extend_from_slice(&out[member.start..member.end]);
            }
            self.out.truncate(start);
            self.out.extend_from_slice(&self.sorted);
        }
        self.members.truncate(first);
        Ok(())
    }
}

/// By code point, which for UTF-8 is the order of the bytes.
fn compare_keys(out: &[u8], a: &Member, b: &Member) -> Ordering {
    let key = |member: &Member| &out[member.start + 1..member.key_end - 1];
    if a.key_has_escapes || b.key_has_escapes {
        unescaped(key(a)).cmp(unescaped(key(b)))
    } else {
        key(a).cmp(key(b))
    }
}

/// The bytes of a canonical key without its escapes. Those stand for one byte each, as only quotes, backslashes
/// and characters below U+0020 are escaped.
fn unescaped(key: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = key.iter().copied();
    std::iter::from_fn(move || {
        let byte = rest.next()?;
        if byte != b'\\' {
            return Some(byte);
        }
        Some(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
                let [_, _, high, low] = [rest.next()?, rest.next()?, rest.next()?, rest.next()?];
                digit(high) << 4 | digit(low)
            }
            quoted => quoted,
        })
    })
}
