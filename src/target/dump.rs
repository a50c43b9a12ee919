//! A dump in the scratch volume becomes a database: roles, the database itself, and what `pg_restore` makes of it.

use futures_util::FutureExt;
use tokio::time::Instant;

use super::around::{run_hook, run_hooks, with_access};
use super::kind::{Restoration, RestoreEvent, TargetKind};
use super::postgres::hooks::Hook;
use super::postgres::restore::{Afterwards, Explained, Kept, PgRestoreRun, Repaired};
use super::postgres::timescale::{self, Stages};
use super::script;
use crate::format::BackupContents;
use crate::format::pg_custom::Toc;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::verdict::{HookPoint, Repair, RestoreOutcome};

/// A Postgres server, as the list of targets has it.
pub const POSTGRES: TargetKind = TargetKind {
    name: "postgres",
    formats: &["pg_custom", "pg_tar", "pg_directory", "pg_plain", "pg_cluster"],
    restore: |restoration| restore(restoration).boxed(),
};

async fn restore(restoration: Restoration<'_>) -> Result<()> {
    let Restoration { server, database, contents, left_out, locale, roles, report, .. } = restoration;
    let whole = match contents {
        BackupContents::PgPlain(dump) => return script::restore(&restoration, dump, None).await,
        BackupContents::PgClusterDatabase(dump, globals) => {
            return script::restore(&restoration, dump, Some(globals)).await;
        }
        BackupContents::PgCluster(_) => return Err(no_database_of_it()),
        BackupContents::PgDirectory(directory) => {
            server.unpack_scratch(database, &directory.folder).await?;
            &directory.toc
        }
        BackupContents::PgCustom(toc) | BackupContents::PgTar(toc) => toc,
    };
    let part = (!left_out.is_nothing()).then(|| whole.without(left_out));
    let toc = part.as_ref().unwrap_or(whole);
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
    run_hooks(&restoration, HookPoint::BeforeRestore, restoration.before_restore).await?;
    report(RestoreEvent::Started);
    let ids = |toc: &Toc| toc.entries.iter().map(|entry| entry.dump_id).collect();
    match timescale::stages(toc) {
        Some(stages) => restore_around_timescale(&restoration, toc, kept, stages).await?,
        None => restore_entries(&restoration, toc, kept, part.as_ref().map(ids)).await?,
    }
    server.make_unreadable(database, left_out).await?;
    if !restoration.after_restore.is_empty() {
        // Hooks must not take these tables for empty either, and may have made them readable again.
        run_hooks(&restoration, HookPoint::AfterRestore, restoration.after_restore).await?;
        server.make_unreadable(database, left_out).await?;
    }
    Ok(())
}

/// The extension comes first: rows of its tables are restored only after it knows of the restore.
async fn restore_around_timescale(
    restoration: &Restoration<'_>,
    toc: &Toc,
    kept: Kept,
    Stages { first, rest, schema }: Stages,
) -> Result<()> {
    let run = |at, sql: String| async move {
        run_hook(restoration, Hook { at, extension: Some(timescale::NAME), sql: &sql, written: &sql }).await
    };
    restore_entries(restoration, toc, kept, Some(first)).await?;
    run(HookPoint::BeforeRestore, timescale::before(&schema)).await?;
    restore_entries(restoration, toc, kept, Some(rest)).await?;
    run(HookPoint::AfterRestore, timescale::after(&schema)).await
}

/// Restores entries of the archive, or all of it, and explains what failed.
async fn restore_entries(
    restoration: &Restoration<'_>,
    toc: &Toc,
    kept: Kept,
    entries: Option<Vec<i32>>,
) -> Result<()> {
    let Restoration { server, database, jobs, report, .. } = *restoration;
    let (began, mut afterwards) = (Instant::now(), Afterwards::default());
    let first = server.pg_restore(database, jobs, kept, entries).await?;
    let with_roles = match first.is_clean() {
        true => None,
        false => with_roles(restoration, toc, kept, &first, &mut afterwards).await?,
    };
    let last = with_roles.as_ref().unwrap_or(&first);
    let views = match last.is_clean() {
        true => None,
        false => server.set_views_aside(database, last, toc).await?,
    };
    let others = views.as_ref().map_or(last, |views| &views.others);
    let repaired = match others.is_clean() {
        true => Some(Repaired::default()),
        false => server.repair(database, others, toc, kept).await?,
    };
    let seconds = began.elapsed().as_secs_f64();
    let explained = match (&repaired, views) {
        (Some(_), None) => None,
        (Some(_), views) => Some(server.explain(database, last, toc, began, views).await),
        (None, _) => Some(server.explain(database, last, toc, began, None).await),
    };
    let Repaired { entries, mut warnings } = repaired.unwrap_or_default();
    afterwards.repaired.extend(entries);
    let (outcome, failure) = match explained {
        None if first.is_clean() => (RestoreOutcome::Clean, None),
        None => (RestoreOutcome::Repaired, None),
        Some(Ok(Explained::Complete { warning, unfilled })) => {
            warnings.push(warning);
            afterwards.unfilled = unfilled;
            (RestoreOutcome::ViewsUnfilled, None)
        }
        Some(Ok(Explained::Failed(failure)) | Err(failure)) => (RestoreOutcome::Failed, Some(failure)),
    };
    report(RestoreEvent::Ended(first.record(last, toc, outcome, afterwards), seconds));
    warnings.into_iter().for_each(|warning| report(RestoreEvent::Warning(warning)));
    failure.map_or(Ok(()), Err)
}

/// The entries that failed once more, with the roles that a run says are missing, if it says so.
async fn with_roles(
    restoration: &Restoration<'_>,
    toc: &Toc,
    kept: Kept,
    run: &PgRestoreRun,
    afterwards: &mut Afterwards,
) -> Result<Option<PgRestoreRun>> {
    let Restoration { server, database, report, .. } = *restoration;
    let Some((again, roles)) = server.restore_again_with_roles(database, run, kept).await? else {
        return Ok(None);
    };
    if again.is_clean() {
        report(RestoreEvent::Warning(format!(
            "the dump names roles that it does not hold ({}): they were created without login, and what needed \
             them was restored then; postgres.roles in the template spares that",
            crate::model::human::one_line(&roles.join(", "), 200)
        )));
    }
    afterwards.repaired = run.restored_by(&again, toc, Repair::RolesMade);
    afterwards.roles_made = roles;
    Ok(Some(again))
}

/// A database is taken out of a whole server's dump as it arrives.
fn no_database_of_it() -> Failure {
    Failure::defect(codes::INTERNAL_ERROR, "a dump of a whole server was to become one database")
}
