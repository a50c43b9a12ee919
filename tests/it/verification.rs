//! Drills of audit data that was tampered with, each in just one way: the right check fails, for the right reason, and
//! names the right row. And sound data, of which every check holds.

use std::sync::LazyLock;

use restore_drill::demo::data::{DataSet, DemoDatabase, data_set};

use super::fixtures::Source;
use super::world::{Outcome, World, ago};

/// Enough for every tenant to have rows on most days.
const ROWS: u64 = 600;

const CHECKS: [&str; 3] = [
    "type = \"verify-chain\"\nname = \"chain\"\ndatabase = \"acp_audit\"\ntable = \"audit_logs\"\nscheme = \"aegis-audit\"",
    "type = \"transparency-roots\"\nname = \"roots\"\ndatabase = \"acp_audit\"\nactive_public_key = \"${KEY:-}\"",
    r#"type = "reconcile"
name = "usage"
left = { label = "audit", database = "acp_audit", grace = "60s", query = """
    SELECT request_id::text AS key, "timestamp" AS at,
           action = 'execute_tool' AND decision <> 'reject' AND tenant_id IS NOT NULL AS required
    FROM audit_logs""" }
right = { label = "usage", database = "acp_usage", query = """
    SELECT audit_id::text AS key, "timestamp" AS at, true AS required FROM usage_records""" }"#,
];

/// The sample data as the platform wrote it, up to an hour ago.
static DATA: LazyLock<DataSet> = LazyLock::new(|| data_set(ROWS, 7, ago(65)));

/// A database's SQL.
fn sql(database: &DemoDatabase) -> String {
    let mut sql = database.schema.to_owned();
    for table in &database.tables {
        sql.push_str(&format!("\n{};\n", table.copy));
        for chunk in table.chunks() {
            sql.push_str(std::str::from_utf8(&chunk).expect("COPY text is UTF-8"));
        }
        sql.push_str("\\.\n");
    }
    sql + database.finish
}

fn named(name: &str) -> &'static DemoDatabase {
    DATA.databases.iter().find(|database| database.name == name).expect("the sample data has it")
}

/// Tampers with the audit and the usage database by this SQL, and drills the result.
fn drill(name: &str, audit: &str, usage: &str, with_active_key: bool) -> Outcome {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    // What guards the audit log against edits does not stop whoever owns the database.
    let audit = format!("{}\nALTER TABLE audit_logs DISABLE TRIGGER USER;\n{audit}", sql(named("acp_audit")));
    let audit = source.dump("acp_audit", &audit, &[]);
    let usage = source.dump("acp_usage", &format!("{}\n{usage}", sql(named("acp_usage"))), &[]);
    drop(source);
    let mut world = World::new(name);
    world.dumped("acp_audit", &[], &audit).dumped("acp_usage", &["acp_audit"], &usage);
    world.template.checks.extend(CHECKS.map(str::to_owned));
    if with_active_key {
        let key = world.write("active.pem", &DATA.active_public_key_pem);
        world.environment.insert("KEY".to_owned(), key.display().to_string());
    }
    let outcome = world.drill(&[]);
    world.assert_nothing_left();
    outcome
}

/// The codes and subjects of a check's findings.
fn findings(outcome: &Outcome, check: &str) -> Vec<(String, String)> {
    let findings = outcome.check(check)["findings"].as_array().expect("findings are a list").clone();
    let text = |value: &serde_json::Value| value.as_str().expect("it is text").to_owned();
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["subject"]))).collect()
}

fn holds(outcome: &Outcome, check: &str) {
    assert_eq!(outcome.check(check)["status"], "pass", "{check}: {:?}", findings(outcome, check));
}

#[test]
fn sound_audit_data_passes_every_check() {
    let outcome = drill("verify-sound", "", "", true);
    outcome.passed();
    assert_eq!(outcome.check("chain")["rows_verified"], ROWS);
    for check in ["chain", "roots", "usage"] {
        assert_eq!(findings(&outcome, check), [], "{check}");
    }
}

#[test]
fn an_edited_audit_row_is_named() {
    let edit = "UPDATE audit_logs SET tool = 'tool.other' WHERE chain_sequence = 100;";
    let outcome = drill("verify-edited", edit, "", true);
    outcome.failed(1, "hash_mismatch");
    assert_eq!(findings(&outcome, "chain").len(), 1);
    holds(&outcome, "roots");
    holds(&outcome, "usage");
}

