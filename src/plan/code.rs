//! Codes of the findings of a plan.

use crate::model::finding_code::FindingCode;

/// The recovery set.
pub mod set {
    use crate::model::finding_code::findings;

    findings! {
        NO_RECOVERY_POINT = "no_recovery_point", "error":
            "No object of a database at or before the point in time.",
            "Check the backup job, `store.url` and `store.key`.",
            "shop: no recovery point: nothing in the store begins with nightly/shop_";
        EMPTY_OBJECT = "empty_object", "error":
            "The newest recovery point has no bytes.",
            "Check the backup job's last run; drill an older one with `--at`.",
            "shop: the newest recovery point nightly/shop_20260517T083111Z.dump.age has no bytes at all";
        RPO_MISSED = "rpo_missed", "error":
            "The oldest member is older than `objectives.rpo`.",
            "Check the backup job's last runs.",
            "shop: its newest recovery point is 2d 3h old";
        SKEW_EXCEEDED = "skew_exceeded", "error":
            "Members were taken further apart than `recovery_set.max_skew`: rows may refer to rows that are not there yet.",
            "Dump databases together; look for one that fails or hangs.",
            "recovery set: billing was taken 2h after shop";
        SHRUNKEN_POINT = "shrunken_point", "warning":
            "Smaller than `recovery_set.shrunk_below` of the median before it.",
            "Look for tables left out, or for rows deleted on purpose. A warning: a prune shrinks a sound dump too.",
            "shop: nightly/shop_20260517T083111Z.dump.age is 97.7 KiB, 10 % of that median";
        SCHEDULE_GAP = "schedule_gap", "warning":
            "More than 1.5 intervals of `recovery_set.schedule` between two recovery points considered.",
            "Check the backup job on that night.",
            "shop: no recovery point for 2d after 2026-05-13 04:31:11Z";
        BACKUP_OVERDUE = "backup_overdue", "warning":
            "More than 1.5 intervals since the last one.",
            "Check the backup job's last run.",
            "shop: the last one is of 2026-05-15 04:31:11Z, 2d before";
        KEY_TIME_UNREADABLE = "key_time_unreadable", "error if uploaded more than `recovery_set.schedule` (else a day) after the chosen one; else warning":
            "Keys that are a database's in all but the time, which `store.timestamp` does not read: they are passed over.",
            "Correct `store.timestamp`, or the job that names them; the error means that the chosen recovery point is not the newest backup.",
            "shop: 3 objects passed over, for a time that store.timestamp does not read";
        POINT_FROM_THE_FUTURE = "point_from_the_future", "warning":
            "A key names a time that has not come.",
            "Check the clock and the zone where keys are made.",
            "shop: nightly/shop_20310101T000000Z.dump.age names a time that has not come yet";
        SERVER_VERSIONS_DIFFER = "server_versions_differ", "warning":
            "Members are of different major versions.",
            "Finish the upgrade; look for a forgotten server.",
            "recovery set: PostgreSQL 15: billing; PostgreSQL 17: shop";
        DATABASE_NOT_IN_TEMPLATE = "database_not_in_template", "warning; info if it has no recent recovery point":
            "A database in the store that is never drilled.",
            "Add it under `[[databases]]`, or remove its old objects.",
            "stock: it is backed up and not drilled: nightly/stock_20260517T043111Z.dump.age";
    }
}

/// What is inside.
pub mod inside {
    use crate::model::finding_code::findings;

