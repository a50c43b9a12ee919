//! Databases come back as they were: with their own locale, which decides what is unique and in which order texts are, and
//! with those of their settings that decide what values mean.

use serde_json::json;

use super::fixtures::Source;
use super::world::{Outcome, World};

/// Sound in the locale `C` only: a unique index on folded letters, partitions by text, a CHECK on order.
const IN_C: &str = "
CREATE TABLE people (mail text);
CREATE UNIQUE INDEX ON people (lower(mail));
INSERT INTO people VALUES ('É@example.org'), ('é@example.org');
CREATE TABLE names (name text) PARTITION BY RANGE (name);
CREATE TABLE names_upper PARTITION OF names FOR VALUES FROM ('A') TO ('a');
CREATE TABLE names_lower PARTITION OF names FOR VALUES FROM ('a') TO ('{');
INSERT INTO names VALUES ('Zoe'), ('ann');
CREATE TABLE spans (first text, last text, CHECK (first < last));
INSERT INTO spans VALUES ('Z', 'a');";
/// Sound only where digits are compared as numbers.
const IN_ICU: &str = "
CREATE TABLE spans (first text, last text, CHECK (first < last));
INSERT INTO spans VALUES ('a2', 'a10'), ('a', 'Z');";
/// Sound only where letters of every language are folded, and compared by their code points.
const IN_BUILTIN: &str = "
CREATE TABLE spans (first text, last text, CHECK (first < last AND lower(last) = 'é'));
INSERT INTO spans VALUES ('Z', 'É');";
/// Sound only with a setting of the database; others would break or slow the drill.
const WITH_SETTINGS: &str = r#"
ALTER DATABASE settings SET app.tenant = 'it''s \ 7';
ALTER DATABASE settings SET datestyle = 'SQL, DMY';
ALTER DATABASE settings SET log_statement = 'all';
ALTER DATABASE settings SET plperl.on_plperl_init = 'die';
ALTER ROLE postgres IN DATABASE settings SET work_mem = '1MB';
ALTER DATABASE settings CONNECTION LIMIT 40;
SET app.tenant = 'it''s \ 7';
SET datestyle = 'SQL, DMY';
CREATE TABLE owned (tenant text CHECK (tenant = current_setting('app.tenant')));
INSERT INTO owned VALUES (current_setting('app.tenant'));
CREATE TABLE days (day text CHECK (day::date > '2020-01-01'));
INSERT INTO days VALUES ('31/12/2025');
ALTER DATABASE settings SET default_transaction_read_only = on;"#;
/// What `createdb` is given.
const C: &[&str] = &["--locale=C", "--template=template0"];
const ICU: &[&str] =
    &["--locale-provider=icu", "--icu-locale=en-u-kn-true", "--locale=C", "--template=template0"];
const BUILTIN: &[&str] =
    &["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--template=template0"];

/// A dump of a database whose locale the image lacks. The table of contents is never compressed.
fn in_a_foreign_locale(source: &Source) -> Vec<u8> {
    let mut dump = source.dump("foreign", "CREATE TABLE words AS SELECT 'x' AS word;", &[]);
    let own = b"'en_US.utf8'";
    let at = dump.windows(own.len()).position(|bytes| bytes == own).expect("the image's own locale is named");
    dump[at..at + own.len()].copy_from_slice(b"'de_DE.utf8'");
    dump
}

/// A dump that a `pg_dump` of the next major version made from the same server, in a format that is known.
fn by_a_newer_pg_dump(dump: &[u8]) -> Vec<u8> {
    let mut dump = dump.to_vec();
    // `15.14 (Debian 15.14-0+deb12u1)`, for the server and then for the program.
    let version = |bytes: &[u8]| bytes.starts_with(b"15.") && bytes.windows(2).any(|pair| pair == b" (");
    let mut places = dump.windows(8).enumerate().filter(|(_, bytes)| version(bytes)).map(|(at, _)| at);
    let (_server, program) = (places.next().unwrap(), places.next().unwrap());
    dump[program..program + 2].copy_from_slice(b"16");
    dump
}

fn warnings(outcome: &Outcome) -> String {
    outcome.verdict()["warnings"].to_string()
}

