//! What became of each cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::databases::{DatabaseRecord, DatabaseStatus};
use crate::model::names::DatabaseName;

/// What became of one cluster: all databases of a server, in one recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterRecord {
    /// Name of the cluster.
    pub name: DatabaseName,
    /// Its databases that the template names: more on each is in `databases`.
    pub databases: Vec<DatabaseName>,
    /// Restored, if all of these are; otherwise the state of the first that is not.
    pub status: DatabaseStatus,
    /// User tables restored, in all of them.
    pub tables: u64,
    /// Rows in all of these tables, counted.
    pub rows: u64,
}

impl ClusterRecord {
    /// A cluster nothing has happened to yet.
    pub fn pending(name: &DatabaseName, databases: Vec<DatabaseName>) -> Self {
        Self { name: name.clone(), databases, status: DatabaseStatus::Pending, tables: 0, rows: 0 }
    }

    /// Sums up what became of its databases.
    pub fn sum_up(&mut self, all: &[DatabaseRecord]) {
        let own: Vec<&DatabaseRecord> = all.iter().filter(|one| self.databases.contains(&one.name)).collect();
        let lacking = own.iter().map(|one| one.status).find(|status| *status != DatabaseStatus::Restored);
        self.status = lacking.unwrap_or(DatabaseStatus::Restored);
        self.tables = own.iter().filter_map(|one| one.tables).sum();
        self.rows = own.iter().filter_map(|one| one.rows).sum();
    }
}
