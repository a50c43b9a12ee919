//! Removing what a drill made. Everything carries the drill's id as a label from its first moment, so what is to be
//! undone is always what the engine lists under that id: nothing can be made and forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::failure::Failure;
use crate::names::DrillId;
use crate::stack::docker::{Engine, LabelFilter, Owned, OwnedKind};
use crate::stack::labels;
use crate::stack::owner::Owner;
use crate::verdict::{Removed, Teardown, TeardownStatus};

/// Rounds of removal before what is left counts as leaked.
const ROUNDS: u32 = 5;
/// How long one request may take: an engine that hangs must not hang the drill.
const ITEM_LIMIT: Duration = Duration::from_secs(30);

/// The teardown of a drill that made nothing.
pub(super) fn nothing_made() -> Teardown {
    Teardown { status: TeardownStatus::Clean, ..Teardown::default() }
}

/// Removes everything of a drill, or leaves it all standing.
pub async fn teardown(engine: &Engine, drill: DrillId, keep: bool) -> Teardown {
    let settled = engine.settle().await;
    if keep {
        return Teardown { status: TeardownStatus::Kept, ..Teardown::default() };
    }
    let mut teardown = remove_all(engine, LabelFilter::Drill(drill), |_| true).await;
    if !settled {
        teardown.status = TeardownStatus::Leaked;
        teardown.leaked.push("the engine had not answered whether it made something more".to_owned());
    }
    teardown
}

/// Removes what the filter finds and `chosen` agrees to; tries again what fails, since a network is busy until its
/// last container is gone. Clean means that a look at the engine has shown nothing left.
pub async fn remove_all(
    engine: &Engine,
    filter: LabelFilter<'_>,
    chosen: impl Fn(&Owned) -> bool,
) -> Teardown {
    let mut removed = Removed::default();
    let mut disconnected = BTreeSet::new();
    let mut leaked = Vec::new();
    for round in 0..=ROUNDS {
        if round > 1 {
            tokio::time::sleep(Duration::from_millis(100) * 2u32.pow(round)).await;
        }
        let listed = tokio::time::timeout(ITEM_LIMIT, engine.owned(filter)).await;
        let owned: Vec<Owned> = match listed {
            Ok(Ok(owned)) => owned.into_iter().filter(|owned| chosen(owned)).collect(),
            Ok(Err(failure)) => {
                leaked = vec![failure.message];
                continue;
            }
            Err(_) => {
                leaked = vec![format!("the engine does not answer within {} s", ITEM_LIMIT.as_secs())];
                continue;
            }
        };
        if owned.is_empty() {
            let disconnected = disconnected.into_iter().collect();
            return Teardown { status: TeardownStatus::Clean, removed, disconnected, leaked: Vec::new() };
        }
        for network in owned.iter().filter(|one| one.kind == OwnedKind::Network) {
            // What could not be disconnected keeps the network from being removed, and that is reported.
            let others = tokio::time::timeout(ITEM_LIMIT, engine.disconnect_others(network)).await;
            disconnected.extend(others.ok().and_then(Result::ok).unwrap_or_default());
        }
        leaked = remove_round(engine, &owned, &mut removed).await;
    }
    Teardown {
        status: TeardownStatus::Leaked,
        removed,
        disconnected: disconnected.into_iter().collect(),
        leaked,
    }
}

/// Removes each of these, those of a kind at once, and says what it could not, or what has not yet been seen gone.
async fn remove_round(engine: &Engine, owned: &[Owned], removed: &mut Removed) -> Vec<String> {
    let mut left = Vec::new();
    for kind in [OwnedKind::Container, OwnedKind::Network, OwnedKind::Volume] {
        let removals = owned.iter().filter(|one| one.kind == kind).map(|one| async move {
            let outcome = tokio::time::timeout(ITEM_LIMIT, engine.remove(one)).await;
            (
                one,
                outcome.unwrap_or_else(|_| {
                    Err(Failure::inconclusive("engine_error", "the engine does not answer"))
                }),
            )
        });
        for (one, outcome) in join_all(removals).await {
            let why = match outcome {
                Ok(()) => {
                    count(removed, kind);
                    "removed, but not yet seen gone".to_owned()
                }
                Err(failure) => failure.message,
            };
            left.push(format!("{} {}: {why}", kind.word(), one.name));
        }
    }
    left
}

