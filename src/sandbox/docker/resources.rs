//! Making and removing networks, containers and volumes.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, NetworkCreateRequest, NetworkDisconnectRequest, NetworkingConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectNetworkOptions, ListContainersOptionsBuilder,
    ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions,
};
use futures_util::StreamExt;

use super::super::labels::{self, Labels};
use super::super::seccomp::security_options;
use super::super::spec::{Attachment, ContainerSpec, NetworkSpec, PIDS_LIMIT, RESOLVER_OPTIONS};
use super::answer::{CHANGE, LOOK};
use super::{Engine, engine_failure, is_being_removed, is_not_found, within};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DrillId;

/// How long to wait for a removal that another request began: less than teardown allows for each of its own.
const OTHERS_REMOVAL: Duration = Duration::from_secs(25);

/// The kinds of things a drill makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnedKind {
    /// A container; its anonymous volumes go with it.
    Container,
    /// A network.
    Network,
    /// A volume whose container is gone already.
    Volume,
}

impl OwnedKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// Something on the engine that carries our labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The kind of object.
    pub kind: OwnedKind,
    /// The id that the engine gave it.
    pub id: String,
    /// The name that the engine knows it by.
    pub name: String,
    /// The labels that it carries.
    pub labels: Labels,
}

impl Owned {
    /// Whether it only has the labels of something that a drill made.
    pub fn is_copy(&self) -> bool {
        self.kind == OwnedKind::Container && labels::is_copy(&self.labels, &self.name)
    }
}

