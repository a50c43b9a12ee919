//! The demo: a source server with sample data, a store, a backup of the one into the other, and a drill of it.

pub mod breakage;
pub mod data;
pub mod immutable_backups;
pub mod s3;
pub mod source;
pub mod stage;
mod staging;
pub mod system;

pub use system::{Kind, Setting, System, SystemStage};

/// The systems that a demo can be of; the first is the default.
pub static SYSTEMS: &[System] = &[stage::AEGIS, immutable_backups::IMMUTABLE_BACKUPS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_and_each_of_its_kinds_has_a_name_of_its_own() {
        for (index, system) in SYSTEMS.iter().enumerate() {
            assert!(SYSTEMS[..index].iter().all(|other| other.name != system.name), "{}", system.name);
            let kinds = (system.kinds)();
            for (index, kind) in kinds.iter().enumerate() {
                assert!(kinds[..index].iter().all(|other| other.name != kind.name), "{}", kind.name);
            }
        }
    }
}
