//! Finding the manifest that a recovery point has: by the time in its key, without a listing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, Utc};

use super::context::Context;
use super::stored_manifest::{StoredManifest, read_manifest};
use crate::model::failure::Result;
use crate::model::manifest::{Database, FingerprintKey, Recorded, Roles};
use crate::model::names::DatabaseName;

/// What there is for a database.
pub enum Look {
    /// Its entry, and the key that rows are hashed with.
    Entry {
        /// The entry.
        entry: Box<Database>,
        /// The key.
        key: FingerprintKey,
        /// The roles of its server, if the manifest has them.
        roles: Option<Recorded<Roles>>,
    },
    /// Nothing, for this reason.
    Absent(String),
    /// A manifest that cannot be read, for this reason.
    Unreadable(String),
}

/// The manifests that were looked up, by their times: recovery points of one set may be of several backups.
#[derive(Default)]
pub struct Manifests(BTreeMap<DateTime<Utc>, StoredManifest>);

impl Manifests {
    /// The entry of a database in the manifest of its recovery point.
    ///
    /// # Errors
    /// Those of the store; `manifest_unknown`, for a manifest of another version of this program.
    pub async fn look_up(&mut self, context: &Context<'_>, database: &DatabaseName) -> Result<Look> {
        let taken_at = context.taken_at(database);
        let tools = context.tools;
        let key = tools.keys.manifest_key(taken_at);
        let read = match self.0.entry(taken_at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(read_manifest(&tools.store, &tools.identities, &key).await?)
            }
        };
        Ok(match read {
            StoredManifest::Absent => Look::Absent(format!("there is no manifest {key} in the store")),
            StoredManifest::Unreadable(why) => Look::Unreadable(why.clone()),
            StoredManifest::Read(manifest) => match manifest.database(database) {
                None => Look::Absent(format!("the manifest {key} does not have it")),
                Some(entry) => Look::Entry {
                    entry: Box::new(entry.clone()),
                    key: manifest.fingerprint_key.clone(),
                    roles: manifest.roles.clone(),
                },
            },
        })
    }
}
