//! Exit code 2: configuration or usage.

use super::codes;

codes! {
    TEMPLATE_NOT_FOUND = "template_not_found":
        "There is no such template.",
        "Give a path to `-t`, or one of the names the hint lists.";
    TEMPLATE_INVALID = "template_invalid":
        "The template cannot be read, or contradicts itself.",
        "See [templates](templates.md).";
    NEEDED_TABLE_IGNORED = "needed_table_ignored":
        "A check needs a table that `ignore` or `ignore_extensions` of its database leaves out, or its rows.",
        "Take the table out of the check, or restore it.";
    IGNORE_NEEDS_ARCHIVE = "ignore_needs_archive":
        "The template leaves something out of a database whose dump is plain SQL, which is restored whole or not at all.",
        "Take `ignore` and `ignore_extensions` out, or make dumps with `pg_dump --format=custom`.";
    VARIABLE_MISSING = "variable_missing":
        "An environment variable the template requires is not set.",
        "Set it; the hint says what it is for.";
    AT_IN_THE_FUTURE = "at_in_the_future":
        "`--at` names a day that has not come.",
        "Leave it out for the newest recovery points.";
    IMAGE_NOT_SQLITE = "image_not_sqlite":
        "The image of `[sqlite]` has no `sqlite3` shell, or no `timeout`.",
        "`docker/build-images sqlite:3` makes one that has both.";
    NOT_OF_POSTGRES = "not_of_postgres":
        "The command works on databases of PostgreSQL only, and this one is of SQLite.",
        "Read the hint.";
    CHAIN_ENCODING = "chain_encoding":
        "A `verify-chain` check: the hash columns are `bytea` and `encoding` is not, or the other way \
         round.",
        "Set `encoding`.";
    CHAIN_ORDER = "chain_order":
        "A `verify-chain` check with `contiguous`: the order column is no whole number.",
        "Leave `contiguous` out, or name a column that counts.";
    PREIMAGE_TYPE = "preimage_type":
        "A `verify-chain` check: the preimage is neither `text` nor `bytea`.",
        "Cast it.";
    CHAIN_INVALID = "chain_invalid":
        "`verify-chain` only: the options contradict each other, or one is missing.",
        "Check `--help`.";
    CHECK_UNKNOWN = "check_unknown":
        "`verify-chain` only: the template has no such check.",
        "Name one with `--check`.";
    JSONL_PREIMAGE = "jsonl_preimage":
        "`verify-chain` only: the check's preimage is SQL, which an export cannot compute.",
        "Verify the table in a database.";
    JSONL_UNREADABLE = "jsonl_unreadable":
        "`verify-chain` only: the export cannot be opened (exit code 3 if reading breaks off).",
        "Check the path and the permissions.";
    DATABASE_URL_INVALID = "database_url_invalid":
        "`verify-chain` only: the URL or a `PG*` variable cannot be used.",
        "Write `postgres://USER@HOST:PORT/DATABASE`.";
    TLS_ROOTS_UNREADABLE = "tls_roots_unreadable":
        "`verify-chain` only: no certificate authority can be read.",
        "Check `sslrootcert` or `PGSSLROOTCERT`.";
    STORE_URL_INVALID = "store_url_invalid":
        "`store.url` is not the URL of a store: its bucket has `@`, `:` or `?` in it, or its path is not absolute or has `..` in \
         it. It is not shown, as there may be a password in it.",
        "Write `s3://bucket`, `s3://bucket/prefix` or `file:///directory`.";
    NO_SUCH_DIRECTORY = "no_such_directory":
        "The directory of `store.url` does not exist, or is no directory.",
        "Check `store.url`, and whether the disk is mounted.";
    KEY_INVALID = "key_invalid":
        "`backup` only: a key that is no path below the directory of `store.url`.",
        "Check `store.key` and `store.timestamp`.";
    FILE_TOO_LARGE = "file_too_large":
        "`backup` only: the file system of the directory takes no file that large.",
        "FAT ends at 4 GiB: use another file system.";
    NO_SUCH_BUCKET = "no_such_bucket":
        "The bucket does not exist.",
        "Check `store.url` and `store.endpoint`.";
    CREDENTIALS_MISSING = "credentials_missing":
        "There are no credentials for the store.",
        "Set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE`, or give the machine a role.";
    CREDENTIALS_INVALID = "credentials_invalid":
        "A line break, a space or another character that cannot be sent is in the access key, the \
         secret key or the session token.",
        "Set the variable the message names again, without it: `printf %s` instead of `echo`.";
    REGION_INVALID = "region_invalid":
        "The region is not written like one.",
        "Check `store.region`, `AWS_REGION`, `AWS_DEFAULT_REGION` and the profile.";
    WRONG_REGION = "wrong_region":
        "The bucket is in another region than requests are signed for.",
        "Set `store.region` to the one the message names.";
    CA_BUNDLE_UNREADABLE = "ca_bundle_unreadable":
        "`AWS_CA_BUNDLE` names no file of certificates.",
        "Name a file in PEM form with the authorities to trust.";
    PROXY_INVALID = "proxy_invalid":
        "A variable such as `HTTPS_PROXY` names no HTTP proxy, and requests to the store, or for its \
         credentials, use it.",
        "Write `http://HOST:PORT`, with `USER:PASSWORD@` before the host if it asks for them.";
    IDENTITY_MISSING = "identity_missing":
        "No identity is given, and the template demands encryption.",
        "Name one under `encryption.identities`, or a keyring as `encryption.gpg_homedir`.";
    IDENTITY_UNREADABLE = "identity_unreadable":
        "An identity file cannot be read.",
        "Check the path and the permissions.";
    IDENTITY_INVALID = "identity_invalid":
        "A file is not an identity age can use.",
        "It should hold `AGE-SECRET-KEY-1…` lines, or be an OpenSSH private key of type ed25519 or \
         RSA. Post-quantum keys and keys of plugins may stand beside them, and are passed over.";
    IDENTITY_PASSPHRASE = "identity_passphrase":
        "An identity has a passphrase.",
        "Give the drill a key without one.";
    GPG_MISSING = "gpg_missing":
        "The program `gpg` cannot be started.",
        "Install GnuPG, or leave `gpg_homedir` and `gpg_recipient` empty.";
    GPG_HOMEDIR_UNUSABLE = "gpg_homedir_unusable":
        "The keyring that `encryption.gpg_homedir` names cannot be used, or has no secret key.",
        "Name a directory of mode 0700, of the user who runs the drill, with the secret key.";
    RECIPIENT_MISSING = "recipient_missing":
        "`backup` only: no recipient is given.",
        "Name one under `backup.recipients`.";
    RECIPIENT_INVALID = "recipient_invalid":
        "`backup` only: a recipient is not an age public key, or gpg has no public key of it.",
        "One of age begins with `age1`, `ssh-ed25519` or `ssh-rsa`. Import one of gpg into its keyring.";
    BACKUP_MISSING = "backup_missing":
        "`backup` only: the template has no `[backup]`, or a database is not of the server whose source it names.",
        "Add it; name the databases to dump with `--only`.";
    ENCRYPT_FAILED = "encrypt_failed":
        "`backup` only: these recipients cannot be encrypted to.",
        "Check `backup.recipients`.";
    ONLY_UNKNOWN = "only_unknown":
        "An option names a database or a server that the template does not have.",
        "The hint lists them.";
    ONLY_UNCHECKED = "only_unchecked":
        "No check looks at what `--only` leaves.",
        "Name another database, or add a check.";
    SERVICES_SHARE_PORT = "services_share_port":
        "The images of two services listen on one port, and on one loopback it has room for one.",
        "Set `isolation.network = \"bridge\"`, or give one another port.";
    IMAGE_NOT_POSTGRES = "image_not_postgres":
        "`postgres.image` does not set `PGDATA`.",
        "Name the official image, or one like it.";
    PUBLIC_KEY_UNREADABLE = "public_key_unreadable":
        "`active_public_key` cannot be used.",
        "It must be an Ed25519 public key in PEM form.";
    QUERY_SHAPE = "query_shape":
        "A query of `reconcile` or `sql` does not return the columns it must.",
        "`reconcile`: return `key` (`text`), `at` (`timestamptz`), `required` (`boolean`); cast the \
         others. `sql`: return one column; for `max_age`, a time.";
    QUERY_INVALID = "query_invalid":
        "A query of `sql` is no SQL, or cannot be a subquery.",
        "Check the query in the template.";
    QUERY_WRITES = "query_writes":
        "A query of `sql` tries to write.",
        "A check only reads.";
    OUTPUT_EXISTS = "output_exists":
        "`fetch` only: there is a file of that name, and nothing is overwritten.",
        "Name another with `-o`, or move that one away.";
    OUTPUT_UNWRITABLE = "output_unwritable":
        "`fetch` and `hooks` only: the file cannot be made, or stdout is a terminal.",
        "Name another place with `-o`, or pipe it on.";
    NO_HOOKS = "no_hooks":
        "`hooks` only: the template has no such SQL for the database.",
        "Leave the command out: a drill runs nothing there.";
    REPORTS_UNWRITABLE = "reports_unwritable":
        "The verdict or the plan cannot be written.",
        "Name another directory with `--reports`.";
    LOG_UNWRITABLE = "log_unwritable":
        "The drill log cannot be written: the directory, the permissions, what it is (a directory, a \
         FIFO), or another process has it locked for longer than 10 s.",
        "Name another file with `--log`; with `--log /dev/null` there is none.";
    DRILL_UNKNOWN = "drill_unknown":
        "`reap` only: nothing on the engine belongs to that drill.",
        "Check the id.";
    DOCKER_CONTEXT_UNKNOWN = "docker_context_unknown":
        "The Docker context that was chosen does not exist.",
        "`docker context ls`.";
    DOCKER_CONFIG_UNREADABLE = "docker_config_unreadable":
        "Docker's `config.json` or a context cannot be read, so the engine that was chosen is not known.",
        "Fix it, or set `DOCKER_HOST`.";
    ENGINE_ADDRESS_UNSUPPORTED = "engine_address_unsupported":
        "The engine that was chosen cannot be reached by this program: `ssh://`, or TLS that trusts \
         any engine.",
        "Name it by a socket or by verified TLS.";
    NO_ARCHIVE = "no_archive":
        "`plan --request-restore`: the store has no archive to restore objects from.",
        "Leave the option out.";
    MEMORY_SHORT = "memory_short":
        "`doctor` only: the stack asks for more memory than the engine has.",
        "Lower `postgres.memory` or the memory of services, or give the engine more.";
}
