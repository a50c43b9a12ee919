//! What happens around a restore, whatever restores: the roles that a dump names, and the template's SQL.

use super::kind::{Restoration, RestoreEvent};
use super::postgres::globals::RestoredRoles;
use super::postgres::hooks::Hook;
use super::postgres::restore::Kept;
use crate::format::pg_custom::Toc;
use crate::model::failure::Result;
use crate::model::verdict::HookPoint;
use crate::template::Statement;

/// Has every role that the dump names on the server. Returns what `pg_restore` is to restore.
pub(super) async fn with_access(
    restoration: &Restoration<'_>,
    toc: &Toc,
    roles: &RestoredRoles,
) -> Result<Kept> {
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

/// Runs the template's SQL, one statement after the other.
pub(super) async fn run_hooks(
    restoration: &Restoration<'_>,
    at: HookPoint,
    statements: &[Statement],
) -> Result<()> {
    for Statement { sql, written } in statements {
        run_hook(restoration, Hook { at, extension: None, sql, written }).await?;
    }
    Ok(())
}

pub(super) async fn run_hook(restoration: &Restoration<'_>, hook: Hook<'_>) -> Result<()> {
    let (record, ran) = restoration.server.run_hook(restoration.database, hook).await;
    (restoration.report)(RestoreEvent::Hook(record));
    ran
}
