use super::*;

/// By `pg_dumpall` 17.12, but for its blank lines.
const OF_17: &str = r#"--
-- PostgreSQL database cluster dump
--

\restrict 3ZpVVrPMKRr7N0fMHNwgwa2icBRftc2jAj6fl1to7FbqneDs4fS8552NTFYuH9g

SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
--
-- Roles
--
CREATE ROLE "Odd ""role";
ALTER ROLE "Odd ""role" WITH NOSUPERUSER NOINHERIT CREATEROLE CREATEDB NOLOGIN REPLICATION BYPASSRLS;
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5 VALID UNTIL '2030-01-01 00:00:00+00';
COMMENT ON ROLE app IS 'multi
line; ''x''';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;
SECURITY LABEL FOR anon ON ROLE app IS 'MASKED';
--
-- User Config "app"
--
ALTER ROLE app SET search_path TO 'public', 'Odd s';
ALTER ROLE app SET "my.x" TO E'it''s \\ 7';
--
-- Role memberships
--
GRANT app TO "Odd ""role" WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT pg_read_all_data TO app WITH INHERIT TRUE GRANTED BY postgres;
GRANT ALL ON PARAMETER work_mem TO app WITH GRANT OPTION;
SET SESSION AUTHORIZATION app;
GRANT SET ON PARAMETER my.x TO PUBLIC;
RESET SESSION AUTHORIZATION;

\unrestrict 3ZpVVrPMKRr7N0fMHNwgwa2icBRftc2jAj6fl1to7FbqneDs4fS8552NTFYuH9g

--
-- PostgreSQL database cluster dump complete
--
"#;

fn of(sql: &str) -> Globals {
    Globals::read(format!("CREATE ROLE a; {sql}").as_bytes()).unwrap()
}

#[test]
fn what_pg_dumpall_writes_is_read() {
    let globals = Globals::read(OF_17.as_bytes()).unwrap();
    assert_eq!(globals.left_out, Vec::<String>::new());
    let odd = Role {
        inherit: false,
        create_role: true,
        create_db: true,
        replication: true,
        bypass_rls: true,
        ..Role::default()
    };
    assert_eq!(globals.roles["Odd \"role"], odd);
    assert_eq!(globals.roles["app"], Role { login: true, ..Role::default() });
    assert!(globals.roles["postgres"].superuser);
    assert_eq!(globals.comments[0].text, "multi\nline; 'x'");
    assert_eq!((&*globals.labels[0].provider, &*globals.labels[0].label), ("anon", "MASKED"));
    let settings: Vec<_> = globals.settings.iter().map(|s| (&*s.name, s.values.join("|"))).collect();
    assert_eq!(settings, [("search_path", "public|Odd s".to_owned()), ("my.x", "it's \\ 7".to_owned())]);
    let membership = |role: &str, member: &str, admin, inherit, set| Membership {
        role: role.to_owned(),
        member: member.to_owned(),
        admin,
        inherit,
        set,
        grantor: Some("postgres".to_owned()),
    };
    let memberships = [
        membership("app", "Odd \"role", true, Some(false), Some(false)),
        membership("pg_read_all_data", "app", false, Some(true), None),
    ];
    assert_eq!(globals.memberships, memberships);
    let [all, one] = &globals.parameters[..] else { panic!("{globals:?}") };
    assert!(all.set && all.alter_system && all.grantable && all.grantee.as_deref() == Some("app"));
    assert!(one.set && !one.alter_system && !one.grantable && one.grantee.is_none());
    assert_eq!(one.parameter, ["my", "x"]);
}

#[test]
fn older_and_other_forms_are_read() {
    let globals = of(
        "ALTER ROLE a WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$x'; GRANT b TO a WITH ADMIN OPTION GRANTED BY a; \
         GRANT c TO a GRANTED BY a; GRANT d TO a; DROP ROLE IF EXISTS z;",
    );
    assert!(globals.roles["a"].superuser && globals.roles["a"].login);
    let read: Vec<_> = globals.memberships.iter().map(|m| (&*m.role, m.admin, m.grantor.is_some())).collect();
    assert_eq!(read, [("b", true, true), ("c", false, true), ("d", false, false)]);
    assert_eq!(globals.left_out, Vec::<String>::new());
}

#[test]
fn what_is_no_statement_about_roles_is_left_out_and_named_without_its_texts() {
    let globals = of(
        "CREATE TABLESPACE fast OWNER a LOCATION '/secret'; DO $$ BEGIN x; END $$; ALTER ROLE a WITH SHOES; \
         SELECT pg_read_file('/secret'); GRANT a TO b, c; ALTER ROLE ghost WITH LOGIN;",
    );
    assert_eq!(globals.roles.len(), 1);
    assert_eq!(globals.memberships, []);
    assert_eq!(
        globals.left_out,
        [
            "CREATE TABLESPACE FAST OWNER …",
            "DO $$ BEGIN X …",
            "END $$ …",
            "ALTER ROLE A WITH …",
            "SELECT PG_READ_FILE ( '…' …",
            "GRANT A TO B …",
            "ALTER ROLE GHOST WITH …",
        ]
    );
}

#[test]
fn what_is_cut_off_or_another_programs_is_told_apart() {
    let error = |file: &[u8]| Globals::read(file).unwrap_err();
    for at in 40..OF_17.len() - 12 {
        if !OF_17[..at].contains("dump complete") {
            assert_eq!(error(&OF_17.as_bytes()[..at]), GlobalsError::CutOff, "{at}");
        }
    }
    assert_eq!(error(b"CREATE ROLE a; CREATE ROLE \"b"), GlobalsError::CutOff);
    assert_eq!(error(b"CREATE ROLE a; ALTER ROLE a SET x TO 'b;"), GlobalsError::CutOff);
    assert_eq!(error(b"CREATE ROLE \xe9;"), GlobalsError::Encoding);
    assert_eq!(error(b"SET client_encoding = 'LATIN1'; CREATE ROLE a;"), GlobalsError::Encoding);
    assert_eq!(error(b"SET standard_conforming_strings = off; CREATE ROLE a;"), GlobalsError::Quoting);
    for file in
        ["", "PGDMP", "SELECT 1;", "CREATE ROLE a;\n\\connect b\n", "\\! reboot\n", "CREATE ROLE a\0;"]
    {
        let told = error(file.as_bytes());
        assert!(matches!(told, GlobalsError::Foreign(_) | GlobalsError::CutOff), "{file}: {told}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_makes_the_reader_panic(
        text in "(CREATE ROLE|ALTER ROLE|GRANT| a|;|'|\"|E'|--|\n|\\\\|WITH|SET| TO|,|=|\\PC){0,40}",
    ) {
        let _ = Globals::read(text.as_bytes());
    }
}
