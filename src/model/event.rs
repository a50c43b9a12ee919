//! The events of a drill. Everything that is shown or written is made from these.

use std::collections::BTreeMap;

use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ProjectName, ServerName};
use crate::model::phase::Phase;
use crate::model::transfer::TransferStats;
use crate::model::verdict::{
    AccessRecord, Archive, Check, Finding, HookRecord, Isolation, LeftOutRecord, MadeUpRole, Objective,
    Objectives, PgRestore, PlanCost, RecoverySet, SqliteRecord, Stack, Teardown, Verdict,
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
        /// The bytes downloaded so far.
        progress: PullProgress,
    },
    /// The free space for restored databases was measured.
    Disk {
        /// Bytes free, if that is known.
        free_bytes: Option<u64>,
    },
    /// The project got its name: that of a later second if another project has the name of this one.
    Project(ProjectName),
    /// The stack is up.
    StackUp(Stack),
    /// Isolation was proved, or not, or confirmed.
    Isolation(Isolation),
    /// The roles of its source are on this server, or owners and privileges are not restored there.
    Access(ServerName, Box<AccessRecord>),
    /// Something happened to a database.
    Database(DatabaseName, DatabaseEvent),
    /// A check began.
    CheckStarted(String),
    /// A check ended.
    CheckFinished(Check),
    /// All checks have ended.
    ChecksFinished {
        /// The seconds in which at least one of them ran.
        seconds: f64,
    },
    /// Something that an operator should know, though it decides nothing.
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
        /// The number of restore workers.
        jobs: usize,
    },
    /// `pg_restore` ended, with or without errors.
    PgRestore {
        /// The exit status and messages.
        outcome: PgRestore,
        /// The seconds it took.
        seconds: f64,
    },
    /// Its file was found whole.
    Intact {
        /// The seconds that the look at it took.
        seconds: f64,
    },
    /// Roles that its dump names and that the globals do not have were made up.
    RolesMadeUp(Vec<MadeUpRole>),
    /// Something of its owners, privileges and settings was not restored.
    AccessLeftOut(Vec<String>),
    /// Entries of the archive are left out, as the template says.
    LeftOut {
        /// The first ones.
        entries: Vec<LeftOutRecord>,
        /// How many there are.
        total: u64,
    },
    /// A hook has run, with or without success.
    Hook(HookRecord),
    /// Rows are being counted.
    Counting,
    /// It is restored, and its rows are counted.
    Restored {
        /// Rows of each table, by `schema.table`. Those of a partition are also in the table that it belongs to.
        table_rows: BTreeMap<String, u64>,
        /// Rows in all tables, each counted once.
        total_rows: u64,
        /// The seconds that counting took.
        seconds: f64,
    },
    /// The size of the restored database was measured.
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
    /// The engine's version.
    pub version: String,
    /// The API version spoken with it.
    pub api_version: String,
    /// The address of the engine, as in `DOCKER_HOST`.
    pub endpoint: String,
    /// The Docker context that named it, if one did.
    pub context: Option<String>,
    /// The engine's processors.
    pub cpus: u64,
    /// The engine's memory in bytes.
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
    /// Hashes, sizes and times of the transfer.
    pub transfer: TransferStats,
    /// What the header and the table of contents of an archive say.
    pub archive: Option<Archive>,
    /// What the header of an SQLite database says.
    pub sqlite: Option<SqliteRecord>,
}

/// A consumer of events, such as the terminal or the verdict file.
pub trait Sink: Send {
    /// The name of what it writes, for messages.
    fn name(&self) -> String;

    /// Takes an event, and the verdict as it is after it.
    ///
    /// # Errors
    /// Why the event could not be taken. The drill continues. The first failure of each consumer is a warning; later ones have
    /// the same cause.
    fn handle(&mut self, event: &Event, verdict: &Verdict) -> std::io::Result<()>;
}
