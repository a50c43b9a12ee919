//! What a plan is made from: all that was read of the store, of earlier drills and of the disk. Plain data.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::contents::Contents;
use super::drift::Before;
use super::globals::GlobalsSurvey;
use crate::format::sqlite::SqliteHeader;
use crate::model::earlier::EarlierDrills;
use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ServerName};
use crate::model::past::PastDrill;
use crate::model::verdict::PlanCost;
use crate::store::{Fact, ObjectFacts, ObjectMeta, PassedOver, StoreFacts};

/// What the store holds for each database.
pub type Listing = BTreeMap<DatabaseName, Vec<ObjectMeta>>;

/// All that was read for a plan. What is empty was not looked at, and is not judged.
#[derive(Debug, Default)]
pub struct Survey {
    /// Objects, by database.
    pub listing: Listing,
    /// What was looked at of the chosen recovery points.
    pub looks: BTreeMap<DatabaseName, Look>,
    /// What was read for the globals of each server.
    pub globals: BTreeMap<ServerName, GlobalsSurvey>,
    /// Databases in the store that the template does not name.
    pub unnamed: Unnamed,
    /// How the store keeps objects.
    pub facts: Option<StoreFacts>,
    /// What is in the store and is no object.
    pub passed_over: Vec<PassedOver>,
    /// Earlier drills of the template, the newest first.
    pub past: Vec<PastDrill>,
    /// What those of them found that passed.
    pub earlier: EarlierDrills,
    /// Room on the disk that a drill would restore to.
    pub disk: Option<FreeDisk>,
    /// What reading all this took.
    pub cost: PlanCost,
    /// When it was read; the plan's point in time, if absent.
    pub read_at: Option<DateTime<Utc>>,
}

/// What SQLite would read with a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// Its write-ahead log.
    pub wal: bool,
    /// Its rollback journal.
    pub journal: bool,
}

/// What was looked at of one recovery point.
#[derive(Debug, Default)]
pub struct Look {
    /// How it is kept.
    pub facts: Fact<ObjectFacts>,
    /// What is inside, or why that is not known; absent if it was not read.
    pub contents: Option<Result<Contents, Failure>>,
    /// What the header of an SQLite database says, or why that is not known; absent if it is none.
    pub sqlite: Option<Result<SqliteHeader, Failure>>,
    /// What the store has beside an SQLite database.
    pub beside: Beside,
    /// The recovery point before it; absent if there is none, or if this one was not read.
    pub before: Option<Before>,
}

/// Databases in the store that the template does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unnamed {
    /// Those that were found.
    pub databases: Vec<UnnamedDatabase>,
    /// Why there may be more; absent if the whole store was looked through.
    pub incomplete: Option<String>,
}

/// A database in the store that the template does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnnamedDatabase {
    /// Its name, by its keys.
    pub database: DatabaseName,
    /// One of its keys.
    pub key: String,
    /// Whether it has a recent recovery point.
    pub recent: bool,
}

/// Room on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FreeDisk {
    /// Bytes free.
    pub free_bytes: u64,
    /// Which disk, and when it was looked at.
    pub basis: String,
}
