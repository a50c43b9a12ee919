//! Roles, their attributes, settings and memberships.

use std::collections::BTreeMap;

use super::*;
use crate::format::pg_globals::Globals;
use crate::model::manifest::{Membership, Role};

fn role(name: &str, attributes: &[&str]) -> Role {
    Role {
        name: name.to_owned(),
        attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
        connection_limit: -1,
        settings: BTreeMap::new(),
    }
}

fn member(member: &str, role: &str, admin: bool) -> Membership {
    let (role, member) = (role.to_owned(), member.to_owned());
    Membership { role, member, admin, inherit: true, set: true }
}

fn sound_roles() -> Roles {
    let mut app = role("app", &["INHERIT", "LOGIN"]);
    app.connection_limit = 5;
    app.settings.insert("search_path".to_owned(), "a, public".to_owned());
    app.settings.insert("session_preload_libraries".to_owned(), "x".to_owned());
    let roles = vec![
        app,
        role("boss", &["INHERIT", "LOGIN", "SUPERUSER"]),
        role("postgres", &["LOGIN"]),
        role("readers", &[]),
    ];
    Roles { roles, memberships: vec![member("app", "readers", false), member("app", "pg_monitor", false)] }
}

/// The globals of the sound roles.
fn globals() -> RestoredRoles {
    let sql = "CREATE ROLE app; ALTER ROLE app WITH LOGIN; CREATE ROLE boss; ALTER ROLE boss WITH SUPERUSER LOGIN; \
               CREATE ROLE postgres; CREATE ROLE readers; ALTER ROLE readers WITH NOINHERIT; CREATE ROLE z;";
    RestoredRoles { roles: Globals::read(sql.as_bytes()).unwrap().roles, of_template: vec!["own".to_owned()] }
}

fn found_of_roles(change: impl Fn(&mut Roles)) -> Vec<(&'static str, String)> {
    let mut restored = sound_roles();
    // As a drill makes them.
    for role in &mut restored.roles {
        role.attributes.remove("LOGIN");
        role.settings.remove("session_preload_libraries");
        role.connection_limit = -1;
    }
    restored.roles[2].attributes = ["SUPERUSER", "LOGIN", "CREATEDB"].map(str::to_owned).into();
    restored.roles.push(role("own", &["CREATEDB"]));
    restored.roles.push(role("made_up", &[]));
    change(&mut restored);
    let restored = roles::as_in_the_globals(restored, &globals());
    let judged = roles::compare(&sound_roles(), &restored, &globals().of_template);
    judged.findings.into_iter().map(|finding| (finding.code.as_str(), finding.subject)).collect()
}

#[test]
fn what_a_drill_does_to_roles_on_purpose_is_no_difference() {
    assert_eq!(found_of_roles(|_| {}), []);
}

#[test]
fn roles_and_memberships_are_compared() {
    let app = |code| one(code, "role app");
    assert_eq!(found_of_roles(|roles| drop(roles.roles.remove(0))), app("role_missing"));
    assert_eq!(found_of_roles(|roles| roles.roles.push(role("z", &[]))), one("role_added", "role z"));
    let more = |roles: &mut Roles| roles.roles[0].attributes.extend(["CREATEROLE".to_owned()]);
    assert_eq!(found_of_roles(more), app("role_attribute_differs"));
    let less = |roles: &mut Roles| roles.roles[0].attributes.clear();
    assert_eq!(found_of_roles(less), app("role_attribute_differs"));
    assert_eq!(found_of_roles(|roles| roles.roles[0].settings.clear()), app("role_setting_differs"));
    let added =
        |roles: &mut Roles| drop(roles.roles[3].settings.insert("x.y".to_owned(), "secret".to_owned()));
    assert_eq!(found_of_roles(added), one("role_setting_differs", "role readers"));
    assert_eq!(found_of_roles(|roles| drop(roles.memberships.remove(0))), app("membership_missing"));
    assert_eq!(
        found_of_roles(|roles| roles.memberships.push(member("readers", "boss", false))),
        one("membership_added", "role readers")
    );
    assert_eq!(found_of_roles(|roles| roles.memberships[0].admin = true), app("membership_differs"));
    assert_eq!(found_of_roles(|roles| roles.memberships[0].inherit = false), app("membership_differs"));
}
