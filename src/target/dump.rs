//! A dump in the scratch volume becomes a database: roles, the database itself, and what `pg_restore` makes of it.

use futures_util::FutureExt;
use tokio::time::Instant;

use super::kind::{Restoration, RestoreEvent, TargetKind};
use super::postgres::globals::RestoredRoles;
use super::postgres::restore::{Explained, Kept};
use crate::format::BackupContents;
use crate::format::pg_custom::Toc;
use crate::model::failure::Result;

/// A Postgres server, as the list of targets has it.
pub const POSTGRES: TargetKind = TargetKind {
    name: "postgres",
    formats: &["pg_custom"],
    restore: |restoration| restore(restoration).boxed(),
};

/// Has every role that the dump names on the server. Returns what `pg_restore` is to restore.
async fn with_access(restoration: &Restoration<'_>, toc: &Toc, roles: &RestoredRoles) -> Result<Kept> {
    let Restoration { server, report, .. } = restoration;
    let absent = roles.absent(toc.named_roles());
    let names: Vec<&str> = absent.needed.iter().chain(&absent.granted).map(String::as_str).collect();
    if !names.is_empty() {
        server.create_roles(names).await?;
        report(RestoreEvent::RolesMadeUp(absent));
    }
    let modules = server.absent_label_providers(toc.label_providers()).await?;
    if !modules.is_empty() {
        let names = crate::model::human::one_line(&modules.join(", "), 200);
        report(RestoreEvent::AccessLeftOut(vec![format!(
            "security labels, since the server has no {names}"
        )]));
    }
    Ok(Kept { access: true, labels: modules.is_empty() })
}

async fn restore(restoration: Restoration<'_>) -> Result<()> {
    let Restoration { server, database, contents, jobs, locale, roles, report } = restoration;
    let BackupContents::PgCustom(toc) = contents;
    let kept = match roles {
        Some(roles) => with_access(&restoration, toc, roles).await?,
        None => {
            let roles = toc.roles();
            if !roles.is_empty() {
                server.create_roles(roles.iter().map(String::as_str)).await?;
            }
            Kept::NOTHING
        }
    };
    for warning in server.create_as_dumped(database, toc, locale, kept.access).await? {
        report(RestoreEvent::Warning(warning));
    }
    if kept.access {
        let left_out = server.restore_database_access(database, toc).await?;
        if !left_out.is_empty() {
            report(RestoreEvent::AccessLeftOut(left_out));
        }
    }
    report(RestoreEvent::Started);
    let began = Instant::now();
    let mut run = server.pg_restore(database, jobs, kept).await?;
    if !run.is_clean()
        && let Some((again, roles)) = server.restore_again_with_roles(database, &run, kept).await?
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
