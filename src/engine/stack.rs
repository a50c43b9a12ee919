//! Bringing the stack up, and proving that it can reach nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use tokio::time::Instant;

use super::event::Event;
use super::journal::Journal;
use crate::check;
use crate::failure::{Failure, Result};
use crate::postgres::{Server, ServerVersion, settings};
use crate::secret::Secret;
use crate::stack::docker::{Engine, ExecSpec, ImageFacts};
use crate::stack::labels::Ownership;
use crate::stack::postgres_image::PostgresImage;
use crate::stack::spec::{self, ContainerSpec, NetworkSpec, PostgresNeeds};
use crate::stack::{isolation, probe};
use crate::template::{Service, Template};
use crate::verdict::{Isolation, IsolationStatus, Probe, Stack, StackService};

/// Between two looks at a service that is starting.
const RETRY: Duration = Duration::from_millis(200);

/// Images by the name the template gives them.
pub type Images = BTreeMap<String, ImageFacts>;

/// A stack that is up.
#[derive(Debug)]
pub struct Up {
    /// Its Postgres.
    pub server: Server,
    /// That server's version.
    pub version: ServerVersion,
    network: NetworkSpec,
    network_id: String,
    containers: Vec<Made>,
    ownership: Ownership,
}

impl Up {
    /// What checks may ask and join.
    pub fn for_checks(&self) -> check::Stack {
        let containers = self.containers.iter();
        check::Stack {
            engine: self.server.engine.clone(),
            ownership: self.ownership.clone(),
            network: self.network.clone(),
            services: containers.map(|made| (made.spec.service.clone(), made.id.clone())).collect(),
        }
    }
}

/// A container that was made.
#[derive(Debug)]
struct Made {
    spec: ContainerSpec,
    id: String,
}

