//! `sidecars`: the checksum and the manifest beside a recovery point agree with its name, its size and its content.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use self::judge::{Judging, Looked, Orphan};
use super::key_glob::KeyGlob;
use super::reading::{
    BATCH, KEY, PARALLEL, Place, SmallFile, refused, settling, sha256_of, small, validate_beside,
};
use crate::check::context::Context;
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::Outcome;
use crate::clock::Clock;
use crate::model::codes;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::RecoveryPoint;
use crate::store::{ObjectMeta, Store};
use crate::template::Template;

findings! {
    SIDECAR_MISSING = "sidecar_missing", "error, or warning within ten minutes after the object was written":
        "The file that belongs beside an object is not there.",
        "Check whether the backup job was broken off, and what removes such files.",
        "active/daily/2026-05-17.sql.gz: there is no 2026-05-17.sql.gz.sha256";
    SIDECAR_ORPHAN = "sidecar_orphan", "warning":
        "A checksum or a manifest is there, and the object it belongs to is not.",
        "Find out what removed the object: a clean-up that was broken off, or a person. The check `history` says whether it was logged.",
        "active/daily/2026-05-16.sql.gz.sha256: there is no 2026-05-16.sql.gz";
    CHECKSUM_MISMATCH = "checksum_mismatch", "error":
        "The SHA-256 in a file beside an object is not that of its content.",
        "The object was changed after it was written, or its checksum was. Compare with a copy of it elsewhere.",
        "active/daily/2026-05-17.sql.gz: 2026-05-17.sql.gz.sha256 has 1f…, and the content has 2e…";
    SIDECAR_DISAGREES = "sidecar_disagrees", "error":
        "A file beside an object says something else than the object's name, its size, or the other file; or it cannot be read.",
        "Check whether two backups wrote to one name, and whether files were copied or renamed.",
        "active/daily/2026-05-17.sql.gz: `size_bytes` of its manifest is 812, and it has 813 bytes";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "sidecars",
    read: read::<Sidecars>,
    keys: keys::<Sidecars>,
    skipped: "checksums and manifests beside backups were not verified",
    findings: FINDINGS,
};

/// Files beside recovery points.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecars {
    /// The check's name.
    pub name: String,
    /// The databases whose recovery points are verified, with their content.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// Patterns of further objects.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How times in keys are written.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// The file with the checksum.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The file with the manifest.
    #[serde(default)]
    pub manifest: Option<String>,
    /// The manifest's fields.
    #[serde(default)]
    pub fields: Fields,
    /// Whether the content of every object is read.
    #[serde(default)]
    pub hash_all: bool,
    /// The one database that all of it is about.
    #[serde(skip)]
    only: Option<DatabaseName>,
    #[serde(skip)]
    place: Place,
}

/// What a manifest calls things. Three are compared if they are there; what the template names must be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// The object's name. Default: `filename`, if it is there.
    pub filename: Option<String>,
    /// The time in its key.
    pub timestamp: Option<String>,
    /// The folder that it lies in.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its size. Default: `size_bytes`, if it is there.
    pub size: Option<String>,
    /// Its SHA-256. Default: `sha256`, if it is there.
    pub sha256: Option<String>,
    /// Its database.
    pub database: Option<String>,
}

#[async_trait]
impl Check for Sidecars {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn looks_at_store(&self) -> bool {
        !self.keys.is_empty()
    }

