//! Whether each row names the row before it, for rows that come in any order, as long as it is not far from their own.
//!
//! Rows are read in the order they lie on disk. A log lies there almost as it was written, but only almost: Postgres
//! puts a short row where an earlier page has room for it. So what is remembered of a chain is its runs. A run is a
//! piece of the chain in which every row comes after the one before and names it; a row that fits the end of one
//! prolongs it, and two that fit together become one. Of a run only its first row and its last are kept, so a sound
//! chain takes as much memory as rows of it are out of place at once.
//!
//! In the end the runs of a chain stand in their order, and what is between two of them is a finding. That holds only if
//! no run lies within another. If one does, or if there are too many, the rows must be read again, sorted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::followed::Followed;
use super::links::{Head, Link, Tail, begins, follows};
use super::rules::Rules;

/// A piece of a chain.
#[derive(Debug)]
struct Run {
    first: Head,
    last: Tail,
}

impl Run {
    /// Whether a row continues the run with nothing to remark.
    fn fits(&self, rules: &Rules, order: &[u8], link: Option<&[u8]>) -> bool {
        *self.last.order < *order
            && link.is_some()
            && self.last.hash.as_deref() == link
            && rules.adjoins(&self.last.order, order)
    }
}

/// A chain, in pieces.
#[derive(Debug)]
struct Pieces {
    key: Box<[u8]>,
    /// The run that the latest row is in.
    open: Run,
    /// The others, by the place of their first row.
    runs: BTreeMap<Box<[u8]>, Run>,
    rows: u64,
}

/// Follows chains whose rows come in any order.
#[derive(Debug)]
pub struct Runs {
    rules: Arc<Rules>,
    chains: Vec<Pieces>,
    index: HashMap<Box<[u8]>, usize>,
    /// The chain of the latest row: most often the next row's too.
    current: usize,
    /// Runs that are remembered, in all.
    remembered: usize,
    overlap: bool,
}

impl Runs {
    /// No rows yet.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules, chains: Vec::new(), index: HashMap::new(), current: 0, remembered: 0, overlap: false }
    }

    /// Whether there are more pieces than can be remembered. Then links are judged in a second reading, chain by chain.
    pub fn is_too_much(&self) -> bool {
        self.remembered > self.rules.limits.pieces
    }

    /// Takes a row.
    pub fn push(&mut self, row: &Link<'_>) {
        let Some(at) = self.find(row.chain) else {
            return self.insert_chain(row.chain.into(), Run { first: Head::of(row), last: Tail::of(row) }, 1);
        };
        self.current = at;
        self.chains[at].rows += 1;
        let open = &mut self.chains[at].open;
        if open.fits(&self.rules, row.order, row.link) {
            open.last.become_row(row.order, row.hash);
        } else {
            self.reopen(at, Run { first: Head::of(row), last: Tail::of(row) });
        }
    }

    /// Adds the rows that were taken elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.overlap |= other.overlap;
        for Pieces { key, open, runs, rows } in other.chains {
            for run in runs.into_values().chain([open]) {
                match self.find(&key) {
                    Some(at) => self.reopen(at, run),
                    None => self.insert_chain(key.clone(), run, 0),
                }
            }
            if let Some(at) = self.find(&key) {
                self.chains[at].rows += rows;
            }
        }
    }

    /// What was seen. None if the rows must first be read in their order.
    pub fn finish(mut self) -> Option<Followed> {
        let mut followed = Followed::default();
        let chains = std::mem::take(&mut self.chains);
        followed.chains = chains.len() as u64;
        for Pieces { key, open, mut runs, rows } in chains {
            self.keep(&mut runs, open);
            let mut before: Option<Run> = None;
            for run in runs.into_values() {
                let row = run.first.as_link(&key);
                match &before {
                    Some(before) => follows(&self.rules, &mut followed.sightings, &before.last, &row),
                    None => begins(&self.rules, &mut followed.sightings, &row),
                }
                before = Some(run);
            }
            let head = before.and_then(|run| run.last.hash).unwrap_or_default();
            followed.heads.push(&key, &head, rows);
        }
        (!self.overlap).then_some(followed)
    }

    fn find(&self, chain: &[u8]) -> Option<usize> {
        match self.chains.get(self.current) {
            Some(current) if *current.key == *chain => Some(self.current),
            _ => self.index.get(chain).copied(),
        }
    }

    fn insert_chain(&mut self, key: Box<[u8]>, open: Run, rows: u64) {
        self.current = self.chains.len();
        self.index.insert(key.clone(), self.current);
        self.chains.push(Pieces { key, open, runs: BTreeMap::new(), rows });
        self.remembered += 1;
    }

    /// Goes on with another run.
    fn reopen(&mut self, at: usize, run: Run) {
        let chain = &mut self.chains[at];
        let closed = std::mem::replace(&mut chain.open, run);
        let mut runs = std::mem::take(&mut chain.runs);
        self.keep(&mut runs, closed);
        self.chains[at].runs = runs;
        self.remembered += 1;
    }

    /// Puts a run among the others of its chain, joined with those it fits.
    fn keep(&mut self, runs: &mut BTreeMap<Box<[u8]>, Run>, mut run: Run) {
        let start = run.first.order.clone();
        if let Some((place, before)) = runs.range(..=start.clone()).next_back() {
            // Equal places overlap too: one of the two rows is one too many.
            self.overlap |= *before.last.order >= *start;
            if before.fits(&self.rules, &start, run.first.link.as_deref())
                && let Some(before) = runs.remove(&place.clone())
            {
                run.first = before.first;
                self.remembered -= 1;
            }
        }
        if let Some((place, after)) = runs.range(start..).next() {
            self.overlap |= *run.last.order >= *after.first.order;
            if run.fits(&self.rules, &after.first.order, after.first.link.as_deref())
                && let Some(after) = runs.remove(&place.clone())
            {
                run.last = after.last;
                self.remembered -= 1;
            }
        }
        runs.insert(run.first.order.clone(), run);
    }
}

#[cfg(test)]
mod tests;
