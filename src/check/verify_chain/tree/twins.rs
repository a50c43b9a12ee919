//! Rows of one hash.
//!
//! What is known of them is known of each apart, and which of the two another row comes after depends on the order in
//! which rows come. So that no finding does, a row that is there twice is reported, and neither are such rows after it,
//! nor how many forks there are. Two rows of one hash and one parent are found as siblings, unless that parent is there
//! twice itself, or is missing: for those, rows are compared in the end. Others are not what was hashed.

use super::Tree;
use super::chain::{Chain, Siblings};
use crate::check::verify_chain::recent::ByKey;

/// Rows that are remembered; more are not compared.
const SUSPECTS: usize = 10_000;

/// Rows to compare in the end, with the chain of each, and whether its link says nothing. The others are parents of rows
/// that are there twice.
#[derive(Debug, Default)]
pub struct Suspects(ByKey<(usize, bool)>);

impl Suspects {
    /// Adds a row of this hash.
    pub fn add(&mut self, chain: usize, own: u64, is_stray: bool) {
        if self.0.len() < SUSPECTS {
            self.0.entry(own).or_insert((chain, false)).1 |= is_stray;
        }
    }

    /// Adds rows that were taken elsewhere, whose chains have these places now.
    pub fn merge(&mut self, other: Self, places: &[usize]) {
        other.0.into_iter().for_each(|(own, (chain, is_stray))| self.add(places[chain], own, is_stray));
    }
}

impl Tree {
    /// Whether two rows of this hash are remembered.
    pub(super) fn is_twice(&self, chain: &Chain, own: u64) -> bool {
        self.recent.count(own) + usize::from(chain.latest.key == Some(own)) > 1
    }

    /// Looks for rows of one hash among those.
    pub(super) fn find_twins(&mut self) {
        for (own, (chain, is_stray)) in std::mem::take(&mut self.suspects).0 {
            if self.is_twice(&self.chains[chain], own) {
                self.followed.duplicates.add_twin(own, is_stray);
            }
        }
    }

    /// Looks for rows of the same hash as one of those whose parent is missing.
    pub(super) fn compare_orphans(&mut self, chain: &Chain, siblings: &Siblings) {
        let mut keys: Vec<u64> = siblings.rows.iter().filter_map(|row| row.own).collect();
        keys.sort_unstable();
        for own in keys.iter().copied() {
            if self.is_twice(chain, own) {
                self.followed.duplicates.add_twin(own, true);
            }
        }
        for pair in keys.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.followed.duplicates.add_twin(pair[0], true);
            self.followed.report_twice(&self.rules, &chain.key, &siblings.link);
        }
    }
}
