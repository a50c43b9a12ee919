//! Audit logs that are larger than what is remembered of them, in and out of their order.

use restore_drill::check::Outcome;
use restore_drill::check::verify_chain::VerifyChain;
use restore_drill::check::verify_chain::{Limits, Watch, verify_within};
use restore_drill::model::failure::Result;
use restore_drill::model::verdict::{CheckStatus, Severity};
use restore_drill::target::postgres::{DatabaseAddress, Direct};

use super::super::world::RUNTIME;
use super::server::{PASSWORD, Server};

/// Far fewer than there are rows.
const LIMITS: Limits = Limits { latest: 4_000, waiting: 1_000, pieces: 1_000 };

/// An audit log of one chain, the same rows in another order, and the same under times that say nothing. Few rows are
/// on a page, so that there are several parts to read.
const LOG: &str = r#"
CREATE TABLE audit_logs (id int PRIMARY KEY, tenant_id text, agent_id text, action text, tool text, decision text,
    request_id text, event_hash text, prev_hash text, "timestamp" timestamptz, hash_version smallint) WITH (fillfactor = 10);
CREATE FUNCTION hashed(link text, action text) RETURNS text RETURN encode(sha256(convert_to(link || '{"action": "' ||
    action || '", "agent_id": "", "decision": "d", "request_id": "", "tenant_id": "t", "tool": ""}', 'UTF8')), 'hex');
CREATE FUNCTION append(n int, link text, action text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO audit_logs VALUES (n, 't', NULL, action, NULL, 'd', NULL, hashed(link, action), link,
        timestamptz '2026-05-01 00:00:00+00' + n * interval '1 ms', 1)
    RETURNING event_hash $$;
DO $$ DECLARE link text := repeat('0', 64); BEGIN
    FOR n IN 1..20000 LOOP link := append(n, link, 'a'); END LOOP;
END $$;
CREATE TABLE shuffled WITH (fillfactor = 10) AS SELECT * FROM audit_logs ORDER BY md5(id::text);
CREATE TABLE untimed AS SELECT * FROM shuffled;
UPDATE untimed SET "timestamp" = timestamptz '2026-05-01 00:00:00+00' + ('x' || md5(id::text))::bit(24)::int * interval '1 ms';
"#;

fn verify(server: &Server, table: &str, more: &str) -> Result<Outcome> {
    let check = format!("name = 'c'\ndatabase = 'd'\ntable = '{table}'\nscheme = 'aegis-audit'\n{more}");
    let check: VerifyChain = toml::from_str(&check).expect("it is a check");
    let variable = |name: &str| match name {
        "PGHOST" => Some(server.address.clone()),
        "PGUSER" | "PGDATABASE" => Some("postgres".to_owned()),
        "PGPASSWORD" => Some(PASSWORD.to_owned()),
        _ => None,
    };
    let database = DatabaseAddress::Direct(Direct::new(None, &variable)?);
    let chain = check.chain().expect("it is consistent");
    let watch = Watch::default();
    let verifying = verify_within(&database, &check.table, &chain, 2, &watch, LIMITS);
    Ok(RUNTIME.block_on(verifying)?.outcome)
}

/// Asserts that the chain holds, with these warnings.
fn holds(server: &Server, table: &str, more: &str, summary: &str) {
    let outcome = verify(server, table, more).expect("it can be judged");
    assert_eq!(
        (outcome.status, &*outcome.summary),
        (CheckStatus::Pass, summary),
        "{table} {more}: {outcome:?}"
    );
}

/// Asserts that just this row has lost its parent.
fn is_broken_at(server: &Server, table: &str, more: &str, row: u32) {
    let outcome = verify(server, table, more).expect("it can be judged");
    let errors: Vec<_> = outcome
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| {
            (
                finding.code.as_str(),
                finding.subject.split(" of the chain").next().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    assert_eq!(errors, [("broken_link", format!("row {row}"))], "{table} {more}");
}

#[test]
fn links_are_followed_however_far_apart_rows_lie() {
    const BY_ID: &str = "order_by = ['id']";
    let server = Server::start(LOG);
    for table in ["audit_logs", "shuffled"] {
        for more in ["", BY_ID] {
            holds(&server, table, more, "20,000 rows in 1 chain");
        }
    }
    // Not even sorted do rows stand near their parents: that cannot be judged, and never passes.
    let disordered = verify(&server, "untimed", "").expect_err("too many rows would have to be remembered");
    assert_eq!(disordered.code.as_str(), "chain_disordered");
    holds(&server, "untimed", BY_ID, "20,000 rows in 1 chain");

    server.sql("DELETE FROM shuffled WHERE id = 10000");
    for more in ["", BY_ID] {
        is_broken_at(&server, "shuffled", more, 10_001);
    }
    // A branch of a row that was forgotten long ago is a fork; a row whose parent was deleted is none.
    server.sql(
        "SELECT append(20001, event_hash, 'branch') FROM audit_logs WHERE id = 5;
         SELECT append(20002, event_hash, 'branch') FROM audit_logs WHERE id = 7;",
    );
    holds(&server, "audit_logs", "", "20,002 rows in 1 chain, 2 forks");
    server.sql("DELETE FROM audit_logs WHERE id = 10000");
    is_broken_at(&server, "audit_logs", "", 10_001);
}
