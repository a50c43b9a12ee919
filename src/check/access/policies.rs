//! Row security and policies, on both sides. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::found::{Judged, Sides, error, finding, subject};
use crate::format::pg_custom::UnrestoredAccess;
use crate::model::human;
use crate::model::manifest::{Access, Definition, Policy, RowSecurity};
use crate::model::verdict::{Finding, Severity};

/// Compares the tables with row security or policies.
pub fn compare(sides: &Sides<'_>, judged: &mut Judged) {
    let Sides { database, source, restored, left_out, .. } = *sides;
    let (there, here) = (by_table(source), by_table(restored));
    // A table that one side does not have at all is reported elsewhere.
    let (tables_there, tables_here) = (tables(source), tables(restored));
    let all: BTreeSet<&&str> = there.keys().chain(here.keys()).collect();
    let same_major = source.major == restored.major;
    let (mut unread, mut unprinted) = (0u64, 0u64);
    for table in all {
        // So is one that is left out, and that something else made.
        if !tables_there.contains(*table)
            || !tables_here.contains(*table)
            || sides.lacks_object("table", table, true)
        {
            continue;
        }
        let none =
            RowSecurity { table: (*table).to_owned(), enabled: false, forced: false, policies: Vec::new() };
        let is = here.get(*table).copied().unwrap_or(&none);
        let was = without(there.get(*table).copied().unwrap_or(&none), is, left_out);
        let subject = subject(database, table);
        let mut found = flags(&subject, &was, is);
        found.extend(policies(&subject, &was.policies, &is.policies, same_major));
        if !same_major {
            let has_text = |policy: &&Policy| policy.using.is_some() || policy.check.is_some();
            unread += was.policies.iter().filter(has_text).count() as u64;
        }
        unprinted += was.policies.iter().chain(&is.policies).filter(|policy| policy.unread).count() as u64;
        match was {
            Cow::Borrowed(_) => judged.one(found),
            Cow::Owned(_) => judged.part(subject, "row security and policies", found),
        }
    }
    let mut not_compared = |expected: &str, actual: String| {
        let code = code::EXPRESSIONS_NOT_COMPARED;
        judged.findings.push(finding(Severity::Warning, code, database.to_string(), expected, actual));
    };
    if unprinted > 0 {
        let actual = format!(
            "the expressions of {} were not read, since a table that they look at was locked",
            policies_in_words(unprinted)
        );
        not_compared("expressions that the backup could read", actual);
    }
    if unread > 0 {
        let actual = format!(
            "the expressions of {}, written by PostgreSQL {} and {}",
            policies_in_words(unread),
            source.major,
            restored.major
        );
        not_compared("the same major version on both sides", actual);
    }
}

/// What must still hold of a table where the template leaves out a policy of it, or that row security is applied: a copy, if
/// it does.
fn without<'a>(was: &'a RowSecurity, is: &RowSecurity, left_out: &UnrestoredAccess) -> Cow<'a, RowSecurity> {
    let is_gone = |policy: &Policy| {
        left_out.policies.contains(&(was.table.clone(), policy.name.clone()))
            && is.policies.iter().all(|restored| restored.name != policy.name)
    };
    let is_off = was.enabled && !is.enabled && left_out.row_security.contains(&was.table);
    if !is_off && !was.policies.iter().any(is_gone) {
        return Cow::Borrowed(was);
    }
    let mut was = was.clone();
    was.enabled &= !is_off;
    let policies = std::mem::take(&mut was.policies);
    was.policies = policies.into_iter().filter(|policy| !is_gone(policy)).collect();
    Cow::Owned(was)
}

fn policies_in_words(number: u64) -> String {
    if number == 1 { "1 policy".to_owned() } else { format!("{} policies", human::count(number)) }
}

fn by_table(access: &Access) -> BTreeMap<&str, &RowSecurity> {
    access.row_security.iter().map(|table| (table.table.as_str(), table)).collect()
}

fn tables(access: &Access) -> BTreeSet<&str> {
    let groups = access.objects.iter().filter(|group| group.kind == "table");
    groups.flat_map(|group| group.objects.iter().map(String::as_str)).collect()
}

fn flags(subject: &str, was: &RowSecurity, is: &RowSecurity) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (was, is, on, off) in [
        (was.enabled, is.enabled, "row security is on", "row security is off"),
        (was.forced, is.forced, "row security binds the owner", "row security does not bind the owner"),
    ] {
        match (was, is) {
            (true, false) => findings.push(error(code::ROW_SECURITY_OFF, subject, on, off.to_owned())),
            (false, true) => findings.push(error(code::ROW_SECURITY_ADDED, subject, off, on.to_owned())),
            _ => {}
        }
    }
    findings
}

fn policies(subject: &str, source: &[Policy], restored: &[Policy], same_major: bool) -> Vec<Finding> {
    let named = |policies: &[Policy], name: &str| policies.iter().find(|policy| policy.name == name).cloned();
    let names: BTreeSet<&str> = source.iter().chain(restored).map(|policy| policy.name.as_str()).collect();
    let mut findings = Vec::new();
    for name in names {
        let shown = human::one_line(name, 80);
        match (named(source, name), named(restored, name)) {
            (Some(_), None) => {
                let actual = format!("the policy {shown} is not there");
                findings.push(error(code::POLICY_MISSING, subject, &format!("the policy {shown}"), actual));
            }
            (None, Some(_)) => {
                let actual = format!("the policy {shown} was not in the source");
                findings.push(error(code::POLICY_ADDED, subject, &format!("no policy {shown}"), actual));
            }
            (Some(was), Some(is)) => {
                if let Some(difference) = difference(&was, &is, same_major) {
                    let expected = format!("the policy {shown} as in the source");
                    let actual = format!("the policy {shown} {difference}");
                    findings.push(error(code::POLICY_DIFFERS, subject, &expected, actual));
                }
            }
            (None, None) => {}
        }
    }
    findings
}

/// What a policy has otherwise than in the source. Expressions may name secrets, and are not shown.
fn difference(was: &Policy, is: &Policy, same_major: bool) -> Option<String> {
    let kind = |policy: &Policy| if policy.permissive { "permits" } else { "restricts" };
    let roles = |policy: &Policy| {
        if policy.roles.is_empty() {
            "everybody".to_owned()
        } else {
            human::one_line(&policy.roles.join(", "), 120)
        }
    };
    let unread = was.unread || is.unread;
    // A restore may make another tree of an expression, which means the same and is printed otherwise.
    let formed = |text: &Option<String>| text.as_deref().map(Definition::of);
    let differs = |one: &Option<String>, other: &Option<String>| {
        !unread && (one.is_some() != other.is_some() || (same_major && formed(one) != formed(other)))
    };
    if was.command != is.command {
        Some(format!(
            "is for {}, and was for {}",
            human::one_line(&is.command, 20),
            human::one_line(&was.command, 20)
        ))
    } else if was.permissive != is.permissive {
        Some(format!("{} rows, and {} them in the source", kind(is), kind(was)))
    } else if was.roles != is.roles {
        Some(format!("is for {}, and was for {}", roles(is), roles(was)))
    } else if differs(&was.using, &is.using) {
        Some("has another USING".to_owned())
    } else if differs(&was.check, &is.check) {
        Some("has another WITH CHECK".to_owned())
    } else {
        None
    }
}