    findings! {
        DUMP_TRUNCATED = "dump_truncated", "error":
            "Also: rows should begin behind the end of the object.",
            "Check the upload; drill an older one with `--at`.",
            "shop: its key has 4096 bytes: the rest was cut off";
        TABLE_MISSING_IN_DUMP = "table_missing_in_dump", "error; warning if the name may only be unreadable in the dump's encoding":
            "A table that a check needs is not in the dump. For `verify-chain` a view will do.",
            "Compare the options of `pg_dump` with the template's checks.",
            "shop.public.orders: it is not in nightly/shop_20260517T083111Z.dump.age";
        ROWS_MISSING_IN_DUMP = "rows_missing_in_dump", "error":
            "The rows of a table were left out, and a check asks for some.",
            "As above.",
            "shop.public.orders: the dump has the table and none of its rows";
        POST_DATA_MISSING = "post_data_missing", "error with `recovery_set.require_post_data`, or if the dump of an earlier drill that passed had some; else warning":
            "The dump has rows, and not one index, key, constraint or trigger, as after `pg_dump --section=pre-data --section=data`.",
            "Check the options of `pg_dump`; a drill of it fails, though it can be restored.",
            "shop: the dump has the rows of 9 tables, and not one index, key, constraint or trigger";
        OBJECTS_GONE = "objects_gone", "warning; error if `recovery_set.forbid_loss` has the kind":
            "The recovery point before this one has tables, indexes, triggers, policies or the like that this one has not. What went with its table is not listed, and partitions come and go.",
            "Find the migration that took them away. If nobody meant it, every later backup lacks them too: `points[].drift` in the JSON has all names.",
            "shop: 2 indexes are gone since the recovery point before it, of 2026-05-16 04:31:11Z: public.orders_total_idx, public.orders_state_idx";
        ACLS_GONE = "acls_gone", "warning; error if `recovery_set.forbid_loss` has `acls`":
            "The recovery point before this one has privileges, and this one has not one: a server recovered from it serves its owners alone.",
            "Check whether the backup job was changed to `pg_dump --no-privileges`, or `[backup] privileges` to `false`.",
            "shop: not one privilege is left of 12 privileges since the recovery point before it, of 2026-05-16 04:31:11Z";
        DRIFT_NOT_KNOWN = "drift_not_known", "warning":
            "`recovery_set.forbid_loss` forbids a loss, and the recovery point before this one cannot be read.",
            "Nothing, if it is archived, or encrypted to an older key.",
            "shop: not known what is gone since the recovery point before it, of 2026-05-16 04:31:11Z: it is in DEEP_ARCHIVE";
        TABLES_WITHOUT_ROWS = "tables_without_rows", "warning":
            "The rows of tables were left out on purpose (`--exclude-table-data`, `--schema-only`).",
            "Make sure that this is meant.",
            "shop: the dump holds no rows of public.sessions";
        PARENT_MISSING_IN_DUMP = "parent_missing_in_dump", "error; warning if an extension may bring the table":
            "A foreign key refers to a table that is not in the dump.",
            "Dump the whole database.",
            "shop: foreign keys refer to public.tenants, which the dump does not hold";
        PARENT_ROWS_MISSING_IN_DUMP = "parent_rows_missing_in_dump", "warning":
            "Rows refer to a table whose rows were left out.",
            "As above.",
            "shop: rows refer to public.tenants, whose rows were left out: the restore may fail";
        WRONG_DATABASE = "wrong_database", "error":
            "The dump is of another of the template's databases.",
            "The backup job mixed names up.",
            "shop: the dump under its key was made of a database named billing";
        DATABASE_RENAMED = "database_renamed", "warning":
            "The dump is of a database of another name.",
            "Correct the name in the template or in the job.",
            "shop: the dump under its key was made of a database named shop_2025";
        DUMP_NEWER_THAN_IMAGE = "dump_newer_than_image", "error; warning if only its `pg_dump` is newer":
            "Of a server newer than the image's PostgreSQL, or in a format that its `pg_restore` does not read.",
            "Set a newer `postgres.image`.",
            "shop: the dump is of PostgreSQL 18.1 by pg_dump 18.1, in format 1.16";
        DUMP_OLDER_THAN_IMAGE = "dump_older_than_image", "warning":
            "Of a server older than the image's PostgreSQL: nearly all of it restores, but for views over the system's own views.",
            "Drill with an image of production's major version too.",
            "shop: the dump is of PostgreSQL 15: a drill shows that it restores into 17, and not into 15";
        EXTENSION_NOT_KNOWN = "extension_not_known", "warning":
            "An extension that does not come with PostgreSQL.",
            "Use an image that has it, and name it in `postgres.extensions`.",
            "shop: the dump needs timescaledb, and postgres:17 may not have it";
        LIBRARY_NOT_LOADED = "library_not_loaded", "warning":
            "An extension must be loaded when the server starts, and the template's own `shared_preload_libraries` does not have it. Without that setting the drill loads it by itself.",
            "Write the setting that the finding names under `[postgres.settings]`.",
            "shop: extensions of the dump need pg_cron loaded when the server starts, and shared_preload_libraries of the template does not have it";
        ENTRIES_IGNORED = "entries_ignored", "info":
            "Entries of the archive that `ignore` and `ignore_extensions` leave out, with what depends on them.",
            "Nothing, if it is meant. The verdict lists each.",
            "shop: the template leaves out TABLE DATA public.big";
        NEEDED_TABLE_IGNORED = "needed_table_ignored", "error":
            "A check needs a table that `ignore` or `ignore_extensions` leaves out, or its rows.",
            "Take the table out of the check, or restore it.",
            "shop.public.big: check rows needs shop.public.big, and `ignore` or `ignore_extensions` of shop leaves it or its rows out";
        IGNORE_MATCHES_NOTHING = "ignore_matches_nothing", "warning":
            "A rule of `ignore` or `ignore_extensions` that no entry fits.",
            "Correct it, or remove it. `pg_restore --list` shows kinds and names.",
            "shop: ignore: TABLE DATA public.bog fits no entry of the archive";
        CREATION_TIME_DIFFERS = "creation_time_differs", "warning":
            "More than 15 hours between the dump's own time and that in its key, more than any zone explains.",
            "Was an old dump uploaded again?",
            "shop: the dump says that it was made at 2026-05-10 04:31:11, 7d before the time in its key";
    }
}

