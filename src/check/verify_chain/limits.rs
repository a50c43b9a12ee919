//! How much is remembered of a table while the links of its rows are followed, whatever its size.

/// Bounds of what is remembered. Smaller ones change no finding; they make a second reading more likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The latest rows that are remembered at least, in some 40 bytes each. Writers fork a chain within seconds, and a
    /// short row lies a few pages from its place.
    pub latest: usize,
    /// Rows that may wait for their parents at once, and chains that are followed at once.
    pub waiting: usize,
    /// Pieces of chains, where columns order them, in some 500 bytes each.
    pub pieces: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { latest: 1 << 18, waiting: 100_000, pieces: 100_000 }
    }
}
