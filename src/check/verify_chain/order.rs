//! In which order rows are read.

/// How rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In any order, such as that in which they lie on disk.
    Any,
    /// The rows of each chain in their order, chains interleaved in any way.
    Interleaved,
    /// Chain by chain, the rows of each in their order.
    Grouped,
}
