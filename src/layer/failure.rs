//! Why layers cannot be taken off, and what that means for a drill.

use std::{fmt, io};

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;

/// First bytes of an unknown file that are shown.
const SHOWN: usize = 24;

/// Why a recovery point could not be decrypted or decompressed.
#[derive(Debug)]
pub enum DecryptFailure {
    /// The object has no bytes.
    Empty,
    /// It is encrypted with nothing that is known, and must be.
    NotEncrypted {
        /// The layers that were taken off, the outermost first.
        layers: Vec<&'static str>,
        /// What it begins with, escaped.
        begins: String,
    },
    /// No identity fits. Names the stanza types in the file and the public keys tried.
    NoIdentityFits {
        /// Types of the recipient stanzas, as in the file.
        stanzas: Vec<String>,
        /// Public keys of the identities tried.
        tried: Vec<String>,
        /// Keys in the identity files that are of no use here, by kind and place.
        passed_over: Vec<String>,
    },
    /// The keyring has no secret key for an OpenPGP message.
    NoSecretKey {
        /// The ids of the keys that it is encrypted to.
        keys: Vec<String>,
        /// The keyring's directory; nothing if the template names none.
        homedir: Option<String>,
    },
    /// An OpenPGP message that only a passphrase opens.
    PassphraseOnly,
    /// The header is cut off, malformed, or fails its authentication.
    BadHeader(String),
    /// The age file ends before its last chunk.
    Truncated,
    /// A chunk of the age file fails its authentication: altered, or cut off within the chunk.
    Corrupted,
    /// gpg did not confirm that it decrypted the message to its end.
    GpgRefused(String),
    /// A compressed file ends before its end.
    LayerTruncated(&'static str),
    /// A compressed file is not what was compressed, for this reason.
    LayerCorrupted(&'static str, String),
    /// A layer that cannot be taken off here although nothing may be wrong with it.
    Unsupported(String),
    /// What is inside is larger than the template allows.
    TooLarge {
        /// The layer that it came out of.
        layer: &'static str,
        /// Bytes that came out of it.
        produced: u64,
        /// Bytes of the object that were read for them.
        consumed: u64,
        /// How many times larger it may be.
        max_expansion: u64,
    },
    /// A program that takes layers off failed, and that says nothing of the file.
    Program(Box<Failure>),
    /// The bytes did not come, for a reason that has nothing to do with the file.
    Source(io::Error),
}

impl DecryptFailure {
    /// What a drill reports of a recovery point. All but [`Self::Source`], [`Self::Unsupported`], [`Self::TooLarge`] and
    /// [`Self::Program`] mean that the backup is bad.
    pub fn into_failure(self) -> Failure {
        self.into_failure_of("the recovery point")
    }

    /// What is reported of the object with this name.
    pub fn into_failure_of(self, what: &str) -> Failure {
        const UPLOAD: &str = "the object in the store is damaged: compare its size with the backup job's log, and drill an older recovery point with --at";
        match self {
            Self::Empty => Failure::bad(codes::EMPTY_OBJECT, format!("{what} has no bytes at all")).hint(UPLOAD),
            Self::NotEncrypted { layers, begins } => not_encrypted(what, &layers, &begins),
            Self::NoIdentityFits { stanzas, tried, passed_over } => {
                no_identity_fits(what, &stanzas, &tried, &passed_over)
            }
            Self::NoSecretKey { keys, homedir } => no_secret_key(what, &keys, homedir.as_deref()),
            Self::PassphraseOnly => Failure::bad(
                codes::NO_IDENTITY_FITS,
                format!("no identity opens {what}: it is an OpenPGP message that only a passphrase opens, and a drill cannot ask for one"),
            )
            .hint("encrypt to a public key (`gpg --encrypt --recipient KEY`), not with `gpg --symmetric`"),
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
            Self::GpgRefused(why) => {
                Failure::bad(codes::DECRYPT_FAILED, format!("gpg does not decrypt {what} to its end: {why}")).hint(UPLOAD)
            }
            Self::LayerTruncated(layer) => {
                Failure::bad(codes::LAYER_TRUNCATED, format!("{what} is truncated: its {layer} data ends early")).hint(UPLOAD)
            }
            Self::LayerCorrupted(layer, why) => {
                Failure::bad(codes::LAYER_CORRUPTED, format!("{what} is corrupted: its {layer} data {why}")).hint(UPLOAD)
            }
            Self::Unsupported(why) => {
                Failure::inconclusive(codes::LAYER_UNSUPPORTED, format!("{what} cannot be read here: {why}"))
                    .hint("nothing is known to be wrong with it; make backups that are compressed or encrypted otherwise")
            }
            Self::TooLarge { layer, produced, consumed, max_expansion } => {
                too_large(what, layer, produced, consumed, max_expansion)
            }
            Self::Program(failure) => *failure,
            Self::Source(error) => Failure::inconclusive(codes::TRANSFER_BROKEN, format!("the transfer broke off ({error})")),
        }
    }

    /// A file that must be encrypted and is not: what its first line begins with.
    pub(super) fn not_encrypted(layers: Vec<&'static str>, start: &[u8]) -> Self {
        let line = start.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        Self::NotEncrypted { layers, begins: line[..line.len().min(SHOWN)].escape_ascii().to_string() }
    }

    /// Whether a file that goes on behind these bytes may be sound all the same.
    pub fn may_be_cut(&self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::Corrupted
                | Self::BadHeader(_)
                | Self::GpgRefused(_)
                | Self::LayerTruncated(_)
                | Self::LayerCorrupted(..)
        )
    }

    /// What an error means that came from reading what is in the layers.
    pub fn from_stream(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Source)
    }

