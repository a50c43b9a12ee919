//! Whether each row's parent is there, for chains that may fork and whose rows come in any order.
//!
//! Writers that run at the same instant read the same newest row and name it both: the chain forks, and every hash is
//! right. So what is followed is the links themselves. A row is placed when its parent was seen; until then it waits. A
//! row that names the latest of its chain, as nearly all do, is placed at once; for the others the latest rows are
//! remembered. Rows may be cut into parts, which are followed apart and merged in the order they lie in.
//!
//! In the end a row that still waits has no parent, unless that was forgotten: whether it was must then be looked up in
//! a second reading ([`Tree::wanted`]). Duplicates are found among siblings: two rows of one hash name one parent, or
//! one of them is not what was hashed. For the same reason no circle of rows can be what was hashed.

mod chain;
mod missing;
mod twins;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::followed::Followed;
use super::links::{Link, null_link};
use super::order::Order;
use super::recent::{ByKey, Recent, Seen, key};
use super::rules::Rules;
use super::sightings::{At, Words};
use crate::check::verify_chain::code;
use crate::model::verdict::Severity;

use chain::{Chain, FIRST_ROWS, Siblings};
use twins::Suspects;

/// Follows chains.
#[derive(Debug)]
pub struct Tree {
    rules: Arc<Rules>,
    chains: Vec<Chain>,
    index: HashMap<Box<[u8]>, usize>,
    /// The chain of the latest row: most often the next row's too.
    current: usize,
    recent: Recent,
    waiting: ByKey<Siblings>,
    /// How many rows wait.
    rows_waiting: usize,
    suspects: Suspects,
    order: Order,
    followed: Followed,
    /// Chains at their end with rows whose parents may have been forgotten.
    unsettled: Vec<(Chain, ByKey<Siblings>)>,
    /// Too many rows waited, so the others were not taken.
    is_full: bool,
}

impl Tree {
    /// No rows yet.
    pub fn new(rules: Arc<Rules>, order: Order) -> Self {
        let recent = Recent::of(rules.limits.latest);
        Self {
            rules,
            chains: Vec::new(),
            index: HashMap::new(),
            current: 0,
            recent,
            waiting: ByKey::default(),
            rows_waiting: 0,
            suspects: Suspects::default(),
            order,
            followed: Followed::default(),
            unsettled: Vec::new(),
            is_full: false,
        }
    }

    /// Whether there are more rows waiting than can be remembered, or more chains where they can be read one by one.
    pub fn is_too_much(&self) -> bool {
        let most = self.rules.limits.waiting;
        self.rows_waiting > most || self.order == Order::Any && self.chains.len() > most
    }

    /// Takes no more rows. Those that wait will be looked up among all.
    pub fn stop(&mut self) {
        self.is_full = true;
    }

    /// Whether it takes no more rows.
    pub fn is_stopped(&self) -> bool {
        self.is_full
    }

    /// Whether more rows would have to be followed, and nothing is wrong with those that were.
    pub fn is_unfinished(&self) -> bool {
        self.is_full && !self.followed.sightings.has_errors()
    }

    /// Takes a row.
    pub fn push(&mut self, row: &Link<'_>) {
        if self.is_full {
            return;
        }
        let at = self.find(row.chain).unwrap_or_else(|| self.begin_chain(row.chain));
        self.current = at;
        let chain = &mut self.chains[at];
        let own = row.hash.map(|hash| key(chain.hashed, hash));
        let is_first = chain.rows == 0;
        let follows_latest = !is_first
            && row.link.is_some_and(|link| chain.latest.key.is_some() && *chain.latest.hash == *link);
        let parent = Seen::new(chain.latest.number, chain.latest.has_child);
        chain.latest.has_child |= follows_latest;
        if !is_first && let Some(key) = chain.latest.key {
            self.recent.insert(key, Seen::new(chain.latest.number, chain.latest.has_child));
        }
        chain.advance(row, own);
        if follows_latest && row.hash != row.link {
            self.place(at, row, own, parent);
        } else {
            self.seek_parent(at, row, own);
        }
        if let Some(own) = own
            && let Some(siblings) = self.remove_waiting(own)
        {
            self.chains[at].latest.has_child = true;
            self.settle(siblings, Seen::new(row.number, false));
        }
    }

