//! The verdict: what a drill found out, as JSON, schema version 1.
//!
//! These types are the contract with scripts, CI jobs and auditors: keys are added, never renamed or removed.
//! Times are RFC 3339 in UTC, durations are seconds, sizes are bytes. Durations of stages that overlap are
//! measured for each stage, so they need not add up to the total.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::failure::FailureRecord;
use crate::names::{DatabaseName, DrillId, ObjectKey, ProjectName};
use crate::plan::Cost;
use crate::template::Tuning;

/// How a drill ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Still running, or ended without a word.
    #[default]
    Running,
    /// Everything was restored, every check held, every objective was met.
    Pass,
    /// The backup, the data or an objective is bad.
    Fail,
    /// The drill could not be run to a verdict.
    Inconclusive,
    /// Somebody stopped it.
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
#[derive(Debug, Clone, Serialize)]
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
    /// Who ran it.
    pub operator: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, teardown included.
    pub finished_at: Option<DateTime<Utc>>,
    /// From the one to the other.
    pub duration_seconds: Option<f64>,
    /// The point in time it drilled for.
    pub at: DateTime<Utc>,
    /// What ran it.
    pub tool: Tool,
    /// Where it ran.
    pub runner: Runner,
    /// The recovery points used.
    pub recovery_set: RecoverySet,
    /// What the plan found, and what making it cost.
    pub plan: PlanRecord,
    /// What became of each database.
    pub databases: Vec<Database>,
    /// The stack it was restored into.
    pub stack: Stack,
    /// That the stack could reach nothing.
    pub isolation: Isolation,
    /// What was verified.
    pub checks: Vec<Check>,
    /// The time during which at least one check ran.
    pub verification_seconds: Option<f64>,
    /// Budgets against measurements.
    pub objectives: Objectives,
    /// Rows read back and counted in the restored databases.
    pub rows_verified: u64,
    /// Whether the stack was left standing on request.
    pub kept: bool,
    /// What was removed, and what was not.
    pub teardown: Teardown,
    /// When each phase began, and what it took.
    pub phases: Vec<PhaseTime>,
    /// The databases the drill was narrowed to; empty for all.
    pub only: Vec<DatabaseName>,
    /// The first thing that went wrong.
    pub failure: Option<FailureRecord>,
    /// What an operator should know though it decides nothing.
    pub warnings: Vec<String>,
}

/// The program.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// Its version.
    pub version: &'static str,
}

/// The machine and the engine.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Runner {
    /// The host the program ran on.
    pub hostname: String,
    /// The Docker engine's version.
    pub engine_version: Option<String>,
    /// The API version spoken with it.
    pub api_version: Option<String>,
    /// The engine's processors.
    pub cpus: Option<u64>,
    /// The engine's memory.
    pub memory_bytes: Option<u64>,
    /// Bytes free on the disk that databases were restored to, before they were.
    pub disk_free_bytes: Option<u64>,
}

/// What the plan found before the drill began.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PlanRecord {
    /// What is wrong with the recovery set, or worth knowing.
    pub findings: Vec<Finding>,
    /// What making the plan cost.
    pub cost: Cost,
}

/// The recovery points one drill uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecoverySet {
    /// When the oldest was taken.
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest was taken.
    pub newest: Option<DateTime<Utc>>,
    /// The seconds between them.
    pub skew_seconds: Option<i64>,
    /// The points, in restore order.
    pub points: Vec<RecoveryPoint>,
}

/// One backup object of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoveryPoint {
    /// The database.
    pub database: DatabaseName,
    /// The object's key in the store.
    pub key: ObjectKey,
    /// Its size as stored, encrypted.
    pub size_bytes: u64,
    /// When the dump was taken, by its key.
    pub taken_at: DateTime<Utc>,
    /// When the object was uploaded, by the store.
    pub last_modified: Option<DateTime<Utc>>,
    /// Its storage class.
    pub storage_class: String,
    /// Its entity tag: the object that is read must still have it.
    pub etag: Option<String>,
    /// SHA-256 of the object as stored, once read.
    pub ciphertext_sha256: Option<String>,
    /// SHA-256 of the dump, once decrypted.
    pub plaintext_sha256: Option<String>,
    /// The dump's size, once decrypted.
    pub plaintext_bytes: Option<u64>,
}

/// How far a database got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseStatus {
    /// Not yet begun.
    Pending,
    /// Restored without an error.
    Restored,
    /// It could not be restored.
    Failed,
    /// There is no recovery point.
    Missing,
    /// Not tried, because a parent failed or the drill ended before.
    Skipped,
}

/// What became of one database.
#[derive(Debug, Clone, Serialize)]
pub struct Database {
    /// Its name.
    pub name: DatabaseName,
    /// Its parents.
    pub after: Vec<DatabaseName>,
    /// How far it got.
    pub status: DatabaseStatus,
    /// User tables restored.
    pub tables: Option<u64>,
    /// Rows in them, counted.
    pub rows: Option<u64>,
    /// The restored database's size.
    pub restored_bytes: Option<u64>,
    /// Rows of each table, by `schema.table`.
    pub table_rows: BTreeMap<String, u64>,
    /// What each stage took.
    pub seconds: StageSeconds,
    /// What the dump says about itself.
    pub archive: Option<Archive>,
    /// How `pg_restore` went.
    pub pg_restore: Option<PgRestore>,
    /// Why it failed or was skipped.
    pub error: Option<FailureRecord>,
}

