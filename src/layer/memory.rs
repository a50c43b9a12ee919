//! Small things, sealed and opened in memory.

use std::io::{Read, Write};

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::recipient::Recipients;
use super::stack::{encrypt, open};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Encrypts bytes that fit into memory.
///
/// # Errors
/// `encrypt_failed`.
pub fn seal_whole(plaintext: &[u8], recipients: &Recipients) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(plaintext.len() + 1024);
    let mut writer = encrypt(&mut sealed, recipients)?;
    let written = writer.write_all(plaintext).and_then(|()| writer.finish());
    written
        .map_err(|error| Failure::inconclusive(codes::ENCRYPT_FAILED, format!("cannot encrypt: {error}")))?;
    Ok(sealed)
}

/// Decrypts bytes that fit into memory. Failures call them by this name.
///
/// # Errors
/// Whatever is wrong with the file or the identities.
pub fn open_whole(name: &str, ciphertext: &[u8], identities: &Identities) -> Result<Vec<u8>> {
    let failed = |failure: DecryptFailure| failure.into_failure_of(name);
    let mut plaintext = Vec::new();
    let mut reader = open(ciphertext, identities).map_err(failed)?;
    reader.read_to_end(&mut plaintext).map_err(|error| failed(DecryptFailure::from_stream(error)))?;
    Ok(plaintext)
}
