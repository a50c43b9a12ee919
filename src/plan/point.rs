//! What is known of one recovery point, and what is wrong with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::image::ImageFacts;
use super::set::{self, Past};
use super::survey::Survey;
use super::{PointDetail, drift, finding, inside, objects_of, sqlite, storage};
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::names::{DatabaseName, ServerName};
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::store::{Fact, ObjectMeta};
use crate::template::{KeyPattern, Template};

/// What one recovery point is judged with.
pub(super) struct View<'a> {
    pub(super) template: &'a Template,
    pub(super) pattern: &'a KeyPattern,
    pub(super) survey: &'a Survey,
    pub(super) images: &'a BTreeMap<ServerName, ImageFacts>,
    pub(super) at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

impl View<'_> {
    pub(super) fn look_at(&self, point: &RecoveryPoint) -> (PointDetail, Vec<Finding>) {
        let rules = &self.template.recovery_set;
        let objects = objects_of(&self.survey.listing, &point.database);
        let past = past(self.pattern, &point.database, objects, self.at);
        let history = set::history(&past, rules);
        let mut findings = Vec::new();
        findings.extend(set::shrunken(point, &history, rules));
        findings.extend(set::gaps(&point.database, &past, rules, self.at));
        findings.extend(self.youngest(point, objects));
        let mut detail = PointDetail {
            database: point.database.clone(),
            history,
            storage: Fact::default(),
            readable: None,
            archive: None,
            contents: None,
            sqlite: None,
            drift: None,
            error: None,
        };
        let Some(look) = self.survey.looks.get(&point.database) else { return (detail, findings) };
        detail.storage = look.facts.clone();
        findings.extend(storage::lock_of_point(point, &look.facts, rules, self.now));
        if let Some(facts) = &look.facts.value {
            detail.readable = Some(facts.readable(self.now));
            findings.extend(storage::archived(point, facts, &self.template.store, self.now));
        }
        match &look.contents {
            Some(Ok(contents)) => {
                detail.readable = Some(true);
                if let Some(image) = self.image(&point.database) {
                    findings.extend(inside::judge(self.template, image, point, contents));
                }
                let before = self.survey.earlier.before(&point.database, point.taken_at);
                findings.extend(inside::without_post_data(rules, point, contents, before));
                detail.archive = Some(contents.archive.clone());
                detail.contents = Some(contents.record());
                if let Some(before) = &look.before {
                    let now = contents.is_whole.then_some(&contents.inventory);
                    let drift = drift::drift(before, now);
                    findings.extend(drift::findings(&point.database, &drift, rules));
                    detail.drift = Some(drift);
                }
            }
            Some(Err(failure)) => findings.push(self.unreadable(failure, &mut detail)),
            None => {}
        }
        match &look.sqlite {
            Some(Ok(header)) => {
                detail.readable = Some(true);
                detail.sqlite = Some(header.record());
                findings.extend(sqlite::judge(point, header, look.beside));
            }
            Some(Err(failure)) => findings.push(self.unreadable(failure, &mut detail)),
            None => {}
        }
        (detail, findings)
    }

    /// What is inside cannot be read, which is what a drill would fail with.
    fn unreadable(&self, failure: &Failure, detail: &mut PointDetail) -> Finding {
        let failure = self.template.hinted(failure.clone());
        let expected = failure.hint.clone().unwrap_or_else(|| "a backup that can be read".to_owned());
        let actual = failure.message.clone();
        // Where the store does not report how an object is kept, reading it shows whether it is archived.
        if failure.code == codes::OBJECT_ARCHIVED {
            detail.readable = Some(false);
        }
        detail.error = Some(failure.to_record(None));
        finding(Severity::Error, failure.code, &detail.database, expected, actual)
    }

    /// The image of a database's server.
    fn image(&self, database: &DatabaseName) -> Option<&ImageFacts> {
        self.images.get(&self.template.server_name_of(database)?)
    }

    /// The youngest of a database's keys may be of a time that has not come.
    fn youngest(&self, point: &RecoveryPoint, objects: &[ObjectMeta]) -> Option<Finding> {
        let times = objects.iter().filter_map(|object| {
            let key = object.key.as_str();
            Some((self.pattern.time_of(&point.database, key, object.last_modified)?, key))
        });
        let (taken_at, key) = times.max()?;
        set::from_the_future(&point.database, taken_at, key, self.now)
    }
}

/// A database's recovery points up to `at`, in the order of time.
fn past(pattern: &KeyPattern, name: &DatabaseName, objects: &[ObjectMeta], at: DateTime<Utc>) -> Vec<Past> {
    let mut past: Vec<Past> = objects
        .iter()
        .filter_map(|object| {
            let taken_at = pattern.time_of(name, object.key.as_str(), object.last_modified)?;
            Some(Past { taken_at, size_bytes: object.size_bytes })
        })
        .filter(|past| past.taken_at <= at)
        .collect();
    past.sort_by_key(|past| past.taken_at);
    past
}
