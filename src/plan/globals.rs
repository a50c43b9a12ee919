//! The globals of each server: which object its roles come from, and whether that makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{code, finding};
use crate::format::pg_globals::Globals;
use crate::model::codes;
use crate::model::failure::{Class, Failure, FailureRecord};
use crate::model::human;
use crate::model::manifest::{self, Manifest};
use crate::model::names::{ObjectKey, ServerName};
use crate::model::verdict::{Finding, GlobalsRecord, RecoverySet, Severity};
use crate::store::ObjectMeta;
use crate::template::{Access, Database, KeyPattern, Template, TemplateServer};

/// How far globals may be from the dumps that they go with, unless the template says how far these may be apart.
const APART: TimeDelta = TimeDelta::hours(24);

/// What was read for the globals of one server.
#[derive(Debug, Default)]
pub struct GlobalsSurvey {
    /// What manifests say, by the times of their backups.
    pub promises: BTreeMap<DateTime<Utc>, Promise>,
    /// Objects that may be its globals, with the times of their backups.
    pub objects: Vec<(DateTime<Utc>, ObjectMeta)>,
    /// Objects that were not looked at, since so many nearer ones are of other backups.
    pub not_looked_at: usize,
    /// What is in the chosen one; or why that, or which one it is, is not known.
    pub read: Option<Result<Arc<ReadGlobals>, Failure>>,
}

/// The key of the globals that a manifest names, in the store as it is now: it may have been copied to another prefix since.
pub fn named_key(manifest: &Manifest, pattern: &KeyPattern) -> Option<ObjectKey> {
    let globals = manifest.globals.as_ref()?;
    Some(manifest.databases.first().map_or_else(
        || globals.key.clone(),
        |dump| pattern.beside(&dump.name, manifest.taken_at, &dump.key, &globals.key),
    ))
}

/// Globals that were read whole.
#[derive(Debug)]
pub struct ReadGlobals {
    /// What is in them.
    pub globals: Globals,
    /// The object.
    pub record: GlobalsRecord,
}

/// What the manifest of a backup says of the globals of a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Promise {
    /// These, under this key.
    Globals(ObjectKey, manifest::Globals),
    /// The backup wrote none.
    None,
    /// It was a backup of another server's source, which may have written these.
    Elsewhere(Option<ObjectKey>),
    /// There is no manifest; or one that an older version wrote, which knew of none; or none of its databases is the template's.
    Unknown,
}

impl Promise {
    /// Whether no object of its time is of the server's source, unless a manifest names it.
    pub fn bars(&self) -> bool {
        matches!(self, Self::None | Self::Elsewhere(_))
    }

    /// What a manifest says about a server. Databases that the template does not have say nothing of their source.
    pub fn of(manifest: &Manifest, template: &Template, server: &ServerName, pattern: &KeyPattern) -> Self {
        let globals = named_key(manifest, pattern).zip(manifest.globals.clone());
        let sources: BTreeSet<ServerName> = template
            .whole_file()
            .filter(|database| manifest.database(&database.name).is_some())
            .filter_map(Database::server_name)
            .collect();
        if !sources.contains(server) {
            return match sources.is_empty() {
                true => Self::Unknown,
                false => Self::Elsewhere(globals.map(|(key, _)| key)),
            };
        }
        let knows = manifest.databases.iter().any(|database| database.access.is_some());
        match globals {
            Some((key, globals)) => Self::Globals(key, globals),
            None if knows => Self::None,
            None => Self::Unknown,
        }
    }
}

/// Which object the roles of a server come from.
#[derive(Debug, Clone, PartialEq)]
pub enum GlobalsChoice {
    /// This one.
    Found {
        /// The time of its backup.
        taken_at: DateTime<Utc>,
        /// The object.
        object: ObjectMeta,
        /// What the manifest of that backup says of it, if it names it.
        promised: Option<manifest::Globals>,
    },
    /// One that a manifest names and that is not in the store.
    Missing(ObjectKey),
    /// There is none.
    Absent,
}

/// The times of the recovery points of a server's databases.
pub fn times(template: &Template, set: &RecoverySet, server: &ServerName) -> BTreeSet<DateTime<Utc>> {
    let of_it =
        set.points.iter().filter(|point| template.server_name_of(&point.database).as_ref() == Some(server));
    of_it.map(|point| point.taken_at).collect()
}

/// How far globals may be from dumps.
pub fn apart(template: &Template) -> TimeDelta {
    let skew = template.recovery_set.max_skew;
    skew.and_then(|skew| TimeDelta::from_std(skew).ok()).unwrap_or(APART)
}

