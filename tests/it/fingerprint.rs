//! The check `fingerprint`, on backups of real servers: what was restored is compared with what was dumped.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use restore_drill::layer;
use restore_drill::model::manifest::{FingerprintKey, Objects, Recorded, Rows};
use restore_drill::model::names::compact;
use restore_drill::target::postgres::source::SourceServer;
use serde_json::{Value, json};

use super::fixtures::{LIFETIME, Source, reload};
use super::site::{Site, opened};
use super::support::wait::wait_until;
use super::world::{Outcome, RUNTIME, ago, docker, docker_bytes, image, seal};

/// A value of every kind that is written in a way of its own, and settings that would have them written in another. What
/// the drill's server has for settings is its own affair.
const KINDS: &str = r#"
ALTER DATABASE kinds SET DateStyle = 'German, DMY';
ALTER DATABASE kinds SET IntervalStyle = 'iso_8601';
ALTER DATABASE kinds SET TimeZone = 'Asia/Tokyo';
ALTER DATABASE kinds SET extra_float_digits = 0;
ALTER DATABASE kinds SET bytea_output = 'escape';
ALTER DATABASE kinds SET search_path = odd, public;
CREATE SCHEMA odd;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN odd.positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (
    id int PRIMARY KEY, gone text, n numeric, f4 float4, f8 float8, ts timestamptz, t timestamp, d date, tz timetz,
    iv interval, j json, jb jsonb, b bytea, u uuid, ai int[], at text[][], s text, vc varchar(20), c char(5), m mood,
    p pair, r int4range, nr numrange, mr int4multirange, ip inet, net cidr, mac macaddr, mo money, ci citext, h hstore,
    bi bit(5), x xml, doubled int GENERATED ALWAYS AS (id * 2) STORED, ident bigint GENERATED ALWAYS AS IDENTITY,
    pt point, tv tsvector, rc regclass, yes boolean, pos odd.positive, "Ünï ""q""; --" text);
ALTER TABLE kinds DROP COLUMN gone;
INSERT INTO kinds VALUES
    (1, 12345678901234567890.000100, 0.1::float4 + 0.2::float4, 0.1::float8 + 0.2::float8,
     '2026-05-01 00:00:02.00012+09', '0044-03-15 12:00:00 BC', '2026-02-28', '12:00:00+05:30',
     '1 year 2 mons -3 days 04:05:06.789', '{"b": 1,  "a": [1, 2.50]}', '{"b": 1,  "a": [1, 2.50], "é": "\u00fc"}',
     '\x00ff10', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL,3}', '{{"a,b","c\"d"},{"","NULL"}}',
     E'tab\there\nline\\back\r"quote" é ☃ 𝄞', 'twenty', 'x', 'it''s ok', ROW(1, 'a, "b"'), '[1,5)', '(,1.50]',
     '{[1,2],[5,9)}', '192.0.2.1/24', '2001:db8::/32', '08:00:2b:01:02:03', '1234.56', 'CaSe', 'a=>1, "b c"=>NULL',
     B'10101', '<a b="c">d</a>', DEFAULT, DEFAULT, '(1.5,-2)', 'a fat cat:1A', 'kinds', true, 7, 'ï'),
    (2, 'NaN', 'NaN', '-0', 'infinity', '-infinity', 'infinity', '00:00:00+00', '0', 'null', 'null', '', NULL, '{}', '{}',
     '', '', '', 'sad', NULL, 'empty', NULL, '{}', '::1', '10.0.0.0/8', NULL, '-0.01', '', '', B'00000', NULL,
     DEFAULT, DEFAULT, NULL, '', NULL, false, NULL, ''),
    (3, NULL, '1e-40', '1e-300', NULL, NULL, NULL, NULL, NULL, '""', '1.0', '\x5c4e', NULL, NULL, NULL, E'\\N', NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, DEFAULT, DEFAULT, NULL, NULL, NULL,
     NULL, NULL, NULL);
