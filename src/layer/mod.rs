//! Encryption of recovery points: ciphertext stream → plaintext stream, and back.
//!
//! Only [`mod@age`] and [`identity`] know the format's library. Everything is synchronous and works on
//! [`std::io::Read`] and [`std::io::Write`]; [`pipe`] runs it between two asynchronous ends.

mod age;
mod identity;
mod memory;
pub mod pipe;

pub use age::{DecryptFailure, decrypt, encrypt};
pub use identity::{Identities, Recipients, generate_key};
pub use memory::{open, open_as, seal};

/// Keys for tests.
#[cfg(test)]
pub mod testing {
    use super::{Identities, Recipients, generate_key, seal};

    /// A key, and whom to encrypt to for it.
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
        seal(plaintext, &key.recipients).unwrap()
    }
}
