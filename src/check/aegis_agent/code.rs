//! Codes of the findings of the chains of AegisAgent.

/// Of receipts.
pub mod receipts {
    use crate::model::finding_code::findings;

    findings! {
        HASH_MISMATCH = "hash_mismatch", "error":
            "The row is not what was hashed: it was edited, or its hash was.",
            "Compare the row with production and with older recovery points. Treat it as tampering until it is explained.",
            "receipt rc_17 of tenant one: the stored hash is 9f86d081…, not that of the row's content";
        MISSING_PARENT = "missing_parent", "error":
            "The row names a parent that is not there: a row was deleted, or a hash was edited. A first row that names a parent is one too, since nothing prunes a chain.",
            "Look for the missing row in older recovery points.",
            "receipt rc_17 of tenant one: no row has the hash that it names";
        FORK = "fork", "error":
            "The row names a parent that another row follows already, or none though it is not the first: the writer takes a lock, so no chain forks.",
            "Treat it as inserted rows until it is explained: `WHERE prev_receipt_hash = …` shows the branches.",
            "receipt rc_17 of tenant one: another row follows that parent";
        OUT_OF_ORDER = "out_of_order", "error":
            "The row's parent has a greater rowid: rows were numbered anew, as by a copy that is no `VACUUM INTO` or `.backup`.",
            "Find out how the copy was made. Treat it as tampering until it is explained.",
            "receipt rc_17 of tenant one: its parent comes later";
        UNKNOWN_VERSION = "unknown_version", "error":
            "The row's `canon_version` is unknown, so the row can be neither proved nor disproved.",
            "The gateway may have a newer version that this program does not support.",
            "receipt rc_17 of tenant one: canon_version aegis-jcs-2";
        BAD_SIGNATURE = "bad_signature", "error":
            "The signature does not belong to the row's hash and key, or it is none.",
            "Compare the row with production. Treat it as tampering until it is explained.",
            "receipt rc_17 of tenant one: the signature does not belong to the hash";
        UNKNOWN_SIGNING_KEY = "unknown_signing_key", "error":
            "The row is signed with another key than those of `public_keys`.",
            "If the key was rotated, name the older key too. Otherwise treat it as tampering.",
            "receipt rc_17 of tenant one: signed with the key 79b5562e…";
        SIGNATURES_NOT_PINNED = "signatures_not_pinned", "warning":
            "Signatures were held against the key that stands in the row itself: whoever can write the row can write that too.",
            "Give the gateway's public key in `public_keys`.",
            "gateway.action_receipts: 213 signatures fit the keys beside them";
        UNSIGNED_AFTER_SIGNED = "unsigned_after_signed", "warning":
            "Rows of a chain have no signature, after rows that have one. One finding for each chain. The gateway writes unsigned rows where its signing key is invalid, and does not stop.",
            "Look at `AEGIS_RECEIPT_SIGNING_KEY` of the gateway.",
            "the chain of tenant one: 12 rows without a signature, the first after rc_17";
        DECISION_MISSING = "decision_missing", "error":
            "The row names a decision that is not there. No hash covers `decision_id`.",
            "Look for the decision in older recovery points.",
            "receipt rc_17 of tenant one: no decision dec_17";
        DECISION_DIFFERS = "decision_differs", "error":
            "The decision that the row names is of another tenant or agent, or says something else. Decisions are not hashed: one that was edited shows only here. What a receipt says that is neither `allow`, `deny` nor `require_approval` is not compared.",
            "Compare both with production. Treat it as tampering until it is explained.",
            "receipt rc_17 of tenant one: the decision dec_17 is allow, and the receipt deny";
        TABLE_MISSING = "table_missing", "error":
            "The table is not in the restored database.",
            "Check what the backup was made of.",
            "gateway.action_receipts: it is not in the restored database";
        HEAD_MISSING = "head_missing", "error; warning with `allow_missing_heads`":
            "The row that was the newest of its chain in an earlier drill is not there.",
            "Look for it in that drill's recovery point. Treat it as a deletion until it is explained; if it is right, as for a tenant that was erased, drill once with `allow_missing_heads = true`.",
            "the chain of tenant one: the row with the hash 9f86d081… is gone";
        HEADS_NOT_COMPARED = "heads_not_compared", "warning":
            "No earlier drill recorded heads, or it did not record those of all chains. As with `no_earlier_drill`, the finding reports drills that were passed over.",
            "Keep the reports of drills, and name them with `--reports`.",
            "the ends of the chains: the reports directory has no drill that passed and recorded them";
    }
}

/// Of the log of policies.
pub mod policy_log {
    use crate::model::finding_code::findings;

    findings! {
        HASH_MISMATCH = "hash_mismatch", "error":
            "The row is not what was hashed: it was edited, or its hash was.",
            "Compare the row with production and with older recovery points. Treat it as tampering until it is explained.",
            "entry pal_17 of tenant one: the stored hash is 9f86d081…, not that of the row's content";
        MISSING_PARENT = "missing_parent", "error":
            "The row names a parent that is not there: a row was deleted, or a hash was edited. A first row that names a parent is one too, since nothing prunes a chain.",
            "Look for the missing row in older recovery points.",
            "entry pal_17 of tenant one: no row has the hash that it names";
        FORK = "fork", "error":
            "The row names a parent that another row follows already, or none though it is not the first.",
            "Treat it as inserted rows until it is explained.",
            "entry pal_17 of tenant one: another row follows that parent";
        OUT_OF_ORDER = "out_of_order", "error":
            "The row's parent has a greater rowid: rows were numbered anew, as by a copy that is no `VACUUM INTO` or `.backup`.",
            "Find out how the copy was made. Treat it as tampering until it is explained.",
            "entry pal_17 of tenant one: its parent comes later";
        TABLE_MISSING = "table_missing", "error":
            "The table is not in the restored database.",
            "Check what the backup was made of.",
            "gateway.policy_audit_log: it is not in the restored database";
        HEAD_MISSING = "head_missing", "error; warning with `allow_missing_heads`":
            "The row that was the newest of its chain in an earlier drill is not there.",
            "Look for it in that drill's recovery point. Treat it as a deletion until it is explained; if it is right, as for a tenant that was erased, drill once with `allow_missing_heads = true`.",
            "the chain of tenant one: the row with the hash 9f86d081… is gone";
        HEADS_NOT_COMPARED = "heads_not_compared", "warning":
            "No earlier drill recorded heads, or it did not record those of all chains. As with `no_earlier_drill`, the finding reports drills that were passed over.",
            "Keep the reports of drills, and name them with `--reports`.",
            "the ends of the chains: the reports directory has no drill that passed and recorded them";
    }
}
