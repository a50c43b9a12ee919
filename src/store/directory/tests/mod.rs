//! What only a directory can do wrong. The contract of every store is in `tests/offline/contract.rs`.

mod system;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::model::codes;
use crate::model::failure::Class;
use crate::store::port::PageRequest;

fn put(directory: &Path, key: &str, bytes: &[u8]) {
    let path = directory.join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn store(directory: &tempfile::TempDir) -> DirectoryStore {
    DirectoryStore::at(directory.path().join("store"))
}

/// A directory beside which there is something that must never be seen.
fn world(keys: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("store")).unwrap();
    put(directory.path(), "outside/secret", b"secret");
    for key in keys {
        put(&directory.path().join("store"), key, key.as_bytes());
    }
    directory
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text)
}

async fn keys(store: &DirectoryStore, prefix: &str) -> Vec<String> {
    let objects = store.list(prefix).await.unwrap();
    objects.into_iter().map(|object| object.key.as_str().to_owned()).collect()
}

fn reported(store: &DirectoryStore) -> Vec<(String, String)> {
    store.passed_over().into_iter().map(|entry| (entry.name.as_str().to_owned(), entry.why)).collect()
}

async fn read(store: &DirectoryStore, name: &str, etag: Option<&str>) -> Result<Bytes> {
    store.read(&key(name), etag, 0..3).await
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn keys_come_in_their_order_and_not_in_that_of_names() {
    let directory = world(&["a/z", "a-b", "a.c", "a/b/c", "a0", "b/c"]);
    let store = store(&directory);
    let all = ["a-b", "a.c", "a/b/c", "a/z", "a0", "b/c"];
    assert_eq!(keys(&store, "").await, all);
    assert_eq!(keys(&store, "a/").await, ["a/b/c", "a/z"]);
    assert_eq!(keys(&store, "a/b").await, ["a/b/c"]);
    assert_eq!(keys(&store, "a").await, all[..5]);
    for nothing in ["c", "a/b/c/d", "../outside/", "a//", "/", "./a"] {
        assert_eq!(keys(&store, nothing).await, [""; 0], "{nothing}");
    }
    // Every page of every size continues where the one before ended.
    for limit in 1..=6 {
        let mut request = PageRequest { limit: Some(limit), ..PageRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = store.page(&request).await.unwrap();
            found.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
            request.after = found.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(found, all, "{limit}");
    }
    let request = PageRequest { delimiter: Some('/'), ..PageRequest::default() };
    let page = store.page(&request).await.unwrap();
    assert_eq!(page.prefixes, ["a/", "b/"]);
    assert_eq!(page.objects.len(), 3);
    let request = PageRequest { limit: Some(3), ..request };
    let page = store.page(&request).await.unwrap();
    assert_eq!((page.prefixes.as_slice(), page.objects.len(), page.more), (&["a/".to_owned()][..], 2, true));
    let request = PageRequest { after: Some("a/\u{10FFFF}".to_owned()), ..request };
    let page = store.page(&request).await.unwrap();
    assert_eq!((page.prefixes.as_slice(), page.objects.len(), page.more), (&["b/".to_owned()][..], 1, false));
}

#[tokio::test]
async fn an_empty_directory_is_no_key_and_no_prefix() {
    let directory = world(&["a"]);
    fs::create_dir_all(directory.path().join("store/empty/deeper")).unwrap();
    let request = PageRequest { delimiter: Some('/'), ..PageRequest::default() };
    let page = store(&directory).page(&request).await.unwrap();
    assert_eq!((page.prefixes.len(), page.objects.len(), page.more), (0, 1, false));
}

#[tokio::test]
async fn no_link_leads_out_and_one_that_stays_inside_is_followed() {
    let directory = world(&["pool/real"]);
    let inside = directory.path().join("store");
    for (link, target) in [
        ("latest", "pool/real"),
        ("pool/up", "../pool/real"),
        ("away", "../outside/secret"),
        ("absolute", "/etc/hostname"),
        ("dangling", "nowhere"),
        ("circle", "circle"),
        ("folder", "pool"),
        ("other", "../outside"),
    ] {
        symlink(target, inside.join(link)).unwrap();
    }
    let store = store(&directory);
    assert_eq!(keys(&store, "").await, ["latest", "pool/real", "pool/up"]);
    let found = reported(&store);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["absolute", "away", "circle", "dangling", "folder", "other"]);
    assert!(found[1].1.contains("leads out of the directory"), "{found:?}");
    assert!(found[4].1.contains("a symbolic link to a directory"), "{found:?}");
    let latest = store.stat(&key("latest")).await.unwrap().unwrap();
    let real = store.stat(&key("pool/real")).await.unwrap().unwrap();
    assert_eq!(latest.etag, real.etag, "it is the same file");
    assert_eq!(read(&store, "latest", None).await.unwrap(), "poo");
    for outside in ["away", "absolute", "other/secret", "folder/real"] {
        let failure = read(&store, outside, None).await.unwrap_err();
        assert_eq!((failure.class, failure.code), (Class::Inconclusive, codes::NOT_A_FILE), "{outside}");
        assert!(store.stat(&key(outside)).await.is_err(), "{outside} is there, and is no file");
    }
    for outside in ["../outside/secret", "pool/../../outside/secret", "/etc/hostname", "pool//real"] {
        assert_eq!(read(&store, outside, None).await.unwrap_err().code, codes::OBJECT_GONE, "{outside}");
        assert_eq!(store.stat(&key(outside)).await.unwrap(), None, "{outside}");
        assert_eq!(store.create(&key(outside)).await.err().unwrap().code, codes::KEY_INVALID, "{outside}");
    }
    assert_eq!(store.create(&key("other/new")).await.err().unwrap().code, codes::NOT_A_FILE);
    assert_eq!(store.create(&key("dangling")).await.err().unwrap().code, codes::OBJECT_EXISTS);
    // Whoever wrote the template named it.
    symlink("store", directory.path().join("named")).unwrap();
    let named = DirectoryStore::at(directory.path().join("named"));
    assert_eq!(keys(&named, "pool/").await, ["pool/real", "pool/up"]);
}

#[tokio::test]
async fn a_listing_below_a_linked_directory_says_why_it_is_empty() {
    let directory = world(&["2026/shop"]);
    symlink("2026", directory.path().join("store/current")).unwrap();
    let store = store(&directory);
    assert!(keys(&store, "current/sh").await.is_empty());
    let (name, why) = reported(&store).remove(0);
    assert_eq!(name, "current/");
    assert!(why.contains("directories are not entered through one"), "{why}");
}

#[tokio::test]
async fn what_is_no_file_is_reported_and_never_opened() {
    let directory = world(&["file"]);
    let inside = directory.path().join("store");
    let fifo = inside.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
    symlink("fifo", inside.join("to-fifo")).unwrap();
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"bad\xff.dump");
    fs::write(inside.join(odd), b"x").unwrap();
    let store = store(&directory);
    // Were the FIFO opened, this would not end.
    assert_eq!(keys(&store, "").await, ["file"]);
    let found = reported(&store);
    let said = |name: &str| found.iter().find(|(found, _)| found == name).map(|(_, why)| why.as_str());
    assert_eq!(said("fifo"), Some("it is a FIFO"));
    assert_eq!(said("socket"), Some("it is a socket"));
    assert_eq!(said("to-fifo"), Some("it is a symbolic link to a FIFO"));
    assert_eq!(said("bad\u{fffd}.dump"), Some("its name is not UTF-8, as keys are"));
    assert_eq!(read(&store, "fifo", None).await.unwrap_err().code, codes::NOT_A_FILE);
    let device = DirectoryStore::at("/dev");
    assert_eq!(read(&device, "null", None).await.unwrap_err().code, codes::NOT_A_FILE);
}

