//! The system AegisAgent: databases of a gateway as they are backed up, healthy and broken, drilled with the shipped template.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ed25519_dalek::{Signer, SigningKey};
use serde_json::Value;

use super::support::world::sha256;
use super::world::{World, docker_bytes, image};

/// The migrations that the gateway had, as the program knows them.
const MIGRATIONS: &str = include_str!("../../src/check/migrations/aegis_agent.json");

/// The tables that matter, as the gateway's migrations make them.
const TABLES: &str = "
CREATE TABLE tenants (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE agents (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), name TEXT NOT NULL);
CREATE TABLE policies (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), body TEXT NOT NULL);
CREATE TABLE decisions (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), agent_id TEXT NOT NULL
  REFERENCES agents(id), decision TEXT NOT NULL, created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE approvals (id TEXT PRIMARY KEY, decision_id TEXT NOT NULL REFERENCES decisions(id));
CREATE TABLE action_receipts (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), decision_id TEXT,
  ts TEXT NOT NULL, agent_id TEXT, user_id TEXT, run_id TEXT, trace_id TEXT, tool TEXT, action TEXT, resource TEXT,
  source_trust TEXT NOT NULL, decision TEXT NOT NULL, approver TEXT, action_hash TEXT, prev_receipt_hash TEXT NOT NULL,
  receipt_hash TEXT NOT NULL, canon_version TEXT NOT NULL DEFAULT '', signature TEXT, signer_public_key TEXT,
  signer_key_id TEXT, created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE policy_audit_log (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, policy_id TEXT, policy_key TEXT, action TEXT,
  changed_by TEXT, body_hash TEXT, diff_summary TEXT, prev_hash TEXT NOT NULL, entry_hash TEXT NOT NULL);
CREATE TABLE audit_events (id INTEGER PRIMARY KEY, event TEXT NOT NULL);
CREATE VIRTUAL TABLE audit_search_index USING fts5(event, content = 'audit_events', content_rowid = 'id');
CREATE TRIGGER audit_events_ai AFTER INSERT ON audit_events BEGIN
  INSERT INTO audit_search_index(rowid, event) VALUES (new.id, new.event);
END;
CREATE TABLE schema_meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
INSERT INTO schema_meta VALUES (1, 1);
CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT
  CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
INSERT INTO tenants VALUES ('one', 'One'), ('two', 'Two'), ('three', 'Three'), ('empty', 'Nobody yet');
INSERT INTO agents SELECT id || '-agent', id, 'agent' FROM tenants;
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
INSERT INTO audit_events SELECT n, 'event ' || n || ' ' || hex(randomblob(500)) FROM n;
";

fn text(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("'{}'", value.replace('\'', "''")))
}

