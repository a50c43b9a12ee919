//! A plain dump in the scratch volume becomes a database: the roles it names, the database, and what `psql` makes of it.
//!
//! A script cannot be restored in part. Who owns what, and who may do what, is in its statements, so the roles must be there.

use tokio::time::Instant;

use super::around::{run_hooks, with_access};
use super::kind::{Restoration, RestoreEvent};
use super::postgres::restore::{Afterwards, PgRestoreRun};
use crate::format::pg_globals::Globals;
use crate::format::pg_plain::PlainDump;
use crate::model::failure::Result;
use crate::model::human::one_line;
use crate::model::verdict::{HookPoint, RestoreOutcome};

/// Runs a plain dump.
///
/// The roles of a whole server's dump are made before, unless those of the recovery set are there: without passwords and without the
/// right to log in, by statements of our own.
pub(super) async fn restore(
    restoration: &Restoration<'_>,
    dump: &PlainDump,
    globals: Option<&Globals>,
) -> Result<()> {
    let Restoration { server, database, locale, roles, report, .. } = *restoration;
    let toc = &dump.toc;
    if let Some(sentence) = server.require_psql_for(dump).await? {
        report(RestoreEvent::NotVerified(format!("{database}: {sentence}")));
    }
    match roles {
        Some(roles) => drop(with_access(restoration, toc, roles).await?),
        None => {
            if let Some(globals) = globals {
                restore_roles(restoration, globals).await?;
            }
            let named = toc.named_roles();
            let names: Vec<&str> = named.needed.iter().chain(&named.granted).map(String::as_str).collect();
            server.create_roles(names).await?;
        }
    }
    if !dump.tablespaces.is_empty() {
        server.create_tablespaces(&dump.tablespaces).await?;
    }
    for warning in server.create_as_dumped(database, toc, locale, roles.is_some()).await? {
        report(RestoreEvent::Warning(warning));
    }
    run_hooks(restoration, HookPoint::BeforeRestore, restoration.before_restore).await?;
    report(RestoreEvent::Started);
    run(restoration, dump).await?;
    run_hooks(restoration, HookPoint::AfterRestore, restoration.after_restore).await
}

/// Makes the roles of a whole server: by each of its databases, one after the other. What is there already is left as it is.
async fn restore_roles(restoration: &Restoration<'_>, globals: &Globals) -> Result<()> {
    static ONE_BY_ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = ONE_BY_ONE.lock().await;
    let left_out = restoration.server.restore_globals(globals).await?;
    if !left_out.all.is_empty() {
        let names = one_line(&left_out.all.join(", "), 400);
        (restoration.report)(RestoreEvent::Warning(format!(
            "of the server's roles was not restored: {names}"
        )));
    }
    Ok(())
}

/// Runs the script, once more with the roles that it lacks, and explains what failed.
async fn run(restoration: &Restoration<'_>, dump: &PlainDump) -> Result<()> {
    let Restoration { server, database, report, .. } = *restoration;
    let (began, mut afterwards) = (Instant::now(), Afterwards::default());
    let first = server.run_script(database, database, dump).await?;
    let mut again: Option<PgRestoreRun> = None;
    if !first.is_clean()
        && let Some((run, roles)) = server.run_script_with_roles(database, dump, &first).await?
    {
        if run.is_clean() {
            let names = one_line(&roles.join(", "), 200);
            report(RestoreEvent::Warning(format!(
                "the dump names roles that it does not hold ({names}): they were created without login, and it was \
                 restored then; postgres.roles in the template spares that"
            )));
        }
        afterwards.roles_made = roles;
        again = Some(run);
    }
    let last = again.as_ref().unwrap_or(&first);
    let seconds = began.elapsed().as_secs_f64();
    let failure = match last.is_clean() {
        true => None,
        false => Some(match server.explain_script(database, last, dump, began).await {
            Ok(failure) | Err(failure) => failure,
        }),
    };
    let outcome = match &failure {
        Some(_) => RestoreOutcome::Failed,
        None if first.is_clean() => RestoreOutcome::Clean,
        None => RestoreOutcome::Repaired,
    };
    report(RestoreEvent::Ended(first.record(last, &dump.toc, outcome, afterwards), seconds));
    failure.map_or(Ok(()), Err)
}