/// Roles.
pub mod globals {
    use crate::model::finding_code::findings;

    findings! {
        GLOBALS_MISSING = "globals_missing", "error":
            "A manifest names globals that are not in the store, or the template says `access = \"restore\"` and there are none.",
            "Check the backup job: without them no role can be restored.",
            "globals: the manifest names the globals nightly/globals_20260517T083111Z.sql.age, and they are not in the store";
        GLOBALS_REPLACED = "globals_replaced", "error":
            "The globals are not those that the backup wrote, by the manifest.",
            "Find out who wrote to the store: the roles in them may be anybody's.",
            "globals: the globals nightly/globals_20260517T083111Z.sql.age are not those that the backup wrote";
        GLOBALS_UNREADABLE = "globals_unreadable", "error":
            "What `pg_dumpall` writes is not in them, or not to its end. What cannot be decrypted has a code of its own.",
            "Compare the object with the backup job's log.",
            "globals: the globals nightly/globals_20260517T083111Z.sql.age cannot be read: it is cut off";
        GLOBALS_OF_ANOTHER_TIME = "globals_of_another_time", "info":
            "Roles are of another time than dumps, since another job wrote them, or dumps are of several times.",
            "Write the globals with the dumps: `restore-drill backup` does.",
            "globals: they are of 2026-05-17 03:00:00Z, older than a dump of 2026-05-17 04:31:11Z: what was granted or changed between is not shown";
    }
}

/// Storage.
pub mod storage {
    use crate::model::finding_code::findings;

