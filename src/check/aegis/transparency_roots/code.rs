//! Codes of the findings of `transparency-roots`.

use crate::model::finding_code::findings;

findings! {
    TABLE_MISSING = "table_missing", "error":
        "One of the three tables is not in the restored database. Nothing else is verified then.",
        "Check whether the backup job leaves tables out.",
        "acp_audit.public.audit_logs: the table is not in the restored database";
    BROKEN_ROOT_LINK = "broken_root_link", "error":
        "`prev_root_hash` is not the root of the tenant's root before.",
        "Look for an edited or missing root; compare with older recovery points.",
        "root of tenant 7 for 2026-05-16: it names 9f86d081…, and the root before is 2c26b46b…";
    LATE_ROOT = "late_root", "warning":
        "The root names an older one than the one before it, which was computed later (`computed_at`): the root of an earlier day was added later.",
        "Check whether the job that makes roots had stopped for a time.",
        "root of tenant 7 for 2026-05-16: it names the root of 2026-05-14; that of 2026-05-15 was computed later";
    MISSING_ROOT = "missing_root", "error":
        "A day with audit rows has no root.",
        "Look for the root in older recovery points. Check whether the job that makes roots ran that day.",
        "root of tenant 7 for 2026-05-16: no root";
    MISSING_GENESIS_ROOT = "missing_genesis_root", "warning; error with `require_genesis`":
        "The tenant's first root names one before it: older roots were pruned, or lost.",
        "Compare with the retention.",
        "root of tenant 7 for 2026-01-01: it names an older root, which is not there";
    LEAF_COUNT_DIFFERS = "leaf_count_differs", "error":
        "The day has more or fewer audit rows than its root says, up to the last that it covers; or that one is not among them.",
        "Rows were lost, added or moved to another day. Look at the findings of `verify-chain`, and at older recovery points.",
        "root of tenant 7 for 2026-05-16: 211 audit rows, expected 213";
    LEAF_RANGE_DIFFERS = "leaf_range_differs", "error":
        "The first audit row of the day is not the one that its root says.",
        "Rows were lost, added or moved to another day. Look at the findings of `verify-chain`, and at older recovery points.",
        "root of tenant 7 for 2026-05-16: the first row is 812, expected 811";
    UNANCHORED_TAIL = "unanchored_tail", "info; warning":
        "Audit rows come after the last that the root covers. Info: they were written after it was computed; one finding for all days. Warning: they are dated before that.",
        "Info: nothing, though no root proves these rows. Warning: check when the rows were written (`created_at`), and what else that day has.",
        "root of tenant 7 for 2026-05-16: 3 audit rows come after the last that the root covers";
    LEAVES_PRUNED = "leaves_pruned", "warning; error with `require_genesis`":
        "The day lies before the tenant's oldest audit row, or is the day of that row, and has fewer audit rows than its root says.",
        "Compare with the retention.",
        "root of tenant 7 for 2026-01-01: no audit rows of that day are left";
    NO_DAY = "no_day", "error":
        "The `timestamp` of audit rows, or the `root_date` of roots, is infinite, null or outside the years 1 to 9999: no root counts such a row.",
        "Look at these rows, and what wrote them.",
        "audit rows of tenant 7: 2 of them without one";
    EMPTY_ROOT_DIFFERS = "empty_root_differs", "error":
        "The root says that the day has no rows, and its hash is not that of such a day.",
        "Treat the root as edited.",
        "root of tenant 7 for 2026-05-16: the hash is not that of a day without rows";
    RECEIPT_MISSING = "receipt_missing", "error":
        "`signed_root_payload` has no receipt that can be read.",
        "Look at the row.",
        "root of tenant 7 for 2026-05-16: none that can be read";
    RECEIPT_DIFFERS = "receipt_differs", "error":
        "A column is not what was signed, or the fingerprint in the column is not the one in the payload (whole, or the first 32 digits of it).",
        "The row was edited after it was signed.",
        "root of tenant 7 for 2026-05-16: the row has leaf_count 213";
    UNKNOWN_SIGNING_KEY = "unknown_signing_key", "error":
        "No known key has the fingerprint.",
        "Set `active_public_key`. If that does not help, look where the key came from.",
        "root of tenant 7 for 2026-05-16: signed by an unknown key 9f86d081…";
    BAD_SIGNATURE = "bad_signature", "error":
        "The signature does not belong to this receipt and key, is malformed, or is absent.",
        "Treat the receipt as edited.",
        "root of tenant 7 for 2026-05-16: the signature does not verify";
    SIGNING_KEY_UNREADABLE = "signing_key_unreadable", "error":
        "A key in the table is not an Ed25519 public key in PEM form.",
        "Look at the row of that fingerprint.",
        "key 9f86d081…: it is no Ed25519 key";
    SIGNING_KEY_DIFFERS = "signing_key_differs", "error":
        "A key in the table has another fingerprint than the one beside it.",
        "Treat the row as edited: signatures would be taken for those of another key.",
        "key 9f86d081…: another key, of the fingerprint 2c26b46b…";
    ROOT_DIFFERS_FROM_SNAPSHOT = "root_differs_from_snapshot", "error":
        "The root, the one it names, or its count is not what the snapshot says.",
        "Treat it as a rewrite of history. Compare with the signed receipt and with older recovery points.",
        "root of tenant 7 for 2026-05-16: root_hash 9f86d081…, expected 2c26b46b…";
    ROOT_MISSING_IN_DATABASE = "root_missing_in_database", "error; warning for days before the tenant's first root, unless `require_genesis`":
        "The snapshot has a root that the database does not have.",
        "Look for it in older recovery points; compare with the retention.",
        "root of tenant 7 for 2026-05-16: not in the database";
    ROOT_NOT_IN_SNAPSHOT = "root_not_in_snapshot", "error":
        "The snapshot has roots of that day, but not this root of the database.",
        "Find out where the root came from, and whether the snapshot of that night is whole.",
        "root of tenant 7 for 2026-05-16: not in the snapshot, which has others of that day";
    SNAPSHOT_CONTRADICTS_ITSELF = "snapshot_contradicts_itself", "error":
        "Two objects of the snapshot say different things of one root.",
        "Find out which of them was changed.",
        "root of tenant 7 for 2026-05-16: two objects have two hashes";
    SNAPSHOT_MISSING = "snapshot_missing", "error":
        "There is no object below the prefix.",
        "Check the prefix, and whether the job that writes the snapshot runs.",
        "audit-anchors/: no object";
    SNAPSHOT_UNREADABLE = "snapshot_unreadable", "error":
        "An object cannot be decrypted, is cut off, or has a line that is no root.",
        "Look at the object.",
        "audit-anchors/2026-05-16.jsonl.age: line 3 is no root";
    NO_SIGNING_KEYS = "no_signing_keys", "error":
        "There are audit rows or roots, and no key that can be read.",
        "Check whether the table of keys is left out of the backup. No signature is verified in this case.",
        "transparency_historical_keys: 1,204 audit rows and 12 roots, and no key to verify them with";
}
