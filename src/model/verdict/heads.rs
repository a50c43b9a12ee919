//! The newest row of each chain that a check verified: what a later backup must still have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The heads of a table's chains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainHeads {
    /// How many chains there are.
    pub chains: u64,
    /// The heads of the first ones.
    pub heads: Vec<ChainHead>,
}

/// The head of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainHead {
    /// The first 32 digits of the SHA-256 of the columns that tell chains apart, as a JSON array: it distinguishes chains
    /// and does not reveal their owners.
    pub chain: String,
    /// The hash of the newest row of the chain, as it stands in the column; raw bytes as `\\x…`.
    pub hash: String,
    /// Rows of the chain.
    pub rows: u64,
    /// Where the last row of the chain stands in the order of the table, as this program writes it; null where that is not known.
    pub place: Option<String>,
}
