use super::*;
use crate::format::pg_custom::read_toc;

fn toc() -> Toc {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
    read_toc(&std::fs::read(path).unwrap()).unwrap()
}

fn rule(kind: &str, name: &str) -> EntryRule {
    EntryRule { kind: kind.to_owned(), name: name.to_owned() }
}

fn left_out(rules: &[EntryRule]) -> (Vec<String>, LeftOut) {
    let left_out = toc().leave_out(rules, &[]);
    (left_out.entries.iter().map(|entry| entry.what.clone()).collect(), left_out)
}

fn name(schema: &str, name: &str) -> QualifiedName {
    QualifiedName { schema: schema.to_owned(), name: name.to_owned() }
}

fn entry(dump_id: i32, desc: &str, tag: &str, dependencies: &[i32]) -> Entry {
    Entry {
        dump_id,
        desc: desc.to_owned(),
        tag: tag.to_owned(),
        dependencies: dependencies.to_vec(),
        ..Entry::default()
    }
}

#[test]
fn rows_that_are_left_out_take_the_keys_to_them_along() {
    let (what, left_out) = left_out(&[rule("TABLE DATA", "app.account")]);
    assert!(what.contains(&"TABLE DATA app.account".to_owned()), "{what:?}");
    assert!(what.iter().all(|what| what.contains("account")), "{what:?}");
    let event = left_out.entries.iter().find(|entry| entry.what.contains("FK CONSTRAINT public.event"));
    assert_eq!(event.unwrap().why, "not all rows of TABLE app.account are restored");
    assert_eq!(left_out.without_rows, [name("app", "account")].into());
    assert!(left_out.lacks(&name("app", "account")) && !left_out.lacks(&name("app", "tenant")));
    let kept = toc().without(&left_out);
    assert_eq!(kept.entries.len() + left_out.entries.len(), toc().entries.len());
    assert!(kept.tables_without_data().contains(&name("app", "account")));
}

#[test]
fn a_partitioned_table_lacks_the_rows_of_its_partition() {
    let (_, left_out) = left_out(&[rule("TABLE DATA", "app.reading_2026")]);
    assert!(left_out.partial.contains(&name("app", "reading")), "{left_out:?}");
    assert!(!left_out.lacks(&name("app", "reading_rest")));
}

#[test]
fn a_materialized_view_is_not_filled_from_a_table_that_lacks_rows() {
    let (what, left_out) = left_out(&[rule("TABLE DATA", "app.tenant")]);
    assert!(what.contains(&"MATERIALIZED VIEW DATA app.tenant_count".to_owned()), "{what:?}");
    assert!(!what.contains(&"MATERIALIZED VIEW app.tenant_count".to_owned()), "{what:?}");
    assert_eq!(left_out.unfilled, [name("app", "tenant_count")].into());
}

#[test]
fn a_materialized_view_that_a_function_fills_may_lack_rows() {
    let mut toc = toc();
    toc.entries = vec![
        entry(1, "TABLE", "t", &[]),
        entry(2, "TABLE DATA", "t", &[1]),
        entry(3, "FUNCTION", "f()", &[]),
        entry(4, "VIEW", "v", &[3]),
        entry(5, "MATERIALIZED VIEW", "m", &[4]),
        entry(6, "MATERIALIZED VIEW DATA", "m", &[5]),
        entry(7, "MATERIALIZED VIEW", "n", &[]),
        entry(8, "MATERIALIZED VIEW DATA", "n", &[7]),
    ];
    let left_out = toc.leave_out(&[rule("TABLE DATA", "t")], &[]);
    assert_eq!((left_out.ids(), left_out.through_functions), ([2].into(), [name("", "m")].into()));
    assert!(toc.leave_out(&[rule("VIEW", "v")], &[]).through_functions.is_empty());
}

#[test]
fn a_table_takes_all_along_that_depends_on_it() {
    let (what, left_out) = left_out(&[rule("TABLE", "app.tenant")]);
    for expected in ["TABLE app.tenant", "TABLE DATA app.tenant", "MATERIALIZED VIEW app.tenant_count"] {
        assert!(what.contains(&expected.to_owned()), "{expected}: {what:?}");
    }
    assert!(left_out.relations.contains(&name("app", "tenant_count")) && left_out.without_rows.is_empty());
}

