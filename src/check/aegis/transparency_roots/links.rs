//! Whether each root names the one before it.
//!
//! It names the newest that was there when it was computed. Days without rows may have none, so that need not be the root
//! of the day before; and the root of a day may be made up for when that of the next is there already.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};

use super::{RootFold, RootRow};
use crate::check::aegis::transparency_roots::code;
use crate::model::verdict::Severity;

/// Roots before a root that it may name, where later ones were made up for.
const REMEMBERED: usize = 32;

/// The roots of a tenant before the one that is judged.
#[derive(Debug, Default)]
pub struct EarlierRoots {
    tenant: String,
    /// The newest in front.
    roots: VecDeque<Earlier>,
}

#[derive(Debug)]
struct Earlier {
    date: NaiveDate,
    root_hash: String,
    computed_at: Option<DateTime<Utc>>,
}

impl EarlierRoots {
    fn remember(&mut self, root: &RootRow) {
        let earlier =
            Earlier { date: root.date, root_hash: root.root_hash.clone(), computed_at: root.computed_at };
        self.roots.push_front(earlier);
        self.roots.truncate(REMEMBERED);
    }

    /// The newest that was there when this root was computed, if later ones were not.
    fn there_at(&self, root: &RootRow) -> Option<&Earlier> {
        let was_there = |earlier: &&Earlier| match (earlier.computed_at, root.computed_at) {
            (Some(earlier), Some(own)) => earlier <= own,
            _ => true,
        };
        self.roots.iter().find(was_there)
    }
}

impl RootFold {
    /// Judges what the root names. Roots come in the order of tenant and day.
    pub(super) fn check_link(&mut self, root: &RootRow) {
        if self.earlier.tenant != root.tenant {
            self.earlier = EarlierRoots { tenant: root.tenant.clone(), roots: VecDeque::new() };
        }
        let named = root.prev_root_hash.as_deref();
        match self.earlier.roots.front() {
            None => self.check_first(root),
            Some(newest) if named == Some(&*newest.root_hash) => {}
            Some(newest) => {
                let expected = format!("prev_root_hash {}", newest.root_hash);
                let actual = format!("prev_root_hash {}", named.unwrap_or("null"));
                let late = newest.date;
                match self.earlier.there_at(root) {
                    Some(there) if named == Some(&*there.root_hash) => {
                        let actual = format!("{actual}: the root of {late} was computed after this one");
                        self.find(root, Severity::Warning, code::LATE_ROOT, expected, actual);
                    }
                    _ => self.find(root, Severity::Error, code::BROKEN_ROOT_LINK, expected, actual),
                }
            }
        }
        self.earlier.remember(root);
    }

    /// Judges a tenant's first root.
    fn check_first(&mut self, root: &RootRow) {
        let Some(previous) = &root.prev_root_hash else { return };
        let severity = if self.require_genesis { Severity::Error } else { Severity::Warning };
        let expected = "no prev_root_hash on the first day".to_owned();
        let actual = format!("prev_root_hash {previous}");
        self.find(root, severity, code::MISSING_GENESIS_ROOT, expected, actual);
    }
}
