//! The container that a program runs in, and whether it is isolated.

use uuid::Uuid;

use super::Command;
use crate::check::context::Stack;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::isolation;
use crate::sandbox::spec::{self, ContainerSpec};
use crate::target::postgres::Server;

/// The program's container: what the template asks for, hardened as a service of the stack is. `at` is the first of its
/// databases, and that one's server.
pub fn container(
    check: &Command,
    stack: &Stack,
    at: (&DatabaseName, &Server),
    volumes: Vec<String>,
) -> ContainerSpec {
    // Two names may look the same once they are made fit for a container.
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = check.name.chars().take(30).map(plain).collect();
    let service = format!("check-{slug}-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let mut environment = check.environment.clone();
    if check.postgres {
        let (database, server) = at;
        let port = server.port.to_string();
        let (host, database) = (server.name.as_str(), database.as_str());
        for (name, value) in
            [("PGHOST", host), ("PGPORT", &*port), ("PGUSER", "postgres"), ("PGDATABASE", database)]
        {
            environment.insert(name.to_owned(), Secret::new(value));
        }
        environment.insert("PGPASSWORD".to_owned(), server.password.clone());
    }
    let given = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    ContainerSpec {
        name: spec::container_name(&stack.ownership, &service),
        image: check.image.clone(),
        user: check.user.clone(),
        entrypoint: given(&check.entrypoint),
        command: check.command.clone(),
        environment,
        volumes: volumes
            .into_iter()
            .map(|path| (path, stack.ownership.volume_labels(&service, "data")))
            .collect(),
        attachment: stack.network.joined(),
        memory_bytes: check.memory.as_u64(),
        shm_bytes: 64 * 1024 * 1024,
        // We read it as it comes. It may hold secrets, which have no business on a disk.
        logged: false,
        labels: stack.ownership.container_labels(&service),
        service,
    }
}

/// Asserts of the container what is asserted of the stack's own.
pub async fn require_isolated(stack: &Stack, spec: &ContainerSpec, id: &str) -> Result<()> {
    let observed = stack.engine.observe_container(id).await?;
    let assertions = isolation::of_container(&spec.attachment, stack.engine.facts(), &observed);
    let Some(broken) = assertions.iter().find(|assertion| !assertion.ok) else { return Ok(()) };
    Err(Failure::bad(
        codes::ISOLATION_FAILED,
        format!(
            "the container {} is not isolated, so it was not started: {} is {}, not {}",
            spec.name, broken.property, broken.actual, broken.expected
        ),
    )
    .hint("docs/isolation.md explains what must hold of every container of a drill"))
}
