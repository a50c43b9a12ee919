//! Real dumps, made once for the whole suite by a real server that is gone before the first drill begins.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use restore_drill::demo::data::{DataSet, ROLES};

use super::support::wait::wait_until;
use super::world::{docker, docker_bytes, docker_with, image};

/// Seconds after which a server ends by itself, should the tests be killed before they remove it.
pub const LIFETIME: &str = "1800";

/// Users with an extension's type, a policy for a role that only the dump knows, an owner that exists nowhere else,
/// a second schema, and a table that is empty for a good reason. 60 rows in 4 tables.
pub const IDENTITY: &str = r#"
CREATE ROLE ghost_owner;
CREATE ROLE app_reader;
CREATE EXTENSION hstore;
CREATE SCHEMA archive;
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL, facts hstore);
CREATE TABLE users (id int PRIMARY KEY, tenant int NOT NULL REFERENCES tenants, mail text UNIQUE);
CREATE TABLE revoked (id int PRIMARY KEY, reason text);
CREATE TABLE archive.users (id int PRIMARY KEY, tenant int NOT NULL REFERENCES tenants);
INSERT INTO tenants SELECT n, 'tenant ' || n, hstore('n', n::text) FROM generate_series(1, 3) n;
INSERT INTO users SELECT n, 1 + n % 3, 'user' || n || '@example.org' FROM generate_series(1, 50) n;
INSERT INTO archive.users SELECT n, 1 + n % 3 FROM generate_series(1, 7) n;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON users FOR SELECT TO app_reader USING (tenant = 1);
ALTER TABLE tenants OWNER TO ghost_owner;
ALTER TABLE users OWNER TO ghost_owner;
GRANT SELECT ON users TO app_reader;
"#;

/// Names that must be quoted, and a partitioned table. 17 rows in 5 tables.
pub const REGISTRY: &str = r#"
CREATE SCHEMA "Ünï cödé";
CREATE TABLE "Ünï cödé"."Tablé ""in quotes""; --" ("Sélect" int PRIMARY KEY);
CREATE TABLE "Select" (id int PRIMARY KEY REFERENCES "Ünï cödé"."Tablé ""in quotes""; --");
CREATE TABLE events (id int, day int) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (5);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (5) TO (10);
INSERT INTO "Ünï cödé"."Tablé ""in quotes""; --" SELECT generate_series(1, 5);
INSERT INTO "Select" VALUES (1), (2);
INSERT INTO events SELECT n, n FROM generate_series(0, 9) n;
"#;

/// A child without its parent: nothing that restores this can add its foreign key.
const ORPHANS: &str = r"
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents);
INSERT INTO parents VALUES (1), (2);
INSERT INTO children VALUES (1, 1), (2, 2);
SET session_replication_role = replica;
DELETE FROM parents WHERE id = 2;
";

/// Three tables of which the last is the large one; uncompressed, so that a cut in it leaves the others whole.
const LAYERS: &str = r"
CREATE TABLE a_first (id int PRIMARY KEY);
CREATE TABLE b_second (id int PRIMARY KEY);
CREATE TABLE z_last (id int PRIMARY KEY, words text);
INSERT INTO a_first SELECT generate_series(1, 100);
INSERT INTO b_second SELECT generate_series(1, 200);
INSERT INTO z_last SELECT n, md5(n::text) FROM generate_series(1, 5000) n;
";

/// 11 rows, dumped as one schema.
pub const LEDGER: &str = "CREATE TABLE entries AS SELECT generate_series(1, 11) AS id;";

/// Over 32 MiB in two tables, which is where a second worker begins to pay. 110,000 rows each.
const LARGE: &str = r"
CREATE TABLE left_half (id int, words text);
CREATE TABLE right_half (id int, words text);
INSERT INTO left_half SELECT n, repeat(md5(n::text), 5) FROM generate_series(1, 110000) n;
INSERT INTO right_half SELECT * FROM left_half;
";

