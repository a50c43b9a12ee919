//! What everybody speaks of. No I/O.

pub mod code;
pub mod codes;
pub mod dataset;
pub mod earlier;
pub mod entry_rule;
pub mod event;
pub mod exit;
pub mod failure;
pub mod finding_code;
pub mod foreign;
pub mod human;
pub mod manifest;
pub mod names;
pub mod order;
pub mod past;
pub mod phase;
pub mod secret;
#[cfg(test)]
pub mod testing;
pub mod transfer;
pub mod verdict;
pub mod wildcard;
