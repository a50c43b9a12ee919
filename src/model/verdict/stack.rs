//! The stack: what it was made of, what kept it apart, and what is left of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::names::{DatabaseName, ServerName};

/// The stack a drill restored into.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// The kind of settings that Postgres ran with.
    pub tuning: Option<Tuning>,
    /// The settings that Postgres ran with.
    pub settings: BTreeMap<String, String>,
    /// The server's own version.
    pub postgres_version: Option<String>,
    /// Services and their images.
    pub services: Vec<StackService>,
    /// The PostgreSQL servers, where the template has more than that of `[postgres]`. The keys above are about the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<StackServer>,
}

/// One of several PostgreSQL servers of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackServer {
    /// Name of the server: that of its service, and the one it is reached by in the stack.
    pub name: ServerName,
    /// Port that it listens on, in the whole stack.
    pub port: u16,
    /// The image as the template names it.
    pub image: String,
    /// Id of the image that ran.
    pub image_id: String,
    /// The server's own version.
    pub version: String,
    /// The kind of settings that it ran with.
    pub tuning: Tuning,
    /// The settings that it ran with.
    pub settings: BTreeMap<String, String>,
    /// Memory limit of its container.
    pub memory_bytes: u64,
    /// Databases that are restored to it.
    pub databases: Vec<DatabaseName>,
}

/// Which settings the drill's Postgres runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// For a server whose data may be lost at any time: no fsync, no WAL archiving, large buffers.
    #[default]
    Throwaway,
    /// The image's own settings, so that RTO is measured as production would see it.
    Production,
}

impl Stack {
    /// The service of a server.
    pub fn service_of(&self, server: &ServerName) -> Option<&StackService> {
        self.services.iter().find(|service| service.name == server.as_str())
    }

    /// The server that a database was restored to.
    pub fn server_of(&self, database: &DatabaseName) -> ServerName {
        let server = self.servers.iter().find(|server| server.databases.contains(database));
        server.map(|server| server.name.clone()).unwrap_or_default()
    }

    /// Each server's image, with the server's own version.
    pub fn postgres_images(&self) -> Vec<(&str, &str)> {
        if self.servers.is_empty() {
            let image = self.service_of(&ServerName::default()).map(|service| service.image.as_str());
            return image.zip(self.postgres_version.as_deref()).into_iter().collect();
        }
        self.servers.iter().map(|server| (server.image.as_str(), server.version.as_str())).collect()
    }
}

/// One service of the stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackService {
    /// Name of the service.
    pub name: String,
    /// The image as the template names it.
    pub image: String,
    /// Id of the image that ran.
    pub image_id: String,
    /// The container.
    pub container: String,
}

/// Whether isolation was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IsolationStatus {
    /// The drill did not get that far.
    #[default]
    NotProved,
    /// Every assertion held and every probe saw what it should.
    Proved,
    /// An assertion or a probe failed.
    Failed,
}

/// The proof that the stack could reach nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Isolation {
    /// Whether isolation was proved.
    pub status: IsolationStatus,
    /// What the engine says it made.
    pub assertions: Vec<Assertion>,
    /// What was tried from inside.
    pub probes: Vec<Probe>,
    /// What could not be tried, and why.
    #[serde(default)]
    pub not_probed: Vec<String>,
    /// When the assertions were made again, after the last check.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// One property of what the engine made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assertion {
    /// The network or container, or the project.
    pub subject: String,
    /// The property.
    pub property: Cow<'static, str>,
    /// What the property must be.
    pub expected: String,
    /// What the property is.
    pub actual: String,
    /// Whether expected and actual agree.
    pub ok: bool,
}

/// One attempt to get out of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The container it was made from.
    pub from: String,
    /// A name, `host:port`, `host:port/udp`, or what else was tried.
    pub target: String,
    /// Why this target.
    pub reason: String,
    /// What must be seen.
    pub expect: Expectation,
    /// What was seen.
    pub observed: String,
    /// Whether that is as it must be.
    pub ok: bool,
}

/// What a probe must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// A name that does not resolve.
    Unresolvable,
    /// An address that does not answer.
    Unreachable,
    /// A family of sockets that the kernel refuses.
    Refused,
    /// No other network interface.
    None,
    /// A control: an address that answers.
    Reachable,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unresolvable => "unresolvable",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::None => "none",
            Self::Reachable => "reachable",
        })
    }
}

/// How teardown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TeardownStatus {
    /// Teardown has not begun.
    #[default]
    Pending,
    /// Nothing of the drill is left.
    Clean,
    /// Something is left, or was not seen to be gone; `leaked` and `not_looked_at` name it.
    Leaked,
    /// Left standing on request.
    Kept,
}

/// What was removed, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Teardown {
    /// How teardown went.
    pub status: TeardownStatus,
    /// What was removed.
    pub removed: Removed,
    /// Containers of others that were on a network of the drill. They were disconnected from it, and are left alone.
    #[serde(default)]
    pub disconnected: Vec<String>,
    /// What is left, with the reason.
    pub leaked: Vec<String>,
    /// What could not be looked at, with the reason: it may be left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_looked_at: Vec<String>,
}

impl Teardown {
    /// What is left, and what may be.
    pub fn remains(&self) -> String {
        let unseen = self.not_looked_at.iter().map(|what| format!("not looked at: {what}"));
        self.leaked.iter().cloned().chain(unseen).collect::<Vec<_>>().join("; ")
    }
}

/// Counts of what teardown removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Containers.
    pub containers: u64,
    /// Networks.
    pub networks: u64,
    /// Volumes.
    pub volumes: u64,
}

impl std::ops::Add for Removed {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            containers: self.containers + other.containers,
            networks: self.networks + other.networks,
            volumes: self.volumes + other.volumes,
        }
    }
}
