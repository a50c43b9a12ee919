//! What a template leaves out of a restore, and the SQL that it runs around one.

use std::collections::BTreeSet;

use serde_json::json;

use super::real_server::{RealServer, fetched, lines_below};
use super::site::Site;
use super::world::{Outcome, World};

/// A large table that drills leave out, with all that hangs on its rows; a partition; names that are hostile to a list of
/// entries; and two tables that are restored. Who may do what with them. A view of rows on another server, which a
/// real server reaches and a drill does not: there, whoever connects from the server itself needs a password.
const SHOP: &str = r#"
CREATE TABLE big (id int PRIMARY KEY, word text);
CREATE TABLE orders (id serial PRIMARY KEY, big int REFERENCES big, state text NOT NULL DEFAULT 'open');
CREATE TABLE lines (id int PRIMARY KEY, "order" int REFERENCES orders);
CREATE VIEW words AS SELECT word FROM big WHERE word IS NULL;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM words;
CREATE TABLE events (id int, day int) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (5);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (5) TO (10);
CREATE TABLE "odd
;1 name" (id int);
INSERT INTO big SELECT n, 'w' FROM generate_series(1, 900) n;
INSERT INTO orders (big) SELECT n FROM generate_series(1, 30) n;
INSERT INTO lines SELECT n, n FROM generate_series(1, 20) n;
INSERT INTO events SELECT n, n FROM generate_series(0, 9) n;
INSERT INTO "odd
;1 name" VALUES (1);
REFRESH MATERIALIZED VIEW totals;
CREATE ROLE app;
CREATE ROLE clerk;
CREATE EXTENSION hstore;
GRANT EXECUTE ON FUNCTION akeys(hstore) TO app;
GRANT SELECT, INSERT ON orders, lines TO app;
GRANT UPDATE (id) ON lines TO app;
GRANT UPDATE (id) ON "odd
;1 name" TO app;
CREATE POLICY kept ON orders TO app USING (true);
CREATE POLICY own ON lines TO app USING (true);
ALTER TABLE lines ENABLE ROW LEVEL SECURITY;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app;
SELECT lo_create(4711), lo_create(4712), lo_create(4713);
GRANT SELECT ON LARGE OBJECT 4712 TO app;
ALTER LARGE OBJECT 4713 OWNER TO clerk;
CREATE EXTENSION postgres_fdw;
CREATE ROLE once_superuser SUPERUSER;
CREATE FOREIGN DATA WRAPPER far HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator;
ALTER FOREIGN DATA WRAPPER far OWNER TO once_superuser;
ALTER ROLE once_superuser NOSUPERUSER;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER far OPTIONS (host '127.0.0.1', dbname 'other');
CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS (user 'postgres');
CREATE FOREIGN TABLE elsewhere_ids (id int) SERVER elsewhere OPTIONS (table_name 'lines');
CREATE MATERIALIZED VIEW copied AS SELECT id FROM elsewhere_ids WITH NO DATA;
-- As if it had been filled.
UPDATE pg_class SET relispopulated = true WHERE relname = 'copied';
"#;
const OTHER: &str = "CREATE TABLE lines AS SELECT generate_series(1, 9) AS id";

const IGNORE: &str = r#"
ignore = [
    { kind = "TABLE DATA", name = "public.big" },
    { kind = "TABLE DATA", name = "*.events_1" },
    { kind = "TABLE", name = "public.odd*" },
    { kind = "TABLE", name = "public.nowhere" },
    { kind = "ACL", name = "public.*lines*" },
    { kind = "POLICY", name = "public.lines own" },
    { kind = "ROW SECURITY", name = "public.lines" },
    { kind = "DEFAULT ACL", name = "*" },
    { kind = "BLOB METADATA", name = "4711" },
]
ignore_extensions = ["hstore"]
before_restore = "CREATE ROLE hooked; CREATE SCHEMA hook; CREATE TABLE noted (word text)"
after_restore = [
    "UPDATE orders SET state = 'closed' WHERE id <= 10",
    "INSERT INTO noted SELECT 'secret-4711' FROM orders",
]
"#;
/// What is left out is not missed by it, and no rule about it is judged.
const ACCESS: &str = r#"type = "access"
name = "access"
databases = ["shop"]
rules = [
    { database = "shop", role = "app", table = "lines", may = ["SELECT"], may_not = ["DELETE"] },
    { database = "shop", role = "app", table = "orders", may = ["SELECT"], may_not = ["DELETE"], tried = true },
]
"#;
/// SQL of the template that gives and takes what is not left out.
const CHANGES: [&str; 3] =
    ["REVOKE INSERT ON orders FROM app", "DROP POLICY kept ON orders", "GRANT DELETE ON lines TO app"];

fn not_verified(outcome: &Outcome) -> String {
    outcome.verdict()["not_verified"].to_string()
}