CREATE TABLE odd."Tablé ""in quotes""; --" AS SELECT n, md5(n::text) AS words FROM generate_series(1, 1000) n;
CREATE TABLE twice AS SELECT n % 10 AS n FROM generate_series(1, 100) n;
CREATE TABLE nothing_in_it (id int);
CREATE TABLE no_columns ();
INSERT INTO no_columns SELECT FROM generate_series(1, 5);
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS a;
CREATE TABLE days (id int, day int, more text) PARTITION BY RANGE (day);
CREATE TABLE days_1 (more text, id int, day int);
ALTER TABLE days ATTACH PARTITION days_1 FOR VALUES FROM (0) TO (5);
CREATE TABLE days_2 PARTITION OF days DEFAULT;
INSERT INTO days SELECT n, n % 9, 'day ' || n FROM generate_series(1, 50) n;
CREATE TABLE parent (id int, common text);
CREATE TABLE child (own int, common text, id int);
ALTER TABLE child INHERIT parent;
INSERT INTO parent VALUES (1, 'parent'), (2, NULL);
INSERT INTO child VALUES (1, 'child', 3);
CREATE TABLE guarded AS SELECT 1 AS id, repeat(md5('long'), 100000) AS longer_than_a_piece;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM twice;
CREATE VIEW seen AS SELECT * FROM twice;
-- Things that are no rows, some of which a server prints otherwise once they were restored.
CREATE FUNCTION odd.fits(a varchar DEFAULT 'x', variadic more int[] DEFAULT '{}') RETURNS boolean LANGUAGE sql
    RETURN a IN ('a', 'b') AND length(a) BETWEEN 1 AND 2 AND a <> 'z';
CREATE FUNCTION odd.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = odd, pg_temp
    AS $f$BEGIN RETURN NEW; END$f$;
CREATE PROCEDURE odd.act(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := 1; END';
CREATE AGGREGATE odd.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE AGGREGATE odd.number(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE TYPE odd.span AS RANGE (SUBTYPE = numeric);
CREATE SEQUENCE odd.down AS smallint INCREMENT -1 MINVALUE -10 MAXVALUE 5 START 3 CYCLE;
CREATE TABLE ruled (id int PRIMARY KEY, kind varchar(9) NOT NULL DEFAULT 'a' CHECK (kind IN ('a', 'b')), "N N" serial,
    n int DEFAULT -1 CHECK (n BETWEEN 1 AND 9 AND n <> 5), at timestamptz DEFAULT now() + interval '1 day',
    fits boolean GENERATED ALWAYS AS (kind IN ('a', 'b') AND length(kind) BETWEEN 1 AND 3) STORED, r int4range,
    EXCLUDE USING gist (r WITH &&), UNIQUE (kind, n) DEFERRABLE);
ALTER TABLE ruled ADD CONSTRAINT later CHECK (n > 0 OR n < 9 AND kind <> 'c') NOT VALID;
ALTER TABLE days ADD PRIMARY KEY (id, day);
CREATE TABLE to_days (id int, day int, FOREIGN KEY (id, day) REFERENCES days);
CREATE INDEX ON ruled (lower(kind), (n + 1) DESC) INCLUDE (id) WHERE kind IN ('a', 'b') AND n BETWEEN 1 AND 5 AND id > 0;
CREATE INDEX ON days (more text_pattern_ops);
CREATE UNIQUE INDEX ON totals (count);
CREATE TRIGGER touch BEFORE UPDATE OF n ON ruled FOR EACH ROW WHEN (NEW.kind IN ('a', 'b')) EXECUTE FUNCTION odd.touch();
CREATE TRIGGER asleep AFTER INSERT ON ruled FOR EACH STATEMENT EXECUTE FUNCTION odd.touch();
ALTER TABLE ruled DISABLE TRIGGER asleep;
CREATE TRIGGER of_days BEFORE INSERT ON days FOR EACH ROW EXECUTE FUNCTION odd.touch();
CREATE RULE keep AS ON DELETE TO ruled WHERE OLD.kind IN ('a', 'b') AND OLD.n BETWEEN 1 AND 2 DO INSTEAD NOTHING;
CREATE STATISTICS odd.related ON kind, n FROM ruled;
CREATE VIEW odd.chosen WITH (security_barrier) AS SELECT *, CASE WHEN n BETWEEN 1 AND 2 AND id > 1 THEN 1 END AS c FROM ruled
    WHERE kind IN ('a', 'b') WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE PUBLICATION feed FOR TABLE ruled (id, kind, n) WHERE (id BETWEEN 1 AND 2 AND id <> 3) WITH (publish = 'insert');
CREATE FUNCTION odd.seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION odd.seen();
ALTER EVENT TRIGGER watch DISABLE;
"#;

const BYTES: &str =
    r"CREATE TABLE words (word text); INSERT INTO words VALUES (E'\xe9'), (E'\xff\xfe'), ('plain');";
const LATIN_1: &str = "CREATE TABLE \"straße\" (name text); INSERT INTO \"straße\" VALUES ('é'), ('ü');";

/// The check, with more lines.
fn fingerprint(site: &mut Site, more: &str) {
    site.world.template.checks.push(format!("type = \"fingerprint\"\nname = \"source\"\n{more}\n"));
}

fn backed_up(site: &Site) -> Value {
    let outcome = site.backup(&["--format", "json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["warnings"], json!([]), "{outcome}");
    report
}

/// The codes and subjects of the check's findings.
fn findings(outcome: &Outcome) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let findings = outcome.check("source")["findings"].as_array().expect("a list");
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["subject"]))).collect()
}

