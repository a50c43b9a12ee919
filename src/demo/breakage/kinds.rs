//! The kinds there are.

use super::Expect::{Failure, Findings, Pass};
use super::How::{Aged, Data, Dump, Later, Objects, Source, WithoutPostData};
use super::{Breakage, Edit, ObjectChange};
use crate::demo::data::Tampering;

/// Of every row of the audit log how many come after it in its chain, one of them, and how many come after its parent.
macro_rules! family {
    () => {
        "family AS (
            SELECT a.*, (SELECT count(*) FROM audit_logs c WHERE c.prev_hash = a.event_hash) AS children,
                   (SELECT c.id FROM audit_logs c WHERE c.prev_hash = a.event_hash LIMIT 1) AS next,
                   count(*) OVER (PARTITION BY tenant_id, chain_shard, prev_hash) AS siblings
            FROM audit_logs a)"
    };
}

/// Whether a row `f` is one that a root covers, and nothing refers to.
macro_rules! removable {
    () => {
        "f.chain_sequence > (SELECT max(chain_sequence) / 3 FROM audit_logs)
         AND (f.action <> 'execute_tool' OR f.decision = 'reject') AND f.\"timestamp\" < now() - interval '2 days'
         AND (f.\"timestamp\" AT TIME ZONE 'UTC')::time < '18:00'
         AND NOT EXISTS (SELECT FROM audit_notes n WHERE n.audit_log_id = f.id)"
    };
}

/// A row in the middle of its chain that can be removed, and the row after it.
macro_rules! victim {
    () => {
        concat!(
            family!(),
            ", victim AS (
            SELECT id, prev_hash, next FROM family f
            WHERE children = 1 AND siblings = 1 AND ",
            removable!(),
            " ORDER BY chain_sequence LIMIT 1)"
        )
    };
}

/// A version-2 row and the only one after it.
macro_rules! pair {
    () => {
        concat!(
            family!(),
            ", pair AS (
            SELECT f.id, f.chain_sequence AS own, f.next, c.chain_sequence AS other
            FROM family f JOIN audit_logs c ON c.id = f.next
            WHERE f.children = 1 AND f.hash_version = 2 ORDER BY f.chain_sequence LIMIT 1)"
        )
    };
}

/// The beginning of the day so many days ago, in UTC. The sample data begins earlier.
macro_rules! days_ago {
    ($days:literal) => {
        concat!(
            "(date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '",
            $days,
            " days')"
        )
    };
}

/// Where a prune ends that does not heed days.
macro_rules! pruned_until {
    () => {
        concat!(days_ago!(11), " + interval '13 hours'")
    };
}

