use super::*;
use crate::format::pg_custom::{LeftOut, read_toc};
use crate::format::{BackupContents, Inspector, NoContents};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/plain/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(bytes: &[u8], piece: usize) -> Result<PlainDump, Failure> {
    let mut inspector = Inspector::default();
    for piece in bytes.chunks(piece) {
        let _ = inspector.push(piece)?;
    }
    match inspector.finish().map_err(NoContents::into_failure)? {
        BackupContents::PgPlain(dump) => Ok(dump),
        other => panic!("{other:?}"),
    }
}

/// A whole dump with this in it.
fn with(inside: &str) -> Result<PlainDump, Failure> {
    let text = format!("{}\n{inside}\n--\n-- PostgreSQL database dump complete\n--\n\n", head());
    read(text.as_bytes(), 3)
}

fn head() -> String {
    let version = "-- Dumped from database version 17.6\n-- Dumped by pg_dump version 17.6\n";
    format!("--\n-- PostgreSQL database dump\n--\n\n{version}\nSET client_encoding = 'UTF8';\n")
}

fn code(result: Result<PlainDump, Failure>) -> &'static str {
    result.map_or_else(|failure| failure.code.as_str(), |_| "whole")
}

fn table(name: &str) -> QualifiedName {
    QualifiedName { schema: "public".to_owned(), name: name.to_owned() }
}

#[test]
fn a_script_says_what_an_archive_of_the_same_database_says() {
    for major in ["15", "17"] {
        let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive");
        let archive = read_toc(&std::fs::read(format!("{archive}/pg{major}-none.dump")).unwrap()).unwrap();
        for piece in [1, 7, 1 << 20] {
            let dump = read(&fixture(&format!("pg{major}.sql")), piece).unwrap();
            let toc = &dump.toc;
            // The fixtures of scripts have more in them.
            let is_more = |name: &str| {
                ["trap", "empty_on_purpose", "quoted", "atomic"].iter().any(|more| name.contains(more))
            };
            let objects = |toc: &Toc| {
                let all = toc.promised(&LeftOut::default()).objects;
                let named = all.into_iter().filter(|object| !is_more(&object.tag));
                named
                    .map(|object| (object.kind, object.schema, object.tag, object.table))
                    .collect::<BTreeSet<_>>()
            };
            let (of_script, of_archive) = (objects(toc), objects(&archive));
            assert_eq!(of_script.symmetric_difference(&of_archive).collect::<Vec<_>>(), Vec::<&_>::new());
            let keys = |toc: &Toc| {
                toc.foreign_keys().into_iter().map(|key| (key.child, key.parent)).collect::<BTreeSet<_>>()
            };
            assert_eq!(keys(toc), keys(&archive));
            assert_eq!(toc.roles(), archive.roles());
            assert_eq!((toc.named_roles(), toc.encoding()), (archive.named_roles(), archive.encoding()));
            assert!(toc.header.dump_version.starts_with(major) && toc.header.database.is_empty());
            assert_eq!(toc.post_data().count(), archive.post_data().count());
            let without = |toc: &Toc| toc.tables_without_data();
            assert_eq!(without(toc), without(&archive));
            assert_eq!((dump.rows[&table("trap")], dump.rows[&table("empty_on_purpose")]), (8, 0));
            assert!(dump.is_restricted && dump.is_whole && dump.start.is_none() && dump.inserts == 0);
        }
    }
}

#[test]
fn a_script_that_makes_its_database_says_its_name_and_locale() {
    for (name, major) in [("pg15-create.sql", "15"), ("pg17-create.sql", "17")] {
        let bytes = fixture(name);
        let dump = read(&bytes, 11).unwrap();
        assert_eq!(dump.toc.header.database, "archive_fixture", "{major}");
        assert_eq!(dump.toc.locale().unwrap().collate, "en_US.utf8");
        let start = dump.start.unwrap();
        let rest = std::str::from_utf8(&bytes[usize::try_from(start.bytes).unwrap()..]).unwrap();
        assert!(rest.starts_with("\\restrict "), "{}", &rest[..40]);
        let before = std::str::from_utf8(&bytes[..usize::try_from(start.bytes).unwrap()]).unwrap();
        assert_eq!(start.lines as usize, before.lines().count());
        assert!(before.ends_with("\\connect archive_fixture\n"));
    }
}

#[test]
fn rows_that_are_statements_are_counted_and_not_kept() {
    let dump = read(&fixture("pg17-inserts.sql"), 5).unwrap();
    assert_eq!((dump.inserts, dump.rows.len()), (8, 0));
    assert!(dump.toc.entries.iter().all(|entry| !entry.defn.contains("INSERT")));
}

