//! Templates: what to drill, and what "good" means.
//!
//! A template is a TOML file. Its strings may use `${VAR}`, `${VAR:-default}` and `${VAR:?message}`, as in
//! Compose files. Unknown keys are errors, and an error says its line. Nothing here does I/O except
//! [`load()`], which reads the file.

mod cluster;
mod clusters;
mod defaults;
mod hints;
mod interpolate;
mod key;
mod key_time;
mod load;
mod log;
mod loss;
mod order;
mod schema;
mod scope;
mod section;
mod servers;
mod service;
mod source;
mod sqlite;
mod statements;
mod store_record;
mod store_url;
mod table;
#[cfg(test)]
pub mod testing;
mod validate;
mod workbench;

pub use cluster::Cluster;
pub use interpolate::{Environment, MissingVariable};
pub use key::KeyPattern;
pub use key_time::{is_readable as is_time_format, read as read_time};
pub use load::{load, parse};
pub use log::{Log, LogCount};
pub use loss::LossKind;
pub use schema::{
    Access, Backup, Database, Encryption, Layers, Objectives, Postgres, RecoverySetRules, Store, Template,
};
pub use section::CheckSection;
pub use servers::{DEFAULT_PORT, TemplateServer};
pub use service::{Isolation, Service, StackNetworkKind};
pub use statements::{Statement, Statements};
pub use store_url::{SCHEMES, StoreUrl, without_user};
pub use table::{NeededTable, TableName};
pub(crate) use validate::split_target;
pub use workbench::{Sqlite, WORKBENCH, WORKBENCH_PORT};

/// Which parts of a template a command needs; only their variables must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Restoring and planning: everything but `[backup]`.
    Drill,
    /// Making dumps and reading them back.
    Backup,
    /// Making dumps only: the identities are not needed.
    BackupWithoutVerify,
    /// Running a check on a database that is there already.
    Checks,
}

impl Purpose {
    fn needs(self, section: &str) -> bool {
        match self {
            Self::Drill => section != "backup",
            Self::Backup => true,
            Self::BackupWithoutVerify => section != "encryption",
            Self::Checks => section == "checks",
        }
    }
}
