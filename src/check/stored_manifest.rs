//! The manifest of a backup, read from the store.

use std::sync::Arc;

use crate::layer::{self, Identities};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{Manifest, ManifestError, SIZE_LIMIT};
use crate::model::names::ObjectKey;
use crate::store::{self, Store};

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

/// Reads the manifest under this key.
///
/// # Errors
/// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
pub async fn read_manifest(
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
