//! Bringing the stack up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use tokio::time::Instant;

use super::journal::Journal;
use crate::check;
use crate::model::event::Event;
use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;
use crate::model::verdict::{Stack, StackService};
use crate::sandbox::docker::{Engine, ExecSpec, Images};
use crate::sandbox::labels::Ownership;
use crate::sandbox::postgres_image::PostgresImage;
use crate::sandbox::spec::{self, Attachment, ContainerSpec, PostgresNeeds, StackNetwork};
use crate::target::postgres::needs::Needs;
use crate::target::postgres::{Server, ServerVersion, settings};
use crate::template::{Service, StackNetworkKind, Template};

/// Between two looks at a service that is starting.
const RETRY: Duration = Duration::from_millis(200);

/// A stack that is up.
#[derive(Debug)]
pub struct Up {
    /// Its Postgres.
    pub server: Server,
    /// That server's version.
    pub version: ServerVersion,
    /// How its containers reach each other.
    pub(super) network: StackNetwork,
    /// The ports of its loopback on which somebody listened when isolation was proved, see [`check::Stack`].
    pub(super) listening: Option<BTreeSet<u16>>,
    /// Its containers, Postgres first.
    pub(super) containers: Vec<Made>,
    /// Whose it is.
    pub(super) ownership: Ownership,
}

impl Up {
    /// What checks may ask and join.
    pub fn for_checks(&self) -> check::Stack {
        let containers = self.containers.iter();
        check::Stack {
            engine: self.server.engine.clone(),
            ownership: self.ownership.clone(),
            network: self.network.clone(),
            listening: self.listening.clone(),
            services: containers.map(|made| (made.spec.service.clone(), made.id.clone())).collect(),
        }
    }
}

/// A container that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// What it was to be.
    pub(super) spec: ContainerSpec,
    /// Its id.
    pub(super) id: String,
}

