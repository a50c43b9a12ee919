//! A source's record of access against what was restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Judged, Sides, error, finding, left_out, subject};
use super::{code, grants, policies};
use crate::model::human;
use crate::model::manifest::{Access, DefaultPrivileges, Grant, Grantee, LargeObjects};
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::SUPERUSER;

/// Compares one database.
pub fn database(sides: &Sides<'_>) -> Judged {
    let mut judged = Judged::default();
    let Sides { database, source, restored, .. } = *sides;
    let name = database.as_str();
    let mut found = owner(name, "database", source.owner.as_ref(), restored.owner.as_ref());
    let is_part = sides.left_out.of_database;
    found.extend(granted(sides, name, &source.grants, &restored.grants, is_part));
    if is_part {
        judged.part(name.to_owned(), "privileges", found)
    } else {
        judged.one(found)
    }
    objects(sides, &mut judged);
    large_objects(sides, &mut judged);
    default_privileges(sides, &mut judged);
    policies::compare(sides, &mut judged);
    judged
}

/// How grants differ. Of those whose entry is left out only what was added counts.
fn granted(
    sides: &Sides<'_>,
    subject: &str,
    source: &[Grant],
    restored: &[Grant],
    is_part: bool,
) -> Vec<Finding> {
    let still_there = is_part.then(|| grants::still_there(source, restored));
    grants::differences(subject, still_there.as_deref().unwrap_or(source), restored, sides.majors())
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

fn objects(sides: &Sides<'_>, judged: &mut Judged) {
    let (there, here) = (by_name(sides.source), by_name(sides.restored));
    let all: BTreeSet<&(&str, &str)> = there.keys().chain(here.keys()).collect();
    for key in all {
        let (kind, name) = *key;
        let subject = subject(sides.database, name);
        let (was, is) = (there.get(key), here.get(key));
        // What has no owner of its own is listed only where something was granted on it.
        let owned = |object: Option<&Object<'_>>| object.is_some_and(|object| object.owner.is_some());
        if was.is_none() && owned(is) {
            judged.findings.extend(added(kind, name, subject, sides.has_own_sql));
            continue;
        }
        let is_left_out = sides.lacks_object(kind, name, is.is_some());
        if is.is_none() && owned(was) {
            let absent =
                if is_left_out { left_out(subject, "owner and privileges") } else { missing(kind, subject) };
            judged.findings.push(absent);
            continue;
        }
        let is_part = is_left_out || sides.left_out.lacks_privileges(kind, name);
        let (was, is) = (was.copied().unwrap_or_default(), is.copied().unwrap_or_default());
        // Something else made one that is there although it is left out.
        let mut found = if is_left_out { Vec::new() } else { owner(&subject, kind, was.owner, is.owner) };
        found.extend(granted(sides, &subject, &comparable(was, is), &comparable(is, was), is_part));
        if is_part { judged.part(subject, "privileges", found) } else { judged.one(found) }
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

/// How many large objects there are, by owner and grants.
type LargeObjectCounts<'a> = BTreeMap<(&'a Option<String>, &'a [Grant]), u64>;

fn counts(large_objects: &[LargeObjects]) -> LargeObjectCounts<'_> {
    large_objects.iter().map(|some| ((&some.owner, some.grants.as_slice()), some.count)).collect()
}

fn large_objects(sides: &Sides<'_>, judged: &mut Judged) {
    let (there, here) = (counts(&sides.source.large_objects), counts(&sides.restored.large_objects));
    let all: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    let subject = |owner: &Option<String>| {
        let of = human::one_line(owner.as_deref().unwrap_or("an unknown role"), 80);
        format!("{}: large objects of {of}", sides.database)
    };
    for key in all {
        let number = |counts: &LargeObjectCounts<'_>| counts.get(key).copied().unwrap_or_default();
        let (was, is) = (number(&there), number(&here));
        let (owner, grants) = key;
        let left_out = sides.left_out.large_objects.get(*owner);
        // Which of them are left out is known by their number alone, so these may be fewer, and no more. Those without their
        // privileges are among those that nothing was granted on.
        let may_differ =
            left_out.is_some_and(|left_out| is <= was || (left_out.lack_privileges && grants.is_empty()));
        let found = (was != is && !may_differ).then(|| {
            let expected = format!("{} with {}", human::count(was), grants::shown(grants));
            let actual = format!("{} with {}", human::count(is), grants::shown(grants));
            error(code::LARGE_OBJECT_ACCESS_DIFFERS, &subject(owner), &expected, actual)
        });
        let found: Vec<Finding> = found.into_iter().collect();
        if left_out.is_some() { judged.findings.extend(found) } else { judged.one(found) }
    }
    for (owner, left_out) in &sides.left_out.large_objects {
        let all_of = |counts: &LargeObjectCounts<'_>| {
            let of = counts.iter().filter(|((of, _), _)| *of == owner);
            of.map(|(_, count)| count).sum::<u64>()
        };
        let (wanted, is) = (all_of(&there).saturating_sub(left_out.number), all_of(&here));
        let found = (wanted != is).then(|| {
            let expected = format!("{} in all, without those that are left out", human::count(wanted));
            let actual = format!("{} in all", human::count(is));
            error(code::LARGE_OBJECT_ACCESS_DIFFERS, &subject(owner), &expected, actual)
        });
        judged.part(subject(owner), "privileges of each", found.into_iter().collect());
    }
}

fn default_privileges(sides: &Sides<'_>, judged: &mut Judged) {
    type Place<'a> = (&'a str, Option<&'a str>, &'a str);
    fn by_place(access: &Access) -> BTreeMap<Place<'_>, &DefaultPrivileges> {
        let of = access.default_privileges.iter();
        of.map(|one| ((one.role.as_str(), one.schema.as_deref(), one.kind.as_str()), one)).collect()
    }
    let (there, here) = (by_place(sides.source), by_place(sides.restored));
    let left_out = sides.left_out.default_privileges.iter();
    let left_out: BTreeSet<Place<'_>> =
        left_out.map(|(role, schema, kind)| (role.as_str(), schema.as_deref(), kind.as_str())).collect();
    let all: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    for key in all {
        let (role, schema, kind) = *key;
        let grants = |side: &BTreeMap<_, &DefaultPrivileges>| {
            side.get(key).map(|one| one.grants.clone()).unwrap_or_default()
        };
        let place = schema.map(|schema| format!(" in {schema}")).unwrap_or_default();
        let subject = human::one_line(
            &format!("{}: default privileges of {role} for {kind}{place}", sides.database),
            200,
        );
        let is_part = left_out.contains(key);
        let mut found = granted(sides, &subject, &grants(&there), &grants(&here), is_part);
        found.iter_mut().for_each(|finding| finding.code = code::DEFAULT_PRIVILEGES_DIFFER);
        if is_part { judged.part(subject, "default privileges", found) } else { judged.one(found) }
    }
}
