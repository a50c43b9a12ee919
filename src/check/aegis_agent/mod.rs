//! Checks of what only AegisAgent has: receipts and a log of policies, chained by their hashes, in SQLite.

mod canonical;
mod code;
mod fold;
mod heads;
pub mod policy_log;
mod read;
pub mod receipts;
mod signatures;

pub use canonical::hash;
