//! The recovery set: what a drill restores from.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::Finding;
use super::store::StoreRecord;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::transfer::TransferStats;

/// What the plan found before the drill began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRecord {
    /// The store that is drilled. Drills of other stores are not compared with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRecord>,
    /// What is wrong with the recovery set, or worth knowing.
    pub findings: Vec<Finding>,
    /// What making the plan cost.
    pub cost: PlanCost,
}

/// What making a plan cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanCost {
    /// Requests to the store, retries included.
    pub requests: u64,
    /// Bytes received from the store.
    pub bytes: u64,
    /// Objects listed.
    pub objects_listed: u64,
    /// Seconds that making the plan took.
    pub seconds: f64,
}

/// The recovery points one drill uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoverySet {
    /// When the oldest was taken.
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest was taken.
    pub newest: Option<DateTime<Utc>>,
    /// The seconds between them.
    pub skew_seconds: Option<i64>,
    /// The points, in restore order.
    pub points: Vec<RecoveryPoint>,
}

impl RecoverySet {
    /// A set of these points.
    pub fn of(points: Vec<RecoveryPoint>) -> Self {
        let oldest = points.iter().map(|point| point.taken_at).min();
        let newest = points.iter().map(|point| point.taken_at).max();
        let skew_seconds = oldest.zip(newest).map(|(oldest, newest)| (newest - oldest).num_seconds());
        Self { oldest, newest, skew_seconds, points }
    }

    /// The recovery point of this database.
    pub fn point(&self, database: &DatabaseName) -> Option<&RecoveryPoint> {
        self.points.iter().find(|point| point.database == *database)
    }
}

/// One backup of one database: an object of the store, or several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryPoint {
    /// The database.
    pub database: DatabaseName,
    /// Key of the object in the store; of several, that of the first.
    pub key: ObjectKey,
    /// Size as stored, of all its objects.
    pub size_bytes: u64,
    /// When the dump was taken, by its key.
    pub taken_at: DateTime<Utc>,
    /// When the object was uploaded, by the store.
    pub last_modified: Option<DateTime<Utc>>,
    /// Storage class of the object.
    pub storage_class: String,
    /// Entity tag of the object: the object that is read must still have it.
    pub etag: Option<String>,
    /// SHA-256 of the object as stored, once read.
    pub ciphertext_sha256: Option<String>,
    /// SHA-256 of the dump, once decrypted.
    pub plaintext_sha256: Option<String>,
    /// The dump's size, once decrypted.
    pub plaintext_bytes: Option<u64>,
    /// The layers that it is wrapped in, the outermost first, once read: `age`, `gpg`, `gzip`, `zstd`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// The objects that it is made of, in their order, where there is more than the one that `key` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<PointObject>,
}

/// One of several objects of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointObject {
    /// Key of the object in the store.
    pub key: ObjectKey,
    /// Size of the object as stored.
    pub size_bytes: u64,
    /// Entity tag of the object: the object that is read must still have it.
    pub etag: Option<String>,
}

impl RecoveryPoint {
    /// The objects to read, one after another: one at least.
    pub fn objects(&self) -> Vec<PointObject> {
        if self.objects.is_empty() {
            let (key, etag) = (self.key.clone(), self.etag.clone());
            return vec![PointObject { key, size_bytes: self.size_bytes, etag }];
        }
        self.objects.clone()
    }

    /// Its layers in words, such as `age over gzip`; nothing for what is usual, or not known.
    pub fn unusual_layers(&self) -> Option<String> {
        (!self.layers.is_empty() && self.layers != ["age"]).then(|| self.layers.join(" over "))
    }

    /// Adds what is known once all of it was read.
    pub fn was_read(&mut self, transfer: &TransferStats) {
        self.ciphertext_sha256 = Some(transfer.ciphertext_sha256.clone());
        self.plaintext_sha256 = Some(transfer.plaintext_sha256.clone());
        self.plaintext_bytes = Some(transfer.plaintext_bytes);
        self.layers = transfer.layers.iter().map(ToString::to_string).collect();
    }
}
