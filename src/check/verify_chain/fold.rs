//! Rows into an outcome.

use std::sync::Arc;

use super::content::ContentJudge;
use super::extents::Extents;
use super::fields::Fields;
use super::followed::Followed;
use super::heads::{Heads, Sighted, Watch, watched};
use super::layout::Layout;
use super::links::Links;
use super::order::Order;
use super::place;
use super::remarks;
use super::runs::Runs;
use super::search::{FoundParents, Wanted};
use super::sightings::{At, Sightings, Words};
use super::tree::Tree;
use crate::check::Outcome;
use crate::model::human;
use crate::model::verdict::Severity;
use crate::target::postgres::chain_rows::FieldKind;

/// What follows the links.
#[derive(Debug)]
enum Following {
    Runs(Runs),
    Interleaved(Links),
    Grouped(Links),
    Tree(Box<Tree>),
    /// Nothing: the links have to be judged by another fold.
    GivenUp,
    /// What was found out.
    Known(Followed),
}

/// What has to be done before an outcome is known.
#[derive(Debug)]
pub enum Step {
    /// Nothing more.
    Done,
    /// The rows must be read sorted, see [`RowFold::take_links`].
    Sort,
    /// Some rows must be looked up among all, see [`RowFold::take_found`].
    Search(Wanted),
}

/// An outcome, and what a later drill compares with.
#[derive(Debug)]
pub struct Verified {
    /// What the check has found.
    pub outcome: Outcome,
    /// The newest row of each chain.
    pub heads: Heads,
    /// Which of the watched rows are there.
    pub sighted: Sighted,
    /// From where to where each chain goes.
    pub extents: Extents,
}

/// Folds rows. Rows that come in any order can be cut into parts that are folded apart and merged.
#[derive(Debug)]
pub struct RowFold {
    layout: Arc<Layout>,
    kinds: Arc<[FieldKind]>,
    order: Order,
    following: Following,
    content: Sightings,
    judge: ContentJudge,
    rows: u64,
    row: Located,
    watch: Watch,
    sighted: Sighted,
    extents: Extents,
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

/// What takes rows in parts that are merged.
pub trait Fold: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, raw: &[Option<&[u8]>]);
    /// Adds what was found in the rows that lie after these.
    fn merge(&mut self, other: Self);
}

impl Fold for RowFold {
    fn push(&mut self, raw: &[Option<&[u8]>]) {
        Self::push(self, raw);
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, other);
    }
}

/// Looks rows up among all.
#[derive(Debug)]
pub struct Search {
    layout: Arc<Layout>,
    kinds: Arc<[FieldKind]>,
    row: Located,
    /// What was found.
    pub found: FoundParents,
}

impl Search {
    /// Makes searches for rows of this layout.
    pub fn of(
        layout: &Arc<Layout>,
        wanted: Wanted,
    ) -> impl Fn(Arc<[FieldKind]>) -> Self + Send + Sync + 'static {
        let layout = Arc::clone(layout);
        move |kinds| Self {
            layout: Arc::clone(&layout),
            kinds,
            row: Located::default(),
            found: FoundParents::of(wanted.clone()),
        }
    }
}

impl Fold for Search {
    fn push(&mut self, raw: &[Option<&[u8]>]) {
        let fields = Fields { kinds: &self.kinds, raw };
        self.row.locate(&self.layout, fields);
        let Located { id, chain, order } = &self.row;
        self.found.push(&self.layout.link_of(fields, id, chain, order));
    }

    fn merge(&mut self, other: Self) {
        self.found.merge(other.found);
    }
}

