//! How the S3 store handles a network and a server that misbehave.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use restore_drill::demo::s3::S3Server;
use restore_drill::model::failure::Class;
use restore_drill::model::secret::Secret;
use restore_drill::store::{Store, pump};
use tokio::sync::mpsc;

use super::contract::{S3, Subject, connect, key, pattern, read};
use super::support::world::{BUCKET, RUNTIME, World};

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
