//! What became of roles, owners and privileges.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::model::names::{DatabaseName, ObjectKey, ServerName};

/// Whether roles, owners and privileges were restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessStatus {
    /// They were: roles first, then owners and privileges with each database.
    Restored,
    /// The template says that they are not.
    Skipped,
    /// The recovery set has no globals.
    Absent,
    /// The globals cannot be used.
    Failed,
}

/// What became of roles, owners and privileges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRecord {
    /// Whether they were restored.
    pub status: AccessStatus,
    /// The object that the roles came from.
    pub globals: Option<GlobalsRecord>,
    /// The roles, as the source had them. In the drill none of them can log in.
    pub roles: Vec<RoleRecord>,
    /// Roles that are not listed here.
    pub roles_dropped: u64,
    /// How many memberships of roles in roles the globals have.
    pub memberships: u64,
    /// Roles that dumps name and that the globals do not have. They were made up, so that the databases could be restored.
    pub made_up: Vec<MadeUpRole>,
    /// What was not restored, or not as it was: a bounded list.
    pub left_out: Vec<String>,
}

impl AccessRecord {
    /// How many things left out are listed.
    pub const LEFT_OUT_LIMIT: usize = 200;

    /// Nothing was restored, for this reason.
    pub fn without(status: AccessStatus) -> Self {
        Self {
            status,
            globals: None,
            roles: Vec::new(),
            roles_dropped: 0,
            memberships: 0,
            made_up: Vec::new(),
            left_out: Vec::new(),
        }
    }
}

impl Verdict {
    /// The server of a database, if it is not the first.
    fn further_server_of(&self, database: &DatabaseName) -> Option<&ServerName> {
        let servers = self.stack.servers.iter().skip(1);
        servers.filter(|server| server.databases.contains(database)).map(|server| &server.name).next()
    }

    /// What became of roles, owners and privileges on a server.
    pub fn access_on(&self, server: &ServerName) -> Option<&AccessRecord> {
        match self.stack.servers.first() {
            Some(first) if first.name == *server => self.access.as_ref(),
            // An earlier version, which knew of one server, did not name it.
            None if server.is_default() => self.access.as_ref(),
            _ => self.server_access.get(server.as_str()),
        }
    }

    /// The same on the server of this database.
    pub fn access_of(&self, database: &DatabaseName) -> Option<&AccessRecord> {
        match self.further_server_of(database) {
            Some(server) => self.server_access.get(server.as_str()),
            None => self.access.as_ref(),
        }
    }

    /// The same, to add to it.
    pub fn access_of_mut(&mut self, database: &DatabaseName) -> Option<&mut AccessRecord> {
        match self.further_server_of(database).cloned() {
            Some(server) => self.server_access.get_mut(server.as_str()),
            None => self.access.as_mut(),
        }
    }
}

/// The globals that were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlobalsRecord {
    /// The object's key in the store.
    pub key: ObjectKey,
    /// When they were taken, by the key.
    pub taken_at: DateTime<Utc>,
    /// Size of the object.
    pub size_bytes: u64,
    /// SHA-256 of the object.
    pub ciphertext_sha256: String,
    /// SHA-256 of the SQL in it.
    pub plaintext_sha256: String,
    /// Whether the manifest of the backup names them, with this hash.
    pub in_manifest: bool,
}

/// A role of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRecord {
    /// Its name.
    pub name: String,
    /// What it may do as such: `login`, `superuser`, `createdb`, `createrole`, `replication`, `bypassrls`, `noinherit`.
    pub attributes: Vec<String>,
}

/// A role that a dump names and that the globals do not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeUpRole {
    /// Its name.
    pub name: String,
    /// The database whose dump names it.
    pub database: DatabaseName,
    /// It owns something or a policy is for it; otherwise it was only granted something.
    pub needed: bool,
}
