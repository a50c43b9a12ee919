//! The globals of each server, for a plan: looked for by the manifests of its dumps and by their keys, and read whole, since
//! they are small.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::Surveyor;
use super::listing::{LAST, list_between};
use super::manifests::{Manifests, StoredManifest};
use crate::format::pg_globals::{Globals, SIZE_LIMIT};
use crate::layer;
use crate::model::codes;
use crate::model::failure::{Class, Failure, Result};
use crate::model::manifest;
use crate::model::names::ServerName;
use crate::model::verdict::{GlobalsRecord, RecoverySet};
use crate::plan::globals::{self, GlobalsChoice, GlobalsSurvey, Promise, ReadGlobals};
use crate::store::{self, ObjectMeta};
use crate::template::{Access, Template};

/// Manifests that are read for globals near the dumps, and are of other backups.
const FOREIGN: usize = 100;

impl Surveyor {
    /// Reads what a plan needs of the globals of each server whose roles are restored. What goes wrong stands in its survey.
    ///
    /// # Errors
    /// That it was interrupted.
    pub async fn globals(
        &self,
        manifests: &Manifests,
        template: &Template,
        set: &RecoverySet,
    ) -> Result<BTreeMap<ServerName, GlobalsSurvey>> {
        let (store, identities) = (Arc::clone(&self.store), Arc::clone(&self.identities));
        let foreign = Manifests::new(store, identities, self.pattern.clone());
        let mut surveys = BTreeMap::new();
        for server in template.servers().filter(|server| server.settings.access != Some(Access::Skip)) {
            let times = globals::times(template, set, &server.name);
            let (Some(oldest), Some(newest)) = (times.first(), times.last()) else { continue };
            let search = Search {
                surveyor: self,
                manifests,
                foreign: &foreign,
                template,
                server: &server.name,
                times: &times,
                oldest: *oldest,
                newest: *newest,
                apart: globals::apart(template),
            };
            let mut survey = GlobalsSurvey::default();
            match search.run(&mut survey).await {
                Ok(()) => {}
                Err(failure) if failure.class == Class::Cancelled => return Err(failure),
                Err(failure) => survey.read = Some(Err(failure)),
            }
            surveys.insert(server.name, survey);
        }
        Ok(surveys)
    }
}

/// The search for the globals of one server.
struct Search<'a> {
    surveyor: &'a Surveyor,
    manifests: &'a Manifests,
    /// Those of other backups, which nothing reads later.
    foreign: &'a Manifests,
    server: &'a ServerName,
    template: &'a Template,
    /// Times of the recovery points.
    times: &'a BTreeSet<DateTime<Utc>>,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
    apart: TimeDelta,
}

