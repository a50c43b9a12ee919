//! Stores that misbehave, and servers that are no stores: what is reported of them. They can neither fill the memory of
//! this machine nor write into messages as they like.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use restore_drill::model::failure::{Class, Failure};
use restore_drill::model::names::ObjectKey;
use restore_drill::model::secret::Secret;
use restore_drill::store::{PageRequest, S3Store, Store};

use super::support::fault_s3::{Answer, ENDLESS, FaultS3, Request, entry};
use super::support::world::{BUCKET, RUNTIME, ago, store_settings};

/// Buffers between the server and the client may hold some MiB that were not read.
const BUFFERS: u64 = 16 << 20;

fn connect(endpoint: &str) -> S3Store {
    let settings = store_settings(BUCKET, endpoint);
    let secret = Secret::new("a secret of tests");
    RUNTIME.block_on(S3Store::connect_with(&settings, "access", &secret)).unwrap()
}

fn store(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (S3Store, FaultS3) {
    let server = FaultS3::start(script);
    (connect(&server.endpoint()), server)
}

fn read(store: &S3Store, range: std::ops::Range<u64>) -> Result<Bytes, Failure> {
    RUNTIME.block_on(store.read(&ObjectKey::new("object"), None, range))
}

fn keys(store: &S3Store) -> Result<Vec<String>, Failure> {
    let listed = RUNTIME.block_on(store.list(""))?;
    Ok(listed.iter().map(|object| object.key.as_str().to_owned()).collect())
}

#[test]
fn no_more_of_an_object_is_taken_than_was_asked_for() {
    let zeros = || Answer::new(200, vec![0; 1 << 20]);
    let part = |range: &str, length: u64| {
        Answer::new(206, vec![0; 1000]).repeated_to(length).header("content-range", range)
    };
    for (name, answer, code, words) in [
        (
            "all of it",
            zeros().repeated_to(ENDLESS),
            "range_ignored",
            "sent 2.0 GiB though 1000 B were asked for",
        ),
        (
            "without a length",
            zeros().repeated_to(ENDLESS).unmeasured(),
            "range_ignored",
            "sent more though 1000 B",
        ),
        ("a longer part", part("bytes 500-99999/100000", 99_500), "range_ignored", "instead of 500 to 1499"),
        ("another part", part("bytes 0-999/100000", 1000), "range_ignored", "sent bytes 0 to 999 instead of"),
        (
            "more than it says",
            part("bytes 500-1499/9999", ENDLESS).unmeasured(),
            "range_ignored",
            "sent more",
        ),
        ("a shorter object", part("bytes 500-899/900", 400), "object_changed", "replaced"),
    ] {
        let (store, server) = store(move |_| answer.clone());
        let failure = read(&store, 500..1500).unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, code), "{name}: {failure}");
        assert!(failure.message.contains(words), "{name}: {failure}");
        assert!(server.sent() < BUFFERS, "{name}: {} bytes were sent", server.sent());
        assert_eq!(server.asked().len(), 1, "{name}: it is no better the second time");
    }
    // All of an object answers a request for all of it; a store may leave out what it says of ranges.
    let (store, _server) = store(|_| Answer::new(200, vec![7; 1000]));
    assert_eq!(read(&store, 0..1000).unwrap(), vec![7; 1000]);
}

#[test]
fn an_answer_without_an_end_is_given_up() {
    let endless = |status, kind: &str| {
        Answer::new(status, vec![b'x'; 64 << 10]).repeated_to(ENDLESS).header("content-type", kind)
    };
    for (status, limit) in
        [(200, 64 << 20), (206, 64 << 20), (400, BUFFERS), (403, BUFFERS), (500, 4 * BUFFERS)]
    {
        let (store, server) = store(move |_| endless(status, "text/html"));
        let failure = keys(&store).unwrap_err();
        assert_eq!(failure.class, Class::Inconclusive, "{status}: {failure}");
        assert!(failure.message.chars().count() < 500, "{status}: {failure}");
        // The SDK asks four times where it thinks that helps.
        assert!(server.sent() < limit * 4, "{status}: {} bytes were sent", server.sent());
    }
}

#[test]
fn a_page_that_is_empty_is_not_the_end() {
    let page = |request: &Request| match request.query.get("continuation-token").map(String::as_str) {
        None => Answer::page(&entry("a"), true, Some("1")),
        Some("1") => Answer::page("", true, Some("2")),
        Some("2") => Answer::page("", true, Some("3")),
        Some(_) => Answer::page(&entry("b"), false, None),
    };
    let (store, server) = store(page);
    assert_eq!(keys(&store).unwrap(), ["a", "b"]);
    assert_eq!(server.asked().len(), 4);

    // The same holds for a listing that continues from a key.
    let (store, _server) = self::store(move |request| {
        let mut request = request.clone();
        if request.query.contains_key("start-after") {
            request.query.entry("continuation-token".to_owned()).or_insert_with(|| "1".to_owned());
        }
        page(&request)
    });
    let after = |after: Option<&str>| {
        let request = PageRequest { after: after.map(str::to_owned), ..PageRequest::default() };
        RUNTIME.block_on(store.page(&request)).unwrap()
    };
    let first = after(None);
    assert_eq!((first.objects[0].key.as_str(), first.more), ("a", true));
    let second = after(Some("a"));
    assert_eq!((second.objects[0].key.as_str(), second.more), ("b", false));
}

