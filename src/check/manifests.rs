//! The manifests of a drill's recovery points, each read once: by the time in a recovery point's key, without a listing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::stored_manifest::{StoredManifest, read_manifest};
use crate::layer::Identities;
use crate::model::failure::Result;
use crate::model::manifest::{Database, FingerprintKey, Manifest, Recorded, Roles};
use crate::model::names::DatabaseName;
use crate::store::Store;
use crate::template::KeyPattern;

/// What there is for a database.
pub enum Look {
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
    store: Arc<dyn Store>,
    identities: Arc<Identities>,
    /// How keys of the store are made.
    pub keys: KeyPattern,
    read: Mutex<BTreeMap<DateTime<Utc>, StoredManifest>>,
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
        Ok(match self.read.lock().await.entry(taken_at) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let key = self.keys.manifest_key(taken_at);
                unknown.insert(read_manifest(&self.store, &self.identities, &key).await?).clone()
            }
        })
    }

    /// The entry of a database in the manifest of the backup that was made at this time.
    ///
    /// # Errors
    /// As [`Manifests::of`].
    pub async fn entry(&self, database: &DatabaseName, taken_at: DateTime<Utc>) -> Result<Look> {
        let key = self.keys.manifest_key(taken_at);
        Ok(match self.of(taken_at).await? {
            StoredManifest::Absent => Look::Absent(format!("there is no manifest {key} in the store")),
            StoredManifest::Unreadable(why) => Look::Unreadable(why),
            StoredManifest::Read(manifest) => {
                match manifest.databases.iter().position(|entry| entry.name == *database) {
                    None => Look::Absent(format!("the manifest {key} does not have it")),
                    Some(place) => Look::Entry(ManifestEntry { manifest, place }),
                }
            }
        })
    }
}
