//! Encryption of recovery points: ciphertext stream → plaintext stream, and back.
//!
//! Only [`age`](self::age) and [`identity`] know the format's library. Everything is synchronous and works on
//! [`std::io::Read`] and [`std::io::Write`]; [`pipe`] runs it between two asynchronous ends.

mod age;
mod identity;
pub mod pipe;

pub use age::{DecryptFailure, decrypt, encrypt};
pub use identity::{Identities, Recipients, generate_key};
