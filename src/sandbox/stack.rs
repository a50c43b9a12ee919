//! Starting the containers of a stack, and waiting until its services are ready.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::docker::{Engine, ExecSpec};
use super::image::Images;
use super::labels::Ownership;
use super::spec::{self, Attachment, ContainerSpec, PostgresNeeds, StackNetwork};
use super::workbench::{self, WorkbenchNeeds};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::ServerName;
use crate::template::{Service, StackNetworkKind, Template, WORKBENCH_PORT};

/// The pause between two checks of a service that is starting.
const RETRY: Duration = Duration::from_millis(200);

/// A stack whose containers were started.
#[derive(Debug)]
pub struct RunningStack {
    /// How its containers reach each other.
    pub network: StackNetwork,
    /// The ports of its loopback that had a listener when isolation was proved. `None` on a bridge, or before that.
    pub listening: Option<BTreeSet<u16>>,
    /// Its containers: PostgreSQL servers first, then the workbench.
    pub containers: Vec<RunningContainer>,
    /// The names of the servers, and the ports they listen on.
    pub servers: Vec<(ServerName, u16)>,
    /// The drill it belongs to.
    pub ownership: Ownership,
}

/// A container that was made and started.
#[derive(Debug)]
pub struct RunningContainer {
    /// What was asked for.
    pub spec: ContainerSpec,
    /// The container's id.
    pub id: String,
}

impl RunningStack {
    /// The container of the first server, whose network namespace is that of a stack on one loopback.
    pub fn first(&self) -> &RunningContainer {
        &self.containers[0]
    }

    /// What to do about a container that ended.
    pub fn died_hint(&self, name: &str) -> String {
        if self.servers.iter().any(|(server, _)| server.as_str() == name) {
            return "--keep leaves the stack standing for inspection".to_owned();
        }
        service_died_hint(name)
    }

    /// Starts the template's services.
    pub async fn start_services(
        &mut self,
        engine: &Engine,
        template: &Template,
        images: &Images,
    ) -> Result<()> {
        let started = template.services.iter().map(|(name, service)| {
            let volumes = &images[&service.image].volumes;
            start(engine, spec::service(&self.ownership, self.network.joined(), name, service, volumes))
        });
        let started = try_join_all(started).await?;
        self.containers.extend(started);
        Ok(())
    }

    /// Waits until every service is ready.
    ///
    /// # Errors
    /// `service_died`, `service_not_ready`.
    pub async fn wait_for_services(&self, engine: &Engine, template: &Template) -> Result<()> {
        let services = self.containers.iter().filter_map(|made| {
            let service = template.services.get(&made.spec.service)?;
            Some(wait_for_service(engine, &made.spec.service, service, made))
        });
        try_join_all(services).await.map(drop)
    }
}

/// What the container of a server needs, or that of the workbench.
#[derive(Debug)]
pub enum ServerNeeds<'a> {
    /// A PostgreSQL server.
    Postgres(PostgresNeeds<'a>),
    /// The workbench.
    Workbench(WorkbenchNeeds<'a>),
}

impl ServerNeeds<'_> {
    fn name(&self) -> ServerName {
        match self {
            Self::Postgres(needs) => needs.name.clone(),
            Self::Workbench(_) => workbench::name(),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Postgres(needs) => needs.port,
            Self::Workbench(_) => WORKBENCH_PORT,
        }
    }

    fn spec(&self, ownership: &Ownership, attachment: Attachment) -> ContainerSpec {
        match self {
            Self::Postgres(needs) => spec::postgres(ownership, attachment, needs),
            Self::Workbench(needs) => workbench::workbench(ownership, attachment, needs),
        }
    }
}

/// Starts the first server in a network namespace of its own, which has nothing but a loopback, or on the network that the
/// template asks for. It comes before all others: they join its namespace.
pub async fn start_servers(
    engine: &Engine,
    template: &Template,
    ownership: &mut Ownership,
    servers: &[ServerNeeds<'_>],
) -> Result<RunningStack> {
    let (needs, others) = servers.split_first().expect("a drill has a server or a workbench");
    let server_names = servers.iter().map(|needs| needs.name().to_string());
    let names = server_names.chain(template.services.keys().cloned());
    let loopback = Attachment::Loopback(names.collect());
    let made = ownership.under_a_free_name(async |ownership| match template.isolation.network {
        StackNetworkKind::Loopback => {
            let spec = needs.spec(ownership, loopback.clone());
            let id = engine.create_container(&spec).await?;
            Ok((StackNetwork::Loopback(id.clone()), RunningContainer { spec, id }))
        }
        StackNetworkKind::Bridge => {
            let network = spec::bridge(ownership, engine.facts());
            let spec = needs.spec(ownership, Attachment::Network(network.name.clone()));
            let (network_id, id) = engine.create_network_with(&network, &spec).await?;
            Ok((StackNetwork::Bridge(network, network_id), RunningContainer { spec, id }))
        }
    });
    let (network, postgres) = made.await?;
    engine.start_container(&postgres.id).await?;
    let others = others.iter().map(|needs| start(engine, needs.spec(ownership, network.joined())));
    let containers: Vec<RunningContainer> =
        [postgres].into_iter().chain(try_join_all(others).await?).collect();
    let servers = servers.iter().map(|needs| (needs.name(), needs.port())).collect();
    let ownership = ownership.clone();
    Ok(RunningStack { network, listening: None, containers, servers, ownership })
}

async fn start(engine: &Engine, spec: ContainerSpec) -> Result<RunningContainer> {
    let id = engine.create_container(&spec).await?;
    engine.start_container(&id).await?;
    Ok(RunningContainer { spec, id })
}

/// What to do about a service of the template that ended.
fn service_died_hint(name: &str) -> String {
    format!(
        "check services.{name} in the template. Services have no capabilities, so `user` may be needed. They share one loopback, so two cannot listen on the same port; `isolation.network = \"bridge\"` gives each its own address"
    )
}

async fn wait_for_service(
    engine: &Engine,
    name: &str,
    service: &Service,
    made: &RunningContainer,
) -> Result<()> {
    let deadline = Instant::now() + service.ready_timeout;
    loop {
        let state = engine.observe_container(&made.id).await?;
        if !state.running {
            let log = engine.last_log_lines(&made.id, 10).await.join(" / ");
            let exit = state.exit_code.unwrap_or_default();
            return Err(Failure::inconclusive(
                codes::SERVICE_DIED,
                format!("the service {name} ended with status {exit}: {log}"),
            )
            .hint(service_died_hint(name)));
        }
        if service.ready.is_empty() {
            return Ok(());
        }
        // A command that does not end is ended with its container.
        let asking = engine.capture(ExecSpec::new(&made.id, service.ready.clone()), 1024);
        let words = match tokio::time::timeout_at(deadline, asking).await {
            Ok(said) => {
                let said = said?;
                if said.ok() {
                    return Ok(());
                }
                human::one_line(said.stderr.trim(), 200)
            }
            Err(_) => "its `ready` command does not end".to_owned(),
        };
        if Instant::now() >= deadline {
            let limit = human::duration(service.ready_timeout.as_secs_f64());
            return Err(Failure::inconclusive(
                codes::SERVICE_NOT_READY,
                format!("the service {name} is not ready after {limit}: {words}"),
            )
            .hint(format!("check services.{name}.ready and ready_timeout in the template")));
        }
        tokio::time::sleep(RETRY).await;
    }
}