    fn complete(&mut self, template: &Template) {
        self.place = Place::of(template);
        if self.databases.is_empty() && self.keys.is_empty() {
            self.databases = template.databases.iter().map(|database| database.name.clone()).collect();
        }
        self.only = Some(&self.databases).filter(|all| all.len() == 1).and_then(|all| all.first().cloned());
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let bad = |why| format!("check {}: {why}", self.name);
        self.place.globs(&self.keys, self.timestamp.as_deref()).map_err(bad)?;
        let files = [&self.sha256, &self.manifest];
        files.into_iter().flatten().try_for_each(|pattern| validate_beside(pattern)).map_err(bad)?;
        if files.into_iter().all(Option::is_none) {
            return Err(bad("it needs sha256, manifest, or both".to_owned()));
        }
        Ok(())
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let (store, now) = (&context.tools.store, Clock::system().now());
        let globs = self.place.globs(&self.keys, self.timestamp.as_deref()).map_err(refused)?;
        let points: BTreeMap<&str, &RecoveryPoint> =
            context.fetched.points.iter().map(|point| (self.place.below(&point.key), point)).collect();
        let prefixes = globs.iter().map(KeyGlob::prefix).chain(points.keys().copied());
        let listed = self.place.list(store, prefixes).await?;
        let is_sidecar = |key: &str| self.patterns().any(|pattern| stem(pattern, key).is_some());
        let meant = |key: &str| points.contains_key(key) || globs.iter().any(|glob| glob.fits(key));
        let objects: Vec<(&String, &ObjectMeta)> =
            listed.iter().filter(|(key, _)| meant(key) && !is_sidecar(key)).collect();
        let mut judging = Judging::new(&self.fields);
        for batch in objects.chunks(BATCH) {
            let mut looks = Vec::new();
            for (key, object) in batch {
                let glob = globs.iter().find(|glob| glob.fits(key));
                let point = points.get(key.as_str()).copied();
                looks.push(self.look(store, key, object, point, glob, now).boxed());
            }
            let mut looks = stream::iter(looks).buffered(PARALLEL);
            // One after another: what lies beside them is not held.
            while let Some(looked) = looks.try_next().await? {
                looked.iter().for_each(|looked| judging.object(looked));
            }
        }
        let lost: Vec<_> =
            points.iter().filter(|(key, _)| !listed.contains_key(**key)).map(|(_, point)| *point).collect();
        Ok(judging.finish(&self.orphans(&listed, &meant), &lost))
    }
}

impl Sidecars {
    fn patterns(&self) -> impl Iterator<Item = &str> {
        [&self.sha256, &self.manifest].into_iter().flatten().map(String::as_str)
    }

    /// Reads what lies beside an object, and its content if that is wanted; none, if it was removed meanwhile.
    async fn look<'a>(
        &'a self,
        store: &Arc<dyn Store>,
        key: &'a str,
        object: &'a ObjectMeta,
        point: Option<&'a RecoveryPoint>,
        glob: Option<&'a KeyGlob>,
        now: DateTime<Utc>,
    ) -> Result<Option<Looked<'a>>> {
        // The hash of one with several objects is that of all of them.
        let whole = point.filter(|point| point.objects.is_empty());
        let mut content = whole.and_then(|point| point.ciphertext_sha256.clone());
        if content.is_none() && self.hash_all {
            content = match sha256_of(store, object).await {
                Ok(hash) => Some(hash),
                Err(failure) if failure.code == codes::OBJECT_GONE => return Ok(None),
                Err(failure) => return Err(failure),
            };
        }
        let sha256 = self.beside(store, key, self.sha256.as_deref()).await?;
        let manifest = self.beside(store, key, self.manifest.as_deref()).await?;
        let is_missing = |beside: &Option<(ObjectKey, SmallFile)>| {
            beside.as_ref().is_some_and(|(_, file)| *file == SmallFile::Missing)
        };
        if (is_missing(&sha256) || is_missing(&manifest)) && store.stat(&object.key).await?.is_none() {
            // Clean-up removes all of them.
            return Ok(None);
        }
        let database = point.map(|point| &point.database).or(self.only.as_ref());
        Ok(Some(Looked {
            key,
            shown: &object.key,
            size: object.size_bytes,
            is_recent: object.last_modified.is_some_and(|written| written > now - settling()),
            is_point: point.is_some(),
            content,
            sha256,
            manifest,
            time: glob.and_then(|glob| Some((glob, glob.time_text(key)?))),
            taken_at: point.map(|point| point.taken_at),
            database,
        }))
    }

    async fn beside(
        &self,
        store: &Arc<dyn Store>,
        key: &str,
        pattern: Option<&str>,
    ) -> Result<Option<(ObjectKey, SmallFile)>> {
        let Some(pattern) = pattern else { return Ok(None) };
        let key = self.place.key(&pattern.replace(KEY, key));
        let file = small(store, &key).await?;
        Ok(Some((key, file)))
    }

    /// Files that belong beside objects that are not there.
    fn orphans<'a>(
        &self,
        listed: &'a BTreeMap<String, ObjectMeta>,
        meant: &dyn Fn(&str) -> bool,
    ) -> Vec<Orphan<'a>> {
        let orphan = |(key, object): (&'a String, &'a ObjectMeta)| {
            let mut stems = self.patterns().filter_map(|pattern| stem(pattern, key));
            let of = stems.find(|of| meant(of))?;
            (!listed.contains_key(of)).then_some(Orphan { shown: &object.key, of })
        };
        listed.iter().filter_map(orphan).collect()
    }
}

/// The key of the object that a file of this pattern belongs to.
fn stem<'a>(pattern: &str, key: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once(KEY)?;
    key.strip_prefix(before)?.strip_suffix(after)
}
