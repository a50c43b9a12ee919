//! What the queries answer, made into a record. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::manifest::{Grant, Grantee};

/// In the order in which the query has them.
const ATTRIBUTES: [&str; 7] =
    ["SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS"];

/// Grants, from texts such as `+SELECT*:app`. See `queries`.
pub fn grants(texts: &[String]) -> Vec<Grant> {
    let mut grants: BTreeMap<Grantee, Grant> = BTreeMap::new();
    for text in texts {
        let Some(end) = text.find(['.', '@', ':']) else { continue };
        let (privilege, who) = text.split_at(end);
        let to = match &who[..1] {
            "." => Grantee::Public,
            "@" => Grantee::Owner,
            _ => Grantee::Role(who[1..].to_owned()),
        };
        let (sign, privilege) = privilege.split_at(1);
        let privilege = match privilege.strip_suffix('*') {
            Some(privilege) => format!("{privilege} WITH GRANT OPTION"),
            None => privilege.to_owned(),
        };
        let none = || Grant { to: to.clone(), privileges: BTreeSet::new(), revoked: BTreeSet::new() };
        let grant = grants.entry(to.clone()).or_insert_with(none);
        let set = if sign == "-" { &mut grant.revoked } else { &mut grant.privileges };
        set.insert(privilege);
    }
    grants.into_values().collect()
}

/// Narrows the grants on an object of the system or an extension to those that a dump has for sure: what its owner has is
/// decided by who makes it. What a role lacks, a former owner may have been granted in the beginning; but the system's own
/// roles own nothing.
pub fn keep_what_a_dump_has(grants: &mut Vec<Grant>) {
    grants.retain_mut(|grant| {
        if matches!(&grant.to, Grantee::Role(name) if !name.starts_with("pg_")) {
            grant.revoked.clear();
        }
        grant.to != Grantee::Owner && !(grant.privileges.is_empty() && grant.revoked.is_empty())
    });
}

/// What `polcmd` stands for.
pub fn command(letter: &str) -> String {
    match letter {
        "r" => "SELECT",
        "a" => "INSERT",
        "w" => "UPDATE",
        "d" => "DELETE",
        _ => "ALL",
    }
    .to_owned()
}

/// What `defaclobjtype` stands for.
pub fn later_objects(letter: &str) -> String {
    match letter {
        "r" => "tables",
        "S" => "sequences",
        "f" => "functions",
        "T" => "types",
        "n" => "schemas",
        "L" => "large objects",
        other => other,
    }
    .to_owned()
}

/// The attributes that a role has.
pub fn attributes(has: &[bool]) -> BTreeSet<String> {
    let named = ATTRIBUTES.iter().zip(has);
    named.filter(|(_, has)| **has).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Vec<Grant> {
        grants(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn grant(to: Grantee, privileges: &[&str], revoked: &[&str]) -> Grant {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Grant { to, privileges: set(privileges), revoked: set(revoked) }
    }

    #[test]
    fn grants_are_the_same_in_any_order() {
        let expected = [
            grant(Grantee::Public, &[], &["EXECUTE"]),
            grant(Grantee::Owner, &[], &["UPDATE"]),
            grant(Grantee::Role("a.b:c@d".to_owned()), &["ALTER SYSTEM", "SELECT WITH GRANT OPTION"], &[]),
        ];
        let texts = ["+SELECT*:a.b:c@d", "-EXECUTE.", "+ALTER SYSTEM:a.b:c@d", "-UPDATE@"];
        assert_eq!(parsed(&texts), expected);
        assert_eq!(parsed(&[texts[3], texts[2], texts[1], texts[0]]), expected);
        assert_eq!(parsed(&["garbage", ""]), []);
    }

    #[test]
    fn of_an_extension_only_what_a_dump_has_is_kept() {
        let texts =
            ["-SELECT@", "-EXECUTE.", "-USAGE:old_owner", "+SELECT:app", "+UPDATE@", "-SELECT:pg_monitor"];
        let mut grants = parsed(&texts);
        keep_what_a_dump_has(&mut grants);
        let app = grant(Grantee::Role("app".to_owned()), &["SELECT"], &[]);
        let monitor = grant(Grantee::Role("pg_monitor".to_owned()), &[], &["SELECT"]);
        assert_eq!(grants, [grant(Grantee::Public, &[], &["EXECUTE"]), app, monitor]);
    }

    #[test]
    fn attributes_have_their_names() {
        let names: Vec<String> =
            attributes(&[false, true, false, false, true, false, false]).into_iter().collect();
        assert_eq!(names, ["INHERIT", "LOGIN"]);
    }
}
