//! `verify-chain` on chains that a real Postgres made, by the command of that name and in a drill: sound ones hold, and
//! every damage is found, with its code and its row. And roots against their snapshot in the store.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use restore_drill::demo::data::{DataSet, DemoDatabase, data_set};
use serde_json::Value;

use super::fixtures::Source;
use super::world::{World, ago, docker, docker_with, image, seal};

/// A server ends by itself after this long, should the tests be killed before they remove it.
const LIFETIME: &str = "600";
const PASSWORD: &str = "correct horse battery staple";

/// A Postgres that listens on an address which this machine reaches, on a network of its own.
struct Server {
    name: String,
    address: String,
}

impl Server {
    fn start(sql: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mut server = Self {
            name: format!("restore-drill-test-chain-{}-{number}", std::process::id()),
            address: String::new(),
        };
        docker(&["network", "create", &server.name]);
        let password = format!("--env=POSTGRES_PASSWORD={PASSWORD}");
        let run =
            ["run", "--detach", "--rm", "--pull=never", "--network", &server.name, "--name", &server.name];
        let image = image("DRILL_POSTGRES_17_IMAGE");
        let rest = [
            &*password,
            "--env=POSTGRES_INITDB_ARGS=--no-sync",
            "--entrypoint=timeout",
            &image,
            LIFETIME,
            "docker-entrypoint.sh",
            "postgres",
            "-cfsync=off",
        ];
        docker(&[&run[..], &rest[..]].concat());
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        server.address = docker(&["inspect", "--format", template, &server.name]);
        let deadline = Instant::now() + Duration::from_secs(60);
        // Over TCP: the entrypoint's temporary server listens on its socket only.
        let ping = ["exec", &server.name, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5432"];
        while !Command::new("docker").args(ping).output().is_ok_and(|output| output.status.success()) {
            assert!(Instant::now() < deadline, "{} does not start", server.name);
            std::thread::sleep(Duration::from_millis(200));
        }
        server.sql(sql);
        server
    }

    /// Runs SQL, and returns what it printed.
    fn sql(&self, sql: &str) -> String {
        let psql = ["exec", "-i", &self.name, "psql", "-Upostgres", "-qAt", "-v", "ON_ERROR_STOP=1"];
        docker_with(&psql, sql.as_bytes())
    }

    /// Runs `verify-chain` on it.
    fn verify(&self, arguments: &[&str]) -> Verified {
        let environment = [
            ("PGHOST", &*self.address),
            ("PGUSER", "postgres"),
            ("PGDATABASE", "postgres"),
            ("PGPASSWORD", PASSWORD),
        ];
        verify(arguments, &environment, b"")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

/// How a run of the command ended.
struct Verified {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Verified {
    fn record(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}{}", self.stdout, self.stderr))
    }

    /// Asserts that every chain holds.
    fn holds(&self, rows: u64, chains: &str) {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        assert_eq!(record["status"], "pass");
        assert_eq!(record["rows_verified"], rows, "{record}");
        assert!(record["summary"].as_str().unwrap().ends_with(chains), "{record}");
        assert_eq!(record["findings_total"], 0, "{record}");
    }

    /// Codes of the findings and the rows they name.
    fn findings(&self) -> Vec<(String, String)> {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        let row = |finding: &Value| {
            let subject = finding["subject"].as_str().unwrap();
            let row = subject.strip_prefix("row ").unwrap().split(" of the chain").next().unwrap().to_owned();
            (finding["code"].as_str().unwrap().to_owned(), row)
        };
        record["findings"].as_array().unwrap().iter().map(row).collect()
    }

    fn found(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(code, row)| ((*code).to_owned(), (*row).to_owned())).collect();
        assert_eq!(self.findings(), expected);
    }
}

/// Runs the command with JSON on stdout and nothing of this process's environment.
fn verify(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Verified {
    let mut child = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["verify-chain", "--format", "json"])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input says itself what is wrong.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    let verified = Verified {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for text in [&verified.stdout, &verified.stderr] {
        assert!(!text.contains(PASSWORD), "the password is shown: {text}");
    }
    verified
}

/// Rows to chain, and a function that chains the rows of a table: `hashing` computes a row's hash from its columns and
/// from `$1`, the hash of the row before. Updating moves rows, so they do not lie in the order of their chains.
const BASE: &str = r#"
CREATE FUNCTION make(name text, kind text, genesis text, hashing text, accounts int, per_account int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE r record; account int; link text;
BEGIN
    EXECUTE format('CREATE TABLE %I (n bigint PRIMARY KEY, account int, note text, amount numeric(12, 2), at timestamptz,
        ok boolean, v smallint, prev %s, hash %s)', name, kind, kind);
    EXECUTE format('INSERT INTO %I SELECT n, n %% $1, CASE WHEN n %% 5 > 0 THEN E''note "é☕" \\ \t'' || n END, n * 1.10,
        timestamptz ''2026-05-01 00:00:00.5+00'' + n * interval ''1s'', n %% 2 = 0, 1 + n %% 2
        FROM generate_series(1, $1 * $2) n', name) USING accounts, per_account;
    FOR r IN EXECUTE format('SELECT n, account FROM %I ORDER BY account, n', name) LOOP
        IF account IS DISTINCT FROM r.account THEN link := genesis; END IF;
        account := r.account;
        EXECUTE format('UPDATE %I SET prev = $1::%s, hash = (%s)::%s WHERE n = $2 RETURNING hash::text',
            name, kind, hashing, kind) USING link, r.n INTO link;
    END LOOP;
END $$;
"#;

/// What `columns` gives by default: a JSON array of the texts.
const ARRAY: &str = "json_build_array(account::text, note, amount::text, at::text, ok::text)::text";
const COLUMNS: &str = "account,note,amount,at,ok";

/// A scheme: the table's name, the type of its hashes, genesis as SQL, what hashes a row as SQL, and the options.
type Made = (&'static str, &'static str, &'static str, String, &'static [&'static str]);

fn made() -> Vec<Made> {
    let utf8 = |sql: &str| format!("convert_to({sql}, 'UTF8')");
    let text = |sql: &str| utf8(&format!("coalesce($1, '') || {sql}"));
    vec![
        ("hex_256", "text", "NULL", format!("encode(sha256({}), 'hex')", text(ARRAY)), &["--columns", COLUMNS]),
        (
            "hex_512",
            "varchar(128)",
            "'start'",
            format!("upper(encode(sha512({}), 'hex'))", text(ARRAY)),
            &["--columns", COLUMNS, "--hash", "sha512", "--genesis", "start"],
        ),
        (
            "base64_512",
            "text",
            "''",
            format!("encode(sha512({}), 'base64')", text(ARRAY)),
            &["--columns", COLUMNS, "--hash", "sha512", "--encoding", "base64", "--genesis", ""],
        ),
        (
            "raw_256",
            "bytea",
            r"'\x00'",
            format!("sha256($1::bytea || {})", utf8(ARRAY)),
            &["--columns", COLUMNS, "--encoding", "bytea", "--genesis", "00"],
        ),
        (
            "lengths",
            "char(64)",
            "NULL",
            format!(
                "encode(sha256({}), 'hex')",
                text("(octet_length(account::text) || ':' || account || coalesce(octet_length(note) || ':' || note, '-'))")
            ),
            &["--columns", "account,note", "--join", "length-prefixed"],
        ),
        (
            "separated",
            "text",
            "NULL",
            format!("encode(sha256({}), 'hex')", text("(account || '|' || coalesce(note, '') || '|' || at::text)")),
            &["--columns", "account,note,at", "--join", "separator", "--separator", "|"],
        ),
        (
            "in_sql",
            "text",
            "repeat('0', 64)",
            "encode(sha256(decode($1, 'hex') || int8send(n) || convert_to(coalesce(note, '∅'), 'UTF8')), 'hex')".to_owned(),
            &[
                "--preimage",
                "decode(prev, 'hex') || int8send(n) || convert_to(coalesce(note, '∅'), 'UTF8') -- by the row",
                "--link-in-preimage",
                "false",
                "--genesis",
                "0000000000000000000000000000000000000000000000000000000000000000",
            ],
        ),
    ]
}

const LINKED: [&str; 10] = [
    "--scheme",
    "hash-chain",
    "--partition-by",
    "account",
    "--order-by",
    "n",
    "--hash-column",
    "hash",
    "--link-column",
    "prev",
];

#[test]
fn schemes_of_every_kind_hold_and_every_damage_is_found() {
    let mut sql = BASE.to_owned();
    for (name, kind, genesis, hashing, _) in made() {
        let hashing = hashing.replace('\'', "''");
        sql.push_str(&format!("SELECT make('{name}', '{kind}', {genesis}, '{hashing}', 3, 40);\n"));
    }
    // Whoever connects with other settings sees other texts.
    sql.push_str("ALTER DATABASE postgres SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE postgres SET DateStyle = 'German';");
    let sql = sql.replace("CREATE FUNCTION make", "SET TimeZone = 'UTC';\nCREATE FUNCTION make");
    let server = Server::start(&sql);
    for (name, _, genesis, _, options) in made() {
        let arguments = [&LINKED[..], &["--table", name], options].concat();
        server.verify(&arguments).holds(120, " rows in 3 chains");
        // Each is undone by the next one's ROLLBACK TO, so they are made one by one on a copy.
        let damaged = |damage: &str| {
            server.sql(&format!("DROP TABLE IF EXISTS work; CREATE TABLE work AS TABLE {name}; {damage}"));
            server.verify(&[&LINKED[..], &["--table", "work"], options].concat())
        };
        damaged("UPDATE work SET note = 'edited' WHERE n = 31").found(&[("hash_mismatch", "31")]);
        damaged("DELETE FROM work WHERE n = 31").found(&[("broken_link", "34")]);
        damaged("INSERT INTO work SELECT * FROM work WHERE n = 31")
            .found(&[("broken_link", "31"), ("duplicate_sequence", "31")]);
        damaged("UPDATE work SET hash = NULL WHERE n = 31").found(&[("null_hash", "31")]);
        let link = damaged("UPDATE work SET prev = NULL WHERE n = 31");
        let expected = if genesis == "NULL" { vec!["hash_mismatch", "null_hash"] } else { vec!["null_hash"] };
        let codes: Vec<String> = link.findings().into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{name}");
        let pruned = damaged("DELETE FROM work WHERE n < 10");
        assert_eq!((pruned.code, pruned.record()["findings_total"].as_u64()), (0, Some(3)), "three warnings");
        let strict = [&LINKED[..], &["--table", "work", "--require-genesis"], options].concat();
        server.verify(&strict).found(&[
            ("missing_genesis", "12"),
            ("missing_genesis", "10"),
            ("missing_genesis", "11"),
        ]);
    }
    let arguments = [&LINKED[..], &["--table", "raw_256", "--columns", COLUMNS]].concat();
    let refused = server.verify(&arguments);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("encoding = \"bytea\""), "{}", refused.stderr);
    let arguments = [&LINKED[..], &["--table", "hex_256", "--preimage", "amount"]].concat();
    assert!(server.verify(&arguments).stderr.contains("only text and bytea can be hashed"));
}

#[test]
fn versions_are_chosen_by_row_and_an_unknown_one_is_named() {
    let hashing = "encode(sha256(convert_to(coalesce($1, '''') || CASE v WHEN 1 THEN json_build_array(note)::text \
                   ELSE account || ''/'' || n END, ''UTF8'')), ''hex'')";
    let server = Server::start(&format!("{BASE} SELECT make('entries', 'text', NULL, '{hashing}', 2, 30);"));
    let mut world = World::new("chain-versions");
    world.database("postgres", &[]);
    world.template.checks.push(
        "type = \"verify-chain\"\nname = \"entries\"\ndatabase = \"postgres\"\ntable = \"entries\"\nscheme = \"hash-chain\"\n\
         partition_by = [\"account\"]\norder_by = [\"n\"]\nhash_column = \"hash\"\nlink_column = \"prev\"\n\
         version_column = \"v\"\n[checks.versions]\n1 = { columns = [\"note\"] }\n2 = { preimage = \"account || '/' || n\" }"
            .to_owned(),
    );
    let template = world.write_template().display().to_string();
    let arguments = ["-t", &*template, "--check", "entries"];
    server.verify(&arguments).holds(60, " rows in 2 chains");
    server.sql("UPDATE entries SET v = 3 WHERE n = 20; UPDATE entries SET v = NULL WHERE n = 31;");
    server.verify(&arguments[..2]).found(&[("unknown_version", "20"), ("unknown_version", "31")]);
    let refused = server.verify(&["-t", &template, "--check", "others"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("it has entries"), "{}", refused.stderr);
}

#[test]
fn thousands_of_chains_in_a_partitioned_table_that_lies_in_no_order() {
    let server = Server::start(
        "CREATE TABLE entries (n bigint, k text COLLATE \"C\", account text, note text, prev text, hash text)
            PARTITION BY HASH (n);
         CREATE TABLE empty (LIKE entries) PARTITION BY HASH (n);
         CREATE TABLE entries_0 PARTITION OF entries FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE entries_1 PARTITION OF entries FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         CREATE TEMP TABLE made AS
            WITH RECURSIVE chain AS (
                SELECT a AS account, 1 AS n, NULL::text AS prev, encode(sha256(convert_to('[\"1\", \"x\"]', 'UTF8')), 'hex') AS hash
                FROM generate_series(1, 5000) a
                UNION ALL
                SELECT account, n + 1, hash, encode(sha256(convert_to(
                    hash || json_build_array((n + 1)::text, 'x')::text, 'UTF8')), 'hex') FROM chain WHERE n < 8)
            SELECT * FROM chain;
         INSERT INTO entries SELECT n, 'k' || n, 'account ' || account, 'x', prev, hash FROM made ORDER BY hash;
         CREATE VIEW seen AS SELECT * FROM entries;",
    );
    let more = ["--columns", "n,note", "--contiguous", "--id", "account,n", "--table"];
    let arguments = [&LINKED[..], &more].concat();
    for table in ["entries", "seen"] {
        server.verify(&[&arguments[..], &[table]].concat()).holds(40_000, " rows in 5,000 chains");
    }
    // Text has an order that only the server knows.
    let by_text: Vec<&str> = arguments
        .iter()
        .map(|argument| if *argument == "n" { "k" } else { argument })
        .filter(|argument| *argument != "--contiguous")
        .collect();
    server.verify(&[&by_text[..], &["entries"]].concat()).holds(40_000, " rows in 5,000 chains");
    server.verify(&[&by_text[..], &["empty"]].concat()).holds(0, "0 rows in 0 chains");
    server.verify(&[&arguments[..], &["empty"]].concat()).holds(0, "0 rows in 0 chains");
    server.sql(
        "UPDATE entries SET note = 'y' WHERE account = 'account 17' AND n = 3;
         DELETE FROM entries WHERE account = 'account 4999' AND n = 4;",
    );
    for table in ["entries", "seen"] {
        server.verify(&[&arguments[..], &[table]].concat()).found(&[
            ("hash_mismatch", "account 17, 3"),
            ("broken_link", "account 4999, 5"),
            ("sequence_gap", "account 4999, 5"),
        ]);
    }
    server
        .verify(&[&by_text[..], &["entries"]].concat())
        .found(&[("hash_mismatch", "account 17, 3"), ("broken_link", "account 4999, 5")]);
}

/// The sample data, up to an hour ago.
static DATA: LazyLock<DataSet> = LazyLock::new(|| data_set(600, 11, ago(65)));

fn audit_sql() -> String {
    let database: &DemoDatabase =
        DATA.databases.iter().find(|database| database.name == "acp_audit").unwrap();
    let mut sql = database.schema.to_owned();
    for table in &database.tables {
        sql.push_str(&format!("\n{};\n", table.copy));
        for chunk in table.chunks() {
            sql.push_str(std::str::from_utf8(&chunk).expect("COPY text is UTF-8"));
        }
        sql.push_str("\\.\n");
    }
    sql + database.finish + "\nALTER TABLE audit_logs DISABLE TRIGGER USER;\n"
}

#[test]
fn the_audit_log_holds_in_a_database_and_in_its_export_and_both_tell_the_same() {
    let server = Server::start(&audit_sql());
    let table = ["--scheme", "aegis-audit", "--table", "audit_logs"];
    let export = || server.sql("SELECT row_to_json(a) FROM audit_logs a ORDER BY chain_sequence");
    server.verify(&table).holds(600, " rows in 4 chains");
    let jsonl = ["--scheme", "aegis-audit", "--jsonl", "-"];
    verify(&jsonl, &[], export().as_bytes()).holds(600, " rows in 4 chains");
    server.sql(
        "UPDATE audit_logs SET decision = 'deny' WHERE chain_sequence = 77;
         UPDATE audit_logs SET hash_version = 7 WHERE chain_sequence = 300;
         UPDATE audit_logs SET prev_hash = repeat('f', 64) WHERE chain_sequence = 400;",
    );
    let id =
        |sequence: u32| server.sql(&format!("SELECT id FROM audit_logs WHERE chain_sequence = {sequence}"));
    let (of_table, of_export) = (server.verify(&table), verify(&jsonl, &[], export().as_bytes()));
    let mut found = of_table.findings();
    found.sort();
    let mut expected = [
        ("broken_link".to_owned(), id(400)),
        ("hash_mismatch".to_owned(), id(77)),
        ("hash_mismatch".to_owned(), id(400)),
        ("unknown_version".to_owned(), id(300)),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(of_table.record()["findings"], of_export.record()["findings"]);
    assert_eq!(of_export.code, 1);
}

#[test]
fn exit_codes_tell_what_is_wrong_with_the_question_and_what_with_the_answer() {
    let server = Server::start(&audit_sql());
    let table = ["--scheme", "aegis-audit", "--table", "audit_logs"];
    let url = format!("postgres://postgres@{}/postgres", server.address);
    let with_url =
        |url: &str, password: &str| verify(&table, &[("DATABASE_URL", url), ("PGPASSWORD", password)], b"");
    with_url(&url, PASSWORD).holds(600, " rows in 4 chains");
    with_url(&format!("{url}?sslmode=disable"), PASSWORD).holds(600, " rows in 4 chains");
    for (url, password, code, words) in [
        (url.clone(), "wrong", 3, "refused the credentials"),
        (format!("{url}?sslmode=require"), PASSWORD, 3, "cannot connect"),
        (format!("{url}?sslmode=never"), PASSWORD, 2, "sslmode must be"),
        ("postgres://postgres@127.0.0.1:1/postgres".to_owned(), PASSWORD, 3, "cannot connect"),
        ("mysql://me@h/d".to_owned(), PASSWORD, 2, "postgres://"),
    ] {
        let outcome = with_url(&url, password);
        assert_eq!(outcome.code, code, "{url}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{url}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("hint: ") && outcome.stdout.is_empty(), "{url}: {}", outcome.stderr);
    }
    let missing = server.verify(&["--scheme", "aegis-audit", "--table", "nowhere"]);
    assert_eq!(missing.code, 1, "{}", missing.stderr);
    assert!(missing.stderr.contains("there is no table public.nowhere"), "{}", missing.stderr);
    for arguments in [&["--scheme", "aegis-audit"][..], &["--scheme", "hash-chain", "--jsonl", "-"], &[]] {
        assert_eq!(verify(arguments, &[], b"").code, 2, "{arguments:?}");
    }
    let cut = verify(&["--scheme", "aegis-audit", "--jsonl", "-"], &[], b"{\"id\": ");
    assert_eq!(cut.code, 1);
    assert!(cut.stderr.contains("line 1 of the export cannot be read"), "{}", cut.stderr);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("url");
    std::fs::write(
        &file,
        format!("postgres://postgres:{}@{}/postgres\n", PASSWORD.replace(' ', "%20"), server.address),
    )
    .expect("the file can be written");
    let path = file.display().to_string();
    verify(&[&table[..], &["--database-url-file", &path]].concat(), &[], b"").holds(600, " rows in 4 chains");
    // The connection only reads.
    let human = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["verify-chain", "--database-url-file", &path])
        .args(table)
        .env_clear()
        .output()
        .expect("the program starts");
    let text = String::from_utf8(human.stdout).expect("it is text");
    assert_eq!(text.lines().last(), Some("Chain verification HELD — 600 rows in 4 chains"));
}

#[test]
fn a_drill_verifies_a_chain_of_any_make() {
    let hashing = "encode(sha256(convert_to(coalesce($1, '''') || json_build_array(account::text, note)::text, ''UTF8'')), ''hex'')";
    let sql = format!("{BASE} SELECT make('entries', 'text', NULL, '{hashing}', 3, 40);");
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let sound = source.dump("sound", &sql, &[]);
    let edited =
        source.dump("edited", &format!("{sql} UPDATE entries SET note = 'edited' WHERE n = 50;"), &[]);
    drop(source);
    let mut world = World::new("chain-drill");
    world.dumped("sound", &[], &sound).dumped("edited", &[], &edited);
    for database in ["sound", "edited"] {
        world.template.checks.push(format!(
            "type = \"verify-chain\"\nname = \"{database}\"\ndatabase = \"{database}\"\ntable = \"entries\"\n\
             scheme = \"hash-chain\"\npartition_by = [\"account\"]\norder_by = [\"n\"]\nhash_column = \"hash\"\n\
             link_column = \"prev\"\ncolumns = [\"account\", \"note\"]"
        ));
    }
    let outcome = world.drill(&[]);
    outcome.failed(1, "hash_mismatch");
    assert_eq!(outcome.check("sound")["status"], "pass");
    assert_eq!(outcome.check("edited")["findings"][0]["subject"], "row 50 of the chain of account 2");
    assert_eq!(outcome.check("edited")["findings_total"], 1);
    world.assert_nothing_left();
}

/// The roots of the sample data, as snapshots have them.
fn snapshot_lines() -> Vec<String> {
    let database = DATA.databases.iter().find(|database| database.name == "acp_audit").unwrap();
    let table = database.tables.iter().find(|table| table.name == "transparency_roots").unwrap();
    let columns: Vec<&str> = table.copy.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    let text: Vec<u8> = table.chunks().flatten().collect();
    let text = String::from_utf8(text).unwrap();
    let line = |row: &str| {
        let fields: Vec<&str> = row.split('\t').collect();
        let field = |name: &str| fields[columns.iter().position(|column| *column == name).unwrap()];
        let prev = Some(field("prev_root_hash")).filter(|text| *text != "\\N");
        let root = serde_json::json!({
            "tenant_id": field("tenant_id"), "root_date": field("root_date"), "root_hash": field("root_hash"),
            "prev_root_hash": prev, "leaf_count": field("leaf_count").parse::<i64>().unwrap(),
        });
        format!("{root}\n")
    };
    text.lines().map(line).collect()
}

#[test]
fn roots_are_held_against_their_snapshot_in_the_store() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let rewrite = "UPDATE transparency_roots SET leaf_count = leaf_count + 1 WHERE ctid = (
        SELECT ctid FROM transparency_roots WHERE leaf_count > 0 ORDER BY tenant_id, root_date OFFSET 5 LIMIT 1);";
    let sound = source.dump("acp_audit", &audit_sql(), &[]);
    let rewritten = source.dump("rewritten", &format!("{}{rewrite}", audit_sql()), &[]);
    drop(source);
    let lines = snapshot_lines();
    let codes = |name: &str, dump: &[u8], objects: &[(&str, Vec<u8>)]| {
        let mut world = World::new(name);
        world.dumped("acp_audit", &[], dump);
        for (key, bytes) in objects {
            let sealed = if key.ends_with(".age") { seal(bytes, &[&world.recipient]) } else { bytes.clone() };
            world.put(key, &sealed);
        }
        let key = world.write("active.pem", &DATA.active_public_key_pem);
        world.template.checks.push(format!(
            "type = \"transparency-roots\"\nname = \"roots\"\ndatabase = \"acp_audit\"\nactive_public_key = \"{}\"\n\
             snapshot = \"roots/\"",
            key.display()
        ));
        let outcome = world.drill(&[]);
        world.assert_nothing_left();
        let record = outcome.check("roots").clone();
        let codes: Vec<String> = record["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["code"].as_str().unwrap().to_owned())
            .collect();
        (outcome.code, codes, record["summary"].as_str().unwrap().to_owned())
    };
    let (first, last) = lines.split_at(lines.len() / 2);
    let both = [
        ("roots/2026/a.jsonl", first.concat().into_bytes()),
        ("roots/b.jsonl.age", last.concat().into_bytes()),
    ];
    let (code, found, summary) = codes("roots-equal", &sound, &both);
    assert_eq!((code, found), (0, vec![]), "{summary}");
    assert!(summary.ends_with(&format!("{} equal to the snapshot", lines.len())), "{summary}");
    let (code, found, _) = codes("roots-rewritten", &rewritten, &both);
    assert_eq!(code, 1);
    assert!(found.contains(&"root_differs_from_snapshot".to_owned()), "{found:?}");
    let (code, found, _) = codes("roots-none", &sound, &[("other/a.jsonl", lines.concat().into_bytes())]);
    assert_eq!((code, found), (1, vec!["snapshot_missing".to_owned()]));
    let mut lacking = lines.clone();
    lacking.remove(3);
    lacking.push(lines[4].replace("\"root_date\":\"20", "\"root_date\":\"19"));
    let (code, found, _) =
        codes("roots-lacking", &sound, &[("roots/a.jsonl", lacking.concat().into_bytes())]);
    assert_eq!(
        (code, found),
        (1, vec!["root_not_in_snapshot".to_owned(), "root_missing_in_database".to_owned()])
    );
    let (code, found, _) =
        codes("roots-cut", &sound, &[("roots/a.jsonl", lines.concat().into_bytes()[..2000].to_vec())]);
    assert_eq!(code, 1);
    assert!(found.contains(&"snapshot_unreadable".to_owned()), "{found:?}");
}
