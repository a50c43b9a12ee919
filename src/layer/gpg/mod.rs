//! OpenPGP messages (RFC 4880, RFC 9580), opened and sealed by the program gpg: binary or armored.
//!
//! gpg reads ciphertext from a pipe and writes plaintext to one, so plaintext touches no disk. It writes what it has before it
//! knows that the message is whole, and it may even succeed on a message that was cut off within its first bytes. So nothing
//! counts before its exit status is 0 and its own words say that all of it was decrypted and is unaltered (`gnupg::words`).

mod decrypt;
mod encrypt;
mod packet;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::io;

use super::failure::DecryptFailure;
use super::gnupg::words;
use super::kind::LayerKind;

pub(super) use encrypt::seal;

/// OpenPGP, as the list of layers has it.
pub(super) const KIND: LayerKind =
    LayerKind { name: "gpg", encrypts: true, recognise: packet::recognise, open: decrypt::open, blame };

/// The reader gives failures that say themselves what they mean; what is left is about the pipes to gpg.
fn blame(error: io::Error) -> DecryptFailure {
    DecryptFailure::Program(Box::new(words::broke_off(&error)))
}