    /// Finds the parent of a row that is not the row before.
    fn seek_parent(&mut self, at: usize, row: &Link<'_>, own: Option<u64>) {
        let (chain, place) = (&mut self.chains[at], At { chain: row.chain, order: row.order });
        if let Some(own) = own
            && (row.link.is_none() || row.hash == row.link)
        {
            self.suspects.add(at, own, true);
        }
        let Some(link) = row.link else {
            chain.without_parent += 1;
            return null_link(&self.rules, &mut self.followed.sightings, place, row.id);
        };
        if row.hash == row.link {
            chain.without_parent += 1;
            let rules = &self.rules;
            return self.followed.sightings.push(Severity::Error, code::CYCLE, place, || Words {
                subject: rules.subject(row.id, row.chain),
                expected: format!("the {} of another row", rules.hash_name),
                actual: format!("its own, {}", rules.show(row.link)),
            });
        }
        if Some(link) == self.rules.genesis.as_deref() {
            chain.placed(row.order);
            let is_twice = own.is_some_and(|own| chain.first_keys.contains(&own));
            let forks = u64::from(chain.first_rows > 0);
            chain.first_rows += 1;
            if chain.first_keys.len() < FIRST_ROWS {
                chain.first_keys.extend(own);
            }
            self.followed.forks.add(forks, row.chain, link);
            if is_twice {
                self.followed.duplicates.add(own.unwrap_or_default(), row.chain, link);
            }
            return;
        }
        let parent = key(chain.hashed, link);
        if let Some(seen) = self.recent.adopt(parent) {
            return self.place(at, row, own, seen);
        }
        self.wait(parent, Siblings::of(at, link, row, own));
    }

    /// Judges a row whose parent is known.
    fn place(&mut self, at: usize, row: &Link<'_>, own: Option<u64>, parent: Seen) {
        self.chains[at].placed(row.order);
        if parent.has_child() {
            let link = row.link.unwrap_or_default();
            self.followed.forks.add(1, row.chain, link);
            self.compare_hash(at, own, row.chain, link);
        }
        if row.is_numbered_in_order {
            let place = At { chain: row.chain, order: row.order };
            self.followed.compare_numbers(&self.rules, row.id, place, parent.number(), row.number);
        }
    }

    /// Judges rows that waited for a parent that is known now.
    fn settle(&mut self, siblings: Siblings, parent: Seen) {
        let Siblings { chain: at, link, rows } = siblings;
        let chain = self.chains[at].key.clone();
        let forks = rows.len() as u64 - u64::from(!parent.has_child());
        self.followed.forks.add(forks, &chain, &link);
        for row in &rows {
            self.chains[at].placed(&row.order);
            if forks > 0 {
                self.compare_hash(at, row.own, &chain, &link);
            }
            if row.number.is_some() {
                let place = At { chain: &chain, order: &row.order };
                self.followed.compare_numbers(&self.rules, &row.id, place, parent.number(), row.number);
            }
        }
    }

    /// Looks for another row of this one's hash, which is one of several with the same parent.
    fn compare_hash(&mut self, at: usize, own: Option<u64>, chain: &[u8], link: &[u8]) {
        let Some(own) = own else { return };
        if self.is_twice(&self.chains[at], own) {
            self.followed.duplicates.add(own, chain, link);
            self.suspects.add(at, key(self.chains[at].hashed, link), false);
        }
    }

