//! Removing what a drill made. Everything carries the drill's id as a label from its first moment, so what is to be
//! undone is always what the engine lists under that id: nothing can be made and forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::failure::Failure;
use crate::names::DrillId;
use crate::stack::docker::{Engine, LabelFilter, Owned, OwnedKind};
use crate::stack::labels;
use crate::stack::owner::Owner;
use crate::verdict::{Removed, Teardown, TeardownStatus};

/// Rounds of removal before what is left counts as leaked.
const ROUNDS: u32 = 5;
/// How long one round may take: an engine that hangs must not hang the drill.
const ROUND_LIMIT: Duration = Duration::from_secs(60);

/// The teardown of a drill that made nothing.
pub(super) fn nothing_made() -> Teardown {
    Teardown { status: TeardownStatus::Clean, ..Teardown::default() }
}

/// Removes everything of a drill, or leaves it all standing.
pub async fn teardown(engine: &Engine, drill: DrillId, keep: bool) -> Teardown {
    engine.settle().await;
    if keep {
        return Teardown { status: TeardownStatus::Kept, ..Teardown::default() };
    }
    remove_all(engine, LabelFilter::Drill(drill), |_| true).await
}

/// Removes what the filter finds and `chosen` agrees to; tries again what fails, since a network is busy until its
/// last container is gone.
pub async fn remove_all(
    engine: &Engine,
    filter: LabelFilter<'_>,
    chosen: impl Fn(&Owned) -> bool,
) -> Teardown {
    let mut removed = Removed::default();
    let mut left: Vec<(Owned, Failure)> = Vec::new();
    let mut trouble = None;
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(round)).await;
        }
        let work = async {
            let owned: Vec<Owned> =
                engine.owned(filter).await?.into_iter().filter(|owned| chosen(owned)).collect();
            let anonymous = owned.iter().filter(|owned| owned.kind == OwnedKind::Volume).count();
            let mut failed = Vec::new();
            for kind in [OwnedKind::Container, OwnedKind::Network, OwnedKind::Volume] {
                for one in owned.iter().filter(|owned| owned.kind == kind) {
                    match engine.remove(one).await {
                        Ok(()) => count(&mut removed, kind),
                        Err(failure) => failed.push((one.clone(), failure)),
                    }
                }
            }
            Ok::<_, Failure>((owned.len() + anonymous, failed))
        };
        match tokio::time::timeout(ROUND_LIMIT, work).await {
            Ok(Ok((0, _))) => return Teardown { status: TeardownStatus::Clean, removed, leaked: Vec::new() },
            Ok(Ok((_, failed))) => {
                trouble = None;
                left = failed;
            }
            Ok(Err(failure)) => trouble = Some(failure.message),
            Err(_) => trouble = Some(format!("the engine did not answer within {} s", ROUND_LIMIT.as_secs())),
        }
    }
    let mut leaked: Vec<String> =
        left.iter().map(|(owned, why)| format!("{} {}: {why}", owned.kind.word(), owned.name)).collect();
    leaked.extend(trouble);
    if leaked.is_empty() {
        // Removed in the last round, but no later look has shown it gone.
        leaked.push("what the drill made keeps coming back".to_owned());
    }
    Teardown { status: TeardownStatus::Leaked, removed, leaked }
}

fn count(removed: &mut Removed, kind: OwnedKind) {
    *match kind {
        OwnedKind::Container => &mut removed.containers,
        OwnedKind::Network => &mut removed.networks,
        OwnedKind::Volume => &mut removed.volumes,
    } += 1;
}

/// Whether this belongs to a drill that still runs, as far as its labels tell: its process is not known to have
/// ended, its lease has not expired, and it was not left standing on purpose.
pub(super) fn is_running_drill(owned: &Owned, now: DateTime<Utc>) -> bool {
    let label = |name: &str| owned.labels.get(name).map(String::as_str);
    label(labels::PURPOSE) == Some("drill") && label(labels::KEPT) != Some("true") && !may_reap(owned, now)
}

/// Whether `reap` may remove it: its lease has expired, or the process that owns it has ended.
pub fn may_reap(owned: &Owned, now: DateTime<Utc>) -> bool {
    let label = |name: &str| owned.labels.get(name).map(String::as_str);
    let lease = label(labels::LEASE_EXPIRES).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    if lease.is_some_and(|lease| lease < now) {
        return true;
    }
    let gone =
        label(labels::OWNER).and_then(|text| text.parse::<Owner>().ok()).is_some_and(|owner| owner.is_gone());
    gone && label(labels::KEPT) != Some("true")
}