/// The path of the manifest in the bucket, and what it says.
fn manifest(site: &Site) -> (PathBuf, Value) {
    let objects = site.objects();
    let (_, path) = objects.iter().find(|(key, _)| key.contains("/manifest_")).expect("there is a manifest");
    (path.clone(), serde_json::from_slice(&opened(&site.world, path)).unwrap())
}

/// The path of the only dump in the bucket.
fn dump_of(site: &Site) -> PathBuf {
    site.objects().into_iter().find(|(key, _)| key.ends_with(".dump.age")).expect("there is a dump").1
}

fn execute(site: &Site, database: &str, sql: &str) {
    RUNTIME.block_on(site.session(database).execute(sql, "changing the source")).unwrap();
}

/// Keys have whole seconds, and two backups have two keys.
fn wait_for_another_key() {
    let before = compact(ago(0));
    wait_until(|| compact(ago(0)) != before, || "the clock stands still".to_owned());
}

#[test]
fn every_kind_of_value_is_the_same_after_a_restore_into_the_same_and_a_later_version() {
    for (name, variable, server) in
        [("print-17", "DRILL_POSTGRES_17_IMAGE", "17."), ("print-15", "DRILL_POSTGRES_15_IMAGE", "15.")]
    {
        let databases =
            [("kinds", None, KINDS), ("bytes", Some("SQL_ASCII"), BYTES), ("latin", Some("LATIN1"), LATIN_1)];
        let mut site = Site::filled(name, variable, &databases);
        fingerprint(&mut site, "require_manifest = true");
        site.world
            .template
            .checks
            .push("type = \"objects\"\nname = \"objects\"\nrequire_manifest = true\n".to_owned());
        backed_up(&site);
        let (_, manifest) = manifest(&site);
        let source = &manifest["databases"][0]["source"];
        assert!(source["server_version"].as_str().unwrap().starts_with(server), "{manifest:#}");
        let extensions: Vec<&str> =
            source["extensions"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(extensions, ["citext", "hstore", "plpgsql"]);
        let drill = site.world.drill(&[]);
        drill.passed();
        let check = drill.check("source");
        // 3 + 1000 + 100 + 0 + 5 + 1 + 50 + 2 + 1 + 1 of kinds, and 3 and 2.
        assert_eq!(check["rows_verified"], 1168, "{check:#}");
        assert_eq!(check["summary"], "1,168 rows in 15 tables of 3 databases are those of the source");
        let codes: BTreeSet<String> = findings(&drill).into_iter().map(|(code, _)| code).collect();
        // An extension may be newer in the image of the drill; that alone is reported.
        let told = ["collation_version_differs", "extension_differs", "foreign_type"];
        assert!(codes.iter().all(|code| told.contains(&code.as_str())), "{check:#}");
        let list = check["findings"].as_array().unwrap();
        let foreign = list.iter().find(|one| one["code"] == "foreign_type").unwrap();
        let names = "3 columns are written by types of extensions or of the backup's own: public.kinds.p (public.pair), \
                     public.kinds.ci (public.citext), public.kinds.h (public.hstore)";
        assert_eq!((&foreign["subject"], &foreign["actual"]), (&json!("kinds"), &json!(names)));
        // What is no row is the same too; another major version prints it otherwise, and is compared by names.
        let objects = drill.check("objects");
        let (how, told) = match server {
            "17." => ("definitions", vec![]),
            _ => ("kinds and names", vec!["definitions_not_compared"; 3]),
        };
        let summary = objects["summary"].as_str().unwrap();
        assert!(
            summary.ends_with(&format!(" objects of 3 databases are those of the source, by their {how}")),
            "{summary}"
        );
        let codes: Vec<&Value> =
            objects["findings"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
        assert_eq!(codes, told, "{objects:#}");
        let kinds: BTreeSet<&str> = manifest["databases"][0]["objects"]["objects"]
            .as_array()
            .unwrap_or_else(|| panic!("{manifest:#}"))
            .iter()
            .filter_map(|object| object["kind"].as_str())
            .collect();
        assert_eq!(kinds.len(), 19, "one of each at least: {kinds:?}");
        // The images are of two releases of Debian, with a glibc each. The order of bytes is the same in all.
        let another: Vec<&Value> =
            list.iter().filter(|one| one["code"] == "collation_version_differs").collect();
        let own = &manifest["databases"][0]["collations"]["database"];
        assert_eq!(
            (&own["provider"], &own["locale"]),
            (&json!("libc"), &json!("en_US.utf8")),
            "{manifest:#}"
        );
        match variable {
            "DRILL_POSTGRES_15_IMAGE" => {
                assert_eq!(another.len(), 1, "{check:#}");
                assert_eq!(another[0]["subject"], "kinds", "{check:#}");
                assert_eq!(another[0]["expected"], format!("version {}", own["version"].as_str().unwrap()));
            }
            _ => assert!(another.is_empty(), "{check:#}"),
        }
    }
}

const SHOP: &str = "
    CREATE TABLE edited (id int PRIMARY KEY, name text);
    INSERT INTO edited SELECT n, 'name of ' || n FROM generate_series(1, 500) n;
    CREATE TABLE shortened AS TABLE edited;
    CREATE TABLE doubled AS TABLE edited;
    CREATE TABLE swapped AS TABLE edited;
    CREATE TABLE emptied (id int, word text);
    INSERT INTO emptied VALUES (1, NULL), (2, 'x');
    CREATE TABLE widened AS TABLE edited;
    CREATE TABLE dropped AS TABLE edited;
    CREATE TABLE spared AS TABLE edited;
    CREATE TABLE sound AS TABLE edited;";

const TAMPER: &str = "
    UPDATE edited SET name = 'name 0f 77' WHERE id = 77;
    DELETE FROM shortened WHERE id = 300;
    INSERT INTO doubled SELECT * FROM doubled WHERE id = 4;
    UPDATE swapped SET id = 12, name = 'name of 12' WHERE id = 11;
    UPDATE emptied SET word = '' WHERE word IS NULL;
    ALTER TABLE widened ALTER id TYPE bigint;
    DROP TABLE dropped;
    DELETE FROM spared;
    CREATE TABLE added (id int);";

#[test]
fn a_dump_that_was_replaced_is_told_and_every_table_that_differs_is_named() {
    let mut site = Site::filled("print-replaced", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, SHOP)]);
    fingerprint(&mut site, "exclude = { shop = [\"spared\"] }");
    backed_up(&site);
    execute(&site, "shop", TAMPER);
    let pg_dump =
        ["exec", "-i", &site.source.server.container, "pg_dump", "-U", "postgres", "--format=custom", "shop"];
    let other = docker_bytes(&pg_dump, b"");
    std::fs::write(dump_of(&site), seal(&other, &[&site.world.recipient])).unwrap();
    let drill = site.world.drill(&[]);
    drill.failed(1, "dump_replaced");
    let expected = [
        ("dump_replaced", "shop"),
        ("row_count_differs", "shop.public.doubled"),
        ("table_missing", "shop.public.dropped"),
        ("content_differs", "shop.public.edited"),
        ("content_differs", "shop.public.emptied"),
        ("row_count_differs", "shop.public.shortened"),
        ("content_differs", "shop.public.swapped"),
        ("columns_differ", "shop.public.widened"),
        ("table_unexpected", "shop.public.added"),
    ];
    let expected = expected.map(|(code, subject)| (code.to_owned(), subject.to_owned()));
    assert_eq!(findings(&drill), expected, "{drill}");
    assert_eq!(drill.check("source")["rows_verified"], 500, "the sound table");
    // What is compared are rows, and what is reported are counts and hashes.
    assert!(!drill.verdict_text.contains("name 0f 77") && !drill.verdict_text.contains("name of"), "{drill}");
}

