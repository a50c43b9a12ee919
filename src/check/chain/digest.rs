//! A SHA-256 as the database stores it: 64 lowercase hexadecimal digits.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 in lowercase hexadecimal, kept inline so that hashing a row allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HexDigest([u8; 64]);

impl HexDigest {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_raw(Sha256::digest(bytes).into())
    }

    /// The digits of a hash that was computed elsewhere.
    pub fn from_raw(hash: [u8; 32]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(hash) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        Self(hex)
    }

    /// Digits that were written down in the source.
    pub(super) const fn from_hex(hex: &[u8; 64]) -> Self {
        Self(*hex)
    }

    /// The 64 digits.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The 64 digits as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Display for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for HexDigest {
    fn eq(&self, other: &str) -> bool {
        self.0.as_slice() == other.as_bytes()
    }
}

impl PartialEq<&str> for HexDigest {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_lowercase_digits() {
        let empty_object = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(HexDigest::of(b"{}"), empty_object);
        assert_eq!(HexDigest::of(b"{}").to_string(), empty_object);
        assert_ne!(HexDigest::of(b"{}"), "44136FA3");
    }
}
