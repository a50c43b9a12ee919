//! What the manifest of the backup says of the dump.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::FetchTask;
use super::report::{Digests, ManifestComparison};
use crate::layer::Identities;
use crate::model::codes;
use crate::model::failure::{Class, Result};
use crate::model::manifest;
use crate::model::names::ObjectKey;
use crate::model::verdict::RecoveryPoint;
use crate::plan::globals::named_key;
use crate::store::Store;
use crate::survey::{StoredManifest, read_manifest};
use crate::template::KeyPattern;

/// What the manifest says.
pub(super) struct Manifest {
    pub(super) comparison: ManifestComparison,
    /// Of the dump.
    pub(super) digests: Option<Digests>,
    /// The object with the server's roles.
    pub(super) globals: Option<NamedGlobals>,
}

/// Globals that a verdict or a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedGlobals {
    pub(super) key: ObjectKey,
    pub(super) taken_at: DateTime<Utc>,
    pub(super) ciphertext_sha256: String,
}

/// What the store has in the place of a manifest.
pub(super) enum Found {
    /// A manifest.
    Read(Arc<manifest::Manifest>),
    /// None that can be compared, for this reason.
    Nothing(String),
}

/// Reads the manifest of this time, with its key. What a drill proved counts without it, so then one that cannot be had is
/// reported, and stops nothing.
pub(super) async fn find(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    pattern: &KeyPattern,
    taken_at: DateTime<Utc>,
    proved: bool,
) -> Result<(ObjectKey, Found)> {
    let (key, manifest) = match read_manifest(store, identities, pattern, taken_at).await {
        Ok(found) => found,
        Err(failure) if failure.class == Class::Cancelled => return Err(failure),
        Err(failure) if proved || failure.code == codes::MANIFEST_UNKNOWN => {
            return Ok((pattern.manifest_key(taken_at), Found::Nothing(failure.message)));
        }
        Err(failure) => return Err(failure),
    };
    let found = match manifest {
        StoredManifest::Absent => Found::Nothing("the store has no manifest of this backup".to_owned()),
        StoredManifest::Unreadable(why) => Found::Nothing(why),
        StoredManifest::Read(manifest) => Found::Read(manifest),
    };
    Ok((key, found))
}

impl FetchTask {
    /// What the manifest of the backup says of a recovery point.
    pub(super) async fn manifest(
        &self,
        pattern: &KeyPattern,
        point: &RecoveryPoint,
        proved: bool,
    ) -> Result<Manifest> {
        let (store, identities) = (&self.store, &self.identities);
        let (key, found) = find(store, identities, pattern, point.taken_at, proved).await?;
        let not_compared = |why: String| Manifest {
            comparison: ManifestComparison::not_compared(&key, why),
            digests: None,
            globals: None,
        };
        let manifest = match found {
            Found::Nothing(why) => return Ok(not_compared(why)),
            Found::Read(manifest) => manifest,
        };
        let globals = named_key(&manifest, pattern).zip(manifest.globals.as_ref());
        let globals = globals.map(|(key, globals)| NamedGlobals {
            key,
            taken_at: manifest.taken_at,
            ciphertext_sha256: globals.ciphertext_sha256.clone(),
        });
        Ok(match manifest.database(&point.database) {
            // Its globals may be of another server.
            None => not_compared("the manifest does not have this database".to_owned()),
            Some(entry) => Manifest {
                comparison: ManifestComparison::equal(&key),
                digests: Some(Digests::of_manifest(&key, entry)),
                globals,
            },
        })
    }
}
