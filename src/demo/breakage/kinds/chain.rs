//! Audit rows that were tampered with.

use super::audit;
use crate::demo::breakage::Breakage;
use crate::demo::breakage::Expect::Findings;
use crate::demo::breakage::How::{Data, Source};
use crate::demo::data::Tampering;

/// Every row of the audit log, with the number of rows that follow it in its chain, one of these, and the number that
/// follow its parent.
macro_rules! family {
    () => {
        "family AS (
            SELECT a.*, (SELECT count(*) FROM audit_logs c WHERE c.prev_hash = a.event_hash) AS children,
                   (SELECT c.id FROM audit_logs c WHERE c.prev_hash = a.event_hash LIMIT 1) AS next,
                   count(*) OVER (PARTITION BY tenant_id, chain_shard, prev_hash) AS siblings
            FROM audit_logs a)"
    };
}

/// Whether a root covers the row `f`, and no row refers to it.
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

/// Kinds that break a chain.
pub(super) static KINDS: &[Breakage] = &[
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
];
