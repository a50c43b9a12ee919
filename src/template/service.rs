//! The stack's further services, and what it must not reach.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::defaults;
use crate::model::secret::Secret;

/// A further service of the stack. There is deliberately no way to ask for ports, binds, privileges or networks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The image.
    pub image: String,
    /// The user it runs as. Services have no capabilities, so an image that starts as root and changes user needs this.
    /// Default: the image's own.
    #[serde(default)]
    pub user: Option<String>,
    /// The command. Default: the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// The environment. Values are treated as secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// A command that exits with 0 inside the container once the service is ready. Empty: ready when running.
    #[serde(default)]
    pub ready: Vec<String>,
    /// How long it may take until it is ready.
    #[serde(with = "humantime_serde", default = "defaults::ready_timeout")]
    pub ready_timeout: Duration,
    /// The container's memory limit.
    #[serde(default = "defaults::service_memory")]
    pub memory: ByteSize,
}

/// What the stack must not be able to reach, besides what is always probed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// `loopback`: all containers share one loopback, and have no other interface. `bridge`: each has an address of its
    /// own, for services that need the same port. A host that hears anything on a bridge fails the drill.
    #[serde(default)]
    pub network: StackNetworkKind,
    /// Names that must not resolve inside the stack.
    #[serde(default)]
    pub unresolvable: Vec<String>,
    /// `host:port` that must not answer from inside the stack.
    #[serde(default)]
    pub unreachable: Vec<String>,
}

/// How the containers of a stack reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackNetworkKind {
    /// All on one loopback, and without any other interface. Two cannot listen on one port.
    #[default]
    Loopback,
    /// Each with an address of its own on a bridge, which the host has an interface on. Whether it hears anything there is
    /// for the probes to say.
    Bridge,
}
