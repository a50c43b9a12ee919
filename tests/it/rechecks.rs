//! Damage that no backup brings along, done to a real server: catalogs that lie about constraints and indexes, and files
//! that were overwritten. What reads them must find it.

use std::process::Command;

use std::time::Duration;

use restore_drill::model::names::DatabaseName;
use restore_drill::model::secret::Secret;
use restore_drill::sandbox::docker::Engine;
use restore_drill::target::postgres::Server;
use restore_drill::target::postgres::amcheck::{AmcheckOptions, AmcheckReport};
use restore_drill::target::postgres::connections::Connections;
use restore_drill::target::postgres::constraints::{ConstraintKind, Recheck, RecheckResult};

use super::fixtures::Source;
use super::support::wait::LIMIT;
use super::world::{RUNTIME, World, docker_with, image};

/// Rows that no constraint would have let in, one of each kind, and catalogs that say that all is well.
const VIOLATIONS: &str = r"
CREATE TABLE parents (a int, b int, PRIMARY KEY (a, b));
INSERT INTO parents SELECT n, n FROM generate_series(1, 10) n;
CREATE TABLE simple (id int PRIMARY KEY, a int, b int, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parents);
CREATE TABLE whole (id int PRIMARY KEY, a int, b int, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parents MATCH FULL);
CREATE TABLE split (id int, a int, b int, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parents) PARTITION BY RANGE (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);
CREATE TABLE self (id int PRIMARY KEY, up int CONSTRAINT fk REFERENCES self);
CREATE DOMAIN small AS int;
CREATE TABLE rules (id int PRIMARY KEY, amount int, size small, word text);
CREATE TABLE heir () INHERITS (rules);
CREATE UNIQUE INDEX one_word ON rules (upper(word));
CREATE TABLE pairs (id int PRIMARY KEY, a int, b int, CONSTRAINT pair UNIQUE NULLS NOT DISTINCT (a, b));
SET session_replication_role = replica;
INSERT INTO simple VALUES (1, 1, 1), (2, 1, 2), (3, NULL, 77);
INSERT INTO whole VALUES (1, 1, 1), (2, 1, NULL), (3, 1, 2), (4, NULL, NULL);
INSERT INTO split VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 4), (5, 1, 5), (6, 1, 6), (7, 1, 7);
INSERT INTO self VALUES (1, NULL), (2, 1), (3, 33);
UPDATE pg_index SET indisready = false, indisunique = false
    WHERE indexrelid IN ('one_word'::regclass, 'pair'::regclass, 'rules_pkey'::regclass);
INSERT INTO rules VALUES (1, 1, 1, 'a'), (2, -5, 2, 'b'), (3, 1, 300, 'A'), (4, 1, 1, NULL), (4, 1, 1, NULL);
INSERT INTO heir VALUES (1, 1, 1, 'a');
INSERT INTO pairs VALUES (1, 1, NULL), (2, 1, NULL), (3, 1, 1), (4, 2, NULL);
ALTER TABLE rules ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
ALTER DOMAIN small ADD CONSTRAINT is_small CHECK (VALUE < 100) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname IN ('positive', 'is_small');
UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'rules'::regclass AND attname = 'word';
UPDATE pg_index SET indisready = true, indisunique = true
    WHERE indexrelid IN ('one_word'::regclass, 'pair'::regclass, 'rules_pkey'::regclass);
";

/// What is to be found there: table, constraint, rows that violate it, keys of some.
const VIOLATED: [(&str, &str, u64, &str); 10] = [
    ("pairs", "pair", 1, "1 2"),
    ("rules", "one_word", 1, "1 3"),
    ("rules", "positive", 1, "2"),
    ("rules", "rules_pkey", 1, "4 4"),
    ("rules", "size is_small", 1, "3"),
    ("rules", "word", 2, "4 4"),
    ("self", "fk", 1, "3"),
    ("simple", "fk", 1, "2"),
    ("split", "fk", 6, ""),
    ("whole", "fk", 2, "2 3"),
];

fn server(source: &Source) -> Server {
    let engine = RUNTIME.block_on(Engine::connect()).unwrap();
    // It trusts every process inside its container.
    Server::new(engine, source.container.clone(), Secret::new("unused"))
}

