//! The codes of failures: why a drill could not go on or cannot pass. One file for each exit code.
//!
//! A few are given with a second exit code too; what they mean says when. The tables of `docs/verdict.md` are made from
//! these lists. Codes of findings stand beside the check that gives them.

mod bad;
mod config;
mod inconclusive;

pub use bad::*;
pub use config::*;
pub use inconclusive::*;

use super::code::{Code, CodeEntry};

/// Codes of one exit code.
#[derive(Debug)]
pub struct Group {
    /// The heading of their table.
    pub title: &'static str,
    /// What they are.
    pub entries: &'static [CodeEntry],
}

/// All of them, by exit code.
pub static GROUPS: &[Group] = &[
    Group { title: "Exit code 1: the backup, the data or an objective is bad", entries: bad::ENTRIES },
    Group { title: "Exit code 2: configuration or usage", entries: config::ENTRIES },
    Group { title: "Exit code 3: inconclusive", entries: inconclusive::ENTRIES },
    Group { title: "Exit code 130", entries: &[INTERRUPTED_ENTRY] },
];

/// A signal stopped the drill.
pub const INTERRUPTED: Code = INTERRUPTED_ENTRY.code;
const INTERRUPTED_ENTRY: CodeEntry = CodeEntry {
    code: Code::new("interrupted"),
    meaning: "A signal stopped the drill. Teardown ran.",
    remedy: "Run it again: nothing was learnt about the backup.",
};

/// Constants for codes, and a list of them with what the documentation says: `NAME = "code": "meaning", "remedy";`.
macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal, $remedy:literal;)*) => {
        $(#[doc = $meaning] pub const $name: super::Code = super::Code::new($code);)*
        /// The codes of this file.
        pub(super) static ENTRIES: &[super::CodeEntry] =
            &[$(super::CodeEntry { code: $name, meaning: $meaning, remedy: $remedy }),*];
    };
}
use codes;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_one_meaning() {
        let mut seen = BTreeSet::new();
        for entry in GROUPS.iter().flat_map(|group| group.entries) {
            assert!(seen.insert(entry.code.as_str()), "{} stands twice", entry.code.as_str());
        }
    }
}
