use super::*;

fn fixture(major: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/plain/pg{major}-cluster.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn read(bytes: &[u8], piece: usize) -> Result<ClusterDump, Failure> {
    let mut reader = ClusterReader::default();
    for piece in bytes.chunks(piece) {
        reader.push(piece)?;
    }
    reader.finish()
}

fn code(bytes: &[u8]) -> &'static str {
    read(bytes, 4096).map_or_else(|failure| failure.code.as_str(), |_| "whole")
}

#[test]
fn the_databases_and_the_roles_of_a_server_are_read() {
    for major in ["15", "17"] {
        let bytes = fixture(major);
        for piece in [1, 13, 1 << 20] {
            let cluster = read(&bytes, piece).unwrap();
            let names: Vec<&str> = cluster.databases.iter().map(|database| database.name.as_str()).collect();
            assert_eq!(names, ["template1", "Second DB", "first", "postgres"]);
            assert!(
                cluster.globals.roles.contains_key("auditor") && cluster.globals.roles["postgres"].superuser
            );
            assert!(cluster.globals.with_password.contains("auditor"));
            assert!(cluster.globals.left_out.is_empty(), "{:?}", cluster.globals.left_out);
            let rows: Vec<u64> =
                cluster.databases.iter().map(|database| database.dump.rows.values().sum()).collect();
            assert_eq!(rows, [0, 3, 8, 0]);
            assert_eq!(cluster.databases[1].dump.toc.locale().unwrap().collate, "en_US.utf8");
        }
    }
}

#[test]
fn each_part_is_what_psql_is_to_read_and_nothing_else() {
    let bytes = fixture("17");
    for database in read(&bytes, 100).unwrap().databases {
        let start = database.dump.start.unwrap();
        let (from, length) = (start.bytes as usize, start.length.unwrap() as usize);
        let part = std::str::from_utf8(&bytes[from..from + length]).unwrap();
        assert!(part.trim_start_matches("--\n").trim_start().starts_with("\\restrict"), "{part}");
        assert!(!part.contains("\\connect") && !part.contains("CREATE DATABASE"), "{part}");
        let last = part.lines().last().unwrap();
        assert!(last.starts_with("\\unrestrict"), "{last}");
        assert!(!part.contains("SCRAM-SHA-256"));
    }
}

#[test]
fn one_that_was_cut_anywhere_is_incomplete() {
    let bytes = fixture("17");
    let end = bytes.len() - 4;
    for length in (100..end).step_by(613).chain([end - 20]) {
        assert_eq!(code(&bytes[..length]), "dump_incomplete", "{length}");
    }
    assert_eq!(code(&bytes[..end]), "whole", "all but an empty comment");
}

#[test]
fn what_stands_between_the_databases_or_in_one_is_refused() {
    let text = String::from_utf8(fixture("17")).unwrap();
    for (before, inserted, expected) in [
        ("--\n-- Database \"first\" dump", "\\! id\n", "dump_runs_commands"),
        ("--\n-- Database \"first\" dump", "DROP DATABASE postgres;\n", "dump_runs_commands"),
        ("CREATE ROLE importer", "\\! id\n", "dump_runs_commands"),
        ("COPY public.only_here", "\\! id\n", "dump_runs_commands"),
        ("COPY public.only_here", "\\connect postgres\n", "dump_switches_database"),
        ("CREATE ROLE importer", "DROP DATABASE IF EXISTS first;\nDROP ROLE IF EXISTS a;\n", "whole"),
    ] {
        let at = text.find(before).unwrap_or_else(|| panic!("{before}"));
        let altered = [&text[..at], inserted, &text[at..]].concat();
        assert_eq!(code(altered.as_bytes()), expected, "{inserted} before {before}");
    }
}