#[test]
fn a_dump_that_was_encrypted_anew_is_the_same_dump() {
    let mut site = Site::new("print-anew", &["shop"]);
    fingerprint(&mut site, "");
    backed_up(&site);
    let path = dump_of(&site);
    let plaintext = opened(&site.world, &path);
    std::fs::write(&path, seal(&plaintext, &[&site.world.recipient])).unwrap();
    let drill = site.world.drill(&[]);
    drill.passed();
    assert_eq!(findings(&drill), [("dump_reencrypted".to_owned(), "shop".to_owned())]);
}

#[test]
fn rows_that_differ_from_the_manifest_are_told_although_the_dump_is_the_same() {
    let mut site = Site::new("print-rows", &["shop"]);
    fingerprint(&mut site, "");
    backed_up(&site);
    let (path, mut manifest) = manifest(&site);
    // The source had other rows than those that were dumped.
    manifest["databases"][0]["content"]["tables"][0]["rows"]["fingerprint"] = "0".repeat(64).into();
    std::fs::write(&path, seal(manifest.to_string().as_bytes(), &[&site.world.recipient])).unwrap();
    let drill = site.world.drill(&[]);
    drill.failed(1, "content_differs");
    assert_eq!(findings(&drill), [("content_differs".to_owned(), "shop.public.t".to_owned())]);
}

