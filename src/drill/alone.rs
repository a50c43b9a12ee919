//! One drill of a template at a time.

use super::task::Drill;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::sandbox::docker::{Engine, LabelFilter, Owned};
use crate::sandbox::labels::{self, Ownership};
use crate::sandbox::teardown::is_running_drill;

/// Refuses a drill beside another one of its template: two would compete for the machine and make each other miss their RTO. Of two
/// that begin together, the one with the earlier name continues.
pub async fn require(drill: &Drill, engine: &Engine, ownership: &Ownership) -> Result<()> {
    if drill.options.concurrent {
        return Ok(());
    }
    let now = drill.clock.now();
    let label = |owned: &Owned, name: &str| owned.labels.get(name).cloned().unwrap_or_default();
    let ours = (ownership.project.to_string(), ownership.drill_id.to_string());
    let all = engine.owned(LabelFilter::Template(&drill.template.name)).await?;
    let ours_stands = all.iter().any(|owned| label(owned, labels::DRILL_ID) == ours.1);
    let other = all.iter().filter(|owned| is_running_drill(owned, now)).find(|owned| {
        let theirs = (label(owned, labels::PROJECT), label(owned, labels::DRILL_ID));
        theirs.1 != ours.1 && (!ours_stands || theirs < ours)
    });
    let Some(other) = other else { return Ok(()) };
    Err(Failure::inconclusive(
        codes::DRILL_RUNNING,
        format!(
            "another drill of {} is running on this engine: {}, by process {}",
            drill.template.name,
            label(other, labels::PROJECT),
            label(other, labels::OWNER)
        ),
    )
    .hint("wait for it or stop it with Ctrl-C; if it is gone, `restore-drill reap --force` removes what it left; --concurrent runs beside it"))
}
