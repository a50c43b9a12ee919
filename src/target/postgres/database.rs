//! A database, however it is reached.

use tokio_postgres::Client;

use super::direct::Direct;
use super::pins::Pins;
use super::server::Server;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// A database that checks can connect to, as often as they like.
#[derive(Debug, Clone)]
pub enum DatabaseAddress {
    /// In a stack, through the engine.
    InStack(Server, DatabaseName),
    /// Anywhere else, where a URL or the environment says.
    Direct(Direct),
}

impl DatabaseAddress {
    /// Opens a connection.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn connect(&self) -> Result<Client> {
        match self {
            Self::InStack(server, name) => {
                Ok(server.connect_pinned(name.as_str(), &Pins::template()).await?.client)
            }
            Self::Direct(direct) => direct.connect().await,
        }
    }
}
