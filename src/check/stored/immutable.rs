//! `immutable`: nobody can change or remove recovery points and what belongs to them, whatever their manifests claim.
//!
//! Nothing is tried that could do harm: facts are read, and where a file says that it is immutable it may be opened to append to
//! it, and closed.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use self::judge::{Claim, Kept, Object, judge};
use super::key_glob::KeyGlob;
use super::reading::{BATCH, KEY, PARALLEL, Place, SmallFile, field, refused, small, validate_beside};
use crate::check::context::Context;
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::Outcome;
use crate::clock::Clock;
use crate::model::codes;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::RecoverySet;
use crate::store::{ObjectMeta, Store};
use crate::template::Template;

findings! {
    NOT_IMMUTABLE = "not_immutable", "error":
        "An object can be changed or removed: its file has no attribute `i`, or no lock in force is seen on it. A file of mode 0400 or 0444 \
         without the attribute is read-only, which binds neither its owner nor root.",
        "Let the backup job set the attribute (`chattr +i`; in a container it needs the capability LINUX_IMMUTABLE) or the lock, and fail \
         if that fails. Seeing a lock needs `s3:GetObjectRetention`, a legal hold `s3:GetObjectLegalHold`. A file system that cannot hold \
         the attribute cannot keep backups so.",
        "active/daily/2026-05-17.sql.gz: its attribute `i` is not set; its permissions 0400 make it read-only, not immutable";
    IMMUTABILITY_CLAIMED_NOT_HELD = "immutability_claimed_not_held", "error":
        "The file beside an object says that it is immutable, and it is not.",
        "Have the backup job write what it found after it set the attribute, and not what it was about to do.",
        "active/daily/2026-05-17.sql.gz: 2026-05-17.sql.gz.manifest.json says `immutable`, and it is not";
    IMMUTABLE_NOT_ENFORCED = "immutable_not_enforced", "error":
        "A file has the attribute `i`, and could be opened to append to it. Nothing was written.",
        "Find out what file system or layer reports the attribute and does not heed it.",
        "active/daily/2026-05-17.sql.gz: its attribute `i` is set, and it could be opened for writing";
    LOCK_TOO_SHORT = "lock_too_short", "error":
        "An object lock ends sooner after the object was written than `min_retention`.",
        "Check the default retention of the bucket, and what the backup job asks for.",
        "nightly/shop.dump.age: locked until 2026-05-20 00:00:00Z, 3d after it was written";
    CLAIM_UNREADABLE = "claim_unreadable", "warning":
        "The file that should say whether an object is immutable is not there, or does not say it.",
        "Check `claim`, and what the backup job writes beside its files.",
        "active/daily/2026-05-17.sql.gz: there is no 2026-05-17.sql.gz.manifest.json";
    IMMUTABILITY_NOT_CHECKED = "immutability_not_checked", "warning":
        "There are more objects than one drill asks about: the newest 10,000 were.",
        "Name narrower `keys`, or give other tiers a check of their own.",
        "objects: 2,112 of 12,112 were not asked about";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "immutable",
    read: read::<Immutable>,
    keys: keys::<Immutable>,
    skipped: "it was not verified that backups cannot be changed",
    findings: FINDINGS,
};

/// Objects that are asked about; each is a request.
const MOST: usize = 10_000;

/// Objects that nobody can change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Immutable {
    /// The check's name.
    pub name: String,
    /// The databases whose recovery points are looked at.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// Patterns of further objects.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How times in `keys` are written.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// What names of objects end with that belong to a recovery point.
    #[serde(default)]
    pub sidecars: Vec<String>,
    /// What claims to be immutable.
    #[serde(default)]
    pub claim: Option<ClaimAt>,
    /// How long a lock must last from when an object was written.
    #[serde(with = "humantime_serde", default)]
    pub min_retention: Option<Duration>,
    /// Whether a file that is immutable is opened to append to it, and closed.
    #[serde(default)]
    pub try_append: bool,
    #[serde(skip)]
    all: Vec<DatabaseName>,
    #[serde(skip)]
    place: Place,
}

/// Where it is claimed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimAt {
    /// The file beside the object.
    pub file: String,
    /// The field of it.
    #[serde(default = "immutable")]
    pub field: String,
}

fn immutable() -> String {
    "immutable".to_owned()
}

