//! What is inside a recovery point, from its first bytes: a ranged read, decrypted as far as it goes.
//!
//! The table of contents of a dump is never compressed by pg_dump and comes before the rows, and age encrypts in chunks of 64
//! KiB that each stand for themselves; other layers are read from their beginning, too. So a dump of 10 GB costs as much as
//! one of 10 MB: its table of contents. The range grows until that is whole.

use std::io::Read;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::format::{Inspector, NoContents, Progress, pg_custom};
use crate::layer::{self, DecryptFailure, Identities};
use crate::model::entry_rule::EntryRule;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::RecoveryPoint;
use crate::plan::contents::Contents;
use crate::store::Store;

/// The first range. Most tables of contents fit.
const FIRST: u64 = 256 * 1024;
/// How much larger each next one is.
const GROWTH: u64 = 4;
/// Ranges up to here are read of several recovery points at once; what is larger is read one after another, so that a
/// plan holds one large table of contents at a time.
const AT_ONCE_UP_TO: u64 = 4 << 20;
/// Room for the largest table of contents that is read, encrypted and armored.
const LARGEST: u64 = 96 << 20;
/// Plaintext handed on at once.
const CHUNK: usize = 64 * 1024;

/// What the first bytes of a recovery point show.
#[derive(Debug)]
pub enum FirstBytes {
    /// All of its table of contents.
    Contents(Box<Contents>),
    /// More bytes are needed; this many bytes of plaintext came so far.
    More(u64),
    /// It cannot be read, however many bytes there are.
    Failed(Failure),
}

/// What is left out of a recovery point.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    /// Entries.
    pub entries: Vec<EntryRule>,
    /// Extensions.
    pub extensions: Vec<String>,
    /// The database that is asked for, of a recovery point that holds several.
    pub database: Option<DatabaseName>,
}

/// Looks at the first bytes of a recovery point; `whole` if there are no others. Pure.
pub fn peek(bytes: &[u8], whole: bool, identities: &Identities, ignore: &Ignore) -> FirstBytes {
    let mut plaintext = match layer::open(bytes, identities) {
        Ok(plaintext) => plaintext,
        Err(failure) if !whole && failure.may_be_cut() => return FirstBytes::More(0),
        Err(failure) => return FirstBytes::Failed(failure.into_failure()),
    };
    let mut inspector = Inspector::default();
    let mut chunk = vec![0; CHUNK];
    let mut progress = 0;
    loop {
        match plaintext.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                progress += count as u64;
                match inspector.push(&chunk[..count]) {
                    Ok(Progress::NeedMore) => {}
                    Ok(Progress::Done) => break,
                    Err(failure) => return FirstBytes::Failed(failure),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let failure = DecryptFailure::from_stream(error);
                // The end of the range is not the end of a chunk.
                if whole || !failure.may_be_cut() {
                    return FirstBytes::Failed(failure.into_failure());
                }
                break;
            }
        }
    }
    match if whole { inspector.finish() } else { inspector.so_far() } {
        Ok(contents) => {
            let contents = match &ignore.database {
                Some(database) => match contents.of_database(database) {
                    Ok(contents) => contents,
                    Err(failure) => return FirstBytes::Failed(failure),
                },
                None => contents,
            };
            let left_out = contents.toc().leave_out(&ignore.entries, &ignore.extensions);
            let contents = Contents::of(&contents, left_out, bytes.len() as u64);
            FirstBytes::Contents(Box::new(Contents { layers: plaintext.layers, ..contents }))
        }
        Err(NoContents::CutOff(_)) if !whole => FirstBytes::More(progress),
        Err(error) => FirstBytes::Failed(error.into_failure()),
    }
}

/// Reads what is inside a recovery point. The object must still be the one that was listed. Whoever reads several at
/// once gives all of them the same `turn`, with one permit.
///
/// # Errors
/// What is wrong with the recovery point, as a drill would say it, or with the way to it.
pub async fn read_contents(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    point: &RecoveryPoint,
    ignore: Ignore,
    turn: &Semaphore,
) -> Result<Contents> {
    let mut bytes = Vec::new();
    let mut end = FIRST;
    let mut stuck_at = None;
    let mut held = None;
    let ignore = Arc::new(Ignore { database: Some(point.database.clone()), ..ignore });
    loop {
        end = end.min(point.size_bytes);
        if end > AT_ONCE_UP_TO && held.is_none() {
            held = Some(turn.acquire().await.expect("it is never closed"));
        }
        read_up_to(&mut bytes, end, store, point).await?;
        let whole = end == point.size_bytes;
        let (keys, ignore) = (Arc::clone(identities), Arc::clone(&ignore));
        let (peeked, back) =
            tokio::task::spawn_blocking(move || (peek(&bytes, whole, &keys, &ignore), bytes))
                .await
                .expect("reading a table of contents does not panic");
        bytes = back;
        match peeked {
            FirstBytes::Contents(contents) => return Ok(*contents),
            FirstBytes::Failed(failure) => return Err(failure),
            // Four times the bytes and not one more of them decrypted: what comes next is broken, not cut off.
            FirstBytes::More(progress) if stuck_at == Some(progress) => {
                return Err(broken(&bytes, identities));
            }
            FirstBytes::More(_) if end >= LARGEST => return Err(pg_custom::too_large(LARGEST)),
            FirstBytes::More(progress) => stuck_at = Some(progress),
        }
        end = end.saturating_mul(GROWTH).min(LARGEST);
    }
}

