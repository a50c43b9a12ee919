//! A source's record of access against what was restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Judged, error, finding, subject};
use super::{code, grants, policies};
use crate::model::human;
use crate::model::manifest::{Access, DefaultPrivileges, Grant, Grantee};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::SUPERUSER;

/// Compares one database. Where the template runs SQL of its own, that may have made what the source did not have.
pub fn database(name: &DatabaseName, source: &Access, restored: &Access, has_own_sql: bool) -> Judged {
    let mut judged = Judged::default();
    let majors = (source.major, restored.major);
    let mut found = owner(name.as_str(), "database", source.owner.as_ref(), restored.owner.as_ref());
    found.extend(grants::differences(name.as_str(), &source.grants, &restored.grants, majors));
    judged.one(found);
    objects(name, source, restored, has_own_sql, &mut judged);
    large_objects(name, source, restored, &mut judged);
    default_privileges(name, source, restored, &mut judged);
    policies::compare(name, source, restored, &mut judged);
    judged
}

/// What is known of an object.
#[derive(Clone, Copy, Default)]
struct Object<'a> {
    owner: Option<&'a String>,
    /// The owner of what a restore gives to another.
    made_by: Option<&'a String>,
    grants: &'a [Grant],
}

/// The objects by kind and name.
fn by_name(access: &Access) -> BTreeMap<(&str, &str), Object<'_>> {
    let of_group = access.objects.iter().flat_map(|group| {
        let (owner, made_by) = (group.owner.as_ref(), group.made_by.as_ref());
        let facts = Object { owner, made_by, grants: &group.grants };
        group.objects.iter().map(move |name| ((group.kind.as_str(), name.as_str()), facts))
    });
    of_group.collect()
}

fn objects(
    database: &DatabaseName,
    source: &Access,
    restored: &Access,
    has_own_sql: bool,
    judged: &mut Judged,
) {
    let (there, here) = (by_name(source), by_name(restored));
    let all: BTreeSet<&(&str, &str)> = there.keys().chain(here.keys()).collect();
    for key in all {
        let (kind, name) = *key;
        let subject = subject(database, name);
        let (was, is) = (there.get(key), here.get(key));
        // What has no owner of its own is listed only where something was granted on it.
        let owned = |object: Option<&Object<'_>>| object.is_some_and(|object| object.owner.is_some());
        if was.is_none() && owned(is) {
            judged.findings.extend(added(kind, name, subject, has_own_sql));
            continue;
        }
        if is.is_none() && owned(was) {
            judged.findings.push(missing(kind, subject));
            continue;
        }
        let (was, is) = (was.copied().unwrap_or_default(), is.copied().unwrap_or_default());
        let mut found = owner(&subject, kind, was.owner, is.owner);
        let majors = (source.major, restored.major);
        let (grants_were, grants_are) = (comparable(was, is), comparable(is, was));
        found.extend(grants::differences(&subject, &grants_were, &grants_are, majors));
        judged.one(found);
    }
}

/// An object's grants, without those to whoever owns it on either side where a restore gives it to another: an owner needs
/// no grant, and who was the owner may have got one.
fn comparable(object: Object<'_>, other: Object<'_>) -> Vec<Grant> {
    let makers = [object.made_by, other.made_by];
    let is_moved = makers.iter().any(Option::is_some);
    let is_aside = |name: &String| name == SUPERUSER || makers.contains(&Some(name));
    let is_compared =
        |grant: &&Grant| !(is_moved && matches!(&grant.to, Grantee::Role(name) if is_aside(name)));
    object.grants.iter().filter(is_compared).cloned().collect()
}

fn missing(kind: &str, subject: String) -> Finding {
    let actual = format!("the {kind} is not in the restored database");
    let expected = "the same objects on both sides";
    finding(Severity::Warning, code::OBJECT_NOT_COMPARED, subject, expected, actual)
}

/// An object that the source did not have: record and dump are of one snapshot, so it came by no dump of the source's. Every
/// new database has a schema `public`, also where the source has dropped it.
fn added(kind: &str, name: &str, subject: String, has_own_sql: bool) -> Option<Finding> {
    let actual = format!("the {kind} was not in the source");
    let (severity, actual) = if has_own_sql {
        (Severity::Warning, actual + "; SQL of the template runs in the database, and may have made it")
    } else {
        (Severity::Error, actual)
    };
    let is_news = (kind, name) != ("schema", "public");
    is_news.then(|| finding(severity, code::OBJECT_ADDED, subject, "nothing of this name", actual))
}

fn owner(subject: &str, kind: &str, was: Option<&String>, is: Option<&String>) -> Vec<Finding> {
    match (was, is) {
        (Some(was), Some(is)) if was != is => {
            let (was, is) = (human::one_line(was, 80), human::one_line(is, 80));
            let actual = format!("{kind} owned by {is}, and {was} owned it in the source");
            vec![error(code::OWNER_DIFFERS, subject, &format!("owner {was}"), actual)]
        }
        _ => Vec::new(),
    }
}

fn large_objects(database: &DatabaseName, source: &Access, restored: &Access, judged: &mut Judged) {
    let counts = |access: &Access| {
        let of = access.large_objects.iter();
        of.map(|some| ((some.owner.clone(), some.grants.clone()), some.count)).collect::<BTreeMap<_, _>>()
    };
    let (there, here) = (counts(source), counts(restored));
    let all: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    for key in all {
        let number = |counts: &BTreeMap<_, u64>| counts.get(key).copied().unwrap_or_default();
        let (was, is) = (number(&there), number(&here));
        let (owner, grants) = key;
        let of = human::one_line(owner.as_deref().unwrap_or("an unknown role"), 80);
        let subject = format!("{database}: large objects of {of}");
        let found = (was != is).then(|| {
            let expected = format!("{} with {}", human::count(was), grants::shown(grants));
            let actual = format!("{} with {}", human::count(is), grants::shown(grants));
            error(code::LARGE_OBJECT_ACCESS_DIFFERS, &subject, &expected, actual)
        });
        judged.one(found.into_iter().collect());
    }
}

fn default_privileges(database: &DatabaseName, source: &Access, restored: &Access, judged: &mut Judged) {
    fn by_place(access: &Access) -> BTreeMap<(&str, Option<&str>, &str), &DefaultPrivileges> {
        let of = access.default_privileges.iter();
        of.map(|one| ((one.role.as_str(), one.schema.as_deref(), one.kind.as_str()), one)).collect()
    }
    let (there, here) = (by_place(source), by_place(restored));
    let all: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    for key in all {
        let (role, schema, kind) = *key;
        let grants = |side: &BTreeMap<_, &DefaultPrivileges>| {
            side.get(key).map(|one| one.grants.clone()).unwrap_or_default()
        };
        let place = schema.map(|schema| format!(" in {schema}")).unwrap_or_default();
        let subject =
            human::one_line(&format!("{database}: default privileges of {role} for {kind}{place}"), 200);
        let mut found =
            grants::differences(&subject, &grants(&there), &grants(&here), (source.major, restored.major));
        found.iter_mut().for_each(|finding| finding.code = code::DEFAULT_PRIVILEGES_DIFFER);
        judged.one(found);
    }
}