/// Chooses globals for dumps of these times: those of the time of the newest dump that has any, or else the nearest.
pub fn choose(times: &BTreeSet<DateTime<Utc>>, survey: &GlobalsSurvey, apart: TimeDelta) -> GlobalsChoice {
    let of_others = survey.of_others();
    let found = |(taken_at, object): &(DateTime<Utc>, ObjectMeta), promised: Option<&manifest::Globals>| {
        GlobalsChoice::Found { taken_at: *taken_at, object: object.clone(), promised: promised.cloned() }
    };
    let own = || {
        let objects = survey.objects.iter();
        objects.filter(|(time, object)| !of_others.contains(&object.key) && !survey.has_none_of(*time))
    };
    let mut names_none = false;
    for time in times.iter().rev() {
        let of_its_time = own().find(|(taken_at, _)| taken_at == time);
        match survey.promises.get(time) {
            Some(Promise::Globals(key, promised)) => {
                // A copy of a store may have other names.
                let named = survey.objects.iter().find(|(_, object)| object.key == *key).or(of_its_time);
                return named.map_or_else(
                    || GlobalsChoice::Missing(key.clone()),
                    |object| found(object, Some(promised)),
                );
            }
            promise => names_none |= matches!(promise, Some(Promise::None)),
        }
        if let Some(object) = of_its_time {
            return found(object, None);
        }
    }
    // By another job than the dumps, perhaps, at another time of the same night; but a backup that wrote none has none, and
    // those that lie nearby are of another one.
    let (Some(oldest), Some(newest)) = (times.first(), times.last()) else { return GlobalsChoice::Absent };
    let near = own().filter(|(time, _)| (*newest - apart..=*oldest + apart).contains(time));
    match near.min_by_key(|(time, _)| (*time - *newest).abs()).filter(|_| !names_none) {
        Some(object) => found(object, None),
        None => GlobalsChoice::Absent,
    }
}

/// Whether a server's globals were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GlobalsStatus {
    /// They are in the store.
    Found,
    /// There are none: a drill restores its databases without roles, owners and privileges.
    Absent,
    /// A manifest names some, and they are not in the store.
    Missing,
    /// The template says that they are not restored.
    Skipped,
    /// The store did not answer.
    Unknown,
}

/// Where the roles of a server come from.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlannedGlobals {
    /// Name of the server.
    pub server: ServerName,
    /// Whether there are any.
    pub status: GlobalsStatus,
    /// Key of the object.
    pub key: Option<ObjectKey>,
    /// When they were taken, by the key.
    pub taken_at: Option<DateTime<Utc>>,
    /// Size of the object.
    pub size_bytes: Option<u64>,
    /// Whether the manifest of that backup names them.
    pub in_manifest: bool,
    /// Roles in them; absent if they cannot be read.
    pub roles: Option<usize>,
    /// Why they cannot be used.
    pub error: Option<FailureRecord>,
    /// What is in them.
    #[serde(skip)]
    pub read: Option<Arc<ReadGlobals>>,
    /// Why they cannot be used.
    #[serde(skip)]
    pub failure: Option<Failure>,
    /// What was passed over.
    #[serde(skip)]
    pub passed_over: Option<String>,
    /// Times of the dumps that they go with.
    #[serde(skip)]
    pub dumps: BTreeSet<DateTime<Utc>>,
    /// What a finding about them is about.
    #[serde(skip)]
    pub subject: String,
}

impl PlannedGlobals {
    fn new(server: &TemplateServer<'_>, template: &Template, status: GlobalsStatus) -> Self {
        let several = template.has_several_servers();
        Self {
            server: server.name.clone(),
            status,
            key: None,
            taken_at: None,
            size_bytes: None,
            in_manifest: false,
            roles: None,
            error: None,
            read: None,
            failure: None,
            passed_over: None,
            dumps: BTreeSet::new(),
            subject: if several { format!("globals of {}", server.name) } else { "globals".to_owned() },
        }
    }

    fn fail(&mut self, template: &Template, failure: Failure) {
        let failure = template.hinted(failure.on_server(&self.server));
        self.error = Some(failure.to_record(None));
        self.failure = Some(failure);
    }

    /// A dump of another time than theirs, the nearest one.
    pub fn of_another_time(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let own = self.taken_at?;
        let other = self.dumps.iter().filter(|time| **time != own).min_by_key(|time| (**time - own).abs())?;
        Some((own, *other))
    }