/// What real databases have besides tables, most of it a way to fail a sound backup: a server and a partition
/// elsewhere, a user mapping, a tablespace, inheritance, policies that bind owners too, a large object, a publication,
/// and a trigger that writes a row for every login, pg_dump's own among them. 14 rows in 5 tables.
pub const ODDITIES: &str = r"
CREATE ROLE odd_owner;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.1', connect_timeout '2');
CREATE USER MAPPING FOR odd_owner SERVER elsewhere OPTIONS (user 'somebody', password 'some password');
COPY (SELECT) TO PROGRAM 'cat >/dev/null; mkdir -p /tmp/fast';
CREATE TABLESPACE fast LOCATION '/tmp/fast';
CREATE TABLE base (id int PRIMARY KEY, doubled int GENERATED ALWAYS AS (id * 2) STORED) TABLESPACE fast;
CREATE TABLE derived (more text) INHERITS (base);
CREATE TABLE measurements (id int, day int) PARTITION BY RANGE (day);
CREATE TABLE measurements_near PARTITION OF measurements FOR VALUES FROM (0) TO (5);
CREATE FOREIGN TABLE measurements_far PARTITION OF measurements FOR VALUES FROM (5) TO (10) SERVER elsewhere;
INSERT INTO base SELECT generate_series(1, 4);
INSERT INTO derived SELECT generate_series(5, 10);
INSERT INTO measurements SELECT n, n FROM generate_series(1, 3) n;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM base;
CREATE PUBLICATION some_of_it FOR TABLE base;
ALTER DEFAULT PRIVILEGES FOR ROLE odd_owner GRANT SELECT ON TABLES TO odd_owner;
SELECT lo_from_bytea(0, decode('deadbeef', 'hex'));
ALTER TABLE base ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE logins (at timestamptz DEFAULT now());
CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO public.logins DEFAULT VALUES; END';
CREATE EVENT TRIGGER note_login ON login EXECUTE FUNCTION note_login();
ALTER EVENT TRIGGER note_login ENABLE ALWAYS;
";

/// Text that is no UTF-8 on disk.
pub const LATIN_1: &str = "SET client_encoding = 'UTF8'; CREATE TABLE \"straße\" (name text);\n\
    INSERT INTO \"straße\" VALUES ('é'), ('ü');";

/// Bytes that are no text in any encoding, in rows and in names, and a key with two collations.
pub const BYTES: &str = r#"
CREATE TABLE words (word text);
INSERT INTO words VALUES (E'\xe9'), (E'\xff\xfe');
DO $$ BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, word text, CHECK (word <> %L))', E'stra\xdfe', E'\xfc');
    EXECUTE format('INSERT INTO %I VALUES (1, %L), (2, %L), (3, NULL)', E'stra\xdfe', E'\xe9', 'e');
END $$;
CREATE TABLE pairs (a text COLLATE "C", b text COLLATE "POSIX", UNIQUE (a, b));
INSERT INTO pairs VALUES ('a', 'b'), ('a', 'c'), (NULL, 'c'), (NULL, 'c');
"#;

type Dumps = BTreeMap<&'static str, Vec<u8>>;

static OF_17: LazyLock<Dumps> = LazyLock::new(|| {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let plain: &[&str] = &[];
    let layers = ["--compress=0"];
    [
        ("identity", plain, IDENTITY, plain),
        ("registry", plain, REGISTRY, plain),
        ("ledger", plain, LEDGER, &["--schema=public", "--compress=zstd"]),
        ("quiet", plain, "CREATE TABLE letters (id int PRIMARY KEY);", plain),
        ("nothing", plain, "", plain),
        ("orphans", plain, ORPHANS, plain),
        ("layers", plain, LAYERS, &layers),
        ("empty-shell", plain, LEDGER, &["--schema-only"]),
        ("oddities", plain, ODDITIES, plain),
        ("latin-1", &["--encoding=LATIN1", "--locale=C", "--template=template0"], LATIN_1, plain),
        ("bytes", &["--encoding=SQL_ASCII", "--locale=C", "--template=template0"], BYTES, plain),
    ]
    .map(|(name, options, sql, dump_options)| (name, source.dump_of(name, options, sql, dump_options)))
    .into()
});

static OF_15: LazyLock<Vec<u8>> =
    LazyLock::new(|| Source::start("DRILL_POSTGRES_15_IMAGE").dump("identity", IDENTITY, &[]));

static OVER_32_MIB: LazyLock<Vec<u8>> =
    LazyLock::new(|| Source::start("DRILL_POSTGRES_17_IMAGE").dump("large", LARGE, &["--compress=0"]));

/// A dump made by PostgreSQL 17: `identity`, `registry`, `ledger` (made with `--schema=public`), `quiet` (one table
/// without rows), `nothing` (no tables), `orphans` (violates its own foreign key), `layers` (uncompressed), `empty-shell` (made with `--schema-only`), `oddities`,
/// `latin-1`, `bytes` (SQL_ASCII).
pub fn dump(name: &str) -> &'static [u8] {
    OF_17.get(name).unwrap_or_else(|| panic!("there is no dump {name}"))
}

