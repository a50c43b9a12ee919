//! What is not restored, by the names that a record has.

use super::testing::{entry, without};
use super::*;

#[test]
fn privileges_are_known_by_the_names_that_a_record_has() {
    let a = Some("a");
    let acls = without(&[
        ("ACL", a, "TABLE t"),
        ("ACL", a, "TABLE v"),
        ("ACL", Some("B.c d"), "TABLE \"T \"\"q\"\"\""),
        ("ACL", Some("B.c d"), "COLUMN \"T \"\"q\"\"\".\"c.d\""),
        ("ACL", a, "SEQUENCE t_id_seq"),
        ("ACL", a, "TYPE positive"),
        ("ACL", None, "SCHEMA \"B.c d\""),
        ("ACL", None, "LANGUAGE plpgsql"),
        ("ACL", None, "FOREIGN DATA WRAPPER postgres_fdw"),
        ("ACL", None, "FOREIGN SERVER s"),
    ]);
    for (kind, name) in [
        ("table", "a.t"),
        ("view", "a.v"),
        ("table", "\"B.c d\".\"T \"\"q\"\"\""),
        ("column", "\"B.c d\".\"T \"\"q\"\"\".\"c.d\""),
        ("sequence", "a.t_id_seq"),
        ("domain", "a.positive"),
        ("schema", "\"B.c d\""),
        ("language", "plpgsql"),
        ("foreign-data wrapper", "postgres_fdw"),
        ("foreign server", "s"),
    ] {
        assert!(acls.lacks_privileges(kind, name), "{kind} {name}");
        assert!(!acls.lacks_object(kind, name), "{kind} {name}");
    }
    for (kind, name) in
        [("table", "b.t"), ("table", "a.u"), ("column", "a.t.c"), ("type", "a.t"), ("schema", "a")]
    {
        assert!(!acls.lacks_privileges(kind, name), "{kind} {name}");
    }
    assert!(acls.concerns_table("a", "t") && acls.concerns_table("B.c d", "T \"q\""));
    assert!(!acls.concerns_table("a", "u") && !acls.concerns_table("B.c d", "T"));
    let column = without(&[("ACL", a, "COLUMN t.\"odd.name\"")]);
    assert!(column.concerns_table("a", "t") && !column.lacks_privileges("table", "a.t"));
    assert!(without(&[("ACL", None, "DATABASE shop")]).of_database);
    assert!(!acls.of_database);
}

#[test]
fn functions_are_known_by_the_types_of_what_they_take() {
    let acls = without(&[
        ("ACL", Some("a"), "FUNCTION f(integer, text, OUT o integer)"),
        ("ACL", Some("a"), "FUNCTION \"F(g\"(at timestamp with time zone, VARIADIC numeric[])"),
        ("ACL", Some("a"), "PROCEDURE p(INOUT x integer)"),
        ("ACL", Some("a"), "FUNCTION cnt()"),
        ("ACL", Some("a"), "FUNCTION odd(\"a, b\" public.\"x,y\")"),
    ]);
    for (kind, name) in [
        ("function", "a.f(integer,text)"),
        ("function", "a.\"F(g\"(timestamp with time zone,numeric[])"),
        ("procedure", "a.p(integer)"),
        ("aggregate", "a.cnt()"),
        ("function", "a.odd(public.\"x,y\")"),
    ] {
        assert!(acls.lacks_privileges(kind, name), "{kind} {name}");
    }
    for name in
        ["a.f(integer)", "a.f(integer,integer)", "a.f(text,integer)", "b.f(integer,text)", "a.cnt(integer)"]
    {
        assert!(!acls.lacks_privileges("function", name), "{name}");
    }
    let objects = without(&[("FUNCTION", Some("a"), "f(integer, text)"), ("AGGREGATE", Some("a"), "cnt(*)")]);
    assert!(objects.lacks_object("function", "a.f(integer,text)"));
    assert!(objects.lacks_object("aggregate", "a.cnt()"));
    assert!(!objects.lacks_object("function", "a.f(integer)"));
}

#[test]
fn objects_take_their_columns_along() {
    let objects = without(&[("TABLE", Some("a.b"), "t"), ("MATERIALIZED VIEW", Some("a"), "m")]);
    assert!(
        objects.lacks_object("table", "\"a.b\".t") && objects.lacks_object("column", "\"a.b\".t.\"c.d\"")
    );
    assert!(objects.lacks_object("materialized view", "a.m"));
    assert!(!objects.lacks_object("column", "\"a.b\".u.c") && !objects.lacks_object("schema", "a.b"));
}

#[test]
fn what_stands_for_itself_is_known_by_its_owner_or_table() {
    let mut all = without(&[
        ("DEFAULT ACL", Some("a"), "DEFAULT PRIVILEGES FOR TABLES"),
        ("DEFAULT ACL", None, "DEFAULT PRIVILEGES FOR LARGE OBJECTS"),
        ("ROW SECURITY", Some("a"), "t"),
        ("BLOB", None, "11"),
        ("BLOB", None, "12"),
    ]);
    let place =
        |schema: Option<&str>, kind: &str| ("owner".to_owned(), schema.map(str::to_owned), kind.to_owned());
    assert_eq!(all.default_privileges, [place(Some("a"), "tables"), place(None, "large objects")].into());
    assert_eq!(all.row_security, ["a.t".to_owned()].into());
    let of_owner = |all: &UnrestoredAccess| all.large_objects[&Some("owner".to_owned())].clone();
    assert_eq!(of_owner(&all), UnrestoredLargeObjects { number: 2, lack_privileges: false });
    all.add(&Entry { defn: "13\n14\n15\n".to_owned(), ..entry("BLOB METADATA", None, "13..15") });
    all.add(&entry("ACL", None, "LARGE OBJECTS 13..15"));
    assert_eq!(of_owner(&all), UnrestoredLargeObjects { number: 5, lack_privileges: true });
}

#[test]
fn policies_are_known_by_their_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
    let toc = super::super::super::read_toc(&std::fs::read(path).unwrap()).unwrap();
    let all = toc.entries.iter().map(|entry| entry.dump_id).collect();
    let unrestored = UnrestoredAccess::of(&toc, &all);
    assert!(unrestored.policies.contains(&("app.account".to_owned(), "read TO write".to_owned())));
    assert!(UnrestoredAccess::of(&toc, &BTreeSet::new()) == UnrestoredAccess::default());
}