impl RowFold {
    /// Makes folds for rows of this layout that come in any order.
    pub fn any(
        layout: &Arc<Layout>,
        watch: &Watch,
    ) -> impl Fn(Arc<[FieldKind]>) -> Self + Send + Sync + 'static {
        let (layout, watch) = (Arc::clone(layout), watch.clone());
        move |kinds| Self::new(Arc::clone(&layout), kinds, Order::Any).watching(watch.clone())
    }

    /// No rows yet. Their fields are those of the layout, and of these kinds.
    pub fn new(layout: Arc<Layout>, kinds: Arc<[FieldKind]>, order: Order) -> Self {
        let rules = || Arc::clone(&layout.rules);
        let following = match order {
            _ if layout.rules.follows_links => Following::Tree(Box::new(Tree::new(rules(), order))),
            // Text is ordered by a collation, which only the server knows.
            Order::Any if !layout.order.iter().all(|index| kinds[*index].has_order()) => Following::GivenUp,
            Order::Any => Following::Runs(Runs::new(rules())),
            Order::Interleaved => Following::Interleaved(Links::new(rules())),
            Order::Grouped => Following::Grouped(Links::new(rules())),
        };
        Self {
            layout,
            kinds,
            order,
            following,
            content: Sightings::default(),
            judge: ContentJudge::default(),
            rows: 0,
            row: Located::default(),
            watch: Watch::default(),
            sighted: Sighted::default(),
            extents: Extents::default(),
        }
    }

    /// Looks out for rows too.
    pub fn watching(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Takes the next row.
    pub fn push(&mut self, raw: &[Option<&[u8]>]) {
        self.rows += 1;
        let (layout, fields) = (&*self.layout, Fields { kinds: &self.kinds, raw });
        self.row.locate(layout, fields);
        let Located { id, chain, order } = &self.row;
        let (hash, link) = (raw[layout.hash], raw[layout.link]);
        let faults = [
            self.judge.judge(&layout.content, &layout.rules, fields, hash, link),
            self.judge.judge_shard(&layout.content, fields),
        ];
        for fault in faults.into_iter().flatten() {
            self.content.push(Severity::Error, fault.code, At { chain, order }, || Words {
                subject: layout.rules.subject(id, chain),
                expected: fault.expected,
                actual: fault.actual,
            });
        }
        self.extents.push(chain, order, link == layout.rules.genesis.as_deref());
        if !self.watch.is_empty()
            && let Some(hash) = hash
        {
            let key = watched(hash);
            if self.watch.contains(key) {
                self.sighted.insert(key);
            }
        }
        let row = layout.link_of(fields, id, chain, order);
        match &mut self.following {
            Following::Runs(runs) => {
                runs.push(&row);
                if runs.is_too_much() {
                    self.following = Following::GivenUp;
                }
            }
            Following::Tree(tree) => {
                tree.push(&row);
                if tree.is_too_much() {
                    match self.order {
                        Order::Any => self.following = Following::GivenUp,
                        // There is no better order to read them in.
                        Order::Interleaved | Order::Grouped => tree.stop(),
                    }
                }
            }
            Following::Interleaved(links) => links.push(&row),
            Following::Grouped(links) => links.push_grouped(&row),
            Following::GivenUp | Following::Known(_) => {}
        }
    }

    /// Adds what was found in other rows, where both come in any order.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.content.merge(other.content);
        self.judge.merge(&other.judge);
        self.sighted.merge(other.sighted);
        self.extents.merge(other.extents);
        match (&mut self.following, other.following) {
            (Following::Runs(runs), Following::Runs(more)) => {
                runs.merge(more);
                if runs.is_too_much() {
                    self.following = Following::GivenUp;
                }
            }
            (Following::Tree(tree), Following::Tree(more)) => {
                tree.merge(*more);
                if tree.is_too_much() {
                    self.following = Following::GivenUp;
                }
            }
            (following, _) => *following = Following::GivenUp,
        }
    }

    /// Ends the following of links. Returns what is still needed for that.
    pub fn conclude_links(&mut self) -> Step {
        let known = match std::mem::replace(&mut self.following, Following::GivenUp) {
            Following::Runs(runs) => runs.finish(),
            Following::Interleaved(links) | Following::Grouped(links) => Some(links.finish()),
            Following::Tree(mut tree) => {
                tree.close_chains();
                if let Some(wanted) = tree.wanted() {
                    self.following = Following::Tree(tree);
                    return Step::Search(wanted);
                }
                Some(*tree).filter(|tree| !tree.is_unfinished()).map(Tree::finish)
            }
            Following::GivenUp => None,
            Following::Known(followed) => Some(followed),
        };
        let Some(known) = known else { return Step::Sort };
        self.following = Following::Known(known);
        Step::Done
    }

    /// Whether rows were found that are not what was hashed, or have no place.
    pub fn has_errors(&self) -> bool {
        self.content.has_errors()
    }

    /// Takes the links that a fold of the same rows, in their order, has followed.
    pub fn take_links(&mut self, ordered: Self) {
        self.following = ordered.following;
    }

    /// Takes what was looked up.
    pub fn take_found(&mut self, found: &FoundParents) {
        if let Following::Tree(tree) = &mut self.following {
            tree.take_found(found);
        }
    }

    /// Ends the following of links where rows can be read only once: those that would have to be looked up are not there.
    /// False if that leaves links unjudged.
    pub fn follow_to_the_end(&mut self) -> bool {
        match self.conclude_links() {
            Step::Done => true,
            Step::Sort => false,
            // Too many rows stand far from their parents to say that these are missing.
            Step::Search(_) if self.is_stopped() => false,
            Step::Search(wanted) => {
                self.take_found(&FoundParents::of(wanted));
                matches!(self.conclude_links(), Step::Done)
            }
        }
    }

    fn is_stopped(&self) -> bool {
        matches!(&self.following, Following::Tree(tree) if tree.is_stopped())
    }

    /// The outcome.
    pub fn finish(mut self) -> Verified {
        self.follow_to_the_end();
        let followed = match self.following {
            Following::Known(followed) => followed,
            _ => Followed::default(),
        };
        let mut seen = self.content;
        seen.merge(followed.sightings);
        let mut held =
            format!("{} rows in {}", human::count(self.rows), human::things(followed.chains, "chain"));
        let mut findings = seen.into_findings();
        let forks = &followed.forks;
        if let Some(parent) = &forks.example {
            held.push_str(&format!(", {}", human::things(forks.count, "fork")));
            findings.push(remarks::forks(&self.layout.rules, forks.count, &parent.chain, &parent.hash));
        }
        if self.judge.untimed > 0 {
            held.push_str(&format!(", {} hashed without their time", human::count(self.judge.untimed)));
            findings.push(remarks::untimed(self.judge.untimed));
        }
        if self.judge.unsharded > 0 {
            findings.push(remarks::unsharded(self.judge.unsharded));
        }
        let outcome = findings.into_outcome(self.rows, held);
        Verified { outcome, heads: followed.heads, sighted: self.sighted, extents: self.extents }
    }
}

#[cfg(test)]
pub(super) mod tests;