#[test]
fn without_a_manifest_a_set_still_drills_and_the_verdict_says_what_was_not_possible() {
    let mut site = Site::new("print-none", &["shop", "stock"]);
    fingerprint(&mut site, "");
    let backup = site.backup(&["--no-manifest", "--format", "json"]);
    assert_eq!(backup.code, 0, "{backup}");
    assert!(!site.objects().keys().any(|key| key.contains("manifest")), "{backup}");
    let drill = site.world.drill(&[]);
    let verdict = drill.passed();
    let check = drill.check("source");
    assert_eq!((&check["status"], &check["rows_verified"]), (&json!("skipped"), &json!(0)), "{drill}");
    let summary = check["summary"].as_str().unwrap();
    let told = "not possible for 2 databases; the first, shop: there is no manifest nightly/manifest_";
    assert!(summary.starts_with(told), "{drill}");
    let warnings = verdict["warnings"].as_array().unwrap();
    assert!(warnings.contains(&json!(format!("check source: {summary}"))), "{drill}");
    assert_eq!(findings(&drill).len(), 2, "{drill}");
    assert!(drill.stdout.contains("not possible"), "{drill}");
    // A drill that can verify nothing else proves nothing.
    site.world.template.checks.retain(|check| check.contains("fingerprint"));
    let alone = site.world.drill(&[]);
    assert_eq!((alone.code, &alone.verdict()["status"]), (3, &json!("INCONCLUSIVE")), "{alone}");
    // And where a manifest must be, its absence fails the drill.
    site.world.template.checks.clear();
    fingerprint(&mut site, "require_manifest = true");
    site.world.drill(&[]).failed(1, "no_manifest");
}

#[test]
fn a_database_that_another_backup_dumped_is_judged_by_that_backups_manifest() {
    let mut site = Site::new("print-two", &["shop", "stock"]);
    fingerprint(&mut site, "require_manifest = true");
    let first = site.backup(&["--only", "shop"]);
    assert_eq!(first.code, 0, "{first}");
    wait_for_another_key();
    let second = site.backup(&["--only", "stock", "--no-manifest"]);
    assert_eq!(second.code, 0, "{second}");
    let drill = site.world.drill(&[]);
    drill.failed(1, "no_manifest");
    assert_eq!(findings(&drill), [("no_manifest".to_owned(), "stock".to_owned())], "{drill}");
    assert_eq!(drill.check("source")["rows_verified"], 3, "shop was compared");
    site.world.drill(&["--only", "shop"]).passed();
    // A backup tells what is gone since the one before, and refuses nothing for it.
    execute(&site, "stock", "DROP TABLE t");
    wait_for_another_key();
    let third = site.backup(&["--only", "stock"]);
    assert_eq!(third.code, 0, "{third}");
    let told = "warning: stock: 1 table is gone since the recovery point before it";
    assert!(third.stdout.contains(told) && third.stdout.contains(": public.t\n"), "{third}");
}

