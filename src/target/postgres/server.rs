//! A Postgres server of a drill. What it can be asked for is in the files beside this one.

use std::sync::{Arc, OnceLock};

use super::pins::Pins;
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;

/// The database every server has.
pub const MAINTENANCE: &str = "postgres";

/// A Postgres server in a container, reached through the engine.
#[derive(Debug, Clone)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// The container's id.
    pub container: String,
    /// The superuser's password.
    pub password: Secret,
    /// Its major version, once a connection has been made. A setting that it does not know would be an error.
    pub(super) major: Arc<OnceLock<u32>>,
}

/// A server's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// As the server writes it.
    pub text: String,
    /// The major version.
    pub major: u32,
}

impl Server {
    /// The server in this container.
    pub fn new(engine: Engine, container: String, password: Secret) -> Self {
        Self { engine, container, password, major: Arc::default() }
    }

    pub(super) fn options(&self, pins: &Pins) -> String {
        pins.options(self.major.get().copied().unwrap_or(0))
    }

    /// What to connect with.
    pub(super) fn config(&self, database: &str, options: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .user("postgres")
            .password(self.password.expose())
            .dbname(database)
            .application_name("restore-drill")
            .options(options);
        config
    }
}
