//! Removes what a drill made. Everything carries the drill's id as a label from its first moment. So teardown removes what the
//! engine lists under that id, and nothing can be forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::removal::remove_all;
use crate::model::names::DrillId;
use crate::model::verdict::{Teardown, TeardownStatus};
use crate::sandbox::docker::{Engine, LabelFilter, Owned};
use crate::sandbox::labels;
use crate::sandbox::owner::Owner;

/// How long teardown waits for creations that are under way. It lists once more at the end for one that takes longer.
const SETTLE: Duration = Duration::from_secs(15);

/// The teardown of a drill that made nothing.
pub fn nothing_made() -> Teardown {
    Teardown { status: TeardownStatus::Clean, ..Teardown::default() }
}

/// Removes everything of a drill, or leaves it all standing. Ends in its own time, whatever the engine does.
pub async fn teardown(engine: &Engine, drill: DrillId, keep: bool) -> Teardown {
    let settled = engine.settle(SETTLE).await;
    if keep {
        return Teardown { status: TeardownStatus::Kept, ..Teardown::default() };
    }
    let mut teardown = remove_all(engine, LabelFilter::Drill(drill), |_| true).await;
    if settled {
        return teardown;
    }
    if engine.settle(Duration::ZERO).await {
        let mut late = remove_all(engine, LabelFilter::Drill(drill), |_| true).await;
        late.removed = late.removed + teardown.removed;
        late.disconnected.extend(teardown.disconnected);
        return late;
    }
    teardown.status = TeardownStatus::Leaked;
    teardown.not_looked_at.push("what the engine was still asked to make (it did not answer)".to_owned());
    teardown
}

/// Whether this belongs to a drill that still runs, as far as its labels show.
pub fn is_running_drill(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = LeaseFacts::of(owned);
    let over = facts.expired(now) || facts.owner.as_ref().is_some_and(Owner::is_gone);
    // One that is kept is over when its process is, and of a process elsewhere that is not known.
    !owned.is_copy() && facts.purpose == "drill" && (facts.owner_lives() || !(over || facts.kept))
}

/// Whether `reap` may remove it: its owner is gone, or its lease has expired and its owner is not known to live.
pub fn may_reap(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = LeaseFacts::of(owned);
    let abandoned = !facts.kept && facts.owner.as_ref().is_some_and(Owner::is_gone);
    !owned.is_copy() && !facts.owner_lives() && (abandoned || facts.expired(now))
}

/// Whether `reap` may remove it when it is asked for by name: kept stacks too, but nothing whose owner lives.
pub fn may_reap_by_name(owned: &Owned, now: DateTime<Utc>) -> bool {
    let facts = LeaseFacts::of(owned);
    may_reap(owned, now) || (!owned.is_copy() && facts.kept && !facts.owner_lives())
}

/// What labels say about ownership.
struct LeaseFacts {
    purpose: String,
    kept: bool,
    owner: Option<Owner>,
    lease: Option<DateTime<Utc>>,
}

impl LeaseFacts {
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
    use crate::sandbox::docker::OwnedKind;

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
            // With its own name in the labels it is the same; with that of another it is nothing of a drill's.
            let named = |name: &str| {
                let mut owned = owned.clone();
                owned.labels.insert(labels::CONTAINER.to_owned(), name.to_owned());
                (may_reap(&owned, now()), may_reap_by_name(&owned, now()), is_running_drill(&owned, now()))
            };
            assert_eq!(named("x"), seen);
            assert_eq!(named("y"), (false, false, false));
        }
    }
}
