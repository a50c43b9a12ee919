//! A source's record of access against what was restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Judged, error, finding, subject};
use super::{code, grants, policies};
use crate::model::human;
use crate::model::manifest::{Access, DefaultPrivileges, Grant};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};

/// Compares one database.
pub fn database(name: &DatabaseName, source: &Access, restored: &Access) -> Judged {
    let mut judged = Judged::default();
    let majors = (source.major, restored.major);
    let mut found = owner(name.as_str(), "database", source.owner.as_ref(), restored.owner.as_ref());
    found.extend(grants::differences(name.as_str(), &source.grants, &restored.grants, majors));
    judged.one(found);
    objects(name, source, restored, &mut judged);
    large_objects(name, source, restored, &mut judged);
    default_privileges(name, source, restored, &mut judged);
    policies::compare(name, source, restored, &mut judged);
    judged
}

/// An object's owner and grants.
type Object<'a> = (Option<&'a String>, &'a [Grant]);

/// The objects by kind and name.
fn by_name(access: &Access) -> BTreeMap<(&str, &str), Object<'_>> {
    let of_group = access.objects.iter().flat_map(|group| {
        let facts = (group.owner.as_ref(), group.grants.as_slice());
        group.objects.iter().map(move |name| ((group.kind.as_str(), name.as_str()), facts))
    });
    of_group.collect()
}

fn objects(database: &DatabaseName, source: &Access, restored: &Access, judged: &mut Judged) {
    let (there, here) = (by_name(source), by_name(restored));
    let all: BTreeSet<&(&str, &str)> = there.keys().chain(here.keys()).collect();
    for key in all {
        let (kind, name) = *key;
        let subject = subject(database, name);
        let (was, is) = (there.get(key), here.get(key));
        // What has no owner of its own is listed only where something was granted on it.
        let owned = |object: Option<&Object<'_>>| object.is_some_and(|(owner, _)| owner.is_some());
        if (was.is_none() || is.is_none()) && (owned(was.copied().as_ref()) || owned(is.copied().as_ref())) {
            judged.findings.extend(on_one_side(kind, name, subject, was.is_some()));
            continue;
        }
        let none: Object<'_> = (None, &[]);
        let ((owner_was, grants_were), (owner_is, grants_are)) = (was.unwrap_or(&none), is.unwrap_or(&none));
        let mut found = owner(&subject, kind, *owner_was, *owner_is);
        let majors = (source.major, restored.major);
        found.extend(grants::differences(&subject, grants_were, grants_are, majors));
        judged.one(found);
    }
}

/// An object that only one side has. Every new database has a schema `public`, also where the source has dropped it.
fn on_one_side(kind: &str, name: &str, subject: String, was_there: bool) -> Option<Finding> {
    let actual = if was_there {
        format!("the {kind} is not in the restored database")
    } else {
        format!("the {kind} was not in the source")
    };
    let is_news = was_there || (kind, name) != ("schema", "public");
    is_news.then(|| {
        finding(
            Severity::Warning,
            code::OBJECT_NOT_COMPARED,
            subject,
            "the same objects on both sides",
            actual,
        )
    })
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
