//! Finding the manifest that a recovery point has: by the time in its key, without a listing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, Utc};

use super::Context;
use crate::layer;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{Database, FingerprintKey, Manifest, ManifestError, SIZE_LIMIT};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::store;

/// What there is for a database.
pub enum Look {
    /// Its entry, and the key that rows are hashed with.
    Entry {
        /// The entry.
        entry: Box<Database>,
        /// The key.
        key: FingerprintKey,
    },
    /// Nothing, for this reason.
    Absent(String),
    /// A manifest that cannot be read, for this reason.
    Unreadable(String),
}

/// The manifests that were looked up, by their times: recovery points of one set may be of several backups.
#[derive(Default)]
pub struct Manifests(BTreeMap<DateTime<Utc>, Read>);

/// What came of reading a manifest.
enum Read {
    Manifest(Manifest),
    None,
    Unreadable(String),
}

impl Manifests {
    /// The entry of a database in the manifest of its recovery point.
    ///
    /// # Errors
    /// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
    pub async fn look_up(&mut self, context: &Context<'_>, database: &DatabaseName) -> Result<Look> {
        let taken_at = context.taken_at(database);
        let key = context.tools.keys.manifest_key(taken_at);
        let read = match self.0.entry(taken_at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(read(context, &key).await?),
        };
        Ok(match read {
            Read::None => Look::Absent(format!("there is no manifest {key} in the store")),
            Read::Unreadable(why) => Look::Unreadable(why.clone()),
            Read::Manifest(manifest) => match manifest.database(database) {
                None => Look::Absent(format!("the manifest {key} does not have it")),
                Some(entry) => {
                    Look::Entry { entry: Box::new(entry.clone()), key: manifest.fingerprint_key.clone() }
                }
            },
        })
    }
}

async fn read(context: &Context<'_>, key: &ObjectKey) -> Result<Read> {
    let tools = context.tools;
    let Some(sealed) = store::whole(&tools.store, key, SIZE_LIMIT).await? else {
        return Ok(Read::None);
    };
    let json = match layer::open_whole(&format!("the manifest {key}"), &sealed, &tools.identities) {
        Ok(json) => json,
        Err(failure) => return Ok(Read::Unreadable(failure.message)),
    };
    match Manifest::parse(&json) {
        Ok(manifest) => Ok(Read::Manifest(manifest)),
        Err(error @ ManifestError::Malformed(_)) => {
            Ok(Read::Unreadable(format!("the manifest {key} cannot be read: {error}")))
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
