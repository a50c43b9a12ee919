//! What a stream that is no archive seems to be, so that the message can say more than "no".

use std::fmt;

/// What the first bytes of something else look like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guess {
    /// A script of `pg_dump --format=plain`.
    PlainDump,
    /// A script of `pg_dumpall`.
    ClusterDump,
    /// A script of `mysqldump` or `mariadb-dump`.
    MysqlDump,
    /// An archive of `pg_dump --format=tar`.
    TarDump,
    /// Any other tar file.
    Tar,
    /// Compressed, by the program named.
    Compressed(&'static str),
    /// Encrypted, by the program named: once more than was undone.
    Encrypted(&'static str),
    /// What storage answers instead of an object: HTML, XML or JSON.
    Markup(&'static str),
    /// UTF-16, which some shells turn redirected output into, so that an archive is beyond repair.
    Utf16,
    /// Nothing but zeros, as in a file whose blocks were never written.
    Zeros,
    /// Readable, and none of the above.
    Text,
    /// None of the above; the first bytes.
    Unknown(Vec<u8>),
}

impl Guess {
    /// With this many bytes, more would not change the guess: one tar header.
    pub(super) const ENOUGH: usize = 512;

    pub(super) fn from_first_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..Self::ENOUGH).unwrap_or(bytes);
        let signatures: &[(&[u8], Self)] = &[
            (b"--\n-- PostgreSQL database dump", Self::PlainDump),
            (b"--\r\n-- PostgreSQL database dump", Self::PlainDump),
            (b"-- PostgreSQL database dump", Self::PlainDump),
            (b"--\n-- PostgreSQL database cluster dump", Self::ClusterDump),
            (b"--\r\n-- PostgreSQL database cluster dump", Self::ClusterDump),
            (b"-- MySQL dump", Self::MysqlDump),
            (b"-- MariaDB dump", Self::MysqlDump),
            (b"\x1f\x8b", Self::Compressed("gzip")),
            (b"\x28\xb5\x2f\xfd", Self::Compressed("zstd")),
            (b"\x04\x22\x4d\x18", Self::Compressed("lz4")),
            (b"\xfd7zXZ\0", Self::Compressed("xz")),
            (b"BZh", Self::Compressed("bzip2")),
            (b"PK\x03\x04", Self::Compressed("zip")),
            (b"age-encryption.org/", Self::Encrypted("age")),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Self::Encrypted("age")),
            (b"-----BEGIN PGP MESSAGE-----", Self::Encrypted("PGP")),
            (b"Salted__", Self::Encrypted("openssl")),
            (b"<?xml", Self::Markup("XML")),
            (b"<!DOCTYPE", Self::Markup("HTML")),
            (b"<!doctype", Self::Markup("HTML")),
            (b"<html", Self::Markup("HTML")),
            (b"{\"", Self::Markup("JSON")),
            (b"\xff\xfe", Self::Utf16),
            (b"\xfe\xff", Self::Utf16),
        ];
        if let Some((_, guess)) = signatures.iter().find(|(start, _)| bytes.starts_with(start)) {
            return guess.clone();
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return if bytes.starts_with(b"toc.dat\0") { Self::TarDump } else { Self::Tar };
        }
        if bytes.iter().all(|&byte| byte == 0) {
            return Self::Zeros;
        }
        if is_text(bytes) {
            return Self::Text;
        }
        Self::Unknown(bytes.get(..8).unwrap_or(bytes).to_vec())
    }
}

/// UTF-8 (a character at the end may be cut) without control characters but white space.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|whole| std::str::from_utf8(whole).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainDump => f.write_str("an SQL script (pg_dump --format=plain)"),
            Self::ClusterDump => f.write_str("an SQL script of a whole cluster (pg_dumpall)"),
            Self::MysqlDump => f.write_str("an SQL script of MySQL or MariaDB"),
            Self::TarDump => f.write_str("a tar archive of pg_dump (pg_dump --format=tar)"),
            Self::Tar => f.write_str("a tar file"),
            Self::Compressed(program) => write!(f, "a file compressed with {program}"),
            Self::Encrypted(program) => write!(f, "a file that is still encrypted with {program}"),
            Self::Markup(language) => write!(f, "{language}, perhaps an error message"),
            Self::Utf16 => f.write_str("UTF-16 text, as made by a shell that re-encodes what is redirected"),
            Self::Zeros => f.write_str("zero bytes only"),
            Self::Text => f.write_str("plain text"),
            Self::Unknown(bytes) => {
                f.write_str("nothing known (first bytes:")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                f.write_str(")")
            }
        }
    }
}