#[test]
fn a_script_that_was_cut_anywhere_is_incomplete() {
    let whole = fixture("pg17.sql");
    let end = whole.len() - 2;
    for length in (100..end - 1).step_by(997).chain([end - 1, end - 3, end - 80]) {
        let code = code(read(&whole[..length], 4096));
        assert_eq!(
            code,
            "dump_incomplete",
            "{length}: {}",
            String::from_utf8_lossy(&whole[length - 30..length])
        );
    }
    // Without `\restrict`, which releases before August 2025 do not write.
    assert_eq!(code(with("SELECT 1;")), "whole");
    let text = head();
    assert_eq!(code(read(text.as_bytes(), 9)), "dump_incomplete");
    let text = format!("{text}--\n-- PostgreSQL database dump complete");
    assert_eq!(code(read(text.as_bytes(), 9)), "whole", "what is missing is empty");
    for after in ["SELECT 1;", "SELECT 1", "'", "/*", "$$", "\\!", "COPY a FROM stdin;\n1\n"] {
        let text = format!("{text}\n--\n\n{after}");
        assert_ne!(code(read(text.as_bytes(), 9)), "whole", "{after}");
    }
}

#[test]
fn the_last_line_counts_only_outside_of_everything() {
    let last = "-- PostgreSQL database dump complete";
    for inside in [
        format!("COPY public.t (a) FROM stdin;\n{last}\n"),
        format!("SELECT '\n{last}\n"),
        format!("SELECT E'\\'\n{last}\n"),
        format!("SELECT \"\n{last}\n"),
        format!("SELECT $a$ $b$ $\n{last}\n"),
        format!("/* /* */\n{last}\n"),
        format!("SELECT 1\n{last}\n"),
        format!("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\n{last}\n"),
        format!("SELECT (1;\n{last}\n"),
    ] {
        assert_eq!(code(read(format!("{}{inside}", head()).as_bytes(), 2)), "dump_incomplete", "{inside}");
    }
}

#[test]
fn commands_for_psql_are_found_wherever_it_reads_them() {
    for runs in [
        "\\! id",
        "  \\! id",
        "SELECT 1 \\! id",
        "SELECT 'a' \\g |id",
        "COPY public.t (a) FROM stdin;\n1\n\\.\n\\! id",
        "copy public.t from\n stdin with (format text) ;\n\\.\n\\! id",
        "SELECT $1$a$ x $a$ \\! id",
        "SELECT a$b$c \\! id",
        "SELECT E'a'\n'\\' \\! id",
        "SELECT E'\\\\' \\! id",
        "SELECT '\\' \\! id",
        "SET standard_conforming_strings = off;\nSELECT '\\'' \\! id;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;\n\\! id",
        "\\set ON_ERROR_STOP off",
        "\\encoding `id`",
        "\\encoding SQL_ASCII",
        "\\unrestrict abc",
        "\\i /etc/passwd",
        "\\o |id",
        "\\copy t from program 'id'",
    ] {
        assert_eq!(code(with(runs)), "dump_runs_commands", "{runs}");
    }
    for runs_none in [
        "COPY public.t (a) FROM stdin;\n\\! id\n\\N\n\\\\.\n\\.\n",
        "SELECT '\\! id', \"\\! id\", $$\\! id$$, $a$ $$ \\! id $a$;",
        "-- \\! id\n/* \\! id /* */ \\! */ SELECT 1;",
        "SELECT E'it\\'s \\! id', 'it''s \\! id', U&'\\0061', B'1', a - -1, 1/2;",
        "COPY public.t (a) FROM stdin; -- three\n\\! id\n\\N\n\\\\.\n\\.\n",
        "-- a comment of another system\r\nSELECT 1;\r\n",
        "SELECT '\r', $$\r$$, \"\r\" /* \r */;",
    ] {
        let dump = with(runs_none).unwrap_or_else(|failure| panic!("{runs_none}: {failure}"));
        assert!(dump.rows.values().all(|rows| *rows == 3));
    }
}

