use super::*;

fn globals(sql: &str) -> Globals {
    Globals::read(format!("CREATE ROLE a; {sql}").as_bytes()).unwrap()
}

fn sql(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.sql.as_str()).collect()
}

#[test]
fn no_role_can_log_in_and_the_drills_own_is_left_as_it_is() {
    let globals = globals(
        "ALTER ROLE a WITH SUPERUSER LOGIN REPLICATION PASSWORD 'x' CONNECTION LIMIT 1; \
         CREATE ROLE \"b\"\"; DROP DATABASE x; --\"; CREATE ROLE postgres; ALTER ROLE postgres WITH NOSUPERUSER; CREATE ROLE pg_evil;",
    );
    let steps = roles(&globals, &["a".to_owned()]);
    assert_eq!(
        sql(&steps),
        [
            "ALTER ROLE \"a\" WITH NOLOGIN NOREPLICATION SUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOBYPASSRLS",
            "CREATE ROLE \"b\"\"; DROP DATABASE x; --\" WITH NOLOGIN NOREPLICATION NOSUPERUSER INHERIT \
             NOCREATEROLE NOCREATEDB NOBYPASSRLS",
        ]
    );
    let told: Vec<String> = globals.roles.iter().filter_map(|(name, role)| not_made(name, role)).collect();
    assert!(
        matches!(&told[..], [pg, own] if pg.contains("pg_evil") && own.contains("no superuser")),
        "{told:?}"
    );
}

#[test]
fn memberships_keep_their_options() {
    let globals = globals(
        "GRANT a TO \"B c\" WITH ADMIN OPTION, INHERIT FALSE, SET TRUE GRANTED BY admin; GRANT a TO d;",
    );
    let steps = memberships(&globals);
    assert_eq!(
        sql(&steps),
        [
            "GRANT \"a\" TO \"B c\" WITH ADMIN OPTION, INHERIT FALSE, SET TRUE GRANTED BY \"admin\"",
            "GRANT \"a\" TO \"d\"",
        ]
    );
    let plain = "GRANT \"a\" TO \"B c\" WITH ADMIN OPTION, INHERIT FALSE, SET TRUE";
    assert_eq!(steps[0].otherwise.as_deref(), Some(plain));
}

#[test]
fn a_role_that_was_granted_twice_keeps_what_both_gave() {
    let globals = globals(
        "GRANT a TO b WITH ADMIN OPTION, INHERIT FALSE GRANTED BY admin; \
         GRANT a TO b WITH INHERIT TRUE, SET FALSE GRANTED BY postgres; GRANT a TO c WITH INHERIT FALSE GRANTED BY postgres;",
    );
    let steps = memberships(&globals);
    let both = "GRANT \"a\" TO \"b\" WITH ADMIN OPTION, INHERIT TRUE, SET TRUE";
    assert_eq!(
        sql(&steps),
        [
            "GRANT \"a\" TO \"b\" WITH ADMIN OPTION, INHERIT FALSE, SET TRUE GRANTED BY \"admin\"",
            both,
            "GRANT \"a\" TO \"c\" WITH INHERIT FALSE, SET TRUE",
        ]
    );
    assert_eq!((steps[0].otherwise.as_deref(), steps[1].otherwise.as_deref()), (Some(both), None));
}

#[test]
fn settings_that_run_code_or_are_the_superusers_are_left_out_without_their_values() {
    let globals = globals(
        "ALTER ROLE a SET session_preload_libraries TO 'secret'; ALTER ROLE a SET search_path TO 'x', 'y''z'; \
         ALTER ROLE postgres SET search_path TO 'secret'; ALTER ROLE a SET role TO 'postgres'; \
         ALTER ROLE a SET statement_timeout TO '30s';",
    );
    let (steps, refused) = settings(&globals);
    assert_eq!(
        sql(&steps),
        [
            "ALTER ROLE \"a\" SET \"search_path\" TO 'x', 'y''z'",
            "ALTER ROLE \"a\" SET \"statement_timeout\" TO '30s'",
        ]
    );
    assert_eq!(
        refused,
        [
            "setting session_preload_libraries of role a",
            "setting search_path of role postgres",
            "setting role of role a",
        ]
    );
}

#[test]
fn comments_labels_and_privileges_on_settings_are_quoted() {
    let globals = globals(
        "COMMENT ON ROLE a IS 'it''s'; SECURITY LABEL FOR \"p q\" ON ROLE a IS 'x'; \
         GRANT SET,ALTER SYSTEM ON PARAMETER my.x TO PUBLIC; GRANT ALL ON PARAMETER work_mem TO a WITH GRANT OPTION;",
    );
    assert_eq!(
        sql(&words(&globals)),
        [
            "COMMENT ON ROLE \"a\" IS 'it''s'",
            "SECURITY LABEL FOR \"p q\" ON ROLE \"a\" IS 'x'",
            "GRANT SET, ALTER SYSTEM ON PARAMETER \"my\".\"x\" TO PUBLIC",
            "GRANT SET, ALTER SYSTEM ON PARAMETER \"work_mem\" TO \"a\" WITH GRANT OPTION",
        ]
    );
}

#[test]
fn roles_that_nobody_made_are_known() {
    let restored =
        RestoredRoles { roles: globals("").roles, of_template: vec!["t".to_owned()], ..Default::default() };
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let absent =
        restored.absent(NamedRoles { needed: of(&["a", "postgres", "x"]), granted: of(&["t", "y"]) });
    assert_eq!(absent, NamedRoles { needed: of(&["x"]), granted: of(&["y"]) });
}
