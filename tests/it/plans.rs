//! Plans of dumps that only a real server makes.

use serde_json::Value;

use super::fixtures::Source;
use super::world::World;

#[test]
fn a_table_of_contents_longer_than_the_first_range_is_read_whole() {
    let mut world = World::new("long-toc");
    let dump = Source::start("DRILL_POSTGRES_17_IMAGE").dump(
        "wide",
        "SELECT format('CREATE TABLE wide_%s (id int PRIMARY KEY, a text, b text, c text)', n) FROM generate_series(1, 2500) n \\gexec\n\
         CREATE TABLE zz_last (id int);",
        &[],
    );
    world.dumped("wide", &[], &dump).tables("more", "wide", &["wide_1", "zz_last"]);
    let outcome = world.drill(&["--dry-run", "--format", "json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let plan: Value = serde_json::from_str(&outcome.stdout).expect("exactly the plan");
    let contents = &plan["points"][0]["contents"];
    assert_eq!(contents["tables_total"], 2501);
    assert!(contents["toc_bytes"].as_u64().unwrap() > 256 * 1024, "{contents}");
}
