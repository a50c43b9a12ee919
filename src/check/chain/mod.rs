//! Hash chains: the audit chain of the Aegis platform (scheme `aegis-audit`), with its signed days, and chains of any
//! other make ([`Join`], [`HashFunction`], [`Encoding`]).
//!
//! A restored audit table proves itself: every row carries the hash of the row before it, and every UTC day of
//! a tenant carries a signed root. This module holds only the arithmetic of that proof. It does no I/O and sees
//! no clock, so the chain check and the sample data of the demo share one definition of a valid chain.
//!
//! ```text
//! event_hash = hex(sha256( prev_hash || json ))          one chain per (tenant_id, chain_shard)
//! json       = {"action": "…", "agent_id": "…", …}       as Python's json.dumps(…, sort_keys=True) prints it
//! ```
//!
//! The platform writes its hashes in Python, so "the same bytes" means the bytes Python prints: escapes, float
//! notation and key order are tested against vectors made with Python itself (`tests/vectors`).

mod canonical;
mod digest;
mod general;
mod keys;
mod python;
mod root;
mod row;
mod shard;
mod timestamp;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

pub use canonical::{Canonicalizer, JsonError, MAX_DEPTH};
pub use digest::HexDigest;
pub use general::{Encoding, Hash, HashFunction, Join};
pub use keys::{
    KeyError, KeyRing, fingerprint, parse_public_key, same_fingerprint, sign_receipt, verify_receipt,
};
pub use root::{EmptyRootVersion, Receipt, empty_day_root};
pub use row::{AuditRow, HashError, HashVersion, RowHasher};
pub use shard::{SHARDS, chain_shard};
pub use timestamp::push_iso_timestamp;

/// The `prev_hash` of the first row of a chain: 64 zeros.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
