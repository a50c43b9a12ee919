//! Whether a terminal changed an archive on its way.
//!
//! A terminal writes each line feed as a carriage return and a line feed. `docker exec -t … pg_dump` does so with the
//! bytes of an archive, `ssh -t` too: every length behind the first one is wrong then, and what a reader of the
//! archive says of it leads nowhere. But a byte of 0x0a that nothing precedes is in every archive, so that there is none
//! tells of the terminal.

/// Fewer prove nothing: a byte of 0x0d may precede one by chance.
const ENOUGH: u32 = 4;

/// The line feeds of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct LineFeeds {
    count: u32,
    /// One had no carriage return before it.
    bare: bool,
    last: u8,
}

impl LineFeeds {
    /// Takes the next bytes of the stream.
    pub fn see(&mut self, bytes: &[u8]) {
        if self.bare {
            return;
        }
        for at in memchr::memchr_iter(b'\n', bytes) {
            let before = at.checked_sub(1).map_or(self.last, |before| bytes[before]);
            self.count = self.count.saturating_add(1);
            self.bare |= before != b'\r';
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// Whether a terminal wrote them, of an archive that cannot be read.
    #[must_use]
    pub fn are_a_terminals(&self) -> bool {
        self.count >= ENOUGH && !self.bare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(chunks: &[&[u8]]) -> bool {
        let mut feeds = LineFeeds::default();
        for chunk in chunks {
            feeds.see(chunk);
        }
        feeds.are_a_terminals()
    }

    #[test]
    fn only_line_feeds_that_all_have_a_carriage_return_are_a_terminals() {
        assert!(told(&[b"a\r\nb\r", b"\n\r\n", b"", b"\r\nc"]));
        assert!(!told(&[b"\r\n\r\n\r\n\r\n\r\n\n"]));
        assert!(!told(&[b"\n\r\n\r\n\r\n\r\n"]));
        assert!(!told(&[b"\r\n\r\n\r\n"]), "too few");
    }
}
