//! Small things, sealed and opened in memory.

use std::io::{Read, Write};

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::recipient::Recipients;
use super::stack::{encrypt, open};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;

/// Encrypts bytes that fit into memory.
///
/// # Errors
/// `encrypt_failed`.
pub fn seal_whole(plaintext: &[u8], recipients: &Recipients) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(plaintext.len() + 1024);
    blocking(|| {
        let mut writer = encrypt(&mut sealed, recipients)?;
        let written = writer.write_all(plaintext).and_then(|()| writer.finish());
        written
            .map_err(|error| Failure::inconclusive(codes::ENCRYPT_FAILED, format!("cannot encrypt: {error}")))
    })?;
    Ok(sealed)
}

/// The most that small things may open to.
const OPENED_LIMIT: u64 = 1 << 30;

/// Decrypts bytes that fit into memory. Failures call them by this name.
///
/// # Errors
/// Whatever is wrong with the file or the identities; `object_too_large`.
pub fn open_whole(name: &str, ciphertext: &[u8], identities: &Identities) -> Result<Vec<u8>> {
    let mut plaintext = Vec::new();
    let opened = blocking(|| {
        let mut reader = open(ciphertext, identities)?;
        reader
            .by_ref()
            .take(OPENED_LIMIT + 1)
            .read_to_end(&mut plaintext)
            .map_err(DecryptFailure::from_stream)
    });
    opened.map_err(|failure| failure.into_failure_of(name))?;
    if plaintext.len() as u64 > OPENED_LIMIT {
        let limit = human::bytes(OPENED_LIMIT);
        let message = format!("{name} opens to more than {limit}, the most that is read of its kind");
        return Err(Failure::inconclusive(codes::OBJECT_TOO_LARGE, message)
            .hint("it is not what the backup wrote: find out who wrote to the store"));
    }
    Ok(plaintext)
}

/// Does what may take long where it stands, without keeping other tasks of the thread waiting: gpg is another program.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let handle = tokio::runtime::Handle::try_current();
    match handle.map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
