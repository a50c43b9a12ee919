//! The keys a template may have. See `docs/templates.md` for the reference with examples.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::names::{DatabaseName, ProjectPrefix};
use crate::secret::Secret;

/// A whole template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The version of this schema. Always 1.
    pub schema_version: u32,
    /// The template's name, as it stands in verdicts.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What project names begin with.
    pub project_prefix: ProjectPrefix,
    /// A drill that has not come to a verdict after this long is stopped, and says where it was.
    #[serde(with = "humantime_serde", default = "defaults::timeout")]
    pub timeout: Duration,
    /// Where recovery points live.
    pub store: Store,
    /// How recovery points are decrypted.
    pub encryption: Encryption,
    /// The server they are restored to.
    pub postgres: Postgres,
    /// Further services of the stack, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// What the stack must not be able to reach, besides what is always probed.
    #[serde(default)]
    pub isolation: Isolation,
    /// Budgets.
    #[serde(default)]
    pub objectives: Objectives,
    /// The databases, in any order.
    pub databases: Vec<Database>,
    /// What must hold on the restored data.
    pub checks: Vec<Check>,
    /// What a drill-log row counts.
    #[serde(default)]
    pub log: Log,
    /// How dumps are made.
    #[serde(default)]
    pub backup: Option<Backup>,
}

impl Template {
    /// The database of this name.
    pub fn database(&self, name: &DatabaseName) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == *name)
    }
}

/// Where recovery points live.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `s3://bucket/prefix`.
    pub url: String,
    /// An S3 endpoint other than AWS's, addressed by path. Empty for AWS.
    #[serde(default)]
    pub endpoint: String,
    /// The region. Empty for the default provider chain's.
    #[serde(default)]
    pub region: String,
    /// How a key is made from a database and a time, below the prefix.
    #[serde(default = "defaults::key")]
    pub key: String,
    /// How `{timestamp}` in the key is written (chrono's strftime; UTC).
    #[serde(default = "defaults::timestamp")]
    pub timestamp: String,
}

/// How recovery points are decrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Paths of age identity files: native X25519 keys, or unencrypted OpenSSH private keys.
    pub identities: Vec<PathBuf>,
}

/// The server recovery points are restored to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Its image: the official one, or one that behaves like it.
    pub image: String,
    /// Which settings the server runs with.
    #[serde(default)]
    pub tuning: Tuning,
    /// Settings on top of those, as in `postgresql.conf`.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The superuser's password. Empty for a random one.
    #[serde(default)]
    pub password: Secret,
    /// Roles to create (without login) before anything is restored.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The container's memory limit. Default: three quarters of the engine's memory.
    #[serde(default)]
    pub memory: Option<ByteSize>,
    /// How long the server may take until it answers.
    #[serde(with = "humantime_serde", default = "defaults::ready_timeout")]
    pub ready_timeout: Duration,
}

/// Which settings the drill's Postgres runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// For a server whose data may be lost at any time: no fsync, no WAL archiving, large buffers.
    #[default]
    Throwaway,
    /// The image's own settings, so that RTO is measured as production would see it.
    Production,
}

/// A further service of the stack. There is deliberately no way to ask for ports, binds, privileges or networks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its image.
    pub image: String,
    /// The user it runs as. Default: the image's own.
    #[serde(default)]
    pub user: Option<String>,
    /// Its command. Default: the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// A command that exits with 0 inside the container once it is ready. Default: ready when running.
    #[serde(default)]
    pub ready: Vec<String>,
    /// How long it may take until it is ready.
    #[serde(with = "humantime_serde", default = "defaults::ready_timeout")]
    pub ready_timeout: Duration,
    /// The container's memory limit.
    #[serde(default = "defaults::service_memory")]
    pub memory: ByteSize,
}

/// What the stack must not be able to reach, besides what is always probed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// Names that must not resolve inside the stack.
    #[serde(default)]
    pub unresolvable: Vec<String>,
    /// `host:port` that must not answer from inside the stack.
    #[serde(default)]
    pub unreachable: Vec<String>,
}

/// Budgets. What is absent is measured, and not judged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Recovery time: from the start of the drill until everything is restored and verified.
    #[serde(with = "humantime_serde", default)]
    pub rto: Option<Duration>,
    /// Data loss: from the oldest recovery point of the set until the drill's point in time.
    #[serde(with = "humantime_serde", default)]
    pub rpo: Option<Duration>,
    /// Waiting for the store, for each database.
    #[serde(with = "humantime_serde", default)]
    pub download: Option<Duration>,
    /// Decrypting and hashing, for each database.
    #[serde(with = "humantime_serde", default)]
    pub decrypt: Option<Duration>,
    /// `pg_restore`, for each database.
    #[serde(with = "humantime_serde", default)]
    pub restore: Option<Duration>,
    /// All checks: the time during which at least one of them runs.
    #[serde(with = "humantime_serde", default)]
    pub verification: Option<Duration>,
}

/// One database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name.
    pub name: DatabaseName,
    /// The databases that must be restored before it.
    #[serde(default)]
    pub after: Vec<DatabaseName>,
}

/// Something that must hold on the restored data.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Check {
    /// Tables that must be there.
    RequiredTables(RequiredTables),
    /// Row counts that must hold.
    RowCounts(RowCounts),
    /// A tamper-evident chain that must be unbroken.
    VerifyChain(VerifyChain),
    /// Two sides that must know each other's rows.
    Reconcile(Reconcile),
    /// Daily signed roots of an Aegis audit database.
    TransparencyRoots(TransparencyRoots),
}

