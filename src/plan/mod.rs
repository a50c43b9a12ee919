//! The plan: which recovery points a drill uses, in which order they are restored, and whether that makes sense.
//!
//! Pure: a template, a [`Survey`] of the store and a point in time make a [`DrillPlan`]. Nothing else in the program
//! decides what to restore, and `--dry-run` prints just this.

pub mod code;
pub mod contents;
pub mod directory;
pub mod drift;
pub mod forecast;
pub mod globals;
pub mod ignored;
pub mod image;
mod inside;
mod needs;
mod obstacle;
mod point;
mod servers;
pub mod set;
mod sqlite;
mod storage;
pub mod survey;
mod versions;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::codes;
use crate::model::failure::FailureRecord;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{
    Archive, Finding, Objective, PlanCost, RecoveryPoint, RecoverySet, Severity, SqliteRecord, Status,
    finding,
};
use crate::store::{
    BucketFacts, DirectoryFacts, Fact, FileFacts, ObjectFacts, ObjectMeta, PassedOver, StoreFacts,
};
use crate::template::{KeyPattern, Template};
use contents::{Contents, ContentsRecord};
use drift::DriftRecord;
use forecast::{Forecast, Room};
use globals::PlannedGlobals;
use image::ImageFacts;
use point::View;
use set::HistoryRecord;

pub use servers::PlannedServer;
pub use survey::{Beside, FreeDisk, Listing, Look, Survey, Unnamed, UnnamedDatabase};

/// What a drill would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
    /// Whether a drill of this plan would make sense: no finding is an error.
    pub sound: bool,
    /// The recovery points, in restore order.
    pub recovery_set: RecoverySet,
    /// Databases in the order of their restore: those of one wave do not wait for each other.
    pub waves: Vec<Vec<DatabaseName>>,
    /// Databases without a recovery point.
    pub missing: Vec<DatabaseName>,
    /// Age of the oldest recovery point against the recovery point objective.
    pub rpo: Objective,
    /// More on each recovery point, in restore order.
    pub points: Vec<PointDetail>,
    /// Databases in the store that the template does not name.
    pub unnamed: Unnamed,
    /// How the bucket keeps objects; absent if it was not asked, or if the store is none.
    pub bucket: Option<BucketFacts>,
    /// How the directory keeps files; absent if the store is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryFacts>,
    /// What is in the store and is no object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
    /// What is known of the Postgres image; of several servers, that of the first. Absent without a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFacts>,
    /// The servers, where the template has more than that of `[postgres]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<PlannedServer>,
    /// The object that the roles of each server come from; empty if none was looked for.
    pub globals: Vec<PlannedGlobals>,
    /// How much room a drill would need.
    pub room: Room,
    /// How long it would take; absent without an earlier drill.
    pub forecast: Option<Forecast>,
    /// What making this plan cost.
    pub cost: PlanCost,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

impl DrillPlan {
    /// The recovery point of this database.
    pub fn point(&self, database: &DatabaseName) -> Option<&RecoveryPoint> {
        self.recovery_set.point(database)
    }
}

/// More on one recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PointDetail {
    /// The database.
    pub database: DatabaseName,
    /// The recovery points before this one.
    pub history: HistoryRecord,
    /// How the object is kept.
    pub storage: Fact<ObjectFacts>,
    /// Whether it can be read now; absent if that is not known.
    pub readable: Option<bool>,
    /// What the dump says about itself.
    pub archive: Option<Archive>,
    /// What is inside.
    pub contents: Option<ContentsRecord>,
    /// What the header of an SQLite database says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<SqliteRecord>,
    /// What changed since the recovery point before it; absent if there is none.
    pub drift: Option<DriftRecord>,
    /// Why it is not known what is inside.
    pub error: Option<FailureRecord>,
}

/// Chooses the recovery set: for each database the newest recovery point, by the time in its key, that is not
/// younger than `at`. Databases without one are missing.
pub fn choose(
    template: &Template,
    pattern: &KeyPattern,
    listing: &Listing,
    at: DateTime<Utc>,
) -> RecoverySet {
    let names = template.waves().concat();
    let points = names.iter().filter_map(|name| newest(pattern, name, objects_of(listing, name), at));
    RecoverySet::of(points.collect())
}

