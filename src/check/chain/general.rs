//! Hash chains of any make: which bytes of a row are hashed, with what, and how the hash is written down.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// BLAKE3 with its default output of 32 bytes.
    Blake3,
}

impl HashFunction {
    /// Hashes `preimage`.
    pub fn digest(self, preimage: &[u8]) -> Hash {
        let mut hash = Hash { bytes: [0; 64], length: 32 };
        match self {
            Self::Sha256 => hash.bytes[..32].copy_from_slice(&Sha256::digest(preimage)),
            Self::Sha512 => {
                hash.bytes.copy_from_slice(&Sha512::digest(preimage));
                hash.length = 64;
            }
            Self::Blake3 => hash.bytes[..32].copy_from_slice(blake3::hash(preimage).as_bytes()),
        }
        hash
    }
}

/// A hash, kept inline: hashing a row allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash {
    bytes: [u8; 64],
    length: usize,
}

impl Hash {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// How hashes stand in their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits, as text; either case.
    #[default]
    Hex,
    /// Base64 with padding (RFC 4648, section 4), as text; line breaks, as Postgres's `encode` puts them, do not count.
    Base64,
    /// Base64 with the URL-safe alphabet and no padding (RFC 4648, section 5), as text.
    Base64url,
    /// Raw bytes, in a column of the type `bytea`.
    Bytea,
}

impl Encoding {
    /// Whether a column that holds `stored` holds `hash`.
    pub fn matches(self, stored: &[u8], hash: &Hash) -> bool {
        match self {
            Self::Hex => {
                let mut digits = [0; 128];
                let digits = &mut digits[..2 * hash.length];
                hex::encode_to_slice(hash.as_bytes(), digits).is_ok() && stored.eq_ignore_ascii_case(digits)
            }
            Self::Base64 => {
                let plain = stored.iter().filter(|byte| !matches!(byte, b'\n' | b'\r'));
                plain.eq(BASE64_STANDARD.encode(hash.as_bytes()).as_bytes())
            }
            Self::Base64url => stored == BASE64_URL_SAFE_NO_PAD.encode(hash.as_bytes()).as_bytes(),
            Self::Bytea => stored == hash.as_bytes(),
        }
    }

    /// The hash as the column should hold it.
    pub fn write(self, hash: &Hash) -> Vec<u8> {
        match self {
            Self::Hex => hex::encode(hash.as_bytes()).into_bytes(),
            Self::Base64 => BASE64_STANDARD.encode(hash.as_bytes()).into_bytes(),
            Self::Base64url => BASE64_URL_SAFE_NO_PAD.encode(hash.as_bytes()).into_bytes(),
            Self::Bytea => hash.as_bytes().to_vec(),
        }
    }
}

/// How the texts of several columns become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Join {
    /// A JSON array of strings and nulls: `["a", null]`. What Postgres's `json_build_array(a::text, b::text)::text` and
    /// Python's `json.dumps([a, b], ensure_ascii=False)` print.
    Json,
    /// Each text behind its length in bytes and a colon, null as `-`: `1:a-`.
    LengthPrefixed,
    /// The texts with this between them, null as nothing. Two rows may give the same bytes.
    Separator(String),
}

impl Join {
    /// Appends the texts, joined.
    pub fn push<'a>(&self, out: &mut Vec<u8>, texts: impl Iterator<Item = Option<&'a [u8]>>) {
        if *self == Self::Json {
            out.push(b'[');
        }
        for (index, text) in texts.enumerate() {
            match (self, text) {
                (Self::Json, text) => {
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    match text {
                        Some(text) => push_json_string(out, text),
                        None => out.extend_from_slice(b"null"),
                    }
                }
                (Self::LengthPrefixed, Some(text)) => {
                    out.extend_from_slice(text.len().to_string().as_bytes());
                    out.push(b':');
                    out.extend_from_slice(text);
                }
                (Self::LengthPrefixed, None) => out.push(b'-'),
                (Self::Separator(separator), text) => {
                    if index > 0 {
                        out.extend_from_slice(separator.as_bytes());
                    }
                    out.extend_from_slice(text.unwrap_or_default());
                }
            }
        }
        if *self == Self::Json {
            out.push(b']');
        }
    }
}

/// A JSON string with the escapes that JSON asks for, and no others.
///
/// Source: PostgreSQL, `src/backend/utils/adt/json.c`, `escape_json`.
fn push_json_string(out: &mut Vec<u8>, text: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let [high, low] = [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(join: &Join, texts: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        join.push(&mut out, texts.iter().map(|text| text.map(str::as_bytes)));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hashes_are_those_of_the_standards() {
        let hex = |function: HashFunction| hex::encode(function.digest(b"abc").as_bytes());
        assert_eq!(
            hex(HashFunction::Sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex(HashFunction::Sha512).starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(hex(HashFunction::Sha512).len(), 128);
        assert_eq!(
            hex(HashFunction::Blake3),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn an_encoding_knows_its_own_spelling_and_no_other() {
        for function in [HashFunction::Sha256, HashFunction::Sha512, HashFunction::Blake3] {
            let (hash, other) = (function.digest(b"a"), function.digest(b"b"));
            for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64url, Encoding::Bytea] {
                let written = encoding.write(&hash);
                assert!(encoding.matches(&written, &hash), "{function:?} {encoding:?}");
                assert!(!encoding.matches(&written, &other), "{function:?} {encoding:?}");
                assert!(!encoding.matches(&written[1..], &hash), "{function:?} {encoding:?}");
                assert!(!encoding.matches(b"", &hash), "{function:?} {encoding:?}");
            }
            assert!(Encoding::Hex.matches(&Encoding::Hex.write(&hash).to_ascii_uppercase(), &hash));
            let mut broken = Encoding::Base64.write(&hash);
            broken.insert(20, b'\n');
            assert!(Encoding::Base64.matches(&broken, &hash));
        }
    }

    #[test]
    fn columns_are_joined_as_documented() {
        let texts = [Some("a\"\\\n\u{1}é"), None, Some("")];
        assert_eq!(joined(&Join::Json, &texts), "[\"a\\\"\\\\\\n\\u0001é\", null, \"\"]");
        assert_eq!(joined(&Join::LengthPrefixed, &[Some("é"), None, Some("")]), "2:é-0:");
        assert_eq!(joined(&Join::Separator("|".to_owned()), &[Some("a"), None, Some("b")]), "a||b");
    }

    proptest::proptest! {
        #[test]
        fn what_json_and_lengths_join_can_be_told_apart(
            a in proptest::collection::vec(proptest::option::of("[\"\\\\,\\[\\]:0-9a-b\\-]{0,4}"), 1..4),
            b in proptest::collection::vec(proptest::option::of("[\"\\\\,\\[\\]:0-9a-b\\-]{0,4}"), 1..4),
        ) {
            let texts = |row: &[Option<String>]| row.to_vec();
            for join in [Join::Json, Join::LengthPrefixed] {
                let of = |row: &[Option<String>]| {
                    joined(&join, &texts(row).iter().map(Option::as_deref).collect::<Vec<_>>())
                };
                proptest::prop_assert_eq!(of(&a) == of(&b), a == b);
            }
        }
    }
}
