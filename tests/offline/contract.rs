//! The contract of the `Store` port: the same clauses for every store.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use restore_drill::demo::s3::S3Server;
use restore_drill::model::failure::{Class, Failure};
use restore_drill::model::names::ObjectKey;
use restore_drill::model::secret::Secret;
use restore_drill::store::{DirectoryStore, PageRequest, S3Store, Store};
use restore_drill::template;
use tempfile::TempDir;

use super::support::world::{BUCKET, RUNTIME, store_settings};

/// A store under test, and ways round it: to put objects without it, and to see what it left.
pub trait Subject {
    fn store(&self) -> &dyn Store;
    fn put(&self, key: &str, bytes: &[u8]);
    /// What unfinished uploads occupy.
    fn leftovers(&self) -> Vec<PathBuf>;
}

pub struct S3 {
    store: Arc<S3Store>,
    pub server: S3Server,
    directory: TempDir,
}

impl S3 {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let server = RUNTIME.block_on(S3Server::start(directory.path())).unwrap();
        let store = connect(&server, BUCKET, &server.endpoint(), server.secret_key());
        Self { store, server, directory }
    }
}

impl Subject for S3 {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.directory.path().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        // Besides them, the server keeps a few facts about every finished object there.
        paths.filter(|path| path.to_string_lossy().contains(".upload")).collect()
    }
}

/// A directory, and what lies in it.
struct Directory {
    store: DirectoryStore,
    directory: TempDir,
}

impl Directory {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = template::Store {
            url: directory.path().display().to_string(),
            endpoint: String::new(),
            ..store_settings("", "")
        };
        Self { store: DirectoryStore::connect(&settings).unwrap(), directory }
    }
}

impl Subject for Directory {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    /// As another machine puts it there: whole, by a rename.
    fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.directory.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("upload")).collect()
    }
}

pub fn connect(server: &S3Server, bucket: &str, endpoint: &str, secret: &Secret) -> Arc<S3Store> {
    let settings = store_settings(bucket, endpoint);
    Arc::new(RUNTIME.block_on(S3Store::connect_with(&settings, server.access_key(), secret)).unwrap())
}

pub fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text)
}

/// Bytes of which no two ranges are alike.
pub fn pattern(length: usize) -> Bytes {
    let words =
        (0..length.div_ceil(8) as u64).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    words.take(length).collect()
}

fn upload(store: &dyn Store, to: &str, chunks: &[Bytes]) -> Result<(), Failure> {
    RUNTIME.block_on(async {
        let mut upload = store.create(&key(to)).await?;
        for chunk in chunks {
            upload.write(chunk.clone()).await?;
        }
        upload.finish().await
    })
}

pub fn read(
    store: &dyn Store,
    from: &str,
    etag: Option<&str>,
    range: std::ops::Range<u64>,
) -> Result<Bytes, Failure> {
    RUNTIME.block_on(store.read(&key(from), etag, range))
}

fn lists_everything_below_a_prefix_however_much_it_is(subject: &dyn Subject) {
    for number in 0..2500 {
        subject.put(&format!("many/a_{number:05}"), &[0; 3]);
    }
    subject.put("many/b_00000", b"another");
    subject.put("elsewhere/a_00000", b"another");
    let listed = RUNTIME.block_on(subject.store().list("many/a_")).unwrap();
    let keys: std::collections::BTreeSet<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((listed.len(), keys.len()), (2500, 2500));
    assert_eq!(keys.first().zip(keys.last()), Some((&"many/a_00000", &"many/a_02499")));
    assert!(listed.iter().all(|object| object.size_bytes == 3 && object.last_modified.is_some()));
    assert!(RUNTIME.block_on(subject.store().list("nothing/")).unwrap().is_empty());
}

fn reads_the_bytes_of_a_range_and_no_others(subject: &dyn Subject) {
    let whole = pattern(1000);
    subject.put("ranges", &whole);
    for range in [0..1000, 0..1, 999..1000, 1..2, 500..777] {
        let expected = &whole[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(read(subject.store(), "ranges", None, range.clone()).unwrap(), expected, "{range:?}");
    }
    assert!(read(subject.store(), "ranges", None, 7..7).unwrap().is_empty());
    // An object that turns out shorter than it was listed must not end quietly.
    assert!(read(subject.store(), "ranges", None, 990..1010).is_err());
}

fn refuses_an_object_that_is_not_the_listed_one_any_more(subject: &dyn Subject) {
    subject.put("changing", b"first");
    let listed = RUNTIME.block_on(subject.store().stat(&key("changing"))).unwrap().unwrap();
    let etag = listed.etag.as_deref();
    assert!(etag.is_some(), "there is nothing to tell objects apart by");
    assert_eq!(read(subject.store(), "changing", etag, 0..5).unwrap(), "first");
    subject.put("changing", b"other");
    let failure = read(subject.store(), "changing", etag, 0..5).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "object_changed"));
}

fn knows_what_is_not_there(subject: &dyn Subject) {
    assert_eq!(RUNTIME.block_on(subject.store().stat(&key("missing"))).unwrap(), None);
    let failure = read(subject.store(), "missing", None, 0..5).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Bad, "object_gone"));
}

fn shows_an_upload_only_once_it_is_finished(subject: &dyn Subject) {
    let store = subject.store();
    let there = || RUNTIME.block_on(store.stat(&key("slow"))).unwrap();
    let mut upload = RUNTIME.block_on(store.create(&key("slow"))).unwrap();
    assert_eq!(there(), None);
    RUNTIME.block_on(upload.write(pattern(9 << 20))).unwrap();
    assert_eq!(there(), None);
    assert!(RUNTIME.block_on(store.list("slow")).unwrap().is_empty());
    RUNTIME.block_on(upload.finish()).unwrap();
    assert_eq!(there().unwrap().size_bytes, 9 << 20);
    assert_eq!(subject.leftovers(), Vec::<PathBuf>::new());
}