    /// Adds rows that were taken elsewhere, and lie after these.
    pub fn merge(&mut self, other: Self) {
        let Self { chains, mut recent, waiting, followed, suspects, .. } = other;
        self.followed.merge(followed);
        let places: Vec<usize> =
            chains.into_iter().map(|chain| self.merge_chain(chain, &mut recent)).collect();
        self.suspects.merge(suspects, &places);
        let theirs = self.recent.append(recent);
        self.settle_by_latest(theirs);
        for (parent, mut siblings) in waiting {
            siblings.chain = places[siblings.chain];
            match self.recent.adopt(parent) {
                Some(seen) => self.settle(siblings, seen),
                None => self.wait(parent, siblings),
            }
        }
        self.recent.trim();
    }

    /// Adds what is known of a chain from rows that lie after these. Returns where the chain is.
    fn merge_chain(&mut self, other: Chain, recent: &mut Recent) -> usize {
        let Some(at) = self.find(&other.key) else {
            let at = self.chains.len();
            self.index.insert(other.key.clone(), at);
            self.chains.push(other);
            return at;
        };
        let chain = &mut self.chains[at];
        let newest = if *chain.newest().0 > *other.newest().0 {
            let (order, hash) = chain.newest();
            Some((order.to_vec(), hash.to_vec()))
        } else {
            other.newest
        };
        let before = std::mem::replace(&mut chain.latest, other.latest);
        if let Some(key) = before.key {
            recent.insert(key, Seen::new(before.number, before.has_child));
        }
        chain.newest = newest;
        chain.rows += other.rows;
        chain.without_parent += other.without_parent;
        if let Some(earliest) = &other.earliest_placed {
            chain.placed(earliest);
        }
        if chain.first_rows > 0 && other.first_rows > 0 {
            let genesis = self.rules.genesis.as_deref().unwrap_or_default();
            self.followed.forks.add(1, &other.key, genesis);
            for twice in other.first_keys.iter().filter(|key| chain.first_keys.contains(key)) {
                self.followed.duplicates.add(*twice, &other.key, genesis);
            }
        }
        chain.first_rows += other.first_rows;
        let room = FIRST_ROWS - chain.first_keys.len();
        chain.first_keys.extend(other.first_keys.into_iter().take(room));
        at
    }

    /// Looks for the parents that rows wait for among the latest generations, and the latest rows.
    fn settle_by_latest(&mut self, generations: usize) {
        let keys: Vec<(u64, usize)> =
            self.waiting.iter().map(|(parent, siblings)| (*parent, siblings.chain)).collect();
        for (parent, at) in keys {
            let latest = &mut self.chains[at].latest;
            let seen = if latest.key == Some(parent) {
                let before = Seen::new(latest.number, latest.has_child);
                latest.has_child = true;
                Some(before)
            } else {
                self.recent.adopt_in_latest(parent, generations)
            };
            if let Some(seen) = seen
                && let Some(siblings) = self.remove_waiting(parent)
            {
                self.settle(siblings, seen);
            }
        }
    }

    fn wait(&mut self, parent: u64, siblings: Siblings) {
        self.rows_waiting += siblings.rows.len();
        match self.waiting.entry(parent) {
            Entry::Occupied(mut others) => others.get_mut().rows.extend(siblings.rows),
            Entry::Vacant(place) => _ = place.insert(siblings),
        }
    }

    fn remove_waiting(&mut self, parent: u64) -> Option<Siblings> {
        if self.waiting.is_empty() {
            return None;
        }
        let siblings = self.waiting.remove(&parent)?;
        self.rows_waiting -= siblings.rows.len();
        Some(siblings)
    }

    fn find(&self, chain: &[u8]) -> Option<usize> {
        match self.chains.get(self.current) {
            Some(current) if *current.key == *chain => Some(self.current),
            _ => self.index.get(chain).copied(),
        }
    }

    fn begin_chain(&mut self, key: &[u8]) -> usize {
        if self.order == Order::Grouped {
            // The chain before is at its end.
            self.close_chains();
            self.recent.clear();
        }
        let at = self.chains.len();
        self.index.insert(key.into(), at);
        self.chains.push(Chain::new(key));
        at
    }
}

#[cfg(test)]
mod tests;
