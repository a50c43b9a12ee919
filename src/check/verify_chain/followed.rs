//! What following links has shown.

use std::cmp::Ordering;

use super::heads::Heads;
use super::recent::{ByKey, chain_key, key};
use super::rules::Rules;
use super::sightings::{At, Sightings, Words};
use crate::check::verify_chain::code;
use crate::model::verdict::Severity;

/// Hashes that are there twice and are told apart; more are not counted.
const DUPLICATES: usize = 10_000;

/// A hash that rows of a chain name as their parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parent {
    /// The chain's key.
    pub chain: Box<[u8]>,
    /// The hash.
    pub hash: Box<[u8]>,
}

/// Rows beyond the first that name one parent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Forks {
    /// How many.
    pub count: u64,
    /// One of the parents.
    pub example: Option<Parent>,
}

impl Forks {
    /// Adds so many at one parent.
    pub fn add(&mut self, count: u64, chain: &[u8], parent: &[u8]) {
        if count == 0 {
            return;
        }
        self.count += count;
        // The least, so that it is the same however the rows were cut.
        let is_less = |least: &Parent| (chain, parent) < (&*least.chain, &*least.hash);
        if self.example.as_ref().is_none_or(is_less) {
            self.example = Some(Parent { chain: chain.into(), hash: parent.into() });
        }
    }

    fn merge(&mut self, other: Self) {
        if let Some(Parent { chain, hash }) = &other.example {
            self.add(other.count, chain, hash);
        }
    }
}

/// Hashes that two rows have.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// What both rows name as their parent.
    parents: ByKey<Parent>,
    /// All, and whether one of the rows has no parent. That is reported of it.
    twins: ByKey<bool>,
}

impl Duplicates {
    /// Adds a hash, by its key.
    pub fn add(&mut self, own: u64, chain: &[u8], link: &[u8]) {
        if self.parents.len() < DUPLICATES {
            self.parents.insert(own, Parent { chain: chain.into(), hash: link.into() });
        }
        self.add_twin(own, false);
    }

    /// Adds a hash, and whether one of its rows has no parent, which is reported of that row.
    pub fn add_twin(&mut self, own: u64, is_stray: bool) {
        if self.twins.len() < DUPLICATES {
            *self.twins.entry(own).or_default() |= is_stray;
        }
    }
}

/// What following the links has shown.
#[derive(Debug, Default)]
pub struct Followed {
    /// How many chains there are.
    pub chains: u64,
    /// Where they fork.
    pub forks: Forks,
    /// What is wrong.
    pub sightings: Sightings,
    /// The newest row of each.
    pub heads: Heads,
    /// Which rows are there twice.
    pub(super) duplicates: Duplicates,
}

impl Followed {
    pub(super) fn merge(&mut self, other: Self) {
        self.forks.merge(other.forks);
        self.sightings.merge(other.sightings);
        for (own, Parent { chain, hash }) in other.duplicates.parents {
            self.duplicates.add(own, &chain, &hash);
        }
        for (own, is_stray) in other.duplicates.twins {
            self.duplicates.add_twin(own, is_stray);
        }
    }

    /// Reports the rows that are there twice. After one of them nothing is known of rows that are there twice too, as
    /// where a piece of the chain was copied, nor of forks.
    pub(super) fn report_duplicates(&mut self, rules: &Rules) {
        let Duplicates { parents, twins } = std::mem::take(&mut self.duplicates);
        if !twins.is_empty() {
            self.forks = Forks::default();
        }
        for (own, Parent { chain, hash: link }) in parents {
            let is_stray = twins.get(&own).copied().unwrap_or_default();
            if !is_stray && !twins.contains_key(&key(chain_key(&chain), &link)) {
                self.report_twice(rules, &chain, &link);
            }
        }
    }

    /// Reports a row that is there twice, after this one.
    pub(super) fn report_twice(&mut self, rules: &Rules, chain: &[u8], link: &[u8]) {
        self.sightings.push(Severity::Error, code::DUPLICATE_HASH, At { chain, order: link }, || Words {
            subject: rules.chain(chain),
            expected: format!("another {} in each row", rules.hash_name),
            actual: format!(
                "two rows of the same, both after {} {}: one row is there twice",
                rules.link_name,
                rules.show(Some(link))
            ),
        });
    }

    /// Judges the number of a row by that of its parent.
    pub(super) fn compare_numbers(
        &mut self,
        rules: &Rules,
        id: &str,
        place: At<'_>,
        parent: Option<i64>,
        own: Option<i64>,
    ) {
        let (Some(parent), Some(own)) = (parent, own) else { return };
        let code = match parent.cmp(&own) {
            Ordering::Less => return,
            Ordering::Equal => code::DUPLICATE_SEQUENCE,
            Ordering::Greater => code::OUT_OF_ORDER,
        };
        self.sightings.push(Severity::Error, code, place, || Words {
            subject: rules.subject(id, place.chain),
            expected: format!("{} above {parent}, which its parent has", rules.number_name),
            actual: format!("{} {own}", rules.number_name),
        });
    }
}
