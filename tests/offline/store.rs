//! The contract of the `Store` port, written against the trait so that a second store can be tested with it, and how
//! the S3 store handles a network and a server that misbehave.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use restore_drill::demo::s3::S3Server;
use restore_drill::model::failure::{Class, Failure};
use restore_drill::model::names::ObjectKey;
use restore_drill::model::secret::Secret;
use restore_drill::store::{S3Store, Store, pump};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::support::world::{BUCKET, RUNTIME, World, store_settings};

/// A store under test, and ways round it: to put objects without it, and to see what it left.
trait Subject {
    fn store(&self) -> &dyn Store;
    fn put(&self, key: &str, bytes: &[u8]);
    /// What unfinished uploads occupy.
    fn leftovers(&self) -> Vec<PathBuf>;
}

struct S3 {
    store: Arc<S3Store>,
    server: S3Server,
    directory: TempDir,
}

impl S3 {
    fn start() -> Self {
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

fn connect(server: &S3Server, bucket: &str, endpoint: &str, secret: &Secret) -> Arc<S3Store> {
    let settings = store_settings(bucket, endpoint);
    Arc::new(RUNTIME.block_on(S3Store::connect_with(&settings, server.access_key(), secret)).unwrap())
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text)
}

/// Bytes of which no two ranges are alike.
fn pattern(length: usize) -> Bytes {
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

fn read(
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

/// A test for each clause of the contract.
macro_rules! contract {
    ($subject:expr, $($clause:ident)*) => {
        mod s3 {
            $(#[test]
            fn $clause() {
                super::$clause(&$subject);
            })*
        }
    };
}

contract! { super::S3::start(),
    lists_everything_below_a_prefix_however_much_it_is
    reads_the_bytes_of_a_range_and_no_others
    refuses_an_object_that_is_not_the_listed_one_any_more
    knows_what_is_not_there
    shows_an_upload_only_once_it_is_finished
    leaves_nothing_of_an_upload_that_is_given_up
    keeps_every_byte_of_an_upload_whatever_its_size
    never_overwrites
}

#[test]
fn a_bucket_that_is_not_there_is_a_configuration_error() {
    let s3 = S3::start();
    let store = connect(&s3.server, "nonesuch", &s3.server.endpoint(), s3.server.secret_key());
    let failure = RUNTIME.block_on(store.list("")).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "no_such_bucket"));
    assert!(failure.message.contains("nonesuch"), "{failure}");
}

#[test]
fn a_store_that_denies_access_says_what_the_credentials_need() {
    let s3 = S3::start();
    s3.put("a", b"x");
    let store = connect(&s3.server, BUCKET, &s3.server.endpoint(), &Secret::new("not the secret"));
    for failure in [
        RUNTIME.block_on(store.list("")).unwrap_err(),
        read(&*store, "a", None, 0..1).unwrap_err(),
        RUNTIME.block_on(store.stat(&key("a"))).unwrap_err(),
    ] {
        assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "access_denied"));
        assert!(failure.hint.unwrap().contains("s3:GetObject"));
    }
}

#[test]
fn a_store_that_is_not_reached_is_named() {
    let s3 = S3::start();
    // Nothing listens on port 1 of this machine.
    let endpoint = "http://127.0.0.1:1";
    let store = connect(&s3.server, BUCKET, endpoint, s3.server.secret_key());
    let failure = RUNTIME.block_on(store.list("")).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "store_unreachable"));
    assert!(failure.message.contains(endpoint), "{failure}");
}

#[test]
fn a_server_that_is_no_store_says_nothing_of_the_backups() {
    let s3 = S3::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let request = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            request.take_while(|line| !line.is_empty()).for_each(drop);
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = client.write_all(answer);
        }
    });
    let store = connect(&s3.server, BUCKET, &endpoint, s3.server.secret_key());
    let failure = RUNTIME.block_on(store.list("")).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "store_error"), "{failure}");
}

#[test]
fn missing_credentials_are_a_configuration_error() {
    let mut world = World::offline("no-credentials");
    world.database("a", &[]).rows("rows", "a", "t", "min = 1");
    // Without this the SDK would ask the machine's metadata service.
    assert_eq!(world.environment["AWS_EC2_METADATA_DISABLED"], "true");
    world
        .environment
        .retain(|name, _| !matches!(name.as_str(), "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY"));
    world.write_template();
    let outcome = world.run(&["plan", "-t", "./template.toml"]);
    outcome.refused(2, &["there are no credentials for the store", "AWS_ACCESS_KEY_ID"]);
}

/// Relays TCP on loopback, and cuts connections in the middle of what the server answers.
struct CuttingProxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

/// Answers longer than this are cut; the headers of a response, or a listing of a few objects, are shorter.
const CUT_AFTER: usize = 100_000;

impl CuttingProxy {
    /// A relay that cuts so many times, and then no more.
    fn start(server: &S3Server, cuts: usize) -> Self {
        let upstream = server.endpoint().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(cuts));
        let left = Arc::clone(&cuts);
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&upstream).unwrap());
                let (client_in, server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || relay(client_in, server_out, &|_| false));
                let left = Arc::clone(&left);
                std::thread::spawn(move || {
                    relay(server, client, &|passed| {
                        let take = |left: usize| left.checked_sub(1);
                        passed > CUT_AFTER
                            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
                    });
                });
            }
        });
        Self { address, cuts }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn cuts_left(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, cut: &dyn Fn(usize) -> bool) {
    use std::io::{Read, Write};
    let mut buffer = [0; 16 * 1024];
    let mut passed = 0;
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        passed += n;
        if to.write_all(&buffer[..n]).is_err() || cut(passed) {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_transfer_that_breaks_off_once_is_read_again() {
    let s3 = S3::start();
    let whole = pattern(1 << 20);
    s3.put("object", &whole);
    let proxy = CuttingProxy::start(&s3.server, 1);
    let store = connect(&s3.server, BUCKET, &proxy.endpoint(), s3.server.secret_key());
    assert!(read(&*store, "object", None, 0..1 << 20).unwrap() == whole);
    assert_eq!(proxy.cuts_left(), 0, "it was cut");
}

#[test]
fn a_transfer_that_always_breaks_off_is_given_up_as_inconclusive() {
    let s3 = S3::start();
    s3.put("object", &pattern(1 << 20));
    let proxy = CuttingProxy::start(&s3.server, usize::MAX);
    let store = connect(&s3.server, BUCKET, &proxy.endpoint(), s3.server.secret_key());
    let failure = read(&*store, "object", None, 0..1 << 20).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, "transfer_broken"));
    assert!(failure.message.contains("broke off 4 times"), "{failure}");
    assert_eq!(usize::MAX - proxy.cuts_left(), 4);
}

#[test]
fn a_whole_object_arrives_in_order_though_a_part_of_it_broke_off() {
    let s3 = S3::start();
    let whole = pattern((9 << 20) + 5);
    s3.put("object", &whole);
    let proxy = CuttingProxy::start(&s3.server, 2);
    let store = connect(&s3.server, BUCKET, &proxy.endpoint(), s3.server.secret_key());
    let arrived = RUNTIME.block_on(async {
        let (chunks_in, mut chunks_out) = mpsc::channel(1);
        let pumping = tokio::spawn(pump(store, key("object"), None, whole.len() as u64, chunks_in));
        let mut arrived = Vec::new();
        while let Some(chunk) = chunks_out.recv().await {
            arrived.extend_from_slice(&chunk.unwrap());
        }
        pumping.await.unwrap();
        arrived
    });
    assert!(arrived == whole);
    assert_eq!(proxy.cuts_left(), 0, "it was cut");
}
