//! The keys a template may have. See `docs/templates.md` for the reference with examples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use crate::model::dataset::DatabaseSystem;
use crate::model::entry_rule::EntryRule;
use crate::model::names::{DatabaseName, ProjectPrefix, ServerName};
use crate::model::secret::Secret;
use crate::model::verdict::Tuning;

use super::cluster::Cluster;
use super::defaults;
use super::log::Log;
use super::loss::LossKind;
use super::section::CheckSection;
use super::service::{Isolation, Service};
use super::source::Source;
use super::statements::Statements;
use super::table::NeededTable;
use super::workbench::Sqlite;

/// A whole template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The version of this schema. Must be 1.
    pub schema_version: u32,
    /// The template's name in verdicts, the drill log and the labels of the stack.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What project names begin with. Up to 40 of `a-z 0-9 _ -`; a letter or digit first.
    pub project_prefix: ProjectPrefix,
    /// A drill that has not come to a verdict after this long is stopped. Teardown comes after it. For `backup` it
    /// limits the dumps.
    #[serde(with = "humantime_serde", default = "defaults::timeout")]
    pub timeout: Duration,
    /// Where recovery points live.
    pub store: Store,
    /// How recovery points are decrypted. Without it they are taken as they are.
    #[serde(default)]
    pub encryption: Encryption,
    /// What recovery points are wrapped in.
    #[serde(default)]
    pub layers: Layers,
    /// The server that databases of PostgreSQL are restored to; see [`Template::servers`].
    #[serde(default)]
    pub postgres: Option<Postgres>,
    /// Where databases of SQLite are opened.
    #[serde(default)]
    pub sqlite: Option<Sqlite>,
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
    #[serde(default)]
    pub databases: Vec<Database>,
    /// Servers of which one file holds all databases.
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    /// What must hold on the restored data, as it stands.
    #[serde(rename = "checks")]
    pub sections: Vec<CheckSection>,
    /// What a drill-log row counts.
    #[serde(default)]
    pub log: Log,
    /// How dumps are made.
    #[serde(default)]
    pub backup: Option<Backup>,
    /// What to do about a failure or a finding in this system, by its code: shown after the general hint.
    #[serde(default)]
    pub hints: BTreeMap<String, String>,
    /// Databases of the file that the command line left out.
    #[serde(skip)]
    pub left_out: Vec<Database>,
    /// How the keys of globals are made, for each server of the file.
    #[serde(skip)]
    pub(super) globals_patterns: BTreeMap<ServerName, String>,
    /// The tables that its checks cannot do without: filled in when the checks are read.
    #[serde(skip)]
    pub needed_tables: Vec<NeededTable>,
    /// Where it was read.
    #[serde(skip)]
    pub(super) source: Arc<Source>,
}

/// Where recovery points live.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `s3://bucket` or `s3://bucket/prefix`; or a directory, as `file:///path` or an absolute path, taken as it is written.
    pub url: String,
    /// An S3 endpoint other than AWS's, addressed by path: `https://HOST` or `http://HOST:PORT`, with a path if the
    /// store has one (`https://HOST/storage/v1/s3`). Empty for AWS, and for a directory.
    #[serde(default)]
    pub endpoint: String,
    /// The region. Empty for the region of the AWS default provider chain, and for a directory.
    #[serde(default)]
    pub region: String,
    /// How an object's key is made, below the prefix or in the directory. Must hold `{database}` and `{timestamp}`, each once.
    /// `*` stands for any text within a folder, and `{age,gpg}` for one of these texts.
    #[serde(default = "defaults::key")]
    pub key: String,
    /// How `{timestamp}` is written: a strftime format, in UTC unless it has an offset (`%z`, `%:z`), which is heeded.
    /// It must name a day at least; what is smaller than its smallest unit is zero.
    #[serde(default = "defaults::timestamp")]
    pub timestamp: String,
    /// How the key of the globals (roles, memberships, role settings) of the server that `[backup]` dumps is made, below the
    /// prefix: that of `[postgres]`, or the only one. Must hold `{timestamp}` once, and no `{database}`.
    #[serde(default = "defaults::globals")]
    pub globals: String,
}

