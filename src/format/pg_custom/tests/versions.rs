//! Every version that is read, and the sizes that other machines write.

use super::{dump, encode::Encoder};
use crate::format::pg_custom::{
    ArchiveError, Compression, ForeignKey, FormatVersion, QualifiedName, Toc, read_toc,
};

fn sample() -> Toc {
    read_toc(&dump("pg17-pipe")).unwrap()
}

/// What is left of a table of contents in a version.
fn as_of(mut toc: Toc, minor: u8) -> Toc {
    toc.header.format_version = FormatVersion::new(1, minor);
    if minor < 15 {
        toc.header.compression = Compression::Gzip { level: Some(-1) };
    }
    for entry in &mut toc.entries {
        if minor < 14 {
            entry.table_access_method = None;
        }
        if minor < 16 {
            entry.relkind = None;
        }
    }
    toc
}

#[test]
fn every_version_is_read() {
    for minor in 12..=16 {
        let bytes = Encoder::new(minor).encode(&sample());
        let mut expected = as_of(sample(), minor);
        expected.size_bytes = bytes.len() as u64;
        assert_eq!(read_toc(&bytes).unwrap(), expected, "1.{minor}");
        assert!(expected.tables_without_data().is_empty(), "1.{minor}");
    }
}

#[test]
fn revisions_of_a_known_version_are_read() {
    let mut encoder = Encoder::new(16);
    encoder.version.revision = 7;
    let toc = read_toc(&encoder.encode(&sample())).unwrap();
    assert_eq!(toc.header.format_version.to_string(), "1.16-7");
}

#[test]
fn other_versions_are_refused_by_name() {
    for (major, minor, name) in [(1, 11, "1.11"), (1, 17, "1.17"), (0, 16, "0.16"), (2, 14, "2.14")] {
        let mut encoder = Encoder::new(minor);
        encoder.version.major = major;
        let error = read_toc(&encoder.encode(&sample())).unwrap_err();
        assert_eq!(error, ArchiveError::UnsupportedVersion { version: FormatVersion::new(major, minor) });
        assert_eq!(
            error.to_string(),
            format!("its format version is {name}, and only 1.12 to 1.16 can be read")
        );
    }
}

#[test]
fn integers_and_positions_of_other_machines() {
    for (int_size, offset_size) in [(2, 4), (8, 4), (8, 16), (32, 32)] {
        let encoder = Encoder { int_size, offset_size, ..Encoder::new(16) };
        let bytes = encoder.encode(&sample());
        let toc = read_toc(&bytes).unwrap();
        assert_eq!(toc.entries, sample().entries, "{int_size} {offset_size}");
    }
    for (int_size, offset_size) in [(0, 8), (33, 8), (4, 0), (4, 33)] {
        let mut bytes = Encoder::new(16).encode(&sample());
        bytes[8] = int_size;
        bytes[9] = offset_size;
        assert!(matches!(read_toc(&bytes), Err(ArchiveError::Malformed { at: 8 | 9, .. })));
    }
}

#[test]
fn versions_of_servers() {
    let mut header = sample().header;
    let mut major = |version: &str| {
        version.clone_into(&mut header.server_version);
        header.server_major()
    };
    assert_eq!(major("17.2 (Debian 17.2-1.pgdg120+1)"), Some(17));
    assert_eq!(major("9.6.24"), Some(9));
    assert_eq!(major("18beta1"), Some(18));
    assert_eq!(major("16"), Some(16));
    assert_eq!(major(""), None);
    assert_eq!(major("unknown"), None);
    assert_eq!(major("99999999999.1"), None);
}

/// Before March 2018 names in SQL were left to the search path, and `public` was always created.
#[test]
fn habits_of_old_dumps() {
    let mut toc = sample();
    for entry in &mut toc.entries {
        if entry.desc == "SCHEMA" && entry.tag == "public" {
            entry.defn = "CREATE SCHEMA public;\n".to_owned();
        }
        if entry.tag == "account account_tenant_id_fkey" {
            entry.defn = "ALTER TABLE ONLY account\n    ADD CONSTRAINT account_tenant_id_fkey \
                          FOREIGN KEY (tenant_id) REFERENCES tenant(id);\n"
                .to_owned();
        }
    }
    let toc = read_toc(&Encoder::new(12).encode(&toc)).unwrap();
    assert!(toc.creates_public_schema());
    let name = |name: &str| QualifiedName { schema: "app".to_owned(), name: name.to_owned() };
    assert!(toc.foreign_keys().contains(&ForeignKey {
        name: "account_tenant_id_fkey".to_owned(),
        child: name("account"),
        parent: name("tenant"),
    }));
}

#[test]
fn tables_whose_rows_were_left_out() {
    let mut toc = sample();
    toc.entries.retain(|entry| entry.desc != "TABLE DATA" || entry.tag == "tenant");
    let names: Vec<_> = toc.tables_without_data().iter().map(ToString::to_string).collect();
    let odd = "Odd Schema ü.\"Line Items; \"\"quoted\"\" 表\"";
    assert_eq!(
        names,
        [odd, "app.account", "app.reading_2026", "app.reading_rest", "app.select", "public.event"]
    );
}

#[test]
fn dumps_in_another_encoding_are_read_with_a_mark() {
    let toc = sample();
    let mut bytes = Encoder::new(16).encode(&toc);
    let word = b"the application";
    let at = bytes.windows(word.len()).position(|window| window == word).unwrap();
    bytes[at] = 0xe9; // é in LATIN1
    let read = read_toc(&bytes).unwrap();
    assert!(read.lossy);
    assert!(read.entries.iter().any(|entry| entry.defn.contains("\u{fffd}he application")));
}