fn map(labels: &Labels) -> HashMap<String, String> {
    labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A hostile dump can make a server log without end.
fn log_config(logged: bool) -> HostConfigLogConfig {
    if !logged {
        return HostConfigLogConfig { typ: Some("none".to_owned()), config: None };
    }
    let limits =
        [("max-size", "10m"), ("max-file", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(limits.into()) }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Engine {
    /// Makes a network and returns its id.
    pub async fn create_network(&self, spec: &NetworkSpec) -> Result<String> {
        let request = NetworkCreateRequest {
            name: spec.name.clone(),
            driver: Some("bridge".to_owned()),
            internal: Some(spec.internal),
            attachable: Some(false),
            enable_ipv6: Some(false),
            options: Some(map(&spec.options)),
            labels: Some(map(&spec.labels)),
            ..NetworkCreateRequest::default()
        };
        let (docker, doing) = (self.docker.clone(), format!("creating the network {}", spec.name));
        self.creation(async move {
            within(CHANGE, docker.create_network(request))
                .await
                .map(|made| made.id)
                .map_err(|error| engine_failure(&doing, &error))
        })
        .await
    }

    /// Makes a network and the first container on it, not yet started, and returns their ids. Without the container the
    /// network is removed again.
    pub async fn create_network_with(
        &self,
        network: &NetworkSpec,
        container: &ContainerSpec,
    ) -> Result<(String, String)> {
        let id = self.create_network(network).await?;
        match self.create_container(container).await {
            Ok(container) => Ok((id, container)),
            Err(failure) => {
                let (name, labels) = (network.name.clone(), network.labels.clone());
                // Teardown tries again, and reports it.
                let _ = self.remove(&Owned { kind: OwnedKind::Network, id, name, labels }).await;
                Err(failure)
            }
        }
    }

    /// Makes a container, not yet started, and returns its id.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String> {
        let mounts = spec.volumes.iter().map(|(path, labels)| Mount {
            target: Some(path.clone()),
            typ: Some(MountType::VOLUME),
            // No source: the engine makes a volume of its own for it, and removes it with the container.
            volume_options: Some(MountVolumeOptions {
                labels: Some(map(labels)),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        });
        let resolver = spec.attachment.resolver();
        let host_config = HostConfig {
            memory: Some(signed(spec.memory_bytes)),
            memory_swap: Some(signed(spec.memory_bytes)),
            shm_size: Some(signed(spec.shm_bytes)),
            pids_limit: Some(PIDS_LIMIT),
            network_mode: Some(spec.attachment.mode()),
            extra_hosts: Some(spec.attachment.extra_hosts()).filter(|names| !names.is_empty()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(security_options(self.facts())),
            dns: resolver.map(|address| vec![address.to_owned()]),
            dns_options: resolver.map(|_| RESOLVER_OPTIONS.map(str::to_owned).into()),
            mounts: Some(mounts.collect()),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                ..RestartPolicy::default()
            }),
            log_config: Some(log_config(spec.logged)),
            ..HostConfig::default()
        };
        let networking = match &spec.attachment {
            Attachment::Network(name) => {
                let aliases = Some(vec![spec.service.clone()]);
                let endpoint = EndpointSettings { aliases, ..EndpointSettings::default() };
                Some(NetworkingConfig { endpoints_config: Some([(name.clone(), endpoint)].into()) })
            }
            Attachment::Loopback(_) | Attachment::Of(_) | Attachment::Foreign(_) => None,
        };
        let mut labels = map(&spec.labels);
        labels.insert(labels::CONTAINER.to_owned(), spec.name.clone());
        let body = ContainerCreateBody {
            image: Some(spec.image.clone()),
            user: spec.user.clone(),
            hostname: spec.attachment.hostname().map(str::to_owned),
            entrypoint: spec.entrypoint.clone(),
            cmd: Some(spec.command.clone()).filter(|command| !command.is_empty()),
            env: Some(
                spec.environment.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect(),
            ),
            labels: Some(labels),
            host_config: Some(host_config),
            networking_config: networking,
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let (docker, doing) = (self.docker.clone(), format!("creating the container {}", spec.name));
        let ours = self.made.clone();
        self.creation(async move {
            let made = within(CHANGE, docker.create_container(Some(options), body)).await;
            let id = made.map(|made| made.id).map_err(|error| engine_failure(&doing, &error))?;
            ours.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
            Ok(id)
        })
        .await
    }

    /// Starts a container.
    pub async fn start_container(&self, id: &str) -> Result<()> {
        within(CHANGE, self.docker.start_container(id, None::<StartContainerOptions>))
            .await
            .map_err(|error| engine_failure(&format!("starting the container {id}"), &error))
    }

    /// The last lines a container wrote, without control characters.
    pub async fn last_log_lines(&self, id: &str, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let reading = self
            .docker
            .logs(id, Some(options))
            .filter_map(|chunk| async { chunk.ok() })
            .map(|chunk| chunk.into_bytes().to_vec())
            .concat();
        // They are there to explain a failure; without them it is still one.
        let output = tokio::time::timeout(LOOK, reading).await.unwrap_or_default();
        String::from_utf8_lossy(&output)
            .lines()
            .map(|line| crate::model::human::one_line(line, 300))
            .collect()
    }

    /// Everything that carries the label, containers first, networks next, volumes last: the order of removal.
    pub async fn owned(&self, filter: LabelFilter<'_>) -> Result<Vec<Owned>> {
        let filters = HashMap::from([("label".to_owned(), vec![filter.text()])]);
        let failed = |error: bollard::errors::Error| engine_failure("listing what drills made", &error);
        let listing = async {
            tokio::try_join!(
                self.docker.list_containers(Some(
                    ListContainersOptionsBuilder::new().all(true).filters(&filters).build()
                )),
                self.docker.list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build())),
                self.docker.list_volumes(Some(ListVolumesOptionsBuilder::new().filters(&filters).build())),
            )
        };
        let (containers, networks, volumes) = within(LOOK, listing).await.map_err(failed)?;
        let owned = |kind, id: String, name: String, labels: Option<HashMap<String, String>>| Owned {
            kind,
            id,
            name,
            labels: labels.unwrap_or_default().into_iter().collect(),
        };
        let containers = containers.into_iter().map(|container| {
            let id = container.id.unwrap_or_default();
            let name = container
                .names
                .unwrap_or_default()
                .iter()
                // The others are what links to it call it.
                .find(|name| !name.trim_start_matches('/').contains('/'))
                .map_or(&*id, |name| name.trim_start_matches('/'))
                .to_owned();
            owned(OwnedKind::Container, id, name, container.labels)
        });
        let networks = networks.into_iter().map(|network| {
            owned(
                OwnedKind::Network,
                network.id.unwrap_or_default(),
                network.name.unwrap_or_default(),
                network.labels,
            )
        });
        let volumes =
            volumes.volumes.unwrap_or_default().into_iter().map(|volume| {
                owned(OwnedKind::Volume, volume.name.clone(), volume.name, Some(volume.labels))
            });
        Ok(containers.chain(networks).chain(volumes).collect())
    }

    /// Disconnects containers of others from a network of ours, which could not be removed with them on it. Returns their
    /// names; they are not harmed otherwise.
    pub async fn disconnect_others(&self, network: &Owned) -> Result<Vec<String>> {
        let failed = |error| engine_failure(&format!("disconnecting others from {}", network.name), &error);
        let found =
            match within(LOOK, self.docker.inspect_network(&network.id, None::<InspectNetworkOptions>)).await
            {
                Err(error) if is_not_found(&error) => return Ok(Vec::new()),
                found => found.map_err(failed)?,
            };
        let mut disconnected = Vec::new();
        for id in found.containers.unwrap_or_default().into_keys() {
            let Some(container) = self.find_container(&id).await? else { continue };
            let of_drill = container.labels.get(labels::DRILL_ID) == network.labels.get(labels::DRILL_ID);
            if of_drill && !labels::is_copy(&container.labels, &container.name) {
                continue;
            }
            let request = NetworkDisconnectRequest { container: id, force: Some(true) };
            match within(CHANGE, self.docker.disconnect_network(&network.id, request)).await {
                Err(error) if !is_not_found(&error) => return Err(failed(error)),
                _ => disconnected.push(container.name),
            }
        }
        Ok(disconnected)
    }

    /// Removes something of ours; that it is gone already is success. What `owned` listed carries our labels, and
    /// is removed by its id, so nothing else can be hit.
    pub async fn remove(&self, owned: &Owned) -> Result<()> {
        let result = match owned.kind {
            OwnedKind::Container => self.remove_container(&owned.id).await,
            OwnedKind::Network => within(CHANGE, self.docker.remove_network(&owned.id)).await,
            OwnedKind::Volume => {
                within(CHANGE, self.docker.remove_volume(&owned.id, None::<RemoveVolumeOptions>)).await
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) if is_being_removed(&error) => {
                let message =
                    format!("the engine is still removing the {} {}", owned.kind.word(), owned.name);
                Err(Failure::inconclusive(codes::REMOVAL_UNDER_WAY, message))
            }
            Err(error) => {
                Err(engine_failure(&format!("removing the {} {}", owned.kind.word(), owned.name), &error))
            }
        }
    }

    /// Removes a container with its anonymous volumes. The engine may already be removing it, for a drill that was
    /// killed during its teardown: then asks again until it is gone.
    async fn remove_container(&self, id: &str) -> std::result::Result<(), bollard::errors::Error> {
        let began = Instant::now();
        loop {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            match within(CHANGE, self.docker.remove_container(id, Some(options))).await {
                Err(error) if is_being_removed(&error) && began.elapsed() < OTHERS_REMOVAL => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                removed => return removed,
            }
        }
    }
}

/// Which of the things that drills made.
#[derive(Debug, Clone, Copy)]
pub enum LabelFilter<'a> {
    /// Those of one drill.
    Drill(DrillId),
    /// Those of a template's drills.
    Template(&'a str),
    /// Everything that any drill made.
    Any,
}

impl LabelFilter<'_> {
    fn text(self) -> String {
        match self {
            Self::Drill(id) => format!("{}={id}", labels::DRILL_ID),
            Self::Template(name) => format!("{}={name}", labels::TEMPLATE),
            Self::Any => labels::DRILL_ID.to_owned(),
        }
    }
}
