//! Layers: what a backup is wrapped in. A layer turns one stream into another, and layers are stacked.
//!
//! To add a layer, write a file here with a [`LayerKind`], and add that to [`LAYERS`]. Only the files `age` and `identity`
//! know age's library. Everything is synchronous and works on [`std::io::Read`] and [`std::io::Write`]; [`pipe`] runs it
//! between two asynchronous ends.

mod age;
mod failure;
mod identity;
mod kind;
mod memory;
pub mod pipe;
mod stack;
#[cfg(test)]
mod tests;

pub use failure::DecryptFailure;
pub use identity::{Identities, Recipients, generate_key};
pub use kind::{LayerKind, Recognised, Seal};
pub use memory::{open_whole, seal_whole};
pub use stack::{LAYERS, Opened, encrypt, open};

/// Keys for tests.
#[cfg(test)]
pub mod testing {
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

    /// An age file for it.
    pub fn sealed(key: &Key, plaintext: &[u8]) -> Vec<u8> {
        seal_whole(plaintext, &key.recipients).unwrap()
    }
}
