//! Connecting to the server of a drill, with settings that nothing in it has a say in.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, Connection, NoTls};

use super::client::drive;
use super::failures::error_text;
use super::frames::Bounded;
use super::pins::Pins;
use super::server::Server;
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
        self.require_major(database).await?;
        let tunnel = self.tunnel().await?;
        let pinned = self.start(tunnel, database, &self.options(pins)).await;
        pinned.map_err(|error| connect_failure(database, &error))
    }

    /// Connects without any settings, to load data into a database of our own.
    pub(super) async fn connect_unpinned(&self, database: &str) -> Result<Client> {
        let tunnel = self.tunnel().await?;
        let pinned = self.start(tunnel, database, "").await;
        Ok(pinned.map_err(|error| connect_failure(database, &error))?.client)
    }

    /// Knows the server's version from here on: the first connection to it is made before any data is.
    async fn require_major(&self, database: &str) -> Result<()> {
        if self.major.get().is_none() {
            let tunnel = self.tunnel().await?;
            let options = Pins::catalog().options(0);
            self.start(tunnel, database, &options)
                .await
                .map_err(|error| connect_failure(database, &error))?;
        }
        Ok(())
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
        if let Some(major) = major(&connection) {
            self.major.get_or_init(|| major);
        }
        drive(connection);
        let pinned = Pinned { client, is_ascii };
        pinned.take_any_bytes().await?;
        Ok(pinned)
    }
}

/// The major version that a server reports with its first messages.
fn major<S, T>(connection: &Connection<S, T>) -> Option<u32>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let version = connection.parameter("server_version")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
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