/// The subjects of the findings of the check `access` that have this code.
fn subjects<'a>(outcome: &'a Outcome, code: &str) -> BTreeSet<&'a str> {
    let findings = outcome.check("access")["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["code"] == code)
        .map(|finding| finding["subject"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_left_out_is_listed_and_no_check_takes_it_for_empty() {
    let databases = [("shop", None, SHOP), ("other", None, OTHER), ("third", None, OTHER)];
    let mut site = Site::filled("leaving-out", "DRILL_POSTGRES_17_IMAGE", &databases);
    let world = &mut site.world;
    world
        .rows("orders", "shop", "orders", "exact = 30")
        .rows("events", "shop", "events_2", "exact = 5")
        .sql("closed", "shop", "SELECT count(*) FROM orders WHERE state = 'closed'", "expect = 10")
        .sql("noted", "shop", "SELECT count(*) FROM noted", "expect = 30")
        .sql("role", "shop", "SELECT count(*) FROM pg_roles WHERE rolname = 'hooked'", "expect = 1");
    for kind in ["sequences", "constraints", "amcheck"] {
        world.template.checks.push(format!("type = \"{kind}\"\nname = \"{kind}\"\ndatabases = [\"shop\"]\n"));
    }
    world.template.checks.push(ACCESS.to_owned());
    let backup = site.backup(&["--no-verify"]);
    assert_eq!(backup.code, 0, "{backup}");
    let world = &mut site.world;
    let outcome = world.keys("shop", IGNORE).drill(&[]);
    let verdict = outcome.passed();
    let said = not_verified(&outcome);
    for what in [
        "TABLE DATA public.big is not restored: ignore has TABLE DATA public.big",
        "FK CONSTRAINT public.orders orders_big_fkey is not restored: not all rows of TABLE public.big are restored",
        "MATERIALIZED VIEW DATA public.totals is not restored: not all rows that it reads are restored",
        "TABLE DATA public.events_1 is not restored",
        "TABLE public.odd ;1 name is not restored",
        "ACL public.TABLE lines is not restored",
        "owner, privileges or policies not compared with the source: `ignore` or `ignore_extensions` leaves out",
        "shop.public.lines: a rule about privileges not judged: `ignore` or `ignore_extensions` leaves out",
    ] {
        assert!(said.contains(what), "{what}\n{outcome}");
    }
    assert!(!said.contains("TABLE DATA public.lines"), "{outcome}");
    let repaired = &outcome.database("shop")["pg_restore"]["repaired"];
    assert_eq!(
        (&repaired[0]["what"], &repaired[0]["how"], &repaired[1]),
        (&json!("FOREIGN DATA WRAPPER far"), &json!("given_to_owner"), &json!(null)),
        "{outcome}"
    );
    let told = "all rows are restored, what it could not restore at first (1 entry) too, and 1 view over foreign tables \
                could not be filled";
    assert!(outcome.stdout.contains(told), "{outcome}");
    let not_compared = [
        "shop.public.\"odd ;1 name\"",
        "shop.public.\"odd ;1 name\".id",
        "shop.public.akeys(public.hstore)",
        "shop.public.lines",
        "shop.public.lines.id",
        "shop: default privileges of postgres for tables",
        "shop: large objects of postgres",
    ];
    assert_eq!(subjects(&outcome, "access_left_out"), not_compared.into(), "{outcome}");
    assert_eq!(subjects(&outcome, "object_added"), ["shop.hook", "shop.public.noted"].into(), "{outcome}");
    let warnings = verdict["warnings"].to_string();
    assert!(warnings.contains("shop: ignore: TABLE public.nowhere fits no entry"), "{outcome}");
    let shop = outcome.database("shop");
    assert!(
        shop["left_out"].as_array().unwrap().iter().any(|entry| entry["what"] == "TABLE DATA public.big")
    );
    assert_eq!(shop["table_rows"].get("public.big"), None, "{outcome}");
    let hooks = shop["hooks"].as_array().unwrap();
    let told: Vec<_> = hooks.iter().map(|hook| (&hook["at"], &hook["begins"])).collect();
    assert_eq!(
        told,
        [
            (&json!("before_restore"), &json!("CREATE ROLE hooked …")),
            (&json!("after_restore"), &json!("UPDATE orders SET state …")),
            (&json!("after_restore"), &json!("INSERT INTO noted SELECT …")),
        ]
    );
    assert!(!verdict.to_string().contains("secret-4711"), "{outcome}");

    the_lines_of_fetch_leave_out_what_the_drill_left_out(world);

    // Read through a view by a check that would hold if the table were empty; and a hook that fails, in another database.
    world.keys("other", "after_restore = \"UPDATE lines SET id = 1 / (id - 7)\"");
    // Hooks that change who may do what.
    let changes: String = CHANGES.iter().map(|sql| format!("    \"{sql}\",\n")).collect();
    world.keys("shop", &IGNORE.replace("after_restore = [\n", &format!("after_restore = [\n{changes}")));
    // A hook that would take a table for empty.
    world.keys(
        "third",
        "ignore = [{ kind = \"TABLE DATA\", name = \"public.lines\" }]\nafter_restore = \"CREATE TABLE n AS SELECT * FROM lines\"",
    );
    world.sql("hidden", "shop", "SELECT word FROM words", "empty = true");
    world.template.checks.push(
        "type = \"sql\"\nname = \"parted\"\ndatabase = \"shop\"\nquery = \"SELECT id FROM events WHERE id < 0\"\nempty = true\n"
            .to_owned(),
    );
    let outcome = world.drill(&[]);
    // What is bad takes precedence over what could not be learnt.
    let verdict = outcome.failed(1, "grant_added");
    for (code, subject) in [
        ("grant_added", "shop.public.lines"),
        ("privilege_excess", "shop.public.lines"),
        ("grant_missing", "shop.public.orders"),
        ("policy_missing", "shop.public.orders"),
    ] {
        assert_eq!(subjects(&outcome, code), [subject].into(), "{code}\n{outcome}");
    }
    for database in ["other", "third"] {
        assert_eq!(outcome.database(database)["error"]["code"], "hook_failed", "{outcome}");
    }
    assert!(
        verdict.to_string().contains("after_restore failed with SQLSTATE 22012 at UPDATE lines SET id …"),
        "{outcome}"
    );
    assert_eq!(outcome.database("third")["hooks"][0]["sqlstate"], "55000", "{outcome}");
    assert_eq!(outcome.database("other")["hooks"][0]["sqlstate"], "22012", "{outcome}");
    for (check, table) in [("hidden", "public.big"), ("parted", "public.events_1")] {
        let check = outcome.check(check);
        assert_eq!(check["status"], "error", "{outcome}");
        assert!(
            check["summary"].as_str().unwrap().starts_with(&format!("it reads {table}, which")),
            "{outcome}"
        );
    }
}

/// On a server that is no drill's; what was left out may come after it.
fn the_lines_of_fetch_leave_out_what_the_drill_left_out(world: &World) {
    let fetched = fetched(world, "shop");
    for told in [
        "Note            before_restore of the template: CREATE ROLE hooked …",
        "of the template: INSERT INTO noted SELECT …",
    ] {
        assert!(fetched.stdout.contains(told), "{told}\n{fetched}");
    }
    assert!(!fetched.stdout.contains("Warning") && !fetched.stdout.contains("secret-4711"), "{fetched}");
    let real = RealServer::start(world);
    // As the globals have them.
    real.server.ask("postgres", "CREATE ROLE app; CREATE ROLE clerk; CREATE ROLE once_superuser");
    real.server.ask("postgres", "CREATE DATABASE other");
    real.server.ask("other", OTHER);
    let lines = lines_below(&fetched, "To restore it as the drill did:");
    let (restored, said) = real.run(world, &lines);
    assert!(restored && !said.to_lowercase().contains("error"), "{lines}\n{said}");
    let counts = "SELECT (SELECT count(*) FROM orders WHERE state = 'closed'), (SELECT count(*) FROM noted), \
                  (SELECT count(*) FROM big), (SELECT count(*) FROM events), \
                  (SELECT count(*) FROM pg_class WHERE relname LIKE 'odd%'), \
                  (SELECT relispopulated FROM pg_class WHERE relname = 'totals'), \
                  (SELECT count(*) FROM pg_constraint WHERE conname = 'orders_big_fkey')";
    assert_eq!(real.server.ask("shop", counts), "10|30|0|5|0|f|0");
    let lines = lines_below(&fetched, "Not restored    left out by `ignore`");
    let (restored, said) = real.run(world, &lines);
    assert!(restored && !said.to_lowercase().contains("error"), "{lines}\n{said}");
    assert_eq!(real.server.ask("shop", counts), "10|30|900|10|1|t|1");

    let wrapper = "SELECT fdwowner::regrole, rolsuper FROM pg_foreign_data_wrapper w JOIN pg_roles r ON r.oid = fdwowner \
                   WHERE fdwname = 'far'";
    assert_eq!(real.server.ask("shop", wrapper), "once_superuser|f");
    let is_filled = "SELECT relispopulated FROM pg_class WHERE relname = 'copied'";
    assert_eq!(real.server.ask("shop", is_filled), "f");
    let lines = lines_below(&fetched, "Not restored    not filled, since");
    let (restored, said) = real.run(world, &lines);
    assert!(restored && !said.to_lowercase().contains("error"), "{lines}\n{said}");
    assert_eq!(real.server.ask("shop", "SELECT count(*), sum(id) FROM copied"), "9|45");
}