    /// What a drill will do about roles, and where it has them from.
    pub fn in_words(&self) -> String {
        let key = self.key.as_ref().map(|key| human::one_line(key.as_str(), 300)).unwrap_or_default();
        let why =
            self.failure.as_ref().map(|failure| human::one_line(&failure.message, 300)).unwrap_or_default();
        match (self.status, self.roles) {
            (GlobalsStatus::Found, Some(roles)) => {
                let taken_at = self.taken_at.map(human::moment).unwrap_or_default();
                let size = human::bytes(self.size_bytes.unwrap_or_default());
                let roles = human::things(roles as u64, "role");
                let by = if self.in_manifest { "the manifest" } else { "its key alone" };
                format!("{key}, {size}, taken {taken_at}, {roles}; chosen by {by}")
            }
            (GlobalsStatus::Found, None) => format!("{key}, which cannot be used: {why}"),
            (GlobalsStatus::Absent, _) => {
                let passed_over = self.passed_over.iter().map(|said| format!("; {said}")).collect::<String>();
                format!("none: a drill restores without roles, owners and privileges{passed_over}")
            }
            (GlobalsStatus::Missing, _) => format!("{key} is MISSING, and the manifest names it"),
            (GlobalsStatus::Skipped, _) => {
                format!("not looked for: access = \"skip\" in [{}]", self.server.section())
            }
            (GlobalsStatus::Unknown, _) => format!("not known: {why}"),
        }
    }
}

/// The globals of every server that databases are restored to, and whose globals were looked for.
pub fn planned(
    template: &Template,
    set: &RecoverySet,
    surveys: &BTreeMap<ServerName, GlobalsSurvey>,
) -> Vec<PlannedGlobals> {
    let planned = template.servers().filter_map(|server| {
        let dumps = times(template, set, &server.name);
        if dumps.is_empty() {
            return None;
        }
        if server.settings.access == Some(Access::Skip) {
            return Some(PlannedGlobals::new(&server, template, GlobalsStatus::Skipped));
        }
        let survey = surveys.get(&server.name)?;
        let mut planned = PlannedGlobals::new(&server, template, GlobalsStatus::Absent);
        planned.passed_over = survey.passed_over(&dumps);
        match choose(&dumps, survey, apart(template)) {
            GlobalsChoice::Found { taken_at, object, promised } => {
                planned.status = GlobalsStatus::Found;
                planned.key = Some(object.key);
                planned.taken_at = Some(taken_at);
                planned.size_bytes = Some(object.size_bytes);
                planned.in_manifest = promised.is_some();
            }
            GlobalsChoice::Missing(key) => {
                planned.status = GlobalsStatus::Missing;
                planned.fail(
                    template,
                    missing(format!("the manifest names the globals {key}, and they are not in the store")),
                );
                planned.key = Some(key);
            }
            GlobalsChoice::Absent => {}
        }
        match &survey.read {
            Some(Ok(read)) => {
                planned.roles = Some(read.globals.roles.len());
                planned.read = Some(Arc::clone(read));
            }
            Some(Err(failure)) => {
                if planned.status != GlobalsStatus::Found {
                    planned.status = GlobalsStatus::Unknown;
                }
                planned.fail(template, failure.clone());
            }
            None if planned.status == GlobalsStatus::Absent
                && server.settings.access == Some(Access::Restore) =>
            {
                let is_one_of_several = template.has_several_servers() && server.name.is_default();
                let of = if is_one_of_several { " of the server of [postgres]" } else { "" };
                let passed_over = planned.passed_over.iter().map(|said| format!("; {said}"));
                let message =
                    format!("the recovery set has no globals{of}{}", passed_over.collect::<String>());
                planned.fail(template, missing(message));
            }
            None => {}
        }
        planned.dumps = dumps;
        Some(planned)
    });
    planned.collect()
}

fn missing(message: String) -> Failure {
    Failure::bad(codes::GLOBALS_MISSING, message).hint(
        "without them no role can be restored: check the backup job; postgres.access = \"skip\" drills without roles",
    )
}

/// What is wrong with a server's globals, or worth knowing.
pub(super) fn findings(planned: &PlannedGlobals) -> Vec<Finding> {
    let failed = planned.failure.as_ref().map(|failure| {
        // What the store does not answer now, it may answer a drill.
        let severity = match failure.class {
            Class::Bad => Severity::Error,
            _ if failure.code == codes::OBJECT_ARCHIVED => Severity::Error,
            _ => Severity::Warning,
        };
        let expected = failure.hint.clone().unwrap_or_else(|| "globals that can be read".to_owned());
        finding(severity, failure.code, &planned.subject, expected, failure.message.clone())
    });
    let apart = planned.of_another_time().map(|(globals, dump)| {
        let order = if globals < dump { "older" } else { "newer" };
        finding(
            Severity::Info,
            code::globals::GLOBALS_OF_ANOTHER_TIME,
            &planned.subject,
            "globals of the time of the dumps",
            format!(
                "they are of {}, {order} than a dump of {}: what was granted or changed between is not shown",
                human::moment(globals),
                human::moment(dump)
            ),
        )
    });
    failed.into_iter().chain(apart).collect()
}

mod passed_over;
#[cfg(test)]
mod tests;
