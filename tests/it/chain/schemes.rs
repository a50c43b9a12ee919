//! Chains that Postgres made by each kind of scheme.

use super::super::fixtures::Source;
use super::super::world::World;
use super::server::Server;

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
    // Connections with other settings get other texts.
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
    let empty = ["empty", "--allow-empty"];
    server.verify(&[&by_text[..], &empty].concat()).holds(0, "0 rows in 0 chains");
    server.verify(&[&arguments[..], &empty].concat()).holds(0, "0 rows in 0 chains");
    let uncounted: Vec<&str> = arguments.iter().map(|word| if *word == "n" { "k" } else { word }).collect();
    let refused = server.verify(&[&uncounted[..], &["entries"]].concat());
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("the column k is no smallint"), "{}", refused.stderr);
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

/// Postgres has no such function, so the rows are hashed here.
#[test]
fn a_chain_by_blake3_holds_and_an_edit_is_found() {
    let mut sql =
        "CREATE TABLE entries (n int PRIMARY KEY, account int, note text, prev text, hash text);".to_owned();
    for account in 0..3 {
        let mut link = None::<String>;
        for step in 0..20 {
            let (n, note) = (account + step * 3, format!("note {step}"));
            let preimage = format!("{}[\"{account}\", \"{note}\"]", link.as_deref().unwrap_or_default());
            let hash = blake3::hash(preimage.as_bytes()).to_hex().to_string();
            let prev = link.map_or_else(|| "NULL".to_owned(), |link| format!("'{link}'"));
            sql.push_str(&format!(
                "INSERT INTO entries VALUES ({n}, {account}, '{note}', {prev}, '{hash}');\n"
            ));
            link = Some(hash);
        }
    }
    let server = Server::start(&sql);
    let more = ["--table", "entries", "--columns", "account,note", "--hash", "blake3"];
    let arguments = [&LINKED[..], &more].concat();
    server.verify(&arguments).holds(60, " rows in 3 chains");
    server.sql("UPDATE entries SET note = 'edited' WHERE n = 31");
    server.verify(&arguments).found(&[("hash_mismatch", "31")]);
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