#[test]
fn a_store_without_tokens_is_gone_through_by_keys() {
    let (store, _server) = store(|request| match request.query.get("start-after").map(String::as_str) {
        None => Answer::page(&[entry("a"), entry("b")].concat(), true, None),
        Some("b") => Answer::page(&entry("c"), false, None),
        Some(other) => panic!("asked for what comes after {other}"),
    });
    assert_eq!(keys(&store).unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_listing_that_does_not_end_is_given_up() {
    let count = Arc::new(AtomicUsize::new(0));
    let new = move || count.fetch_add(1, Ordering::SeqCst);
    type Pages = Box<dyn Fn(&Request) -> Answer + Send + Sync>;
    let scripts: [(&str, Pages, &str, usize); 5] = [
        ("the same page", Box::new(|_| Answer::page(&entry("a"), true, Some("1"))), "listing_stuck", 2),
        (
            "the same page without a token",
            Box::new(|_| Answer::page(&entry("a"), true, None)),
            "listing_stuck",
            2,
        ),
        ("empty, without a token", Box::new(|_| Answer::page("", true, None)), "listing_stuck", 1),
        (
            "empty, with ever new tokens",
            Box::new({
                let new = new.clone();
                move |_| Answer::page("", true, Some(&new().to_string()))
            }),
            "listing_stuck",
            100,
        ),
        (
            "ever new keys",
            Box::new(move |_| {
                let page = new();
                let long = "k".repeat(4000);
                let keys: String = (0..500).map(|n| entry(&format!("{page:09}-{n}-{long}"))).collect();
                Answer::page(&keys, true, Some(&page.to_string()))
            }),
            "listing_too_long",
            40,
        ),
    ];
    for (name, script, code, most) in scripts {
        let (store, server) = store(move |request| script(request));
        let failure = keys(&store).unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (Class::Inconclusive, code), "{name}: {failure}");
        assert!(server.asked().len() <= most, "{name}: {} requests", server.asked().len());
    }
}

#[test]
fn keys_may_hold_what_xml_cannot() {
    let (store, server) = store(|_| {
        Answer::page(
            &[
                "<EncodingType>url</EncodingType>".to_owned(),
                entry("a%01b"),
                entry("a+b%2Bc/%C3%BC%0A"),
                entry("%25"),
            ]
            .concat(),
            false,
            None,
        )
    });
    assert_eq!(keys(&store).unwrap(), ["a\u{1}b", "a b+c/\u{fc}\n", "%"]);
    assert_eq!(server.asked()[0].query["encoding-type"], "url");
    // A store that does not encode does not say that it does.
    let (store, _server) =
        self::store(|_| Answer::page(&[entry("a%01b"), entry("a+b")].concat(), false, None));
    assert_eq!(keys(&store).unwrap(), ["a%01b", "a+b"]);
}

/// An answer, and how it is reported.
struct Case {
    name: &'static str,
    answer: Answer,
    class: Class,
    code: &'static str,
    words: &'static [&'static str],
}

