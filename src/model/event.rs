//! What happens in a drill, as it happens. Everything that is shown or written is made from these.

use std::collections::BTreeMap;

use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ProjectName};
use crate::model::phase::Phase;
use crate::model::transfer::TransferStats;
use crate::model::verdict::{
    Archive, Check, Finding, Isolation, Objective, Objectives, PgRestore, PlanCost, RecoverySet, Stack,
    Teardown, Verdict,
};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The drill began.
    Started,
    /// A phase began; the one before it has ended.
    Phase(Phase),
    /// The recovery set is chosen.
    Planned(Box<PlannedDrill>),
    /// The engine answered.
    Engine(EngineFound),
    /// An image is being pulled.
    Pulling {
        /// The image.
        image: String,
        /// How far it is.
        progress: PullProgress,
    },
    /// The room on the disk that databases are restored to was looked at.
    Disk {
        /// Bytes free, if that could be told.
        free_bytes: Option<u64>,
    },
    /// The engine gave the project its name: another second's than the drill's, if somebody had that one.
    Project(ProjectName),
    /// The stack is up.
    StackUp(Stack),
    /// Isolation was looked at.
    Isolation(Isolation),
    /// Something happened to a database.
    Database(DatabaseName, DatabaseEvent),
    /// A check began.
    CheckStarted(String),
    /// A check ended.
    CheckFinished(Check),
    /// All checks have ended.
    ChecksFinished {
        /// The time during which at least one of them ran.
        seconds: f64,
    },
    /// Something to know that decides nothing.
    Warning(String),
    /// Something was not verified, in words for people.
    NotVerified(String),
    /// Objectives were judged.
    Objectives(Objectives),
    /// The drill cannot go on, or cannot pass.
    Failed(Failure),
    /// Teardown ended.
    TornDown(Teardown),
    /// The verdict is final.
    Finished,
}

/// Something that happened to a database.
#[derive(Debug, Clone)]
pub enum DatabaseEvent {
    /// Its recovery point is being downloaded, decrypted and written to the scratch volume.
    Fetching,
    /// So many bytes of it have arrived. Not every change is reported.
    Bytes(u64),
    /// All of it arrived.
    Fetched(Box<Fetched>),
    /// It waits for its parents, or for workers.
    Waiting,
    /// `pg_restore` began.
    Restoring {
        /// Its workers.
        jobs: usize,
    },
    /// `pg_restore` ended, well or not.
    PgRestore {
        /// How it went.
        outcome: PgRestore,
        /// What it took.
        seconds: f64,
    },
    /// Rows are being counted.
    Counting,
    /// It is restored, and its rows are counted.
    Restored {
        /// Rows of each table, by `schema.table`. Those of a partition are also in the table that it belongs to.
        table_rows: BTreeMap<String, u64>,
        /// Rows in all, each counted once.
        total_rows: u64,
        /// What counting took.
        seconds: f64,
    },
    /// How much room it takes.
    Measured {
        /// Bytes of the restored database.
        restored_bytes: u64,
    },
    /// It cannot be restored.
    Failed(Failure),
    /// It is not tried.
    Skipped(Failure),
}

/// What a drill restores, and what its plan found.
#[derive(Debug, Clone)]
pub struct PlannedDrill {
    /// The recovery points, in restore order.
    pub recovery_set: RecoverySet,
    /// Databases without a recovery point.
    pub missing: Vec<DatabaseName>,
    /// How old the oldest recovery point is, against what is allowed.
    pub rpo: Objective,
    /// What is wrong with the recovery set, or worth knowing.
    pub findings: Vec<Finding>,
    /// What making the plan cost.
    pub cost: PlanCost,
}

/// The engine that a drill runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFound {
    /// Its version.
    pub version: String,
    /// The API version spoken with it.
    pub api_version: String,
    /// Where it was reached, as `DOCKER_HOST` has it.
    pub endpoint: String,
    /// The Docker context that named it, if one did.
    pub context: Option<String>,
    /// Its processors.
    pub cpus: u64,
    /// Its memory in bytes.
    pub memory_bytes: u64,
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes downloaded of the layers known so far.
    pub done_bytes: u64,
    /// Bytes of the layers known so far.
    pub total_bytes: u64,
}

/// A recovery point that arrived whole.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Hashes and times.
    pub transfer: TransferStats,
    /// What the dump says about itself.
    pub archive: Archive,
}

/// A consumer of events: terminal, verdict file.
pub trait Sink: Send {
    /// What it is, for messages.
    fn name(&self) -> String;

    /// Takes an event, and the verdict as it is after it.
    ///
    /// # Errors
    /// Whatever keeps it from its work. The drill goes on, and the first failure of each is a warning: those that follow
    /// have the same cause.
    fn handle(&mut self, event: &Event, verdict: &Verdict) -> std::io::Result<()>;
}
