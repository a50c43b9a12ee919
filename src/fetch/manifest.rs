//! What the manifest of the backup says of the dump.

use super::FetchTask;
use super::report::{Digests, ManifestComparison};
use crate::check::{StoredManifest, read_manifest};
use crate::model::codes;
use crate::model::failure::{Class, Result};
use crate::model::names::ObjectKey;
use crate::model::verdict::RecoveryPoint;
use crate::template::KeyPattern;

/// What the manifest says.
pub(super) struct Manifest {
    pub(super) comparison: ManifestComparison,
    /// Of the dump.
    pub(super) digests: Option<Digests>,
    /// The object with the server's roles, and its SHA-256.
    pub(super) globals: Option<(ObjectKey, String)>,
}

impl FetchTask {
    /// Reads the manifest. What a drill proved counts without it, so then one that cannot be had is reported, and stops
    /// nothing.
    pub(super) async fn manifest(
        &self,
        pattern: &KeyPattern,
        point: &RecoveryPoint,
        proved: bool,
    ) -> Result<Manifest> {
        let key = pattern.manifest_key(point.taken_at);
        let not_compared = |why: String| Manifest {
            comparison: ManifestComparison::not_compared(&key, why),
            digests: None,
            globals: None,
        };
        Ok(match read_manifest(&self.store, &self.identities, &key).await {
            Ok(StoredManifest::Absent) => not_compared("the store has no manifest of this backup".to_owned()),
            Ok(StoredManifest::Unreadable(why)) => not_compared(why),
            Err(failure) if failure.class == Class::Cancelled => return Err(failure),
            Err(failure) if proved || failure.code == codes::MANIFEST_UNKNOWN => {
                not_compared(failure.message)
            }
            Err(failure) => return Err(failure),
            Ok(StoredManifest::Read(manifest)) => {
                let globals = manifest.globals.clone();
                let globals = globals.map(|globals| (globals.key, globals.ciphertext_sha256));
                match manifest.database(&point.database) {
                    None => Manifest {
                        globals,
                        ..not_compared("the manifest does not have this database".to_owned())
                    },
                    Some(entry) => Manifest {
                        comparison: ManifestComparison::equal(&key),
                        digests: Some(Digests::of_manifest(&key, entry)),
                        globals,
                    },
                }
            }
        })
    }
}