#[test]
fn what_psql_reads_otherwise_than_it_looks_is_refused() {
    for hides in [
        "-- x\r\\! id",
        "SELECT 1 \r-- \n;",
        "SELECT 1 \0'\n;\n\\! id\n--'\n;",
        "COPY q FROM stdin;\n\0\n\\.\n",
        "COPY q FROM stdin; /*\n\\.\n*/\n\\! id\n/*\n\\.\n*/\n;",
        "COPY q FROM stdin; SELECT '\n\\.\n';",
        "COPY q FROM stdin; -\n\\.\n;",
        "COPY q FROM stdin; \\restrict abc\n\\.\n\\unrestrict abc\n",
        "SET standard_conforming_strings = 'off';",
        "SET LOCAL standard_conforming_strings = off;",
        "SET \"standard_conforming_strings\" TO off;",
        "SET standard_conforming_strings = off; RESET ALL;",
        "RESET standard_conforming_strings;",
        "SELECT E'a'\n'b\\' \\! id\n\r\n--';",
        "SET standard_conforming_strings = off;\nSELECT b'\\' \\! id';",
        "SET standard_conforming_strings = off;\nSELECT U&'\\' \\! id';",
        "SET standard_conforming_strings = off;\nSELECT X'\\' \\! id';",
        "SELECT 1E'\\''",
        "--\n-- Name: foo; Type: DATABASE; Schema: -; Owner: x\n--\nCOPY t FROM stdin\n\\connect foo\n;\n\\! id\n\\.\n",
        "\\restrict abc\nSELECT 1;\n-- x\r\\unrestrict abc\n-- x\r\\q\nSELECT 2;\n\\unrestrict abc\n",
        "SELECT 1 \\restrict abc\n;\n\\unrestrict abc\n",
        "\\restrict a\n\\unrestrict a\n\\restrict b\n\\unrestrict b\n",
    ] {
        assert_eq!(code(with(hides)), "dump_runs_commands", "{hides:?}");
    }
    let long = format!("\\restrict {} \\! id\n", "a".repeat(5000));
    assert_eq!(code(with(&long)), "dump_runs_commands");
    // Escapes are of the texts that have them, whatever the setting.
    for sound in [
        "SET standard_conforming_strings = off;\nSELECT '\\'', n'\\'', u & '\\'', E'\\'';",
        "SET standard_conforming_strings = on;\nSELECT '\\', E'\\'', U&'\\';",
    ] {
        assert_eq!(code(with(sound)), "whole", "{sound}");
    }
    // What the text does not show is for the restriction of `psql` itself.
    let blind =
        "SELECT set_config('standard_conforming_strings','off',false);\nSELECT 'x\\', ';\n\\! id\n--';";
    assert_eq!(code(with(blind)), "whole");
}

#[test]
fn names_that_are_kept_count_against_the_limit() {
    let mut reader = PlainReader::default();
    reader.push(head().as_bytes()).unwrap();
    let name = "n".repeat(1 << 19);
    let failed = (0..1000).find_map(|number| {
        let copy = format!("COPY public.{name}{number} (a) FROM stdin;\n\\.\n");
        reader.push(copy.as_bytes()).err()
    });
    assert_eq!(failed.unwrap().code.as_str(), "archive_too_large");
}

#[test]
fn another_database_is_refused() {
    for other in ["\\connect other", "\\c other", "\\connect -reuse-previous=on \"dbname='other'\""] {
        assert_eq!(code(with(other)), "dump_switches_database", "{other}");
    }
    let make = "--\n-- Name: a b; Type: DATABASE; Schema: -; Owner: x\n--\n\nCREATE DATABASE \"a b\";\n";
    assert_eq!(code(with(&format!("{make}\\connect -reuse-previous=on \"dbname='a b'\"\n"))), "whole");
    assert_eq!(code(with(&format!("{make}\\connect other\n"))), "dump_switches_database");
}

#[test]
fn the_beginning_shows_what_is_in_it_and_says_that_there_may_be_more() {
    let whole = fixture("pg17.sql");
    let so_far = |length: usize| {
        let mut inspector = Inspector::default();
        let _ = inspector.push(&whole[..length]).unwrap();
        inspector.so_far()
    };
    let contents = so_far(6000).unwrap();
    assert!(!contents.is_whole() && contents.toc().extensions().count() == 2);
    assert!(contents.toc().tables().count() < 10);
    assert!(matches!(so_far(120), Err(NoContents::CutOff(_))));
}

#[test]
fn what_is_no_script_of_pg_dump_is_called_what_it_is() {
    let crlf = String::from_utf8(fixture("pg17.sql")).unwrap().replace('\n', "\r\n");
    assert_eq!(code(read(crlf.as_bytes(), 4096)), "dump_crlf");
    let failure = read(b"-- MySQL dump 10.13\n", 4096).unwrap_err();
    assert!(failure.message.contains("MySQL"), "{failure}");
    assert_eq!(code(read(b"", 1)), "empty_dump");
    assert_eq!(code(read(b"--\n-- Postgre", 1)), "not_an_archive");
}

#[test]
fn a_line_is_of_the_object_whose_comment_precedes_it() {
    let bytes = fixture("pg17.sql");
    let dump = read(&bytes, 4096).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let line = text.lines().position(|line| line.starts_with("CREATE TABLE app.account")).unwrap() + 1;
    let entry = dump.entry_at(line as u64).unwrap();
    let entry = dump.toc.entries.iter().find(|of| of.dump_id == entry).unwrap();
    assert_eq!((entry.desc.as_str(), entry.tag.as_str()), ("TABLE", "account"));
    assert_eq!(dump.entry_at(1), None);
}