/// How recovery points are decrypted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encryption {
    /// age identity files: native X25519 keys (`AGE-SECRET-KEY-1…`), or OpenSSH private keys of the types ed25519 and
    /// RSA. None may have a passphrase. Empty paths are left out.
    pub identities: Vec<PathBuf>,
    /// The directory of a keyring of gpg with the secret keys that open OpenPGP messages, of mode 0700. None may have a
    /// passphrase. Empty for none.
    pub gpg_homedir: Option<PathBuf>,
    /// Whether a recovery point that is not encrypted is refused (`not_age`). Default: `true` if `identities` or
    /// `gpg_homedir` is in the template.
    pub required: Option<bool>,
}

impl Encryption {
    /// Whether what is not encrypted is refused.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(!self.identities.is_empty() || self.gpg_homedir.is_some())
    }

    /// The directory of a keyring of gpg.
    pub fn gpg_homedir(&self) -> Option<&Path> {
        self.gpg_homedir.as_deref().filter(|path| !path.as_os_str().is_empty())
    }
}

/// What recovery points are wrapped in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layers {
    /// How many times larger than the object what comes out of its layers may be, beyond the first 64 MiB. More is
    /// `expansion_limit`. gzip makes zeros smaller by 1030.
    pub max_expansion: u64,
}

impl Default for Layers {
    fn default() -> Self {
        Self { max_expansion: 2000 }
    }
}

/// The server recovery points are restored to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// The official Postgres image, or one that behaves like it: it sets `PGDATA`, and has `bash` and `timeout`. Its
    /// major version must not be older than the dumps'.
    pub image: String,
    /// PostgreSQL's major version in the image, where its tag does not name it. Only the [plan](plan.md) uses it: it
    /// asks no engine. Default: by the tag.
    #[serde(default)]
    pub version: Option<u32>,
    /// Extensions the image has besides those that come with PostgreSQL. Only the plan uses it.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// `throwaway`: settings for a server whose data may be lost (no fsync, no archiving, no autovacuum, buffers sized
    /// from the memory limit). `production`: the image's own, with `max_connections` for the drill's work.
    #[serde(default)]
    pub tuning: Tuning,
    /// Server settings on top of those, as in `postgresql.conf`. All values are strings.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The superuser's password in the drill's own server. Empty for a random one.
    #[serde(default)]
    pub password: Secret,
    /// Roles to create before anything is restored. They cannot log in.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether roles, owners and privileges are restored, see [below](#roles-owners-and-privileges). `"restore"` fails
    /// a recovery set without globals (`globals_missing`). Default: `"restore"` if the set has globals.
    #[serde(default)]
    pub access: Option<Access>,
    /// How the key of its source's globals is made, below the prefix, as `store.globals`. Default: `store.globals` for the
    /// server that `[backup]` dumps, and `"globals_NAME_{timestamp}.sql.age"` for any other.
    #[serde(default)]
    pub globals: Option<String>,
    /// The container's memory limit. Never more than the engine has. Several servers share the three quarters. Default: three
    /// quarters of the engine's memory.
    #[serde(default)]
    pub memory: Option<ByteSize>,
    /// The locale to restore a database with whose own the image lacks, such as `"C"`. A warning says so. Without it
    /// the drill says `collation_missing`.
    #[serde(default)]
    pub locale: Option<String>,
    /// The port it listens on, in the whole stack. Of `[servers]` it is 5433 and up, in the order of their names.
    /// Default: 5432.
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
    /// How far apart the members may have been taken. More is an error.
    #[serde(with = "humantime_serde")]
    pub max_skew: Option<Duration>,
    /// How often each database is backed up. Without it gaps are not judged. At least a minute.
    #[serde(with = "humantime_serde")]
    pub schedule: Option<Duration>,
    /// A recovery point smaller than this part (0 to 1) of the median of those before it gives a warning. 0: never.
    pub shrunk_below: f64,
    /// How many recovery points before the chosen one are considered, for that median and for gaps: 1 to 365.
    pub history: u16,
    /// Every member must be under an object lock, or a legal hold. In a directory: must be immutable.
    pub require_object_lock: bool,
    /// The bucket must keep versions. A directory keeps none.
    pub require_versioning: bool,
    /// Every dump that has rows must have an index, a key, a constraint or a trigger. Otherwise a dump without any is a
    /// warning; it is always an error if that of an earlier drill had some.
    pub require_post_data: bool,
    /// How long recovery points must be kept: no lifecycle rule may delete them before, and a demanded lock must last
    /// so long from when they were taken. Of a directory it is known only if `require_object_lock` is demanded too.
    #[serde(with = "humantime_serde")]
    pub min_retention: Option<Duration>,
    /// What a recovery point may not have lost since the one before it, by the tables of contents of both: `schemas`,
    /// `extensions`, `types`, `functions`, `tables`, `sequences`, `views`, `defaults`, `indexes`, `constraints`,
    /// `triggers`, `rules`, `policies`, `statistics`, `publications`, `acls`. Of other kinds a loss is a warning. See
    /// [the plan](plan.md#what-changed-since-the-one-before).
    pub forbid_loss: Vec<LossKind>,
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
            forbid_loss: Vec::new(),
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
    /// Data loss: from the oldest recovery point of the recovery set until the drill's point in time.
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
    /// All checks: the time in which at least one check ran.
    #[serde(with = "humantime_serde", default)]
    pub verification: Option<Duration>,
}

