//! Whether each row names the row before it, for rows that come in the order of their chains.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::followed::Followed;
use super::place;
use super::rules::Rules;
use super::sightings::{At, Sightings, Words};
use crate::check::verify_chain::code;
use crate::model::verdict::Severity;

/// What of a row its links depend on.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The row, for people.
    pub id: &'a str,
    /// The key of its chain, see [`place`].
    pub chain: &'a [u8],
    /// Its order key.
    pub order: &'a [u8],
    /// Its own hash.
    pub hash: Option<&'a [u8]>,
    /// What it says the hash of the row before is.
    pub link: Option<&'a [u8]>,
    /// Its number, where rows are numbered as they are written.
    pub number: Option<i64>,
    /// Whether its number is known to be above its parent's.
    pub is_numbered_in_order: bool,
}

/// The first row of a chain, or of a part of one.
#[derive(Debug)]
pub struct Head {
    /// The row, for people.
    pub id: Box<str>,
    /// Its order key.
    pub order: Box<[u8]>,
    /// What it says the hash of the row before is.
    pub link: Option<Box<[u8]>>,
}

impl Head {
    /// Remembers a row.
    pub fn of(row: &Link<'_>) -> Self {
        Self { id: row.id.into(), order: row.order.into(), link: row.link.map(Into::into) }
    }

    /// As a row of this chain; its own hash is not known any more, and nothing that looks back needs it.
    pub fn as_link<'a>(&'a self, chain: &'a [u8]) -> Link<'a> {
        let link = self.link.as_deref();
        Link {
            id: &self.id,
            chain,
            order: &self.order,
            hash: None,
            link,
            number: None,
            is_numbered_in_order: false,
        }
    }
}

/// The last row of a chain, or of a part of one.
#[derive(Debug)]
pub struct Tail {
    /// Its order key.
    pub order: Vec<u8>,
    /// Its own hash.
    pub hash: Option<Vec<u8>>,
}

impl Tail {
    /// Remembers a row.
    pub fn of(row: &Link<'_>) -> Self {
        Self { order: row.order.to_vec(), hash: row.hash.map(<[u8]>::to_vec) }
    }

    /// Remembers the next row instead. Reuses the buffers: this runs for every row.
    pub fn become_row(&mut self, order: &[u8], hash: Option<&[u8]>) {
        self.order.clear();
        self.order.extend_from_slice(order);
        match (&mut self.hash, hash) {
            (Some(last), Some(hash)) => {
                last.clear();
                last.extend_from_slice(hash);
            }
            (last, hash) => *last = hash.map(<[u8]>::to_vec),
        }
    }
}

/// Follows chains, whose rows may be interleaved in any way. Of each chain its last row is remembered.
#[derive(Debug)]
pub struct Links {
    rules: Arc<Rules>,
    /// With the number of its rows.
    tails: HashMap<Box<[u8]>, (Tail, u64)>,
    followed: Followed,
}

impl Links {
    /// No rows yet.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules, tails: HashMap::new(), followed: Followed::default() }
    }

    /// Takes the next row.
    pub fn push(&mut self, row: &Link<'_>) {
        match self.tails.get_mut(row.chain) {
            Some((tail, rows)) => {
                follows(&self.rules, &mut self.followed.sightings, tail, row);
                tail.become_row(row.order, row.hash);
                *rows += 1;
            }
            None => {
                begins(&self.rules, &mut self.followed.sightings, row);
                self.tails.insert(row.chain.into(), (Tail::of(row), 1));
            }
        }
    }

    /// Takes the next row of rows that come chain by chain: only one chain is ever remembered.
    pub fn push_grouped(&mut self, row: &Link<'_>) {
        if !self.tails.contains_key(row.chain) {
            self.end_chains();
        }
        self.push(row);
    }

    /// What was seen.
    pub fn finish(mut self) -> Followed {
        self.end_chains();
        self.followed
    }

    fn end_chains(&mut self) {
        for (chain, (tail, rows)) in self.tails.drain() {
            self.followed.chains += 1;
            self.followed.heads.push(&chain, tail.hash.as_deref().unwrap_or_default(), rows);
        }
    }
}

/// Judges the first row of a chain.
pub fn begins(rules: &Rules, sightings: &mut Sightings, row: &Link<'_>) {
    if row.link == rules.genesis.as_deref() {
        return;
    }
    let at = At { chain: row.chain, order: row.order };
    if row.link.is_none() {
        return null_link(rules, sightings, at, row.id);
    }
    let severity = if rules.require_genesis { Severity::Error } else { Severity::Warning };
    sightings.push(severity, code::MISSING_GENESIS, at, || Words {
        subject: rules.subject(row.id, row.chain),
        expected: format!("{} {}", rules.link_name, rules.show(rules.genesis.as_deref())),
        actual: format!("{} {}", rules.link_name, rules.show(row.link)),
    });
}

/// Judges a row by the one before it.
pub fn follows(rules: &Rules, sightings: &mut Sightings, last: &Tail, row: &Link<'_>) {
    let at = At { chain: row.chain, order: row.order };
    match (&last.hash, row.link) {
        (_, None) => null_link(rules, sightings, at, row.id),
        (Some(expected), Some(link)) if **expected != *link => {
            sightings.push(Severity::Error, code::BROKEN_LINK, at, || Words {
                subject: rules.subject(row.id, row.chain),
                expected: format!("{} {}", rules.link_name, rules.show(Some(expected))),
                actual: format!("{} {}", rules.link_name, rules.show(Some(link))),
            });
        }
        // The row before has no hash, which is a finding of its own.
        _ => {}
    }
    let name = &rules.order_name;
    match place::compare(&last.order, row.order) {
        Some(order @ (Ordering::Equal | Ordering::Greater)) => {
            let code = if order == Ordering::Equal { code::DUPLICATE_SEQUENCE } else { code::OUT_OF_ORDER };
            sightings.push(Severity::Error, code, at, || Words {
                subject: rules.subject(row.id, row.chain),
                expected: format!("{name} above {}", place::show(&last.order)),
                actual: format!("{name} {}", place::show(row.order)),
            });
        }
        Some(Ordering::Less) if !rules.adjoins(&last.order, row.order) => {
            sightings.push(Severity::Error, code::SEQUENCE_GAP, at, || Words {
                subject: rules.subject(row.id, row.chain),
                expected: format!("{name} next after {}", place::show(&last.order)),
                actual: format!("{name} {}", place::show(row.order)),
            });
        }
        _ => {}
    }
}

/// Judges a row without a link.
pub fn null_link(rules: &Rules, sightings: &mut Sightings, at: At<'_>, id: &str) {
    sightings.push(Severity::Error, code::NULL_HASH, at, || Words {
        subject: rules.subject(id, at.chain),
        expected: format!("{} is set", rules.link_name),
        actual: format!("{} is null", rules.link_name),
    });
}