#[test]
fn an_edited_reason_of_a_version_1_row_is_not_the_chains_to_see() {
    let edit = "DO $$ BEGIN
        UPDATE audit_logs SET reason = 'edited' WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 1 LIMIT 1);
        ASSERT FOUND;
    END $$;";
    drill("verify-reason", edit, "", true).passed();
}

#[test]
fn edited_metadata_of_a_version_2_row_is_seen() {
    let edit = "DO $$ BEGIN
        UPDATE audit_logs SET metadata_json = '{\"edited\": 1.5}'
        WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 2 LIMIT 1);
        ASSERT FOUND;
    END $$;";
    drill("verify-metadata", edit, "", true).failed(1, "hash_mismatch");
}

#[test]
fn a_deleted_audit_row_breaks_the_chain_and_its_days_count() {
    let delete = "DO $$ BEGIN
        DELETE FROM audit_logs WHERE id = (
            SELECT a.id FROM audit_logs a WHERE a.chain_sequence > 200 AND a.action <> 'execute_tool'
              AND NOT EXISTS (SELECT FROM audit_notes n WHERE n.audit_log_id = a.id)
              AND EXISTS (SELECT FROM audit_logs b WHERE b.tenant_id = a.tenant_id AND b.chain_shard = a.chain_shard
                            AND b.chain_sequence > a.chain_sequence)
              AND a.\"timestamp\" < now() - interval '2 days'
            LIMIT 1);
        ASSERT FOUND;
    END $$;";
    let outcome = drill("verify-deleted", delete, "", true);
    assert_eq!(outcome.verdict()["status"], "FAIL");
    let codes = |check: &str| findings(&outcome, check).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes("chain"), ["broken_link"]);
    assert_eq!(codes("roots"), ["leaf_count_differs"]);
    holds(&outcome, "usage");
}

#[test]
fn a_root_rewritten_with_its_link_mended_is_seen() {
    let rewrite = "WITH victim AS (
            SELECT tenant_id, root_date FROM transparency_roots WHERE leaf_count > 0 ORDER BY 1, 2 OFFSET 3 LIMIT 1)
        UPDATE transparency_roots r SET
            root_hash = CASE WHEN r.root_date = v.root_date THEN repeat('f', 64) ELSE r.root_hash END,
            prev_root_hash = CASE WHEN r.root_date = v.root_date + 1 THEN repeat('f', 64) ELSE r.prev_root_hash END
        FROM victim v WHERE r.tenant_id = v.tenant_id AND r.root_date IN (v.root_date, v.root_date + 1);";
    let outcome = drill("verify-rewritten", rewrite, "", true);
    outcome.failed(1, "receipt_differs");
    assert_eq!(outcome.check("roots")["status"], "fail");
    holds(&outcome, "chain");
}

#[test]
fn roots_that_were_cut_off_are_missed() {
    let cut = "DELETE FROM transparency_roots WHERE root_date > (SELECT max(root_date) - 4 FROM transparency_roots);";
    let outcome = drill("verify-cut", cut, "", true);
    outcome.failed(1, "missing_root");
}

#[test]
fn a_table_of_keys_that_was_left_out_is_told() {
    let empty = "TRUNCATE transparency_historical_keys;";
    let outcome = drill("verify-keys", empty, "", false);
    outcome.failed(1, "no_signing_keys");
    assert!(outcome.verdict()["failure"]["message"].as_str().unwrap().contains("left out of the backup"));
}

#[test]
fn a_key_that_is_not_known_is_not_replaced_by_another() {
    drill("verify-unknown-key", "", "", false).failed(1, "unknown_signing_key");
}

#[test]
fn usage_without_audit_and_audit_without_usage_are_named() {
    let tamper = "
        DELETE FROM usage_records WHERE audit_id = (SELECT min(audit_id::text)::uuid FROM usage_records);
        UPDATE usage_records SET audit_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff'
        WHERE audit_id = (SELECT max(audit_id::text)::uuid FROM usage_records);";
    let outcome = drill("verify-usage", "", tamper, true);
    outcome.failed(1, "no_counterpart");
    let subjects: Vec<String> = findings(&outcome, "usage").into_iter().map(|(_, subject)| subject).collect();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert!(subjects.contains(&"usage ffffffff-ffff-4fff-8fff-ffffffffffff".to_owned()), "{subjects:?}");
    assert_eq!(subjects.iter().filter(|subject| subject.starts_with("audit ")).count(), 2, "{subjects:?}");
    holds(&outcome, "chain");
    holds(&outcome, "roots");
}
