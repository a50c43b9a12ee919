//! What belongs to audit rows: their retention, signed roots, and usage records.

use super::{audit, usage};
use crate::demo::breakage::Breakage;
use crate::demo::breakage::Expect::{Findings, Pass};
use crate::demo::breakage::How::Source;

/// Where a prune ends that stops in the middle of a day.
macro_rules! pruned_until {
    () => {
        concat!(days_ago!(11), " + interval '13 hours'")
    };
}

/// Kinds that break what belongs to a chain.
pub(super) static KINDS: &[Breakage] = &[
    Breakage {
        name: "pruned",
        about: "the oldest days were pruned, to the middle of one, as retention does: a backup that passes",
        how: Source(&[
            audit(concat!(
                "WITH old AS (DELETE FROM audit_logs WHERE \"timestamp\" < ",
                pruned_until!(),
                " RETURNING id),
                 notes AS (DELETE FROM audit_notes WHERE audit_log_id IN (SELECT id FROM old))
                 SELECT count(*) || ' audit rows' FROM old"
            )),
            usage(concat!(
                // A record is written some 40 ms after the row it bills, and its units say by how much.
                "WITH old AS (DELETE FROM usage_records
                    WHERE \"timestamp\" - (40000 + units) * interval '1 microsecond' < ",
                pruned_until!(),
                " RETURNING id)
                 SELECT count(*) || ' usage records' FROM old"
            )),
        ]),
        expect: Pass,
    },
    Breakage {
        name: "rewritten-root",
        about: "a day's root is replaced, and the next day's link to it adapted",
        how: Source(&[audit(
            "WITH victim AS (SELECT tenant_id, root_date FROM transparency_roots WHERE leaf_count > 0
                             ORDER BY 1, 2 OFFSET 3 LIMIT 1),
             rewritten AS (
                UPDATE transparency_roots r SET
                    root_hash = CASE WHEN r.root_date = v.root_date THEN repeat('f', 64) ELSE r.root_hash END,
                    prev_root_hash = CASE WHEN r.root_date = v.root_date + 1 THEN repeat('f', 64)
                                          ELSE r.prev_root_hash END
                FROM victim v WHERE r.tenant_id = v.tenant_id AND r.root_date IN (v.root_date, v.root_date + 1))
             SELECT tenant_id || ' for ' || root_date FROM victim",
        )]),
        expect: Findings(&[("roots", "receipt_differs")]),
    },
    Breakage {
        name: "foreign-signature",
        about: "a day's root carries the signature of another",
        how: Source(&[audit(
            "WITH victim AS (SELECT tenant_id, root_date,
                                    lag(signed_root_payload) OVER (ORDER BY tenant_id, root_date) AS other
                             FROM transparency_roots ORDER BY tenant_id, root_date OFFSET 2 LIMIT 1),
             signed AS (
                UPDATE transparency_roots r
                SET signed_root_payload = jsonb_set(r.signed_root_payload, '{signature}', v.other -> 'signature')
                FROM victim v WHERE r.tenant_id = v.tenant_id AND r.root_date = v.root_date)
             SELECT tenant_id || ' for ' || root_date FROM victim",
        )]),
        expect: Findings(&[("roots", "bad_signature")]),
    },
    Breakage {
        name: "unknown-key",
        about: "a day's root is signed by a key that nobody knows",
        how: Source(&[audit(
            "WITH victim AS (SELECT tenant_id, root_date FROM transparency_roots ORDER BY 1, 2 OFFSET 2 LIMIT 1),
             signed AS (
                UPDATE transparency_roots r
                SET signing_key_fingerprint = repeat('a', 64),
                    signed_root_payload = jsonb_set(r.signed_root_payload, '{public_key_fingerprint}',
                                                    to_jsonb(repeat('a', 64)))
                FROM victim v WHERE r.tenant_id = v.tenant_id AND r.root_date = v.root_date)
             SELECT tenant_id || ' for ' || root_date FROM victim",
        )]),
        expect: Findings(&[("roots", "unknown_signing_key")]),
    },
    Breakage {
        name: "missing-historical-keys",
        about: "the retired signing keys are not in the backup",
        how: Source(&[audit(
            "WITH gone AS (DELETE FROM transparency_historical_keys RETURNING fingerprint)
             SELECT r.tenant_id || ' for ' || r.root_date FROM transparency_roots r
             WHERE EXISTS (SELECT FROM gone WHERE gone.fingerprint LIKE r.signing_key_fingerprint || '%')
             ORDER BY r.tenant_id, r.root_date LIMIT 1",
        )]),
        expect: Findings(&[("roots", "unknown_signing_key")]),
    },
    Breakage {
        name: "missing-roots",
        about: "the roots of the last days are gone",
        how: Source(&[audit(
            "WITH gone AS (DELETE FROM transparency_roots
                           WHERE root_date > (SELECT max(root_date) - 4 FROM transparency_roots) RETURNING tenant_id)
             SELECT min(tenant_id::text) FROM gone",
        )]),
        expect: Findings(&[("roots", "missing_root")]),
    },
    Breakage {
        name: "replayed-request",
        about: "a request is audited a second time, in a row that is chained as it should be",
        how: Source(&[audit(
            "DROP INDEX audit_logs_request_id_key;
             WITH old AS (SELECT * FROM audit_logs WHERE request_id IS NOT NULL AND hash_version IS NOT NULL
                          ORDER BY chain_sequence LIMIT 1),
             last AS (SELECT a.event_hash AS head, tenant_id, chain_shard, old.request_id
                      FROM audit_logs a JOIN old USING (tenant_id, chain_shard)
                      ORDER BY a.\"timestamp\" DESC, a.id DESC LIMIT 1),
             replay AS (
                INSERT INTO audit_logs (id, tenant_id, action, decision, request_id, event_hash, prev_hash,
                                        hash_version, chain_shard, chain_sequence, billing_status, \"timestamp\")
                SELECT gen_random_uuid(), tenant_id, 'replayed', 'allow', request_id,
                       encode(sha256(convert_to(head || format(
                           '{\"action\": \"replayed\", \"agent_id\": \"\", \"decision\": \"allow\", \"request_id\": \"%s\", '
                           '\"tenant_id\": \"%s\", \"tool\": \"\"}', request_id, tenant_id), 'UTF8')), 'hex'), head,
                       1, chain_shard, nextval(pg_get_serial_sequence('audit_logs', 'chain_sequence')), 'not_billable',
                       -- No root covers what is written now; version 1 does not hash the time.
                       now() - interval '4 minutes'
                FROM last)
             SELECT 'audit ' || request_id FROM last",
        )]),
        expect: Findings(&[("audit-usage", "duplicate_key")]),
    },
    Breakage {
        name: "missing-usage",
        about: "a usage record is gone: audited, and never billed",
        how: Source(&[usage(
            "DELETE FROM usage_records WHERE audit_id = (SELECT min(audit_id::text)::uuid FROM usage_records)
             RETURNING 'audit ' || audit_id",
        )]),
        expect: Findings(&[("audit-usage", "no_counterpart")]),
    },
    Breakage {
        name: "extra-usage",
        about: "something is billed that was never audited",
        how: Source(&[usage(
            "INSERT INTO usage_records (id, tenant_id, units, cost, \"timestamp\", audit_id)
             SELECT gen_random_uuid(), tenant_id, 1, 0.1, \"timestamp\", gen_random_uuid() FROM usage_records LIMIT 1
             RETURNING 'usage ' || audit_id",
        )]),
        expect: Findings(&[("audit-usage", "no_counterpart")]),
    },
    Breakage {
        name: "billed-twice",
        about: "one request is billed twice",
        how: Source(&[usage(
            "ALTER TABLE usage_records DROP CONSTRAINT usage_records_audit_id_key;
             INSERT INTO usage_records (id, tenant_id, units, cost, \"timestamp\", audit_id)
             SELECT gen_random_uuid(), tenant_id, units, cost, \"timestamp\", audit_id FROM usage_records
             WHERE audit_id IS NOT NULL LIMIT 1
             RETURNING 'usage ' || audit_id",
        )]),
        expect: Findings(&[("audit-usage", "duplicate_key")]),
    },
];
