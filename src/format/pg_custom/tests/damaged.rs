//! What is no archive, or half of one, or made to do harm: an error that says so, never a panic.

use proptest::prelude::*;

use super::{PUBLIC, WHOLE, dump, encode::Encoder};
use crate::format::pg_custom::{ArchiveError, Guess, Limits, Status, Toc, TocReader, read_toc};

fn in_chunks(bytes: &[u8], size: usize, limits: Limits) -> Result<Toc, ArchiveError> {
    let mut reader = TocReader::new(limits);
    for chunk in bytes.chunks(size) {
        match reader.push(chunk) {
            Ok(Status::NeedMore) => {}
            Ok(Status::Done) => break,
            Err(error) => {
                assert_eq!(reader.push(b"more"), Err(error), "the error stays");
                break;
            }
        }
    }
    reader.finish()
}

fn use_every_helper(toc: &Toc) {
    let _ = (toc.encoding(), toc.std_strings(), toc.creates_public_schema());
    let _ = (toc.roles(), toc.foreign_keys(), toc.tables_without_data());
    let _ = (toc.extensions().count(), toc.schemas().count(), toc.header.server_major());
}

#[test]
fn every_truncation_is_noticed() {
    // All of the small archives, and a sample of the large ones.
    let steps = PUBLIC.into_iter().zip([1; 2]).chain(WHOLE.into_iter().zip([41; 8]));
    for (name, step) in steps {
        let bytes = dump(name);
        let size = usize::try_from(read_toc(&bytes).unwrap().size_bytes).unwrap();
        for end in (1..size).step_by(step) {
            let at = end as u64;
            assert_eq!(read_toc(&bytes[..end]), Err(ArchiveError::Truncated { at }), "{name}");
        }
        assert!(read_toc(&bytes[..size]).is_ok());
    }
    assert_eq!(read_toc(b""), Err(ArchiveError::Empty));
}

#[test]
fn other_files_are_recognised() {
    let mut tar = vec![0; 1024];
    tar[..7].copy_from_slice(b"toc.dat");
    tar[257..262].copy_from_slice(b"ustar");
    let mut other_tar = tar.clone();
    other_tar[..8].copy_from_slice(b"base.tar");
    let mut binary = vec![0x80; 600];
    binary[0] = 0x01;
    for (bytes, looks_like) in [
        (b"--\n-- PostgreSQL database dump\n--\n".as_slice(), "an SQL script (pg_dump --format=plain)"),
        (b"--\n-- PostgreSQL database cluster dump\n", "an SQL script of a whole cluster (pg_dumpall)"),
        (b"-- MySQL dump 10.13", "an SQL script of MySQL or MariaDB"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "a file compressed with gzip"),
        (b"\x28\xb5\x2f\xfd\0", "a file compressed with zstd"),
        (b"age-encryption.org/v1\n-> X25519", "a file that is still encrypted with age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "a file that is still encrypted with age"),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied", "XML, perhaps an error message"),
        (b"{\"error\": 403}", "JSON, perhaps an error message"),
        (b"\xff\xfeP\0G\0D\0M\0P\0", "UTF-16 text, as made by a shell that re-encodes what is redirected"),
        (b"pg_dump: error: connection to server failed: \xc3", "plain text"),
        (&[0; 2000], "zero bytes only"),
        (&tar, "a tar archive of pg_dump (pg_dump --format=tar)"),
        (&other_tar, "a tar file"),
        (&binary, "nothing known (first bytes: 01 80 80 80 80 80 80 80)"),
        (b"PGDMX", "plain text"),
        (b"\x07\x80", "nothing known (first bytes: 07 80)"),
    ] {
        let error = read_toc(bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("it is not a custom-format archive of pg_dump but looks like {looks_like}")
        );
        assert_eq!(in_chunks(bytes, 1, Limits::default()), Err(error));
    }
    assert!(matches!(read_toc(&tar), Err(ArchiveError::NotAnArchive { looks_like: Guess::TarDump })));
    // What could still become an archive is not called something else.
    assert_eq!(read_toc(b"PGD"), Err(ArchiveError::Truncated { at: 3 }));
}

#[test]
fn limits_hold_before_memory_is_taken() {
    let bytes = dump("pg17-zstd");
    let toc = read_toc(&bytes).unwrap();
    let exact = Limits { bytes: toc.size_bytes, entries: toc.header.entry_count };
    assert_eq!(in_chunks(&bytes, 1000, exact), Ok(toc.clone()));
    let (fewer_bytes, fewer_entries) =
        (Limits { bytes: exact.bytes - 1, ..exact }, Limits { entries: exact.entries - 1, ..exact });
    for (limits, limit, unit) in [
        (fewer_bytes, fewer_bytes.bytes, "bytes"),
        (fewer_entries, u64::from(fewer_entries.entries), "entries"),
    ] {
        assert_eq!(in_chunks(&bytes, 1, limits), Err(ArchiveError::TooLarge { limit, unit }));
    }

    // A text that claims two gigabytes is refused by its length.
    let mut huge = Encoder::new(16).encode(&toc);
    let at = huge.windows(15).position(|window| window == b"archive_fixture").unwrap();
    huge[at - 4..at].copy_from_slice(&i32::MAX.to_le_bytes());
    let too_large = ArchiveError::TooLarge { limit: 64 << 20, unit: "bytes" };
    assert_eq!(read_toc(&huge[..=at]), Err(too_large));
}

