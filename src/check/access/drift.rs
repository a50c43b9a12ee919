//! What changed in the source between two readings of a backup: the manifest's record of the roles, and the globals. Pure.
//!
//! Services make roles by the hour, so that the two may differ in a sound backup. That is said, and is no error, as far as
//! the globals are those that the manifest names: nobody else wrote them. What a drill made otherwise than its globals say
//! is an error, and so is a membership that only the record has.

use crate::format::pg_globals;
use crate::model::manifest::{Membership, Role};
use crate::model::verdict::Severity;
use crate::target::postgres::globals::RestoredRoles;

/// What lets a role do what only the server's masters may.
const POWERS: [&str; 5] = ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"];

/// Whether an attribute lets a role do what only the server's masters may.
pub fn is_power(attribute: &str) -> bool {
    POWERS.contains(&attribute)
}

/// The severity of something that only another time of reading explains.
pub fn severity(is_drift: bool) -> Severity {
    if is_drift { Severity::Warning } else { Severity::Error }
}

/// Whether the globals have no such role.
pub fn lost_role(globals: &RestoredRoles, name: &str) -> bool {
    globals.in_manifest && !globals.roles.contains_key(name)
}

/// Whether the globals, too, have this attribute otherwise than the record. One that lets a role do what only the server's
/// masters may is grave whenever it got it.
pub fn attribute(globals: &RestoredRoles, was: &Role, attribute: &str) -> bool {
    let had = was.attributes.contains(attribute);
    let has = globals.roles.get(&was.name).and_then(|role| held(role, attribute));
    globals.in_manifest && has == Some(!had) && (had || !is_power(attribute))
}

fn held(role: &pg_globals::Role, attribute: &str) -> Option<bool> {
    Some(match attribute {
        "SUPERUSER" => role.superuser,
        "INHERIT" => role.inherit,
        "CREATEROLE" => role.create_role,
        "CREATEDB" => role.create_db,
        "LOGIN" => role.login,
        "REPLICATION" => role.replication,
        "BYPASSRLS" => role.bypass_rls,
        _ => return None,
    })
}

/// Whether the globals, too, have this setting otherwise than the record.
pub fn setting(globals: &RestoredRoles, was: &Role, name: &str) -> bool {
    let mut of = globals.settings.iter().filter(|one| one.role == was.name);
    let has = of.find(|one| one.name.eq_ignore_ascii_case(name)).map(|one| plain(&one.values.join(",")));
    globals.in_manifest && has != was.settings.get(name).map(|value| plain(value))
}

/// A list of names has another form in the catalogs than in the globals.
fn plain(value: &str) -> String {
    value.replace('"', "").split(',').map(str::trim).collect::<Vec<_>>().join(",")
}

/// Whether the globals, too, have a membership that the record does not have. One that the record has was there before the
/// globals were written and afterwards, so that globals without it lost it.
pub fn membership(globals: &RestoredRoles, was: Option<&Membership>, member: &str, role: &str) -> bool {
    let has = globals.memberships.iter().any(|one| one.member == member && one.role == role);
    globals.in_manifest && was.is_none() && has
}
