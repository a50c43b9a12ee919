//! A Postgres server of a drill. What it can be asked for is in the files beside this one.

use std::sync::{Arc, OnceLock};

use super::pins::Pins;
use crate::model::failure::Result;
use crate::model::names::ServerName;
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;
use crate::sandbox::tunnel::{LOOPBACK, Tunnel};
use crate::template::DEFAULT_PORT;

/// The database every server has.
pub const MAINTENANCE: &str = "postgres";

/// The superuser of every drill's server.
pub const SUPERUSER: &str = "postgres";

/// A Postgres server in a container, reached through the engine.
#[derive(Debug, Clone)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// Its name in the stack.
    pub name: ServerName,
    /// The port it listens on.
    pub port: u16,
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
    /// The server in this container, by the name and on the port of `[postgres]`.
    pub fn new(engine: Engine, container: String, password: Secret) -> Self {
        let (name, port) = (ServerName::default(), DEFAULT_PORT);
        Self { engine, name, port, container, password, major: Arc::default() }
    }

    /// The same server, by this name and on this port.
    #[must_use]
    pub fn known_as(self, name: ServerName, port: u16) -> Self {
        Self { name, port, ..self }
    }

    /// A way to it, from inside its container.
    pub(super) async fn tunnel(&self) -> Result<Tunnel> {
        Tunnel::open(&self.engine, &self.container, LOOPBACK, &self.port.to_string()).await
    }

    pub(super) fn options(&self, pins: &Pins) -> String {
        pins.options(self.major.get().copied().unwrap_or(0))
    }

    /// What to connect with.
    pub(super) fn config(&self, database: &str, options: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .user(SUPERUSER)
            .password(self.password.expose())
            .dbname(database)
            .application_name("restore-drill")
            .options(options);
        config
    }
}
