//! The verdict: what a drill found out, as JSON, schema version 1.
//!
//! These types are the contract with scripts, CI jobs and auditors: keys are added, never renamed or removed.
//! Times are RFC 3339 in UTC, durations are seconds, sizes are bytes. Durations of stages that overlap are
//! measured for each stage, so they need not add up to the total.

mod access;
mod checks;
mod clusters;
mod databases;
mod heads;
mod objectives;
mod points;
mod stack;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::failure::FailureRecord;
use crate::model::names::{DatabaseName, DrillId, ProjectName};

pub use access::{AccessRecord, AccessStatus, GlobalsRecord, MadeUpRole, RoleRecord};
pub use checks::{Check, CheckStatus, Finding, Severity, finding};
pub use clusters::ClusterRecord;
pub use databases::{
    Archive, DatabaseRecord, DatabaseStatus, HookPoint, HookRecord, LeftOutRecord, PgRestore, Repair,
    RepairedEntry, RestoreOutcome, SqliteRecord, StageSeconds, UnfilledView,
};
pub use heads::{ChainHead, ChainHeads};
pub use objectives::{BudgetedPhase, Objective, Objectives, PhaseObjective, PhaseTime};
pub use points::{PlanCost, PlanRecord, PointObject, RecoveryPoint, RecoverySet};
pub use stack::{
    Assertion, Expectation, Isolation, IsolationStatus, Probe, Removed, Stack, StackServer, StackService,
    Teardown, TeardownStatus, Tuning,
};
pub use store::StoreRecord;

/// How a drill ended, or that it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Still running, or ended without a verdict.
    #[default]
    Running,
    /// Everything was restored, every check held, every objective was met.
    Pass,
    /// The backup, the data or an objective is bad.
    Fail,
    /// The drill could not be run to a verdict.
    Inconclusive,
    /// The drill was stopped.
    Cancelled,
    /// Nothing was restored: this is a plan.
    DryRun,
}

impl Status {
    /// The word that stands in verdicts and in the drill log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Cancelled => "CANCELLED",
            Self::DryRun => "DRY_RUN",
        }
    }
}

/// The outcome of one drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Version of this schema.
    pub schema_version: u32,
    /// Identifies the drill.
    pub drill_id: DrillId,
    /// The template's name.
    pub template: String,
    /// When it began, as `20260517T083111Z`.
    pub timestamp: String,
    /// The Compose project.
    pub project: ProjectName,
    /// The outcome.
    pub status: Status,
    /// The operator who ran the drill.
    pub operator: String,
    /// When the drill began.
    pub started_at: DateTime<Utc>,
    /// When the drill ended, teardown included, by the clock as it was at the start.
    pub finished_at: Option<DateTime<Utc>>,
    /// From `started_at` to `finished_at`, by a clock that cannot be set.
    pub duration_seconds: Option<f64>,
    /// The point in time that the drill recovered to.
    pub at: DateTime<Utc>,
    /// The program that ran the drill.
    pub tool: Tool,
    /// The machine and the engine that it ran on.
    pub runner: Runner,
    /// The recovery points used.
    pub recovery_set: RecoverySet,
    /// What the plan found, and what making it cost.
    pub plan: PlanRecord,
    /// What became of roles, owners and privileges. An early version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessRecord>,
    /// The same for the servers of `[servers]`, by name; `access` is about the first of `stack.servers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub server_access: BTreeMap<String, AccessRecord>,
    /// What became of each database.
    pub databases: Vec<DatabaseRecord>,
    /// What became of each cluster: of the server whose databases are in one recovery point.
    #[serde(default)]
    pub clusters: Vec<ClusterRecord>,
    /// The stack that databases were restored into.
    pub stack: Stack,
    /// The proof that the stack could reach nothing.
    pub isolation: Isolation,
    /// The checks that ran.
    pub checks: Vec<Check>,
    /// The time during which at least one check ran.
    pub verification_seconds: Option<f64>,
    /// Budgets and what was measured.
    pub objectives: Objectives,
    /// Rows read back and counted in the restored databases.
    pub rows_verified: u64,
    /// Whether the stack was left standing on request.
    pub kept: bool,
    /// What teardown removed, and what is left.
    pub teardown: Teardown,
    /// When each phase began, and how long it took.
    pub phases: Vec<PhaseTime>,
    /// The databases the drill was narrowed to; empty for all.
    pub only: Vec<DatabaseName>,
    /// The first thing that went wrong.
    pub failure: Option<FailureRecord>,
    /// Facts for the operator that do not change the status.
    pub warnings: Vec<String>,
    /// What was not verified, though no check failed for that. A PASS does not cover it.
    #[serde(default)]
    pub not_verified: Vec<String>,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Version of the program.
    pub version: String,
}

/// The machine and the engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Runner {
    /// The host the program ran on.
    pub hostname: String,
    /// The process: host, boot and PID namespace, process id, and when it began. Shows whether a drill that is RUNNING still runs.
    #[serde(default)]
    pub owner: String,
    /// The Docker engine's version.
    pub engine_version: Option<String>,
    /// The API version spoken with it.
    pub api_version: Option<String>,
    /// Where the engine was reached, as `DOCKER_HOST` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_endpoint: Option<String>,
    /// The Docker context that named it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_context: Option<String>,
    /// The engine's processors.
    pub cpus: Option<u64>,
    /// The engine's memory.
    pub memory_bytes: Option<u64>,
    /// Bytes free on the disk that databases were restored to, before they were.
    pub disk_free_bytes: Option<u64>,
}
