//! Ways to break a backup, each with what a drill must report. `demo --break KIND` shows them, and the tests run them all.
//!
//! To add one: an entry in a file of [`kinds`].

mod kinds;
pub mod objects;

use crate::demo::data::Tampering;
use crate::model::names::DatabaseName;

pub use kinds::all;
pub use objects::ObjectChange;

/// A way to break a backup, or to make one that only looks broken.
#[derive(Debug)]
pub struct Breakage<H = How> {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is broken, in one line.
    pub about: &'static str,
    /// How it is broken.
    pub how: H,
    /// What a drill must report.
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
    /// The backup was made this many hours ago, and none since.
    Aged {
        /// The age of the backup.
        hours: i64,
    },
    /// The source is backed up and drilled as it should be, then edited, and backed up again. Neither backup has a manifest.
    Later(&'static [Edit]),
    /// The backup has no manifest, and the dump of this database has no indexes, keys and triggers.
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

/// What a drill must report of a breakage. Checks that are not named pass.
#[derive(Debug)]
pub enum Expect {
    /// The drill passes: nothing is wrong, or nothing that data alone could show.
    Pass,
    /// These checks of the template `aegis` find these codes, and no other error.
    Findings(&'static [(&'static str, &'static str)]),
    /// The drill fails with this code; no check that could be run finds anything.
    Failure(&'static str),
}

impl Breakage {
    /// The breakage of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        all().find(|breakage| breakage.name == name)
    }
}

impl Edit {
    /// The database.
    pub fn database(&self) -> DatabaseName {
        self.database.parse().expect("the sample data's names are names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for breakage in all() {
            assert!(std::ptr::eq(Breakage::named(breakage.name).unwrap(), breakage), "{}", breakage.name);
        }
    }
}
