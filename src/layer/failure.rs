//! Why layers cannot be taken off, and what that means for a drill.

use std::io;

use crate::model::codes;
use crate::model::failure::Failure;

/// First bytes of an unknown file that are shown.
const SHOWN: usize = 24;

/// Why a recovery point could not be decrypted.
#[derive(Debug)]
pub enum DecryptFailure {
    /// The object has no bytes.
    Empty,
    /// It is not an age file; what it begins with, escaped.
    NotAge(String),
    /// No identity fits. Names the stanza types in the file and the public keys tried.
    NoIdentityFits {
        /// Types of the recipient stanzas, as in the file.
        stanzas: Vec<String>,
        /// Public keys of the identities tried.
        tried: Vec<String>,
        /// Keys in the identity files that are of no use here, by kind and place.
        passed_over: Vec<String>,
    },
    /// The header is cut off, malformed, or fails its authentication.
    BadHeader(String),
    /// The file ends before its last chunk.
    Truncated,
    /// A chunk fails its authentication: altered, or cut off within the chunk.
    Corrupted,
    /// The bytes did not come, for a reason that has nothing to do with the file.
    Source(io::Error),
}

impl DecryptFailure {
    /// What a drill reports of a recovery point. All but [`Self::Source`] mean that the backup is bad.
    pub fn into_failure(self) -> Failure {
        self.into_failure_of("the recovery point")
    }

    /// What is reported of the object with this name.
    pub fn into_failure_of(self, what: &str) -> Failure {
        const UPLOAD: &str = "the object in the store is damaged: compare its size with the backup job's log, and drill an older recovery point with --at";
        match self {
            Self::Empty => Failure::bad(codes::EMPTY_OBJECT, format!("{what} has no bytes at all")).hint(UPLOAD),
            Self::NotAge(begins) => Failure::bad(codes::NOT_AGE, format!("{what} is not an age file; it begins with `{begins}`"))
                .hint("look at what the backup job uploads, and at store.key in the template"),
            Self::NoIdentityFits { stanzas, tried, passed_over } => Failure::bad(
                codes::NO_IDENTITY_FITS,
                format!(
                    "no identity opens {what}: it is encrypted to recipients of type {}, and the identities tried are {}{}",
                    stanzas.join(", "),
                    tried.join(", "),
                    if passed_over.is_empty() { String::new() } else { format!("; not tried: {}", passed_over.join(", ")) }
                ),
            )
            .hint("find the identity of the recipient the backup job uses, and name it under encryption.identities"),
            Self::BadHeader(damage) => {
                Failure::bad(codes::AGE_HEADER_INVALID, format!("the age header of {what} is damaged: {damage}")).hint(UPLOAD)
            }
            Self::Truncated => {
                Failure::bad(codes::CIPHERTEXT_TRUNCATED, format!("{what} is truncated: it ends before its last chunk")).hint(UPLOAD)
            }
            Self::Corrupted => Failure::bad(
                codes::CIPHERTEXT_CORRUPTED,
                format!("{what} is corrupted: a chunk was altered or cut off, and fails its authentication"),
            )
            .hint(UPLOAD),
            Self::Source(error) => Failure::inconclusive(codes::TRANSFER_BROKEN, format!("the transfer broke off ({error})")),
        }
    }

    /// A file in no known layer: what its first line begins with.
    pub(super) fn not_age(start: &[u8]) -> Self {
        let line = start.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        Self::NotAge(line[..line.len().min(SHOWN)].escape_ascii().to_string())
    }

    /// Separates errors of decryption from errors of the reader below.
    pub fn from_stream(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::InvalidData => Self::Corrupted,
            _ => Self::Source(error),
        }
    }
}