fn recheck(server: &Server, database: &DatabaseName) -> Vec<Recheck> {
    RUNTIME
        .block_on(server.recheck_constraints(database, &ConstraintKind::all(), &Connections::new(3), LIMIT))
        .unwrap()
}

#[test]
fn every_kind_of_constraint_is_checked_against_the_data_and_not_by_the_catalog() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    source.dump("violations", VIOLATIONS, &["--schema-only"]);
    let found = recheck(&server(&source), &"violations".parse().unwrap());
    let mut violated: Vec<(String, String, u64, String)> = found
        .iter()
        .filter_map(|one| match &one.found {
            RecheckResult::Violations(0, _) => None,
            RecheckResult::Violations(rows, keys) => {
                let mut keys = keys.clone();
                keys.sort();
                // The rows of a table without a key are named by their place.
                keys.retain(|key| !key.starts_with("row at "));
                Some((one.rule.table.clone(), one.rule.name.clone(), *rows, keys.join(" ")))
            }
            other => panic!("{:?}: {other:?}", one.rule),
        })
        .collect();
    violated.sort();
    let expected: Vec<(String, String, u64, String)> = VIOLATED
        .iter()
        .map(|(table, name, rows, keys)| ((*table).to_owned(), (*name).to_owned(), *rows, (*keys).to_owned()))
        .collect();
    assert_eq!(violated, expected);
    assert!(found.iter().all(|one| one.rule.validated), "nothing says NOT VALID");
}

#[test]
fn a_constraint_that_cannot_be_evaluated_hides_no_other() {
    let source = Source::start("DRILL_POSTGRES_15_IMAGE");
    let sql = "
        CREATE FUNCTION ok(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN $1 > 0; END';
        CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT asks CHECK (ok(a)), b int NOT NULL);
        INSERT INTO t VALUES (1, 5, 1);
        ALTER TABLE t ADD CONSTRAINT positive CHECK (b > 1) NOT VALID;
        CREATE OR REPLACE FUNCTION ok(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT true FROM gone); END';";
    source.dump("failing", sql, &["--schema-only"]);
    let found = recheck(&server(&source), &"failing".parse().unwrap());
    let of = |name: &str| &found.iter().find(|one| one.rule.name == name).unwrap().found;
    assert_eq!(
        of("asks"),
        &RecheckResult::Failed("relation \"gone\" does not exist (SQLSTATE 42P01)".to_owned())
    );
    assert_eq!(of("positive"), &RecheckResult::Violations(1, vec!["1".to_owned()]));
    assert_eq!(of("b"), &RecheckResult::Violations(0, vec![]));
    assert_eq!(of("t_pkey"), &RecheckResult::Violations(0, vec![]));
}

/// Overwrites the second block of a relation's file with this, from that offset on: in a copy of the database that no
/// buffer has seen yet.
fn overwrite(source: &Source, relation: &str, offset: u64, bytes: &[u8]) -> DatabaseName {
    let sql = "CREATE TABLE things (id int PRIMARY KEY, word text);
               INSERT INTO things SELECT n, md5(n::text) FROM generate_series(1, 5000) n;
               VACUUM FREEZE things; CHECKPOINT;";
    source.dump("whole", sql, &["--schema-only"]);
    source.ask("postgres", "CREATE DATABASE damaged TEMPLATE whole STRATEGY file_copy");
    let path = source.ask(
        "damaged",
        &format!("SELECT current_setting('data_directory') || '/' || pg_relation_filepath('{relation}')"),
    );
    let seek = format!("seek={}", 8192 + offset);
    let of = format!("of={path}");
    let dd = ["exec", "-i", &source.container, "dd", "bs=1", "conv=notrunc", &seek, &of];
    docker_with(&dd, bytes);
    "damaged".parse().unwrap()
}

const ALL: AmcheckOptions =
    AmcheckOptions { indexes: true, tables: true, heapallindexed: true, timeout: Duration::from_secs(600) };

fn examine(source: &Source, database: &DatabaseName, options: AmcheckOptions) -> Option<AmcheckReport> {
    RUNTIME.block_on(server(source).examine(database, options, &Connections::new(2))).unwrap()
}

