//! The newest row of each chain: what a later backup must still have.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::place;
use super::recent::key;

/// Chains whose heads are kept; those of the others are counted.
const KEPT: usize = 10_000;

/// The head of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The chain's key.
    pub chain: &'a [u8],
    /// The columns that tell chains apart; none for null.
    pub partitions: Vec<Option<String>>,
    /// The hash of its newest row, as it stands in the column.
    pub hash: Vec<u8>,
    /// Rows of the chain.
    pub rows: u64,
}

/// The hash of a chain's newest row, and how many rows it has.
#[derive(Debug, PartialEq, Eq)]
struct Newest {
    hash: Box<[u8]>,
    rows: u64,
}

/// Gathers heads: those of the first chains by their keys, whatever order they come in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heads {
    kept: BTreeMap<Box<[u8]>, Newest>,
    omitted: u64,
}

impl Heads {
    /// Takes the head of a chain.
    pub fn push(&mut self, chain: &[u8], hash: &[u8], rows: u64) {
        self.kept.insert(chain.into(), Newest { hash: hash.into(), rows });
        if self.kept.len() > KEPT {
            self.kept.pop_last();
            self.omitted += 1;
        }
    }

    /// The heads that are kept, by chain.
    pub fn iter(&self) -> impl Iterator<Item = Head<'_>> {
        self.kept.iter().map(|(chain, newest)| Head {
            chain,
            partitions: place::partitions(chain).map(|value| value.map(str::to_owned)).collect(),
            hash: newest.hash.to_vec(),
            rows: newest.rows,
        })
    }

    /// How many chains there are beyond those.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}

/// Rows to look out for, such as the heads that an earlier backup had.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    keys: Arc<HashSet<u64>>,
}

impl Watch {
    /// Looks out for rows of these hashes. A hash covers what is in its row, its chain's columns too, so the chain need not
    /// be known.
    pub fn of<'a>(hashes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let keys = hashes.into_iter().map(watched).collect();
        Self { keys: Arc::new(keys) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }
}

/// The watched rows that were seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sighted(HashSet<u64>);

impl Sighted {
    pub(super) fn insert(&mut self, key: u64) {
        self.0.insert(key);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether a row was seen.
    pub fn contains(&self, hash: &[u8]) -> bool {
        self.0.contains(&watched(hash))
    }
}

pub(super) fn watched(hash: &[u8]) -> u64 {
    key(0, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_those_of_the_first_chains_and_the_rest_is_counted() {
        let mut heads = Heads::default();
        for number in (0..KEPT as u32 + 5).rev() {
            let mut chain = Vec::new();
            place::push_text(&mut chain, &format!("{number:06}"));
            heads.push(&chain, b"hash", 3);
        }
        assert_eq!(heads.omitted(), 5);
        let first = heads.iter().next().unwrap();
        assert_eq!(first.partitions, [Some("000000".to_owned())]);
        assert_eq!((first.hash, first.rows), (b"hash".to_vec(), 3));
    }

    #[test]
    fn a_row_is_told_by_its_hash() {
        let watch = Watch::of([&b"x"[..]]);
        let mut sighted = Sighted::default();
        assert!(watch.contains(watched(b"x")) && !watch.contains(watched(b"y")));
        sighted.insert(watched(b"x"));
        assert!(sighted.contains(b"x") && !sighted.contains(b"y"));
    }
}
