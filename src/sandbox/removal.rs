//! Removes what carries given labels, and lists the engine's objects again until none is left. An engine that restarts
//! meanwhile is waited for. Only what the last list showed counts as left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::verdict::{Removed, Teardown, TeardownStatus};
use crate::sandbox::docker::{Engine, LabelFilter, Owned, OwnedKind};

/// How long removal continues without progress.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// The engine refuses: a network is busy until its last container is gone.
    refused: Duration,
    /// The engine is still removing something: a large volume takes long.
    busy: Duration,
    /// The engine cannot be asked: a restart takes some ten seconds, and longer with many containers.
    silent: Duration,
    /// The pause before the next list after a removal that failed; later pauses are up to eight times as long.
    pause: Duration,
    /// The limit of one list.
    look: Duration,
    /// The limit of one removal.
    item: Duration,
}

const PATIENCE: Patience = Patience {
    refused: Duration::from_secs(15),
    busy: Duration::from_secs(90),
    silent: Duration::from_secs(60),
    pause: Duration::from_millis(200),
    look: Duration::from_secs(15),
    item: Duration::from_secs(30),
};

/// Removes what the filter finds and `chosen` accepts, except copies. Clean means that the engine listed nothing at the end.
pub async fn remove_all(
    engine: &Engine,
    filter: LabelFilter<'_>,
    chosen: impl Fn(&Owned) -> bool,
) -> Teardown {
    let list = async || {
        let mut owned = engine.owned(filter).await?;
        owned.retain(|one| !one.is_copy() && chosen(one));
        Ok(owned)
    };
    let disconnected = Mutex::new(BTreeSet::new());
    let remove = async |one: &Owned| {
        if one.kind == OwnedKind::Network {
            // What could not be disconnected keeps the network from being removed, and that is reported.
            let others = engine.disconnect_others(one).await.unwrap_or_default();
            disconnected.lock().unwrap_or_else(PoisonError::into_inner).extend(others);
        }
        engine.remove(one).await
    };
    let teardown = remove_until_gone(PATIENCE, list, remove).await;
    let disconnected = disconnected.into_inner().unwrap_or_else(PoisonError::into_inner);
    Teardown { disconnected: disconnected.into_iter().collect(), ..teardown }
}

/// Lists what the filter finds. An engine that is busy or restarts is asked again, for as long as a removal waits for it.
///
/// # Errors
/// The engine's last word, with how long it was waited for.
pub async fn list_patiently(engine: &Engine, filter: LabelFilter<'_>) -> Result<Vec<Owned>> {
    listed(PATIENCE, async || engine.owned(filter).await).await
}

async fn listed(patience: Patience, list: impl AsyncFn() -> Result<Vec<Owned>>) -> Result<Vec<Owned>> {
    let since = Instant::now();
    loop {
        match answered(patience.look, list()).await {
            Err(failure) if since.elapsed() >= patience.silent => {
                let waited = human::duration(since.elapsed().as_secs_f64());
                return Err(Failure {
                    message: format!("{} (asked for {waited})", failure.message),
                    ..failure
                });
            }
            Err(_) => tokio::time::sleep(patience.pause).await,
            listed => return listed,
        }
    }
}