#[test]
fn what_a_store_answers_is_called_what_it_is() {
    let (config, inconclusive) = (Class::Config, Class::Inconclusive);
    let case = |name, answer, class, code, words| Case { name, answer, class, code, words };
    let html = |status| Answer::new(status, "<html>Sign in</html>").header("content-type", "text/html");
    let moved = |status| {
        Answer::error(
            status,
            "PermanentRedirect",
            "The bucket must be addressed using the specified endpoint",
        )
    };
    let cases = [
        case(
            "an hour ahead",
            Answer::error(403, "RequestTimeTooSkewed", "The difference is too large.")
                .header("date", ago(60).to_rfc2822().replace("+0000", "GMT")),
            inconclusive,
            "clock_skewed",
            &["this machine's clock is 1h", "ahead of the store's", "RequestTimeTooSkewed: The difference"],
        ),
        case(
            "another region, in a header",
            moved(301).header("x-amz-bucket-region", "eu-central-1"),
            config,
            "wrong_region",
            &["in the region eu-central-1", "signed for us-east-1"],
        ),
        case(
            "another region, in the body",
            Answer::xml(
                400,
                "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-3</Region></Error>",
            ),
            config,
            "wrong_region",
            &["in the region eu-west-3"],
        ),
        case(
            "a region that is none",
            moved(301).header("x-amz-bucket-region", "<script>"),
            inconclusive,
            "store_redirects",
            &["PermanentRedirect: The bucket must be"],
        ),
        case(
            "to a sign-in page",
            Answer::new(302, "").header("location", "https://user:pw@login.example/x?X-Amz-Signature=abc"),
            inconclusive,
            "store_redirects",
            &["sends requests on to https://login.example (status 302)"],
        ),
        case("a page", html(200), inconclusive, "store_error", &["status 200 and text/html"]),
        case("a page of errors", html(400), inconclusive, "store_error", &["status 400 and text/html"]),
        case(
            "a body that is cut",
            Answer::xml(200, "<ListBucketResult><KeyCount>2</KeyCount><Contents><Key>a</Key>"),
            inconclusive,
            "transfer_broken",
            &["1 of its 2 keys came"],
        ),
        case(
            "an expired token",
            Answer::error(400, "ExpiredToken", "The provided token has expired: a secret of tests"),
            inconclusive,
            "credentials_expired",
            &["ExpiredToken: The provided token has expired: ***"],
        ),
        case(
            "denied",
            Answer::error(403, "AccessDenied", "User is not authorized"),
            inconclusive,
            "access_denied",
            &["denied access (AccessDenied: User is not authorized)"],
        ),
        case(
            "a long message",
            Answer::error(400, "Odd", &format!("line\none {}", "word ".repeat(10_000))),
            inconclusive,
            "store_error",
            &["(Odd: line one"],
        ),
    ];
    for Case { name, answer, class, code, words } in cases {
        let (store, _server) = store(move |_| answer.clone());
        let failure = keys(&store).unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{name}: {failure}");
        for word in words {
            assert!(failure.message.contains(word), "{name}: no {word} in {failure}");
        }
        assert!(failure.hint.is_some(), "{name}: {failure}");
        let text = format!("{failure} {:?}", failure.hint);
        assert!(failure.message.chars().count() < 500, "{name}: {failure}");
        for never in
            ["bug in the SDK", "StartEl", "Unhandled", "a secret of tests", "pw@", "Signature=abc", "\n"]
        {
            assert!(!text.contains(never), "{name}: {never} in {failure}");
        }
    }
}

#[test]
fn a_head_without_a_body_tells_by_its_headers() {
    let (store, _server) = store(|_| Answer::new(400, "").header("x-amz-bucket-region", "eu-central-1"));
    let failure = RUNTIME.block_on(store.stat(&ObjectKey::new("a"))).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Config, "wrong_region"), "{failure}");
    let hour_ago = ago(60).to_rfc2822().replace("+0000", "GMT");
    let (store, _server) = self::store(move |_| Answer::new(403, "").header("date", hour_ago.clone()));
    let failure = RUNTIME.block_on(store.stat(&ObjectKey::new("a"))).unwrap_err();
    assert_eq!(failure.code.as_str(), "clock_skewed", "{failure}");
}

#[test]
fn only_the_store_itself_says_that_an_object_is_not_there() {
    let key = ObjectKey::new("object");
    let foreign = || Answer::new(404, "404 page not found").header("content-type", "text/plain");
    let code = |failure: Failure| (failure.class, failure.code.as_str());
    let not_s3 = (Class::Inconclusive, "store_error");
    // Whatever is asked, a gateway answers.
    let (store, server) = store(move |_| foreign());
    assert_eq!(code(read(&store, 0..3).unwrap_err()), not_s3);
    assert_eq!(server.asked().len(), 4, "it may pass");
    assert_eq!(code(RUNTIME.block_on(store.stat(&key)).unwrap_err()), not_s3);
    assert_eq!(code(RUNTIME.block_on(store.object_facts(&key)).unwrap_err()), not_s3);
    // A gateway answers for one object, and the store lists it, or does not.
    for (listed, absent) in [("object", false), ("object2", true)] {
        let (store, _server) = self::store(move |request| match request.is_listing() {
            true => Answer::page(&entry(listed), false, None),
            false => foreign(),
        });
        let stat = RUNTIME.block_on(store.stat(&key));
        let facts = RUNTIME.block_on(store.object_facts(&key)).unwrap_err();
        match absent {
            true => {
                assert_eq!(stat.unwrap(), None);
                assert_eq!(code(facts), (Class::Bad, "object_gone"));
            }
            false => {
                assert_eq!(code(stat.unwrap_err()), not_s3);
                assert_eq!(code(facts), not_s3);
            }
        }
    }
    let (store, _server) = self::store(|_| Answer::error(404, "NoSuchKey", "not there"));
    assert_eq!(code(read(&store, 0..3).unwrap_err()), (Class::Bad, "object_gone"));
}

#[test]
fn an_endpoint_may_have_a_path() {
    for path in ["/storage/v1/s3", "/storage/v1/s3/"] {
        let server = FaultS3::start(|request| match request.is_listing() {
            true => Answer::page(&entry("a"), false, None),
            false => Answer::new(206, "abc").header("content-range", "bytes 0-2/3"),
        });
        let store = connect(&format!("{}{path}", server.endpoint()));
        assert_eq!(keys(&store).unwrap(), ["a"]);
        assert_eq!(read(&store, 0..3).unwrap(), "abc");
        let asked: Vec<String> = server.asked().into_iter().map(|request| request.path).collect();
        assert_eq!(asked, ["/storage/v1/s3/backups/", "/storage/v1/s3/backups/object"], "{path}");
    }
}