/// Every kind: tampered audit data first, then usage, other data, and what happens to backups on their way.
pub static ALL: &[Breakage] = &[
    Breakage {
        name: "edited-row",
        about: "an audit row says another tool was used",
        how: Source(&[audit(
            "UPDATE audit_logs SET tool = 'tool.other'
             WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 2 AND action = 'execute_tool'
                         ORDER BY chain_sequence LIMIT 1)
             RETURNING id::text",
        )]),
        expect: Findings(&[("audit-chain", "hash_mismatch")]),
    },
    Breakage {
        name: "edited-metadata",
        about: "the metadata of a version-2 audit row is edited",
        how: Source(&[audit(
            "UPDATE audit_logs SET metadata_json = '{\"edited\": 1.5}'
             WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 2 ORDER BY chain_sequence DESC LIMIT 1)
             RETURNING id::text",
        )]),
        expect: Findings(&[("audit-chain", "hash_mismatch")]),
    },
    Breakage {
        name: "deleted-row",
        about: "an audit row is deleted from the middle of its chain",
        how: Source(&[audit(concat!(
            "WITH ",
            victim!(),
            ", gone AS (DELETE FROM audit_logs WHERE id = (SELECT id FROM victim))
             SELECT next::text FROM victim"
        ))]),
        expect: Findings(&[("audit-chain", "broken_link"), ("roots", "leaf_count_differs")]),
    },
    Breakage {
        name: "relinked-row",
        about: "an audit row is deleted, and the next is linked to the one before",
        how: Source(&[audit(concat!(
            "WITH ",
            victim!(),
            ", gone AS (DELETE FROM audit_logs WHERE id = (SELECT id FROM victim)),
             linked AS (UPDATE audit_logs SET prev_hash = (SELECT prev_hash FROM victim)
                        WHERE id = (SELECT next FROM victim))
             SELECT next::text FROM victim"
        ))]),
        expect: Findings(&[("audit-chain", "hash_mismatch"), ("roots", "leaf_count_differs")]),
    },
    Breakage {
        name: "rewritten-chain",
        about: "an audit row never happened: every later row of its chain is hashed and linked anew",
        how: Data(Tampering::RewrittenChain),
        expect: Findings(&[("roots", "leaf_count_differs")]),
    },
    Breakage {
        name: "swapped-rows",
        about: "two neighbours of a chain change their numbers",
        how: Source(&[audit(concat!(
            "WITH ",
            pair!(),
            ", swapped AS (
                UPDATE audit_logs a SET chain_sequence = CASE WHEN a.id = p.id THEN p.other ELSE p.own END
                FROM pair p WHERE a.id IN (p.id, p.next))
             SELECT next::text FROM pair"
        ))]),
        expect: Findings(&[("audit-chain", "out_of_order")]),
    },
    Breakage {
        name: "repeated-number",
        about: "two neighbours of a chain have the same number",
        how: Source(&[audit(concat!(
            "WITH ",
            pair!(),
            ", moved AS (UPDATE audit_logs a SET chain_sequence = p.own FROM pair p WHERE a.id = p.next)
             SELECT next::text FROM pair"
        ))]),
        expect: Findings(&[("audit-chain", "duplicate_sequence")]),
    },
    Breakage {
        name: "edited-branch",
        about: "where two writers have forked a chain, a row of a branch says another tool was used",
        how: Source(&[audit(concat!(
            "WITH ",
            family!(),
            " UPDATE audit_logs SET tool = 'tool.other'
             WHERE id = (SELECT id FROM family WHERE siblings > 1 AND children = 0 ORDER BY chain_sequence LIMIT 1)
             RETURNING id::text"
        ))]),
        expect: Findings(&[("audit-chain", "hash_mismatch")]),
    },
    Breakage {
        name: "deleted-fork",
        about: "the row that two others name as their parent is deleted",
        how: Source(&[audit(concat!(
            "WITH ",
            family!(),
            ", victim AS (
                SELECT id, next FROM family f
                WHERE children > 1 AND ",
            removable!(),
            " ORDER BY chain_sequence LIMIT 1),
             gone AS (DELETE FROM audit_logs WHERE id = (SELECT id FROM victim))
             SELECT next::text FROM victim"
        ))]),
        expect: Findings(&[("audit-chain", "broken_link"), ("roots", "leaf_count_differs")]),
    },
    Breakage {
        name: "forged-branch",
        about: "a row that never happened is inserted after another, with a hash that is right: it looks like a fork",
        how: Source(&[audit(concat!(
            "WITH ",
            family!(),
            ", parent AS (SELECT * FROM family f WHERE chain_shard = 0 AND children > 0 AND ",
            removable!(),
            " ORDER BY chain_sequence LIMIT 1),
             forged AS (
                INSERT INTO audit_logs (id, tenant_id, action, decision, event_hash, prev_hash, hash_version,
                                        chain_shard, billing_status, \"timestamp\")
                SELECT gen_random_uuid(), tenant_id, 'forged', 'allow',
                       encode(sha256(convert_to(event_hash || format(
                           '{\"action\": \"forged\", \"agent_id\": \"\", \"decision\": \"allow\", \"request_id\": \"\", '
                           '\"tenant_id\": \"%s\", \"tool\": \"\"}', tenant_id), 'UTF8')), 'hex'),
                       event_hash, 1, 0, 'not_billable', \"timestamp\"
                FROM parent)
             SELECT tenant_id || ' for ' || (\"timestamp\" AT TIME ZONE 'UTC')::date FROM parent"
        ))]),
        expect: Findings(&[("roots", "leaf_count_differs")]),
    },
    Breakage {
        name: "wrong-shard",
        about: "an audit row is moved into another chain of its tenant",
        how: Source(&[audit(concat!(
            "WITH ",
            victim!(),
            " UPDATE audit_logs SET chain_shard = CASE chain_shard WHEN 1 THEN 2 ELSE 1 END
             WHERE id = (SELECT id FROM victim) RETURNING id::text"
        ))]),
        expect: Findings(&[("audit-chain", "wrong_shard"), ("audit-chain", "broken_link")]),
    },
    Breakage {
        name: "null-hash",
        about: "an audit row lost its hash",
        how: Source(&[audit(
            "UPDATE audit_logs SET event_hash = NULL
             WHERE id = (SELECT id FROM audit_logs ORDER BY chain_sequence OFFSET 100 LIMIT 1)
             RETURNING id::text",
        )]),
        expect: Findings(&[("audit-chain", "null_hash")]),
    },
    Breakage {
        name: "unknown-version",
        about: "an audit row claims a hash version that does not exist",
        how: Source(&[audit(
            "UPDATE audit_logs SET hash_version = 9
             WHERE id = (SELECT id FROM audit_logs ORDER BY chain_sequence OFFSET 100 LIMIT 1)
             RETURNING id::text",
        )]),
        expect: Findings(&[("audit-chain", "unknown_version")]),
    },
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
                // A record is written some 40 ms after the row it bills, and its units tell by how much.
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
        about: "a day's root is replaced, and the next day's link to it mended",
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
    Breakage {
        name: "missing-table",
        about: "the backup job left a table out",
        how: Source(&[audit(
            "DROP TABLE transparency_historical_keys; SELECT 'acp_audit.public.transparency_historical_keys'",
        )]),
        expect: Failure("table_missing_in_dump"),
    },
    Breakage {
        name: "replaced-dump",
        about: "a dump is replaced by one in which an audit row has another reason, which its hash does not cover",
        how: Dump(audit(
            "UPDATE audit_logs SET reason = 'another reason'
             WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 1 ORDER BY chain_sequence LIMIT 1)
             RETURNING 'acp_audit.public.audit_logs'",
        )),
        expect: Findings(&[("source", "content_differs"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "lost-rows",
        about: "a dump is replaced by one without some of its rows, to which nothing refers",
        how: Dump(audit("WITH gone AS (DELETE FROM audit_notes RETURNING id) SELECT 'acp_audit.public.audit_notes'")),
        expect: Findings(&[("source", "row_count_differs"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "shrunk-audit",
        about: "the audit log lost all but two rows since the last drill, and there is no manifest to tell",
        how: Later(&[
            audit(
                "WITH billed AS (
                    SELECT * FROM audit_logs WHERE action = 'execute_tool' AND decision <> 'reject'
                    ORDER BY request_id::text DESC LIMIT 1),
                 fresh AS (
                    SELECT a.* FROM audit_logs a, billed b
                    WHERE a.tenant_id <> b.tenant_id AND (a.action <> 'execute_tool' OR a.decision = 'reject')
                    ORDER BY a.\"timestamp\" DESC LIMIT 1),
                 kept AS (SELECT * FROM billed UNION ALL SELECT * FROM fresh),
                 gone AS (DELETE FROM audit_logs WHERE id NOT IN (SELECT id FROM kept)),
                 notes AS (DELETE FROM audit_notes WHERE audit_log_id NOT IN (SELECT id FROM kept)),
                 roots AS (DELETE FROM transparency_roots r WHERE NOT EXISTS (
                    SELECT FROM kept k WHERE k.tenant_id = r.tenant_id
                        AND r.root_date <= (k.\"timestamp\" AT TIME ZONE 'UTC')::date))
                 SELECT 'acp_audit.public.audit_logs'",
            ),
            usage(
                "WITH gone AS (DELETE FROM usage_records WHERE audit_id::text IS DISTINCT FROM
                    (SELECT max(audit_id::text) FROM usage_records))
                 SELECT 'acp_usage.public.usage_records'",
            ),
        ]),
        expect: Findings(&[("rows", "rows_dropped"), ("audit-chain", "head_missing")]),
    },
    Breakage {
        name: "no-post-data",
        about: "the dump was made without its indexes, keys and triggers, and there is no manifest",
        how: WithoutPostData("acp_audit"),
        expect: Failure("post_data_missing"),
    },
    Breakage {
        name: "orphans",
        about: "rows refer to a row that is gone, past their foreign key",
        how: Source(&[Edit {
            database: "acp_identity",
            sql: "DELETE FROM tenants WHERE id = (SELECT tenant_id FROM users LIMIT 1) RETURNING 'acp_identity'",
        }]),
        expect: Failure("foreign_key_violated"),
    },
    Breakage {
        name: "unvalidated-orphans",
        about: "a note refers to an audit row that is gone, behind a foreign key that nobody has validated",
        how: Source(&[audit(
            "ALTER TABLE audit_notes DROP CONSTRAINT audit_notes_audit_log_id_fkey;
             INSERT INTO audit_notes (audit_log_id, author_id, note)
             VALUES (gen_random_uuid(), gen_random_uuid(), 'about nothing');
             ALTER TABLE audit_notes ADD CONSTRAINT audit_notes_audit_log_id_fkey
             FOREIGN KEY (audit_log_id) REFERENCES audit_logs (id) NOT VALID;
             SELECT 'acp_audit.public.audit_notes audit_notes_audit_log_id_fkey'",
        )]),
        expect: Findings(&[("constraints", "not_valid_violated")]),
    },
    Breakage {
        name: "lost-sequence",
        about: "a sequence stands where it began: the next insert gets a number that is taken",
        how: Source(&[audit(
            "ALTER TABLE audit_notes ALTER id RESTART WITH 1; SELECT 'acp_audit.public.audit_notes_id_seq'",
        )]),
        expect: Findings(&[("sequences", "sequence_behind")]),
    },
    Breakage {
        name: "abandoned",
        about: "dumps are made every night, of a database that nobody has written to for days",
        how: Source(&[
            audit(concat!(
                "WITH gone AS (DELETE FROM audit_logs WHERE \"timestamp\" >= ",
                days_ago!(2),
                " RETURNING id),
                 notes AS (DELETE FROM audit_notes WHERE audit_log_id IN (SELECT id FROM gone)),
                 roots AS (DELETE FROM transparency_roots
                           WHERE root_date >= (",
                days_ago!(2),
                " AT TIME ZONE 'UTC')::date)
                 SELECT 'acp_audit'"
            )),
            usage(concat!(
                "WITH gone AS (DELETE FROM usage_records
                    WHERE \"timestamp\" - (40000 + units) * interval '1 microsecond' >= ",
                days_ago!(2),
                ")
                 SELECT 'acp_usage'"
            )),
        ]),
        expect: Findings(&[("audit-fresh", "too_old")]),
    },
    Breakage {
        name: "empty-database",
        about: "a database has its tables and no rows, for a good reason: a backup that passes",
        how: Source(&[Edit {
            database: "acp_autonomy",
            sql: "TRUNCATE policies, approvals; SELECT 'acp_autonomy'",
        }]),
        expect: Pass,
    },
    Breakage {
        name: "stale",
        about: "the backup job has not run for 30 hours",
        how: Aged { hours: 30 },
        expect: Failure("rpo_missed"),
    },
    Breakage {
        name: "truncated-object",
        about: "an upload broke off: the encrypted object lacks its end",
        how: Objects(ObjectChange::Truncate("acp_audit")),
        expect: Failure("ciphertext_corrupted"),
    },
    Breakage {
        name: "flipped-bit",
        about: "one bit of an encrypted object is another",
        how: Objects(ObjectChange::FlipBit("acp_audit")),
        expect: Failure("ciphertext_corrupted"),
    },
    Breakage {
        name: "empty-object",
        about: "an object has no bytes at all",
        how: Objects(ObjectChange::Empty("acp_audit")),
        expect: Failure("empty_object"),
    },
    Breakage {
        name: "missing-object",
        about: "a database has no recovery point",
        how: Objects(ObjectChange::Remove("acp_audit")),
        expect: Failure("no_recovery_point"),
    },
    Breakage {
        name: "truncated-dump",
        about: "pg_dump broke off and was encrypted all the same: its first tables restore",
        how: Objects(ObjectChange::TruncateDump("acp_audit")),
        expect: Failure("dump_truncated"),
    },
    Breakage {
        name: "empty-dump",
        about: "pg_dump failed at once and was encrypted all the same",
        how: Objects(ObjectChange::EmptyDump("acp_audit")),
        expect: Failure("empty_dump"),
    },
    Breakage {
        name: "terminal",
        about: "the dump was taken with docker exec -t: a terminal changed its line feeds",
        how: Objects(ObjectChange::Terminal("acp_audit")),
        expect: Failure("dump_crlf"),
    },
    Breakage {
        name: "other-key",
        about: "a dump is encrypted to a key that nobody here has",
        how: Objects(ObjectChange::OtherKey("acp_audit")),
        expect: Failure("no_identity_fits"),
    },
    Breakage {
        name: "wrong-database",
        about: "a recovery point holds the dump of another database",
        how: Objects(ObjectChange::Swap("acp_audit", "acp_usage")),
        expect: Failure("wrong_database"),
    },
];

const fn audit(sql: &'static str) -> Edit {
    Edit { database: "acp_audit", sql }
}

const fn usage(sql: &'static str) -> Edit {
    Edit { database: "acp_usage", sql }
}
