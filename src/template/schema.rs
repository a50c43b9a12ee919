//! The keys a template may have. See `docs/templates.md` for the reference with examples.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ProjectPrefix, ServerName};
use crate::model::secret::Secret;
use crate::model::verdict::Tuning;

use super::defaults;
use super::section::CheckSection;
use super::service::{Isolation, Service};
use super::source::Source;
use super::table::{NeededTable, TableName};

/// A whole template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The version of this schema. Always 1.
    pub schema_version: u32,
    /// The template's name, as verdicts show it.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What project names begin with.
    pub project_prefix: ProjectPrefix,
    /// A drill without a verdict after this long is stopped, and reports where it was.
    #[serde(with = "humantime_serde", default = "defaults::timeout")]
    pub timeout: Duration,
    /// Where recovery points live.
    pub store: Store,
    /// How recovery points are decrypted.
    pub encryption: Encryption,
    /// The server that databases of PostgreSQL are restored to; see [`Template::servers`].
    #[serde(default)]
    pub postgres: Option<Postgres>,
    /// Further servers, by name, for databases that ask for them.
    #[serde(default, rename = "servers")]
    pub named_servers: BTreeMap<ServerName, Postgres>,
    /// What a recovery set must meet.
    #[serde(default)]
    pub recovery_set: RecoverySetRules,
    /// Further services of the stack, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// What the stack must not be able to reach, besides what is always probed.
    #[serde(default)]
    pub isolation: Isolation,
    /// Budgets.
    #[serde(default)]
    pub objectives: Objectives,
    /// What `health` demands.
    #[serde(default)]
    pub health: Health,
    /// The databases, in any order.
    pub databases: Vec<Database>,
    /// What must hold on the restored data, as it stands.
    #[serde(rename = "checks")]
    pub sections: Vec<CheckSection>,
    /// What a drill-log row counts.
    #[serde(default)]
    pub log: Log,
    /// How dumps are made.
    #[serde(default)]
    pub backup: Option<Backup>,
    /// What to do about a failure in this system, by the failure's code: shown after the general hint.
    #[serde(default)]
    pub hints: BTreeMap<String, String>,
    /// Databases of the file that the command line left out.
    #[serde(skip)]
    pub left_out: Vec<DatabaseName>,
    /// The tables that its checks cannot do without: filled in when the checks are read.
    #[serde(skip)]
    pub needed_tables: Vec<NeededTable>,
    /// Where it was read.
    #[serde(skip)]
    pub(super) source: Arc<Source>,
}

impl Template {
    /// The database of this name.
    pub fn database(&self, name: &DatabaseName) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == *name)
    }

    /// The images of the servers and of the services.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.servers()
            .map(|server| server.settings.image.as_str())
            .chain(self.services.values().map(|service| service.image.as_str()))
    }

    /// Checks that it has this database; an error is a sentence that begins with `place`.
    ///
    /// # Errors
    /// If it has not.
    pub fn require_database(&self, name: &DatabaseName, place: &str) -> Result<(), String> {
        match self.database(name) {
            Some(_) => Ok(()),
            None => Err(format!("{place} names the database {name}, which is not among [[databases]]")),
        }
    }

    /// The failure with what this system's template says about its code.
    #[must_use]
    pub fn hinted(&self, failure: Failure) -> Failure {
        let Some(own) = self.hints.get(failure.code.as_str()) else { return failure };
        let hint = match &failure.hint {
            // A failure of a database is the drill's, too.
            Some(hint) if hint.ends_with(own.as_str()) => hint.clone(),
            Some(hint) => format!("{hint}; {own}"),
            None => own.clone(),
        };
        failure.hint(hint)
    }

    /// The failure of a template whose parts contradict each other; `message` is a sentence for a person.
    pub fn inconsistent(&self, message: &str) -> Failure {
        self.source.inconsistent(message)
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
    /// How the key of a server's globals is made from a time, below the prefix.
    #[serde(default = "defaults::globals")]
    pub globals: String,
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
    /// Its major version, where the image's tag does not name it; a plan asks no engine.
    #[serde(default)]
    pub version: Option<u32>,
    /// Extensions it has besides those that come with PostgreSQL.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// The set of settings the server runs with.
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
    /// Whether roles, owners and privileges are restored. Default: if the recovery set has the globals of its server.
    #[serde(default)]
    pub access: Option<Access>,
    /// The container's memory limit. Default: three quarters of the engine's memory, divided among the servers.
    #[serde(default)]
    pub memory: Option<ByteSize>,
    /// The locale for a database whose own locale the image lacks. Default: none, and the drill reports the missing one.
    #[serde(default)]
    pub locale: Option<String>,
    /// The port it listens on, in the whole stack. Default: 5432 for `[postgres]`, and 5433 and up for the others, in the
    /// order of their names.
    #[serde(default)]
    pub port: Option<u16>,
    /// How long the server may take until it answers.
    #[serde(with = "humantime_serde", default = "defaults::ready_timeout")]
    pub ready_timeout: Duration,
}

/// Whether a drill restores roles, owners and privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Roles, owners and privileges: a recovery set without globals fails.
    Restore,
    /// None of them.
    Skip,
}

/// What a recovery set must meet. A rule that is absent is not judged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoverySetRules {
    /// How far apart the members of a set may have been taken.
    #[serde(with = "humantime_serde")]
    pub max_skew: Option<Duration>,
    /// How often each database is backed up.
    #[serde(with = "humantime_serde")]
    pub schedule: Option<Duration>,
    /// A recovery point smaller than this part of the median of those before it is suspicious.
    pub shrunk_below: f64,
    /// How many recovery points before the chosen one are considered.
    pub history: u16,
    /// Every recovery point must be under an object lock.
    pub require_object_lock: bool,
    /// The bucket must keep versions.
    pub require_versioning: bool,
    /// Every dump with rows must have indexes, keys or constraints.
    pub require_post_data: bool,
    /// How long a recovery point must be kept.
    #[serde(with = "humantime_serde")]
    pub min_retention: Option<Duration>,
}

impl Default for RecoverySetRules {
    fn default() -> Self {
        Self {
            max_skew: None,
            schedule: None,
            shrunk_below: 0.5,
            history: 7,
            require_object_lock: false,
            require_versioning: false,
            require_post_data: false,
            min_retention: None,
        }
    }
}

/// Budgets. Without a budget the time is measured, and not judged.
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

/// What `health` demands, besides what the plan finds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How long ago the last drill that passed may be. Without it, missing drills are not reported.
    #[serde(with = "humantime_serde", default)]
    pub max_drill_age: Option<Duration>,
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
    /// The server it is restored to. Default: that of `[postgres]`.
    #[serde(default)]
    pub server: Option<ServerName>,
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
    /// The most memory `pg_dump`'s container may use. Default: three quarters of the engine's.
    pub memory: Option<ByteSize>,
    /// Whether dumps hold privileges, and the server's roles are written beside them.
    #[serde(default = "defaults::privileges")]
    pub privileges: bool,
}