async fn remove_until_gone(
    patience: Patience,
    list: impl AsyncFn() -> Result<Vec<Owned>>,
    remove: impl AsyncFn(&Owned) -> Result<()>,
) -> Teardown {
    let mut tally = Tally::default();
    let mut fewest = usize::MAX;
    // When there was progress last, and since when the engine answers. The second is reset when the engine was away.
    let mut since = Instant::now();
    let mut answers = None;
    let mut pause = patience.pause;
    loop {
        let looked = answered(patience.look, list()).await;
        let fruitless = since.elapsed();
        match looked {
            Ok(owned) if owned.is_empty() => return tally.clean(),
            Ok(owned) => {
                let refuses = fruitless.min(answers.get_or_insert_with(Instant::now).elapsed());
                tally.seen(&owned);
                let fewer = owned.len() < fewest;
                if fewer {
                    (fewest, since, pause) = (owned.len(), Instant::now(), patience.pause);
                } else if refuses >= if tally.is_busy() { patience.busy } else { patience.refused } {
                    return tally.leaked();
                }
                tally.reasons = remove_each(patience.item, owned, &remove, &mut tally.removed).await;
                if fewer && tally.reasons.is_empty() {
                    continue;
                }
            }
            Err(failure) if fruitless >= patience.silent => return tally.not_looked_at(&failure),
            Err(_) => answers = None,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(patience.pause * 8);
    }
}

/// What became of everything that was to be removed.
#[derive(Default)]
struct Tally {
    /// Everything that was ever listed.
    all: BTreeSet<Thing>,
    /// What the last list showed.
    left: BTreeSet<Thing>,
    /// What the engine said it removed.
    removed: BTreeSet<Thing>,
    /// Why the last attempt at each failed.
    reasons: BTreeMap<Thing, Failure>,
}

/// An object of the engine: its kind, its id, and its name.
type Thing = (OwnedKind, String, String);

fn thing(owned: &Owned) -> Thing {
    (owned.kind, owned.id.clone(), owned.name.clone())
}

impl Tally {
    fn seen(&mut self, owned: &[Owned]) {
        self.left = owned.iter().map(thing).collect();
        self.all.extend(self.left.iter().cloned());
    }

    /// Whether the engine may still be removing something.
    fn is_busy(&self) -> bool {
        self.reasons
            .values()
            .any(|failure| matches!(failure.code.as_str(), "engine_silent" | "removal_under_way"))
    }

    fn clean(self) -> Teardown {
        Teardown { status: TeardownStatus::Clean, removed: count(&self.all), ..Teardown::default() }
    }

    fn leaked(self) -> Teardown {
        let leaked = self.left.iter().map(|thing| {
            let why = self.reasons.get(thing).map_or("removed, and there again", |why| &*why.message);
            format!("{} {}: {why}", thing.0.word(), thing.2)
        });
        Teardown {
            status: TeardownStatus::Leaked,
            removed: count(self.all.difference(&self.left)),
            leaked: leaked.collect(),
            ..Teardown::default()
        }
    }

    fn not_looked_at(self, failure: &Failure) -> Teardown {
        let open = self.all.difference(&self.removed).map(|thing| format!("{} {}", thing.0.word(), thing.2));
        let open: Vec<String> = open.collect();
        let what = if open.is_empty() { "whether anything is left".to_owned() } else { open.join(", ") };
        Teardown {
            status: TeardownStatus::Leaked,
            removed: count(&self.removed),
            not_looked_at: vec![format!("{what} ({failure})")],
            ..Teardown::default()
        }
    }
}

fn count<'a>(things: impl IntoIterator<Item = &'a Thing>) -> Removed {
    let mut removed = Removed::default();
    for (kind, ..) in things {
        *match kind {
            OwnedKind::Container => &mut removed.containers,
            OwnedKind::Network => &mut removed.networks,
            OwnedKind::Volume => &mut removed.volumes,
        } += 1;
    }
    removed
}

/// Removes each of these, all of one kind at the same time. Notes what the engine confirmed, and returns why the rest failed.
async fn remove_each(
    limit: Duration,
    owned: Vec<Owned>,
    remove: &impl AsyncFn(&Owned) -> Result<()>,
    removed: &mut BTreeSet<Thing>,
) -> BTreeMap<Thing, Failure> {
    let mut reasons = BTreeMap::new();
    for kind in [OwnedKind::Container, OwnedKind::Network, OwnedKind::Volume] {
        let of_kind = owned.iter().filter(|one| one.kind == kind);
        let removals = of_kind.map(async |one| (thing(one), answered(limit, remove(one)).await));
        for (thing, outcome) in join_all(removals).await {
            match outcome {
                Ok(()) => drop(removed.insert(thing)),
                Err(failure) => drop(reasons.insert(thing, failure)),
            }
        }
    }
    reasons
}

