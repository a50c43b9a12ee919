//! Extensions that are not PostgreSQL's own: one that must be loaded when the server starts, one with a type of its own, and
//! one that has to know of a restore.

use super::fixtures::Source;
use super::world::{World, docker_with, image_with_extensions};

const CRON: &str = "
CREATE EXTENSION pg_cron;
SELECT cron.schedule('nightly', '0 3 * * *', 'DELETE FROM things');
CREATE TABLE things AS SELECT generate_series(1, 5) AS id;";
const VECTORS: &str = "
CREATE EXTENSION vector;
CREATE TABLE places (id int PRIMARY KEY, at vector(3));
INSERT INTO places SELECT n, format('[%s,1,2]', n)::vector FROM generate_series(1, 40) n;
CREATE INDEX ON places USING hnsw (at vector_l2_ops);";
/// Stands for TimescaleDB, which Debian does not have: it notes each call, and what there is at that time.
const TIMESCALE: &str = r#"
CREATE TABLE @extschema@.told (n serial, word text);
CREATE FUNCTION @extschema@.timescaledb_pre_restore() RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO @extschema@.told (word) VALUES ('pre ' || (to_regclass('@extschema@.series') IS NOT NULL)); RETURN true;
END $f$;
CREATE FUNCTION @extschema@.timescaledb_post_restore() RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO @extschema@.told (word) SELECT 'post ' || count(*) FROM @extschema@.series; RETURN true;
END $f$;
"#;
const SERIES: &str = "
CREATE SCHEMA ts;
CREATE EXTENSION timescaledb SCHEMA ts;
CREATE TABLE ts.series AS SELECT generate_series(1, 6) AS id;";

/// An image with all three.
fn image_with_a_stub() -> &'static str {
    const NAME: &str = "restore-drill-test/timescaledb";
    let folder = "/usr/share/postgresql/17/extension/timescaledb";
    let control = "default_version = '1'\nrelocatable = false\n";
    // Neither quotes nor lines survive a Dockerfile as they are.
    let written = |text: &str| text.bytes().map(|byte| format!("\\{byte:03o}")).collect::<String>();
    let dockerfile = format!(
        "FROM {}\nRUN printf '{}' >{folder}.control && printf '{}' >{folder}--1.sql\n",
        image_with_extensions(),
        written(control),
        written(TIMESCALE),
    );
    docker_with(&["build", "--quiet", "--tag", NAME, "-"], dockerfile.as_bytes());
    NAME
}

#[test]
fn extensions_restore_or_say_what_they_lack_or_are_left_out() {
    let with_stub = image_with_a_stub();
    let cron = ["-cshared_preload_libraries=pg_cron", "-ccron.database_name=jobs"];
    let source = Source::start_image(with_stub, &cron);
    let jobs = source.dump("jobs", CRON, &[]);
    let mut world = World::new("extensions");
    world.template.image = with_stub.to_owned();
    world.dumped("jobs", &[], &jobs).rows("things", "jobs", "things", "exact = 5");
    world.sql("cron", "jobs", "SELECT count(*) FROM cron.job", "expect = 1");
    world
        .dumped("vectors", &[], &source.dump("vectors", VECTORS, &[]))
        .rows("places", "vectors", "places", "exact = 40")
        .dumped("series", &[], &source.dump("series", SERIES, &[]))
        .sql(
            "told",
            "series",
            "SELECT string_agg(word, ', ' ORDER BY n) FROM ts.told",
            "expect = \"pre false, post 6\"",
        );
    drop(source);
    let outcome = world.drill(&[]);
    outcome.passed();
    let hooks = outcome.database("series")["hooks"].to_string();
    for called in ["timescaledb_pre_restore", "timescaledb_post_restore"] {
        assert!(hooks.contains(called), "{outcome}");
    }

    // A template that says what is loaded, and forgets it. The vectors need nothing of the kind.
    world.template.postgres = "settings = { shared_preload_libraries = \"\" }".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "extension_unusable");
    let hint = verdict["failure"]["hint"].as_str().unwrap();
    assert!(hint.contains("shared_preload_libraries = \"pg_cron\" under [postgres.settings]"), "{outcome}");
    assert!(
        verdict["warnings"].to_string().contains("need pg_cron loaded when the server starts"),
        "{outcome}"
    );
    assert_eq!(outcome.database("vectors")["status"], "restored", "{outcome}");
    world.assert_nothing_left();

    // PostgreSQL's own image has no pg_cron.
    let mut world = World::new("ignored-extension");
    world.dumped("jobs", &[], &jobs).rows("things", "jobs", "things", "exact = 5");
    world.keys("jobs", "ignore_extensions = [\"pg_cron\"]");
    let outcome = world.drill(&[]);
    let said = outcome.passed()["not_verified"].to_string();
    for what in ["EXTENSION pg_cron", "COMMENT EXTENSION pg_cron", "TABLE DATA cron.job"] {
        assert!(said.contains(&format!("jobs: {what} is not restored")), "{what}\n{outcome}");
    }
    world.assert_nothing_left();
}
