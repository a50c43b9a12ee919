//! Roots against their snapshot in the store.

use super::super::fixtures::Source;
use super::super::world::{World, seal};
use super::{DATA, audit_sql};

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
    let endless = "UPDATE audit_logs SET \"timestamp\" = 'infinity' WHERE chain_sequence = 300;
        UPDATE audit_logs SET \"timestamp\" = '-infinity' WHERE chain_sequence = 301;
        UPDATE transparency_roots SET root_date = '-infinity' WHERE ctid = (
            SELECT ctid FROM transparency_roots ORDER BY tenant_id, root_date LIMIT 1);
        UPDATE transparency_historical_keys SET fingerprint = repeat('a', 64);";
    let endless = source.dump("endless", &format!("{}{endless}", audit_sql()), &[]);
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
            .filter(|finding| finding["severity"] != "info")
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
    let (code, found, _) = codes("roots-endless", &endless, &both);
    assert_eq!(code, 1);
    assert!(found.iter().filter(|code| *code == "no_day").count() >= 2, "of rows and of roots: {found:?}");
    assert!(found.contains(&"signing_key_differs".to_owned()), "{found:?}");
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
