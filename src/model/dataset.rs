//! What is recovered as one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// One database.
    Database(DatabaseSystem),
    /// All databases and roles of one server, as `pg_dumpall` dumps them.
    Cluster,
    /// Files of one directory.
    FileSet,
}

/// What a database runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseSystem {
    /// PostgreSQL: a server in the sandbox.
    #[default]
    Postgres,
    /// SQLite: a file.
    Sqlite,
}

impl DatasetKind {
    /// Whether a drill of it needs a PostgreSQL server.
    pub fn needs_postgres(self) -> bool {
        match self {
            Self::Database(DatabaseSystem::Postgres) | Self::Cluster => true,
            Self::Database(DatabaseSystem::Sqlite) | Self::FileSet => false,
        }
    }
}

impl DatabaseSystem {
    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        *self == Self::Postgres
    }
}