/// `identity` dumped by PostgreSQL 15.
pub fn dump_of_15() -> &'static [u8] {
    &OF_15
}

/// A dump that several workers restore.
pub fn large_dump() -> &'static [u8] {
    &OVER_32_MIB
}

/// Waits until the server in this container answers.
pub fn wait_until_ready(container: &str) {
    // Over TCP: the entrypoint's temporary server listens on its socket only.
    let ping = "until pg_isready -q -h127.0.0.1 -Upostgres; do sleep 0.05; done";
    // One command that waits: each takes more of a processor than the server that starts.
    let wait = ["exec", container, "timeout", "60", "bash", "-c", ping];
    let answers = || Command::new("docker").args(wait).output().is_ok_and(|output| output.status.success());
    wait_until(answers, || format!("{container} does not start"));
}

/// Has a server read its configuration again, and waits until it has. `ask` answers SQL over a new connection.
pub fn reload(ask: impl Fn(&str) -> String) {
    let loaded = || ask("SELECT pg_conf_load_time()");
    let before = loaded();
    ask("SELECT pg_reload_conf()");
    wait_until(|| loaded() != before, || "the server does not read its configuration".to_owned());
}

/// A server to dump from. It is removed when this value is dropped.
pub struct Source {
    /// Its container.
    pub container: String,
}

impl Source {
    /// Starts one of the image that the variable names, and waits until it answers.
    pub fn start(variable: &str) -> Self {
        Self::start_image(&image(variable), &[])
    }

    /// Starts one of this image with more settings, and waits until it answers.
    pub fn start_image(image: &str, settings: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let container = format!("restore-drill-test-source-{}-{number}", std::process::id());
        let source = Self { container };
        let run = [
            "run",
            "--detach",
            "--rm",
            "--pull=never",
            "--network=none",
            "--name",
            &source.container,
            "--env=POSTGRES_HOST_AUTH_METHOD=trust",
            "--env=POSTGRES_INITDB_ARGS=--no-sync",
            "--entrypoint=timeout",
            image,
            LIFETIME,
            "docker-entrypoint.sh",
            "postgres",
            "-cfsync=off",
        ];
        docker(&[&run[..], settings].concat());
        wait_until_ready(&source.container);
        source
    }

    /// Runs SQL in a database, and returns what it printed.
    pub fn ask(&self, database: &str, sql: &str) -> String {
        let psql = ["psql", "-h127.0.0.1", "-Upostgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", database];
        docker_with(&[&["exec", "-i", &self.container][..], &psql].concat(), sql.as_bytes())
    }

    /// Creates a database by this SQL, and dumps it in the custom format, with options of `pg_dump`.
    pub fn dump(&self, name: &str, sql: &str, options: &[&str]) -> Vec<u8> {
        self.dump_of(name, &[], sql, options)
    }

    /// As [`Source::dump`], with options of `createdb` too.
    pub fn dump_of(&self, name: &str, creation: &[&str], sql: &str, options: &[&str]) -> Vec<u8> {
        let server = ["exec", "-i", &self.container];
        docker(&[&server[..], &["createdb", "-h127.0.0.1", "-Upostgres", name], creation].concat());
        self.ask(name, sql);
        let pg_dump = ["pg_dump", "-h127.0.0.1", "-Upostgres", "--format=custom", name];
        docker_bytes(&[&server[..], &pg_dump, options].concat(), b"")
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.container]).output();
    }
}

/// SQL that makes a database of the sample data. What guards its audit log against edits does not stop the owner of
/// the database, so it is off.
pub fn sample_sql(data: &DataSet, name: &str) -> String {
    let database =
        data.databases.iter().find(|database| database.name == name).expect("the sample data has it");
    let mut sql = format!("{ROLES}{}", database.schema);
    for table in &database.tables {
        sql.push_str(&format!("\n{};\n", table.copy));
        for chunk in table.chunks() {
            sql.push_str(std::str::from_utf8(&chunk).expect("COPY text is UTF-8"));
        }
        sql.push_str("\\.\n");
    }
    sql.push_str(database.finish);
    if name == "acp_audit" {
        sql.push_str("\nALTER TABLE audit_logs DISABLE TRIGGER USER;\n");
    }
    sql
}
