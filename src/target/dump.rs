//! A dump in the scratch volume becomes a database: roles, the database itself, and what `pg_restore` makes of it.

use futures_util::FutureExt;
use tokio::time::Instant;

use super::kind::{Restoration, RestoreEvent, TargetKind};
use super::postgres::restore::Explained;
use crate::format::BackupContents;
use crate::model::failure::Result;

/// A Postgres server, as the list of targets has it.
pub const POSTGRES: TargetKind = TargetKind {
    name: "postgres",
    formats: &["pg_custom"],
    restore: |restoration| restore(restoration).boxed(),
};

async fn restore(restoration: Restoration<'_>) -> Result<()> {
    let Restoration { server, database, contents, jobs, locale, report } = restoration;
    let BackupContents::PgCustom(toc) = contents;
    let roles = toc.roles();
    if !roles.is_empty() {
        server.create_roles(roles.iter().map(String::as_str)).await?;
    }
    for warning in server.create_as_dumped(database, toc, locale).await? {
        report(RestoreEvent::Warning(warning));
    }
    report(RestoreEvent::Started);
    let began = Instant::now();
    let mut run = server.pg_restore(database, jobs).await?;
    if !run.is_clean()
        && let Some((again, roles)) = server.restore_again_with_roles(database, &run).await?
    {
        if again.is_clean() {
            report(RestoreEvent::Warning(format!(
                "the dump names roles that it does not hold ({}): they were created without login, and what needed \
                 them was restored then; postgres.roles in the template spares that",
                crate::model::human::one_line(&roles.join(", "), 200)
            )));
        }
        run = again;
    }
    let seconds = began.elapsed().as_secs_f64();
    report(RestoreEvent::Ended(run.record(toc), seconds));
    if !run.is_clean() {
        match server.explain(database, &run, toc, began).await? {
            Explained::Complete(warning) => report(RestoreEvent::Warning(warning)),
            Explained::Failed(failure) => return Err(failure),
        }
    }
    server.remove_scratch(database).await
}
