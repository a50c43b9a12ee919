//! Dumps in other formats than the custom one: plain SQL, tar, a directory in a tar file. Made by the real `pg_dump`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::fixtures::{BYTES, IDENTITY, LATIN_1, LEDGER, ODDITIES, REGISTRY, Source};
use super::world::{World, docker, docker_bytes, seal};

/// A function, a trigger that adds rows of its own, rows that look like the end of a dump or like commands, a large object.
const SHOP: &str = r#"
CREATE ROLE clerk;
CREATE TABLE orders (id int PRIMARY KEY, note text);
CREATE TABLE history (id serial PRIMARY KEY, of_order int REFERENCES orders);
CREATE TABLE empty_on_purpose (id int);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $_$
BEGIN INSERT INTO public.history (of_order) VALUES (NEW.id); RETURN NULL; END
$_$;
CREATE TRIGGER remember AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION remember();
INSERT INTO orders SELECT n, '-- PostgreSQL database dump complete' FROM generate_series(1, 30) n;
INSERT INTO orders VALUES (31, E'\\! touch /tmp/x\n\\.'), (32, NULL);
SELECT lo_from_bytea(0, decode('deadbeef', 'hex'));
GRANT SELECT ON orders TO clerk;
ALTER TABLE history OWNER TO clerk;
"#;

static DUMPS: LazyLock<BTreeMap<&'static str, Vec<u8>>> = LazyLock::new(|| {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let own = ["--locale=C", "--template=template0"];
    for (name, options, sql) in [
        ("shop", &[][..], SHOP),
        ("identity", &[], IDENTITY),
        ("Reg 'istry", &[], REGISTRY),
        ("ledger", &[], LEDGER),
        ("oddities", &[], ODDITIES),
        ("latin", &[&own[..], &["--encoding=LATIN1"]].concat(), LATIN_1),
        ("bytes", &[&own[..], &["--encoding=SQL_ASCII"]].concat(), BYTES),
    ] {
        let create = ["exec", &source.container, "createdb", "-h127.0.0.1", "-Upostgres", name];
        docker(&[&create[..], options].concat());
        source.ask(name, sql);
    }
    let dump = |options: &[&str], name: &str| {
        let pg_dump = ["exec", &source.container, "pg_dump", "-h127.0.0.1", "-Upostgres", name];
        docker_bytes(&[&pg_dump[..], options].concat(), b"")
    };
    dump(&["--format=directory", "--file=/tmp/shop.d"], "shop");
    [
        ("plain", dump(&[], "shop")),
        ("identity", dump(&[], "identity")),
        ("create", dump(&["--create"], "Reg 'istry")),
        ("inserts", dump(&["--inserts", "--no-owner", "--no-privileges"], "shop")),
        ("oddities", dump(&[], "oddities")),
        ("latin", dump(&[], "latin")),
        ("bytes", dump(&[], "bytes")),
        ("tar", dump(&["--format=tar"], "shop")),
        (
            "server",
            docker_bytes(
                &[
                    "exec",
                    &source.container,
                    "pg_dumpall",
                    "-h127.0.0.1",
                    "-Upostgres",
                    "--clean",
                    "--if-exists",
                ],
                b"",
            ),
        ),
        ("packed", docker_bytes(&["exec", &source.container, "tar", "-cC/tmp", "shop.d"], b"")),
    ]
    .into()
});

#[test]
fn sound_dumps_of_every_format_restore() {
    let mut world = World::new("formats");
    for (name, dump) in DUMPS.iter().filter(|(name, _)| **name != "server") {
        world.dumped(name, &[], dump);
    }
    // Two databases of one dump of a whole server, under their names there.
    for name in ["ledger", "postgres"] {
        world.dumped(name, &[], &DUMPS["server"]);
    }
    world.rows("ledger", "ledger", "entries", "exact = 11");
    for name in ["plain", "inserts", "tar", "packed"] {
        world.rows(&format!("orders-{name}"), name, "orders", "exact = 32");
        world.rows(&format!("history-{name}"), name, "history", "exact = 32");
    }
    world
        .rows("users", "identity", "users", "exact = 50")
        .rows("events", "create", "events", "exact = 10")
        .rows("measurements", "oddities", "measurements", "exact = 3")
        .rows("latin", "latin", "straße", "exact = 2")
        .rows("bytes", "bytes", "words", "exact = 2")
        .sql(
            "role",
            "plain",
            "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'clerk'",
            "expect = \"false\"",
        );
    world.template.checks.push("type = \"objects\"\nname = \"objects\"".to_owned());
    let planned = world.drill(&["--dry-run"]);
    assert_eq!(planned.code, 0, "{planned}");
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    for (name, format) in [
        ("plain", "plain SQL"),
        ("create", "plain SQL"),
        ("ledger", "plain SQL of a whole server"),
        ("tar", "1.16, tar"),
        ("packed", "1.16, directory in a tar file"),
    ] {
        assert_eq!(outcome.database(name)["archive"]["format"], format, "{name}");
    }
    assert_eq!(outcome.database("create")["archive"]["database"], "Reg 'istry");
    assert_eq!(outcome.database("plain")["archive"]["database"], "");
    assert_eq!(outcome.database("plain")["pg_restore"]["outcome"], "clean", "{outcome}");
    let said = verdict["not_verified"].to_string();
    assert!(said.contains("plain: the dump does not say which database"), "{said}");
    assert!(!said.contains("create: the dump does not say which database"), "{said}");
    world.assert_nothing_left();
}

/// As `pg_dump` writes it, of an extension that no image has.
const LACKS_EXTENSION: &str =
    "--\n-- Name: nowhere; Type: EXTENSION; Schema: -; Owner: -\n--\n\nCREATE EXTENSION nowhere;";

