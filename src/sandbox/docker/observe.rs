//! What the engine says it really made, for the proof of isolation.

use bollard::query_parameters::{InspectContainerOptions, InspectNetworkOptions};

use super::super::labels::Labels;
use super::answer::LOOK;
use super::{Engine, engine_failure, is_not_found, within};
use crate::model::failure::Result;

/// A network as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedNetwork {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Whether packets are kept from leaving it.
    pub internal: bool,
    /// Whether it has IPv6.
    pub ipv6: bool,
    /// Driver options.
    pub options: std::collections::BTreeMap<String, String>,
    /// Gateways its address pools name, whether or not the host has them.
    pub gateways: Vec<String>,
    /// Names of the containers on it, sorted.
    pub containers: Vec<String>,
}

/// A container as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedContainer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it runs.
    pub running: bool,
    /// Its first process, as the engine's machine numbers it.
    pub process: Option<u32>,
    /// Its exit status, if it has ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it because it ran out of memory.
    pub oom_killed: bool,
    /// Networks it is on, sorted.
    pub networks: Vec<String>,
    /// Network, PID, IPC, UTS and user namespace modes.
    pub network_mode: String,
    /// PID namespace mode; empty for its own.
    pub pid_mode: String,
    /// IPC namespace mode.
    pub ipc_mode: String,
    /// UTS namespace mode; empty for its own.
    pub uts_mode: String,
    /// User namespace mode; empty for the engine's.
    pub userns_mode: String,
    /// Whether it is privileged.
    pub privileged: bool,
    /// Capabilities added.
    pub cap_add: Vec<String>,
    /// Capabilities dropped.
    pub cap_drop: Vec<String>,
    /// Security options.
    pub security_opt: Vec<String>,
    /// Ports published on the host.
    pub published_ports: Vec<String>,
    /// Whether all exposed ports are published.
    pub publish_all: bool,
    /// Mounts.
    pub mounts: Vec<ObservedMount>,
    /// Containers whose volumes it shares.
    pub volumes_from: Vec<String>,
    /// Devices of the host.
    pub devices: usize,
    /// Resolvers.
    pub dns: Vec<String>,
    /// Names added to its hosts file.
    pub extra_hosts: Vec<String>,
    /// Restart policy.
    pub restart_policy: String,
    /// Process limit.
    pub pids_limit: i64,
    /// Memory limit in bytes.
    pub memory_bytes: i64,
}

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedMount {
    /// `volume`, `bind`, `tmpfs` …
    pub kind: String,
    /// The volume's name, or the path on the host.
    pub source: String,
    /// The path in the container.
    pub destination: String,
}

impl Engine {
    /// Describes a network.
    pub async fn observe_network(&self, id: &str) -> Result<ObservedNetwork> {
        let network = within(LOOK, self.docker.inspect_network(id, None::<InspectNetworkOptions>))
            .await
            .map_err(|error| engine_failure("inspecting the drill's network", &error))?;
        let pools = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let mut containers: Vec<String> = network
            .containers
            .unwrap_or_default()
            .into_values()
            .filter_map(|endpoint| endpoint.name)
            .collect();
        containers.sort();
        Ok(ObservedNetwork {
            name: network.name.unwrap_or_default(),
            driver: network.driver.unwrap_or_default(),
            internal: network.internal.unwrap_or_default(),
            ipv6: network.enable_ipv6.unwrap_or_default(),
            options: network.options.unwrap_or_default().into_iter().collect(),
            gateways: pools.into_iter().filter_map(|pool| pool.gateway).collect(),
            containers,
        })
    }

    /// Describes a container.
    pub async fn observe_container(&self, id: &str) -> Result<ObservedContainer> {
        self.inspect(id).await.map_err(|error| engine_failure("inspecting a container of the drill", &error))
    }

    /// Describes a container, if there is one.
    pub async fn find_container(&self, id: &str) -> Result<Option<ObservedContainer>> {
        match self.inspect(id).await {
            Ok(container) => Ok(Some(container)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(engine_failure("inspecting a container", &error)),
        }
    }

    async fn inspect(&self, id: &str) -> std::result::Result<ObservedContainer, bollard::errors::Error> {
        let container =
            within(LOOK, self.docker.inspect_container(id, None::<InspectContainerOptions>)).await?;
        let host = container.host_config.unwrap_or_default();
        let state = container.state.unwrap_or_default();
        let settings = container.network_settings.unwrap_or_default();
        let mut networks: Vec<String> = settings.networks.unwrap_or_default().into_keys().collect();
        networks.sort();
        let mut published_ports: Vec<String> = settings
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, bindings)| bindings.as_ref().is_some_and(|bindings| !bindings.is_empty()))
            .map(|(port, _)| port)
            .chain(host.port_bindings.unwrap_or_default().into_keys())
            .collect();
        published_ports.sort();
        published_ports.dedup();
        let mounts = container.mounts.unwrap_or_default().into_iter().map(|mount| ObservedMount {
            kind: mount.typ.map(|kind| kind.to_string()).unwrap_or_default(),
            source: mount.name.or(mount.source).unwrap_or_default(),
            destination: mount.destination.unwrap_or_default(),
        });
        Ok(ObservedContainer {
            id: container.id.unwrap_or_default(),
            labels: container
                .config
                .and_then(|config| config.labels)
                .unwrap_or_default()
                .into_iter()
                .collect(),
            name: container.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            running: state.running.unwrap_or_default(),
            process: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
            exit_code: state.exit_code.filter(|_| state.running == Some(false)),
            oom_killed: state.oom_killed.unwrap_or_default(),
            networks,
            network_mode: host.network_mode.unwrap_or_default(),
            pid_mode: host.pid_mode.unwrap_or_default(),
            ipc_mode: host.ipc_mode.unwrap_or_default(),
            uts_mode: host.uts_mode.unwrap_or_default(),
            userns_mode: host.userns_mode.unwrap_or_default(),
            privileged: host.privileged.unwrap_or_default(),
            cap_add: host.cap_add.unwrap_or_default(),
            cap_drop: host.cap_drop.unwrap_or_default(),
            security_opt: host.security_opt.unwrap_or_default(),
            published_ports,
            publish_all: host.publish_all_ports.unwrap_or_default(),
            mounts: mounts.collect(),
            volumes_from: host.volumes_from.unwrap_or_default(),
            devices: host.devices.unwrap_or_default().len(),
            dns: host.dns.unwrap_or_default(),
            extra_hosts: host.extra_hosts.unwrap_or_default(),
            restart_policy: host
                .restart_policy
                .and_then(|policy| policy.name)
                .map(|name| name.to_string())
                .unwrap_or_default(),
            pids_limit: host.pids_limit.unwrap_or_default(),
            memory_bytes: host.memory.unwrap_or_default(),
        })
    }
}
