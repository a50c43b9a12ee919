//! The source's roles against those that the drill restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::found::{Judged, error, finding};
use crate::model::human;
use crate::model::manifest::{Membership, Role, Roles};
use crate::model::verdict::{Finding, Severity};

/// What a drill does with roles on purpose, so that it is no difference.
pub struct OnPurpose<'a> {
    /// Roles that are the drill's own, whatever the source's of that name had.
    pub own: &'a [&'a str],
    /// Attributes that no role gets.
    pub attributes: &'a [&'a str],
    /// Whether a setting of a role is left out.
    pub leaves_out: &'a dyn Fn(&str, &str) -> bool,
}

/// Compares the roles, their memberships and settings.
pub fn compare(source: &Roles, restored: &Roles, on_purpose: &OnPurpose<'_>) -> Judged {
    let mut judged = Judged::default();
    let (there, here) = (by_name(source), by_name(restored));
    let names: BTreeSet<&&str> = there.keys().chain(here.keys()).collect();
    for name in names {
        if on_purpose.own.contains(name) {
            continue;
        }
        let subject = subject(name);
        match (there.get(*name), here.get(*name)) {
            (Some(_), None) => {
                let actual = "it is not in the restored server".to_owned();
                judged.findings.push(error(code::ROLE_MISSING, &subject, "the role", actual));
            }
            (None, Some(_)) => judged.findings.push(finding(
                Severity::Warning,
                code::ROLE_ADDED,
                subject,
                "no such role",
                "the source did not have it".to_owned(),
            )),
            (Some(was), Some(is)) => judged.one(role(&subject, was, is, on_purpose)),
            (None, None) => {}
        }
    }
    memberships(source, restored, &there, &here, &mut judged);
    judged
}

fn by_name(roles: &Roles) -> BTreeMap<&str, &Role> {
    roles.roles.iter().map(|role| (role.name.as_str(), role)).collect()
}

fn subject(name: &str) -> String {
    format!("role {}", human::one_line(name, 80))
}

fn role(subject: &str, was: &Role, is: &Role, on_purpose: &OnPurpose<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let differing = was.attributes.symmetric_difference(&is.attributes);
    for attribute in differing.filter(|attribute| !on_purpose.attributes.contains(&attribute.as_str())) {
        let shown = human::one_line(attribute, 40);
        let (expected, actual) = if was.attributes.contains(attribute) {
            (shown.clone(), format!("it lacks {shown}"))
        } else {
            (format!("no {shown}"), format!("it has {shown}, which it had not in the source"))
        };
        findings.push(error(code::ROLE_ATTRIBUTE_DIFFERS, subject, &expected, actual));
    }
    if was.connection_limit != is.connection_limit {
        let limit = |limit: i32| match limit {
            -1 => "no connection limit".to_owned(),
            limit => format!("a connection limit of {limit}"),
        };
        let (expected, actual) =
            (limit(was.connection_limit), format!("it has {}", limit(is.connection_limit)));
        findings.push(error(code::ROLE_ATTRIBUTE_DIFFERS, subject, &expected, actual));
    }
    let settings: BTreeSet<&String> = was.settings.keys().chain(is.settings.keys()).collect();
    for name in settings {
        let (set, set_now) = (was.settings.get(name), is.settings.get(name));
        if set == set_now || (set_now.is_none() && (on_purpose.leaves_out)(&was.name, name)) {
            continue;
        }
        let shown = human::one_line(name, 80);
        let actual = match (set, set_now) {
            (Some(_), None) => format!("{shown} is not set"),
            (None, _) => format!("{shown} is set, which it was not in the source"),
            _ => format!("{shown} has another value"),
        };
        findings.push(error(
            code::ROLE_SETTING_DIFFERS,
            subject,
            &format!("{shown} as in the source"),
            actual,
        ));
    }
    findings
}

fn memberships(
    source: &Roles,
    restored: &Roles,
    there: &BTreeMap<&str, &Role>,
    here: &BTreeMap<&str, &Role>,
    judged: &mut Judged,
) {
    fn by_pair(roles: &Roles) -> BTreeMap<(&str, &str), &Membership> {
        roles.memberships.iter().map(|one| ((one.member.as_str(), one.role.as_str()), one)).collect()
    }
    let (was, is) = (by_pair(source), by_pair(restored));
    let pairs: BTreeSet<&(&str, &str)> = was.keys().chain(is.keys()).collect();
    for pair in pairs {
        let (member, role) = *pair;
        // That the role itself is gone says it.
        let is_lost = |name: &str| there.contains_key(name) && !here.contains_key(name);
        if is_lost(member) || is_lost(role) {
            continue;
        }
        let (subject, shown) = (subject(member), human::one_line(role, 80));
        let found = match (was.get(pair), is.get(pair)) {
            (Some(_), None) => Some((
                code::MEMBERSHIP_MISSING,
                format!("a member of {shown}"),
                format!("it is not a member of {shown}"),
            )),
            (None, Some(_)) => Some((
                code::MEMBERSHIP_ADDED,
                format!("no member of {shown}"),
                format!("it is a member of {shown}, which it was not in the source"),
            )),
            (Some(was), Some(is)) if was != is => Some((
                code::MEMBERSHIP_DIFFERS,
                format!("member of {shown} {}", options(was)),
                format!("member of {shown} {}, and {} in the source", options(is), options(was)),
            )),
            _ => None,
        };
        let found = found.map(|(code, expected, actual)| error(code, &subject, &expected, actual));
        judged.one(found.into_iter().collect());
    }
}

fn options(membership: &Membership) -> String {
    let with = |has: bool, name: &str| format!("{} {name}", if has { "with" } else { "without" });
    [with(membership.admin, "ADMIN"), with(membership.inherit, "INHERIT"), with(membership.set, "SET")]
        .join(", ")
}
