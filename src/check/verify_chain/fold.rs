//! Rows into an outcome.

use std::sync::Arc;

use super::content::{ContentJudge, Fields};
use super::layout::Layout;
use super::links::{Link, Links};
use super::place;
use super::runs::Runs;
use super::sightings::{At, Sightings, Words};
use super::value::Kind;
use crate::check::Outcome;
use crate::human;
use crate::verdict::Severity;

/// Pieces of chains that are remembered while rows come in any order: about 50 MB of them. With more, links are judged
/// in a second reading, chain by chain.
const RUNS_REMEMBERED: usize = 100_000;

/// How rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In any order, such as that in which they lie on disk.
    Any,
    /// The rows of each chain in their order, chains interleaved in any way.
    Interleaved,
    /// Chain by chain, the rows of each in their order.
    Grouped,
}

/// What follows the links.
#[derive(Debug)]
enum Following {
    Runs(Runs),
    Interleaved(Links),
    Grouped(Links),
    /// Nothing: the links have to be judged by another fold.
    GivenUp,
    /// What another fold has found out.
    Known(u64, Sightings),
}

/// Folds rows. Rows that come in any order can be cut into parts that are folded apart and merged.
#[derive(Debug)]
pub struct RowFold {
    layout: Arc<Layout>,
    kinds: Arc<[Kind]>,
    following: Following,
    content: Sightings,
    judge: ContentJudge,
    rows: u64,
    row: Located,
}

/// Which row it is, and where. Its buffers are used again for every row.
#[derive(Debug, Default)]
struct Located {
    id: String,
    chain: Vec<u8>,
    order: Vec<u8>,
}

impl Located {
    fn locate(&mut self, layout: &Layout, fields: Fields<'_>) {
        self.id.clear();
        for (nth, index) in layout.id.iter().enumerate() {
            if nth > 0 {
                self.id.push_str(", ");
            }
            self.id.push_str(fields.get(*index).shown(&mut [0; 40]).as_deref().unwrap_or("null"));
        }
        self.chain.clear();
        for at in &layout.partition {
            match (at.index.map(|index| fields.get(index)), at.absent) {
                (Some(value), None) => place::push_partition(&mut self.chain, &value),
                (Some(value), _) if value.raw.is_some() => place::push_partition(&mut self.chain, &value),
                (_, absent) => place::push_text(&mut self.chain, &absent.unwrap_or_default().to_string()),
            }
        }
        self.order.clear();
        for index in &layout.order {
            place::push_order(&mut self.order, &fields.get(*index));
        }
    }
}

impl RowFold {
    /// No rows yet. Their fields are those of the layout, and of these kinds.
    pub fn new(layout: Arc<Layout>, kinds: Arc<[Kind]>, order: Order) -> Self {
        let rules = || Arc::clone(&layout.rules);
        let following = match order {
            // Text is ordered by a collation, which only the server knows.
            Order::Any if !layout.order.iter().all(|index| kinds[*index].has_order()) => Following::GivenUp,
            Order::Any => Following::Runs(Runs::new(rules())),
            Order::Interleaved => Following::Interleaved(Links::new(rules())),
            Order::Grouped => Following::Grouped(Links::new(rules())),
        };
        Self {
            layout,
            kinds,
            following,
            content: Sightings::default(),
            judge: ContentJudge::default(),
            rows: 0,
            row: Located::default(),
        }
    }

    /// Takes the next row.
    pub fn push(&mut self, raw: &[Option<&[u8]>]) {
        self.rows += 1;
        let (layout, fields) = (&*self.layout, Fields { kinds: &self.kinds, raw });
        self.row.locate(layout, fields);
        let Located { id, chain, order } = &self.row;
        let (hash, link) = (raw[layout.hash], raw[layout.link]);
        if let Some(fault) = self.judge.judge(&layout.content, &layout.rules, fields, hash, link) {
            let at = At { chain, order };
            self.content.push(Severity::Error, fault.code, at, || Words {
                subject: layout.rules.subject(id, chain),
                expected: fault.expected,
                actual: fault.actual,
            });
        }
        let row = Link { id, chain, order, hash, link };
        match &mut self.following {
            Following::Runs(runs) => {
                runs.push(&row);
                if runs.remembered() > RUNS_REMEMBERED {
                    self.following = Following::GivenUp;
                }
            }
            Following::Interleaved(links) => links.push(&row),
            Following::Grouped(links) => links.push_grouped(&row),
            Following::GivenUp | Following::Known(..) => {}
        }
    }

    /// Adds what was found in other rows, where both come in any order.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.content.merge(other.content);
        match (&mut self.following, other.following) {
            (Following::Runs(runs), Following::Runs(more)) => {
                runs.merge(more);
                if runs.remembered() > RUNS_REMEMBERED {
                    self.following = Following::GivenUp;
                }
            }
            (following, _) => *following = Following::GivenUp,
        }
    }

    /// Ends the following of links. False if it came to nothing: then [`RowFold::take_links`] must bring them.
    pub fn conclude_links(&mut self) -> bool {
        let concluded = match std::mem::replace(&mut self.following, Following::GivenUp) {
            Following::Runs(runs) => runs.finish(),
            Following::Interleaved(links) | Following::Grouped(links) => Some(links.finish()),
            Following::GivenUp => None,
            Following::Known(chains, sightings) => Some((chains, sightings)),
        };
        let Some((chains, sightings)) = concluded else { return false };
        self.following = Following::Known(chains, sightings);
        true
    }

    /// Takes what a fold of the same rows, in their order, has found out of the links.
    pub fn take_links(&mut self, mut ordered: Self) {
        ordered.conclude_links();
        self.following = ordered.following;
    }

    /// The outcome.
    pub fn finish(mut self) -> Outcome {
        self.conclude_links();
        let mut seen = self.content;
        let mut chains = 0;
        if let Following::Known(count, of_links) = self.following {
            chains = count;
            seen.merge(of_links);
        }
        let held = format!("{} rows in {}", human::count(self.rows), human::things(chains, "chain"));
        seen.into_findings().into_outcome(self.rows, held)
    }
}

#[cfg(test)]
mod tests;
