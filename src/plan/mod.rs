//! The plan: which recovery points a drill uses, and in which order they are restored.
//!
//! Pure: a template, a listing and a point in time make a [`DrillPlan`]. Nothing else in the program decides
//! what to restore, and `--dry-run` prints just this.

pub mod key;
pub mod order;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::failure::Failure;
use crate::names::{DatabaseName, ObjectKey};
use crate::store::ObjectMeta;
use crate::template::Template;
use crate::verdict::{Finding, Objective, RecoveryPoint, RecoverySet, Severity, Status};
use key::KeyPattern;

/// What a drill would do.
#[derive(Debug, Clone, Serialize)]
pub struct DrillPlan {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template's name.
    pub template: String,
    /// Always `DRY_RUN`: a plan is not a verdict.
    pub status: Status,
    /// The point in time it is for.
    pub at: DateTime<Utc>,
    /// The store, as a URL.
    pub store: String,
    /// Whether a drill of this plan could pass, as far as a listing tells.
    pub sound: bool,
    /// The recovery points, in restore order.
    pub recovery_set: RecoverySet,
    /// Databases in the order of their restore: those of one wave do not wait for each other.
    pub waves: Vec<Vec<DatabaseName>>,
    /// Databases without a recovery point.
    pub missing: Vec<DatabaseName>,
    /// Age of the oldest recovery point against the recovery point objective.
    pub rpo: Objective,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

/// What the store holds for each database.
pub type Listing = BTreeMap<DatabaseName, Vec<ObjectMeta>>;

/// Chooses the recovery set: for each database the newest recovery point, by the time in its key, that is not
/// younger than `at`.
pub fn plan(template: &Template, pattern: &KeyPattern, listing: &Listing, at: DateTime<Utc>) -> DrillPlan {
    let waves = order::waves(&template.databases).expect("a template is validated when it is loaded");
    let mut points = Vec::new();
    let mut missing = Vec::new();
    let mut findings = Vec::new();
    for name in waves.iter().flatten() {
        let objects = listing.get(name).map(Vec::as_slice).unwrap_or_default();
        match newest(pattern, name, objects, at) {
            Some(point) => points.push(point),
            None => {
                findings.push(no_recovery_point(pattern, name, objects.len(), at));
                missing.push(name.clone());
            }
        }
    }
    findings.extend(points.iter().filter_map(empty_object));
    let recovery_set = RecoverySet::of(points);
    let rpo = judge_rpo(template, &recovery_set, at);
    findings.extend(rpo_finding(&rpo, &recovery_set));
    DrillPlan {
        schema_version: 1,
        template: template.name.clone(),
        status: Status::DryRun,
        at,
        store: template.store.url.clone(),
        sound: !findings.iter().any(|finding| finding.severity == Severity::Error),
        recovery_set,
        waves,
        missing,
        rpo,
        findings,
    }
}

impl DrillPlan {
    /// The recovery point of this database.
    pub fn point(&self, database: &DatabaseName) -> Option<&RecoveryPoint> {
        self.recovery_set.point(database)
    }

    /// Why nothing should be restored by this plan. An RPO that is missed does not forbid a drill: whether the
    /// old backup can at least be restored is worth knowing, and the verdict fails on the objective anyway.
    pub fn obstacle(&self) -> Option<Failure> {
        let finding = self
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Error && finding.code != "rpo_missed")?;
        let hint = match finding.code {
            "no_recovery_point" => {
                "look at the backup job's last runs, and at store.url and store.key in the template"
            }
            _ => "look at the backup job's last run; an older recovery point can be drilled with --at",
        };
        Some(Failure::bad(finding.code, format!("{}: {}", finding.subject, finding.actual)).hint(hint))
    }
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

fn newest(
    pattern: &KeyPattern,
    database: &DatabaseName,
    objects: &[ObjectMeta],
    at: DateTime<Utc>,
) -> Option<RecoveryPoint> {
    objects
        .iter()
        .filter_map(|object| Some((pattern.taken_at(database, object.key.as_str())?, object)))
        .filter(|(taken_at, _)| *taken_at <= at)
        .max_by_key(|(taken_at, _)| *taken_at)
        .map(|(taken_at, object)| RecoveryPoint {
            database: database.clone(),
            key: object.key.clone(),
            size_bytes: object.size_bytes,
            taken_at,
            last_modified: object.last_modified,
            storage_class: object.storage_class.clone(),
            etag: object.etag.clone(),
            ciphertext_sha256: None,
            plaintext_sha256: None,
            plaintext_bytes: None,
        })
}

fn no_recovery_point(pattern: &KeyPattern, name: &DatabaseName, listed: usize, at: DateTime<Utc>) -> Finding {
    let key: ObjectKey = pattern.key(name, at);
    let below = pattern.listing_prefix(name);
    Finding {
        severity: Severity::Error,
        code: "no_recovery_point",
        subject: name.to_string(),
        expected: format!("an object like {key}"),
        actual: match listed {
            0 => format!("no recovery point: nothing in the store begins with {below}"),
            n => format!(
                "no recovery point taken at or before {} among {n} objects below {below}",
                at.format("%Y-%m-%d %H:%M:%SZ")
            ),
        },
    }
}

fn empty_object(point: &RecoveryPoint) -> Option<Finding> {
    (point.size_bytes == 0).then(|| Finding {
        severity: Severity::Error,
        code: "empty_object",
        subject: point.database.to_string(),
        expected: "an encrypted dump".to_owned(),
        actual: format!("the newest recovery point {} has no bytes at all", point.key),
    })
}

fn judge_rpo(template: &Template, set: &RecoverySet, at: DateTime<Utc>) -> Objective {
    match set.oldest {
        Some(oldest) => Objective::judge(template.objectives.rpo, crate::clock::seconds_between(oldest, at)),
        None => Objective {
            target_seconds: template.objectives.rpo.map(|target| target.as_secs_f64()),
            ..Objective::default()
        },
    }
}

fn rpo_finding(rpo: &Objective, set: &RecoverySet) -> Option<Finding> {
    let (Some(false), Some(target), Some(actual)) = (rpo.met, rpo.target_seconds, rpo.actual_seconds) else {
        return None;
    };
    let oldest = set.points.iter().min_by_key(|point| point.taken_at)?;
    Some(Finding {
        severity: Severity::Error,
        code: "rpo_missed",
        subject: oldest.database.to_string(),
        expected: format!("a recovery point not older than {}", crate::human::duration(target)),
        actual: format!("its newest recovery point is {} old", crate::human::duration(actual)),
    })
}

#[cfg(test)]
mod tests;