impl Search<'_> {
    /// The globals that were written at this time, by their key.
    async fn own(&self, time: DateTime<Utc>) -> Result<Option<ObjectMeta>> {
        let Surveyor { store, pattern, identities, .. } = self.surveyor;
        for layer in identities.seals() {
            let key = pattern.globals_key_in_layer(self.server, time, layer);
            if let Some(object) = store.stat(&key).await? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    async fn run(&self, survey: &mut GlobalsSurvey) -> Result<()> {
        let store = &self.surveyor.store;
        // A credential may read these keys and list nothing. So a listing comes last.
        let mut known = true;
        for time in self.times {
            let promise = self.promise(*time).await?;
            let named = match &promise {
                Promise::Globals(key, _) => store.stat(key).await?,
                _ => None,
            };
            let object = match named {
                Some(object) => Some(object),
                None => self.own(*time).await.unwrap_or_else(|_| {
                    known &= promise != Promise::Unknown;
                    None
                }),
            };
            survey.objects.extend(object.map(|object| (*time, object)));
            survey.promises.insert(*time, promise);
        }
        let wrote_none = self.times.iter().any(|time| survey.promises.get(time) == Some(&Promise::None));
        let mut is_listed = wrote_none && known;
        if !known {
            self.list(survey).await?;
            is_listed = true;
        }
        let mut foreign = 0;
        loop {
            let choice = globals::choose(self.times, survey, self.apart);
            if choice == GlobalsChoice::Absent && !is_listed {
                self.list(survey).await?;
                is_listed = true;
                continue;
            }
            let GlobalsChoice::Found { taken_at, object, promised } = choice else { return Ok(()) };
            // Found by its time alone, it may be of another source: the manifest of that time knows.
            if promised.is_none() && !survey.promises.contains_key(&taken_at) {
                if foreign == FOREIGN {
                    let all = survey.objects.len();
                    let GlobalsSurvey { objects, promises, .. } = survey;
                    objects.retain(|(time, _)| promises.contains_key(time));
                    survey.not_looked_at = all - survey.objects.len();
                    continue;
                }
                let promise = self.promise(taken_at).await?;
                let bars = promise.bars();
                survey.promises.insert(taken_at, promise);
                if bars {
                    foreign += 1;
                    continue;
                }
            }
            survey.read = Some(Ok(Arc::new(self.read(&object, taken_at, promised.as_ref()).await?)));
            return Ok(());
        }
    }

    /// Adds the objects that may be its globals, by their keys.
    async fn list(&self, survey: &mut GlobalsSurvey) -> Result<()> {
        for (time, object) in self.listed().await? {
            if !survey.objects.iter().any(|(_, known)| known.key == object.key) {
                survey.objects.push((time, object));
            }
        }
        Ok(())
    }

    /// What the manifest of this time says. What is wrong with it is for the checks that need it.
    async fn promise(&self, time: DateTime<Utc>) -> Result<Promise> {
        let manifests = if self.times.contains(&time) { self.manifests } else { self.foreign };
        match manifests.of(time).await {
            Ok(StoredManifest::Read(manifest)) => {
                Ok(Promise::of(&manifest, self.template, self.server, &self.surveyor.pattern))
            }
            Ok(StoredManifest::Absent | StoredManifest::Unreadable(_)) => Ok(Promise::Unknown),
            Err(failure) if failure.code == codes::MANIFEST_UNKNOWN => Ok(Promise::Unknown),
            Err(failure) => Err(failure),
        }
    }

    /// Objects that may be its globals, by their keys.
    async fn listed(&self) -> Result<Vec<(DateTime<Utc>, ObjectMeta)>> {
        let Surveyor { store, pattern, .. } = self.surveyor;
        let prefix = pattern.globals_prefix(self.server);
        let boundary = |time| pattern.globals_boundary(self.server, time);
        let mut objects = None;
        if pattern.globals_are_sorted(self.server) {
            let begin = self.oldest.min(self.newest - self.apart);
            let until = format!("{}{LAST}", boundary(self.newest.max(self.oldest + self.apart)));
            let after = (begin.timestamp() > 0).then(|| boundary(begin));
            objects = list_between(&**store, &prefix, after, &until).await?;
        }
        let objects = match objects {
            Some(objects) => objects,
            None => store.list(&prefix).await?,
        };
        let with_time =
            |object: ObjectMeta| Some((pattern.globals_taken_at(self.server, object.key.as_str())?, object));
        Ok(objects.into_iter().filter_map(with_time).collect())
    }

    async fn read(
        &self,
        object: &ObjectMeta,
        taken_at: DateTime<Utc>,
        promised: Option<&manifest::Globals>,
    ) -> Result<ReadGlobals> {
        let key = &object.key;
        let sealed = store::whole(&self.surveyor.store, key, SIZE_LIMIT).await?.ok_or_else(|| {
            Failure::bad(codes::GLOBALS_MISSING, format!("the globals {key} are not in the store any more"))
                .hint("a lifecycle rule, or somebody, removed them: check what deletes objects there")
        })?;
        let ciphertext_sha256 = hex::encode(Sha256::digest(&sealed));
        if promised.is_some_and(|promised| promised.ciphertext_sha256 != ciphertext_sha256) {
            let message = format!(
                "the globals {key} are not those that the backup wrote: their SHA-256 is another than in the manifest"
            );
            return Err(Failure::bad(codes::GLOBALS_REPLACED, message)
                .hint("find out who wrote to the store; the roles in it may be anybody's"));
        }
        let file = layer::open_whole(&format!("the globals {key}"), &sealed, &self.surveyor.identities)?;
        let globals = Globals::read(&file).map_err(|error| {
            Failure::bad(codes::GLOBALS_UNREADABLE, format!("the globals {key} cannot be read: {error}"))
                .hint("make them with `restore-drill backup`, or `pg_dumpall --globals-only`; postgres.access = \"skip\" drills without roles")
        })?;
        let record = GlobalsRecord {
            key: key.clone(),
            taken_at,
            size_bytes: sealed.len() as u64,
            ciphertext_sha256,
            plaintext_sha256: hex::encode(Sha256::digest(&file)),
            in_manifest: promised.is_some(),
        };
        Ok(ReadGlobals { globals, record })
    }
}
