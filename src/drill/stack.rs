//! Bringing the stack up.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join_all};

use super::journal::Journal;
use crate::check::{self, DrillTemplate};
use crate::model::event::Event;
use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;
use crate::model::verdict::{Stack, StackService};
use crate::sandbox::docker::Engine;
use crate::sandbox::image::Images;
use crate::sandbox::labels::Ownership;
use crate::sandbox::postgres_image::PostgresImage;
use crate::sandbox::spec::PostgresNeeds;
use crate::sandbox::stack::{self, RunningStack};
use crate::target::postgres::needs::Needs;
use crate::target::postgres::{Server, ServerVersion, settings};
use crate::template::Template;

/// What dumps are restored to: a stack whose Postgres answers.
#[derive(Debug)]
pub struct RestoreTarget {
    /// Its Postgres.
    pub server: Server,
    /// That server's version.
    pub version: ServerVersion,
    /// Its containers, and how they reach each other.
    pub stack: RunningStack,
}

impl RestoreTarget {
    /// What checks may ask and join.
    pub fn for_checks(&self) -> check::Stack {
        let containers = self.stack.containers.iter();
        check::Stack {
            engine: self.server.engine.clone(),
            ownership: self.stack.ownership.clone(),
            network: self.stack.network.clone(),
            listening: self.stack.listening.clone(),
            services: containers.map(|made| (made.spec.service.clone(), made.id.clone())).collect(),
        }
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

/// Makes the containers, starts them, and waits until they are ready.
pub async fn up(
    engine: &Engine,
    template: &Template,
    ownership: &mut Ownership,
    images: &Images,
    jobs: usize,
    needs: &Needs,
    journal: &Journal,
) -> Result<RestoreTarget> {
    let facts = engine.facts();
    let memory_bytes = template
        .postgres()
        .memory
        .map_or(facts.memory_bytes / 4 * 3, |memory| memory.as_u64().min(facts.memory_bytes));
    let mut settings = settings::settings(
        template.postgres().tuning,
        memory_bytes,
        jobs,
        needs,
        &template.postgres().settings,
    );
    let password = match template.postgres().password.expose() {
        "" => Secret::random(),
        given => Secret::new(given),
    };
    let image = PostgresImage::of(&images[&template.postgres().image])?;
    // The template knows better what its image needs.
    let own = template.postgres().settings.contains_key("shared_preload_libraries");
    let preload = if own { Vec::new() } else { needs.libraries() };
    let needs = PostgresNeeds {
        image: &template.postgres().image,
        facts: &image,
        settings: &settings,
        preload: &preload,
        password: &password,
        memory_bytes,
    };
    // First Postgres: others may join its network namespace.
    let mut stack = stack::start_postgres(engine, template, ownership, &needs).await?;
    journal.record(Event::Project(ownership.project.clone())).await;
    let server = Server::new(engine.clone(), stack.postgres().to_owned(), password.clone());
    stack.start_services(engine, template, images).await?;
    let (version, _) = try_join(
        server.wait_until_ready(template.postgres().ready_timeout),
        stack.wait_for_services(engine, template),
    )
    .await?;
    let target = RestoreTarget { server, version, stack };
    if !template.postgres().roles.is_empty() {
        target.server.create_roles(template.postgres().roles.iter().map(String::as_str)).await?;
    }
    if !preload.is_empty() {
        let loaded = target.server.preloaded().await;
        settings.extend(loaded.map(|loaded| ("shared_preload_libraries".to_owned(), loaded)));
    }
    journal.record(Event::StackUp(describe(template, settings, images, &target))).await;
    Ok(target)
}

fn describe(
    template: &Template,
    settings: BTreeMap<String, String>,
    images: &Images,
    target: &RestoreTarget,
) -> Stack {
    let services = target.stack.containers.iter().map(|made| StackService {
        name: made.spec.service.clone(),
        image: made.spec.image.clone(),
        image_id: images[&made.spec.image].id.clone(),
        container: made.spec.name.clone(),
    });
    Stack {
        tuning: Some(template.postgres().tuning),
        settings,
        postgres_version: Some(target.version.text.clone()),
        services: services.collect(),
    }
}
