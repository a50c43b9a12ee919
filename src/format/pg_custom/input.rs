//! The bytes that have arrived and not been read yet, and the primitive values in them.

use super::error::ArchiveError;

/// Why a value could not be read now.
pub(super) enum Stop {
    /// It has not arrived whole. Nothing was consumed: ask again after the next push.
    NeedMore,
    /// It never will.
    Failed(ArchiveError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Failed(error)
    }
}

/// A window on the stream that drops what was read, and the sizes that the header declares.
///
/// Every read either consumes a whole value or nothing, so a caller that gets [`Stop::NeedMore`]
/// can come back to the same value: the cost of a retry is that of reading one length.
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Where in `bytes` the next value begins.
    next: usize,
    /// Bytes of the stream that came before `bytes`.
    dropped: u64,
    /// How far into the stream values may reach.
    limit: u64,
    /// Bytes of an integer, without its sign.
    pub int_size: usize,
    /// Bytes of a position in the archive.
    pub offset_size: usize,
    /// Some text was not UTF-8 and has replacement characters now.
    pub lossy: bool,
}

impl Input {
    pub fn new(limit: u64) -> Self {
        Self { bytes: Vec::new(), next: 0, dropped: 0, limit, int_size: 4, offset_size: 8, lossy: false }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        // Only once at least half is stale, so that a byte is moved a constant number of times.
        if self.next > self.bytes.len() / 2 {
            self.bytes.drain(..self.next);
            self.dropped += self.next as u64;
            self.next = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Where in the stream the next value begins.
    pub fn position(&self) -> u64 {
        self.dropped + self.next as u64
    }

    /// How much of the stream there was.
    pub fn received(&self) -> u64 {
        self.dropped + self.bytes.len() as u64
    }

    /// What has arrived and is not consumed.
    pub fn peek(&self) -> &[u8] {
        self.bytes.get(self.next..).unwrap_or_default()
    }

    pub fn take(&mut self, count: usize) -> Result<&[u8], Stop> {
        if self.position().saturating_add(count as u64) > self.limit {
            return Err(ArchiveError::TooLarge { limit: self.limit, unit: "bytes" }.into());
        }
        let end = self.next.saturating_add(count);
        let taken = self.bytes.get(self.next..end).ok_or(Stop::NeedMore)?;
        self.next = end;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1)?.first().copied().ok_or(Stop::NeedMore)
    }

    /// A sign byte, then the magnitude, least significant byte first (`ReadInt`).
    pub fn int(&mut self, what: &str) -> Result<i32, Stop> {
        let at = self.position();
        let bytes = self.take(self.int_size.saturating_add(1))?;
        let (&sign, magnitude) = bytes.split_first().ok_or(Stop::NeedMore)?;
        let magnitude = little_endian(magnitude).and_then(|value| i64::try_from(value).ok());
        magnitude
            .map(|value| if sign == 0 { value } else { -value })
            .and_then(|value| i32::try_from(value).ok())
            .ok_or_else(|| malformed(format!("the {what} does not fit an integer"), at))
    }

    /// A length and as many bytes, or a negative length for none (`ReadStr`).
    pub fn text(&mut self, what: &str) -> Result<Option<String>, Stop> {
        let start = self.next;
        let at = self.position();
        let Ok(length) = usize::try_from(self.int(what)?) else {
            return Ok(None);
        };
        match self.take(length) {
            Ok(bytes) if bytes.contains(&0) => Err(malformed(format!("the {what} holds a zero byte"), at)),
            Ok(bytes) => {
                let (text, lossy) = match std::str::from_utf8(bytes) {
                    Ok(text) => (text.to_owned(), false),
                    Err(_) => (String::from_utf8_lossy(bytes).into_owned(), true),
                };
                self.lossy |= lossy;
                Ok(Some(text))
            }
            Err(stop) => {
                self.next = start;
                Err(stop)
            }
        }
    }

    /// A number written as text.
    pub fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<Option<T>, Stop> {
        let at = self.position();
        let Some(text) = self.text(what)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(malformed(format!("the {what} is not a number in range"), at)),
        }
    }
}

/// The value of bytes with the least significant first, if it fits.
pub(super) fn little_endian(bytes: &[u8]) -> Option<u64> {
    let (low, high) = bytes.split_at_checked(8).unwrap_or((bytes, &[]));
    let value = low.iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte));
    high.iter().all(|&byte| byte == 0).then_some(value)
}

pub(super) fn malformed(what: impl Into<String>, at: u64) -> Stop {
    ArchiveError::Malformed { what: what.into(), at }.into()
}
