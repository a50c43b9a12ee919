//! The globals of a server, as `pg_dumpall --globals-only` writes them (`pg_dumpall.c`): roles, memberships, settings.
//!
//! The file is a script for a superuser, and hostile. So it is never run. Its statements are taken apart into values that
//! can be quoted anew; a statement of another form is left out, and named.

mod read;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::names::ObjectKey;

#[cfg(test)]
mod tests;

/// More than the roles of a hundred thousand users take.
pub const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// What a server has besides its databases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    /// Its roles, by their names.
    pub roles: BTreeMap<String, Role>,
    /// Which role is a member of which, in an order in which they can be granted.
    pub memberships: Vec<Membership>,
    /// Settings of roles.
    pub settings: Vec<RoleSetting>,
    /// Comments on roles.
    pub comments: Vec<Comment>,
    /// Security labels of roles.
    pub labels: Vec<SecurityLabel>,
    /// Privileges on settings of the server.
    pub parameters: Vec<ParameterGrant>,
    /// Roles that it has a password for, as the server keeps it.
    pub with_password: BTreeSet<String>,
    /// What the file has besides, for people: the first ones.
    pub left_out: Vec<String>,
}

/// A role, as the source had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// May do anything.
    pub superuser: bool,
    /// Has the privileges of the roles that it is a member of.
    pub inherit: bool,
    /// May create roles.
    pub create_role: bool,
    /// May create databases.
    pub create_db: bool,
    /// May log in.
    pub login: bool,
    /// May replicate.
    pub replication: bool,
    /// Is held by no row-level security policy.
    pub bypass_rls: bool,
}

/// As `CREATE ROLE` makes one.
impl Default for Role {
    fn default() -> Self {
        Self {
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            replication: false,
            bypass_rls: false,
        }
    }
}

/// One role is a member of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The role that was granted.
    pub role: String,
    /// The role that it was granted to.
    pub member: String,
    /// The member may grant it to others.
    pub admin: bool,
    /// The member has its privileges without `SET ROLE` (since PostgreSQL 16).
    pub inherit: Option<bool>,
    /// The member may `SET ROLE` to it (since PostgreSQL 16).
    pub set: Option<bool>,
    /// The role that granted it.
    pub grantor: Option<String>,
}

/// A setting of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSetting {
    /// The role.
    pub role: String,
    /// The setting's name.
    pub name: String,
    /// Its values: several only for a setting that is a list.
    pub values: Vec<String>,
}

/// A comment on a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The role.
    pub role: String,
    /// The comment.
    pub text: String,
}

/// A security label of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityLabel {
    /// The module that knows what it means.
    pub provider: String,
    /// The role.
    pub role: String,
    /// The label.
    pub label: String,
}

/// A privilege on a setting of the server (since PostgreSQL 15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterGrant {
    /// The setting's name, by its parts.
    pub parameter: Vec<String>,
    /// May set it.
    pub set: bool,
    /// May change it for the whole server.
    pub alter_system: bool,
    /// The role; none for all.
    pub grantee: Option<String>,
    /// May grant it to others.
    pub grantable: bool,
}

/// Why a file holds no globals that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobalsError {
    /// It ends early.
    #[error("it is cut off")]
    CutOff,
    /// It is not in UTF-8: `pg_dumpall` writes in the encoding of the database that it asks, unless `--encoding` says which.
    #[error("it is not in UTF-8")]
    Encoding,
    /// Its texts are quoted in a way that no server has by itself.
    #[error("it was written with standard_conforming_strings off")]
    Quoting,
    /// It is another program's, or holds databases too.
    #[error("it is not what pg_dumpall --globals-only writes: {0}")]
    Foreign(String),
}

impl GlobalsError {
    /// The failure of the globals that have this key.
    pub fn into_failure(self, key: &ObjectKey) -> Failure {
        Failure::bad(codes::GLOBALS_UNREADABLE, format!("the globals {key} cannot be read: {self}"))
            .hint("make them with `restore-drill backup`, or `pg_dumpall --globals-only`; access = \"skip\" in [postgres] drills without roles")
    }
}