#[test]
fn entry_counts_that_are_not_true() {
    let toc = read_toc(&dump("pg17-pipe")).unwrap();
    let with_count = |count| read_toc(&Encoder { entry_count: Some(count), ..Encoder::new(16) }.encode(&toc));
    assert!(matches!(with_count(-1), Err(ArchiveError::Malformed { .. })));
    assert!(matches!(with_count(900_000), Err(ArchiveError::Truncated { .. })));
    assert_eq!(with_count(i32::MAX), Err(ArchiveError::TooLarge { limit: 1_000_000, unit: "entries" }));
    assert_eq!(with_count(0).unwrap().entries, []);
}

#[test]
fn damage_is_placed() {
    let toc = read_toc(&dump("pg17-pipe")).unwrap();
    let error = |change: fn(&mut Toc)| {
        let mut toc = toc.clone();
        change(&mut toc);
        read_toc(&Encoder::new(16).encode(&toc)).unwrap_err().to_string()
    };
    let start = Encoder::new(16).encode(&Toc { entries: vec![], ..toc.clone() }).len();
    assert_eq!(
        error(|toc| toc.entries[0].dump_id = 0),
        format!("its table of contents is damaged at byte {start}: an entry has the number 0")
    );
    assert!(error(|toc| toc.entries[0].relkind = Some(' ')).ends_with(": the kind of relation is no letter"));
    assert!(error(|toc| toc.entries[0].tag.push('\0')).ends_with(": the name of an entry holds a zero byte"));

    let mut bytes = Encoder::new(16).encode(&toc);
    bytes[11] = 9;
    let expected = "its table of contents is damaged at byte 11: compression algorithm 9 is not known";
    assert_eq!(read_toc(&bytes).unwrap_err().to_string(), expected);
}

#[test]
fn an_impossible_time_is_no_error() {
    let mut bytes = Encoder::new(16).encode(&read_toc(&dump("pg17-pipe")).unwrap());
    bytes[12 + 3 * 5 + 1] = 99; // the day
    assert_eq!(read_toc(&bytes).unwrap().header.created_at, None);
}

/// Many dependencies and a long text, byte by byte: hangs here if pushes are not cheap.
#[test]
fn small_pushes_are_cheap() {
    let mut toc = read_toc(&dump("pg17-pipe")).unwrap();
    toc.entries[5].dependencies = (1..100_000).collect();
    toc.entries[6].defn = "x".repeat(1_000_000);
    let bytes = Encoder::new(16).encode(&toc);
    let read = in_chunks(&bytes, 1, Limits::default()).unwrap();
    assert_eq!(read.entries, toc.entries);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), size in 1usize..600) {
        let whole = read_toc(&bytes);
        prop_assert_eq!(in_chunks(&bytes, size, Limits::default()), whole);
    }

    #[test]
    fn random_headers_never_panic(
        minor in 11u8..18, sizes in any::<[u8; 2]>(), rest in prop::collection::vec(0u8..6, 0..2000),
    ) {
        let [int_size, offset_size] = sizes.map(|size| size % 34);
        let mut bytes = b"PGDMP".to_vec();
        bytes.extend([1, minor, 0, int_size, offset_size, 1]);
        bytes.extend(rest);
        if let Ok(toc) = read_toc(&bytes) {
            use_every_helper(&toc);
        }
    }

    #[test]
    fn mutated_archives_never_panic(
        which in 0..WHOLE.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        size in 1usize..5000,
    ) {
        let mut bytes = dump(WHOLE[which]);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = read_toc(&bytes);
        if let Ok(toc) = &whole {
            use_every_helper(toc);
        }
        prop_assert_eq!(in_chunks(&bytes, size, Limits::default()), whole);
    }

    #[test]
    fn random_sql_never_panics(sql in "(CREATE|POLICY|ALTER|TABLE|FOREIGN|KEY|TO|ON|p|\"|'|\\\\|\\.|,| |\\PC){0,40}") {
        let mut toc = read_toc(&dump("pg15-public")).unwrap();
        for (entry, desc) in toc.entries.iter_mut().zip(["POLICY", "USER MAPPING", "FK CONSTRAINT", "ENCODING"]) {
            desc.clone_into(&mut entry.desc);
            entry.defn.clone_from(&sql);
        }
        use_every_helper(&toc);
    }
}