fn leaves_nothing_of_an_upload_that_is_given_up(subject: &dyn Subject) {
    let store = subject.store();
    for chunks in [0, 1, 3] {
        let mut upload = RUNTIME.block_on(store.create(&key("given-up"))).unwrap();
        for _ in 0..chunks {
            RUNTIME.block_on(upload.write(pattern(9 << 20))).unwrap();
        }
        RUNTIME.block_on(upload.abort()).unwrap();
        assert_eq!(RUNTIME.block_on(store.stat(&key("given-up"))).unwrap(), None);
    }
    assert_eq!(subject.leftovers(), Vec::<PathBuf>::new());
}

fn keeps_every_byte_of_an_upload_whatever_its_size(subject: &dyn Subject) {
    let odd = pattern(100_003);
    // 20 MiB is several parts; the pieces written do not end where parts do.
    let large: Vec<Bytes> = std::iter::repeat_n(odd.clone(), 210).collect();
    for (name, chunks) in [("empty", vec![]), ("small", vec![Bytes::from_static(b"x")]), ("large", large)] {
        upload(subject.store(), name, &chunks).unwrap();
        let whole = chunks.concat();
        let size = whole.len() as u64;
        let meta = RUNTIME.block_on(subject.store().stat(&key(name))).unwrap().unwrap();
        assert_eq!(meta.size_bytes, size);
        assert!(
            read(subject.store(), name, meta.etag.as_deref(), 0..size).unwrap() == whole,
            "{name} differs"
        );
    }
    assert_eq!(subject.leftovers(), Vec::<PathBuf>::new());
}

fn never_overwrites(subject: &dyn Subject) {
    let store = subject.store();
    upload(store, "kept", &[Bytes::from_static(b"first")]).unwrap();
    let failure = RUNTIME.block_on(store.create(&key("kept"))).err().expect("it is there already");
    assert_eq!((failure.class, failure.code.as_str()), (Class::Bad, "object_exists"));
    assert_eq!(read(store, "kept", None, 0..5).unwrap(), "first");

    // Neither saw the other when it began.
    let mut uploads = [b"first", b"later"].map(|bytes| {
        let mut upload = RUNTIME.block_on(store.create(&key("raced"))).unwrap();
        RUNTIME.block_on(upload.write(Bytes::from_static(bytes))).unwrap();
        Some(upload)
    });
    RUNTIME.block_on(uploads[0].take().unwrap().finish()).unwrap();
    let failure = RUNTIME.block_on(uploads[1].take().unwrap().finish()).unwrap_err();
    assert_eq!(failure.code.as_str(), "object_exists");
    assert_eq!(read(store, "raced", None, 0..5).unwrap(), "first");
    assert_eq!(subject.leftovers(), Vec::<PathBuf>::new());
}

fn pages_go_on_where_the_one_before_ended(subject: &dyn Subject) {
    let keys = ["n/a-b", "n/a/1", "n/a/2", "n/a0", "n/b/1", "n/c"];
    for key in keys {
        subject.put(key, b"x");
    }
    subject.put("m", b"x");
    let page = |request: &PageRequest| RUNTIME.block_on(subject.store().page(request)).unwrap();
    for limit in 1..=7 {
        let prefix = "n/".to_owned();
        let mut request = PageRequest { prefix, limit: Some(limit), ..PageRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = page(&request);
            assert!(page.objects.len() <= limit.into());
            found.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
            request.after = found.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(found, keys, "{limit} at a time");
    }
    let request = PageRequest { prefix: "n/".to_owned(), delimiter: Some('/'), ..PageRequest::default() };
    let together = page(&request);
    let objects: Vec<&str> = together.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!((objects, together.more), (vec!["n/a-b", "n/a0", "n/c"], false));
    assert_eq!(together.prefixes, ["n/a/", "n/b/"]);
}

fn a_listing_and_a_look_agree(subject: &dyn Subject) {
    subject.put("folder/object", b"12345");
    let listed = RUNTIME.block_on(subject.store().list("folder/")).unwrap().remove(0);
    let seen = RUNTIME.block_on(subject.store().stat(&key("folder/object"))).unwrap().unwrap();
    assert_eq!((listed.size_bytes, &listed.key), (5, &seen.key));
    assert_eq!(seen.size_bytes, 5);
    // Not every store lists tags.
    assert!(listed.etag.is_none() || listed.etag == seen.etag);
    let facts = RUNTIME.block_on(subject.store().object_facts(&key("folder/object"))).unwrap();
    assert_eq!(facts.storage_class, listed.storage_class);
    assert!(RUNTIME.block_on(subject.store().facts()).is_some());
    assert!(subject.store().traffic().requests >= 3);
}

/// A test for each clause of the contract, for each store.
macro_rules! contract {
    ($($clause:ident)*) => {
        mod s3 {
            $(#[test]
            fn $clause() {
                super::$clause(&super::S3::start());
            })*
        }
        mod directory {
            $(#[test]
            fn $clause() {
                super::$clause(&super::Directory::start());
            })*
        }
    };
}

contract! {
    lists_everything_below_a_prefix_however_much_it_is
    pages_go_on_where_the_one_before_ended
    a_listing_and_a_look_agree
    reads_the_bytes_of_a_range_and_no_others
    refuses_an_object_that_is_not_the_listed_one_any_more
    knows_what_is_not_there
    shows_an_upload_only_once_it_is_finished
    leaves_nothing_of_an_upload_that_is_given_up
    keeps_every_byte_of_an_upload_whatever_its_size
    never_overwrites
}
