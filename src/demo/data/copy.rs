//! Rows in the text format of `COPY … FROM STDIN`, made a chunk at a time.
//!
//! Source: PostgreSQL documentation, `COPY`, "Text Format".

use std::fmt::Display;
use std::io::Write;

use bytes::Bytes;
use uuid::Uuid;

use crate::check::chain::push_iso_timestamp;

/// A chunk is handed out once it has this many bytes, so it is at most one row larger.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// One row being written: its fields in the order of the columns.
pub(super) struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, is_first: true }
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(b'\t');
        }
        self.is_first = false;
    }

    /// Text of any kind, escaped.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.separate();
        let mut rest = value.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
            self.out.extend_from_slice(&rest[..at]);
            self.out.extend_from_slice(match rest[at] {
                b'\\' => b"\\\\",
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                _ => b"\\r",
            });
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self
    }

    /// Something whose printed form needs no escaping: a number, a date, a boolean.
    pub(super) fn plain(&mut self, value: impl Display) -> &mut Self {
        self.separate();
        let _ = write!(self.out, "{value}");
        self
    }

    pub(super) fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        self
    }

    /// Microseconds since the Unix epoch as a `timestamptz`.
    pub(super) fn timestamp(&mut self, micros: i64) -> &mut Self {
        self.separate();
        let is_in_range = push_iso_timestamp(self.out, micros);
        debug_assert!(is_in_range, "the sample data lies within the years 1 to 9999");
        self
    }

    /// Bytes as a `bytea` in its hex format.
    pub(super) fn bytea(&mut self, value: &[u8]) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(b"\\\\x");
        for byte in value {
            let _ = write!(self.out, "{byte:02x}");
        }
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(b"\\N");
        self
    }

    pub(super) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub(super) fn optional_uuid(&mut self, value: Option<Uuid>) -> &mut Self {
        match value {
            Some(value) => self.uuid(value),
            None => self.null(),
        }
    }

    pub(super) fn optional_plain(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.plain(value),
            None => self.null(),
        }
    }

    pub(super) fn end(&mut self) {
        self.out.push(b'\n');
    }
}

/// Gathers rows into chunks. `step` appends what comes next, possibly nothing, and is false when all is written.
pub(super) struct Chunks<F> {
    step: F,
    is_done: bool,
}

impl<F: FnMut(&mut Vec<u8>) -> bool> Chunks<F> {
    pub(super) fn new(step: F) -> Self {
        Self { step, is_done: false }
    }
}

impl<F: FnMut(&mut Vec<u8>) -> bool> Iterator for Chunks<F> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.is_done {
            return None;
        }
        // Room for the row that goes over the limit, so that the buffer is not copied on its account.
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4096);
        while chunk.len() < CHUNK_BYTES && !self.is_done {
            self.is_done = !(self.step)(&mut chunk);
        }
        (!chunk.is_empty()).then(|| Bytes::from(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_copy_would_read_as_structure() {
        let mut out = Vec::new();
        RowWriter::new(&mut out).text("a\\b\tc\nd\re\"é").null().plain(1.5).bytea(&[0, 255]).text("").end();
        assert_eq!(String::from_utf8(out).unwrap(), "a\\\\b\\tc\\nd\\re\"é\t\\N\t1.5\t\\\\x00ff\t\n");
    }

    #[test]
    fn chunks_are_bounded_and_lose_nothing() {
        let mut left = 1000;
        let chunks: Vec<_> = Chunks::new(move |out| {
            out.resize(out.len() + 1000, b'x');
            left -= 1;
            left > 0
        })
        .collect();
        assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>(), 1_000_000);
        assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK_BYTES + 1000));
    }

    #[test]
    fn no_rows_are_no_chunks() {
        assert_eq!(Chunks::new(|_: &mut Vec<u8>| false).count(), 0);
    }
}
