//! Which of a tenant's chains an audit row is in.

use std::num::NonZeroU16;

use md5::{Digest, Md5};

/// How many chains the rows of a tenant are spread over, unless an installation has set another number.
pub const SHARDS: NonZeroU16 = NonZeroU16::new(16).expect("it is not zero");

/// The `chain_shard` of the rows of a request: the first two bytes of the MD5 of its id, big-endian, modulo the number
/// of shards. A row without a request is in shard 0.
pub fn chain_shard(request_id: &str, shards: NonZeroU16) -> u16 {
    let digest: [u8; 16] = Md5::digest(request_id.as_bytes()).into();
    u16::from_be_bytes([digest[0], digest[1]]) % shards
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values come from Python's `hashlib`.
    #[test]
    fn a_shard_follows_from_the_request() {
        for (request, shard) in SHARDS_OF {
            assert_eq!(chain_shard(request, SHARDS), shard, "{request}");
        }
    }

    const SHARDS_OF: [(&str, u16); 3] = [
        ("11111111-1111-4111-8111-111111111111", 0),
        ("33333333-3333-4333-8333-333333333333", 2),
        ("déjà vu", 9),
    ];
}