#[async_trait]
impl Check for Immutable {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// None: how an object is kept is known before it is restored.
    fn databases(&self) -> BTreeSet<&DatabaseName> {
        BTreeSet::new()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn looks_at_store(&self) -> bool {
        !self.keys.is_empty() || !self.all.is_empty()
    }

    fn complete(&mut self, template: &Template) {
        self.place = Place::of(template);
        self.all = self.databases.clone();
        if self.databases.is_empty() && self.keys.is_empty() {
            self.all = template.databases.iter().map(|database| database.name.clone()).collect();
        }
    }

    fn validate(&self, template: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        self.databases.iter().try_for_each(|name| template.require_database(name, &place))?;
        let bad = |why| format!("{place}: {why}");
        self.place.globs(&self.keys, self.timestamp.as_deref()).map_err(bad)?;
        self.claim.iter().try_for_each(|claim| validate_beside(&claim.file)).map_err(bad)?;
        if self.sidecars.iter().any(String::is_empty) {
            return Err(bad("a suffix in sidecars is empty".to_owned()));
        }
        Ok(())
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.all.retain(wanted);
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let tools = context.tools;
        let (objects, missing) = self.objects(&tools.store, &tools.points).await?;
        let total = objects.len();
        let mut looked: Vec<Object> = Vec::new();
        for batch in objects[..total.min(MOST)].chunks(BATCH) {
            let looks: Vec<_> = batch.iter().map(|object| self.look(&tools.store, object).boxed()).collect();
            looked.extend(stream::iter(looks).buffered(PARALLEL).try_collect::<Vec<_>>().await?);
        }
        let needed = self.min_retention.map(|needed| TimeDelta::from_std(needed).unwrap_or(TimeDelta::MAX));
        Ok(judge(&looked, &missing, total - looked.len(), needed, Clock::system().now()))
    }
}

impl Immutable {
    /// The objects to look at, the newest first; and keys of recovery points that are not there any more.
    async fn objects(
        &self,
        store: &Arc<dyn Store>,
        points: &RecoverySet,
    ) -> Result<(Vec<ObjectMeta>, Vec<ObjectKey>)> {
        let globs = self.place.globs(&self.keys, self.timestamp.as_deref()).map_err(refused)?;
        let points = points.points.iter().filter(|point| self.all.contains(&point.database));
        let points: Vec<ObjectKey> =
            points.flat_map(|point| point.objects()).map(|object| object.key).collect();
        let prefixes =
            globs.iter().map(KeyGlob::prefix).chain(points.iter().map(|key| self.place.below(key)));
        let listed = self.place.list(store, prefixes).await?;
        let is_meant = |key: &str| {
            globs.iter().any(|glob| glob.fits(key))
                || points.iter().any(|point| self.place.below(point) == key)
        };
        let missing =
            points.iter().filter(|key| !listed.contains_key(self.place.below(key))).cloned().collect();
        let mut objects = BTreeMap::new();
        for (key, object) in &listed {
            let of = self.sidecars.iter().filter_map(|suffix| key.strip_suffix(suffix.as_str()));
            if is_meant(key) || of.into_iter().any(is_meant) {
                objects.insert(key, object.clone());
            }
        }
        let mut objects: Vec<ObjectMeta> = objects.into_values().collect();
        objects.sort_by(|a, b| b.last_modified.cmp(&a.last_modified).then_with(|| a.key.cmp(&b.key)));
        Ok((objects, missing))
    }

    async fn look(&self, store: &Arc<dyn Store>, meta: &ObjectMeta) -> Result<Object> {
        let (key, written) = (meta.key.clone(), meta.last_modified);
        let below = self.place.below(&key);
        let facts = match store.object_facts(&key).await {
            Ok(facts) => facts,
            // The retention job may remove it at any time.
            Err(failure) if failure.code == codes::OBJECT_GONE => {
                return Ok(Object { key, written, kept: Kept::Gone, claim: Claim::None });
            }
            Err(failure) => return Err(failure),
        };
        let is_set = facts.file.as_ref().is_some_and(|file| file.immutable.value == Some(true));
        let opened = match is_set && self.try_append {
            true => store.opens_for_append(&key).await?.value,
            false => None,
        };
        let of_sidecar = self.sidecars.iter().any(|suffix| below.ends_with(suffix.as_str()));
        let claim = match &self.claim {
            Some(at) if !of_sidecar => {
                let file = self.place.key(&at.file.replace(KEY, below));
                claimed(&small(store, &file).await?, file, &at.field)
            }
            _ => Claim::None,
        };
        Ok(Object { key, written, kept: Kept::As(facts.into(), opened), claim })
    }
}

/// What a file claims.
fn claimed(text: &SmallFile, file: ObjectKey, name: &str) -> Claim {
    let said = match text {
        SmallFile::Missing => return Claim::Unreadable(file, "is not there".to_owned()),
        SmallFile::TooLarge => return Claim::Unreadable(file, "is over 1 MiB".to_owned()),
        SmallFile::Is(text) => serde_json::from_slice::<Value>(text).ok(),
    };
    match said.as_ref().map(|value| field(value, name)) {
        Some(Some(Value::Bool(true))) => Claim::Made(file),
        Some(Some(Value::Bool(false))) => Claim::None,
        Some(_) => Claim::Unreadable(file, format!("has no `{name}` that is true or false")),
        None => Claim::Unreadable(file, "is no JSON".to_owned()),
    }
}

#[cfg(test)]
mod tests;
