//! What lies beside recovery points and is in an archive: manifests and globals. They are small, and a drill needs them as soon as
//! the dumps.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::model::failure::Failure;
use crate::model::names::ObjectKey;
use crate::plan::DrillPlan;
use crate::plan::globals::GlobalsStatus;
use crate::store::{ObjectFacts, Store};
use crate::template::KeyPattern;

/// An object that cannot be read now.
#[derive(Debug)]
pub struct ArchivedObject {
    /// Its key.
    pub key: ObjectKey,
    /// How it is kept.
    pub facts: ObjectFacts,
}

/// What was learnt of the objects beside recovery points.
#[derive(Debug, Default)]
pub struct Beside {
    /// Those that cannot be read now.
    pub archived: Vec<ArchivedObject>,
    /// Those about which the store did not answer.
    pub not_known: Vec<(ObjectKey, Failure)>,
}

/// The manifests of a plan's recovery points and the globals of its servers, as far as they are in an archive. The manifest that names globals may itself be in the archive. Then those are looked for that the
/// template's pattern names.
pub async fn archived_beside(
    store: &dyn Store,
    pattern: &KeyPattern,
    plan: &DrillPlan,
    now: DateTime<Utc>,
) -> Beside {
    let mut keys: BTreeSet<ObjectKey> =
        plan.recovery_set.points.iter().map(|point| pattern.manifest_key(point.taken_at)).collect();
    for globals in plan.globals.iter().filter(|globals| globals.status != GlobalsStatus::Skipped) {
        match &globals.key {
            Some(key) => drop(keys.insert(key.clone())),
            None => keys.extend(globals.dumps.iter().map(|time| pattern.globals_key(&globals.server, *time))),
        }
    }
    let mut beside = Beside::default();
    for key in keys {
        let facts = match store.stat(&key).await {
            Ok(None) => continue,
            Ok(Some(_)) => store.object_facts(&key).await,
            Err(failure) => Err(failure),
        };
        match facts {
            Ok(facts) if facts.readable(now) => {}
            Ok(facts) => beside.archived.push(ArchivedObject { key, facts }),
            Err(failure) => beside.not_known.push((key, failure)),
        }
    }
    beside
}
