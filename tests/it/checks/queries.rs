//! Queries of a template's own.

use super::super::world::{World, ago};
use super::{DUMPS, check, drill};

/// Every kind of assertion, of one drill: those of the list hold.
#[test]
fn queries_that_hold_pass() {
    let mut world = World::new("checks-sql");
    world.dumped("shop", &[], &DUMPS.unsound);
    for (number, rule) in [
        "query = \"SELECT count(*) FROM children\"\nexpect = 4",
        "query = \"SELECT bool_and(id > 0) FROM children -- a comment\"\nexpect = true",
        "query = \"SELECT 'a'::name\"\nexpect = \"a\"",
        "query = \"SELECT ARRAY[1,2]\"\nexpect = \"{1,2}\"",
        "query = \"SELECT avg(amount) FROM children\"\nmin = 1\nmax = 2.5",
        "query = \"SELECT 0.10::numeric\"\nexpect = 0.1",
        "query = \"WITH c AS (SELECT * FROM children) SELECT * FROM c WHERE id > 4\"\nempty = true",
        "query = \"SELECT now() - interval '2 hours'\"\nmax_age = \"2h\"",
        "query = \"SELECT localtimestamp - interval '2 hours'\"\nmax_age = \"2h\"",
    ]
    .into_iter()
    .enumerate()
    {
        world
            .template
            .checks
            .push(format!("type = \"sql\"\nname = \"q{number}\"\ndatabase = \"shop\"\n{rule}\n"));
    }
    let outcome = world.drill(&[]);
    outcome.passed();
    world.assert_nothing_left();
}

#[test]
fn queries_that_do_not_hold_fail_each_with_its_own_code() {
    let mut world = World::new("checks-sql-fail");
    let taken_at = ago(60);
    world.put_dump("shop", taken_at, &DUMPS.unsound);
    world.database("shop", &[]);
    let three_hours_before = format!(
        "query = \"SELECT timestamptz '{}' - interval '3 hours'\"\nmax_age = \"2h\"",
        taken_at.format("%Y-%m-%d %H:%M:%SZ")
    );
    let cases = [
        ("query = \"SELECT count(*) FROM children\"\nexpect = 5", "value_differs", "4, expected 5"),
        (
            "query = \"SELECT secret FROM children WHERE id = 1\"\nexpect = \"x\"",
            "value_differs",
            "another text of 16 characters, expected `x`",
        ),
        ("query = \"SELECT count(*) FROM children\"\nmin = 5", "value_low", "4, expected at least 5"),
        ("query = \"SELECT count(*) FROM children\"\nmax = 3", "value_high", "4, expected at most 3"),
        (
            "query = \"SELECT secret FROM children WHERE id = 1\"\nmin = 5",
            "not_a_number",
            "another text of 16 characters, expected at least 5",
        ),
        (
            "query = \"SELECT max(id) FROM children WHERE id > 9\"\nmin = 5",
            "value_null",
            "null, expected at least 5",
        ),
        ("query = \"SELECT id FROM children WHERE id > 9\"\nexpect = 1", "no_row", "no row, expected 1"),
        ("query = \"SELECT id FROM children\"\nexpect = 1", "several_rows", "more than one row, expected 1"),
        ("query = \"SELECT * FROM children WHERE amount < 0\"\nempty = true", "rows_found", "1 row"),
        (
            "query = \"SELECT * FROM children WHERE amount < 0\"\nempty = true\nkey = \"id\"",
            "rows_found",
            "the row",
        ),
        (&*three_hours_before, "too_old", ""),
        ("query = \"SELECT 'infinity'::timestamptz\"\nmax_age = \"2h\"", "not_a_time", ""),
    ];
    for (number, (rule, _, _)) in cases.iter().enumerate() {
        world
            .template
            .checks
            .push(format!("type = \"sql\"\nname = \"q{number}\"\ndatabase = \"shop\"\n{rule}\n"));
    }
    let outcome = world.drill(&[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    for (number, (rule, code, said)) in cases.iter().enumerate() {
        let check = outcome.check(&format!("q{number}"));
        assert_eq!(
            (&check["status"], &check["findings"][0]["code"]),
            (&"fail".into(), &(*code).into()),
            "{rule}\n{check}"
        );
        let actual = check["findings"][0]["actual"].as_str().unwrap();
        assert!(said.is_empty() || actual == *said, "{rule}: {actual}");
    }
    assert_eq!(outcome.check("q9")["findings"][0]["subject"], "shop 3");
    let age = outcome.check("q10")["findings"][0]["actual"].as_str().unwrap();
    assert!(age.contains("which is 3h before the recovery point"), "{age}");
    assert!(!outcome.verdict_text.contains("jane@"), "no value of a row is shown");
    world.assert_nothing_left();
}

#[test]
fn queries_that_cannot_be_asked_say_why() {
    for (name, query, more, code, failure) in [
        (
            "writes",
            "WITH d AS (DELETE FROM children RETURNING 1) SELECT count(*) FROM d",
            "",
            2,
            "query_invalid",
        ),
        ("setval", "SELECT setval('orders_id_seq', 200)", "", 2, "query_writes"),
        ("syntax", "SELEC 1", "", 2, "query_invalid"),
        ("missing", "SELECT count(*) FROM gone", "", 1, "schema_differs"),
        ("columns", "SELECT 1, 2", "", 2, "query_shape"),
        ("key", "SELECT 1 WHERE false", "key = \"id\"", 2, "query_shape"),
        ("hung", "SELECT count(*) FROM (SELECT pg_sleep(60)) s", "timeout = \"1s\"", 3, "query_timed_out"),
        ("cast", "SELECT secret::int FROM children WHERE id = 1", "", 3, "query_failed"),
    ] {
        let rule = if name == "key" { "empty = true" } else { "expect = 1" };
        let rule = format!("database = \"shop\"\nquery = \"{query}\"\n{rule}\n{more}");
        let outcome = drill(&format!("checks-sql-{name}"), &DUMPS.unsound, check("sql", &rule));
        outcome.failed(code, failure);
        assert!(!outcome.verdict_text.contains("jane@"), "no value of a row is shown\n{outcome}");
    }
}
