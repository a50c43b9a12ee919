use super::*;
use crate::model::code::Code;
use crate::model::manifest::tests::of_rows;
use crate::model::manifest::{Column, Extension, RowHasher, Rows, TableFold};
use crate::model::verdict::RecoveryPoint;
use crate::target::postgres::content::Folded;

fn check(require_manifest: bool) -> Fingerprint {
    Fingerprint {
        name: "equal".to_owned(),
        databases: vec!["shop".parse().unwrap()],
        exclude: BTreeMap::new(),
        require_manifest,
    }
}

fn column(name: &str, kind: &str) -> Column {
    Column { name: name.to_owned(), kind: kind.to_owned() }
}

fn folded(rows: &[&[u8]]) -> Folded {
    let key = of_rows(&[]).fingerprint_key;
    let mut fold = TableFold::new(RowHasher::new(&key, "public", "t", &["id"]));
    rows.iter().for_each(|row| fold.push(&[row, b"\n".as_slice()].concat()));
    let (rows, fingerprint) = fold.finish().unwrap();
    Folded { rows, fingerprint }
}

/// A restored database with the table `t` of these rows.
fn restored(rows: &[&[u8]]) -> Restored {
    let found = Found { columns: vec![column("id", "integer")], rows: Some(folded(rows)) };
    let extensions = vec![Extension { name: "hstore".to_owned(), version: "1.8".to_owned() }];
    Restored {
        tables: [("t".parse().unwrap(), found)].into(),
        extensions,
        extensions_left_out: BTreeSet::new(),
    }
}

/// The codes and subjects of what is found if the manifest has the rows 1 and 2.
fn found(restored: &Restored) -> Vec<(&'static str, String)> {
    codes(restored, &[], check(false))
}

fn codes(restored: &Restored, excluded: &[&str], check: Fingerprint) -> Vec<(&'static str, String)> {
    let manifest = of_rows(&[b"1", b"2"]);
    let entry = &manifest.databases[0];
    let Content::Read { tables } = &entry.content else { panic!("it was read") };
    let excluded: Vec<TableName> = excluded.iter().map(|name| name.parse().unwrap()).collect();
    let judged = judge::content(&check, entry, tables, &excluded.iter().collect(), restored);
    judged.findings.into_iter().map(|finding| (finding.code.as_str(), finding.subject)).collect()
}

#[test]
fn equal_rows_in_any_order_hold() {
    assert_eq!(found(&restored(&[b"1", b"2"])), []);
    assert_eq!(found(&restored(&[b"2", b"1"])), []);
}

#[test]
fn each_difference_is_told_and_names_the_table() {
    let of_t = |code| vec![(code, "shop.public.t".to_owned())];
    assert_eq!(found(&restored(&[b"1"])), of_t("row_count_differs"));
    assert_eq!(found(&restored(&[b"1", b"2", b"2"])), of_t("row_count_differs"));
    assert_eq!(found(&restored(&[b"1", b"3"])), of_t("content_differs"));
    assert_eq!(found(&restored(&[b"1", b"1"])), of_t("content_differs"));
    let mut other = restored(&[b"1", b"2"]);
    let found_t = other.tables.get_mut(&"t".parse().unwrap()).unwrap();
    found_t.columns[0].kind = "bigint".to_owned();
    assert_eq!(found(&other), of_t("columns_differ"));
    other.tables.clear();
    assert_eq!(found(&other), of_t("table_missing"));
}

#[test]
fn a_table_too_many_is_told() {
    let mut more = restored(&[b"1", b"2"]);
    more.tables.insert("u".parse().unwrap(), Found { columns: Vec::new(), rows: None });
    assert_eq!(found(&more), [("table_unexpected", "shop.public.u".to_owned())]);
}

#[test]
fn excluded_tables_are_not_compared() {
    let mut none = restored(&[]);
    none.tables.clear();
    assert_eq!(codes(&none, &["t"], check(false)), []);
}

#[test]
fn an_extension_of_another_version_is_a_warning() {
    let mut other = restored(&[b"1", b"2"]);
    other.extensions[0].version = "1.9".to_owned();
    assert_eq!(found(&other), [("extension_differs", "shop: extension hstore".to_owned())]);
    other.extensions.clear();
    assert_eq!(found(&other).len(), 1);
}

#[test]
fn columns_may_be_in_another_order_but_must_be_the_same() {
    let manifest = of_rows(&[]);
    let Content::Read { tables } = &manifest.databases[0].content else { panic!("it was read") };
    let mut table = tables[0].clone();
    table.columns = vec![column("a", "text"), column("b", "text")];
    assert!(judge::comparable(&table, &[column("b", "text"), column("a", "text")]));
    assert!(!judge::comparable(&table, &[column("a", "text")]));
    assert!(!judge::comparable(&table, &[column("a", "text"), column("b", "integer")]));
    let shape = |columns| Shape { oid: 1, name: "t".parse().unwrap(), columns, is_elsewhere: false };
    let wanted = wanted(&[table.clone()], &[shape(vec![column("b", "text"), column("a", "text")])]);
    assert_eq!(wanted[0].columns, ["a", "b"], "hashed in the manifest's order");
    table.rows = Rows::Unread { reason: "locked".to_owned() };
    assert!(!judge::comparable(&table, &table.columns.clone()));
}