    findings! {
        OBJECT_ARCHIVED = "object_archived", "error":
            "In Glacier, Deep Archive or an archive tier, and not readable now.",
            "See below.",
            "shop: nightly/shop_20260517T083111Z.dump.age is in DEEP_ARCHIVE and cannot be read now";
        OBJECT_LOCK_MISSING = "object_lock_missing", "error, if `require_object_lock`":
            "No lock and no legal hold is seen on a recovery point, or its lock has ended. Of a directory: the file is not immutable.",
            "Set a default retention; grant `s3:GetObjectRetention`. Of a directory: `chattr +i`.",
            "shop: no lock is seen on nightly/shop_20260517T083111Z.dump.age";
        VERSIONING_MISSING = "versioning_missing", "error, if `require_versioning`":
            "The bucket keeps no versions. A directory never does.",
            "Enable versioning.",
            "bucket: versioning is suspended";
        RETENTION_TOO_SHORT = "retention_too_short", "error, if `min_retention`; warning for a rule by tags or size":
            "A lifecycle rule deletes recovery points before that, or the demanded lock ends before.",
            "Change the rule or the retention.",
            "bucket: the rule `tidy` deletes nightly/ after 7 days";
        STORAGE_FACT_NOT_KNOWN = "storage_fact_not_known", "error, if demanded":
            "The store does not report what the template demands.",
            "Grant the permission it names.",
            "bucket: lifecycle is not known: access denied; it needs s3:GetLifecycleConfiguration";
        MOUNT_MISSING = "mount_missing", "warning":
            "The directory is, or is below, a mount point of `/etc/fstab` where nothing is mounted.",
            "Mount it. What was written meanwhile lies on the disk below it.",
            "directory: nothing is mounted at /mnt/usb, which /etc/fstab has as a mount point; the directory is empty";
        NEXT_BACKUP_MAY_NOT_FIT = "next_backup_may_not_fit", "warning":
            "The directory has less room than the newest backups take, or one of them has four fifths of the largest file of the file system.",
            "Make room, or use another file system: FAT takes files of up to 4 GiB.",
            "directory: 1.5 GiB free, and the newest backups have 2 GiB";
        BACKUPS_EXPOSED = "backups_exposed", "warning":
            "Every user of the machine can read or change recovery points, or replace them.",
            "`chmod o=` on the directory, or on its files.",
            "directory: every user of the machine can read 9 of 9 recovery points, such as shop_20260517T083111Z.dump.age: its permissions are 0644";
        ENTRY_PASSED_OVER = "entry_passed_over", "warning where a recovery point could stand, else info":
            "Something in the directory that is no regular file, or has a name that is not UTF-8: it is neither listed nor read.",
            "If it is a backup, put a regular file in its place.",
            "shop_20260517T083111Z.dump.age: it is a symbolic link that leads out of the directory";
    }
}

/// What the header of an SQLite database shows.
pub mod sqlite {
    use crate::model::finding_code::findings;

    findings! {
        SQLITE_WAL_MODE = "sqlite_wal_mode", "warning":
            "The file of an SQLite database is in the mode of a write-ahead log. If it was copied as a file while it was in use, it may lack what was only in the log.",
            "Make backups with `VACUUM INTO`, whose copies are in no such mode.",
            "gateway: daily/gateway.db is in the mode of a write-ahead log";
        WAL_BESIDE_DATABASE = "wal_beside_database", "warning":
            "The write-ahead log of an SQLite database is beside it in the store. SQLite replays it into the file when it opens it there.",
            "Move `-wal` and `-shm` away before a restore. A drill opens a copy without them.",
            "gateway: daily/gateway.db-wal is beside daily/gateway.db";
        JOURNAL_BESIDE_DATABASE = "journal_beside_database", "warning":
            "The rollback journal of an SQLite database is beside it in the store: the file was copied in the middle of a transaction, and holds changes that were never committed.",
            "Make backups with `VACUUM INTO`.",
            "gateway: daily/gateway.db-journal is beside daily/gateway.db";
    }
}

/// Time and room.
pub mod room {
    use crate::model::finding_code::findings;

    findings! {
        OBJECTIVE_AT_RISK = "objective_at_risk", "warning above the objective, info from 80 % of it":
            "The forecast for `rto`, `verification`, or a stage of a database.",
            "The longest stage first: `--jobs`, a faster disk, a nearer store.",
            "rto: recovery would take about 14m";
        DISK_MAY_BE_TOO_SMALL = "disk_may_be_too_small", "warning":
            "Less room than a drill would need.",
            "`docker system df`, `restore-drill reap`.",
            "disk: 9.5 MiB free: /var/lib/docker on this machine, now";
    }
}

/// All of them, under the headings of their tables.
pub static GROUPS: &[(&str, &[FindingCode])] = &[
    ("The recovery set", set::FINDINGS),
    ("What is inside", inside::FINDINGS),
    ("SQLite", sqlite::FINDINGS),
    ("Roles", globals::FINDINGS),
    ("Storage", storage::FINDINGS),
    ("Time and room", room::FINDINGS),
];