/// What each stage took. Stages overlap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StageSeconds {
    /// Waiting for the store.
    pub download: Option<f64>,
    /// Decrypting and hashing.
    pub decrypt: Option<f64>,
    /// Waiting for the container to take the dump in.
    pub write: Option<f64>,
    /// `pg_restore`.
    pub restore: Option<f64>,
    /// Counting rows.
    pub count: Option<f64>,
}

/// What a dump says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archive {
    /// The version of pg_dump's archive format.
    pub format: String,
    /// The database's name where it was dumped.
    pub database: String,
    /// The server it came from.
    pub server_version: String,
    /// The pg_dump that made it.
    pub pg_dump_version: String,
    /// Compression of its data.
    pub compression: String,
    /// When it was made, in the source's local time.
    pub created_at: Option<String>,
    /// Entries in its table of contents.
    pub entries: usize,
    /// Tables in it.
    pub tables: usize,
}

/// How `pg_restore` went.
#[derive(Debug, Clone, Serialize)]
pub struct PgRestore {
    /// Its exit status.
    pub exit_code: i64,
    /// Workers it was given.
    pub jobs: usize,
    /// What it said, bounded.
    pub stderr: Vec<String>,
    /// Lines left out.
    pub stderr_lines_dropped: u64,
}

/// The stack a drill restored into.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stack {
    /// Which settings Postgres ran with.
    pub tuning: Option<Tuning>,
    /// Those settings.
    pub settings: BTreeMap<String, String>,
    /// The server's own version.
    pub postgres_version: Option<String>,
    /// Services and their images.
    pub services: Vec<StackService>,
}

/// One service of the stack.
#[derive(Debug, Clone, Serialize)]
pub struct StackService {
    /// Its name.
    pub name: String,
    /// The image as the template names it.
    pub image: String,
    /// The image that was.
    pub image_id: String,
    /// The container.
    pub container: String,
}

/// Whether isolation was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationStatus {
    /// The drill did not get that far.
    #[default]
    NotProved,
    /// Every assertion held and every probe saw what it should.
    Proved,
    /// One did not.
    Failed,
}

/// That the stack could reach nothing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Isolation {
    /// Whether it was proved.
    pub status: IsolationStatus,
    /// What the engine says it made.
    pub assertions: Vec<Assertion>,
    /// What was tried from inside.
    pub probes: Vec<Probe>,
}

/// One property of what the engine made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// The network or container.
    pub subject: String,
    /// The property.
    pub property: &'static str,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// Whether they agree.
    pub ok: bool,
}

/// One attempt to get out of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The container it was made from.
    pub from: String,
    /// A name, or `host:port`.
    pub target: String,
    /// Why this target.
    pub reason: String,
    /// What must be seen: `unresolvable`, `unreachable`, or `reachable` for the control.
    pub expect: &'static str,
    /// What was seen.
    pub observed: String,
    /// Whether that is as it must be.
    pub ok: bool,
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// It holds.
    Pass,
    /// It does not; the findings say why.
    Fail,
    /// It could not be judged.
    Error,
    /// What it looks at was not restored, or it is not possible here; the summary says which.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name in the template.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The outcome.
    pub status: CheckStatus,
    /// What it took.
    pub seconds: f64,
    /// Rows it rests on.
    pub rows_verified: u64,
    /// One line for people.
    pub summary: String,
    /// What it saw, bounded.
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub findings_total: u64,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it; it decides nothing.
    Warning,
    /// The check, or the plan, fails.
    Error,
}

/// One thing a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// Stable snake_case identifier.
    pub code: &'static str,
    /// What it is about: a row, a table, a key.
    pub subject: String,
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

/// A budget and what was measured against it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objective {
    /// The budget. Absent: measured, not judged.
    pub target_seconds: Option<f64>,
    /// The measurement. Absent: it never came to that.
    pub actual_seconds: Option<f64>,
    /// Whether the budget was kept. Absent: not judged.
    pub met: Option<bool>,
}

impl Objective {
    /// Judges a measurement.
    pub fn judge(target: Option<std::time::Duration>, actual_seconds: f64) -> Self {
        let target_seconds = target.map(|target| target.as_secs_f64());
        Self {
            target_seconds,
            actual_seconds: Some(actual_seconds),
            met: target_seconds.map(|target| actual_seconds <= target),
        }
    }
}

/// A budget of one phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseObjective {
    /// The phase: `download`, `decrypt`, `restore` or `verification`.
    pub name: &'static str,
    /// The database, where the phase is one of a database.
    pub database: Option<DatabaseName>,
    /// The budget.
    pub target_seconds: Option<f64>,
    /// The measurement.
    pub actual_seconds: Option<f64>,
    /// Whether it was kept.
    pub met: Option<bool>,
}

/// Budgets against measurements.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Objectives {
    /// Recovery time.
    pub rto: Objective,
    /// Data loss.
    pub rpo: Objective,
    /// Budgets of phases.
    pub phases: Vec<PhaseObjective>,
}

/// When a phase began, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseTime {
    /// The phase.
    pub name: &'static str,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// What it took, once it has ended.
    pub seconds: Option<f64>,
}

/// How teardown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TeardownStatus {
    /// It has not begun.
    #[default]
    Pending,
    /// Nothing of the drill is left.
    Clean,
    /// Something is left; `leaked` names it.
    Leaked,
    /// Left standing on request.
    Kept,
}

/// What was removed, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Teardown {
    /// How it went.
    pub status: TeardownStatus,
    /// What was removed.
    pub removed: Removed,
    /// What is left, with the reason.
    pub leaked: Vec<String>,
}

/// Counts of what teardown removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Containers.
    pub containers: u64,
    /// Networks.
    pub networks: u64,
    /// Volumes.
    pub volumes: u64,
}
