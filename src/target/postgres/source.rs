//! The server that is backed up, reached from the container that `pg_dump` runs in.

use rustls::pki_types::ServerName;
use tokio_postgres::Client;

use super::failures::error_text;
use super::tls::{SslMode, Tls};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;
use crate::sandbox::tunnel::Tunnel;

/// How long connecting may take: as long as a slow look-up and a slow handshake, and no longer.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(30);

/// A server outside the stack.
#[derive(Debug, Clone)]
pub struct SourceServer {
    /// The engine.
    pub engine: Engine,
    /// The container that can reach it.
    pub container: String,
    /// Its host, as seen from there.
    pub host: String,
    /// Its port.
    pub port: String,
    /// The user.
    pub user: String,
    /// That user's password; the container does not get it.
    pub password: Secret,
}

impl SourceServer {
    /// Connects to a database.
    ///
    /// # Errors
    /// `source_unreachable`.
    pub async fn connect(&self, database: &DatabaseName) -> Result<Client> {
        let unreachable = |why: &str| {
            let place = format!("{}:{}", self.host, self.port);
            Failure::bad(codes::SOURCE_UNREACHABLE, format!("cannot connect to {database} at {place}: {why}"))
        };
        let connecting = self.connect_through(database);
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(Attempt::Failed(failure))) => Err(failure),
            Ok(Err(Attempt::Refused(error))) => Err(unreachable(&error_text(&error))),
            Err(_) => Err(unreachable(&format!("no answer within {} s", CONNECT.as_secs()))),
        }
    }

    /// As `pg_dump` does it without further settings: encrypted if the server can, and its identity is not checked. What
    /// is read here is compared with what `pg_dump` reads over the same way, so demanding a certificate of one of the
    /// two would protect neither.
    async fn connect_through(&self, database: &DatabaseName) -> Result<Client, Attempt> {
        let tunnel = Tunnel::open(&self.engine, &self.container, &self.host, &self.port)
            .await
            .map_err(Attempt::Failed)?;
        let tls = Tls::new(SslMode::Prefer, None).map_err(Attempt::Failed)?;
        let mut config = tokio_postgres::Config::new();
        // No options: a pooler in front of the server may refuse them.
        config
            .user(&self.user)
            .dbname(database.as_str())
            .application_name("restore-drill")
            .ssl_mode(tls.negotiation());
        if !self.password.expose().is_empty() {
            config.password(self.password.expose());
        }
        // The certificate is not compared with the name, so one that cannot stand in a certificate does no harm.
        let name = ServerName::try_from(self.host.as_str()).map_or("source.invalid", |_| &self.host);
        tls.connect_over(&config, tunnel, name).await.map_err(Attempt::Refused)
    }
}

/// Why there is no connection.
enum Attempt {
    Failed(Failure),
    Refused(tokio_postgres::Error),
}