/// The relations with faults.
fn faulty(examined: &AmcheckReport) -> Vec<(&str, bool)> {
    let faulty = examined.relations.iter().filter(|relation| relation.total > 0);
    faulty.map(|relation| (relation.name.as_str(), relation.is_index)).collect()
}

#[test]
fn an_index_whose_file_was_overwritten_is_found_and_the_extension_is_gone_afterwards() {
    for variable in ["DRILL_POSTGRES_17_IMAGE", "DRILL_POSTGRES_15_IMAGE"] {
        let source = Source::start(variable);
        // Index tuples lie at the end of the page.
        let database = overwrite(&source, "things_pkey", 7000, &[0x2a; 400]);
        for options in
            [ALL, AmcheckOptions { heapallindexed: false, ..ALL }, AmcheckOptions { tables: false, ..ALL }]
        {
            let examined = examine(&source, &database, options).expect("the image has amcheck");
            assert_eq!(faulty(&examined), [("public.things_pkey", true)], "{variable} {options:?}");
        }
        let sound = examine(&source, &"whole".parse().unwrap(), ALL).expect("the image has amcheck");
        assert_eq!(
            (faulty(&sound), sound.relations.len()),
            (vec![], 4),
            "a table, its own, and an index of each"
        );
        let left = "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'";
        assert_eq!(source.ask("damaged", left), "0");
    }
}

#[test]
fn a_table_whose_file_was_overwritten_is_found() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let database = overwrite(&source, "things", 7000, &[0xff; 800]);
    let examined =
        examine(&source, &database, AmcheckOptions { indexes: false, ..ALL }).expect("the image has amcheck");
    assert_eq!(faulty(&examined), [("public.things", false)]);
    let things = examined.relations.iter().find(|relation| relation.name == "public.things").unwrap();
    assert!(things.faults[0].starts_with("block 1, row "), "{:?}", things.faults);
    assert!(things.total >= things.faults.len() as u64);
}

#[test]
fn an_extension_that_the_backup_brought_along_is_used_and_stays() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let sql = "CREATE SCHEMA \"their own\"; CREATE EXTENSION amcheck SCHEMA \"their own\"; CREATE TABLE t (id int PRIMARY KEY);";
    source.dump("equipped", sql, &[]);
    let examined = examine(&source, &"equipped".parse().unwrap(), ALL).expect("the image has amcheck");
    assert_eq!((faulty(&examined), examined.relations.len()), (vec![], 2));
    let stays = "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'amcheck'";
    assert_eq!(source.ask("equipped", stays), "\"their own\"");
}

/// An image without the extension: skipped with a warning, or inconclusive where it is required.
#[test]
fn without_the_extension_amcheck_is_skipped_unless_it_is_required() {
    struct Image(String);
    impl Drop for Image {
        fn drop(&mut self) {
            let _ = Command::new("docker").args(["image", "rm", &self.0]).output();
        }
    }
    let bare = Image(format!("restore-drill-test/without-amcheck:{}", std::process::id()));
    let recipe = format!(
        "FROM {}\nUSER root\nRUN rm /usr/share/postgresql/*/extension/amcheck.control\n",
        image("DRILL_POSTGRES_17_IMAGE")
    );
    docker_with(&["build", "--quiet", "--network=none", "--tag", &bare.0, "-"], recipe.as_bytes());
    let mut world = World::new("checks-no-amcheck");
    world.template.image = bare.0.clone();
    world.dumped("shop", &[], super::fixtures::dump("ledger")).rows("rows", "shop", "entries", "exact = 11");
    let amcheck = "type = \"amcheck\"\nname = \"structure\"\ndatabases = [\"shop\"]";
    world.template.checks.push(amcheck.to_owned());
    let outcome = world.drill(&[]);
    outcome.passed();
    assert_eq!(outcome.check("structure")["status"], "skipped");
    let warnings = outcome.verdict()["warnings"].as_array().unwrap().clone();
    let said = "check structure: not possible: the Postgres image does not have the extension amcheck";
    assert!(warnings.contains(&said.into()), "{outcome}");

    world.template.checks[1] = format!("{amcheck}\nrequire = true");
    world.drill(&[]).failed(3, "amcheck_unavailable");

    world.template.checks = vec![amcheck.to_owned()];
    world.drill(&[]).failed(3, "nothing_verified");
    world.assert_nothing_left();
}
