//! What the stages of all systems have in common.

use tokio_util::sync::CancellationToken;

use super::source::Source;
use crate::clock::Clock;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::{DrillId, ProjectName};
use crate::model::verdict::TeardownStatus;
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::sandbox::owner::Owner;
use crate::sandbox::teardown::teardown;
use crate::template::Template;

/// The lease of a source server: `reap` may remove it afterwards.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::hours(6);

/// A template under a name of its own, so that a demo excludes neither a drill nor another demo.
pub(super) fn renamed(mut template: Template, prefix: &str) -> Template {
    template.name = format!("{}-demo", template.name);
    template.project_prefix =
        format!("{prefix}_{}", std::process::id()).parse().expect("letters, digits and underscores");
    template
}

/// Who owns the source server of a template.
pub(super) fn ownership(template: &Template) -> Ownership {
    let now = Clock::system().now();
    Ownership {
        drill_id: DrillId::random(),
        project: ProjectName::of(&template.project_prefix, "source", now),
        template: template.name.clone(),
        purpose: "demo",
        owner: Owner::this_process(),
        lease_expires: now + LEASE,
        kept: false,
    }
}

/// Starts an empty source server for a template, of its image.
pub(super) async fn start_source(
    engine: &Engine,
    template: &Template,
    ownership: &mut Ownership,
) -> Result<Source> {
    let server = template.first_server().expect("the template of the demo has a server");
    Source::start(engine, &server.image, ownership).await
}

/// Removes a source server, and returns what became of the work on it.
pub(super) async fn remove_source<T>(
    engine: &Engine,
    ownership: &Ownership,
    outcome: Result<T>,
) -> Result<T> {
    let removed = teardown(engine, ownership.drill_id, false).await;
    let done = outcome?;
    if removed.status == TeardownStatus::Leaked {
        return Err(Failure::inconclusive(
            codes::DEMO_LEAKED,
            format!("the source server could not be removed: {}", removed.remains()),
        )
        .hint("`restore-drill reap` removes it once this command has ended"));
    }
    Ok(done)
}

/// The work, unless the demo is interrupted before it is done.
pub(super) async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::cancelled()),
        done = work => done,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn no_directory(error: std::io::Error) -> Failure {
    Failure::inconclusive(
        codes::DEMO_DIRECTORY_FAILED,
        format!("the demo cannot write to its temporary directory: {error}"),
    )
    .hint("TMPDIR names another place")
}
