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
    let memberships = vec![member("app", "readers", false), member("app", "pg_monitor", false)];
    Roles { roles, memberships, same_around_globals: true }
}

/// The globals of the sound roles.
fn globals() -> RestoredRoles {
    let sql = "CREATE ROLE app; ALTER ROLE app WITH LOGIN; CREATE ROLE boss; ALTER ROLE boss WITH SUPERUSER LOGIN; \
               CREATE ROLE postgres; CREATE ROLE readers; ALTER ROLE readers WITH NOINHERIT; CREATE ROLE z;";
    let roles = Globals::read(sql.as_bytes()).unwrap().roles;
    RestoredRoles { roles, of_template: vec!["own".to_owned()], ..Default::default() }
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
    let judged = roles::compare(&sound_roles(), &restored, &globals());
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

/// What is found, with its severity, where the record has one text of globals, and the restored server another.
fn between_globals(
    record: &str,
    restored: &str,
    change: impl Fn(&mut RestoredRoles, &mut Roles),
) -> Vec<(&'static str, Severity)> {
    let read = |sql: &str| Globals::read(sql.as_bytes()).unwrap();
    let as_roles = |globals: &Globals| {
        let mut roles = Roles { same_around_globals: true, ..Roles::default() };
        for (name, has) in &globals.roles {
            let attributes = [(has.superuser, "SUPERUSER"), (has.inherit, "INHERIT"), (has.login, "LOGIN")];
            let attributes: Vec<&str> =
                attributes.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
            let mut role = role(name, &attributes);
            for setting in globals.settings.iter().filter(|setting| setting.role == *name) {
                role.settings.insert(setting.name.clone(), setting.values.join(", "));
            }
            roles.roles.push(role);
        }
        let granted = |one: &crate::format::pg_globals::Membership| member(&one.member, &one.role, one.admin);
        roles.memberships = globals.memberships.iter().map(granted).collect();
        roles
    };
    let globals = read(restored);
    let mut made =
        RestoredRoles { roles: globals.roles.clone(), in_manifest: true, ..RestoredRoles::default() };
    let (mut source, mut restored) = (as_roles(&read(record)), as_roles(&globals));
    change(&mut made, &mut source);
    let not_taken = |role: &str, name: &String| {
        made.settings_left_out.iter().any(|(of, left_out)| of == role && left_out == name)
    };
    for role in &mut restored.roles {
        role.settings.retain(|name, _| !not_taken(&role.name, name));
    }
    let judged = roles::compare(&source, &restored, &made);
    judged.findings.into_iter().map(|finding| (finding.code.as_str(), finding.severity)).collect()
}

const RECORD: &str = "CREATE ROLE app; ALTER ROLE app WITH LOGIN; CREATE ROLE readers; CREATE ROLE boss; \
    ALTER ROLE boss WITH SUPERUSER; GRANT readers TO app; ALTER ROLE app SET search_path TO 'a', 'public';";

#[test]
fn an_added_role_that_may_do_much_is_an_error() {
    let with = |attribute: &str| format!("{RECORD} CREATE ROLE ghost; ALTER ROLE ghost WITH {attribute};");
    let of = |attribute| between_globals(RECORD, &with(attribute), |_, _| {});
    assert_eq!(of("LOGIN"), [("role_added", Severity::Warning)]);
    assert_eq!(of("SUPERUSER"), [("role_attribute_differs", Severity::Error)]);
    for attribute in ["CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"] {
        let mut restored = sound_roles();
        restored.roles.push(role("ghost", &[attribute]));
        let judged = roles::compare(&sound_roles(), &restored, &globals());
        assert_eq!(judged.findings[0].code.as_str(), "role_attribute_differs", "{attribute}");
    }
}

#[test]
fn what_the_source_had_otherwise_than_the_globals_is_an_error_unless_an_older_version_recorded_it() {
    let of = |restored: &str, in_manifest, same_around_globals| {
        between_globals(RECORD, restored, |made, source| {
            (made.in_manifest, source.same_around_globals) = (in_manifest, same_around_globals);
        })
    };
    let without = |what: &str| RECORD.replace(what, "");
    for (restored, code) in [
        (without("CREATE ROLE readers;").replace("GRANT readers TO app;", ""), "role_missing"),
        (without("ALTER ROLE app WITH LOGIN;"), "role_attribute_differs"),
        (without("ALTER ROLE app SET search_path TO 'a', 'public';"), "role_setting_differs"),
        (RECORD.replace("'public'", "'b'"), "role_setting_differs"),
        (format!("{RECORD} ALTER ROLE app SET work_mem TO '1GB';"), "role_setting_differs"),
        (without("GRANT readers TO app;"), "membership_missing"),
        (RECORD.replace("TO app;", "TO app WITH ADMIN OPTION;"), "membership_differs"),
        (RECORD.replace("GRANT readers TO app;", "GRANT app TO readers;"), "membership_missing"),
        (format!("{RECORD} GRANT readers TO boss;"), "membership_added"),
    ] {
        assert_eq!(of(&restored, true, true)[0], (code, Severity::Error), "{restored}");
        assert_eq!(of(&restored, false, false)[0], (code, Severity::Error), "other globals: {restored}");
        assert_eq!(of(&restored, true, false)[0], (code, Severity::Warning), "another moment: {restored}");
    }
    let hourly = format!("{RECORD} CREATE ROLE v; GRANT app TO v;");
    let codes = [("role_added", Severity::Warning), ("membership_added", Severity::Warning)];
    assert_eq!(of(&hourly, true, true), codes);
    for (grave, code) in [
        ("GRANT boss TO app;", "membership_added"),
        ("GRANT pg_read_server_files TO app;", "membership_added"),
        ("ALTER ROLE app WITH SUPERUSER LOGIN;", "role_attribute_differs"),
    ] {
        let restored = format!("{RECORD} {grave}");
        assert_eq!(of(&restored, true, false), [(code, Severity::Error)], "at any moment: {grave}");
    }
    assert_eq!(of(RECORD, true, true), []);
}

#[test]
fn a_setting_that_the_server_did_not_take_is_told_by_the_restore_alone() {
    let record = format!("{RECORD} ALTER ROLE app SET lc_time TO 'de_DE.UTF-8';");
    let left_out = |of: &'static str| {
        between_globals(&record, &record, |made, _| {
            made.settings_left_out.insert((of.to_owned(), "lc_time".to_owned()));
        })
    };
    assert_eq!(left_out("app"), []);
    let lost = between_globals(&record, &record.replace("lc_time", "work_mem"), |_, _| {});
    assert_eq!(lost.len(), 2, "{lost:?}");
    let unasked = between_globals(&record, RECORD, |_, _| {});
    assert_eq!(unasked, [("role_setting_differs", Severity::Error)]);
}
