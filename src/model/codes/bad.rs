//! Exit code 1: the backup, the data or an objective is bad.

use super::codes;

codes! {
    NO_RECOVERY_POINT = "no_recovery_point":
        "The store has no recovery point of a database at or before the point in time.",
        "Check the backup job's last runs, and `store.url` and `store.key`.";
    OBJECT_ARCHIVED = "object_archived":
        "A recovery point is in an archive storage class. Found in the plan; later it gives exit code 3.",
        "`restore-drill plan --request-restore`, or drill a newer one.";
    EMPTY_OBJECT = "empty_object":
        "The newest recovery point has no bytes.",
        "Check the backup job's last run. Drill an older recovery point with `--at`.";
    OBJECT_GONE = "object_gone":
        "An object was in the listing and is not in the store any more.",
        "Check the bucket's lifecycle rules and clean-up jobs.";
    NOT_AGE = "not_age":
        "The recovery point is neither an age file nor encrypted with OpenPGP, and the template demands encryption.",
        "Check what the backup job uploads, and `store.key`. `encryption.required = false` takes it as it is.";
    AGE_HEADER_INVALID = "age_header_invalid":
        "The age header is damaged.",
        "Compare the object's size with the backup job's log. Drill an older recovery point with `--at`.";
    NO_IDENTITY_FITS = "no_identity_fits":
        "No identity opens the recovery point.",
        "Find the identity of the recipient the backup job uses.";
    CIPHERTEXT_TRUNCATED = "ciphertext_truncated":
        "The object ends before its last chunk.",
        "As `age_header_invalid`.";
    CIPHERTEXT_CORRUPTED = "ciphertext_corrupted":
        "A chunk was altered or cut off.",
        "As `age_header_invalid`.";
    DECRYPT_FAILED = "decrypt_failed":
        "`gpg` did not decrypt the recovery point to its end: it was altered or cut off, or has no integrity protection.",
        "As `age_header_invalid`.";
    LAYER_TRUNCATED = "layer_truncated":
        "The recovery point is compressed, and ends early.",
        "As `age_header_invalid`.";
    LAYER_CORRUPTED = "layer_corrupted":
        "The recovery point is compressed, and was altered: it does not decompress, has another checksum, or something \
         follows its end.",
        "As `age_header_invalid`.";
    DUMP_CRLF = "dump_crlf":
        "The dump went through a terminal, which put a carriage return before every line feed.",
        "Take the `-t` out of `docker exec -t … pg_dump` (or `ssh -t`) in the backup job.";
    EMPTY_DUMP = "empty_dump":
        "The recovery point decrypts to nothing. `backup`: `pg_dump` wrote nothing.",
        "Check the exit status of `pg_dump` in the backup job (`set -o pipefail`).";
    DUMP_TRUNCATED = "dump_truncated":
        "The dump ends early.",
        "Check the exit status of `pg_dump` in the backup job.";
    DUMP_INCOMPLETE = "dump_incomplete":
        "A plain dump does not end with the line that `pg_dump` writes last. Nothing of it was restored.",
        "Check the exit status of `pg_dump` in the backup job (`set -o pipefail`).";
    DUMP_RUNS_COMMANDS = "dump_runs_commands":
        "A plain dump has commands for `psql` that `pg_dump` does not write, or hides some. No command was run.",
        "Find out what changed the dump; drill an older recovery point with `--at`.";
    DUMP_SWITCHES_DATABASE = "dump_switches_database":
        "A plain dump of one database connects to another. Nothing of it was run.",
        "Write the dump of each database to an object of its own.";
    DATABASE_NOT_IN_CLUSTER = "database_not_in_cluster":
        "The recovery point of a database is a dump of a whole server (`pg_dumpall`), and the database is not in it.",
        "Check whether the database was dropped, or is on another server.";
    ROWS_NOT_RESTORED = "rows_not_restored":
        "A restored table has another number of rows than a plain dump has for it.",
        "Look for triggers and rules that act while the dump is restored.";
    NOT_AN_ARCHIVE = "not_an_archive":
        "The dump has none of the formats that are read.",
        "Make dumps with `pg_dump`: see [formats](formats.md).";
    SQLITE_INVALID = "sqlite_invalid":
        "The recovery point is no SQLite database, or its header is damaged.",
        "Check what the backup job copies, and `key` and `system` of the database.";
    SQLITE_ENCRYPTED = "sqlite_encrypted":
        "The recovery point may be an encrypted SQLite database: its bytes look random.",
        "Back up a decrypted copy in a layer of age or gpg, whose key the drill has.";
    SQLITE_TRUNCATED = "sqlite_truncated":
        "The file of an SQLite database has another size than its header says.",
        "It was cut off, or copied while it was written: make backups with `VACUUM INTO`.";
    INTEGRITY_FAILED = "integrity_failed":
        "`PRAGMA integrity_check` found an SQLite database damaged.",
        "It was copied while it was written, or the disk damaged it: make backups with `VACUUM INTO`.";
    WRONG_DATABASE = "wrong_database":
        "The dump is of another of the template's databases.",
        "Compare the backup job's database names with its object names.";
    FOREIGN_KEY_VIOLATED = "foreign_key_violated":
        "Rows refer to rows that are not in the dump.",
        "Check whether the dump was taken from one snapshot, and whole.";
    RESTORE_FAILED = "restore_failed":
        "`pg_restore` reported another error.",
        "Read `databases[].pg_restore.stderr`.";
    PARENT_FAILED = "parent_failed":
        "In `databases[].error` only: not restored, because its parent was not.",
        "See the parent's error.";
    ISOLATION_FAILED = "isolation_failed":
        "The stack is not isolated, and nothing was restored; or another process joined it while it held data.",
        "Read `isolation`; see [isolation](isolation.md).";
    RPO_MISSED = "rpo_missed":
        "The oldest recovery point of the set is older than the objective.",
        "Check the backup job's last runs.";
    RTO_MISSED = "rto_missed":
        "Recovery took longer than the objective.",
        "The hint names the longest stage; `phases` says where the time went.";
    PHASE_BUDGET_MISSED = "phase_budget_missed":
        "A phase took longer than its budget.",
        "As `rto_missed`.";
    SCHEMA_DIFFERS = "schema_differs":
        "A table or column that a check needs is not in the restored database.",
        "Check whether it was left out of the backup, and check the names in the template.";
    CHAIN_COLUMNS_MISSING = "chain_columns_missing":
        "The table of a `verify-chain` check lacks columns the scheme needs.",
        "Check whether it is the right table.";
    JSONL_MALFORMED = "jsonl_malformed":
        "`verify-chain` only: a line of the export is no JSON object, or lacks a whole number where \
         `contiguous` needs one, or the export is cut off.",
        "Export again.";
    CHECK_FAILED = "check_failed":
        "A check failed without an error among its findings.",
        "A defect. Report it, with the verdict.";
    POINT_CHANGED = "point_changed":
        "`fetch` only: the object is not the one that the drill restored, or that the manifest records: its size or its \
         SHA-256 is another.",
        "Do not restore from it. Find out what wrote to its key.";
    OBJECT_EXISTS = "object_exists":
        "`backup` only: the key is in the store already.",
        "Run the backup again.";
    PG_DUMP_FAILED = "pg_dump_failed":
        "`backup` only: `pg_dump` failed; nothing was uploaded.",
        "The hint follows from what `pg_dump` said.";
    PG_DUMPALL_FAILED = "pg_dumpall_failed":
        "`backup` only: `pg_dumpall` failed, so the server's roles were not backed up. The dumps are kept.",
        "The hint follows from what `pg_dumpall` said.";
    GLOBALS_MISSING = "globals_missing":
        "The recovery set has no globals although the manifest or the template says that it has.",
        "Check the backup job. `access = \"skip\"` in `[postgres]` drills without roles.";
    GLOBALS_REPLACED = "globals_replaced":
        "The globals in the store are not those that the backup wrote: their SHA-256 is another than in the manifest.",
        "Find out who wrote to the store.";
    ROLE_LOST = "role_lost":
        "The globals lack a role that owns something in a database, or that a policy is for.",
        "A recovery would lack it too. Check what the backup job leaves out.";
    GLOBALS_UNREADABLE = "globals_unreadable":
        "The globals of the recovery set cannot be decrypted, are cut off, or are not what `pg_dumpall` writes.",
        "Compare the object with the backup job's log. `access = \"skip\"` in `[postgres]` drills without roles.";
    READBACK_DIFFERS = "readback_differs":
        "`backup` only: reading the dump back does not give what was uploaded.",
        "Do not rely on the dump. Check the store, and run the backup again.";
    SOURCE_TOO_OLD = "source_too_old":
        "`backup` only: the source's PostgreSQL is too old for a manifest. The dump is made all the \
         same, and the manifest says so.",
        "Nothing, or upgrade the source.";
    SNAPSHOT_REFUSED = "snapshot_refused":
        "`backup` only: the source exports no snapshot, so nothing can be read beside the dump. The \
         dump is made all the same, and the manifest says so.",
        "Read the message.";
    SOURCE_UNREACHABLE = "source_unreachable":
        "`backup` only: the drill cannot connect to the source to read its content. The dump may be \
         made all the same, and the manifest says so.",
        "Check the host, the port and the password of `[backup]`.";
}
