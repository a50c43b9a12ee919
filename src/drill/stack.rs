//! Bringing the stack up.

use futures_util::future::{try_join, try_join_all};

use super::journal::Journal;
use super::servers::{PreparedServer, ReadyServer};
use crate::check::{self, DrillTemplate};
use crate::model::event::Event;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Stack, StackServer, StackService};
use crate::plan::DrillPlan;
use crate::sandbox::docker::Engine;
use crate::sandbox::image::Images;
use crate::sandbox::labels::Ownership;
use crate::sandbox::memory;
use crate::sandbox::stack::{self, RunningStack, ServerNeeds};
use crate::sandbox::workbench::WorkbenchNeeds;
use crate::target::sqlite::Workbench;
use crate::template::{Template, WORKBENCH};

/// A recovery set below this is small: a server holds no more of it than is written out in a moment.
const SMALL_SET: u64 = 64 * 1024 * 1024;

/// What dumps are restored to: a stack whose servers answer.
#[derive(Debug)]
pub struct RestoreTarget {
    /// The engine that it runs on.
    pub(super) engine: Engine,
    /// Its servers, in the template's order.
    pub(super) servers: Vec<ReadyServer>,
    /// Where files are opened, if there are any to open.
    pub(super) workbench: Option<Workbench>,
    /// Its containers, and how they reach each other.
    pub stack: RunningStack,
}

impl RestoreTarget {
    /// What checks may ask and join.
    pub fn for_checks(&self) -> check::Stack {
        let containers = self.stack.containers.iter();
        check::Stack {
            engine: self.engine.clone(),
            ownership: self.stack.ownership.clone(),
            network: self.stack.network.clone(),
            listening: self.stack.listening.clone(),
            services: containers.map(|made| (made.spec.service.clone(), made.id.clone())).collect(),
        }
    }

    /// The server that a database is restored to, if it is restored to one.
    pub(super) fn server_of(&self, template: &Template, database: &DatabaseName) -> Option<&ReadyServer> {
        let name = template.server_name_of(database)?;
        self.servers.iter().find(|ready| ready.server.name == name)
    }
}

/// Has every image the template names on the engine, pulling what is absent.
pub async fn ensure_images(engine: &Engine, template: &DrillTemplate, journal: &Journal) -> Result<Images> {
    let found = template.images().into_iter().map(|name| async move {
        let progress = |progress| journal.show(Event::Pulling { image: name.to_owned(), progress });
        Ok::<_, Failure>((name.to_owned(), engine.ensure_image(name, progress).await?))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// A stack whose containers were started, and are not ready yet.
pub struct StartedStack<'a> {
    prepared: Vec<PreparedServer<'a>>,
    /// Its containers.
    pub stack: RunningStack,
}

/// Makes the containers and starts them.
pub async fn start<'a>(
    engine: &Engine,
    template: &'a Template,
    ownership: &mut Ownership,
    images: &Images,
    jobs: usize,
    plan: &DrillPlan,
    journal: &Journal,
) -> Result<StartedStack<'a>> {
    let memory = memory::of_servers(template, engine.facts().memory_bytes);
    if let Some(warning) = memory::overcommitted(&memory, engine.facts().memory_bytes) {
        journal.record(Event::Warning(warning)).await;
    }
    let small = plan.recovery_set.points.iter().map(|point| point.size_bytes).sum::<u64>() < SMALL_SET;
    let prepared = template.servers().zip(memory).map(|(server, bytes)| {
        let needs = plan.needs(|database| template.server_name_of(database).as_ref() == Some(&server.name));
        let name = server.name.clone();
        let prepared = PreparedServer::new(server, bytes, jobs, &needs, images, small);
        prepared.map_err(|failure| failure.on_server(&name))
    });
    let prepared = prepared.collect::<Result<Vec<_>>>()?;
    // First the servers: others may join the network namespace of the first.
    let mut needs: Vec<_> = prepared.iter().map(|server| ServerNeeds::Postgres(server.needs())).collect();
    needs.extend(template.workbench().map(|workbench| {
        let memory_bytes = workbench.memory.as_u64().min(engine.facts().memory_bytes);
        ServerNeeds::Workbench(WorkbenchNeeds { image: &workbench.image, memory_bytes })
    }));
    let mut stack = stack::start_servers(engine, template, ownership, &needs).await?;
    journal.record(Event::Project(ownership.project.clone())).await;
    stack.start_services(engine, template, images).await?;
    Ok(StartedStack { prepared, stack })
}

impl StartedStack<'_> {
    /// Where files are opened, if there are any to open.
    pub(super) fn workbench(&self, engine: &Engine) -> Option<Workbench> {
        let made = self.stack.containers.iter().find(|made| made.spec.service == WORKBENCH)?;
        Some(Workbench { engine: engine.clone(), container: made.id.clone() })
    }

    /// Waits until its servers and services are ready.
    pub(super) async fn ready(
        &self,
        engine: &Engine,
        template: &Template,
        images: &Images,
        journal: &Journal,
    ) -> Result<Vec<ReadyServer>> {
        let containers = self.prepared.iter().zip(&self.stack.containers);
        let servers = containers.map(|(server, made)| server.wait(engine, made.id.clone()));
        let services = self.stack.wait_for_services(engine, template);
        let (servers, ()) = try_join(try_join_all(servers), services).await?;
        let description = describe(template, &self.prepared, images, &self.stack, &servers);
        journal.record(Event::StackUp(description)).await;
        Ok(servers)
    }
}

fn describe(
    template: &Template,
    prepared: &[PreparedServer<'_>],
    images: &Images,
    stack: &RunningStack,
    ready: &[ReadyServer],
) -> Stack {
    let services = stack.containers.iter().map(|made| StackService {
        name: made.spec.service.clone(),
        image: made.spec.image.clone(),
        image_id: images[&made.spec.image].id.clone(),
        container: made.spec.name.clone(),
    });
    let servers = prepared.iter().zip(ready).map(|(server, ready)| StackServer {
        name: server.template.name.clone(),
        port: server.template.port(),
        image: server.template.image.clone(),
        image_id: images[&server.template.image].id.clone(),
        version: ready.version.text.clone(),
        tuning: server.template.tuning,
        settings: ready.settings.clone(),
        memory_bytes: server.memory_bytes,
        databases: template.databases_on(&server.template.name).cloned().collect(),
    });
    let servers = if template.has_only_the_default_server() { Vec::new() } else { servers.collect() };
    Stack {
        tuning: prepared.first().map(|first| first.template.tuning),
        settings: ready.first().map(|first| first.settings.clone()).unwrap_or_default(),
        postgres_version: ready.first().map(|first| first.version.text.clone()),
        services: services.collect(),
        servers,
    }
}
