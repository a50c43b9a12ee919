//! A kind of target, as the list of targets has it.

use futures_util::future::BoxFuture;

use super::postgres::globals::RestoredRoles;
use super::postgres::server::Server;
use crate::format::BackupContents;
use crate::format::pg_custom::{LeftOut, NamedRoles};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::{HookRecord, PgRestore};
use crate::template::Statement;

/// A kind of target: what backups are restored to.
#[derive(Debug, Clone, Copy)]
pub struct TargetKind {
    /// Its name.
    pub name: &'static str,
    /// The names of the formats it takes.
    pub formats: &'static [&'static str],
    /// Restores a backup that lies in the sandbox.
    pub restore: for<'a> fn(Restoration<'a>) -> BoxFuture<'a, Result<()>>,
}

/// A backup to restore.
#[derive(Clone, Copy)]
pub struct Restoration<'a> {
    /// Where to.
    pub server: &'a Server,
    /// The database it becomes.
    pub database: &'a DatabaseName,
    /// What it holds.
    pub contents: &'a BackupContents,
    /// What of it is not restored.
    pub left_out: &'a LeftOut,
    /// SQL of the template to run before anything is restored.
    pub before_restore: &'a [Statement],
    /// SQL of the template to run once all is restored.
    pub after_restore: &'a [Statement],
    /// Workers that restore it.
    pub jobs: usize,
    /// The locale for a database whose own the image lacks.
    pub locale: Option<&'a str>,
    /// The roles that are there, if owners and privileges are restored.
    pub roles: Option<&'a RestoredRoles>,
    /// Takes what happens on the way.
    pub report: &'a (dyn Fn(RestoreEvent) + Send + Sync),
}

/// What happens while a backup is restored.
#[derive(Debug)]
pub enum RestoreEvent {
    /// Something an operator should know.
    Warning(String),
    /// What the restore could not make sure of.
    NotVerified(String),
    /// Roles that the dump names and that the globals do not have: they were made up.
    RolesMadeUp(NamedRoles),
    /// What was not restored of owners, privileges and settings.
    AccessLeftOut(Vec<String>),
    /// Rows are being restored from here on.
    Started,
    /// The program that restores has ended, after so many seconds.
    Ended(PgRestore, f64),
    /// A hook has run, with or without success.
    Hook(HookRecord),
}
