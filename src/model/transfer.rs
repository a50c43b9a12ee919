//! What a stream through a layer's cipher carried, and how long each side of it took.

use std::time::Duration;

/// Hashes, sizes and times of one stream that reached its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferStats {
    /// The names of the layers, the outermost first.
    pub layers: Vec<&'static str>,
    /// SHA-256 of the ciphertext, in hex.
    pub ciphertext_sha256: String,
    /// SHA-256 of the plaintext, in hex.
    pub plaintext_sha256: String,
    /// Bytes of plaintext.
    pub plaintext_bytes: u64,
    /// Bytes of ciphertext.
    pub ciphertext_bytes: u64,
    /// Time spent waiting for input.
    pub waited_for_input: Duration,
    /// Time spent waiting for the output to be taken.
    pub waited_for_output: Duration,
    /// The rest: ciphers and hashes.
    pub worked: Duration,
}