async fn answered<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = || Failure::inconclusive(codes::ENGINE_SILENT, "the Docker engine does not answer");
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(silent()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Far more than the faults of these tests take on a slow machine, and less than a person minds.
    const QUICK: Patience = Patience {
        refused: Duration::from_millis(500),
        busy: Duration::from_millis(800),
        silent: Duration::from_secs(2),
        pause: Duration::from_millis(1),
        look: Duration::from_secs(2),
        item: Duration::from_secs(2),
    };

    fn owned(kind: OwnedKind, name: &str) -> Owned {
        Owned { kind, id: name.to_owned(), name: name.to_owned(), labels: Default::default() }
    }

    fn stack() -> Vec<Owned> {
        vec![owned(OwnedKind::Container, "c"), owned(OwnedKind::Network, "n"), owned(OwnedKind::Volume, "v")]
    }

    fn refused() -> Failure {
        Failure::inconclusive(codes::ENGINE_ERROR, "it is busy")
    }

    fn unreachable() -> Failure {
        Failure::inconclusive(codes::ENGINE_UNREACHABLE, "the engine cannot be reached")
    }

    /// An engine that holds these things, and fails the first so many requests in this way.
    struct Fake {
        things: Mutex<Vec<Owned>>,
        faults: Mutex<VecDeque<Option<Failure>>>,
        /// Never removed.
        stuck: &'static str,
    }

    impl Fake {
        fn new(faults: Vec<Option<Failure>>, stuck: &'static str) -> Self {
            Self { things: Mutex::new(stack()), faults: Mutex::new(faults.into()), stuck }
        }

        fn fault(&self) -> Result<()> {
            self.faults.lock().unwrap().pop_front().flatten().map_or(Ok(()), Err)
        }

        async fn teardown(&self) -> Teardown {
            self.teardown_within(QUICK).await
        }

        async fn teardown_within(&self, patience: Patience) -> Teardown {
            let list = async || {
                self.fault()?;
                Ok(self.things.lock().unwrap().clone())
            };
            let remove = async |one: &Owned| {
                self.fault()?;
                if one.name == self.stuck {
                    return Err(refused());
                }
                self.things.lock().unwrap().retain(|other| other != one);
                Ok(())
            };
            remove_until_gone(patience, list, remove).await
        }
    }

    fn removed(containers: u64, networks: u64, volumes: u64) -> Removed {
        Removed { containers, networks, volumes }
    }

    #[tokio::test]
    async fn what_is_removed_counts_once_and_an_engine_that_comes_back_is_waited_for() {
        for faults in
            [vec![], vec![Some(unreachable()); 7], vec![None, None, Some(unreachable()), Some(unreachable())]]
        {
            let teardown = Fake::new(faults, "").teardown().await;
            assert_eq!((teardown.status, teardown.removed), (TeardownStatus::Clean, removed(1, 1, 1)));
            assert!(teardown.leaked.is_empty() && teardown.not_looked_at.is_empty());
        }
    }

    #[tokio::test]
    async fn an_engine_that_was_away_for_longer_than_one_may_refuse_is_asked_once_more() {
        // One look, and three removals that break off; then it is away.
        let mut faults = vec![None, Some(refused()), Some(refused()), Some(refused())];
        faults.extend(vec![Some(unreachable()); 8]);
        let patience =
            Patience { refused: Duration::from_millis(8), silent: Duration::from_secs(60), ..QUICK };
        let teardown = Fake::new(faults, "").teardown_within(patience).await;
        assert_eq!((teardown.status, teardown.removed), (TeardownStatus::Clean, removed(1, 1, 1)));
    }

    #[tokio::test]
    async fn what_the_last_look_shows_is_left_with_the_reason() {
        let teardown = Fake::new(vec![], "n").teardown().await;
        assert_eq!((teardown.status, teardown.removed), (TeardownStatus::Leaked, removed(1, 0, 1)));
        assert_eq!(teardown.leaked, ["network n: it is busy"]);
        assert!(teardown.not_looked_at.is_empty());
    }

    #[tokio::test]
    async fn what_could_not_be_looked_at_is_not_called_left() {
        let gone_for_good = |ok: usize| {
            let mut faults = vec![None; ok];
            faults.extend(vec![Some(unreachable()); 10_000]);
            faults
        };
        let teardown = Fake::new(gone_for_good(0), "").teardown().await;
        assert_eq!((teardown.status, teardown.removed), (TeardownStatus::Leaked, removed(0, 0, 0)));
        assert!(teardown.leaked.is_empty());
        assert_eq!(teardown.not_looked_at, ["whether anything is left (the engine cannot be reached)"]);
        // One look, and one removal.
        let teardown = Fake::new(gone_for_good(2), "").teardown().await;
        assert_eq!(teardown.removed, removed(1, 0, 0));
        assert_eq!(teardown.not_looked_at, ["network n, volume v (the engine cannot be reached)"]);
    }

    #[tokio::test]
    async fn an_engine_that_is_busy_is_asked_again_and_one_that_stays_so_is_given_up() {
        let fake = Fake::new(vec![Some(unreachable()); 7], "");
        let list = async || fake.fault().map(|()| stack());
        assert_eq!(listed(QUICK, list).await.unwrap().len(), 3);
        let gone = Patience { silent: Duration::from_millis(20), ..QUICK };
        let failure = listed(gone, async || Err(unreachable())).await.unwrap_err();
        assert!(failure.message.starts_with("the engine cannot be reached (asked for "), "{failure}");
    }

    #[tokio::test]
    async fn an_engine_that_hangs_ends_no_later_than_one_that_is_gone() {
        let never = async || std::future::pending::<Result<Vec<Owned>>>().await;
        let teardown = remove_until_gone(QUICK, never, async |_: &Owned| Ok(())).await;
        assert_eq!(teardown.status, TeardownStatus::Leaked);
        assert_eq!(teardown.not_looked_at, ["whether anything is left (the Docker engine does not answer)"]);
    }
}