/// Makes the plan.
pub fn plan(template: &Template, pattern: &KeyPattern, survey: &Survey, at: DateTime<Utc>) -> DrillPlan {
    let waves = template.waves();
    let mut recovery_set = choose(template, pattern, &survey.listing, at);
    let missing: Vec<DatabaseName> =
        waves.iter().flatten().filter(|name| recovery_set.point(name).is_none()).cloned().collect();
    let rpo = judge_rpo(template, &recovery_set, at);
    let images = servers::images(template, &survey.past);
    let contents: BTreeMap<&DatabaseName, &Contents> = survey
        .looks
        .iter()
        .filter_map(|(name, look)| Some((name, look.contents.as_ref()?.as_ref().ok()?)))
        .collect();
    for point in &mut recovery_set.points {
        let layers = contents.get(&point.database).map(|contents| &contents.layers[..]);
        point.layers = layers.unwrap_or_default().iter().map(ToString::to_string).collect();
    }
    let room = forecast::room(&recovery_set, &contents, &survey.past, survey.disk.clone());
    let forecast = forecast::forecast(&recovery_set, &survey.past);
    let now = survey.read_at.unwrap_or(at);

    let mut findings: Vec<Finding> = missing
        .iter()
        .map(|name| no_recovery_point(pattern, name, objects_of(&survey.listing, name).len(), at))
        .collect();
    findings.extend(recovery_set.points.iter().filter_map(empty_object));
    findings.extend(template.databases.iter().filter_map(|database| {
        let objects = objects_of(&survey.listing, &database.name);
        let point = recovery_set.point(&database.name);
        set::unreadable_times(pattern, &database.name, objects, point, &template.recovery_set, at)
    }));
    findings.extend(rpo_finding(&rpo, &recovery_set));
    findings.extend(set::skew(&recovery_set, &template.recovery_set));
    let mut points = Vec::new();
    for point in &recovery_set.points {
        let view = View { template, pattern, survey, images: &images, at, now };
        let (detail, more) = view.look_at(point);
        points.push(detail);
        findings.extend(more);
    }
    let servers = servers::planned(template, &images, &contents);
    findings.extend(versions::differ(template, &contents));
    let globals = globals::planned(template, &recovery_set, &survey.globals);
    findings.extend(globals.iter().flat_map(globals::findings));
    let prefixes: Vec<String> =
        template.databases.iter().map(|database| pattern.listing_prefix(&database.name)).collect();
    let (mut bucket, mut directory) = (None, None);
    match survey.facts.clone() {
        Some(StoreFacts::Bucket(facts)) => {
            findings.extend(storage::bucket(&facts, &template.recovery_set, &prefixes, now));
            bucket = Some(facts);
        }
        Some(StoreFacts::Directory(facts)) => {
            let files = files(&recovery_set, &points);
            findings.extend(directory::warnings(&facts, &recovery_set.points, &files));
            findings.extend(directory::demanded(&template.recovery_set));
            directory = Some(facts);
        }
        None => {}
    }
    findings.extend(directory::passed_over(&survey.passed_over, &prefixes));
    findings.extend(forecast.iter().flat_map(|forecast| forecast::at_risk(forecast, &template.objectives)));
    findings.extend(forecast::too_small(&room));
    findings.extend(survey.unnamed.databases.iter().map(unnamed));
    DrillPlan {
        schema_version: 1,
        template: template.name.clone(),
        status: Status::DryRun,
        at,
        store: template.store.record().url,
        sound: !findings.iter().any(|finding| finding.severity == Severity::Error),
        recovery_set,
        waves,
        missing,
        rpo,
        points,
        unnamed: survey.unnamed.clone(),
        bucket,
        directory,
        passed_over: survey.passed_over.clone(),
        image: template.first_server().map(|server| images[&server.name].clone()),
        servers,
        globals,
        room,
        forecast,
        cost: survey.cost,
        findings,
    }
}

/// The recovery points of a directory, with how each is kept as far as that is known.
fn files<'a>(set: &'a RecoverySet, points: &'a [PointDetail]) -> Vec<(&'a RecoveryPoint, &'a FileFacts)> {
    let of = |detail: &'a PointDetail| {
        Some((set.point(&detail.database)?, detail.storage.value.as_ref()?.file.as_ref()?))
    };
    points.iter().filter_map(of).collect()
}

fn objects_of<'a>(listing: &'a Listing, name: &DatabaseName) -> &'a [ObjectMeta] {
    listing.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// A database that is backed up and never drilled. One without recent backups was probably given up.
fn unnamed(unnamed: &UnnamedDatabase) -> Finding {
    let (severity, state) = if unnamed.recent {
        (Severity::Warning, "is backed up and not drilled")
    } else {
        (Severity::Info, "has no recent recovery point and is not drilled")
    };
    finding(
        severity,
        code::set::DATABASE_NOT_IN_TEMPLATE,
        &unnamed.database,
        "every database in the store among [[databases]]",
        format!("it {state}: {}", unnamed.key),
    )
}

fn newest(
    pattern: &KeyPattern,
    database: &DatabaseName,
    objects: &[ObjectMeta],
    at: DateTime<Utc>,
) -> Option<RecoveryPoint> {
    objects
        .iter()
        .filter_map(|object| {
            Some((pattern.time_of(database, object.key.as_str(), object.last_modified)?, object))
        })
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
            layers: Vec::new(),
            objects: Vec::new(),
        })
}

/// The recovery point of a database before this one, that has any bytes.
pub fn point_before(pattern: &KeyPattern, listing: &Listing, point: &RecoveryPoint) -> Option<RecoveryPoint> {
    let objects = objects_of(listing, &point.database).iter().filter(|object| object.size_bytes > 0);
    let objects: Vec<ObjectMeta> = objects.cloned().collect();
    newest(pattern, &point.database, &objects, point.taken_at - chrono::TimeDelta::microseconds(1))
}

fn no_recovery_point(pattern: &KeyPattern, name: &DatabaseName, listed: usize, at: DateTime<Utc>) -> Finding {
    let key: ObjectKey = pattern.key(name, at);
    let below = pattern.listing_prefix(name);
    Finding {
        severity: Severity::Error,
        code: codes::NO_RECOVERY_POINT,
        subject: name.to_string(),
        expected: format!("an object like {key}"),
        actual: match listed {
            0 => format!("no recovery point: nothing in the store begins with {below}"),
            n => format!(
                "no recovery point taken at or before {} among {n} objects below {below}",
                crate::model::human::moment(at)
            ),
        },
    }
}

fn empty_object(point: &RecoveryPoint) -> Option<Finding> {
    (point.size_bytes == 0).then(|| Finding {
        severity: Severity::Error,
        code: codes::EMPTY_OBJECT,
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
        code: codes::RPO_MISSED,
        subject: oldest.database.to_string(),
        expected: format!("a recovery point not older than {}", crate::model::human::duration(target)),
        actual: format!("its newest recovery point is {} old", crate::model::human::duration(actual)),
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
