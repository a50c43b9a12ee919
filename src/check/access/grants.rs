//! What was granted on one object, on both sides. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::found::error;
use crate::model::human;
use crate::model::manifest::{Grant, Grantee};
use crate::model::verdict::Finding;

/// A privilege that only these versions and later ones have: what an older one does not know, it cannot have granted.
const YOUNG: [(&str, u32); 1] = [("MAINTAIN", 17)];

/// The privileges of each grantee that one side has and the other lacks, given their major versions.
pub fn differences(subject: &str, source: &[Grant], restored: &[Grant], majors: (u32, u32)) -> Vec<Finding> {
    let (there, here) = (by_grantee(source), by_grantee(restored));
    let all: BTreeSet<&&Grantee> = there.keys().chain(here.keys()).collect();
    let oldest = majors.0.min(majors.1);
    let is_known = |privilege: &&String| {
        YOUNG.iter().all(|(name, since)| *since <= oldest || !privilege.starts_with(name))
    };
    let mut findings = Vec::new();
    for grantee in all {
        let none = Grant { to: (**grantee).clone(), privileges: BTreeSet::new(), revoked: BTreeSet::new() };
        let was = there.get(*grantee).copied().unwrap_or(&none);
        let is = here.get(*grantee).copied().unwrap_or(&none);
        let difference = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).filter(is_known).cloned().collect::<Vec<_>>()
        };
        let less =
            [difference(&was.privileges, &is.privileges), difference(&is.revoked, &was.revoked)].concat();
        let more =
            [difference(&is.privileges, &was.privileges), difference(&was.revoked, &is.revoked)].concat();
        let who = who(grantee);
        let list = |privileges: &[String]| human::one_line(&privileges.join(", "), 160);
        if !less.is_empty() {
            let (expected, actual) =
                (format!("{who} with {}", list(&less)), format!("{who} lacks {}", list(&less)));
            findings.push(error(code::GRANT_MISSING, subject, &expected, actual));
        }
        if !more.is_empty() {
            let expected = format!("{who} without {}", list(&more));
            let actual = format!("{who} has {}, which the source had not granted", list(&more));
            findings.push(error(code::GRANT_ADDED, subject, &expected, actual));
        }
    }
    findings
}

/// What must still hold of a source's grants where their entry is not restored: none that is gone is missed, and a default
/// that it took away may be back.
pub fn still_there(source: &[Grant], restored: &[Grant]) -> Vec<Grant> {
    let here = by_grantee(restored);
    let common =
        |one: &BTreeSet<String>, other: &BTreeSet<String>| one.intersection(other).cloned().collect();
    let of = source.iter().filter_map(|was| {
        let is = here.get(&was.to)?;
        let (privileges, revoked) =
            (common(&was.privileges, &is.privileges), common(&was.revoked, &is.revoked));
        Some(Grant { to: was.to.clone(), privileges, revoked })
    });
    of.collect()
}

fn by_grantee(grants: &[Grant]) -> BTreeMap<&Grantee, &Grant> {
    grants.iter().map(|grant| (&grant.to, grant)).collect()
}

/// A grantee, for people.
fn who(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Public => "everybody (PUBLIC)".to_owned(),
        Grantee::Owner => "the owner".to_owned(),
        Grantee::Role(name) => human::one_line(name, 80),
    }
}

/// Grants, for people.
pub fn shown(grants: &[Grant]) -> String {
    let one = |grant: &Grant| {
        let given = grant.privileges.iter().cloned();
        let taken = grant.revoked.iter().map(|privilege| format!("no {privilege}"));
        format!("{} for {}", given.chain(taken).collect::<Vec<_>>().join(", "), who(&grant.to))
    };
    match grants {
        [] => "the default privileges".to_owned(),
        grants => human::one_line(&grants.iter().map(one).collect::<Vec<_>>().join("; "), 200),
    }
}