#[test]
fn rows_that_the_backup_could_not_read_are_a_warning_unless_they_are_required() {
    let manifest = of_rows(&[]);
    let entry = &manifest.databases[0];
    let Content::Read { tables } = &entry.content else { panic!("it was read") };
    let mut table = tables[0].clone();
    table.rows = Rows::Unread { reason: "locked\nby somebody".to_owned() };
    for (required, severity) in [(false, Severity::Warning), (true, Severity::Error)] {
        let judged =
            judge::content(&check(required), entry, &[table.clone()], &BTreeSet::new(), &restored(&[b"1"]));
        assert_eq!(
            (judged.findings[0].code.as_str(), judged.findings[0].severity),
            ("no_fingerprint", severity)
        );
        assert_eq!(judged.findings[0].actual, "the backup could not read it: locked by somebody");
    }
}

fn point(ciphertext: &str, plaintext: &str) -> RecoveryPoint {
    let mut point = crate::model::testing::point("shop", 1, 10);
    point.ciphertext_sha256 = Some(ciphertext.to_owned());
    point.plaintext_sha256 = Some(plaintext.to_owned());
    point
}

#[test]
fn another_dump_is_an_error_and_the_same_one_encrypted_anew_a_warning() {
    let manifest = of_rows(&[]);
    let told = |ciphertext, plaintext| {
        judge::dump(&manifest.databases[0], &point(ciphertext, plaintext))
            .map(|finding| (finding.code.as_str(), finding.severity))
    };
    assert_eq!(told("c", "p"), None);
    assert_eq!(told("x", "p"), Some(("dump_reencrypted", Severity::Warning)));
    assert_eq!(told("x", "y"), Some(("dump_replaced", Severity::Error)));
    assert_eq!(told("c", "y"), Some(("dump_replaced", Severity::Error)));
}

#[test]
fn with_nothing_compared_the_check_was_not_possible_and_does_not_pass() {
    let absent = |required, databases: &[&str]| {
        let mut tally = Tally::default();
        for database in databases {
            let why = "there is no manifest m in the store".to_owned();
            let finding =
                judge::uncomparable(&check(required), (*database).to_owned(), Code::new("no_manifest"), why);
            tally.findings.push(finding);
        }
        outcome(tally)
    };
    let skipped = absent(false, &["shop"]);
    assert_eq!(skipped.status, CheckStatus::Skipped);
    assert_eq!(skipped.summary, "not possible: there is no manifest m in the store");
    let all = absent(false, &["shop", "stock"]);
    let told = "not possible for 2 databases; the first, shop: there is no manifest m in the store";
    assert_eq!(all.not_verified(), [told]);
    let failed = absent(true, &["shop"]);
    assert_eq!((failed.status, failed.failing_code().as_str()), (CheckStatus::Fail, "no_manifest"));
    assert!(failed.not_verified().is_empty());
}

#[test]
fn a_database_of_which_every_table_is_unread_does_not_pass_and_an_empty_one_does() {
    let mut tally = Tally { databases: 1, ..Tally::default() };
    let why = "the backup could not read it: no permission".to_owned();
    tally.findings.push(judge::uncomparable(
        &check(false),
        "shop.public.t".to_owned(),
        Code::new("no_fingerprint"),
        why,
    ));
    let unread = outcome(tally);
    assert_eq!(unread.status, CheckStatus::Skipped);
    assert_eq!(unread.summary, "not possible: the backup could not read it: no permission");
    let empty = Tally { databases: 1, empty_databases: 1, ..Tally::default() };
    assert_eq!(
        outcome(empty).status,
        CheckStatus::Pass,
        "the source had no tables, and neither has the restore"
    );
}

#[test]
fn one_database_that_was_compared_is_enough_to_pass() {
    let mut tally = Tally { databases: 1, tables: 2, rows: 1000, ..Tally::default() };
    tally.findings.push(judge::uncomparable(
        &check(false),
        "b".to_owned(),
        Code::new("no_manifest"),
        "none".to_owned(),
    ));
    let outcome = outcome(tally);
    assert_eq!(outcome.status, CheckStatus::Pass);
    assert_eq!(outcome.summary, "1,000 rows in 2 tables of 1 database are those of the source");
    assert_eq!(outcome.not_verified(), ["b: not compared with the source: none"]);
}

#[test]
fn names_from_the_restored_database_stay_on_their_line() {
    assert_eq!(subject(&"shop".parse().unwrap(), "a\nb", "c"), "shop.a b.c");
}
