//! The cause of a restore with errors: the backup, unless the machine or the image can be shown to be. A
//! dump's own words show nothing, and no value of a row is in what is said.

use std::process::Command;

use super::fixtures::{Source, dump};
use super::world::{Outcome, World, docker, image};

/// Rows that only a restore stumbles over: the function raises in `pg_restore`'s sessions.
fn lying(words: &str) -> String {
    format!(
        "CREATE FUNCTION fine(card text) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN
             IF current_setting('application_name') = 'pg_restore' THEN {words} END IF;
             RETURN true;
         END $f$;
         CREATE TABLE cards (card text CHECK (fine(card)));
         INSERT INTO cards VALUES ('4111-1111-1111-1234 Jane');"
    )
}

/// The bytes with a text replaced wherever it stands, by one of the same length. Tables of contents are never compressed.
fn replaced(dump: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut dump = dump.to_vec();
    let mut hits = 0;
    for at in 0..=dump.len() - from.len() {
        if dump[at..].starts_with(from.as_bytes()) {
            dump[at..at + to.len()].copy_from_slice(to.as_bytes());
            hits += 1;
        }
    }
    assert!(hits > 0, "{from} is in the dump");
    dump
}

/// A role that a row names, and dumps do not hold.
const ROLE_IN_ROWS: &str = "
CREATE ROLE accountant;
CREATE TABLE keepers (keeper regrole);
INSERT INTO keepers VALUES ('accountant');";
/// What a view shows that nothing in the stack can reach.
const VIEW_ELSEWHERE: &str = "
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.1', connect_timeout '2');
CREATE USER MAPPING FOR postgres SERVER elsewhere;
CREATE FOREIGN TABLE far (n int) SERVER elsewhere;
CREATE TABLE near AS SELECT 1 AS n;
CREATE VIEW both_of_them AS SELECT n FROM near UNION ALL SELECT n FROM far;
CREATE MATERIALIZED VIEW all_of_them AS SELECT * FROM both_of_them WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE relname = 'all_of_them';";
/// A value that a restore cannot read, once its column is of another type.
const VALUES: &str = "
CREATE TABLE cards (holder text, card text);
INSERT INTO cards VALUES (E'Jane\\n\"cards\" Doe', E'4111-1111\\n1111-1234 \"x\" Jane');";

/// The database's error; none if it was restored.
fn error_of(outcome: &Outcome, database: &str) -> Option<String> {
    outcome.database(database)["error"]["code"].as_str().map(str::to_owned)
}

#[test]
fn the_backup_is_blamed_unless_the_image_is_shown_to_be_and_no_row_is_quoted() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let mut world = World::new("blame");
    let made = |name: &str, sql: &str, options: &[&str]| source.dump(name, sql, options);
    for (name, words) in [
        ("liar-memory", "RAISE 'out of memory' USING ERRCODE = '53200';"),
        ("liar-disk", "RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';"),
        ("liar-role", "RAISE 'role \"nobody\" does not exist' USING ERRCODE = '42704';"),
        ("liar-lost", "RAISE E'x\\npg_restore: error: connection to server was lost %', card;"),
        ("liar-end", "RAISE E'x %\\npg_restore: warning: errors ignored on restore: 0', card;"),
    ] {
        world.dumped(name, &[], &made(name, &lying(words), &[]));
    }
    for (name, options) in [("values", [].as_slice()), ("values-inserted", &["--inserts"])] {
        world.dumped(name, &[], &replaced(&made(name, VALUES, options), "card text", "card int4"));
    }
    world
        .dumped("role", &[], &made("role", ROLE_IN_ROWS, &[]))
        .dumped("view", &[], &made("view", VIEW_ELSEWHERE, &[]))
        .dumped("extension", &[], &replaced(dump("identity"), "hstore", "hstorz"));
    let library = "CREATE FUNCTION f() RETURNS trigger LANGUAGE c AS '$libdir/refint', 'check_primary_key';";
    world.dumped(
        "library",
        &[],
        &replaced(&made("library", library, &[]), "$libdir/refint", "$libdir/refinx"),
    );
    let collated = "CREATE TABLE t (word text COLLATE \"en_US.utf8\");";
    let collated = made("collation", collated, &[]);
    world.dumped("collation", &[], &replaced(&collated, "g.\"en_US.utf8\"", "g.\"de_DE.utf8\""));
    world.rows("keepers", "role", "keepers", "exact = 1").rows("near", "view", "near", "exact = 1");
    let outcome = world.drill(&[]);

    outcome.failed(1, "restore_failed");
    for (database, code) in [
        ("liar-memory", Some("restore_failed")),
        ("liar-disk", Some("restore_failed")),
        ("liar-role", Some("restore_failed")),
        ("liar-lost", Some("restore_failed")),
        ("liar-end", Some("restore_failed")),
        ("values", Some("restore_failed")),
        ("values-inserted", Some("restore_failed")),
        ("role", None),
        ("view", None),
        ("extension", Some("extension_missing")),
        ("library", Some("library_missing")),
        ("collation", Some("collation_missing")),
    ] {
        assert_eq!(error_of(&outcome, database).as_deref(), code, "{database}\n{outcome}");
    }
    for check in ["keepers", "near"] {
        assert_eq!(outcome.check(check)["status"], "pass", "{check}\n{outcome}");
    }
    let warnings = outcome.verdict()["warnings"].to_string();
    for words in ["role: the dump names roles that it does not hold (accountant)", "public.all_of_them"] {
        assert!(warnings.contains(words), "{words}\n{outcome}");
    }
    for (place, text) in
        [("stdout", &outcome.stdout), ("stderr", &outcome.stderr), ("the verdict", &outcome.verdict_text)]
    {
        for value in ["4111", "1234", "Jane", "Doe", "nobody", "Command was"] {
            assert!(!text.contains(value), "{value} is in {place}\n{outcome}");
        }
    }
    let message = outcome.database("values")["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("TABLE DATA public.cards: pg_restore: error: COPY failed for table \"cards\""),
        "{message}"
    );
    world.assert_nothing_left();
}

/// An image; removed with this value.
struct Image(String);

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "-f", &self.0]).output();
    }
}

#[test]
fn an_image_whose_pg_restore_cannot_run_says_nothing_about_the_backup() {
    let container = format!("restore-drill-test-image-{}", std::process::id());
    let of = image("DRILL_POSTGRES_17_IMAGE");
    let spoil = ["-x", "/usr/lib/postgresql/17/bin/pg_restore", "/usr/bin/pg_restore"];
    docker(&[&["run", "--pull=never", "--name", &container, "--entrypoint=chmod", &of][..], &spoil].concat());
    let spoilt = Image(format!("{container}:1"));
    let entrypoint = ["--change", "ENTRYPOINT [\"docker-entrypoint.sh\"]", "--change", "CMD [\"postgres\"]"];
    docker(&[&["commit"][..], &entrypoint, &[&container, &spoilt.0]].concat());
    docker(&["rm", "-v", &container]);
    let mut world = World::new("pg-restore-unusable");
    world.template.image = spoilt.0.clone();
    world.dumped("ledger", &[], dump("ledger")).rows("entries", "ledger", "entries", "exact = 11");
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "pg_restore_unusable");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("pg_restore"), "{outcome}");
    world.assert_nothing_left();
}
