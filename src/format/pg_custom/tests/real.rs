//! What `pg_restore --list --verbose` says about each fixture is what is read from it.

use super::{PUBLIC, WHOLE, dump, fixture};
use crate::format::pg_custom::{
    ArchiveError, ArchiveFormat, Compression, Data, Entry, Limits, QualifiedName, Section, Status, Toc,
    TocReader, read_toc,
};

fn toc(name: &str) -> Toc {
    read_toc(&dump(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn table(schema: &str, name: &str) -> QualifiedName {
    QualifiedName { schema: schema.to_owned(), name: name.to_owned() }
}

fn find<'a>(toc: &'a Toc, desc: &str, tag: &str) -> &'a Entry {
    toc.entries.iter().find(|e| e.desc == desc && e.tag == tag).unwrap_or_else(|| panic!("no {desc} {tag}"))
}

const LINE_ITEMS: &str = "Line Items; \"quoted\" 表";

/// The lines of `PrintTOCSummary`.
fn list(toc: &Toc) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in &toc.entries {
        // `sanitize_line`
        let one_line = |text: &str| text.replace(['\n', '\r'], " ");
        lines.push(format!(
            "{}; {} {} {} {} {} {}",
            entry.dump_id,
            entry.catalog_id.table_oid,
            entry.catalog_id.oid,
            entry.desc,
            one_line(entry.namespace.as_deref().unwrap_or("-")),
            one_line(&entry.tag),
            one_line(entry.owner.as_deref().unwrap_or_default()),
        ));
        if !entry.dependencies.is_empty() {
            let ids: Vec<_> = entry.dependencies.iter().map(ToString::to_string).collect();
            lines.push(format!(";\tdepends on: {}", ids.join(" ")));
        }
    }
    lines
}

#[test]
fn entries_agree_with_pg_restore() {
    for name in WHOLE.into_iter().chain(PUBLIC) {
        let expected = String::from_utf8(fixture(&format!("{name}.list"))).unwrap();
        let (_, expected) = expected.split_once("; Selected TOC Entries:\n;\n").unwrap();
        let toc = toc(name);
        assert_eq!(list(&toc), expected.lines().collect::<Vec<_>>(), "{name}");
        assert!(!toc.lossy);
    }
}

#[test]
fn headers_agree_with_pg_restore() {
    for name in WHOLE.into_iter().chain(PUBLIC) {
        let expected = String::from_utf8(fixture(&format!("{name}.list"))).unwrap();
        let says =
            |line: &str| assert!(expected.contains(&format!("{line}\n")), "{name} does not say {line}");
        let header = toc(name).header;
        says(&format!("; Archive created at {} UTC", header.created_at.unwrap().format("%F %T")));
        says(&format!(";     dbname: {}", header.database));
        says(&format!(";     TOC Entries: {}", header.entry_count));
        says(&format!(";     Dump Version: {}-0", header.format_version));
        says(&format!(";     Dumped from database version: {}", header.server_version));
        says(&format!(";     Dumped by pg_dump version: {}", header.dump_version));
        says(&format!(
            ";     Compression: {}",
            match header.compression {
                Compression::None if name.starts_with("pg15") => "0".to_owned(),
                Compression::None => "none".to_owned(),
                Compression::Gzip { level: Some(level) } => level.to_string(),
                Compression::Gzip { level: None } => "gzip".to_owned(),
                Compression::Lz4 => "lz4".to_owned(),
                Compression::Zstd => "zstd".to_owned(),
            }
        ));
        let major = if name.starts_with("pg15") { 15 } else { 17 };
        assert_eq!((header.server_major(), header.dump_major()), (Some(major), Some(major)));
    }
}

#[test]
fn compression_is_as_asked_for() {
    let compression = |name| toc(name).header.compression;
    assert_eq!(compression("pg15-none"), Compression::None);
    assert_eq!(compression("pg15-gzip"), Compression::Gzip { level: Some(6) });
    assert_eq!(compression("pg15-pipe"), Compression::Gzip { level: Some(-1) });
    assert_eq!(compression("pg17-none"), Compression::None);
    assert_eq!(compression("pg17-gzip"), Compression::Gzip { level: None });
    assert_eq!(compression("pg17-lz4"), Compression::Lz4);
    assert_eq!(compression("pg17-zstd"), Compression::Zstd);
}

#[test]
fn data_begins_right_after_the_toc() {
    for name in WHOLE {
        let toc = toc(name);
        let placed = toc.entries.iter().filter_map(|entry| match entry.data {
            Data::At(position) => Some(position),
            Data::None | Data::Unplaced => None,
        });
        let first = if name.ends_with("pipe") { None } else { Some(toc.size_bytes) };
        assert_eq!(placed.min(), first, "{name}");
        for entry in &toc.entries {
            assert_eq!(entry.has_data, entry.data != Data::None, "{name}: {}", entry.tag);
        }
    }
}

