//! Which drills are compared with each other.
//!
//! A template may take its bucket from the environment, so that one of its name drills production today and staging
//! tomorrow. Results of one store do not apply to the other, so only drills of the same store are compared.

use crate::model::verdict::{StoreRecord, Verdict};
use crate::template::Template;

/// A template and the store it drills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    template: String,
    store: StoreRecord,
}

/// Whether a verdict is of the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameStore {
    /// It is.
    Yes,
    /// It is of another one.
    No,
    /// The verdict does not record its store: an earlier version wrote it.
    Unknown,
}

impl Lineage {
    /// That of this template.
    pub fn of(template: &Template) -> Self {
        Self { template: template.name.clone(), store: template.store.record() }
    }

    /// Whether a verdict is of the same store; none if it is of another template.
    pub fn judge(&self, verdict: &Verdict) -> Option<SameStore> {
        self.judge_of(&verdict.template, verdict.plan.store.as_ref())
    }

    fn judge_of(&self, template: &str, store: Option<&StoreRecord>) -> Option<SameStore> {
        (self.template == template).then_some(match store {
            None => SameStore::Unknown,
            Some(store) if *store == self.store => SameStore::Yes,
            Some(_) => SameStore::No,
        })
    }

    /// The same of a verdict of which only the template, and perhaps the store, could be read.
    pub fn may_be_of(&self, template: &str, store: Option<&StoreRecord>) -> bool {
        self.judge_of(template, store).is_some_and(|store| store != SameStore::No)
    }

    /// Whether a verdict may be of the same store: one that does not record its store counts.
    pub fn may_be(&self, verdict: &Verdict) -> bool {
        self.judge(verdict).is_some_and(|store| store != SameStore::No)
    }
}