fn hash(members: &BTreeMap<&str, Option<String>>) -> String {
    sha256(serde_json::to_string(members).unwrap().as_bytes())
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> String {
    hex::encode(signing_key().verifying_key().to_bytes())
}

/// A gateway's database: of three tenants with receipts, one has signed ones, one has some from before there was a version; all in
/// the same second, and written in turn. A fourth tenant has nothing.
fn gateway() -> String {
    let mut sql = format!("BEGIN;{TABLES}");
    let list: Value = serde_json::from_str(MIGRATIONS).unwrap();
    for migration in list["migrations"].as_array().unwrap() {
        let _ = writeln!(
            sql,
            "INSERT INTO _sqlx_migrations(version, description, success, checksum, execution_time) VALUES ({}, '{}', 1, x'{}', 1);",
            migration["version"],
            migration["description"].as_str().unwrap(),
            migration["checksum_sha384"].as_str().unwrap()
        );
    }
    let mut heads: BTreeMap<&str, String> = BTreeMap::new();
    for number in 0..300 {
        let tenant = ["one", "two", "three"][number % 3];
        let (id, decision) = (format!("rc_{number}"), ["allow", "deny", "require_approval"][number % 5 % 3]);
        let agent = format!("{tenant}-agent");
        let named = (number % 7 != 0).then(|| format!("dec_{number}"));
        if let Some(named) = &named {
            let _ = writeln!(
                sql,
                "INSERT INTO decisions(id, tenant_id, agent_id, decision) VALUES ('{named}', '{tenant}', '{agent}', '{decision}');"
            );
        }
        let said = if number % 50 == 49 { "tamper_attempt" } else { decision };
        let link = heads.get(tenant).cloned().unwrap_or_default();
        let members: BTreeMap<&str, Option<String>> = [
            ("event_id", Some(id.clone())),
            ("ts", Some("2026-06-02T12:00:05.123456+00:00".to_owned())),
            ("agent_id", Some(agent)),
            ("user_id", (number % 2 == 0).then(|| "o'neil".to_owned())),
            ("run_id", None),
            ("trace_id", Some(format!("trace_{number}"))),
            ("tool", Some("mail".to_owned())),
            ("action", Some("send".to_owned())),
            ("resource", Some("d\u{e9}j\u{e0} vu \u{2615} \"q\" \\ \u{7f}\u{1}\n\t".to_owned())),
            ("source_trust", Some("unknown".to_owned())),
            ("decision", Some(said.to_owned())),
            ("approver", None),
            ("action_hash", Some("c".repeat(64))),
            ("prev_receipt_hash", Some(link)),
        ]
        .into();
        let own = hash(&members);
        let is_signed = tenant == "one";
        let signature = hex::encode(signing_key().sign(own.as_bytes()).to_bytes());
        let mut columns = members.clone();
        columns.remove("event_id");
        columns.extend([
            ("id", Some(id)),
            ("tenant_id", Some(tenant.to_owned())),
            ("decision_id", named),
            ("receipt_hash", Some(own.clone())),
            ("canon_version", Some(if number < 60 { "" } else { "aegis-jcs-1" }.to_owned())),
            ("signature", is_signed.then_some(signature)),
            ("signer_public_key", is_signed.then(public_key)),
        ]);
        let names: Vec<&str> = columns.keys().copied().collect();
        let values: Vec<String> = columns.values().map(|value| text(value.as_deref())).collect();
        let _ = writeln!(
            sql,
            "INSERT INTO action_receipts({}, created_at) VALUES ({}, '2026-06-02 12:00:05');",
            names.join(", "),
            values.join(", ")
        );
        heads.insert(tenant, own);
    }
    let mut link = String::new();
    for number in 0..5 {
        let columns: BTreeMap<&str, Option<String>> = [
            ("id", Some(format!("pal_{number}"))),
            ("tenant_id", Some("one".to_owned())),
            ("policy_id", Some("p".to_owned())),
            ("policy_key", Some("mail".to_owned())),
            ("action", Some("update".to_owned())),
            ("changed_by", None),
            ("body_hash", Some("sha256:00".to_owned())),
            ("diff_summary", Some("one line".to_owned())),
            ("prev_hash", Some(link)),
        ]
        .into();
        let own = hash(&columns);
        let names: Vec<&str> = columns.keys().copied().collect();
        let values: Vec<String> = columns.values().map(|value| text(value.as_deref())).collect();
        let _ = writeln!(
            sql,
            "INSERT INTO policy_audit_log({}, entry_hash) VALUES ({}, '{own}');",
            names.join(", "),
            values.join(", ")
        );
        link = own;
    }
    sql + "COMMIT;"
}

/// The files that these statements make, after those of [`gateway`].
fn files_of(changes: &[&str]) -> Vec<Vec<u8>> {
    let image = image("DRILL_SQLITE_IMAGE");
    let made = |more: &&str| {
        let script = "sqlite3 -bail /tmp/live.db > /dev/null && sqlite3 /tmp/live.db \"VACUUM INTO '/tmp/made.db'\" && cat /tmp/made.db";
        docker_bytes(
            &["run", "--rm", "-i", "--network", "none", &image, "sh", "-c", script],
            format!("{}\n{more}", gateway()).as_bytes(),
        )
    };
    changes.iter().map(made).collect()
}

/// A world with the shipped template and these files in its directory, as `NAME.db`.
fn world(name: &str) -> (World, std::path::PathBuf) {
    let mut world = World::new(name);
    let directory = world.in_directory();
    let shipped = include_str!("../../drill-templates/aegis-agent.toml");
    world.write("agent.toml", shipped.replacen("name = \"aegis-agent\"", &format!("name = \"{name}\""), 1));
    world.environment.insert("AEGIS_BACKUP_DIR".to_owned(), directory.display().to_string());
    world.environment.insert("AEGIS_RECEIPT_PUBLIC_KEY".to_owned(), public_key());
    (world, directory)
}

const DRILL: [&str; 3] = ["run", "-t", "./agent.toml"];

#[test]
fn a_healthy_gateway_passes_and_heads_that_are_gone_the_next_time_are_found() {
    let (world, directory) = world("agent-healthy");
    let cut = "DELETE FROM action_receipts WHERE tenant_id = 'two' AND rowid > 290; DELETE FROM policy_audit_log WHERE id = 'pal_4';";
    let files = files_of(&["", cut]);
    std::fs::write(directory.join("pre-migration.db"), &files[0]).unwrap();
    let outcome = world.run(&DRILL);
    outcome.passed();
    for check in ["tables", "rows", "integrity", "migrations", "schema-version", "receipts", "policy-log"] {
        assert_eq!(outcome.check(check)["status"], "pass", "{outcome}");
    }
    assert_eq!(outcome.check("receipts")["heads"]["chains"], 3, "{outcome}");
    let summary = outcome.check("receipts")["summary"].as_str().unwrap();
    assert_eq!(summary, "300 rows in 3 chains, 100 signed with a known key");

    // The ends of two chains are cut off, which no chain shows by itself.
    std::fs::write(directory.join("later.db"), &files[1]).unwrap();
    let outcome = world.run(&DRILL);
    outcome.failed(1, "head_missing");
    for (check, subject) in [
        ("receipts", "the chain of tenant two in gateway.action_receipts"),
        ("policy-log", "the chain of tenant one in gateway.policy_audit_log"),
    ] {
        let finding = &outcome.check(check)["findings"][0];
        assert_eq!(
            (&finding["code"], &finding["subject"]),
            (&"head_missing".into(), &subject.into()),
            "{outcome}"
        );
    }
    world.assert_nothing_left();
}

/// What breaks a gateway's database, the check that finds it, its code and its subject.
const BROKEN: [(&str, &str, &str, &str, &str); 9] = [
    (
        "edited",
        "UPDATE action_receipts SET decision = 'tamper_attempt' WHERE id = 'rc_151'",
        "receipts",
        "hash_mismatch",
        "receipt rc_151 of tenant two",
    ),
    (
        "deleted",
        "DELETE FROM action_receipts WHERE id = 'rc_151'",
        "receipts",
        "missing_parent",
        "receipt rc_154 of tenant two",
    ),
    (
        "decision",
        "UPDATE decisions SET decision = 'allow' WHERE id = 'dec_152'",
        "receipts",
        "decision_differs",
        "receipt rc_152 of tenant three",
    ),
    (
        "signature",
        "UPDATE action_receipts SET signature = (SELECT signature FROM action_receipts WHERE id = 'rc_3') WHERE id = 'rc_150'",
        "receipts",
        "bad_signature",
        "receipt rc_150 of tenant one",
    ),
    (
        "policy",
        "UPDATE policy_audit_log SET changed_by = 'nobody' WHERE id = 'pal_2'",
        "policies",
        "hash_mismatch",
        "entry pal_2 of tenant one",
    ),
    (
        "dirty",
        "UPDATE _sqlx_migrations SET success = 0 WHERE version = 31",
        "migrations",
        "migration_dirty",
        "dirty, migration 31 (sensors)",
    ),
    (
        "newer",
        "INSERT INTO _sqlx_migrations VALUES (99, 'of later', '2026-12-01', 1, x'00', 1)",
        "migrations",
        "migration_unknown",
        "newer, migration 99 (of later)",
    ),
    (
        "checksum",
        "UPDATE _sqlx_migrations SET checksum = zeroblob(48) WHERE version = 3",
        "migrations",
        "migration_checksum_differs",
        "checksum, migration 3 (mcp manifest snapshots)",
    ),
    (
        "search",
        "DELETE FROM audit_events WHERE id = 7",
        "integrity",
        "full_text_differs",
        "search.audit_search_index",
    ),
];

#[test]
fn each_broken_gateway_has_a_finding_of_its_own() {
    let mut world = World::new("agent-broken");
    let directory = world.in_directory();
    world.template.image = String::new();
    world.template.more.push_str("[sqlite]\nimage = \"${DRILL_SQLITE_IMAGE}\"\n");
    let changes: Vec<&str> = BROKEN.iter().map(|(_, change, ..)| *change).chain([""]).collect();
    let mut files = files_of(&changes);
    let mut torn = files.pop().unwrap();
    let middle = torn.len() / 2 / 4096 * 4096;
    torn[middle..middle + 4096].fill(0x5a);
    let names = BROKEN.iter().map(|(name, ..)| *name).chain(["torn"]);
    for (name, file) in names.zip(files.iter().chain([&torn])) {
        std::fs::write(directory.join(format!("{name}.db")), file).unwrap();
        world.database(name, &[]).keys(name, &format!("system = \"sqlite\"\nkey = \"{name}.db\""));
        let key = public_key();
        for (check, keys) in [
            (
                "receipts",
                format!("type = \"aegis-agent-receipts\"\ndatabase = \"{name}\"\npublic_keys = [\"{key}\"]"),
            ),
            ("policies", format!("type = \"aegis-agent-policy-log\"\ndatabase = \"{name}\"")),
            ("migrations", format!("type = \"migrations\"\ndatabase = \"{name}\"\nlist = \"aegis-agent\"")),
            ("integrity", format!("type = \"sqlite-integrity\"\ndatabases = [\"{name}\"]")),
        ] {
            world.template.checks.push(format!("{keys}\nname = \"{name}-{check}\""));
        }
    }
    // A log beside a file is replayed into it where it is opened as it lies.
    std::fs::write(directory.join("edited.db-wal"), b"left over").unwrap();
    // The gateway does not encrypt.
    let section = format!("[encryption]\nidentities = {:?}\n", world.template.identities);
    let text = world.template_text();
    assert!(text.contains(&section), "{text}");
    world.write("agent.toml", text.replace(&section, ""));
    let outcome = world.run(&DRILL);
    assert_eq!(outcome.code, 1, "{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.database("torn")["error"]["code"], "integrity_failed", "{outcome}");
    for (name, _, broken, code, subject) in BROKEN {
        for check in ["receipts", "policies", "migrations", "integrity"] {
            let found = outcome.check(&format!("{name}-{check}"));
            if check != broken {
                assert_eq!(found["status"], "pass", "{name} {check}: {found}");
                continue;
            }
            assert_eq!(found["status"], "fail", "{name}: {found}");
            let errors: Vec<(&Value, &Value)> = found["findings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|finding| finding["severity"] == "error")
                .map(|finding| (&finding["code"], &finding["subject"]))
                .collect();
            assert_eq!(errors, [(&code.into(), &subject.into())], "{name}: {found}");
        }
    }
    let plan = world.run(&["plan", "-t", "./agent.toml", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let beside =
        plan["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "wal_beside_database");
    assert!(beside.is_some_and(|finding| finding["subject"].as_str().unwrap().contains("edited")), "{plan}");
    world.assert_nothing_left();
}
