//! The hashes of the latest rows, so that a row finds its parent though others came in between.
//!
//! A hash is remembered by a key of 64 bits under a secret of this process: a writer of rows cannot choose two that
//! share one. Keys lie in generations, the oldest of which is forgotten when there are too many, so memory is bounded.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::LazyLock;

/// Generations that are full, at least, before the oldest is forgotten.
const GENERATIONS: usize = 4;

static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A chain, for [`key`].
pub fn chain_key(chain: &[u8]) -> u64 {
    SECRET.hash_one(chain)
}

/// A hash within a chain.
pub fn key(chain: u64, hash: &[u8]) -> u64 {
    SECRET.hash_one((chain, hash))
}

/// Keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Values by key.
pub type ByKey<V> = HashMap<u64, V, BuildHasherDefault<AsIs>>;

/// What is remembered of a row: its number, if it has one, whether a row names it as its parent, and whether there are
/// two of its hash. In eight bytes, since there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(i64);

impl Seen {
    const LEAST: i64 = i64::MIN / 4;
    const HAS_CHILD: i64 = 1;
    const IS_TWICE: i64 = 2;

    pub fn new(number: Option<i64>, has_child: bool) -> Self {
        let number = number.map_or(Self::LEAST, |number| number.clamp(Self::LEAST + 1, i64::MAX / 4));
        Self(number << 2 | if has_child { Self::HAS_CHILD } else { 0 })
    }

    pub fn number(self) -> Option<i64> {
        Some(self.0 >> 2).filter(|number| *number > Self::LEAST)
    }

    pub fn has_child(self) -> bool {
        self.0 & Self::HAS_CHILD != 0
    }

    fn is_twice(self) -> bool {
        self.0 & Self::IS_TWICE != 0
    }
}

type Generation = ByKey<Seen>;

/// The latest rows.
#[derive(Debug)]
pub struct Recent {
    /// How many are remembered at least.
    least: usize,
    current: Generation,
    /// The oldest in front.
    older: VecDeque<Generation>,
    forgotten: bool,
}

impl Recent {
    /// No rows yet. So many are remembered at least.
    pub fn of(least: usize) -> Self {
        Self { least, current: Generation::default(), older: VecDeque::new(), forgotten: false }
    }

    /// Remembers a row. Of several with one hash the number is that of the first.
    pub fn insert(&mut self, key: u64, seen: Seen) {
        match self.current.entry(key) {
            Entry::Vacant(place) => _ = place.insert(seen),
            Entry::Occupied(mut first) => first.get_mut().0 |= Seen::IS_TWICE | seen.0 & Seen::HAS_CHILD,
        }
        if self.current.len() * GENERATIONS >= self.least {
            self.older.push_back(std::mem::take(&mut self.current));
            self.trim();
        }
    }

    /// Looks for a row as the parent of another: from now on it has a child. Returns what it was until then.
    pub fn adopt(&mut self, key: u64) -> Option<Seen> {
        self.adopt_in_latest(key, usize::MAX)
    }

    /// The same among so many of the latest generations.
    pub fn adopt_in_latest(&mut self, key: u64, generations: usize) -> Option<Seen> {
        let all = std::iter::once(&mut self.current).chain(self.older.iter_mut().rev());
        let found = all.take(generations).find_map(|generation| generation.get_mut(&key))?;
        let before = *found;
        found.0 |= Seen::HAS_CHILD;
        Some(before)
    }

    /// How many rows of this hash are remembered; more than two may be counted as two.
    pub fn count(&self, key: u64) -> usize {
        let all = std::iter::once(&self.current).chain(&self.older);
        all.filter_map(|generation| generation.get(&key)).map(|seen| 1 + usize::from(seen.is_twice())).sum()
    }

    /// Adds rows that come after these. Returns how many of the latest generations are theirs. Nothing is forgotten
    /// until [`Recent::trim`].
    pub fn append(&mut self, other: Self) -> usize {
        let theirs = other.older.len() + 1;
        if !self.current.is_empty() {
            self.older.push_back(std::mem::take(&mut self.current));
        }
        self.older.extend(other.older);
        self.current = other.current;
        self.forgotten |= other.forgotten;
        theirs
    }

    /// Forgets what there is no room for.
    pub fn trim(&mut self) {
        let mut rows: usize = self.older.iter().map(HashMap::len).sum();
        while let Some(oldest) = self.older.front().filter(|oldest| rows - oldest.len() >= self.least) {
            rows -= oldest.len();
            self.older.pop_front();
            self.forgotten = true;
        }
    }

    /// Whether any row was forgotten.
    pub fn has_forgotten(&self) -> bool {
        self.forgotten
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.current.clear();
        self.older.clear();
        self.forgotten = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_number_and_whether_it_has_a_child() {
        for number in [None, Some(0), Some(-7), Some(i64::from(u32::MAX) << 20)] {
            for has_child in [false, true] {
                let seen = Seen::new(number, has_child);
                assert_eq!((seen.number(), seen.has_child()), (number, has_child));
            }
        }
        assert!(Seen::new(Some(i64::MIN), false).number() < Seen::new(Some(i64::MAX), false).number());
    }

    #[test]
    fn the_latest_rows_are_remembered_and_the_oldest_forgotten() {
        let mut recent = Recent::of(4_000);
        let rows = 7_000;
        for key in 0..rows {
            recent.insert(key, Seen::new(None, false));
        }
        assert!(recent.has_forgotten() && recent.count(0) == 0);
        assert!((rows - 4_000..rows).all(|key| recent.count(key) == 1));
        recent.clear();
        assert!(!recent.has_forgotten() && recent.count(rows - 1) == 0);
    }

    #[test]
    fn appended_rows_are_the_latest() {
        let of = |key| {
            let mut recent = Recent::of(4_000);
            recent.insert(key, Seen::new(Some(1), false));
            recent
        };
        let mut recent = of(1);
        let theirs = recent.append(of(2));
        assert_eq!(recent.adopt_in_latest(1, theirs), None);
        assert_eq!(recent.adopt(1), Some(Seen::new(Some(1), false)));
        assert_eq!(recent.adopt(1), Some(Seen::new(Some(1), true)));
        recent.insert(2, Seen::new(None, false));
        recent.append(of(2));
        assert_eq!((recent.count(1), recent.count(2), recent.has_forgotten()), (1, 3, false));
    }
}
