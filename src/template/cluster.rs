//! `[[clusters]]`: all databases of a server in one file, as `pg_dumpall` writes them.

use serde::Deserialize;

use crate::model::names::{DatabaseName, ServerName};

/// A server of which one file holds all databases and roles. Each database that is named is a database of the drill.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name in verdicts.
    pub name: DatabaseName,
    /// The databases that must be in it, and are restored: checks name them as any other.
    pub databases: Vec<DatabaseName>,
    /// How the keys of its files are made, as `store.key`; `{database}` is the cluster's name. Default: `store.key`.
    #[serde(default)]
    pub key: Option<String>,
    /// How `{timestamp}` is written in its keys. Default: `store.timestamp`.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Databases that must be restored before all of its own.
    #[serde(default)]
    pub after: Vec<DatabaseName>,
    /// The server that its databases are restored to: a name of `[servers]`, or `postgres` for that of `[postgres]`. Default:
    /// `"postgres"`.
    #[serde(default)]
    pub server: Option<ServerName>,
}