#[test]
fn a_manifest_that_cannot_be_used_is_told() {
    let mut site = Site::new("print-bad", &["shop"]);
    fingerprint(&mut site, "");
    backed_up(&site);
    let (path, mut manifest) = manifest(&site);
    let ours = site.world.recipient.clone();
    let (_, other) = layer::generate_key();
    let json = manifest.to_string();
    for (what, sealed, said) in [
        ("another key", seal(json.as_bytes(), &[&other]), "no identity opens the manifest"),
        ("no age file", json.clone().into_bytes(), "is not an age file"),
        ("no manifest", seal(b"{}", &[&ours]), "cannot be read: it is not a manifest"),
        ("no JSON", seal(b"PGDMP", &[&ours]), "cannot be read: it is not a manifest"),
        (
            "cut short",
            seal(&json.as_bytes()[..json.len() / 2], &[&ours]),
            "cannot be read: it is not a manifest",
        ),
    ] {
        std::fs::write(&path, sealed).unwrap();
        let drill = site.world.drill(&[]);
        let verdict = drill.failed(1, "manifest_unreadable");
        let message = verdict["failure"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{what}: {drill}");
    }
    manifest["schema_version"] = 2.into();
    std::fs::write(&path, seal(manifest.to_string().as_bytes(), &[&ours])).unwrap();
    let drill = site.world.drill(&[]);
    let verdict = drill.failed(3, "manifest_unknown");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("schema version is 2"), "{drill}");
}

#[test]
fn nothing_of_the_source_is_in_the_manifest_in_clear() {
    let site = Site::filled(
        "print-clear",
        "DRILL_POSTGRES_17_IMAGE",
        &[("shop", None, "CREATE TABLE customers AS SELECT 'ann@example.org' AS mail, 4711 AS id")],
    );
    let mut site = site;
    fingerprint(&mut site, "");
    backed_up(&site);
    let (path, manifest) = manifest(&site);
    let sealed = std::fs::read(&path).unwrap();
    for word in ["customers", "mail", "shop", "fingerprint", "ann@example.org"] {
        let word = word.as_bytes();
        assert!(
            !sealed.windows(word.len()).any(|window| window == word),
            "{}",
            String::from_utf8_lossy(word)
        );
    }
    let text = manifest.to_string();
    assert!(text.contains("customers") && !text.contains("ann@") && !text.contains("4711"), "{text}");
    assert_eq!(manifest["databases"][0]["content"]["tables"][0]["rows"]["count"], 1);
}

/// 40,000 rows of over 2 KB: read in two pieces.
const BUSY: &str = "
    CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL, words text NOT NULL);
    ALTER TABLE busy ALTER words SET STORAGE PLAIN;
    INSERT INTO busy SELECT n, 0, repeat(md5(n::text), 64) FROM generate_series(1, 40000) n;
    CREATE TABLE log (at timestamptz, n int);";