/// Reads on, in pieces: a second copy of a large range would take as much again.
async fn read_up_to(
    bytes: &mut Vec<u8>,
    end: u64,
    store: &Arc<dyn Store>,
    point: &RecoveryPoint,
) -> Result<()> {
    let mut have = bytes.len() as u64;
    bytes.reserve_exact(usize::try_from(end.saturating_sub(have)).expect("the largest range fits memory"));
    while have < end {
        let piece = have..end.min(have + AT_ONCE_UP_TO);
        bytes.extend_from_slice(&store.read(&point.key, point.etag.as_deref(), piece).await?);
        have = bytes.len() as u64;
    }
    Ok(())
}

/// Why bytes do not decrypt, given that more of them do not help.
fn broken(bytes: &[u8], identities: &Identities) -> Failure {
    let read = |mut opened: layer::Opened<'_>| {
        std::io::copy(&mut opened, &mut std::io::sink()).map_err(DecryptFailure::from_stream)
    };
    match layer::open(bytes, identities).and_then(read) {
        // What ends early ends where the range does.
        Ok(_) | Err(DecryptFailure::Truncated) => DecryptFailure::Corrupted.into_failure(),
        Err(failure) => failure.into_failure(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{key, sealed};
    use crate::model::names::ObjectKey;

    /// What a terminal makes of these bytes.
    fn through_a_terminal(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect()
    }

    fn dump() -> Vec<u8> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        let mut dump = std::fs::read(path).unwrap();
        // Rows, as far as a reader of contents knows.
        dump.resize(1 << 20, 7);
        dump
    }

    /// Headers differ in length: they hold a stanza of random length that is ignored.
    fn header_end(file: &[u8]) -> usize {
        let seal = file.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 5;
        seal + file[seal..].iter().position(|byte| *byte == b'\n').unwrap() + 1
    }

    #[test]
    fn contents_are_read_from_any_range_that_holds_them_and_no_other() {
        let key = key();
        let file = sealed(&key, &dump());
        let toc_bytes = match peek(&file, true, &key.identities, &Ignore::default()) {
            FirstBytes::Contents(contents) => contents.toc_bytes,
            other => panic!("{other:?}"),
        };
        for length in (0..file.len()).step_by(7919).chain([1, 100, 200, 65_752, 65_800, 131_400]) {
            match peek(&file[..length], false, &key.identities, &Ignore::default()) {
                FirstBytes::Contents(contents) => {
                    assert!(length as u64 > toc_bytes);
                    assert_eq!(contents.archive.tables, 6.max(contents.archive.tables));
                }
                FirstBytes::More(progress) => assert!(progress <= toc_bytes || length < 65_800, "{length}"),
                // Nothing at all is an empty object only if it is whole.
                FirstBytes::Failed(failure) => {
                    assert_eq!((length, failure.code.as_str()), (0, "empty_object"))
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_as_a_drill_tells_it() {
        let (mine, other) = (key(), key());
        let code = |bytes: &[u8], whole| match peek(bytes, whole, &mine.identities, &Ignore::default()) {
            FirstBytes::Failed(failure) => failure.code.as_str(),
            FirstBytes::More(_) => "more",
            FirstBytes::Contents(_) => "contents",
        };
        assert_eq!(code(&sealed(&other, &dump())[..70_000], false), "no_identity_fits");
        assert_eq!(code(b"PGDMP\x01\x0e and so on\n", false), "not_age");
        assert_eq!(code(&sealed(&mine, b""), true), "empty_dump");
        assert_eq!(code(&sealed(&mine, &[b'x'; 200_000])[..140_000], false), "not_an_archive");
        assert_eq!(code(&sealed(&mine, &dump()[..1000]), true), "dump_truncated");
        let file = sealed(&mine, &dump());
        let cut_off = &file[..header_end(&file) + 200];
        assert_eq!((code(cut_off, true), code(cut_off, false)), ("ciphertext_corrupted", "more"));
    }

    #[test]
    fn what_more_bytes_do_not_mend_is_told_for_what_it_is() {
        let key = key();
        let mut file = sealed(&key, &dump());
        // A letter of the header's own seal, and a byte of the first chunk, which a nonce of 16 bytes precedes.
        let seal = header_end(&file) - 20;
        file[seal] = if file[seal] == b'A' { b'B' } else { b'A' };
        assert_eq!(broken(&file[..262_144], &key.identities).code.as_str(), "age_header_invalid");
        let mut file = sealed(&key, &dump());
        let in_chunk = header_end(&file) + 100;
        file[in_chunk] ^= 1;
        assert_eq!(broken(&file, &key.identities).code.as_str(), "ciphertext_corrupted");
    }

    #[test]
    fn a_dump_that_went_through_a_terminal_is_told_for_what_it_is() {
        let key = key();
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive");
        let mut names = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "dump") {
                continue;
            }
            names += 1;
            let dump = std::fs::read(&path).unwrap();
            let peeked = |bytes: &[u8]| peek(&sealed(&key, bytes), true, &key.identities, &Ignore::default());
            assert!(matches!(peeked(&dump), FirstBytes::Contents(_)), "{}", path.display());
            match peeked(&through_a_terminal(&dump)) {
                FirstBytes::Failed(failure) => {
                    assert_eq!(failure.code.as_str(), "dump_crlf", "{}: {failure}", path.display())
                }
                other => panic!("{}: {other:?}", path.display()),
            }
            // Damage of another kind is called what it is.
            let mut cut = dump.clone();
            cut.truncate(dump.len() / 20);
            match peeked(&cut) {
                FirstBytes::Failed(failure) => {
                    assert_eq!(failure.code.as_str(), "dump_truncated", "{}", path.display())
                }
                other => panic!("{}: {other:?}", path.display()),
            }
        }
        assert!(names >= 6, "{names} archives");
    }

    /// Archives that are longer than is read at once, one for each key. Notes which was read from so far in.
    struct Large(Vec<u8>, std::sync::Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl Store for Large {
        async fn list(&self, _: &str) -> Result<Vec<crate::store::ObjectMeta>> {
            unreachable!("nothing is listed")
        }
        async fn stat(&self, _: &ObjectKey) -> Result<Option<crate::store::ObjectMeta>> {
            unreachable!("nothing is looked up")
        }
        async fn read(
            &self,
            key: &ObjectKey,
            _: Option<&str>,
            range: std::ops::Range<u64>,
        ) -> Result<bytes::Bytes> {
            if range.end > AT_ONCE_UP_TO {
                self.1.lock().unwrap().push(key.to_string());
            }
            tokio::task::yield_now().await;
            let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            Ok(bytes::Bytes::copy_from_slice(&self.0[start..end]))
        }
        async fn create(&self, _: &ObjectKey) -> Result<Box<dyn crate::store::Upload>> {
            unreachable!("nothing is written")
        }
    }

    #[test]
    fn large_tables_of_contents_are_read_one_after_another_in_pieces() {
        let key = key();
        // The name of the database is said to be longer than anything.
        let mut dump = dump();
        let name = dump.windows(15).position(|bytes| bytes == b"archive_fixture").unwrap();
        dump[name - 4..name].copy_from_slice(&(60u32 << 20).to_le_bytes());
        dump.resize(10 << 20, b'x');
        let file = sealed(&key, &dump);
        let size_bytes = file.len() as u64;
        let store = Arc::new(Large(file, std::sync::Mutex::default()));
        let identities = Arc::new(key.identities);
        let as_store: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let turn = Semaphore::new(1);
            let reads = ["a", "b", "c"].map(|name| {
                let point = RecoveryPoint {
                    database: name.parse().unwrap(),
                    key: ObjectKey::new(name),
                    size_bytes,
                    taken_at: chrono::DateTime::UNIX_EPOCH,
                    last_modified: None,
                    storage_class: "STANDARD".to_owned(),
                    etag: None,
                    ciphertext_sha256: None,
                    plaintext_sha256: None,
                    plaintext_bytes: None,
                    layers: Vec::new(),
                    objects: Vec::new(),
                };
                let (store, identities, turn) = (&as_store, &identities, &turn);
                async move {
                    read_contents(store, identities, &point, Ignore::default(), turn)
                        .await
                        .unwrap_err()
                        .code
                        .as_str()
                }
            });
            assert_eq!(futures_util::future::join_all(reads).await, ["dump_truncated"; 3]);
        });
        let order = store.1.lock().unwrap();
        let mut turns: Vec<&str> = order.iter().map(String::as_str).collect();
        assert!(turns.len() >= 6, "in pieces: {turns:?}");
        turns.dedup();
        assert_eq!(turns.len(), 3, "one after another: {turns:?}");
    }
}
