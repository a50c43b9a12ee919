//! Ways to break a backup, each with what a drill must say of it: what `demo --break KIND` shows, and what the tests
//! hold every check to.
//!
//! To add one: an entry in [`kinds`].

mod kinds;
pub mod objects;

use crate::demo::data::Tampering;
use crate::model::names::DatabaseName;

pub use kinds::ALL;
pub use objects::ObjectChange;

/// A way to break a backup, or to make one that only looks broken.
#[derive(Debug)]
pub struct Breakage {
    /// What `--break` calls it.
    pub name: &'static str,
    /// What is done, in one line.
    pub about: &'static str,
    /// How it is done.
    pub how: How,
    /// What a drill must make of it.
    pub expect: Expect,
}

/// How a backup is broken.
#[derive(Debug)]
pub enum How {
    /// The source holds other data than the platform wrote, and is then backed up as it should be.
    Data(Tampering),
    /// The source is edited, and then backed up as it should be.
    Source(&'static [Edit]),
    /// The source is backed up as it should be, then edited; the database is dumped again over its recovery point.
    Dump(Edit),
    /// It was made so many hours ago, and none since.
    Aged {
        /// How many.
        hours: i64,
    },
    /// It is backed up and drilled as it should be, then edited, and backed up again. Neither backup has a manifest.
    Later(&'static [Edit]),
    /// Its backup has no manifest, and the dump of this database none of its indexes, keys and triggers.
    WithoutPostData(&'static str),
    /// Objects in the store are changed.
    Objects(ObjectChange),
}

/// An edit of one database, past its triggers and foreign keys.
#[derive(Debug)]
pub struct Edit {
    /// The database.
    pub database: &'static str,
    /// One statement that returns one text: what was hit, as a finding must name it.
    pub sql: &'static str,
}

/// What a drill must make of a breakage. Checks that are not named hold.
#[derive(Debug)]
pub enum Expect {
    /// It passes: nothing is wrong, or nothing that data alone could show.
    Pass,
    /// These checks of the template `aegis` find these codes, and nothing else of weight.
    Findings(&'static [(&'static str, &'static str)]),
    /// The drill fails with this code; no check that could be run finds anything.
    Failure(&'static str),
}

impl Breakage {
    /// The breakage of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|breakage| breakage.name == name)
    }
}

impl Edit {
    /// The database.
    pub fn database(&self) -> DatabaseName {
        self.database.parse().expect("the sample data's names are names")
    }
}

/// The kinds, for a help text: a line each.
pub fn list() -> String {
    let width = ALL.iter().map(|breakage| breakage.name.len()).max().unwrap_or(0);
    ALL.iter().map(|breakage| format!("  {:width$}  {}\n", breakage.name, breakage.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for breakage in ALL {
            assert!(std::ptr::eq(Breakage::named(breakage.name).unwrap(), breakage), "{}", breakage.name);
        }
    }
}