/// Something that runs SQL in the database `shop` again and again until it is stopped.
struct Writer {
    times: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Writer {
    fn start(site: &Site, sql: &'static str) -> Self {
        let (times, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (mut session, counted, stopped) = (site.session("shop"), Arc::clone(&times), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                RUNTIME.block_on(session.execute(sql, "writing")).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { times, stop, thread }
    }

    /// How often it has done so.
    fn times(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }

    /// Waits until it has begun.
    fn wait(&self) {
        wait_until(|| self.times() > 0 || self.thread.is_finished(), || "nothing is written".to_owned());
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn what_is_written_while_the_backup_runs_makes_no_difference() {
    let mut site = Site::filled("print-busy", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, BUSY)]);
    fingerprint(&mut site, "require_manifest = true");
    let writers = [
        "UPDATE busy SET n = n + 1 WHERE id IN (SELECT (random() * 40000)::int FROM generate_series(1, 50))",
        "INSERT INTO log SELECT now(), n FROM generate_series(1, 10) n; DELETE FROM busy WHERE id = (SELECT max(id) FROM busy)",
    ]
    .map(|sql| Writer::start(&site, sql));
    writers.iter().for_each(Writer::wait);
    let before = writers.each_ref().map(Writer::times);
    backed_up(&site);
    for (writer, before) in writers.into_iter().zip(before) {
        assert!(writer.times() > before, "it wrote all the time");
        writer.stop();
    }
    let drill = site.world.drill(&[]);
    drill.passed();
    assert_eq!(findings(&drill), []);
    // The source has gone on since: the same comparison with what it has now would fail.
    let (_, manifest) = manifest(&site);
    let table = &manifest["databases"][0]["content"]["tables"][0];
    assert_eq!(table["name"], "busy");
    assert!(table["rows"]["count"].as_u64().unwrap() < 40_000);
}

#[test]
fn somebody_who_waits_to_change_a_table_is_not_in_the_way_and_neither_is_the_backup() {
    let mut site = Site::filled("print-alter", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, BUSY)]);
    fingerprint(&mut site, "");
    // The second statement waits for readers of its table, and later readers wait for it. The first blocks no reader: the
    // backup reads what it changes each time.
    let changers =
        ["ALTER TABLE busy ALTER n SET STATISTICS 10", "TRUNCATE log; INSERT INTO log VALUES (now(), 1)"]
            .map(|sql| Writer::start(&site, sql));
    changers.iter().for_each(Writer::wait);
    for _ in 0..3 {
        let outcome = site.backup(&["--format", "json"]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let drill = site.world.drill(&[]);
        drill.passed();
        // A table may be out of reach at such a moment; then it is reported, and never compared wrongly.
        let told = findings(&drill);
        assert!(told.iter().all(|(code, _)| code == "no_fingerprint"), "{drill}");
        assert!(drill.check("source")["rows_verified"].as_u64().unwrap() > 0, "{drill}");
        wait_for_another_key();
    }
    for changer in changers {
        assert!(changer.times() > 1, "it went on in between");
        changer.stop();
    }
}

#[test]
fn reading_a_source_leaves_no_locks_however_many_tables_it_has() {
    let sql = "DO $$ BEGIN
                   FOR n IN 1..150 LOOP
                       EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', n);
                       EXECUTE format('INSERT INTO t%s VALUES (1), (2)', n);
                       EXECUTE format('CREATE VIEW v%s AS SELECT id FROM t%s', n, n);
                   END LOOP;
               END $$";
    let site = Site::filled("print-locks", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, sql)]);
    let server = &site.source.server;
    let source = SourceServer {
        engine: server.engine.clone(),
        container: server.container.clone(),
        host: "127.0.0.1".to_owned(),
        port: "5432".to_owned(),
        user: "postgres".to_owned(),
        password: server.password.clone(),
    };
    let (snapshot, objects, tables) = RUNTIME.block_on(async {
        let snapshot = source.snapshot(&"shop".parse().unwrap()).await.unwrap();
        let objects = snapshot.objects().await;
        let tables = snapshot.read(&FingerprintKey::random()).await.unwrap();
        (snapshot, objects, tables)
    });
    assert_eq!(tables.len(), 150);
    let Recorded::Read(Objects { objects, .. }) = objects else { panic!("{objects:?}") };
    // Each with its key and a view, in more than one portion; and plpgsql.
    assert_eq!(objects.len(), 451);
    assert!(tables.iter().all(|table| matches!(table.rows, Rows::Read { count: 2, .. })));
    // The source's lock table is everybody's: what is locked to be read is given back once it was, though the
    // transaction that holds the snapshot goes on.
    let held = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'relation' AND pid <> pg_backend_pid()";
    let held = RUNTIME.block_on(site.session("shop").text(held, "counting locks")).unwrap().unwrap();
    drop(snapshot);
    assert!(held.parse::<u32>().unwrap() < 20, "{held} relations are locked");
}

#[test]
fn a_user_who_may_not_read_a_table_is_told_which() {
    let sql = "CREATE TABLE open AS SELECT 1 AS id; CREATE TABLE closed AS SELECT 1 AS id;
               CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON open TO reader";
    let mut site = Site::filled("print-denied", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, sql)]);
    site.world.rows("rows", "shop", "open", "exact = 1");
    let network = site.source.network.clone();
    site.world.template.more = format!(
        "[backup]\nrecipients = [\"{}\"]\nhost = \"postgres\"\nuser = \"reader\"\npassword = \"reader\"\nnetwork = \"{network}\"\n",
        site.world.recipient
    );
    let outcome = site.backup(&[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stdout.contains("permission denied for table closed"), "{outcome}");
    site.assert_nothing_uploaded(&outcome);
    execute(&site, "shop", "GRANT SELECT ON closed TO reader");
    fingerprint(&mut site, "require_manifest = true");
    backed_up(&site);
    site.world.drill(&[]).passed();
}

