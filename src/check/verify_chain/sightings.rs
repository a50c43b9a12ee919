//! Findings of a chain, each with the place it was seen at.
//!
//! Rows are read in parts and in parallel, so findings come in no order to rely on. The ones that are kept are those
//! of the first places, errors before warnings: the same, however the rows were cut.

use std::collections::BinaryHeap;

use crate::check::findings::{FINDINGS_KEPT, Findings};
use crate::model::code::Code;
use crate::model::verdict::{Finding, Severity};

/// What and where, in the order it is shown.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    lesser: bool,
    chain: Box<[u8]>,
    order: Box<[u8]>,
    code: Code,
    subject: String,
}

#[derive(Debug)]
struct Sighting {
    rank: Rank,
    severity: Severity,
    expected: String,
    actual: String,
}

impl Sighting {
    fn key(&self) -> (&Rank, &str, &str) {
        (&self.rank, &self.actual, &self.expected)
    }
}

impl PartialEq for Sighting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Sighting {}

impl PartialOrd for Sighting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sighting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Where something was seen.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The chain's key.
    pub chain: &'a [u8],
    /// The order key.
    pub order: &'a [u8],
}

/// What was seen, in words.
#[derive(Debug)]
pub struct Words {
    /// The row.
    pub subject: String,
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

/// Collects sightings: keeps the first places, counts all.
#[derive(Debug, Default)]
pub struct Sightings {
    /// The greatest on top, to be dropped first.
    kept: BinaryHeap<Sighting>,
    total: u64,
    errors: u64,
}

impl Sightings {
    /// Adds one. The words are made only if it is kept.
    pub fn push(&mut self, severity: Severity, code: Code, at: At<'_>, words: impl FnOnce() -> Words) {
        self.total += 1;
        self.errors += u64::from(severity == Severity::Error);
        let lesser = severity < Severity::Error;
        if self.kept.len() >= FINDINGS_KEPT
            && self.kept.peek().is_some_and(|last| {
                let last = &last.rank;
                (last.lesser, &*last.chain, &*last.order, last.code) < (lesser, at.chain, at.order, code)
            })
        {
            return;
        }
        let Words { subject, expected, actual } = words();
        let rank = Rank { lesser, chain: at.chain.into(), order: at.order.into(), code, subject };
        self.keep(Sighting { rank, severity, expected, actual });
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.errors += other.errors;
        other.kept.into_iter().for_each(|sighting| self.keep(sighting));
    }

    fn keep(&mut self, sighting: Sighting) {
        self.kept.push(sighting);
        if self.kept.len() > FINDINGS_KEPT {
            self.kept.pop();
        }
    }

    /// As findings, in their order.
    pub fn into_findings(self) -> Findings {
        let kept = self.kept.into_sorted_vec().into_iter().map(|sighting| Finding {
            severity: sighting.severity,
            code: sighting.rank.code,
            subject: sighting.rank.subject,
            expected: sighting.expected,
            actual: sighting.actual,
        });
        Findings::of(kept.collect(), self.total, self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(sightings: &mut Sightings, severity: Severity, place: u16) {
        let words = || Words { subject: place.to_string(), expected: String::new(), actual: String::new() };
        sightings.push(severity, Code::new("x"), At { chain: b"", order: &place.to_be_bytes() }, words);
    }

    #[test]
    fn the_first_places_are_kept_in_whatever_order_they_come() {
        let mut whole = Sightings::default();
        let mut parts = [Sightings::default(), Sightings::default(), Sightings::default()];
        for place in (0..1000).rev() {
            let severity = if place % 2 == 0 { Severity::Error } else { Severity::Warning };
            push(&mut whole, severity, place);
            push(&mut parts[usize::from(place % 3)], severity, place);
        }
        let [first, second, mut third] = parts;
        third.merge(first);
        third.merge(second);
        let outcomes =
            [whole, third].map(|sightings| sightings.into_findings().into_outcome(1, String::new()));
        assert_eq!(outcomes[0], outcomes[1]);
        assert_eq!(outcomes[0].findings_total, 1000);
        let subjects: Vec<u16> = outcomes[0].findings.iter().map(|f| f.subject.parse().unwrap()).collect();
        assert_eq!(subjects, (0..200).step_by(2).collect::<Vec<_>>(), "errors before warnings");
    }
}
