//! Rows without a parent, once a chain is at its end: where it begins after a prune, and where rows are missing.

use super::super::followed::Followed;
use super::super::recent::{ByKey, Seen};
use super::super::search::{FoundParents, Wanted};
use super::super::sightings::{At, Words};
use super::{Chain, Siblings, Tree};
use crate::check::verify_chain::code;
use crate::model::code::Code;
use crate::model::verdict::Severity;

impl Tree {
    /// Ends the following. Then [`Tree::wanted`] says what has to be looked up.
    pub fn close_chains(&mut self) {
        self.find_twins();
        let mut waiting: Vec<ByKey<Siblings>> = Vec::new();
        waiting.resize_with(self.chains.len(), ByKey::default);
        for (parent, siblings) in std::mem::take(&mut self.waiting) {
            waiting[siblings.chain].insert(parent, siblings);
        }
        self.index.clear();
        for (chain, waiting) in std::mem::take(&mut self.chains).into_iter().zip(waiting) {
            self.followed.chains += 1;
            let (_, hash) = chain.newest();
            self.followed.heads.push(&chain.key, hash, chain.rows);
            // Where a chain has one beginning, its parent would be one of its own descendants if it were there.
            let is_certain = waiting.is_empty()
                || !self.is_full
                    && (!self.recent.has_forgotten() || chain.first_rows == 0 && waiting.len() < 2);
            if is_certain {
                self.rows_waiting -= waiting.values().map(|siblings| siblings.rows.len()).sum::<usize>();
                self.judge(&chain, waiting);
            } else {
                self.unsettled.push((chain, waiting));
            }
        }
    }

    /// The parents that must be looked up among all rows; none if there is nothing to look up.
    pub fn wanted(&self) -> Option<Wanted> {
        let wanted = Wanted::of(self.unsettled.iter().flat_map(|(_, waiting)| waiting.keys().copied()));
        Some(wanted).filter(|wanted| !wanted.is_empty())
    }

    /// Takes what was looked up.
    pub fn take_found(&mut self, found: &FoundParents) {
        for (chain, mut waiting) in std::mem::take(&mut self.unsettled) {
            self.chains = vec![chain];
            for parent in waiting.keys().copied().collect::<Vec<_>>() {
                let Some((number, children)) = found.parent(parent) else { continue };
                let Some(mut siblings) = waiting.remove(&parent) else { continue };
                siblings.chain = 0;
                for twice in found.duplicates(parent) {
                    self.followed.duplicates.add(twice, &self.chains[0].key, &siblings.link);
                }
                let has_others = children > siblings.rows.len() as u64;
                self.settle(siblings, Seen::new(number, has_others));
            }
            self.find_twins();
            let chain = self.chains.swap_remove(0);
            self.judge(&chain, waiting);
        }
    }

    /// What all of it has shown.
    pub fn finish(mut self) -> Followed {
        self.followed.report_duplicates(&self.rules);
        self.followed
    }

    /// Reports rows whose parents are missing. A chain without its first row was pruned, or lost its beginning: then the
    /// rows before every row that is placed are where it begins now, and those that name the same parent as one of them.
    fn judge(&mut self, chain: &Chain, waiting: ByKey<Siblings>) {
        if waiting.is_empty() {
            // Where not all rows were taken, the first of them may not have been.
            if chain.first_rows == 0 && chain.without_parent == 0 && !self.is_full {
                self.report_circle(chain);
            }
            return;
        }
        let earliest = |siblings: &Siblings| siblings.rows.iter().map(|row| row.order.clone()).min();
        let first = waiting.values().filter_map(earliest).min();
        for siblings in waiting.into_values() {
            self.compare_orphans(chain, &siblings);
            let own = earliest(&siblings);
            let is_beginning = chain.first_rows == 0
                && (own == first
                    || chain.earliest_placed.as_ref().is_none_or(|placed| own.as_ref() < Some(placed)));
            let (severity, code) = match (is_beginning, self.rules.require_genesis) {
                (true, false) => (Severity::Warning, code::MISSING_GENESIS),
                (true, true) => (Severity::Error, code::MISSING_GENESIS),
                (false, _) => (Severity::Error, code::BROKEN_LINK),
            };
            for row in &siblings.rows {
                self.report_missing(chain, severity, code, &siblings.link, &row.id, &row.order);
            }
        }
    }

    fn report_missing(
        &mut self,
        chain: &Chain,
        severity: Severity,
        code: Code,
        link: &[u8],
        id: &str,
        order: &[u8],
    ) {
        let rules = &self.rules;
        self.followed.sightings.push(severity, code, At { chain: &chain.key, order }, || {
            let link = rules.show(Some(link));
            let (expected, actual) = if code == code::MISSING_GENESIS {
                let genesis = rules.show(rules.genesis.as_deref());
                (format!("{} {genesis}", rules.link_name), format!("{} {link}", rules.link_name))
            } else {
                let expected = format!("a row before it, with {} {link}", rules.hash_name);
                (expected, "its parent is missing: no row of the chain has that hash".to_owned())
            };
            Words { subject: rules.subject(id, &chain.key), expected, actual }
        });
    }

    /// A chain in which every row has its parent and none is the first.
    fn report_circle(&mut self, chain: &Chain) {
        let rules = &self.rules;
        self.followed.sightings.push(
            Severity::Error,
            code::CYCLE,
            At { chain: &chain.key, order: b"" },
            || Words {
                subject: rules.chain(&chain.key),
                expected: "a first row".to_owned(),
                actual: "none: its links go round in a circle".to_owned(),
            },
        );
    }
}