#[test]
fn a_source_that_has_no_connection_to_spare_is_still_dumped() {
    let sql = "CREATE TABLE t AS SELECT generate_series(1, 3) AS id;
               CREATE ROLE narrow LOGIN PASSWORD 'narrow'; GRANT pg_read_all_data TO narrow";
    let mut site = Site::filled("print-narrow", "DRILL_POSTGRES_17_IMAGE", &[("shop", None, sql)]);
    site.world.rows("rows", "shop", "t", "exact = 3");
    fingerprint(&mut site, "");
    let network = site.source.network.clone();
    site.world.template.more = format!(
        "[backup]\nrecipients = [\"{}\"]\nhost = \"postgres\"\nuser = \"narrow\"\npassword = \"narrow\"\nnetwork = \"{network}\"\n",
        site.world.recipient
    );
    execute(&site, "shop", "ALTER ROLE narrow CONNECTION LIMIT 1");
    let outcome = site.backup(&[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("warning: shop: the manifest has no fingerprints"), "{outcome}");
    let drill = site.world.drill(&[]);
    drill.passed();
    assert_eq!(findings(&drill), [("no_fingerprint".to_owned(), "shop".to_owned())], "{drill}");
    assert_eq!(drill.check("source")["status"], "skipped");
    // The connection that holds the snapshot can read alone, while pg_dump has the other connection.
    execute(&site, "shop", "ALTER ROLE narrow CONNECTION LIMIT 2");
    wait_for_another_key();
    backed_up(&site);
    let drill = site.world.drill(&[]);
    drill.passed();
    assert_eq!((findings(&drill), &drill.check("source")["rows_verified"]), (Vec::new(), &json!(3)));
}

#[test]
fn a_source_that_takes_encrypted_connections_only_is_read_too() {
    let mut site = Site::new("print-tls", &["shop"]);
    fingerprint(&mut site, "require_manifest = true");
    let encrypt = "cd \"$PGDATA\" && openssl req -new -x509 -days 2 -nodes -subj /CN=elsewhere -out server.crt -keyout server.key \
                   && chmod 600 server.key && sed -i 's/^host /hostssl /' pg_hba.conf";
    let container = &site.source.server.container;
    docker(&["exec", container, "bash", "-c", encrypt]);
    let psql = |sql: &str| docker(&["exec", container, "psql", "-Upostgres", "-Atc", sql]);
    psql("ALTER SYSTEM SET ssl = on");
    reload(psql);
    let plain = RUNTIME.block_on(site.source.server.session(&"shop".parse().unwrap()));
    let refused = plain.err().expect("it takes no other").message;
    assert!(refused.contains("no encryption"), "{refused}");
    backed_up(&site);
    site.world.drill(&[]).passed();
}

#[test]
fn a_standby_is_dumped_and_read() {
    let mut site = Site::new("print-standby", &["shop"]);
    fingerprint(&mut site, "");
    let container = format!("restore-drill-test-standby-{}", std::process::id());
    let standby = Source { container: container.clone() };
    let password = format!("--env=POSTGRES_PASSWORD={}", site.world.environment["PGPASSWORD"]);
    let network = format!("--network={}", site.source.network);
    let image = image("DRILL_POSTGRES_17_IMAGE");
    let run = [
        "run",
        "--detach",
        "--pull=never",
        "--network-alias=standby",
        "--name",
        &container,
        &network,
        &password,
    ];
    docker(
        &[&run[..], &["--entrypoint=timeout", &image, LIFETIME, "docker-entrypoint.sh", "postgres"]].concat(),
    );
    let psql = |sql: &str| {
        let arguments = ["exec", &container, "psql", "-h127.0.0.1", "-Upostgres", "-tAc", sql];
        Command::new("docker").args(arguments).output().unwrap()
    };
    let until = |sql: &str, answer: &str| {
        let answers = || psql(sql).stdout == format!("{answer}\n").as_bytes();
        wait_until(answers, || format!("{sql}: {:?}", psql(sql)));
    };
    until("SELECT 1", "1");
    let fill = "createdb -U postgres shop && psql -U postgres -d shop -c 'CREATE TABLE t AS SELECT generate_series(1, 3) AS id' \
                -c 'CREATE UNLOGGED TABLE cache AS SELECT 1 AS id' && touch \"$PGDATA/standby.signal\"";
    docker(&["exec", &container, "bash", "-c", fill]);
    docker(&["restart", &container]);
    until("SELECT pg_is_in_recovery()", "t");
    site.aim("standby");
    let outcome = site.backup(&[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("public.cache: it is unlogged"), "{outcome}");
    drop(standby);
    let (_, manifest) = manifest(&site);
    assert_eq!(manifest["databases"][0]["source"]["standby"], true);
    let drill = site.world.drill(&[]);
    drill.passed();
    // The rows of an unlogged table never leave the primary.
    assert_eq!(findings(&drill), [("no_fingerprint".to_owned(), "shop.public.cache".to_owned())], "{drill}");
    assert_eq!(drill.check("source")["rows_verified"], 3);
}
