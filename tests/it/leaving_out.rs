//! What a template leaves out of a restore, and the SQL that it runs around one.

use serde_json::json;

use super::fixtures::Source;
use super::world::{Outcome, World};

/// A large table that drills leave out, with all that hangs on its rows; a partition; names that are hostile to a list of
/// entries; and two tables that are restored.
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
"#;
const IGNORE: &str = r#"
ignore = [
    { kind = "TABLE DATA", name = "public.big" },
    { kind = "TABLE DATA", name = "*.events_1" },
    { kind = "TABLE", name = "public.odd*" },
    { kind = "TABLE", name = "public.nowhere" },
]
before_restore = "CREATE ROLE hooked; CREATE SCHEMA hook; CREATE TABLE noted (word text)"
after_restore = [
    "UPDATE orders SET state = 'closed' WHERE id <= 10",
    "INSERT INTO noted SELECT 'secret-4711' FROM orders",
]
"#;

fn not_verified(outcome: &Outcome) -> String {
    outcome.verdict()["not_verified"].to_string()
}

#[test]
fn what_is_left_out_is_listed_and_no_check_takes_it_for_empty() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let dump = source.dump("shop", SHOP, &[]);
    let other = source.dump("other", "CREATE TABLE lines AS SELECT generate_series(1, 9) AS id", &[]);
    let third = source.dump("third", "CREATE TABLE lines AS SELECT generate_series(1, 9) AS id", &[]);
    drop(source);
    let mut world = World::new("leaving-out");
    world.dumped("shop", &[], &dump).keys("shop", IGNORE);
    world
        .rows("orders", "shop", "orders", "exact = 30")
        .rows("events", "shop", "events_2", "exact = 5")
        .sql("closed", "shop", "SELECT count(*) FROM orders WHERE state = 'closed'", "expect = 10")
        .sql("noted", "shop", "SELECT count(*) FROM noted", "expect = 30")
        .sql("role", "shop", "SELECT count(*) FROM pg_roles WHERE rolname = 'hooked'", "expect = 1");
    for kind in ["sequences", "constraints", "amcheck"] {
        world.template.checks.push(format!("type = \"{kind}\"\nname = \"{kind}\"\ndatabases = [\"shop\"]\n"));
    }
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let said = not_verified(&outcome);
    for what in [
        "TABLE DATA public.big is not restored: ignore has TABLE DATA public.big",
        "FK CONSTRAINT public.orders orders_big_fkey is not restored: not all rows of TABLE public.big are restored",
        "MATERIALIZED VIEW DATA public.totals is not restored: not all rows that it reads are restored",
        "TABLE DATA public.events_1 is not restored",
        "TABLE public.odd ;1 name is not restored",
    ] {
        assert!(said.contains(what), "{what}\n{outcome}");
    }
    assert!(!said.contains("public.lines"), "{outcome}");
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

    // Read through a view by a check that would hold if the table were empty; and a hook that fails, in another database.
    world
        .dumped("other", &[], &other)
        .keys("other", "after_restore = \"UPDATE lines SET id = 1 / (id - 7)\"");
    // A hook that would take a table for empty.
    world.dumped("third", &[], &third).keys(
        "third",
        "ignore = [{ kind = \"TABLE DATA\", name = \"public.lines\" }]\nafter_restore = \"CREATE TABLE n AS SELECT * FROM lines\"",
    );
    world.sql("hidden", "shop", "SELECT word FROM words", "empty = true");
    world.template.checks.push(
        "type = \"sql\"\nname = \"parted\"\ndatabase = \"shop\"\nquery = \"SELECT id FROM events WHERE id < 0\"\nempty = true\n"
            .to_owned(),
    );
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "hook_failed");
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
    world.assert_nothing_left();
}
