//! Exit code 3: inconclusive.

use super::codes;

codes! {
    DATABASE_UNREACHABLE = "database_unreachable":
        "`verify-chain` only: the database does not answer.",
        "Check the host, the port, the name and `sslmode`.";
    SNAPSHOT_TOO_LARGE = "snapshot_too_large":
        "A snapshot has more than a million roots.",
        "Name a narrower prefix.";
    STORE_UNREACHABLE = "store_unreachable":
        "The store cannot be reached. A directory did not answer in time, or the server of its mount is gone.",
        "Check the network, `store.endpoint` and `store.region`. Of a directory: its mount.";
    STORE_READ_ONLY = "store_read_only":
        "`backup` only: the file system of the directory is mounted read-only.",
        "Mount it for writing. A disk with errors becomes read-only by itself.";
    STORE_FULL = "store_full":
        "`backup` only: no room is left in the directory.",
        "Remove old backups, or add room. Nothing of this one is left there.";
    NOT_A_FILE = "not_a_file":
        "The directory has no regular file under the key: a FIFO, a device, or a symbolic link that leads out of it.",
        "Put a regular file in its place.";
    ACCESS_DENIED = "access_denied":
        "The store denied access.",
        "The credentials need `s3:ListBucket` and `s3:GetObject`; a backup also `s3:PutObject` and \
         `s3:AbortMultipartUpload`. Of a directory: the message says whose it is; its files must be readable.";
    CREDENTIALS_EXPIRED = "credentials_expired":
        "The store says that the credentials have expired.",
        "Get new ones. Check the machine's clock, too.";
    CREDENTIALS_TIMEOUT = "credentials_timeout":
        "The credentials did not come within a minute.",
        "Check the `credential_process` of the profile: it must not wait for a person.";
    CLOCK_SKEWED = "clock_skewed":
        "The store refuses requests because this machine's clock is wrong.",
        "Set the clock (NTP).";
    STORE_REDIRECTS = "store_redirects":
        "The store sends requests on to another place.",
        "Check `store.endpoint` and `store.region`.";
    STORE_ERROR = "store_error":
        "The store answered with another error, or what answers is no S3 store.",
        "Read the message.";
    RANGE_IGNORED = "range_ignored":
        "The store, or a proxy before it, sent other bytes than were asked for.",
        "Look for a proxy or gateway that drops the header `Range`.";
    LISTING_STUCK = "listing_stuck":
        "The store says that a listing goes on, and sends nothing new.",
        "Check what answers at the endpoint.";
    LISTING_TOO_LONG = "listing_too_long":
        "A listing did not end after a quarter of a million objects or 2,000 pages.",
        "Put recovery points under a prefix of their own.";
    TRANSFER_BROKEN = "transfer_broken":
        "The transfer broke off.",
        "Check the network between this machine and the store.";
    OBJECT_CHANGED = "object_changed":
        "The object was changed or replaced while the drill used it.",
        "Find out what writes to its key. Recovery points must never be overwritten.";
    ENGINE_UNREACHABLE = "engine_unreachable":
        "The Docker engine cannot be reached.",
        "`docker info` must work for this user; `DOCKER_HOST`, `DOCKER_CONTEXT` or `docker context \
         use` chooses another engine.";
    ENGINE_TOO_OLD = "engine_too_old":
        "The engine is too old to isolate a drill.",
        "Docker Engine 19.03 (API 1.40) is the oldest.";
    ENGINE_ERROR = "engine_error":
        "The engine refused something, or broke off.",
        "Check `docker info` and the engine's log.";
    ENGINE_SILENT = "engine_silent":
        "The engine took a request and did not answer it in time.",
        "As for `engine_error`; it may hang, or the machine may be too busy.";
    IMAGE_UNAVAILABLE = "image_unavailable":
        "An image is not on the engine and cannot be pulled.",
        "Pull or build it, and name it in the template.";
    PROJECT_EXISTS = "project_exists":
        "The engine has something of that name already, and of the hundred that were tried after it.",
        "Run the drill again, or `restore-drill reap`.";
    DRILL_RUNNING = "drill_running":
        "Another drill of this template is running.",
        "Wait for it, stop it, or pass `--concurrent`.";
    DISK_FULL = "disk_full":
        "The engine's disk is full.",
        "See `docker system df`; `restore-drill reap` removes what crashed drills left.";
    COMMAND_KILLED_FROM_OUTSIDE = "command_killed_from_outside":
        "The program of a `command` check was killed from outside: by neither the drill nor its memory limit.",
        "Run the drill again.";
    SERVICE_DIED = "service_died":
        "A container of the stack ended, or was killed.",
        "Check its section in the template; it may need `user`.";
    SERVICE_NOT_READY = "service_not_ready":
        "A service is not ready in time.",
        "Check its `ready` and `ready_timeout`.";
    SERVER_NOT_READY = "server_not_ready":
        "Postgres does not answer in time.",
        "Raise `postgres.ready_timeout`; `--keep` leaves the container to look at.";
    SERVER_DIED = "server_died":
        "The Postgres container ended.",
        "Read the message: it has the end of its log.";
    SERVER_UNREACHABLE = "server_unreachable":
        "The drill cannot connect to its Postgres.",
        "Read the message.";
    SERVER_TROUBLE = "server_trouble":
        "`pg_restore` could not connect to the drill's Postgres.",
        "Lower `--jobs`.";
    SERVER_CRASHED = "server_crashed":
        "A process of Postgres crashed, and the server restarted.",
        "The container's log says more: `--keep`.";
    OUT_OF_MEMORY = "out_of_memory":
        "The Postgres container ran out of memory.",
        "Raise `postgres.memory`, or lower `--jobs`.";
    AUTHENTICATION_FAILED = "authentication_failed":
        "The drill's Postgres refused the drill's credentials.",
        "Unset `postgres.password`, for a random one.";
    PROBE_FAILED = "probe_failed":
        "The isolation probes did not run, were unclear, or prove nothing of a bridge.",
        "Run the drill again; the Postgres image needs `bash` and `timeout`, and on a bridge `perl`; \
         see [isolation.md](isolation.md#probes).";
    SCRATCH_FAILED = "scratch_failed":
        "The container did not take the dump in.",
        "Read the message.";
    ARCHIVE_TOO_LARGE = "archive_too_large":
        "The dump's table of contents is over a limit that guards against hostile archives.",
        "Report it, if the dump is a real one.";
    DUMP_NEWER_THAN_IMAGE = "dump_newer_than_image":
        "The dump is of a newer Postgres than the image.",
        "Name an image of the dump's major version, or a later one.";
    RESTORE_KILLED = "restore_killed":
        "`pg_restore` was killed.",
        "The container may have run out of memory: raise `postgres.memory`.";
    HOOK_FAILED = "hook_failed":
        "SQL of `before_restore` or `after_restore` failed, or that of an extension.",
        "The message has the SQLSTATE and its first words. Try it with `psql` on a database restored by hand.";
    PG_RESTORE_UNUSABLE = "pg_restore_unusable":
        "The image's `pg_restore` cannot run.",
        "Name another image.";
    EXTENSION_MISSING = "extension_missing":
        "The image lacks an extension.",
        "Name an image that has it.";
    EXTENSION_UNUSABLE = "extension_unusable":
        "The image has an extension that does not work there.",
        "Load it at the start (`shared_preload_libraries` in `postgres.settings`), or name another image.";
    LIBRARY_MISSING = "library_missing":
        "A function of the dump needs a library that the image lacks.",
        "Name an image that has it.";
    MAJOR_DIFFERS = "major_differs":
        "A view of the dump reads the system's own views, which differ in the image's major version.",
        "Name an image of the dump's major version.";
    COLLATION_MISSING = "collation_missing":
        "The image lacks a locale or a collation of the source.",
        "Name an image that has it, or set `postgres.locale`.";
    CHAIN_DISORDERED = "chain_disordered":
        "A `verify-chain` check: too many rows name a parent that no row near them in time is.",
        "Check the timestamps of the rows; set `order_by` where columns order each chain.";
    QUERY_FAILED = "query_failed":
        "A query of the drill or of a check failed.",
        "Read the message. The hint says whether the query is the template's or the drill's own.";
    VALUE_TOO_LARGE = "value_too_large":
        "The server sent a value or a row of more than 64 MiB, where one is read as a whole.",
        "The message names the table. Nothing was learnt about it; leave it, or the column, out \
         of the check. `fingerprint` compares rows of any length.";
    QUERY_TIMED_OUT = "query_timed_out":
        "A query of a check did not end within its `timeout`.",
        "Raise `timeout` of the check, or find out why it takes so long.";
    AMCHECK_UNAVAILABLE = "amcheck_unavailable":
        "An `amcheck` check with `require = true`, and the image does not have the extension; or the \
         backup has one of that name that is not the image's.",
        "Name an image with Postgres's contrib modules.";
    NOTHING_VERIFIED = "nothing_verified":
        "No check of the template was possible. `verify-chain` only: the table or the export has no rows.",
        "The warnings say why each was skipped; add one that is possible. An export may have failed; \
         `--allow-empty` if there may be none.";
    NO_DRILL_PASSED = "no_drill_passed":
        "`fetch` only: no drill that passed has restored the recovery point.",
        "Drill it, or take the last one that was proved with `--last-passed`; `--unproved` takes it as it is.";
    OUTPUT_FAILED = "output_failed":
        "`fetch` only: the dump could not be written.",
        "Make room, or name another place with `-o`.";
    ENCRYPTION_BROKE_OFF = "encryption_broke_off":
        "`backup` only: encryption broke off.",
        "Read the message, and run the backup again.";
    PG_DUMP_KILLED = "pg_dump_killed":
        "`backup` only: `pg_dump` was killed.",
        "Raise `backup.memory`.";
    PG_RESTORE_KILLED = "pg_restore_killed":
        "`backup` only: `pg_restore`, which lists the dump that was just made, was killed.",
        "Raise `backup.memory`.";
    TIMED_OUT = "timed_out":
        "The time limit was reached; the message names the databases not restored yet and the checks \
         at work. Of `plan`, `health` and `doctor`: the store did not answer in time.",
        "`phases` and `databases[].seconds` say where the time went; `timeout` in the template sets \
         the limit.";
    EVIDENCE_LOST = "evidence_lost":
        "Everything passed, and the verdict or its row in the drill log could not be written.",
        "Make room or set the permissions, and run it again.";
    INCOMPLETE = "incomplete":
        "The drill ended without a failure, and without evidence for everything.",
        "A defect. Report it, with the verdict.";
    INTERNAL_ERROR = "internal_error":
        "A part of the drill broke off.",
        "A defect. Report it, with the verdict and what stderr says.";
    DEMO_S3_FAILED = "demo_s3_failed":
        "`demo` only: its S3 server does not start.",
        "Read the message.";
    DEMO_DIRECTORY_FAILED = "demo_directory_failed":
        "`demo` only: it cannot write to its temporary directory.",
        "Check space and permissions.";
    DEMO_LEAKED = "demo_leaked":
        "`demo` only: its source server could not be removed.",
        "`restore-drill reap`.";
    MANIFEST_UNKNOWN = "manifest_unknown":
        "A manifest is of a later version, and this one cannot read it.",
        "Drill with the version of restore-drill that made the backup, or a later one.";
    SQLITE_FAILED = "sqlite_failed":
        "`sqlite3` failed in the sandbox, or its answer is not understood.",
        "Read the message; the container may have run out of memory (`sqlite.memory`) or disk.";
    GPG_FAILED = "gpg_failed":
        "`gpg` failed for a reason that says nothing of the recovery point: it was killed, hung, or has no agent.",
        "Read the message, and try `gpg` on this machine.";
    LAYER_UNSUPPORTED = "layer_unsupported":
        "The recovery point is in a layer that cannot be taken off here, in more than eight layers, or in a tar file with long names or sizes in \
         additional headers.",
        "Read the message. Make backups that are compressed or encrypted otherwise.";
    EXPANSION_LIMIT = "expansion_limit":
        "What came out of the layers of a recovery point is larger than the template allows.",
        "Raise `layers.max_expansion` if backups compress so well. Else the object is not what the backup job wrote.";
    OBJECT_TOO_LARGE = "object_too_large":
        "An object that is read as a whole is over the limit for its kind.",
        "The limit guards against objects of another kind. Report a real one that is over it.";
    DISK_SHORT = "disk_short":
        "`doctor` only: the disk has less room than the last drill needed.",
        "See `docker system df`; `restore-drill reap` removes what crashed drills left.";
    REMOVAL_UNDER_WAY = "removal_under_way":
        "In messages of teardown only: the engine is removing the thing already.",
        "Nothing. Teardown checks again.";
    DEMO_BREAK_FAILED = "demo_break_failed":
        "`demo --break` only: the backup could not be broken in this way (exit code 2 if its data has \
         nothing to break, or the system has no such kind).",
        "Read the message; pass more `--rows`.";
}