/// Has every image the template names on the engine, pulling what is absent.
pub async fn ensure_images(engine: &Engine, template: &Template, journal: &Journal) -> Result<Images> {
    let found = template.images().into_iter().map(|name| async move {
        let progress = |progress| journal.record(&Event::Pulling { image: name.to_owned(), progress });
        Ok::<_, Failure>((name.to_owned(), engine.ensure_image(name, progress).await?))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// Makes the network and the containers, starts them, and waits until they are ready.
pub async fn up(
    engine: &Engine,
    template: &Template,
    ownership: &Ownership,
    images: &Images,
    jobs: usize,
    journal: &Journal,
) -> Result<Up> {
    let facts = engine.facts();
    let network = spec::network(ownership, facts);
    let memory_bytes = template
        .postgres
        .memory
        .map_or(facts.memory_bytes / 4 * 3, |memory| memory.as_u64().min(facts.memory_bytes));
    let settings =
        settings::settings(template.postgres.tuning, memory_bytes, jobs, &template.postgres.settings);
    let password = match template.postgres.password.expose() {
        "" => Secret::random(),
        given => Secret::new(given),
    };
    let image = PostgresImage::of(&images[&template.postgres.image])?;
    let needs = PostgresNeeds {
        image: &template.postgres.image,
        facts: &image,
        settings: &settings,
        password: &password,
        memory_bytes,
    };
    let mut specs = vec![spec::postgres(ownership, &network, &needs)];
    for (name, service) in &template.services {
        specs.push(spec::service(ownership, &network, name, service, &images[&service.image].volumes));
    }

    let network_id = engine.create_network(&network).await?;
    let containers = try_join_all(specs.into_iter().map(|spec| start(engine, spec))).await?;
    let server = Server { engine: engine.clone(), container: containers[0].id.clone(), password };
    let services = template.services.iter().map(|(name, service)| {
        let made = containers.iter().find(|made| made.spec.service == *name);
        wait_for_service(engine, name, service, made.expect("a container was made for every service"))
    });
    let (version, _) =
        try_join(server.wait_until_ready(template.postgres.ready_timeout), try_join_all(services)).await?;
    let up = Up { server, version, network, network_id, containers, ownership: ownership.clone() };
    if !template.postgres.roles.is_empty() {
        up.server.create_roles(template.postgres.roles.iter().map(String::as_str)).await?;
    }
    journal.record(&Event::StackUp(describe(template, settings, images, &up)));
    Ok(up)
}

async fn start(engine: &Engine, spec: ContainerSpec) -> Result<Made> {
    let id = engine.create_container(&spec).await?;
    engine.start_container(&id).await?;
    Ok(Made { spec, id })
}

async fn wait_for_service(engine: &Engine, name: &str, service: &Service, made: &Made) -> Result<()> {
    let deadline = Instant::now() + service.ready_timeout;
    loop {
        let state = engine.observe_container(&made.id).await?;
        if !state.running {
            let log = engine.last_log_lines(&made.id, 10).await.join(" / ");
            let exit = state.exit_code.unwrap_or_default();
            return Err(Failure::inconclusive("service_died", format!("the service {name} ended with status {exit}: {log}"))
                .hint(format!("look at services.{name} in the template; services run without any capability, so `user` may be needed")));
        }
        if service.ready.is_empty() {
            return Ok(());
        }
        let said = engine.capture(ExecSpec::new(&made.id, service.ready.clone()), 1024).await?;
        if said.ok() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let limit = crate::human::duration(service.ready_timeout.as_secs_f64());
            let words = crate::human::one_line(said.stderr.trim(), 200);
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

/// Proves that the stack can reach nothing: first by what the engine says it made, then by trying from inside.
///
/// # Errors
/// `isolation_failed`: the drill fails, and no data is restored.
pub async fn prove_isolation(engine: &Engine, template: &Template, up: &Up, journal: &Journal) -> Result<()> {
    let network = engine.observe_network(&up.network_id).await?;
    let containers =
        try_join_all(up.containers.iter().map(|made| engine.observe_container(&made.id))).await?;
    let mut proof = Isolation {
        status: IsolationStatus::Failed,
        assertions: isolation::assertions(&up.network, &network, &containers),
        probes: Vec::new(),
    };
    // A container that has ended is on no network, and says nothing about isolation.
    if let Some(ended) = containers.iter().find(|container| !container.running) {
        let message = format!("{} ended while isolation was being proved", ended.name);
        return Err(Failure::inconclusive("service_died", message).hint("--keep leaves the stack to look at"));
    }
    if let Some(broken) = proof.assertions.iter().find(|assertion| !assertion.ok) {
        let what = format!(
            "{} of {} is {}, not {}",
            broken.property, broken.subject, broken.actual, broken.expected
        );
        journal.record(&Event::Isolation(proof));
        return Err(not_isolated(&what));
    }

    // Open until the probes have run.
    let canary = probe::Canary::open().map_err(|error| no_canary(&error))?;
    let port = canary.port().map_err(|error| no_canary(&error))?;
    let hosts = if engine.info().local { probe::host_addresses() } else { Vec::new() };
    let planned = probe::plan(&template.isolation, &network.gateways, &hosts, port);
    proof.probes = probe::run(engine, &up.server.container, &containers[0].name, &planned).await?;
    let failed: Vec<Probe> = proof.probes.iter().filter(|probe| !probe.ok).cloned().collect();
    let describe = |probe: &Probe| {
        format!("{} ({}) must be {} and was: {}", probe.target, probe.reason, probe.expect, probe.observed)
    };
    if let Some(reached) = failed.iter().find(|found| probe::shows_a_way_out(found)) {
        journal.record(&Event::Isolation(proof));
        return Err(not_isolated(&describe(reached)));
    }
    if let Some(unclear) = failed.first() {
        proof.status = IsolationStatus::NotProved;
        journal.record(&Event::Isolation(proof));
        return Err(Failure::inconclusive(
            "probe_failed",
            format!("isolation could not be proved: {}", describe(unclear)),
        )
        .hint(
            "the machine may be too busy for the probes; isolation.probes in the verdict has all of them",
        ));
    }
    proof.status = IsolationStatus::Proved;
    journal.record(&Event::Isolation(proof));
    Ok(())
}

fn not_isolated(what: &str) -> Failure {
    Failure::bad("isolation_failed", format!("the stack is not isolated, so nothing was restored: {what}"))
        .hint("isolation in the verdict has every assertion and probe; docs/isolation.md explains them")
}

fn no_canary(error: &std::io::Error) -> Failure {
    Failure::inconclusive("probe_failed", format!("no port can be opened for the isolation probes: {error}"))
}