fn count(removed: &mut Removed, kind: OwnedKind) {
    *match kind {
        OwnedKind::Container => &mut removed.containers,
        OwnedKind::Network => &mut removed.networks,
        OwnedKind::Volume => &mut removed.volumes,
    } += 1;
}

/// Whether this belongs to a drill that still runs, as far as its labels tell.
pub(super) fn is_running_drill(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = Facts::of(owned);
    let over = facts.expired(now) || facts.owner.as_ref().is_some_and(Owner::is_gone);
    // One that is kept is over when its process is, and of a process elsewhere that is not known.
    facts.purpose == "drill" && (facts.owner_lives() || !(over || facts.kept))
}

/// Whether `reap` may remove it: nobody owns it any more, or its lease has expired and its owner is not known to live.
pub fn may_reap(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = Facts::of(owned);
    let abandoned = !facts.kept && facts.owner.as_ref().is_some_and(Owner::is_gone);
    !facts.owner_lives() && (abandoned || facts.expired(now))
}

/// Whether `reap` may remove it when it is asked for by name: kept stacks too, but nothing whose owner lives.
pub fn may_reap_by_name(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = Facts::of(owned);
    may_reap(owned, now) || (facts.kept && !facts.owner_lives())
}

/// What labels say about ownership.
struct Facts {
    purpose: String,
    kept: bool,
    owner: Option<Owner>,
    lease: Option<DateTime<Utc>>,
}

impl Facts {
    fn of(owned: &Owned) -> Self {
        let label = |name: &str| owned.labels.get(name).map(String::as_str).unwrap_or_default();
        Self {
            purpose: label(labels::PURPOSE).to_owned(),
            kept: label(labels::KEPT) == "true",
            owner: label(labels::OWNER).parse().ok(),
            lease: DateTime::parse_from_rfc3339(label(labels::LEASE_EXPIRES))
                .ok()
                .map(|lease| lease.to_utc()),
        }
    }

    fn expired(&self, now: DateTime<Utc>) -> bool {
        self.lease.is_some_and(|lease| lease < now)
    }

    fn owner_lives(&self) -> bool {
        self.owner.as_ref().is_some_and(Owner::is_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something of a drill: who owns it, whether it is kept, and how many hours its lease has left.
    fn owned(owner: &str, kept: bool, lease_hours: i64) -> Owned {
        let labels = [
            (labels::PURPOSE, "drill".to_owned()),
            (labels::OWNER, owner.to_owned()),
            (labels::KEPT, kept.to_string()),
            (labels::LEASE_EXPIRES, (now() + chrono::TimeDelta::hours(lease_hours)).to_rfc3339()),
        ];
        Owned {
            kind: OwnedKind::Container,
            id: "1".to_owned(),
            name: "x".to_owned(),
            labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }

    #[test]
    fn what_may_be_reaped_and_what_runs() {
        let alive = Owner::this_process().to_string();
        let gone = format!("{}:1", alive.rsplit_once(':').unwrap().0);
        let elsewhere = "elsewhere:boot/1:7:7";
        // owner, kept, hours of lease left: reaped, reaped by name, runs
        for (owner, kept, lease, reaped, by_name, runs) in [
            (&*alive, false, 1, false, false, true),
            (&*alive, false, -1, false, false, true),
            (&*alive, true, 1, false, false, true),
            (&*gone, false, 1, true, true, false),
            (&*gone, true, 1, false, true, false),
            (&*gone, true, -1, true, true, false),
            (elsewhere, false, 1, false, false, true),
            (elsewhere, false, -1, true, true, false),
            (elsewhere, true, 1, false, true, false),
        ] {
            let owned = owned(owner, kept, lease);
            let seen =
                (may_reap(&owned, now()), may_reap_by_name(&owned, now()), is_running_drill(&owned, now()));
            assert_eq!(seen, (reaped, by_name, runs), "{owner} kept={kept} lease={lease}");
        }
    }
}
