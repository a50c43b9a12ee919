//! Parents that were forgotten, looked up in a second reading.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::links::Link;
use super::recent::{AsIs, ByKey, chain_key, key};

/// Children of one parent whose hashes are compared.
const CHILDREN: usize = 64;

/// The keys of rows to look up.
#[derive(Debug, Clone, Default)]
pub struct Wanted(Arc<HashSet<u64, BuildHasherDefault<AsIs>>>);

impl Wanted {
    pub(super) fn of(keys: impl Iterator<Item = u64>) -> Self {
        Self(Arc::new(keys.collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was found of one of them.
#[derive(Debug, Default)]
struct Parent {
    /// Its number, if it is there.
    found: Option<Option<i64>>,
    children: u64,
    /// The keys of some of its children.
    keys: Vec<u64>,
}

/// What a reading of all rows has found. Rows may be cut into parts in any way.
#[derive(Debug, Default)]
pub struct FoundParents {
    wanted: Wanted,
    parents: ByKey<Parent>,
    /// The latest chain and its key.
    chain: Vec<u8>,
    hashed: u64,
}

impl FoundParents {
    /// Nothing yet.
    pub fn of(wanted: Wanted) -> Self {
        let hashed = chain_key(b"");
        Self { wanted, parents: ByKey::default(), chain: Vec::new(), hashed }
    }

    /// Takes a row.
    pub fn push(&mut self, row: &Link<'_>) {
        if *self.chain != *row.chain {
            row.chain.clone_into(&mut self.chain);
            self.hashed = chain_key(row.chain);
        }
        let own = row.hash.map(|hash| key(self.hashed, hash));
        if let Some(own) = own
            && self.wanted.0.contains(&own)
        {
            self.parents.entry(own).or_default().found.get_or_insert(row.number);
        }
        let Some(parent) = row.link.map(|link| key(self.hashed, link)) else { return };
        if self.wanted.0.contains(&parent) {
            let parent = self.parents.entry(parent).or_default();
            parent.children += 1;
            if parent.keys.len() < CHILDREN {
                parent.keys.extend(own);
            }
        }
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (key, theirs) in other.parents {
            let ours = self.parents.entry(key).or_default();
            ours.found = ours.found.or(theirs.found);
            ours.children += theirs.children;
            let room = CHILDREN - ours.keys.len();
            ours.keys.extend(theirs.keys.into_iter().take(room));
        }
    }

    /// A row's number and how many name it; none if it is not there.
    pub(super) fn parent(&self, key: u64) -> Option<(Option<i64>, u64)> {
        let parent = self.parents.get(&key)?;
        Some((parent.found?, parent.children))
    }

    /// The keys of its children that are there twice.
    pub(super) fn duplicates(&self, key: u64) -> Vec<u64> {
        let mut keys = self.parents.get(&key).map_or_else(Vec::new, |parent| parent.keys.clone());
        keys.sort_unstable();
        keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
    }
}
