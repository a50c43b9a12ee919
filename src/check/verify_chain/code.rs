//! Codes of the findings of `verify-chain`.

use crate::model::finding_code::findings;

findings! {
    HASH_MISMATCH = "hash_mismatch", "error":
        "The row is not what was hashed: it was edited, or its hash was.",
        "Compare the row with production and with older recovery points. Treat it as tampering until it is explained.",
        "tenant 7, shard 3, row 4711: the stored hash is 9f86d081…, not that of the row's content";
    BROKEN_LINK = "broken_link", "error":
        "The row's parent is missing: no row of the chain has the hash that it names. Where columns order the chain: the row before is another. A row is missing, or a hash was edited.",
        "Look for the missing row in older recovery points.",
        "tenant 7, shard 3, row 4711: no row has the hash that it names";
    FORK = "fork", "warning":
        "`aegis-audit`: rows name a parent that another row names too. One finding for all of them, with their number and one of the parents. Not counted while a row is there twice: it cannot be decided which of the two is the parent.",
        "Check whether the number fits how often writers run at the same instant. `WHERE prev_hash = …` shows the branches.",
        "12 parents: 25 rows name a parent that another row names too; one of them is row 4711";
    TOO_MANY_FORKS = "too_many_forks", "error":
        "There are more forks than `max_forks`.",
        "Check whether the number fits how often writers run at the same instant. `WHERE prev_hash = …` shows the branches. Treat them as inserted rows until they are explained.",
        "12 forks, expected at most 3";
    DUPLICATE_HASH = "duplicate_hash", "error":
        "`aegis-audit`: two rows of a chain have the same hash: one row is there twice. Of a piece of a chain that is there twice, its first row is named.",
        "Find out what wrote it twice.",
        "tenant 7, shard 3, row 4711: row 4712 has the same hash";
    CYCLE = "cycle", "error":
        "`aegis-audit`: a row names itself, or the links of a chain form a circle.",
        "Treat it as tampering: no such rows can be what was hashed.",
        "tenant 7, shard 3, row 4711: the row names itself";
    WRONG_SHARD = "wrong_shard", "error; warning for version-2 rows in shard 0":
        "`aegis-audit`: the row is in another shard than its `request_id` says. The warning is one finding for all rows.",
        "Check whether the row was moved. If the installation has another number of shards, set `shards`.",
        "tenant 7, row 4711: it is in shard 3, and its request_id says 5";
    UNTIMED_HASH = "untimed_hash", "info":
        "`aegis-audit`: version-2 rows were hashed with an empty timestamp. One finding, with their number.",
        "Nothing. The chain does not prove when these rows were written.",
        "213 rows: hashed with an empty timestamp";
    DUPLICATE_SEQUENCE = "duplicate_sequence", "error":
        "The row stands at the same place as the one before it in its chain; in `aegis-audit`, its `chain_sequence` is its parent's.",
        "Look for two writers of the same chain, and for rows that are there twice.",
        "tenant 7, shard 3, row 4711: chain_sequence 17 again";
    OUT_OF_ORDER = "out_of_order", "error":
        "In an export: the row stands after one that comes later. In `aegis-audit`: its `chain_sequence` is below its parent's.",
        "Check how the export was sorted. Look for rows that were inserted or renumbered later.",
        "tenant 7, shard 3, row 4711: chain_sequence 16 after 17";
    SEQUENCE_GAP = "sequence_gap", "error":
        "With `contiguous`: numbers are missing before this row.",
        "Look for the missing rows in older recovery points.",
        "chain 7, row 4711: 21 after 17";
    NULL_HASH = "null_hash", "error":
        "The hash or the link is null, so the row is not in the chain at all.",
        "Find out what wrote the row.",
        "tenant 7, shard 3, row 4711: event_hash is null";
    UNKNOWN_VERSION = "unknown_version", "error":
        "The row's version is unknown, so the row can be neither proved nor disproved.",
        "The platform may have a newer version that this program or the template does not support.",
        "tenant 7, shard 3, row 4711: hash_version 3";
    UNHASHABLE_ROW = "unhashable_row", "error":
        "The row cannot be hashed: it has a timestamp outside the years 1 to 9999, metadata that is nested too deep, text that is not UTF-8, or a preimage that is null.",
        "Look at the row.",
        "tenant 7, shard 3, row 4711: a timestamp outside the years 1 to 9999";
    FOREIGN_TYPE = "foreign_type", "info":
        "A column has a type that the backup or an extension defines. The text that this type writes is what is hashed.",
        "Nothing, if you know the type. Otherwise find out why the column is not of a built-in type.",
        "acp_audit: columns are of the type citext, and compared as that type writes its values";
    MISSING_GENESIS = "missing_genesis", "warning; error with `require_genesis`":
        "The chain has no genesis row, and this is where it begins: older rows were pruned, or lost. A prune may cut through a fork; then there are several.",
        "Compare with the retention of the table. Set `require_genesis = true` where nothing is ever pruned.",
        "tenant 7, shard 3: the chain begins with row 900";
    HEAD_MISSING = "head_missing", "error; warning with `allow_missing_heads`":
        "The row that was the newest of its chain in an earlier drill is not there.",
        "Look for it in that drill's recovery point. Treat it as a deletion until it is explained; if it is right, as for a tenant that was offboarded or a chain that was begun anew, drill once with `allow_missing_heads = true`.",
        "tenant 7, shard 3: row 4711 is not there";
    HEAD_PRUNED = "head_pruned", "warning":
        "That row is not there, every row that is left is newer, and the first of them is no genesis row, as after a prune. It is in `not_verified`: what went with it is not known.",
        "Compare with the retention of the table.",
        "tenant 7, shard 3: row 4711 is not there, and every row that is left is newer";
    HEADS_NOT_COMPARED = "heads_not_compared", "warning":
        "No earlier drill recorded heads, or it did not record those of all chains. As with `no_earlier_drill`, the finding reports drills that were passed over.",
        "Keep the reports of drills, and name them with `--reports`.",
        "the ends of the chains: the reports directory has no drill that passed and recorded them";
}