#[test]
fn databases_have_the_locale_and_the_settings_of_their_source() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let mut world = World::new("locales-17");
    for (name, options, sql) in [
        ("plain-c", C, IN_C),
        ("icu", ICU, IN_ICU),
        ("builtin", BUILTIN, IN_BUILTIN),
        ("settings", C, WITH_SETTINGS),
    ] {
        let dump = source.dump_of(name, options, sql, &[]);
        world.dumped(name, &[], &dump);
    }
    world.dumped("foreign", &[], &in_a_foreign_locale(&source));
    world.template.postgres = "locale = \"C\"".to_owned();
    world
        .rows("people", "plain-c", "people", "exact = 2")
        .rows("names", "plain-c", "names_upper", "exact = 1")
        .rows("numbers", "icu", "spans", "exact = 2")
        .rows("letters", "builtin", "spans", "exact = 1")
        .rows("owned", "settings", "owned", "exact = 1")
        .rows("words", "foreign", "words", "exact = 1");
    let outcome = world.drill(&[]);
    outcome.passed();
    let said = warnings(&outcome);
    for words in [
        "foreign: restored with the locale C in place of de_DE.utf8",
        "settings: settings of the dumped database that the drill's does not have: ",
    ] {
        assert!(said.contains(words), "{words}\n{outcome}");
    }
    for name in [
        "log_statement",
        "plperl.on_plperl_init",
        "default_transaction_read_only",
        "work_mem of role postgres",
    ] {
        assert!(said.contains(name), "{name}\n{outcome}");
    }
    assert!(!said.contains("tenant") && !said.contains("DateStyle"), "{outcome}");
    world.assert_nothing_left();
}

#[test]
fn a_locale_that_the_image_lacks_is_named_and_says_nothing_about_the_backup() {
    let source = Source::start("DRILL_POSTGRES_15_IMAGE");
    let mut world = World::new("locales-15");
    world.template.image = "${DRILL_POSTGRES_15_IMAGE}".to_owned();
    for (name, options, sql) in [("plain-c", C, IN_C), ("icu", ICU, IN_ICU)] {
        let dump = source.dump_of(name, options, sql, &[]);
        world.dumped(name, &[], &dump);
    }
    world.dumped("foreign", &[], &in_a_foreign_locale(&source));
    let newer = by_a_newer_pg_dump(&source.dump("newer", "CREATE TABLE words AS SELECT 'x' AS word;", &[]));
    world.dumped("newer", &[], &newer).rows("newer", "newer", "words", "exact = 1");
    world.rows("people", "plain-c", "people", "exact = 2").rows("numbers", "icu", "spans", "exact = 2").rows(
        "words",
        "foreign",
        "words",
        "exact = 1",
    );
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "collation_missing");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("de_DE.utf8"), "{outcome}");
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("en_US.utf8"), "{outcome}");
    // The plan says that a drill makes sense, and the drill tries.
    let finding = json!("dump_newer_than_image");
    let findings = verdict["plan"]["findings"].as_array().unwrap();
    let newer: Vec<_> = findings.iter().filter(|found| found["code"] == finding).collect();
    assert!(
        matches!(*newer, [found] if found["subject"] == "newer" && found["severity"] == "warning"),
        "{outcome}"
    );
    for name in ["people", "numbers", "newer"] {
        assert_eq!(outcome.check(name)["status"], "pass", "{outcome}");
    }
    world.assert_nothing_left();
}

/// A table of so many partitions that adding a foreign key needs more locks than a server of few connections has room for,
/// unless its settings say so.
const PARTITIONED: &str = "
CREATE TABLE keys (id int PRIMARY KEY);
INSERT INTO keys SELECT generate_series(1, 9);
CREATE TABLE parts (id int, key int) PARTITION BY LIST (id);
SELECT format('CREATE TABLE part_%s PARTITION OF parts FOR VALUES IN (%s)', n, n) FROM generate_series(1, 900) n \\gexec
INSERT INTO parts SELECT n, 1 + n % 9 FROM generate_series(1, 900) n;
ALTER TABLE parts ADD FOREIGN KEY (key) REFERENCES keys;";
/// What cannot be filled unless the library was loaded at the start.
const STATEMENTS: &str = "
CREATE EXTENSION pg_stat_statements;
CREATE MATERIALIZED VIEW seen AS SELECT calls FROM pg_stat_statements WITH NO DATA;
CREATE TABLE words AS SELECT 'x' AS word;
UPDATE pg_class SET relispopulated = true WHERE relname = 'seen';";

#[test]
fn what_dumps_need_of_the_server_is_there_when_it_starts() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let mut world = World::new("needs");
    world
        .dumped("partitions", &[], &source.dump("partitions", PARTITIONED, &[]))
        .dumped("statements", &[], &source.dump("statements", STATEMENTS, &[]))
        .rows("parts", "partitions", "parts", "exact = 900")
        .rows("words", "statements", "words", "exact = 1");
    world.template.postgres =
        "settings = { max_connections = \"20\", autovacuum_max_workers = \"1\" }".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let settings = &verdict["stack"]["settings"];
    assert_eq!(settings["shared_preload_libraries"], "pg_stat_statements", "{outcome}");
    assert!(settings["max_locks_per_transaction"].as_str().is_some_and(|locks| locks > "1"), "{outcome}");
    world.assert_nothing_left();
}