/// To the eye a string, and to `psql` a command, since the server tells it that a backslash escapes.
const HIDES_COMMAND: &str = "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);\n\
    SELECT 'x\\', ';\n\\! touch /tmp/was-here\n--';";

/// Rows that are read, and not kept.
const SWALLOWS_ROWS: &str = "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN RETURN NULL; END';\n\
    CREATE TRIGGER swallow BEFORE INSERT ON public.history FOR EACH ROW EXECUTE FUNCTION public.swallow();";

#[test]
fn dumps_that_are_broken_in_their_own_ways_fail_for_that_reason() {
    let mut world = World::new("formats-broken");
    let plain = std::str::from_utf8(&DUMPS["plain"]).unwrap();
    let at = |text: &str| plain.find(text).unwrap_or_else(|| panic!("{text}"));
    let within_rows = at("COPY public.orders") + 300;
    let inserted = |before: &str, what: &str| {
        let (head, tail) = plain.split_at(at(before));
        format!("{head}{what}\n{tail}").into_bytes()
    };
    let tar = &DUMPS["tar"];
    let packed = &DUMPS["packed"];
    let rows = "COPY public.orders";
    let cases = [
        ("cut", plain.as_bytes()[..within_rows].to_vec(), "dump_incomplete"),
        (
            "cut-at-end",
            plain.as_bytes()[..at("\n-- PostgreSQL database dump complete")].to_vec(),
            "dump_incomplete",
        ),
        ("command", inserted(rows, "\\! touch /scratch/was-here"), "dump_runs_commands"),
        ("carriage-return", inserted(rows, "-- x\r\\! touch /scratch/was-here"), "dump_runs_commands"),
        ("hidden", inserted(rows, HIDES_COMMAND), "dump_runs_commands"),
        ("connect", inserted(rows, "\\connect postgres"), "dump_switches_database"),
        ("error", inserted(rows, "SELECT 'a secret'::int;"), "restore_failed"),
        ("extension", inserted(rows, LACKS_EXTENSION), "extension_missing"),
        ("trigger", inserted("COPY public.history", SWALLOWS_ROWS), "rows_not_restored"),
        ("dropped", DUMPS["server"].clone(), "database_not_in_cluster"),
        ("server-cut", DUMPS["server"][..DUMPS["server"].len() - 200].to_vec(), "dump_incomplete"),
        ("tar-cut", tar[..tar.len() / 2].to_vec(), "dump_truncated"),
        ("packed-cut", packed[..packed.len() / 2].to_vec(), "dump_truncated"),
    ];
    for (name, dump, _) in &cases {
        world.dumped(name, &[], dump).tables(name, name, &["orders"]);
    }
    world.dumped("whole", &[], &DUMPS["plain"]).rows("whole", "whole", "orders", "exact = 32");
    let outcome = world.drill(&[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    for (name, _, code) in &cases {
        let database = outcome.database(name);
        assert_eq!(
            (&database["status"], &database["error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{name}\n{outcome}"
        );
    }
    let hidden = outcome.database("hidden");
    let message = hidden["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("backslash commands are restricted"),
        "psql refuses what only it can see: {message}"
    );
    for name in ["cut", "cut-at-end", "command", "carriage-return", "connect"] {
        assert_eq!(outcome.database(name)["pg_restore"], Value::Null, "{name}: nothing was run");
    }
    let error = outcome.database("error");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("psql: error: ERROR:") && !message.contains("a secret"), "{message}");
    assert_eq!(outcome.database("whole")["status"], "restored", "one run tells all there is to tell");
    assert_eq!(outcome.check("whole")["status"], "pass");
    world.assert_nothing_left();
}

/// A dump of a whole server, of PostgreSQL 15 and 17: its roles come without their passwords, and each database from its part.
#[test]
fn a_whole_server_is_drilled_as_one() {
    let mut world = World::new("cluster");
    for (major, cluster) in [("15", "old"), ("17", "new")] {
        let path = format!("{}/tests/fixtures/plain/pg{major}-cluster.sql", env!("CARGO_MANIFEST_DIR"));
        let sealed = seal(&std::fs::read(path).unwrap(), &[&world.recipient]);
        world.put(&format!("{}{cluster}/dump_20260517_083111.sql.age", world.prefix), &sealed);
    }
    world.template.more.push_str(
        "[[clusters]]\nname = \"new\"\ntimestamp = \"%Y%m%d_%H%M%S\"\n\
         key = \"{database}/dump_{timestamp}.sql.age\"\ndatabases = [\"first\", \"postgres\"]\n",
    );
    world.tables("tables", "first", &["trap"]).rows("rows", "first", "trap", "exact = 8").sql(
        "locked-out",
        "first",
        "SELECT rolcanlogin OR rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'auditor'",
        "expect = false",
    );
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let cluster = &verdict["clusters"][0];
    assert_eq!(cluster["databases"], json!(["first", "postgres"]), "{outcome}");
    assert_eq!((&cluster["name"], &cluster["status"]), (&json!("new"), &json!("restored")));
    assert_eq!(cluster["rows"], verdict["rows_verified"], "{outcome}");
    let beside = "cluster new: its dump also has databases that are not drilled: Second DB";
    assert!(verdict["not_verified"].as_array().unwrap().contains(&json!(beside)), "{outcome}");

    // A database that is gone from the dump.
    world.template.more =
        world.template.more.replace("\"postgres\"", "\"lost\"").replace("\"new\"", "\"old\"");
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "database_not_in_cluster");
    assert_eq!(verdict["clusters"][0]["status"], "failed", "{outcome}");
    assert_eq!(outcome.database("first")["status"], "restored", "{outcome}");
    world.assert_nothing_left();
}
