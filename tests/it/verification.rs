//! Audit data under other templates than the demo's (see `corpus` for that): fewer checks, and keys that are missing.

use std::sync::LazyLock;

use restore_drill::demo::data::{DataSet, data_set};

use super::fixtures::{Source, sample_sql};
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
    FROM audit_logs -- of every tenant""" }
right = { label = "usage", database = "acp_usage", query = """
    SELECT audit_id::text AS key, "timestamp" AS at, true AS required FROM usage_records""" }"#,
];

/// The sample data as the platform wrote it, up to an hour ago.
static DATA: LazyLock<DataSet> = LazyLock::new(|| data_set(ROWS, 7, ago(65)));

/// Tampers with the audit database by this SQL, and drills the result.
fn drill(name: &str, audit: &str, with_active_key: bool) -> Outcome {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let audit = sample_sql(&DATA, "acp_audit") + audit;
    let audit = source.dump("acp_audit", &audit, &[]);
    let usage = source.dump("acp_usage", &sample_sql(&DATA, "acp_usage"), &[]);
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

#[test]
fn an_edited_reason_of_a_version_1_row_is_not_the_chains_to_see() {
    let edit = "DO $$ BEGIN
        UPDATE audit_logs SET reason = 'edited' WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 1 LIMIT 1);
        ASSERT FOUND;
    END $$;";
    drill("verify-reason", edit, true).passed();
}

#[test]
fn a_time_without_end_is_no_excuse_for_a_row_without_its_counterpart() {
    let edit = "DO $$ BEGIN
        UPDATE audit_logs SET request_id = 'nobody', \"timestamp\" = 'infinity' WHERE id = (
            SELECT id FROM audit_logs WHERE action = 'execute_tool' AND decision <> 'reject' LIMIT 1);
        ASSERT FOUND;
    END $$;";
    let outcome = drill("verify-infinite", edit, true);
    assert_eq!(outcome.code, 1, "{outcome}");
    let findings = outcome.check("usage")["findings"].as_array().expect("a list");
    let alone = findings.iter().find(|finding| finding["subject"] == "audit nobody").expect("it is named");
    assert_eq!(alone["code"], "no_counterpart");
    assert_eq!(alone["actual"], "none; written at an unknown time");
}

#[test]
fn a_table_of_keys_that_was_left_out_is_told() {
    let empty = "TRUNCATE transparency_historical_keys;";
    let outcome = drill("verify-keys", empty, false);
    outcome.failed(1, "no_signing_keys");
    assert!(outcome.verdict()["failure"]["message"].as_str().unwrap().contains("left out of the backup"));
}

#[test]
fn a_key_that_is_not_known_is_not_replaced_by_another() {
    drill("verify-unknown-key", "", false).failed(1, "unknown_signing_key");
}
