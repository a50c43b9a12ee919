//! A Postgres server of a drill. What it can be asked for is in the files beside this one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::either::Either;

use super::pins::Pins;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ServerName;
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;
use crate::sandbox::short_cut::ShortCut;
use crate::sandbox::tunnel::{LOOPBACK, Tunnel};
use crate::template::DEFAULT_PORT;

/// The database every server has.
pub const MAINTENANCE: &str = "postgres";

/// The superuser of every drill's server.
pub const SUPERUSER: &str = "postgres";

/// Between two attempts to connect to a server that does not listen yet.
const LISTENS: Duration = Duration::from_millis(20);

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
    /// Whether a new database is made by copying files: quick as long as the server holds little that it would write out first.
    pub copies_files: bool,
    /// Its version, once a connection has been made. A setting that it does not know would be an error.
    pub(super) version: Arc<OnceLock<ServerVersion>>,
    /// The short cut to it, if there is one, once that was looked for.
    short_cut: Arc<OnceCell<Option<ShortCut>>>,
}

/// A stream to a server.
pub(super) type Way = Either<TcpStream, Tunnel>;

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
        let (version, short_cut) = (Arc::default(), Arc::default());
        Self { engine, name, port, container, password, copies_files: false, version, short_cut }
    }

    /// The same server, by this name and on this port.
    #[must_use]
    pub fn known_as(self, name: ServerName, port: u16) -> Self {
        Self { name, port, ..self }
    }

    /// A way to it, on its own loopback.
    pub(super) async fn way(&self) -> Result<Way> {
        self.way_within(Duration::ZERO).await
    }

    /// As [`Server::way`], to a server that may not listen yet: it is tried again for so long.
    pub(super) async fn way_within(&self, starting: Duration) -> Result<Way> {
        let find = || ShortCut::find(&self.engine, &self.container);
        let Some(short_cut) = self.short_cut.get_or_init(find).await else {
            let port = self.port.to_string();
            let tunnel = Tunnel::open_within(&self.engine, &self.container, LOOPBACK, &port, starting);
            return Ok(Either::Right(tunnel.await?));
        };
        let deadline = Instant::now() + starting;
        loop {
            match short_cut.connect(self.port).await {
                Ok(stream) => return Ok(Either::Left(stream)),
                Err(_) if Instant::now() < deadline => tokio::time::sleep(LISTENS).await,
                Err(error) => {
                    let message = format!("cannot connect to the drill's Postgres ({error})");
                    return Err(Failure::inconclusive(codes::SERVER_UNREACHABLE, message));
                }
            }
        }
    }

    pub(super) fn options(&self, pins: &Pins) -> String {
        pins.options(self.major().unwrap_or(0))
    }

    /// Its major version; it is known once there was a connection.
    pub fn major(&self) -> Option<u32> {
        self.version.get().map(|version| version.major)
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