/// What `health` demands, besides what the plan finds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How long ago the point in time may be that a drill of all databases recovered to and passed. An older one, or
    /// none, is a warning. A drill of old backups (`--at`) proves nothing about those of today.
    #[serde(with = "humantime_serde", default)]
    pub max_drill_age: Option<Duration>,
}

/// One database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name: in the object keys, and on the server it is restored to. Each only once.
    pub name: DatabaseName,
    /// What it runs on: `"postgres"`, or `"sqlite"` for a file of SQLite. Default: `"postgres"`.
    #[serde(default)]
    pub system: DatabaseSystem,
    /// Its parents: the databases that must be restored before it. They may be on other servers.
    #[serde(default)]
    pub after: Vec<DatabaseName>,
    /// How the keys of its recovery points are made, as `store.key`. It may lack `{database}`, and `{timestamp}` too: then the
    /// time of an object's last change is that of the recovery point. Default: `store.key`.
    #[serde(default)]
    pub key: Option<String>,
    /// How `{timestamp}` is written in its keys. Default: `store.timestamp`.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// The server it is restored to: a name of `[servers]`, or `postgres` for that of `[postgres]`. Default:
    /// `"postgres"`.
    #[serde(default)]
    pub server: Option<ServerName>,
    /// Extensions that are not restored, with what depends on them.
    #[serde(default)]
    pub ignore_extensions: Vec<String>,
    /// Entries of the archive that are not restored, with what depends on them.
    #[serde(default)]
    pub ignore: Vec<EntryRule>,
    /// SQL that the drill's superuser runs in the database after it was created, before anything is restored to it.
    #[serde(default)]
    pub before_restore: Statements,
    /// SQL that the drill's superuser runs in the database after all is restored, before its rows are counted and
    /// checked.
    #[serde(default)]
    pub after_restore: Statements,
    /// The cluster that its recovery point is a dump of.
    #[serde(skip)]
    pub cluster: Option<DatabaseName>,
}

/// How dumps are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// age recipients: `age1…`, `ssh-ed25519 …`, `ssh-rsa …`. Empty ones are left out. One at least is needed, or
    /// `gpg_recipient`.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// A public key in the keyring of `encryption.gpg_homedir`, or in gpg's own if that is empty: its fingerprint, or
    /// another name that gpg finds it by. gpg encrypts to it if no recipient of age is given.
    #[serde(default)]
    pub gpg_recipient: String,
    /// The source server's host, as seen from `network`.
    pub host: String,
    /// Its port. A string.
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
    /// The most memory `pg_dump`'s container may use. `pg_dump` needs about four times the largest row, as text.
    /// Default: three quarters of the engine's.
    pub memory: Option<ByteSize>,
    /// Whether dumps hold privileges, and the server's roles are written beside them (`store.globals`), without
    /// passwords. `false` leaves out both, and a warning says what a recovery then lacks.
    #[serde(default = "defaults::privileges")]
    pub privileges: bool,
}
