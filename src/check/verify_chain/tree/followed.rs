//! What following links has shown.

use std::cmp::Ordering;

use super::super::heads::Heads;
use super::super::links::Rules;
use super::super::recent::ByKey;
use super::super::sightings::{At, Sightings, Words};
use crate::verdict::Severity;

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

/// Hashes that two rows have: each with what both name as their parent.
#[derive(Debug, Default)]
pub struct Duplicates(ByKey<Parent>);

impl Duplicates {
    /// Adds a hash, by its key.
    pub fn add(&mut self, own: u64, chain: &[u8], link: &[u8]) {
        if self.0.len() < DUPLICATES {
            self.0.insert(own, Parent { chain: chain.into(), hash: link.into() });
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
        for (own, Parent { chain, hash }) in other.duplicates.0 {
            self.duplicates.add(own, &chain, &hash);
        }
    }

    /// Reports the rows that are there twice.
    pub(super) fn report_duplicates(&mut self, rules: &Rules) {
        for Parent { chain, hash: link } in std::mem::take(&mut self.duplicates).0.into_values() {
            self.sightings.push(
                Severity::Error,
                "duplicate_hash",
                At { chain: &chain, order: &link },
                || Words {
                    subject: rules.chain(&chain),
                    expected: format!("another {} in each row", rules.hash_name),
                    actual: format!(
                        "two rows of the same, both after {} {}: one row is there twice",
                        rules.link_name,
                        rules.show(Some(&link))
                    ),
                },
            );
        }
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
            Ordering::Equal => "duplicate_sequence",
            Ordering::Greater => "out_of_order",
        };
        self.sightings.push(Severity::Error, code, place, || Words {
            subject: rules.subject(id, place.chain),
            expected: format!("{} above {parent}, which its parent has", rules.number_name),
            actual: format!("{} {own}", rules.number_name),
        });
    }
}
