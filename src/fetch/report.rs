//! What was fetched, and what its bytes were compared with.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::command::LaterCommands;
use crate::evidence::VerdictRead;
use crate::model::human;
use crate::model::manifest;
use crate::model::names::{DatabaseName, DrillId, ObjectKey};
use crate::model::verdict::RecoveryPoint;

/// What was fetched.
#[derive(Debug, Serialize)]
pub struct FetchReport {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// The recovery point, with the digests of what was read.
    pub point: RecoveryPoint,
    /// The drill that restored the same bytes and passed; absent if none did.
    pub proved_by: Option<ProvedBy>,
    /// Why a drill of this recovery point failed, if it is later than the one that passed, or if none passed.
    pub failed_later: Option<String>,
    /// Whether the manifest of the backup says the same.
    pub manifest: ManifestComparison,
    /// The file; `-` for stdout.
    pub output: String,
    /// The server's roles, if the drill or the manifest names the object that has them.
    pub globals: Option<GlobalsToRestore>,
    /// Roles that the dump or the template names, which must be there before it is restored.
    pub roles: Vec<String>,
    /// The commands that restore it as the drill did, for a shell: each only if the one before it succeeded.
    pub commands: Vec<String>,
    /// What the commands do besides, and what they need.
    pub notes: Vec<String>,
    /// What the drill did not restore, with the commands that restore it after all others.
    pub later: Vec<LaterCommands>,
    /// What the commands do not restore.
    pub caveats: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl FetchReport {
    /// Whether a drill passed with it, and none failed with it since.
    pub fn is_proved(&self) -> bool {
        self.proved_by.is_some() && self.failed_later.is_none()
    }
}

/// The object with the roles of a server, which are restored first.
#[derive(Debug, Clone, Serialize)]
pub struct GlobalsToRestore {
    /// Its key.
    pub key: ObjectKey,
    /// Its SHA-256.
    pub ciphertext_sha256: String,
    /// What fetches and restores them, for a shell; absent if their key is none that the template gives to globals of this server.
    pub command: Option<String>,
}

/// The drill that proved a recovery point.
#[derive(Debug, Clone, Serialize)]
pub struct ProvedBy {
    /// Identifies the drill.
    pub drill_id: DrillId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Its verdict.
    pub verdict: String,
    /// The databases it was narrowed to; empty for all.
    pub only: Vec<DatabaseName>,
}

impl ProvedBy {
    /// The drill of a verdict.
    pub(super) fn of(read: &VerdictRead) -> Self {
        let VerdictRead { path, verdict, .. } = read;
        Self {
            drill_id: verdict.drill_id,
            started_at: verdict.started_at,
            verdict: path.display().to_string(),
            only: verdict.only.clone(),
        }
    }
}

/// Whether the manifest of the backup has the same digests.
#[derive(Debug, Clone, Serialize)]
pub struct ManifestComparison {
    /// The manifest's key.
    pub key: ObjectKey,
    /// Whether it has the same digests. One that has others is a failure.
    pub equal: bool,
    /// Why it was not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}

impl ManifestComparison {
    /// It has the same digests.
    pub(super) fn equal(key: &ObjectKey) -> Self {
        Self { key: key.clone(), equal: true, not_compared: None }
    }

    /// It was not compared, for this reason.
    pub(super) fn not_compared(key: &ObjectKey, why: String) -> Self {
        Self { key: key.clone(), equal: false, not_compared: Some(why) }
    }
}

/// What somebody recorded of the bytes of a recovery point.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    /// What recorded them, for messages.
    pub(super) source: String,
    pub(super) size_bytes: u64,
    pub(super) ciphertext_sha256: String,
    pub(super) plaintext_sha256: String,
}

impl Digests {
    /// Those of a manifest.
    pub(super) fn of_manifest(key: &ObjectKey, entry: &manifest::Database) -> Self {
        Self {
            source: format!("the manifest {key}"),
            size_bytes: entry.size_bytes,
            ciphertext_sha256: entry.ciphertext_sha256.clone(),
            plaintext_sha256: entry.plaintext_sha256.clone(),
        }
    }

    /// How the size differs, which is known before anything is read.
    pub(super) fn size_differs(&self, size_bytes: u64) -> Option<String> {
        (self.size_bytes != size_bytes).then(|| {
            let (is, was) = (human::count(size_bytes), human::count(self.size_bytes));
            format!("it has {is} bytes, and {was} by {}", self.source)
        })
    }

    /// How what was read differs: the object, and the `content` in it.
    pub(super) fn differ(
        &self,
        ciphertext: Option<&str>,
        content: &str,
        plaintext: Option<&str>,
    ) -> Option<String> {
        let compared = [
            ("the object", &self.ciphertext_sha256, ciphertext),
            (content, &self.plaintext_sha256, plaintext),
        ];
        compared.into_iter().find(|(_, was, is)| Some(was.as_str()) != *is).map(|(what, was, is)| {
            let (is, was) = (is.unwrap_or("not known"), human::one_line(was, 64));
            format!("the SHA-256 of {what} is {is}, and {was} by {}", self.source)
        })
    }
}