#[test]
fn an_extension_goes_with_its_comment_its_rows_and_its_users() {
    let mut toc = toc();
    let in_schema = |schema: &str, entry: Entry| Entry { namespace: Some(schema.to_owned()), ..entry };
    toc.entries = vec![
        entry(1, "EXTENSION", "pg_cron", &[]),
        entry(2, "COMMENT", "EXTENSION pg_cron", &[1]),
        in_schema("cron", entry(3, "TABLE DATA", "job", &[76])),
        in_schema("cron", entry(4, "ACL", "TABLE job", &[77])),
        entry(5, "ACL", "SCHEMA cron", &[78]),
        in_schema("cron", entry(6, "SEQUENCE SET", "jobid_seq", &[79])),
        entry(7, "EXTENSION", "timescaledb", &[]),
        in_schema("_timescaledb_catalog", entry(8, "TABLE DATA", "hypertable", &[80])),
        in_schema("public", entry(9, "TABLE", "kept", &[])),
        in_schema("public", entry(10, "TABLE DATA", "kept", &[9])),
    ];
    let ids = |extensions: &[&str]| {
        let names: Vec<String> = extensions.iter().map(|name| (*name).to_owned()).collect();
        let left_out = toc.leave_out(&[], &names);
        left_out.entries.iter().map(|entry| entry.dump_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["pg_cron"]), [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(&["timescaledb"]), [7, 8]);
    assert_eq!(ids(&["pg_cron", "timescaledb"]), [1, 2, 3, 4, 5, 6, 7, 8]);
    let left_out = toc.leave_out(&[], &["pg_cron".to_owned(), "postgis".to_owned()]);
    assert_eq!(left_out.entries[0].why, "ignore_extensions has pg_cron");
    assert_eq!(left_out.entries[1].why, "it depends on EXTENSION pg_cron");
    assert_eq!(left_out.entries[2].why, "it belongs to EXTENSION pg_cron");
    assert_eq!(left_out.unmatched, ["ignore_extensions: postgis"]);
    assert_eq!(left_out.extensions, ["pg_cron".to_owned()].into());
}

#[test]
fn privileges_of_the_systems_schemas_stay_when_the_last_extension_goes() {
    let mut toc = toc();
    let in_schema = |schema: &str, entry: Entry| Entry { namespace: Some(schema.to_owned()), ..entry };
    let trgm = "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;";
    toc.entries = vec![
        Entry { defn: trgm.to_owned(), ..entry(1, "EXTENSION", "pg_trgm", &[]) },
        entry(2, "ACL", "SCHEMA public", &[70]),
        entry(3, "COMMENT", "SCHEMA public", &[70]),
        entry(4, "ACL", "SCHEMA pg_catalog", &[71]),
        in_schema("pg_catalog", entry(5, "ACL", "FUNCTION pg_ls_dir(text)", &[72])),
        in_schema("information_schema", entry(6, "ACL", "TABLE tables", &[73])),
        entry(7, "ACL", "SCHEMA other", &[74]),
        in_schema("public", entry(8, "ACL", "FUNCTION similarity(text, text)", &[75])),
    ];
    let left_out = toc.leave_out(&[], &["pg_trgm".to_owned()]);
    assert_eq!(left_out.ids(), [1, 8].into());
    let ext = "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA ext;";
    toc.entries = vec![
        Entry { defn: ext.to_owned(), ..entry(1, "EXTENSION", "pg_trgm", &[]) },
        entry(2, "ACL", "SCHEMA ext", &[70]),
    ];
    assert_eq!(toc.leave_out(&[], &["pg_trgm".to_owned()]).ids(), [1, 2].into());
    toc.entries.push(entry(3, "SCHEMA", "ext", &[]));
    assert_eq!(toc.leave_out(&[], &["pg_trgm".to_owned()]).ids(), [1].into());
}

#[test]
fn nothing_is_left_out_without_a_match_and_the_archive_says_how_it_is_read() {
    let (what, left_out) = left_out(&[rule("TABLE DATA", "app.nowhere"), rule("ENCODING", "*")]);
    assert!(what.is_empty() && left_out.is_nothing());
    assert_eq!(left_out.unmatched, ["ignore: TABLE DATA app.nowhere", "ignore: ENCODING *"]);
    let (what, _) = super::tests::left_out(&[rule("*", "*")]);
    assert!(what.iter().all(|what| !SPECIAL.iter().any(|special| what == special)), "{what:?}");
}

#[test]
fn hostile_names_stay_on_their_line() {
    let mut toc = toc();
    toc.entries = vec![entry(1, "TABLE\n;2 x", "a\u{202e}\n9; b", &[])];
    let left_out = toc.leave_out(&[rule("*", "*")], &[]);
    assert!(!left_out.entries[0].what.contains(['\n', '\u{202e}']), "{left_out:?}");
}