impl Check {
    /// The check's name in the verdict.
    pub fn name(&self) -> &str {
        match self {
            Self::RequiredTables(check) => &check.name,
            Self::RowCounts(check) => &check.name,
            Self::VerifyChain(check) => &check.name,
            Self::Reconcile(check) => &check.name,
            Self::TransparencyRoots(check) => &check.name,
        }
    }

    /// The check's type, as the template writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RequiredTables(_) => "required-tables",
            Self::RowCounts(_) => "row-counts",
            Self::VerifyChain(_) => "verify-chain",
            Self::Reconcile(_) => "reconcile",
            Self::TransparencyRoots(_) => "transparency-roots",
        }
    }

    /// The databases it looks at, each once.
    pub fn databases(&self) -> Vec<&DatabaseName> {
        let mut names: Vec<&DatabaseName> = match self {
            Self::RequiredTables(check) => check.tables.keys().collect(),
            Self::RowCounts(check) => check.rules.iter().map(|rule| &rule.database).collect(),
            Self::VerifyChain(check) => vec![&check.database],
            Self::TransparencyRoots(check) => vec![&check.database],
            Self::Reconcile(check) => [&check.left.database, &check.right.database]
                .into_iter()
                .chain(check.facts.iter().map(|fact| &fact.database))
                .collect(),
        };
        names.sort();
        names.dedup();
        names
    }
}

/// Tables that must be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredTables {
    /// The check's name.
    pub name: String,
    /// The tables, by database.
    pub tables: BTreeMap<DatabaseName, Vec<TableName>>,
}

/// Row counts that must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCounts {
    /// The check's name.
    pub name: String,
    /// One rule for each table that is judged.
    pub rules: Vec<RowRule>,
}

/// A tamper-evident chain that must be unbroken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyChain {
    /// The check's name.
    pub name: String,
    /// The table's database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// How its rows are hashed and linked.
    pub scheme: ChainScheme,
    /// Whether a chain that begins in the middle fails the check. Otherwise it is taken as pruned, with a warning.
    #[serde(default)]
    pub require_genesis: bool,
}

/// How the rows of a chain are hashed and linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainScheme {
    /// The Aegis platform's audit log, versions 1 and 2, see [`crate::chain`].
    AegisAudit,
}

/// Daily signed roots of an Aegis audit database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransparencyRoots {
    /// The check's name.
    pub name: String,
    /// The audit database.
    pub database: DatabaseName,
    /// Path of the public key that signs roots today, in PEM form: it is not in the database. Empty for none.
    #[serde(default)]
    pub active_public_key: Option<PathBuf>,
    /// Whether pruned days fail the check. Otherwise they are warnings.
    #[serde(default)]
    pub require_genesis: bool,
}

/// Two sides, in two databases, that must know each other's rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The check's name.
    pub name: String,
    /// One side.
    pub left: ReconcileSide,
    /// The other.
    pub right: ReconcileSide,
    /// Figures to show beside the outcome.
    #[serde(default)]
    pub facts: Vec<Fact>,
}

/// One side of a reconciliation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSide {
    /// What its rows are called.
    pub label: String,
    /// Its database.
    pub database: DatabaseName,
    /// SQL that returns `key` (text), `at` (timestamptz: when the row was written) and `required` (boolean: whether
    /// the other side must have it; rows that are not required still answer for the other side's).
    pub query: String,
    /// A row may lack its counterpart for so long.
    #[serde(with = "humantime_serde", default)]
    pub grace: Duration,
}

/// A figure to show beside an outcome.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// Its database.
    pub database: DatabaseName,
    /// SQL that returns one value.
    pub query: String,
}

/// How many rows a table must have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// Its database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// At least this many.
    #[serde(default)]
    pub min: Option<u64>,
    /// At most this many.
    #[serde(default)]
    pub max: Option<u64>,
    /// Just this many.
    #[serde(default)]
    pub exact: Option<u64>,
}

/// What a drill-log row counts, and under which name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The counts, in the order they are written.
    #[serde(default)]
    pub counts: Vec<LogCount>,
}

/// One count of a drill-log row: `label=rows`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCount {
    /// What stands before the `=`.
    pub label: String,
    /// The table's database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
}

/// How dumps are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// age recipients (`age1…`, `ssh-ed25519 …`, `ssh-rsa …`).
    pub recipients: Vec<String>,
    /// The source server's host, as seen from `network`.
    pub host: String,
    /// Its port.
    #[serde(default = "defaults::port")]
    pub port: String,
    /// The user to dump as.
    #[serde(default = "defaults::user")]
    pub user: String,
    /// That user's password.
    #[serde(default)]
    pub password: Secret,
    /// The Docker network `pg_dump` runs in: a network's name, or `host`.
    #[serde(default = "defaults::network")]
    pub network: String,
}

/// A table's name, with its schema; `public` where none is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (schema, table) = text.split_once('.').unwrap_or(("public", text));
        if schema.is_empty() || table.is_empty() {
            return Err(format!("`{}` is not a table: write `table` or `schema.table`", text.escape_debug()));
        }
        Ok(Self { schema: schema.to_owned(), table: table.to_owned() })
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

mod defaults {
    use super::{ByteSize, Duration};

    pub fn timeout() -> Duration {
        Duration::from_secs(2 * 60 * 60)
    }

    pub fn ready_timeout() -> Duration {
        Duration::from_secs(2 * 60)
    }

    pub fn service_memory() -> ByteSize {
        ByteSize::mib(512)
    }

    pub fn key() -> String {
        "{database}_{timestamp}.dump.age".to_owned()
    }

    pub fn timestamp() -> String {
        crate::names::COMPACT_TIMESTAMP.to_owned()
    }

    pub fn port() -> String {
        "5432".to_owned()
    }

    pub fn user() -> String {
        "postgres".to_owned()
    }

    pub fn network() -> String {
        "host".to_owned()
    }
}
