//! From where to where each chain goes: which of its rows are older than another, after some were pruned.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;

use super::place;
use super::recent::{ByKey, chain_key};

/// Chains that are followed. Of others it is not known.
const CHAINS: usize = 20_000;

/// The places of the first row and the last of a chain, in the order of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extent {
    first: Vec<u8>,
    last: Vec<u8>,
    /// Whether it has a genesis row, which is what a prune takes first.
    has_genesis: bool,
}

/// Gathers extents.
#[derive(Debug, Default)]
pub struct Extents {
    chains: ByKey<Extent>,
    /// The chain of the latest row: most often the next row's too.
    current: Option<(Box<[u8]>, u64)>,
    /// Whether some places cannot be compared here, as those of text.
    unordered: bool,
}

impl Extents {
    /// Takes the place of a row, and whether its link says that it is the first of its chain.
    pub fn push(&mut self, chain: &[u8], place: &[u8], is_genesis: bool) {
        let key = match &self.current {
            Some((current, key)) if **current == *chain => *key,
            _ => chain_key(chain),
        };
        if self.current.as_ref().is_none_or(|(_, current)| *current != key) {
            self.current = Some((chain.into(), key));
        }
        self.add(key, place, place, is_genesis);
    }

    /// Adds the places of other rows.
    pub fn merge(&mut self, other: Self) {
        self.unordered |= other.unordered;
        for (key, extent) in other.chains {
            self.add(key, &extent.first, &extent.last, extent.has_genesis);
        }
    }

    fn add(&mut self, key: u64, first: &[u8], last: &[u8], has_genesis: bool) {
        let is_full = self.chains.len() >= CHAINS;
        let extent = match self.chains.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(unknown) => {
                unknown.insert(Extent { first: first.to_vec(), last: last.to_vec(), has_genesis });
                return;
            }
        };
        extent.has_genesis |= has_genesis;
        match place::compare(first, &extent.first) {
            Some(Ordering::Less) => first.clone_into(&mut extent.first),
            Some(_) => {}
            None => self.unordered = true,
        }
        match place::compare(last, &extent.last) {
            Some(Ordering::Greater) => last.clone_into(&mut extent.last),
            Some(_) => {}
            None => self.unordered = true,
        }
    }

    /// The place of the last row of a chain.
    pub fn last(&self, chain: &[u8]) -> Option<&[u8]> {
        let extent = self.chains.get(&chain_key(chain)).filter(|_| !self.unordered)?;
        Some(&extent.last)
    }

    /// Whether every row of this chain comes after a place; of any chain, if there is none of this key.
    pub fn begins_after(&self, chain: Option<&[u8]>, place: &[u8]) -> bool {
        let after = |extent: &Extent| place::compare(&extent.first, place) == Some(Ordering::Greater);
        if self.unordered || self.chains.is_empty() || self.chains.len() >= CHAINS {
            return false;
        }
        match chain.and_then(|chain| self.chains.get(&chain_key(chain))) {
            Some(extent) => after(extent),
            None => self.chains.values().all(after),
        }
    }

    /// Whether this chain begins in the middle, as after a prune: it has no genesis row. Of any chain, if there is none of
    /// this key.
    pub fn begins_in_the_middle(&self, chain: Option<&[u8]>) -> bool {
        match chain.and_then(|chain| self.chains.get(&chain_key(chain))) {
            Some(extent) => !extent.has_genesis,
            None => self.chains.values().any(|extent| !extent.has_genesis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;
    use crate::target::postgres::chain_rows::FieldKind;

    fn place(number: i64) -> Vec<u8> {
        let mut key = Vec::new();
        let raw = number.to_be_bytes();
        place::push_order(&mut key, &Value { kind: FieldKind::Int, raw: Some(&raw) });
        key
    }

    #[test]
    fn extents_go_from_the_first_place_to_the_last_whatever_order_rows_come_in() {
        let mut extents = Extents::default();
        for (chain, number) in [(b"a", 7), (b"b", 20), (b"a", 9), (b"a", 5)] {
            extents.push(chain, &place(number), false);
        }
        let mut more = Extents::default();
        more.push(b"a", &place(12), true);
        extents.merge(more);
        assert_eq!(extents.last(b"a"), Some(&*place(12)));
        assert!(extents.begins_after(Some(b"a"), &place(4)) && !extents.begins_after(Some(b"a"), &place(5)));
        assert!(extents.begins_after(Some(b"b"), &place(19)));
        assert!(extents.begins_after(None, &place(4)) && !extents.begins_after(None, &place(6)));
        assert!(extents.begins_after(Some(b"gone"), &place(4)), "as all that are there");
        assert!(!Extents::default().begins_after(None, &place(1)), "nothing is known of no rows");
        assert!(!extents.begins_in_the_middle(Some(b"a")) && extents.begins_in_the_middle(Some(b"b")));
        assert!(extents.begins_in_the_middle(Some(b"gone")), "as one that is there");
        assert!(!Extents::default().begins_in_the_middle(None));
    }

    #[test]
    fn places_of_text_tell_nothing() {
        let mut extents = Extents::default();
        for text in [&b"x"[..], b"y"] {
            let mut key = Vec::new();
            place::push_order(&mut key, &Value { kind: FieldKind::Text, raw: Some(text) });
            extents.push(b"a", &key, false);
        }
        assert_eq!(extents.last(b"a"), None);
        assert!(!extents.begins_after(None, &place(0)));
    }
}
