//! Targets: what a recovery point is restored to. Whatever is asked of what was restored goes through here.
//!
//! To add a target, write a folder here, a file that restores to it with a [`TargetKind`], and add that to [`TARGETS`].

mod around;
mod dump;
mod kind;
pub mod postgres;
mod script;
pub mod sqlite;

use crate::format::BackupContents;

pub use kind::{Restoration, RestoreEvent, TargetKind};

/// Every kind of target. The format of a backup picks one.
pub static TARGETS: &[TargetKind] = &[dump::POSTGRES];

/// The target that takes a backup with these contents.
pub fn of(contents: &BackupContents) -> &'static TargetKind {
    let takes = |kind: &&TargetKind| kind.formats.contains(&contents.format());
    TARGETS.iter().find(takes).expect("a test holds every format to a target")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FORMATS;

    #[test]
    fn every_format_has_one_target() {
        for format in FORMATS {
            let takes = TARGETS.iter().filter(|kind| kind.formats.contains(&format.name));
            assert_eq!(takes.count(), 1, "{}", format.name);
        }
    }
}
