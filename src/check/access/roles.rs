//! The source's roles against those that the drill restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::found::{Judged, error, finding};
use crate::model::human;
use crate::model::manifest::{Membership, Role, Roles};
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{SUPERUSER, is_kept_of_role};

/// The roles that the server has, without those that were made up because a dump names them, and with what the globals say
/// where a drill changes it on purpose: nobody can log in or replicate there.
pub fn as_in_the_globals(mut restored: Roles, globals: &RestoredRoles) -> Roles {
    let is_kept = |name: &str| {
        name == SUPERUSER
            || globals.roles.contains_key(name)
            || globals.of_template.iter().any(|own| own == name)
    };
    restored.roles.retain(|role| is_kept(&role.name));
    for role in &mut restored.roles {
        if let Some(was) = globals.roles.get(&role.name) {
            for (has, attribute) in [(was.login, "LOGIN"), (was.replication, "REPLICATION")] {
                role.attributes.remove(attribute);
                role.attributes.extend(has.then(|| attribute.to_owned()));
            }
        }
    }
    restored
}

/// What lets a role do what only the server's masters may.
const POWERS: [&str; 5] = ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"];

fn is_power(attribute: &str) -> bool {
    POWERS.contains(&attribute)
}

/// Roles of the system through which the whole server can be had.
const MASTERS: [&str; 3] = ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"];

/// Compares the roles, their memberships and settings, but for those that the template makes, and for what is the drill's own
/// superuser's.
pub fn compare(source: &Roles, restored: &Roles, globals: &RestoredRoles) -> Judged {
    let mut judged = Judged::default();
    let (there, here) = (by_name(source), by_name(restored));
    let differs = severity(globals.in_manifest && !source.same_around_globals);
    let is_of_template = |name: &str| globals.of_template.iter().any(|own| own == name);
    let names: BTreeSet<&&str> = there.keys().chain(here.keys()).collect();
    for name in names {
        if **name == *SUPERUSER || is_of_template(name) {
            continue;
        }
        let subject = subject(name);
        match (there.get(*name), here.get(*name)) {
            (Some(_), None) => {
                let actual = "it is not in the globals".to_owned();
                judged.findings.push(finding(differs, code::ROLE_MISSING, subject, "the role", actual));
            }
            (None, Some(is)) => judged.findings.push(added(subject, is)),
            (Some(was), Some(is)) => judged.one(role(&subject, was, is, globals, differs)),
            (None, None) => {}
        }
    }
    let is_aside =
        |name: &str| is_of_template(name) || (there.contains_key(name) && !here.contains_key(name));
    // What a role of which nothing was recorded is a member of is as new as the role.
    let of_pair = |member: &str| {
        if globals.in_manifest && !there.contains_key(member) { Severity::Warning } else { differs }
    };
    memberships(source, restored, &mut judged, &is_aside, &of_pair);
    judged
}

/// The severity of something that another moment may explain. Older versions read the roles only once, after the globals,
/// and services make roles by the hour.
fn severity(may_be_of_another_moment: bool) -> Severity {
    if may_be_of_another_moment { Severity::Warning } else { Severity::Error }
}

fn by_name(roles: &Roles) -> BTreeMap<&str, &Role> {
    roles.roles.iter().map(|role| (role.name.as_str(), role)).collect()
}

fn subject(name: &str) -> String {
    format!("role {}", human::one_line(name, 80))
}

/// A role that the record does not have. One that may do much is no role that a service makes by the hour.
fn added(subject: String, is: &Role) -> Finding {
    let powers: Vec<&str> = is.attributes.iter().map(String::as_str).filter(|has| is_power(has)).collect();
    let expected = "no such role";
    if powers.is_empty() {
        let actual = "the source did not have it".to_owned();
        return finding(Severity::Warning, code::ROLE_ADDED, subject, expected, actual);
    }
    let actual = format!("it has {}, and the source did not have the role", powers.join(", "));
    error(code::ROLE_ATTRIBUTE_DIFFERS, &subject, expected, actual)
}

fn role(subject: &str, was: &Role, is: &Role, globals: &RestoredRoles, differs: Severity) -> Vec<Finding> {
    let mut findings = Vec::new();
    for attribute in was.attributes.symmetric_difference(&is.attributes) {
        let shown = human::one_line(attribute, 40);
        let (expected, actual) = if was.attributes.contains(attribute) {
            (shown.clone(), format!("it lacks {shown}"))
        } else {
            (format!("no {shown}"), format!("it has {shown}, which it had not in the source"))
        };
        let is_gained = is.attributes.contains(attribute) && is_power(attribute);
        let severity = if is_gained { Severity::Error } else { differs };
        let code = code::ROLE_ATTRIBUTE_DIFFERS;
        findings.push(finding(severity, code, subject.to_owned(), &expected, actual));
    }
    let settings: BTreeSet<&String> = was.settings.keys().chain(is.settings.keys()).collect();
    for name in settings {
        let (set, set_now) = (was.settings.get(name), is.settings.get(name));
        // What the restore left out stands in its record.
        let is_left_out = || {
            let not_taken = |(role, left_out): &(String, String)| {
                *role == was.name && left_out.eq_ignore_ascii_case(name)
            };
            !is_kept_of_role(&was.name, name) || globals.settings_left_out.iter().any(not_taken)
        };
        if set == set_now || (set_now.is_none() && is_left_out()) {
            continue;
        }
        let shown = human::one_line(name, 80);
        let actual = match (set, set_now) {
            (Some(_), None) => format!("{shown} is not set"),
            (None, _) => format!("{shown} is set, which it was not in the source"),
            _ => format!("{shown} has another value"),
        };
        let expected = format!("{shown} as in the source");
        findings.push(finding(differs, code::ROLE_SETTING_DIFFERS, subject.to_owned(), &expected, actual));
    }
    findings
}

/// What is said of a role that is gone, or made in another way, says enough.
fn memberships(
    source: &Roles,
    restored: &Roles,
    judged: &mut Judged,
    is_aside: &dyn Fn(&str) -> bool,
    differs: &dyn Fn(&str) -> Severity,
) {
    fn by_pair(roles: &Roles) -> BTreeMap<(&str, &str), &Membership> {
        roles.memberships.iter().map(|one| ((one.member.as_str(), one.role.as_str()), one)).collect()
    }
    let (was, is) = (by_pair(source), by_pair(restored));
    let masters: BTreeSet<&str> = by_name(restored)
        .into_iter()
        .filter(|(_, role)| role.attributes.iter().any(|has| is_power(has)))
        .map(|(name, _)| name)
        .chain(MASTERS)
        .collect();
    let pairs: BTreeSet<&(&str, &str)> = was.keys().chain(is.keys()).collect();
    for pair in pairs {
        let (member, role) = *pair;
        if is_aside(member) || is_aside(role) {
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
        let is_new = was.get(pair) != is.get(pair) && is.contains_key(pair) && masters.contains(role);
        let severity = if is_new { Severity::Error } else { differs(member) };
        let found = found.map(|(code, expected, actual)| finding(severity, code, subject, &expected, actual));
        judged.one(found.into_iter().collect());
    }
}

fn options(membership: &Membership) -> String {
    let with = |has: bool, name: &str| format!("{} {name}", if has { "with" } else { "without" });
    [with(membership.admin, "ADMIN"), with(membership.inherit, "INHERIT"), with(membership.set, "SET")]
        .join(", ")
}