#[test]
fn tables_and_what_else_a_restore_needs() {
    for name in WHOLE {
        let toc = toc(name);
        let mut tables: Vec<_> = toc.tables().collect();
        tables.sort();
        let mut expected = vec![
            table("Odd Schema ü", LINE_ITEMS),
            table("app", "account"),
            table("app", "reading"),
            table("app", "reading_2026"),
            table("app", "reading_rest"),
            table("app", "select"),
            table("app", "tenant"),
            table("public", "event"),
        ];
        assert_eq!(tables, expected, "{name}");

        // The partitioned table has no rows of its own.
        expected.retain(|table| table.name != "reading");
        let mut data: Vec<_> = toc.table_data().collect();
        data.sort();
        assert_eq!(data, expected, "{name}");
        assert!(toc.tables_without_data().is_empty(), "{name}");

        assert_eq!(toc.extensions().collect::<Vec<_>>(), ["pg_trgm", "pgcrypto"], "{name}");
        let schemas: Vec<_> = toc.schemas().collect();
        assert_eq!(schemas, ["Odd Schema ü", "app", "ext", "public"], "{name}");
        assert!(!toc.creates_public_schema(), "{name}");
        assert_eq!(toc.encoding(), Some("UTF8"), "{name}");
        assert_eq!(toc.std_strings(), Some(true), "{name}");
        let roles: Vec<_> = toc.roles().into_iter().collect();
        assert_eq!(roles, ["Read Only", "auditor", "importer", "révi\"seur TO x"], "{name}");
    }
}

#[test]
fn public_is_created_if_it_was_asked_for_by_name() {
    for name in PUBLIC {
        let toc = toc(name);
        assert_eq!(toc.schemas().collect::<Vec<_>>(), ["public"], "{name}");
        assert!(toc.creates_public_schema(), "{name}");
    }
}

#[test]
fn foreign_keys_within_and_across_schemas() {
    for name in WHOLE {
        let toc = toc(name);
        let mut keys: Vec<_> = toc.foreign_keys().into_iter().map(|k| (k.child, k.parent, k.name)).collect();
        keys.sort();
        let odd = table("Odd Schema ü", LINE_ITEMS);
        let tenant = table("app", "tenant");
        let account = table("app", "account");
        let odd_key = "Line Items; \"quoted\" 表_region_tenant name_fkey".to_owned();
        let event_key = "event \"REFERENCES\" account".to_owned();
        let expected = [
            (odd.clone(), tenant.clone(), odd_key),
            (account.clone(), account.clone(), "account_parent_id_fkey".to_owned()),
            (account.clone(), tenant.clone(), "account_tenant_id_fkey".to_owned()),
            (table("app", "reading"), tenant, "reading_tenant_id_fkey".to_owned()),
            (table("app", "select"), odd, "select_user_fkey".to_owned()),
            (table("public", "event"), account, event_key),
        ];
        assert_eq!(keys, expected, "{name}");
        // None was left out for its form.
        assert_eq!(keys.len(), toc.entries.iter().filter(|e| e.desc == "FK CONSTRAINT").count(), "{name}");
    }
}

#[test]
fn fields_of_entries() {
    for name in WHOLE {
        let toc = toc(name);
        let tenant = find(&toc, "TABLE", "tenant");
        assert!(tenant.defn.starts_with("CREATE TABLE app.tenant ("), "{name}");
        assert_eq!(tenant.drop_stmt.as_deref(), Some("DROP TABLE app.tenant;\n"));
        assert_eq!(tenant.section, Section::PreData);
        assert_eq!(tenant.table_access_method.as_deref(), Some("heap"));
        assert_eq!(tenant.owner.as_deref(), Some("postgres"));
        assert_eq!(tenant.relkind, name.starts_with("pg17").then_some('r'));
        assert!(!tenant.has_data && !tenant.with_oids && !tenant.is_partitioned_table());
        assert!(find(&toc, "TABLE", "reading").is_partitioned_table());
        assert!(!find(&toc, "TABLE", "reading_2026").is_partitioned_table());

        let rows = find(&toc, "TABLE DATA", "tenant");
        assert_eq!(
            rows.copy_stmt.as_deref(),
            Some("COPY app.tenant (id, region, name, state) FROM stdin;\n")
        );
        assert_eq!(rows.section, Section::Data);
        assert_eq!(rows.dependencies, [tenant.dump_id]);
        assert!(rows.has_data && rows.defn.is_empty());

        assert_eq!(find(&toc, "VIEW", "a\nview").namespace.as_deref(), Some("app"));
        assert_eq!(find(&toc, "EXTENSION", "pg_trgm").owner, None);
        assert_eq!(find(&toc, "FK CONSTRAINT", "account account_tenant_id_fkey").section, Section::PostData);
        assert_eq!(find(&toc, "COMMENT", "SCHEMA app").section, Section::None);
    }
}

#[test]
fn size_of_chunks_makes_no_difference() {
    for name in WHOLE {
        let bytes = dump(name);
        let whole = toc(name);
        for size in [1, 2, 7, 512, 4096] {
            let mut reader = TocReader::new(Limits::default());
            let mut taken = 0;
            for chunk in bytes.chunks(size) {
                taken += chunk.len();
                if reader.push(chunk).unwrap() == Status::Done {
                    break;
                }
            }
            // Done with the chunk that holds the last byte, not later.
            assert_eq!(taken.div_ceil(size), usize::try_from(whole.size_bytes).unwrap().div_ceil(size));
            assert_eq!(reader.push(b"more rows"), Ok(Status::Done));
            assert_eq!(reader.finish().unwrap(), whole, "{name} in chunks of {size}");
        }
    }
}

#[test]
fn directories_say_that_they_are_tar_archives() {
    for name in ["pg15-directory.toc", "pg17-directory.toc"] {
        let expected = ArchiveError::UnsupportedFormat { format: ArchiveFormat::TarOrDirectory };
        assert_eq!(read_toc(&fixture(name)), Err(expected), "{name}");
    }
}
