//! Connecting to the server of a drill, with settings that nothing in it has a say in.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, Connection, NoTls};

use super::client::drive;
use super::failures::error_text;
use super::frames::Bounded;
use super::pins::Pins;
use super::server::{Server, ServerVersion};
use super::sessions::Pinned;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

impl Server {
    /// Connects to a database as the superuser, to set something up in it. Whatever the database holds by then, its
    /// settings have no say in this connection.
    ///
    /// # Errors
    /// `authentication_failed`, `server_unreachable`.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        Ok(self.connect_pinned(database, &Pins::setup()).await?.client)
    }

    /// Connects with settings that a dump has no say in.
    pub(super) async fn connect_pinned(&self, database: &str, pins: &Pins) -> Result<Pinned> {
        self.require_version(database).await?;
        let way = self.way().await?;
        let pinned = self.start(way, database, &self.options(pins)).await;
        pinned.map_err(|error| connect_failure(database, &error))
    }

    /// Connects without any settings, to load data into a database of our own.
    pub(super) async fn connect_unpinned(&self, database: &str) -> Result<Client> {
        let way = self.way().await?;
        let pinned = self.start(way, database, "").await;
        Ok(pinned.map_err(|error| connect_failure(database, &error))?.client)
    }

    /// Knows the server's version from here on: the first connection to it is made before any data is.
    async fn require_version(&self, database: &str) -> Result<()> {
        if self.version.get().is_none() {
            self.greet(database, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Makes a connection as soon as the server listens, within so long, and learns the server's version from it.
    pub(super) async fn greet(&self, database: &str, starting: Duration) -> Result<ServerVersion> {
        let way = self.way_within(starting).await?;
        let started = self.start(way, database, &Pins::catalog().options(0)).await;
        started.map_err(|error| connect_failure(database, &error))?;
        self.version.get().cloned().ok_or_else(|| {
            Failure::inconclusive(codes::SERVER_NOT_READY, "the server does not say which version it is")
        })
    }

    async fn start<S>(
        &self,
        stream: S,
        database: &str,
        options: &str,
    ) -> Result<Pinned, tokio_postgres::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = self.config(database, options);
        // Nothing on this way is encrypted, so whatever comes is a message.
        let (client, connection) = config.connect_raw(Bounded::new(stream), NoTls).await?;
        let is_ascii = connection.parameter("server_encoding") == Some("SQL_ASCII");
        if let Some(version) = version(&connection) {
            self.version.get_or_init(|| version);
        }
        drive(connection);
        let pinned = Pinned { client, is_ascii };
        pinned.take_any_bytes().await?;
        Ok(pinned)
    }
}

/// The version that a server reports with its first messages.
fn version<S, T>(connection: &Connection<S, T>) -> Option<ServerVersion>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let text = connection.parameter("server_version")?;
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some(ServerVersion { text: text.to_owned(), major: text[..end].parse().ok()? })
}

fn connect_failure(database: &str, error: &tokio_postgres::Error) -> Failure {
    let text = error_text(error);
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("28P01" | "28000") => {
            Failure::inconclusive(codes::AUTHENTICATION_FAILED, format!("the drill's Postgres refused the drill's own credentials ({text})"))
                .hint("postgres.password in the template sets the password of the drill's own server; leave it out for a random one")
        }
        _ => Failure::inconclusive(codes::SERVER_UNREACHABLE, format!("cannot connect to {database} in the drill's Postgres ({text})"))
            .hint("this says nothing about the backup: look at the engine's free memory and disk space; --keep leaves the container to look at"),
    }
}