    /// What an error means that a reader gave which reads what is in the layers, and has errors of its own.
    pub(super) fn blame(error: io::Error, own: fn(io::Error) -> Self) -> Self {
        error.downcast::<Self>().unwrap_or_else(own)
    }
}

fn not_encrypted(what: &str, layers: &[&str], begins: &str) -> Failure {
    const HINT: &str = "look at what the backup job uploads, and at store.key in the template; encryption.required = false takes files that are not encrypted";
    let message = match layers {
        [] => format!("{what} is not an age file, and not encrypted with OpenPGP; it begins with `{begins}`"),
        layers => format!(
            "{what} is not an age file, and not encrypted with OpenPGP: it is {}, and what is inside begins with `{begins}`",
            layers.join(" over ")
        ),
    };
    Failure::bad(codes::NOT_AGE, message).hint(HINT)
}

fn no_identity_fits(what: &str, stanzas: &[String], tried: &[String], passed_over: &[String]) -> Failure {
    let tried = match tried {
        [] => "the template names no identity that could be tried".to_owned(),
        tried => format!("the identities tried are {}", tried.join(", ")),
    };
    let passed_over = match passed_over {
        [] => String::new(),
        passed_over => format!("; not tried: {}", passed_over.join(", ")),
    };
    let types = stanzas.join(", ");
    Failure::bad(
        codes::NO_IDENTITY_FITS,
        format!("no identity opens {what}: it is encrypted to recipients of type {types}, and {tried}{passed_over}"),
    )
    .hint("find the identity of the recipient the backup job uses, and name it under encryption.identities")
}

fn no_secret_key(what: &str, keys: &[String], homedir: Option<&str>) -> Failure {
    let keys = if keys.is_empty() { "a key that is not named".to_owned() } else { keys.join(", ") };
    let tried = match homedir {
        Some(homedir) => format!("the keyring in {homedir} has no secret key for it"),
        None => "the template names no keyring".to_owned(),
    };
    Failure::bad(
        codes::NO_IDENTITY_FITS,
        format!("no identity opens {what}: it is encrypted with OpenPGP to {keys}, and {tried}"),
    )
    .hint("find the secret key of the recipient the backup job uses, and name the directory of its keyring as encryption.gpg_homedir")
}

fn too_large(what: &str, layer: &str, produced: u64, consumed: u64, max_expansion: u64) -> Failure {
    Failure::inconclusive(
        codes::EXPANSION_LIMIT,
        format!(
            "{what} expands too much: {} came out of its {layer} data, for {} of the object, and the template allows {max_expansion} times as much",
            human::bytes(produced),
            human::bytes(consumed)
        ),
    )
    .hint("if backups of this system compress so well, raise layers.max_expansion in the template; else the object is not what the backup job wrote")
}

impl fmt::Display for DecryptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for DecryptFailure {}