/// Has every image the template names on the engine, pulling what is absent.
pub async fn ensure_images(engine: &Engine, template: &Template, journal: &Journal) -> Result<Images> {
    let found = template.images().into_iter().map(|name| async move {
        let progress = |progress| journal.record(&Event::Pulling { image: name.to_owned(), progress });
        Ok::<_, Failure>((name.to_owned(), engine.ensure_image(name, progress).await?))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// Makes the containers, starts them, and waits until they are ready.
pub async fn up(
    engine: &Engine,
    template: &Template,
    ownership: &mut Ownership,
    images: &Images,
    jobs: usize,
    needs: &Needs,
    journal: &Journal,
) -> Result<Up> {
    let facts = engine.facts();
    let memory_bytes = template
        .postgres
        .memory
        .map_or(facts.memory_bytes / 4 * 3, |memory| memory.as_u64().min(facts.memory_bytes));
    let mut settings =
        settings::settings(template.postgres.tuning, memory_bytes, jobs, needs, &template.postgres.settings);
    let password = match template.postgres.password.expose() {
        "" => Secret::random(),
        given => Secret::new(given),
    };
    let image = PostgresImage::of(&images[&template.postgres.image])?;
    // The template knows better what its image needs.
    let own = template.postgres.settings.contains_key("shared_preload_libraries");
    let preload = if own { Vec::new() } else { needs.libraries() };
    let needs = PostgresNeeds {
        image: &template.postgres.image,
        facts: &image,
        settings: &settings,
        preload: &preload,
        password: &password,
        memory_bytes,
    };
    // First Postgres: others may join its network namespace.
    let (network, postgres) = start_postgres(engine, template, ownership, &needs).await?;
    journal.record(&Event::Project(ownership.project.clone()));
    let server = Server::new(engine.clone(), postgres.id.clone(), password.clone());
    let others = template.services.iter().map(|(name, service)| {
        let volumes = &images[&service.image].volumes;
        start(engine, spec::service(ownership, network.joined(), name, service, volumes))
    });
    let mut containers = vec![postgres];
    containers.extend(try_join_all(others).await?);
    let services = template.services.iter().map(|(name, service)| {
        let made = containers.iter().find(|made| made.spec.service == *name);
        wait_for_service(engine, name, service, made.expect("a container was made for every service"))
    });
    let (version, _) =
        try_join(server.wait_until_ready(template.postgres.ready_timeout), try_join_all(services)).await?;
    let up = Up { server, version, network, listening: None, containers, ownership: ownership.clone() };
    if !template.postgres.roles.is_empty() {
        up.server.create_roles(template.postgres.roles.iter().map(String::as_str)).await?;
    }
    if !preload.is_empty() {
        let loaded = up.server.preloaded().await;
        settings.extend(loaded.map(|loaded| ("shared_preload_libraries".to_owned(), loaded)));
    }
    journal.record(&Event::StackUp(describe(template, settings, images, &up)));
    Ok(up)
}

/// Starts Postgres in a network namespace of its own, which has nothing but a loopback, or on the network that the template
/// asks for.
async fn start_postgres(
    engine: &Engine,
    template: &Template,
    ownership: &mut Ownership,
    needs: &PostgresNeeds<'_>,
) -> Result<(StackNetwork, Made)> {
    let names = [spec::POSTGRES].into_iter().chain(template.services.keys().map(String::as_str));
    let loopback = Attachment::Loopback(names.map(str::to_owned).collect());
    let made = ownership.under_a_free_name(async |ownership| match template.isolation.network {
        StackNetworkKind::Loopback => {
            let spec = spec::postgres(ownership, loopback.clone(), needs);
            let id = engine.create_container(&spec).await?;
            Ok((StackNetwork::Loopback(id.clone()), Made { spec, id }))
        }
        StackNetworkKind::Bridge => {
            let network = spec::bridge(ownership, engine.facts());
            let spec = spec::postgres(ownership, Attachment::Network(network.name.clone()), needs);
            let (network_id, id) = engine.create_network_with(&network, &spec).await?;
            Ok((StackNetwork::Bridge(network, network_id), Made { spec, id }))
        }
    });
    let (network, postgres) = made.await?;
    engine.start_container(&postgres.id).await?;
    Ok((network, postgres))
}

async fn start(engine: &Engine, spec: ContainerSpec) -> Result<Made> {
    let id = engine.create_container(&spec).await?;
    engine.start_container(&id).await?;
    Ok(Made { spec, id })
}

/// What to do about a service that ended.
pub(super) fn died_hint(name: &str) -> String {
    if name == spec::POSTGRES {
        return "--keep leaves the stack to look at".to_owned();
    }
    format!(
        "look at services.{name} in the template; services run without any capability, so `user` may be needed, and on one loopback, so each port has room for one; `isolation.network = \"bridge\"` gives each an address of its own"
    )
}

async fn wait_for_service(engine: &Engine, name: &str, service: &Service, made: &Made) -> Result<()> {
    let deadline = Instant::now() + service.ready_timeout;
    loop {
        let state = engine.observe_container(&made.id).await?;
        if !state.running {
            let log = engine.last_log_lines(&made.id, 10).await.join(" / ");
            let exit = state.exit_code.unwrap_or_default();
            return Err(Failure::inconclusive(
                "service_died",
                format!("the service {name} ended with status {exit}: {log}"),
            )
            .hint(died_hint(name)));
        }
        if service.ready.is_empty() {
            return Ok(());
        }
        // One that does not end, or writes without end, is over with its container.
        let asking = engine.capture(ExecSpec::new(&made.id, service.ready.clone()), 1024);
        let words = match tokio::time::timeout_at(deadline, asking).await {
            Ok(said) => {
                let said = said?;
                if said.ok() {
                    return Ok(());
                }
                crate::model::human::one_line(said.stderr.trim(), 200)
            }
            Err(_) => "its `ready` command does not end".to_owned(),
        };
        if Instant::now() >= deadline {
            let limit = crate::model::human::duration(service.ready_timeout.as_secs_f64());
            return Err(Failure::inconclusive(
                "service_not_ready",
                format!("the service {name} is not ready after {limit}: {words}"),
            )
            .hint(format!("look at services.{name}.ready and ready_timeout in the template")));
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn describe(template: &Template, settings: BTreeMap<String, String>, images: &Images, up: &Up) -> Stack {
    let services = up.containers.iter().map(|made| StackService {
        name: made.spec.service.clone(),
        image: made.spec.image.clone(),
        image_id: images[&made.spec.image].id.clone(),
        container: made.spec.name.clone(),
    });
    Stack {
        tuning: Some(template.postgres.tuning),
        settings,
        postgres_version: Some(up.version.text.clone()),
        services: services.collect(),
    }
}
