//! What happens in a drill, as it happens. Everything that is shown or written is made from these.

use crate::layer::pipe::Passage;
use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ProjectName};
use crate::model::verdict::{Archive, Check, Isolation, Objectives, PgRestore, Stack, Teardown};
use crate::plan::DrillPlan;
use crate::sandbox::docker::{EngineInfo, PullProgress};
use crate::target::postgres::catalog::Contents;

/// The phases of a drill. Restoring and checking overlap, and count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Choosing the recovery set.
    Plan,
    /// Looking whether the drill can be run.
    Preflight,
    /// Starting the stack.
    Stack,
    /// Proving that it can reach nothing.
    Isolation,
    /// Restoring and checking.
    Restore,
    /// Judging objectives.
    Objectives,
    /// Removing everything.
    Teardown,
}

impl Phase {
    /// The word that stands in verdicts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Preflight => "preflight",
            Self::Stack => "stack",
            Self::Isolation => "isolation",
            Self::Restore => "restore",
            Self::Objectives => "objectives",
            Self::Teardown => "teardown",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The drill began.
    Started,
    /// A phase began; the one before it has ended.
    Phase(Phase),
    /// The recovery set is chosen.
    Planned(Box<DrillPlan>),
    /// The engine answered.
    Engine(EngineInfo),
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
    /// So many more bytes of it arrived.
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
        /// What is in it.
        contents: Contents,
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

/// A recovery point that arrived whole.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Hashes and times.
    pub passage: Passage,
    /// What the dump says about itself.
    pub archive: Archive,
}
