//! Reading a store for a plan: its listing, how objects are kept, and what is inside them, without downloading them.
//!
//! [`crate::plan`] decides; this only reads. Everything here is bounded, whatever the store holds: a listing begins
//! where it is needed, a recovery point costs the bytes of its table of contents, and questions that a store does not
//! answer are given up after a few seconds.

mod archived;
mod contents;
mod disk;
mod globals;
mod listing;
mod manifests;
mod sqlite;
mod unnamed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::layer::Identities;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::earlier::EarlierDrills;
use crate::model::failure::{Class, Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::past::PastDrill;
use crate::model::verdict::{Finding, PlanCost, RecoveryPoint};
use crate::plan::drift::Before;
use crate::plan::{self, DrillPlan, Look, Survey};
use crate::store::{Fact, ObjectFacts, Store};
use crate::template::KeyPattern;
use crate::template::Template;

pub use archived::{ArchivedObject, archived_beside};
pub use contents::{FirstBytes, Ignore, peek, read_contents};
pub use disk::free_disk;
pub use listing::{Listed, list_points};
pub use manifests::{ManifestEntry, ManifestLookup, Manifests, StoredManifest, read_manifest};
pub use unnamed::find_unnamed;

/// Recovery points that are read at the same time.
const AT_ONCE: usize = 8;
/// How long a store may take to report how an object is kept.
const PATIENCE: Duration = Duration::from_secs(10);
/// Failures of reading that say something of the recovery point. Any other says something of the way to it, and there
/// is no plan then.
const OF_THE_POINT: [Code; 5] = [
    codes::OBJECT_ARCHIVED,
    codes::DUMP_NEWER_THAN_IMAGE,
    codes::ARCHIVE_TOO_LARGE,
    codes::EXPANSION_LIMIT,
    codes::LAYER_UNSUPPORTED,
];

/// Looks at the store of these manifests and makes the plan. No Docker, no writes.
///
/// # Errors
/// Those of the store.
pub async fn make_plan(
    template: &Template,
    manifests: &Arc<Manifests>,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
    past: Vec<PastDrill>,
    earlier: &EarlierDrills,
) -> Result<DrillPlan> {
    let (store, identities) = (Arc::clone(&manifests.store), Arc::clone(&manifests.identities));
    let pattern = manifests.keys.clone();
    let surveyor = Surveyor { store, identities, pattern, manifests: Some(Arc::clone(manifests)) };
    surveyor.plan(template, at, now, past, earlier).await
}

/// Where a survey reads.
pub struct Surveyor {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What opens recovery points.
    pub identities: Arc<Identities>,
    /// How keys are made.
    pub pattern: KeyPattern,
    /// The manifests that name globals. Without them a survey reads no globals: both are read whole.
    pub manifests: Option<Arc<Manifests>>,
}

impl Surveyor {
    /// Makes a plan of what it reads.
    ///
    /// # Errors
    /// As [`Surveyor::survey`].
    pub async fn plan(
        &self,
        template: &Template,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        past: Vec<PastDrill>,
        earlier: &EarlierDrills,
    ) -> Result<DrillPlan> {
        let mut survey = self.survey(template, at, now, past).await?;
        survey.earlier = earlier.clone();
        Ok(plan::plan(template, &self.pattern, &survey, at))
    }

    /// Reads all that a plan of this template for this point in time needs.
    ///
    /// # Errors
    /// Those of the store, where they are not about one recovery point alone.
    pub async fn survey(
        &self,
        template: &Template,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        past: Vec<PastDrill>,
    ) -> Result<Survey> {
        let began = Instant::now();
        let before = self.store.traffic();
        let window = window(template);
        let (listed, facts) =
            tokio::join!(list_points(&*self.store, &self.pattern, template, at, window), self.store.facts());
        let listed = listed?;
        let set = plan::choose(template, &self.pattern, &listed.listing, at);
        let known: BTreeSet<DatabaseName> =
            template.whole_file().map(|database| database.name.clone()).collect();
        let turn = Semaphore::new(1);
        let looks = stream::iter(set.points.iter())
            .map(async |point| {
                let before = plan::point_before(&self.pattern, &listed.listing, point);
                let look = self.look_at(template, point, before.as_ref(), now, &turn).await?;
                Ok::<_, Failure>((point.database.clone(), look))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect();
        let (looks, unnamed, globals) =
            tokio::try_join!(looks, find_unnamed(&*self.store, &self.pattern, &known, at - window), async {
                match &self.manifests {
                    Some(manifests) => self.globals(manifests, template, &set).await,
                    None => Ok(BTreeMap::new()),
                }
            })?;
        let disk = free_disk(&past);
        let traffic = self.store.traffic().since(before);
        Ok(Survey {
            listing: listed.listing,
            looks,
            globals,
            unnamed,
            facts,
            passed_over: self.store.passed_over(),
            past,
            earlier: EarlierDrills::default(),
            disk,
            cost: PlanCost {
                requests: traffic.requests,
                bytes: traffic.bytes,
                objects_listed: listed.objects,
                seconds: began.elapsed().as_secs_f64(),
            },
            read_at: Some(now),
        })
    }

    /// Looks at one recovery point: how it is kept, and if it can be read, what is inside, and inside the one before it.
    async fn look_at(
        &self,
        template: &Template,
        point: &RecoveryPoint,
        before: Option<&RecoveryPoint>,
        now: DateTime<Utc>,
        turn: &Semaphore,
    ) -> Result<Look> {
        let facts = self.facts(point).await;
        // Where the store does not report it, a read shows it: an archived object is refused at once.
        let readable = facts.value.as_ref().is_none_or(|facts| facts.readable(now));
        if !readable || point.size_bytes == 0 {
            return Ok(Look { facts, ..Look::default() });
        }
        if template.is_sqlite(&point.database) {
            let header = sqlite::read_header(&self.store, &self.identities, point).await;
            let header = match header {
                Err(failure) if failure.class != Class::Bad && !OF_THE_POINT.contains(&failure.code) => {
                    return Err(failure.context(&point.database));
                }
                other => other,
            };
            let beside = sqlite::beside(&*self.store, point).await?;
            return Ok(Look { facts, sqlite: Some(header), beside, ..Look::default() });
        }
        let ignore = ignored(template, &point.database);
        let (contents, before) = tokio::join!(
            read_contents(&self.store, &self.identities, point, ignore, turn),
            self.inside_before(before, turn)
        );
        let contents = match contents {
            Err(failure) if failure.class != Class::Bad && !OF_THE_POINT.contains(&failure.code) => {
                return Err(failure.context(&point.database));
            }
            other => other,
        };
        Ok(Look { facts, contents: Some(contents), before, ..Look::default() })
    }

    /// What is in the recovery point before. That it cannot be read says nothing of the chosen one, and ends no plan.
    async fn inside_before(&self, before: Option<&RecoveryPoint>, turn: &Semaphore) -> Option<Before> {
        let before = before?;
        let contents = read_contents(&self.store, &self.identities, before, Ignore::default(), turn).await;
        Some(Before {
            taken_at: before.taken_at,
            key: before.key.clone(),
            inventory: contents.map_err(|failure| failure.message).and_then(|contents| {
                contents
                    .is_whole
                    .then_some(contents.inventory)
                    .ok_or_else(|| plan::drift::PARTLY_READ.to_owned())
            }),
        })
    }

    /// What the recovery points of these databases have lost, each against the one before it; one sentence for each finding.
    /// For whoever has just made them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn losses(&self, template: &Template, at: DateTime<Utc>) -> Result<Vec<String>> {
        let listed = list_points(&*self.store, &self.pattern, template, at, window(template)).await?;
        let set = plan::choose(template, &self.pattern, &listed.listing, at);
        let turn = Semaphore::new(1);
        let losses =
            stream::iter(set.points.iter().filter(|point| point.taken_at == at)).map(async |point| {
                let before = plan::point_before(&self.pattern, &listed.listing, point);
                let Some(before) = self.inside_before(before.as_ref(), &turn).await else {
                    return Vec::new();
                };
                // What was just made was read back already; if it cannot be read now, that is not what is asked here.
                let now = read_contents(&self.store, &self.identities, point, Ignore::default(), &turn).await;
                now.map_or_else(
                    |_| Vec::new(),
                    |now| {
                        let drift = plan::drift::drift(&before, now.is_whole.then_some(&now.inventory));
                        plan::drift::findings(&point.database, &drift, &template.recovery_set)
                    },
                )
            });
        let found: Vec<Vec<Finding>> = losses.buffered(AT_ONCE).collect().await;
        let sentence = |finding: Finding| format!("{}: {}", finding.subject, finding.actual);
        Ok(found.into_iter().flatten().map(sentence).collect())
    }

    async fn facts(&self, point: &RecoveryPoint) -> Fact<ObjectFacts> {
        match tokio::time::timeout(PATIENCE, self.store.object_facts(&point.key)).await {
            Ok(Ok(mut facts)) => {
                // The listing and HEAD name the same class; stores that leave it out of one have it in the other.
                if facts.storage_class == "STANDARD" {
                    facts.storage_class.clone_from(&point.storage_class);
                }
                Fact::known(facts)
            }
            Ok(Err(failure)) => Fact::unknown(failure.message),
            Err(_) => {
                Fact::unknown(format!("the store did not answer within {} seconds", PATIENCE.as_secs()))
            }
        }
    }
}

fn ignored(template: &Template, database: &DatabaseName) -> Ignore {
    template.database(database).map_or_else(Ignore::default, |database| Ignore {
        entries: database.ignore.clone(),
        extensions: database.ignore_extensions.clone(),
        database: None,
    })
}

/// How far back a listing begins at first: far enough for the history that is judged.
pub fn window(template: &Template) -> TimeDelta {
    let schedule = template.recovery_set.schedule.unwrap_or(Duration::from_secs(86_400));
    let history = u32::from(template.recovery_set.history) + 2;
    TimeDelta::from_std(schedule.saturating_mul(history))
        .map_or(TimeDelta::days(3650), |window| window.clamp(TimeDelta::hours(1), TimeDelta::days(3650)))
}
