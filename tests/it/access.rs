//! Who may do what: read of a source, recorded by a backup, and compared with what was restored.

use restore_drill::model::manifest::{Access, Manifest, Recorded, Roles};
use restore_drill::target::postgres::privileges::{Privilege, Privileges, Question, Tried};

use super::site::{Site, opened};
use super::world::{RUNTIME, docker_bytes};

/// Something of every kind that has an owner, privileges or policies.
const RICH: &str = r#"
CREATE ROLE owner_a CREATEDB;
CREATE ROLE readers;
CREATE ROLE admins CREATEROLE;
CREATE ROLE app LOGIN NOINHERIT CONNECTION LIMIT 5;
CREATE ROLE runner IN ROLE pg_execute_server_program;
CREATE ROLE maker CREATEROLE;
SET ROLE maker;
CREATE ROLE made;
RESET ROLE;
GRANT readers TO app WITH ADMIN OPTION;
GRANT admins TO app;
ALTER ROLE app SET search_path = a, public;
CREATE EXTENSION hstore;
CREATE EXTENSION postgres_fdw;
GRANT EXECUTE ON FUNCTION akeys(hstore) TO app;
REVOKE EXECUTE ON FUNCTION avals(hstore) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO app;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
CREATE SCHEMA a AUTHORIZATION owner_a;
CREATE SCHEMA shut;
CREATE TABLE shut.t (id int);
GRANT SELECT ON shut.t TO app;
GRANT USAGE ON SCHEMA a TO app, readers;
SET ROLE owner_a;
CREATE TABLE a.t (id serial PRIMARY KEY, numbered int GENERATED ALWAYS AS IDENTITY, secret text, "odd.name" text);
CREATE TABLE a.part (id int, d int) PARTITION BY RANGE (d);
CREATE TABLE a.part1 PARTITION OF a.part FOR VALUES FROM (1) TO (9);
CREATE VIEW a.v AS SELECT id FROM a.t;
CREATE MATERIALIZED VIEW a.m AS SELECT 1 AS n;
CREATE FUNCTION a.f(int, text DEFAULT 'x', OUT o int) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE a.p(INOUT x int) LANGUAGE plpgsql AS 'BEGIN END';
CREATE TYPE a.mood AS ENUM ('x');
CREATE TYPE a.span AS RANGE (subtype = float8);
CREATE DOMAIN a.positive AS int;
CREATE STATISTICS a.both ON id, secret FROM a.t;
REVOKE USAGE ON TYPE a.mood FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION a.f(int, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION a.f(int, text) TO app;
GRANT SELECT, INSERT ON a.t TO app;
GRANT UPDATE (secret), SELECT ("odd.name") ON a.t TO readers;
GRANT SELECT ON a.part TO readers WITH GRANT OPTION;
REVOKE DELETE ON a.part1 FROM owner_a;
GRANT DELETE ON a.t TO admins, made;
GRANT ALL ON a.m TO PUBLIC;
GRANT USAGE ON SEQUENCE a.t_id_seq TO app;
ALTER DEFAULT PRIVILEGES IN SCHEMA a GRANT SELECT ON TABLES TO app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER TABLE a.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON a.t FOR SELECT TO app, readers USING (secret = current_setting('app.tenant', true));
CREATE POLICY ins ON a.t AS RESTRICTIVE FOR INSERT WITH CHECK (EXISTS (SELECT FROM a.part WHERE d = id));
SET ROLE readers;
GRANT SELECT ON a.part TO app;
RESET ROLE;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
ALTER SERVER elsewhere OWNER TO owner_a;
GRANT USAGE ON FOREIGN SERVER elsewhere TO app;
SELECT lo_create(4711), lo_create(4712);
ALTER LARGE OBJECT 4711 OWNER TO owner_a;
GRANT SELECT ON LARGE OBJECT 4712 TO app;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$never$$; END';
CREATE TRIGGER never BEFORE INSERT ON a.t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"#;

/// Everything is compared, and the server is asked for more.
const CHECK: &str = r#"type = "access"
name = "access"
require_manifest = true
rules = [
    { database = "rich", role = "app", table = "a.t", may = ["SELECT", "INSERT"], may_not = ["TRUNCATE"] },
    { database = "rich", role = "app", table = "a.t", may = ["SELECT"], may_not = ["UPDATE"], columns = ["numbered"], tried = true },
    { database = "rich", role = "nobody", table = "a.t", may = ["SELECT"], if_role_exists = true },
]
"#;

fn access(site: &Site, database: &str) -> Access {
    RUNTIME.block_on(site.source.server.access(&database.parse().unwrap())).unwrap()
}

/// Dumps a database as it is, and restores it beside itself with owners and privileges.
fn restored_beside(site: &Site, database: &str, other: &str) {
    let server = &site.source.server.container;
    let dump = docker_bytes(&["exec", "-i", server, "pg_dump", "-U", "postgres", "-Fc", database], b"");
    docker_bytes(&["exec", "-i", server, "createdb", "-U", "postgres", "-T", "template0", other], b"");
    docker_bytes(&["exec", "-i", server, "pg_restore", "-U", "postgres", "-d", other], &dump);
}

fn asked(site: &Site, table: &str, columns: &[&str], privileges: &[Privilege]) -> Privileges {
    asked_as("app", site, table, columns, privileges)
}

fn asked_as(role: &str, site: &Site, table: &str, columns: &[&str], privileges: &[Privilege]) -> Privileges {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let table = table.parse().unwrap();
    let privileges = privileges.to_vec();
    let tried = privileges.iter().all(|privilege| privilege.can_be_tried());
    let question = Question { role, table: &table, columns: &columns, privileges, tried };
    let limit = std::time::Duration::from_secs(20);
    RUNTIME.block_on(site.source.server.privileges(&"rich".parse().unwrap(), &question, limit)).unwrap()
}

#[test]
fn what_a_source_says_of_access_is_recorded_and_is_the_same_after_a_restore() {
    for (name, variable) in
        [("access-17", "DRILL_POSTGRES_17_IMAGE"), ("access-15", "DRILL_POSTGRES_15_IMAGE")]
    {
        let mut site = Site::filled(name, variable, &[("rich", None, RICH)]);
        site.world.template.checks.push(CHECK.to_owned());
        restored_beside(&site, "rich", "back");
        let (rich, back) = (access(&site, "rich"), access(&site, "back"));
        // The database itself is made by whoever restores it.
        assert_eq!(
            Access { owner: None, grants: Vec::new(), ..rich.clone() },
            Access { owner: None, grants: Vec::new(), ..back }
        );
        let text = serde_json::to_string_pretty(&rich).unwrap();
        for known in [
            "\"a.t.\\\"odd.name\\\"\"",
            "\"a.f(integer,text)\"",
            "\"pg_catalog.pg_sleep(double precision)\"",
            "\"public.avals(public.hstore)\"",
            "\"elsewhere\"",
            "\"a.both\"",
        ] {
            assert!(text.contains(known), "{known}: {text}");
        }
        if name == "access-17" {
            recorded_by_a_backup(&site, &rich);
            rules_are_asked_and_tried(&site);
        } else {
            whoever_makes_roles_can_have_any(&site);
        }
    }
}

fn recorded_by_a_backup(site: &Site, rich: &Access) {
    let backup = site.backup(&["--no-verify"]);
    assert_eq!(backup.code, 0, "{backup}");
    let objects = site.objects();
    let (_, path) = objects.iter().find(|(key, _)| key.contains("/manifest_")).expect("there is a manifest");
    let manifest = Manifest::parse(&opened(&site.world, path)).unwrap();
    assert_eq!(manifest.databases[0].access, Some(Recorded::Read(rich.clone())), "read by the same queries");
    let roles = RUNTIME.block_on(site.source.server.roles()).unwrap();
    let app = roles.roles.iter().find(|role| role.name == "app").expect("it is there");
    assert_eq!((app.connection_limit, &*app.settings["search_path"]), (5, "a, public"));
    let of_app = roles.memberships.iter().filter(|one| one.member == "app");
    let memberships: Vec<(&str, bool, bool)> =
        of_app.map(|one| (one.role.as_str(), one.admin, one.inherit)).collect();
    assert_eq!(memberships, [("admins", false, false), ("readers", true, false)]);
    let roles = Roles { same_around_globals: true, ..roles };
    assert_eq!(manifest.roles, Some(Recorded::Read(roles)));
}

/// Up to PostgreSQL 15, CREATEROLE is enough to grant a role to itself; also for who can become one that has it.
fn whoever_makes_roles_can_have_any(site: &Site) {
    for role in ["maker", "app"] {
        let held = asked_as(role, site, "a.t", &[], &[Privilege::Delete]).of(Privilege::Delete);
        assert_eq!((held.anywhere, held.tried), (false, Some(Tried::Refused)), "{role}");
        for other in ["made", "owner_a"] {
            assert!(held.as_another.iter().any(|name| name == other), "{role}: {:?}", held.as_another);
        }
        assert!(held.as_another.iter().all(|name| name != "postgres"), "no superuser: {:?}", held.as_another);
        assert_eq!(held.as_owner.as_deref(), Some("owner_a"), "{role}");
        assert_eq!(held.through_files.as_deref(), Some("pg_execute_server_program"), "{role}");
    }
    // A group that makes no roles stays what it is.
    let readers = asked_as("readers", site, "a.t", &[], &[Privilege::Delete]).of(Privilege::Delete);
    assert_eq!((readers.as_another, readers.as_owner, readers.through_files), (vec![], None, None));
}

fn rules_are_asked_and_tried(site: &Site) {
    use Privilege::{Delete, Insert, Select, Truncate, Update};
    let table = asked(site, "a.t", &[], &[Select, Insert, Update, Delete]);
    let tried = |privilege| table.of(privilege).tried.expect("it was tried");
    assert_eq!([Select, Insert].map(tried), [Tried::Done, Tried::Done], "no trigger fires: {table:?}");
    assert_eq!([Update, Delete].map(tried), [Tried::Refused, Tried::Refused]);
    assert!(table.of(Select).everywhere && table.of(Insert).everywhere && !table.of(Update).anywhere);
    assert_eq!(
        (table.of(Update).as_another, table.of(Delete).as_another),
        (vec!["readers".to_owned()], vec!["admins".to_owned()])
    );
    let maker = asked_as("maker", site, "a.t", &[], &[Delete]);
    assert_eq!(maker.of(Delete).tried, Some(Tried::Refused));
    assert_eq!(maker.of(Delete).as_another, ["made"], "it may grant the role to itself");
    assert_eq!((maker.of(Delete).as_owner, maker.of(Delete).through_files), (None, None));
    let owner = asked_as("owner_a", site, "a.part1", &[], &[Delete]).of(Delete);
    assert_eq!(
        (owner.anywhere, owner.as_owner.as_deref()),
        (false, Some("owner_a")),
        "it may grant it to itself"
    );
    let runner = asked_as("runner", site, "a.t", &[], &[Delete]).of(Delete);
    assert_eq!((runner.as_another, runner.as_owner), (vec![], None));
    assert_eq!(runner.through_files.as_deref(), Some("pg_execute_server_program"));
    let column = asked(site, "a.t", &["secret"], &[Select, Update]);
    assert_eq!(column.of(Select).tried, Some(Tried::Done));
    assert_eq!(column.of(Update).tried, Some(Tried::Refused));
    assert_eq!(asked(site, "a.t", &["none"], &[Select]).absent_columns, ["none"]);
    let shut = asked(site, "shut.t", &[], &[Select]);
    assert_eq!((shut.may_use_schema, shut.of(Select).everywhere), (false, true));
    assert_eq!(shut.of(Select).tried, Some(Tried::Refused), "the schema is in the way");
    let all = asked(site, "a.m", &[], &[Truncate]);
    assert_eq!((all.of(Truncate).everywhere, all.of(Truncate).tried), (true, None));
    assert!(!asked(site, "a.nowhere", &[], &[Select]).table_exists);
}
