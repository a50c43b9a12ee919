//! Fernet tokens (<https://github.com/fernet/spec>): small secrets, as `master_key.enc` and `vault.enc` hold them.
//!
//! It is none of [`LAYERS`](super::LAYERS): a token opens with a key of its own kind, not with the identities of a template,
//! has nothing that it could be recognised by for certain, and is authenticated only as a whole, so it cannot be streamed. These
//! are functions for whoever checks such a file.
//!
//! A token is base64url, with padding, of: the byte 0x80, 64 bits of seconds since 1970, 16 bytes of IV, AES-128-CBC with PKCS#7
//! padding, and HMAC-SHA-256 over all of that. A key is base64url of 32 bytes: 16 to sign with, 16 to encrypt with.

use std::fmt;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::secret::Secret;

/// A longer token is none of a small file.
pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;
/// Iterations of the key derivation that files with a salt use.
const ITERATIONS: u32 = 600_000;
/// Hexadecimal digits of a salt.
const SALT_DIGITS: usize = 32;

const VERSION: u8 = 0x80;
const HEADER: usize = 1 + 8 + 16;
const BLOCK: usize = 16;
const MAC: usize = 32;

/// Why a token does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FernetError {
    /// The key is not base64url of 32 bytes.
    Key,
    /// The file is longer than [`SIZE_LIMIT`].
    TooLarge,
    /// It is no token: not base64url, too short, of another version, or not of whole blocks.
    Malformed,
    /// The key does not fit, or the token was altered: nothing tells one from the other.
    Unauthentic,
    /// It is authentic and its padding is not: whoever has the key made it wrong.
    Padding,
    /// It does not begin with a salt, as `<32 hexadecimal digits>:`.
    Salt,
}

impl fmt::Display for FernetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the key is not base64url of 32 bytes",
            Self::TooLarge => "it is longer than 16 MiB",
            Self::Malformed => "it is no Fernet token: cut off, or something else",
            Self::Unauthentic => "the key does not fit, or the token was altered",
            Self::Padding => "its padding is malformed",
            Self::Salt => "it does not begin with a salt of 32 hexadecimal digits and a colon",
        })
    }
}

impl std::error::Error for FernetError {}

/// A key.
pub struct FernetKey {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FernetKey(***)")
    }
}

/// What is in a token.
#[derive(Debug)]
pub struct Opened {
    /// When it was made, by whoever made it.
    pub made_at: Option<DateTime<Utc>>,
    /// The plaintext.
    pub plaintext: Vec<u8>,
}

impl FernetKey {
    /// Reads a key as it is written: base64url of 32 bytes.
    ///
    /// # Errors
    /// [`FernetError::Key`].
    pub fn parse(text: &Secret) -> Result<Self, FernetError> {
        let bytes = URL_SAFE.decode(text.expose().trim()).map_err(|_| FernetError::Key)?;
        Ok(Self::halves(&bytes.try_into().map_err(|_| FernetError::Key)?))
    }

    /// The key that a passphrase gives with this salt: PBKDF2 (RFC 8018) with HMAC-SHA-256 and 600,000 iterations.
    pub fn derive(passphrase: &Secret, salt: &[u8]) -> Self {
        let mut key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.expose().as_bytes(), salt, ITERATIONS, &mut key);
        Self::halves(&key)
    }

    fn halves(key: &[u8; 32]) -> Self {
        let (mut signing, mut encryption) = ([0; 16], [0; 16]);
        signing.copy_from_slice(&key[..16]);
        encryption.copy_from_slice(&key[16..]);
        Self { signing, encryption }
    }

    /// Opens a token. Its MAC is compared first, in constant time.
    ///
    /// # Errors
    /// Why it does not open.
    pub fn open(&self, token: &str) -> Result<Opened, FernetError> {
        if token.len() > SIZE_LIMIT {
            return Err(FernetError::TooLarge);
        }
        let bytes = URL_SAFE.decode(token.trim_ascii()).map_err(|_| FernetError::Malformed)?;
        let whole_blocks = |length: usize| length > 0 && length.is_multiple_of(BLOCK);
        if bytes.first() != Some(&VERSION) || !bytes.len().checked_sub(HEADER + MAC).is_some_and(whole_blocks)
        {
            return Err(FernetError::Malformed);
        }
        let (signed, mac) = bytes.split_at(bytes.len() - MAC);
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.signing).expect("a MAC takes keys of any length");
        hmac.update(signed);
        hmac.verify_slice(mac).map_err(|_| FernetError::Unauthentic)?;
        let (header, ciphertext) = signed.split_at(HEADER);
        let seconds = header[1..9].try_into().map(u64::from_be_bytes).expect("it is eight bytes");
        let cipher = cbc::Decryptor::<aes::Aes128>::new_from_slices(&self.encryption, &header[9..])
            .expect("key and IV are 16 bytes");
        let plaintext = cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| FernetError::Padding)?;
        let made_at = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Ok(Opened { made_at, plaintext })
    }
}

/// Opens a file of the form `<32 hexadecimal digits of salt>:<token>` with a passphrase.
///
/// # Errors
/// Why it does not open.
pub fn open_with_passphrase(text: &str, passphrase: &Secret) -> Result<Opened, FernetError> {
    if text.len() > SIZE_LIMIT {
        return Err(FernetError::TooLarge);
    }
    let (salt, token) = text.trim_ascii().split_once(':').ok_or(FernetError::Salt)?;
    if salt.len() != SALT_DIGITS {
        return Err(FernetError::Salt);
    }
    let salt = hex::decode(salt).map_err(|_| FernetError::Salt)?;
    FernetKey::derive(passphrase, &salt).open(token)
}

#[cfg(test)]
mod tests;
