//! Databases of SQLite: real files, opened by a real shell in the stack.

use serde_json::json;

use super::fixtures::dump;
use super::world::{World, docker_bytes, image};

/// A gateway's decisions, with parents, an index for full text, a name to quote, and a table that is empty for a good reason.
/// 13 rows in 4 tables, besides the index.
const GATEWAY: &str = r#"
CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE decisions (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants, why TEXT, created_at TEXT);
CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY);
CREATE TABLE replays (id INTEGER PRIMARY KEY);
CREATE INDEX decisions_tenant ON decisions (tenant);
CREATE VIEW recent AS SELECT * FROM decisions WHERE id > 5;
CREATE VIRTUAL TABLE search USING fts5(why, content = 'decisions', content_rowid = 'id');
INSERT INTO tenants VALUES (1, 'one'), (2, 'two');
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10)
INSERT INTO decisions SELECT n, 1 + n % 2, 'because ' || n || hex(randomblob(2000)), datetime('now', '-' || (n + 60) || ' minutes') FROM n;
INSERT INTO "odd ""name" VALUES (1);
INSERT INTO search(search) VALUES ('rebuild');
"#;

/// The file that these statements make.
fn file_of(statements: &str) -> Vec<u8> {
    let image = image("DRILL_SQLITE_IMAGE");
    let script = "sqlite3 -bail /tmp/made.db > /dev/null && cat /tmp/made.db";
    docker_bytes(
        &["run", "--rm", "-i", "--network", "none", &image, "sh", "-c", script],
        statements.as_bytes(),
    )
}

/// A world without a PostgreSQL server.
fn world(name: &str) -> World {
    let mut world = World::new(name);
    world.template.image = String::new();
    with_workbench(&mut world);
    world
}

fn with_workbench(world: &mut World) {
    world.template.more.push_str("[sqlite]\nimage = \"${DRILL_SQLITE_IMAGE}\"\nmemory = \"256MiB\"\n");
}

fn add(world: &mut World, name: &str, after: &[&str], file: &[u8]) {
    world.dumped(name, after, file).keys(name, "system = \"sqlite\"");
}

#[test]
fn a_database_of_sqlite_is_restored_and_checked_without_a_server() {
    let mut world = world("sqlite-healthy");
    let file = file_of(GATEWAY);
    add(&mut world, "gateway", &[], &file);
    world
        .tables("tables", "gateway", &["tenants", "decisions", "\"odd \"\"name\""])
        .rows("counts", "gateway", "decisions", "min = 10")
        .sql("newest", "gateway", "SELECT max(created_at) FROM decisions", "max_age = \"2h\"")
        .sql("tenants", "gateway", "SELECT count(*) FROM tenants", "expect = 2")
        .sql("orphans", "gateway", "SELECT id FROM decisions WHERE tenant > 2", "empty = true\nkey = \"id\"");
    world
        .template
        .checks
        .push("type = \"sqlite-integrity\"\nname = \"fits\"\ndatabases = [\"gateway\"]".to_owned());
    world.write_template();
    let plan = world.run(&["plan", "-t", "template.toml", "--format", "json"]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["points"][0]["sqlite"]["page_bytes"], json!(4096), "{plan}");
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let database = outcome.database("gateway");
    assert_eq!((&database["system"], &database["status"]), (&json!("sqlite"), &json!("restored")));
    assert_eq!((&database["tables"], &database["rows"]), (&json!(4), &json!(13)), "{database}");
    assert_eq!(database["table_rows"]["main.decisions"], json!(10));
    assert_eq!(database["restored_bytes"], json!(file.len()));
    for check in ["tables", "counts", "newest", "tenants", "orphans", "fits"] {
        assert_eq!(outcome.check(check)["status"], "pass", "{outcome}");
    }
    assert_eq!(verdict["isolation"]["status"], "proved");
    assert_eq!(verdict["stack"]["postgres_version"], json!(null));
    assert!(outcome.stdout.ends_with("Restore drill PASSED — 13 rows verified\n"), "{}", outcome.stdout);
    world.assert_nothing_left();
}

#[test]
fn a_damaged_file_is_told_from_a_whole_one_beside_a_server() {
    let mut world = World::new("sqlite-damaged");
    with_workbench(&mut world);
    world.dumped("registry", &[], dump("registry"));
    let whole = file_of(GATEWAY);
    let mut torn = whole.clone();
    // The pages behind the first ones hold the rows of decisions.
    let middle = torn.len() / 2 / 4096 * 4096;
    torn[middle..middle + 4096].fill(0x5a);
    let orphans =
        file_of(&format!("{GATEWAY} DELETE FROM tenants WHERE id = 2; DELETE FROM decisions WHERE id = 3;"));
    add(&mut world, "whole", &["registry"], &whole);
    add(&mut world, "torn", &[], &torn);
    add(&mut world, "cut", &[], &whole[..whole.len() - 4096]);
    add(&mut world, "dump", &[], dump("registry"));
    add(&mut world, "orphans", &[], &orphans);
    add(&mut world, "child", &["torn"], &whole);
    world
        .template
        .checks
        .push("type = \"sqlite-integrity\"\nname = \"fits\"\ndatabases = [\"orphans\"]".to_owned());
    world
        .template
        .checks
        .push("type = \"sqlite-integrity\"\nname = \"whole\"\ndatabases = [\"whole\"]".to_owned());
    world.tables("tables", "registry", &["Select"]);
    let outcome = world.drill(&[]);
    assert_eq!(outcome.code, 1, "{}\n{}", outcome.stdout, outcome.stderr);
    for (name, code) in [
        ("torn", "integrity_failed"),
        ("cut", "sqlite_truncated"),
        ("dump", "sqlite_invalid"),
        ("child", "parent_failed"),
    ] {
        assert_eq!(outcome.database(name)["error"]["code"], code, "{outcome}");
    }
    for name in ["whole", "orphans", "registry"] {
        assert_eq!(outcome.database(name)["status"], "restored", "{outcome}");
    }
    assert_eq!(outcome.check("whole")["status"], "pass", "{outcome}");
    let findings = &outcome.check("fits")["findings"];
    let found: Vec<(&str, &str)> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["code"].as_str().unwrap(), finding["subject"].as_str().unwrap()))
        .collect();
    let expected = [("rows_without_parent", "orphans.decisions"), ("full_text_differs", "orphans.search")];
    assert_eq!(found, expected, "{findings}");
    world.assert_nothing_left();
}
