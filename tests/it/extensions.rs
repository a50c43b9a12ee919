//! Extensions that are not PostgreSQL's own: one that must be loaded when the server starts, two with types of their own, and
//! one that has to know of a restore.

use super::fixtures::Source;
use super::site::Site;
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

/// What PostGIS has in a database that uses it: a reference system of the user's own, among the rows of a table of the extension,
/// and columns, an index, a constraint and views that name its types and functions.
const PLACES: &str = "
CREATE EXTENSION postgis;
INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
    SELECT 990001, 'shop', 1, srtext, proj4text FROM spatial_ref_sys WHERE srid = 3857;
CREATE TABLE shops (id int PRIMARY KEY, at geometry(Point, 990001) NOT NULL CHECK (ST_IsValid(at)), area geography(Polygon));
INSERT INTO shops SELECT n, ST_SetSRID(ST_MakePoint(n * 1000, n), 990001), ST_Buffer(ST_MakePoint(n, n)::geography, 10)
    FROM generate_series(1, 40) n;
CREATE INDEX shops_at ON shops USING gist (at);
CREATE VIEW nearby AS SELECT id, ST_AsText(ST_Transform(at, 4326)) AS at FROM shops
    WHERE at && ST_MakeEnvelope(0, 0, 5000, 5000, 990001);
CREATE MATERIALIZED VIEW regions AS SELECT ST_Collect(at) AS at FROM shops GROUP BY id % 4;
LOAD 'drill_label';
SECURITY LABEL FOR drill ON TABLE shops IS 'internal';";

#[test]
fn a_database_with_postgis_comes_back_whole_and_an_image_without_it_is_to_blame() {
    let mut site = Site::filled("postgis", "DRILL_POSTGRES_EXT_IMAGE", &[("places", None, PLACES)]);
    let world = &mut site.world;
    world.template.image = image_with_extensions().to_owned();
    // The server has the module of the labels, so they are restored.
    world.template.postgres = "settings = { shared_preload_libraries = \"drill_label\" }".to_owned();
    for kind in ["objects", "fingerprint"] {
        let check = format!("type = \"{kind}\"\nname = \"{kind}\"\nrequire_manifest = true\n");
        world.template.checks.push(check);
    }
    for kind in ["amcheck", "constraints"] {
        world
            .template
            .checks
            .push(format!("type = \"{kind}\"\nname = \"{kind}\"\ndatabases = [\"places\"]\n"));
    }
    world
        .rows("shops", "places", "shops", "exact = 40")
        .sql(
            "own",
            "places",
            "SELECT auth_name FROM spatial_ref_sys WHERE srid = 990001",
            "expect = \"shop\"",
        )
        .sql(
            "label",
            "places",
            "SELECT label FROM pg_seclabel WHERE provider = 'drill'",
            "expect = \"internal\"",
        )
        .sql("nearby", "places", "SELECT count(*) FROM nearby", "expect = 5")
        .sql("regions", "places", "SELECT count(*) FROM regions", "expect = 4");
    let backup = site.backup(&[]);
    assert_eq!(backup.code, 0, "{backup}");
    let drill = site.world.drill(&[]);
    drill.passed();
    let codes = |check| {
        let findings = drill.check(check)["findings"].as_array().expect("an array").iter();
        findings.map(|finding| finding["code"].as_str().expect("text")).collect::<Vec<_>>()
    };
    assert_eq!((codes("objects"), codes("shops")), (vec![], vec![]), "{drill}");
    // Whose own code writes the values is said.
    assert_eq!(codes("fingerprint"), ["foreign_type"], "{drill}");
    assert_eq!(drill.database("places")["pg_restore"]["outcome"], "clean", "{drill}");

    site.world.template.image = "${DRILL_POSTGRES_17_IMAGE}".to_owned();
    site.world.template.postgres = String::new();
    let drill = site.world.drill(&[]);
    let verdict = drill.failed(3, "extension_missing");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("postgis"), "{drill}");
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("postgres.image"), "{drill}");
}