#[tokio::test]
async fn thousands_of_odd_entries_are_reported_as_some_and_more() {
    let directory = world(&[]);
    for number in 0..60 {
        symlink("nowhere", directory.path().join(format!("store/{number:02}"))).unwrap();
    }
    let store = store(&directory);
    keys(&store, "").await;
    let found = reported(&store);
    assert_eq!(found.len(), REPORTED + 1);
    assert!(found[REPORTED].1.contains("more than 50"), "{found:?}");
}

#[tokio::test]
async fn a_file_that_changes_is_not_mixed_with_what_it_was() {
    let directory = world(&["file"]);
    let (store, path) = (store(&directory), directory.path().join("store/file"));
    let etag = store.stat(&key("file")).await.unwrap().unwrap().etag;
    let etag = etag.as_deref();
    assert_eq!(read(&store, "file", etag).await.unwrap(), "fil");
    let code = |result: Result<Bytes>| result.map_err(|failure| failure.code.as_str());
    // Of the same size, in place.
    tokio::time::sleep(Duration::from_millis(20)).await;
    fs::write(&path, b"FILE").unwrap();
    assert_eq!(code(read(&store, "file", etag).await), Err("object_changed"));
    // Cut, while what was listed is longer.
    fs::write(&path, b"F").unwrap();
    assert_eq!(code(read(&store, "file", None).await), Err("object_changed"));
    // Replaced by a link, inside and outside.
    fs::remove_file(&path).unwrap();
    symlink("../outside/secret", &path).unwrap();
    assert_eq!(code(read(&store, "file", etag).await), Err("object_changed"));
    fs::remove_file(&path).unwrap();
    put(&directory.path().join("store"), "another", b"another");
    symlink("another", &path).unwrap();
    assert_eq!(code(read(&store, "file", etag).await), Err("object_changed"));
    fs::remove_file(&path).unwrap();
    assert_eq!(code(read(&store, "file", etag).await), Err("object_gone"));
}
