//! What earlier drills took, for a forecast of the next.

use std::collections::BTreeMap;

use crate::model::names::DatabaseName;

/// The stages of a database that have budgets: download, decrypt, restore.
pub const STAGES: usize = 3;

/// An earlier drill, as far as a forecast needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastDrill {
    /// When it began, as its verdict's name has it.
    pub timestamp: String,
    /// The machine it ran on.
    pub hostname: String,
    /// The Postgres image.
    pub image: Option<String>,
    /// The major version in that image.
    pub major: Option<u32>,
    /// Bytes free on the engine's disk when it began.
    pub disk_free_bytes: Option<u64>,
    /// Whether it restored and checked everything.
    pub complete: bool,
    /// What each phase took.
    pub phases: BTreeMap<String, f64>,
    /// The time in which checks ran.
    pub verification_seconds: Option<f64>,
    /// Its databases.
    pub databases: BTreeMap<DatabaseName, PastDatabase>,
}

/// A database of an earlier drill.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastDatabase {
    /// The recovery point's size.
    pub size_bytes: u64,
    /// The database's size once restored.
    pub restored_bytes: Option<u64>,
    /// Seconds of each stage: download, decrypt, restore.
    pub stages: [Option<f64>; STAGES],
}
