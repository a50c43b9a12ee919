//! Layers: what a backup is wrapped in. A layer turns one stream into another, and layers are stacked.
//!
//! To add a layer, write a file here with a [`LayerKind`], and add that to [`LAYERS`]. Only the files `age`, `identity` and
//! `recipient` know age's library, and only `gnupg` knows the program gpg. Everything is synchronous and works on
//! [`std::io::Read`] and [`std::io::Write`]; [`pipe`] runs it between two asynchronous ends.

mod age;
mod failure;
pub mod fernet;
mod gnupg;
mod gpg;
mod gzip;
mod identity;
mod kind;
mod memory;
pub mod pipe;
mod recipient;
mod stack;
#[cfg(test)]
mod tests;
mod zstd;

pub use failure::DecryptFailure;
pub use gnupg::Keyring;
pub use identity::{Identities, generate_key};
pub use kind::{LayerKind, Recognised, Seal};
pub use memory::{blocking, open_whole, seal_whole};
pub use recipient::Recipients;
pub use stack::{LAYERS, Opened, encrypt, open};

/// Keys for tests.
#[cfg(test)]
pub mod testing {
    use std::io::Write;

    use super::{Identities, Recipients, generate_key, seal_whole};

    /// A key pair.
    pub struct Key {
        /// What opens.
        pub identities: Identities,
        /// What seals.
        pub recipients: Recipients,
    }

    /// A fresh one.
    pub fn key() -> Key {
        let (secret, public) = generate_key();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), secret.expose()).unwrap();
        Key {
            identities: Identities::load(&[file.path().to_owned()]).unwrap(),
            recipients: Recipients::parse(&[public]).unwrap(),
        }
    }

    /// Nothing that opens anything: files are taken as they are.
    pub fn no_identities(max_expansion: u64) -> Identities {
        Identities::none(max_expansion)
    }

    /// A gzip file of one member.
    pub fn gzipped(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// A zstd file of one frame, with a checksum.
    pub fn zstandard(content: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// An age file for it.
    pub fn sealed(key: &Key, plaintext: &[u8]) -> Vec<u8> {
        seal_whole(plaintext, &key.recipients).unwrap()
    }
}
