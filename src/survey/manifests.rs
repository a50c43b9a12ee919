//! The manifests of recovery points, each read once: by the time in a recovery point's key, without a listing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use crate::layer::{self, Identities};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{
    Database, FingerprintKey, Manifest, ManifestError, Recorded, Roles, SIZE_LIMIT,
};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::store::{self, Store};
use crate::template::KeyPattern;

/// What there is for a database.
pub enum ManifestLookup {
    /// Its entry.
    Entry(ManifestEntry),
    /// Nothing, for this reason.
    Absent(String),
    /// A manifest that cannot be read, for this reason.
    Unreadable(String),
}

/// What a manifest has of one database.
pub struct ManifestEntry {
    manifest: Arc<Manifest>,
    place: usize,
}

impl ManifestEntry {
    /// The database.
    pub fn database(&self) -> &Database {
        &self.manifest.databases[self.place]
    }

    /// The key that rows are hashed with.
    pub fn fingerprint_key(&self) -> &FingerprintKey {
        &self.manifest.fingerprint_key
    }

    /// The roles of its server, if the manifest has them.
    pub fn roles(&self) -> Option<&Recorded<Roles>> {
        self.manifest.roles.as_ref()
    }
}

/// The manifests of a store. Recovery points of one set may be of several backups.
pub struct Manifests {
    pub(super) store: Arc<dyn Store>,
    pub(super) identities: Arc<Identities>,
    pub(super) keys: KeyPattern,
    read: Mutex<BTreeMap<DateTime<Utc>, (ObjectKey, StoredManifest)>>,
}

impl Manifests {
    /// Those of this store; none is read yet.
    pub fn new(store: Arc<dyn Store>, identities: Arc<Identities>, keys: KeyPattern) -> Self {
        Self { store, identities, keys, read: Mutex::default() }
    }

    /// The manifest of the backup that was made at this time. Whoever asks while it is read waits for it.
    ///
    /// # Errors
    /// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
    pub async fn of(&self, taken_at: DateTime<Utc>) -> Result<StoredManifest> {
        Ok(self.of_key(taken_at).await?.1)
    }

    /// As [`Manifests::of`], with its key.
    async fn of_key(&self, taken_at: DateTime<Utc>) -> Result<(ObjectKey, StoredManifest)> {
        Ok(match self.read.lock().await.entry(taken_at) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let read = read_manifest(&self.store, &self.identities, &self.keys, taken_at).await?;
                unknown.insert(read).clone()
            }
        })
    }

    /// The entry of a database in the manifest of the backup that was made at this time.
    ///
    /// # Errors
    /// As [`Manifests::of`].
    pub async fn entry(&self, database: &DatabaseName, taken_at: DateTime<Utc>) -> Result<ManifestLookup> {
        let (key, manifest) = self.of_key(taken_at).await?;
        Ok(match manifest {
            StoredManifest::Absent => {
                ManifestLookup::Absent(format!("there is no manifest {key} in the store"))
            }
            StoredManifest::Unreadable(why) => ManifestLookup::Unreadable(why),
            StoredManifest::Read(manifest) => {
                match manifest.databases.iter().position(|entry| entry.name == *database) {
                    None => ManifestLookup::Absent(format!("the manifest {key} does not have it")),
                    Some(place) => ManifestLookup::Entry(ManifestEntry { manifest, place }),
                }
            }
        })
    }
}

/// What came of reading a manifest.
#[derive(Clone)]
pub enum StoredManifest {
    /// It was read.
    Read(Arc<Manifest>),
    /// The store has none.
    Absent,
    /// It is there and cannot be read, for this reason.
    Unreadable(String),
}

/// Reads the manifest of the backup that was made at this time, whatever it is sealed with. Its key comes with it.
///
/// # Errors
/// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
pub async fn read_manifest(
    store: &Arc<dyn Store>,
    identities: &Identities,
    keys: &KeyPattern,
    taken_at: DateTime<Utc>,
) -> Result<(ObjectKey, StoredManifest)> {
    for layer in identities.seals() {
        let key = keys.manifest_key_in_layer(taken_at, layer);
        match read_under(store, identities, &key).await? {
            StoredManifest::Absent => {}
            found => return Ok((key, found)),
        }
    }
    Ok((keys.manifest_key(taken_at), StoredManifest::Absent))
}

/// Reads the manifest under this key.
async fn read_under(
    store: &Arc<dyn Store>,
    identities: &Identities,
    key: &ObjectKey,
) -> Result<StoredManifest> {
    let Some(sealed) = store::whole(store, key, SIZE_LIMIT).await? else {
        return Ok(StoredManifest::Absent);
    };
    let json = match layer::open_whole(&format!("the manifest {key}"), &sealed, identities) {
        Ok(json) => json,
        Err(failure) => return Ok(StoredManifest::Unreadable(failure.message)),
    };
    match Manifest::parse(&json) {
        Ok(manifest) => Ok(StoredManifest::Read(Arc::new(manifest))),
        Err(error @ ManifestError::Malformed(_)) => {
            Ok(StoredManifest::Unreadable(format!("the manifest {key} cannot be read: {error}")))
        }
        Err(error @ (ManifestError::UnknownVersion(_) | ManifestError::UnknownAlgorithm(_))) => {
            Err(Failure::inconclusive(
                codes::MANIFEST_UNKNOWN,
                format!("the manifest {key} cannot be used: {error}"),
            )
            .hint("drill with the version of restore-drill that made the backup, or a later one"))
        }
    }
}
