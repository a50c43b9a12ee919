//! What the system refuses, and what it says of files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::model::failure::Failure;

async fn refused(store: &DirectoryStore) -> Failure {
    let failure = store.list("").await.unwrap_err();
    assert_eq!(store.stat(&key("a")).await.unwrap_err(), failure);
    failure
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_says_why() {
    let directory = world(&["file"]);
    for (place, words) in
        [("nowhere", "there is no directory"), ("store/file", "is no directory"), ("loop", "in a circle")]
    {
        symlink("loop", directory.path().join("loop")).ok();
        let failure = refused(&DirectoryStore::at(directory.path().join(place))).await;
        assert_eq!((failure.class, failure.code), (Class::Config, codes::NO_SUCH_DIRECTORY), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn denied_access_says_whose_directory_it_is() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let directory = world(&["a/file", "b"]);
    let locked = directory.path().join("store/a");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let store = store(&directory);
    assert_eq!(keys(&store, "").await, ["b"]);
    assert_eq!(reported(&store), [("a/".to_owned(), "access to this directory is denied".to_owned())]);
    let failure = store.list("a/").await.unwrap_err();
    assert_eq!(failure.code, codes::ACCESS_DENIED);
    let above = directory.path().join("store");
    fs::set_permissions(&above, fs::Permissions::from_mode(0o600)).unwrap();
    let failure = DirectoryStore::at(locked.clone()).list("").await.unwrap_err();
    assert!(failure.message.contains("store belongs to user"), "{failure}");
    assert!(failure.message.contains("permissions are 0600"), "{failure}");
    fs::set_permissions(&above, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_file_of_a_backup_is_private_and_what_is_given_up_leaves_no_directory() {
    let directory = world(&["kept/file"]);
    let (store, inside) = (store(&directory), directory.path().join("store"));
    let mut upload = store.create(&key("kept/new/deeper/dump")).await.unwrap();
    upload.write(Bytes::from_static(b"bytes")).await.unwrap();
    assert_eq!(names(&inside.join("kept")), ["file", "new"]);
    assert_eq!(keys(&store, "").await, ["kept/file"]);
    upload.abort().await.unwrap();
    assert_eq!(names(&inside.join("kept")), ["file"]);
    // As when a backup is interrupted.
    let mut upload = store.create(&key("new/dump")).await.unwrap();
    upload.write(Bytes::from_static(b"bytes")).await.unwrap();
    drop(upload);
    assert_eq!(names(&inside), ["kept"]);
    let mut upload = store.create(&key("new/dump")).await.unwrap();
    upload.write(Bytes::from_static(b"bytes")).await.unwrap();
    upload.finish().await.unwrap();
    let mode = |path: &str| fs::metadata(inside.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/dump")), (0o700, 0o600));
    assert_eq!(names(&inside.join("new")), ["dump"]);
}

#[tokio::test]
async fn what_a_killed_backup_left_is_reported_once_it_is_old() {
    let directory = world(&["dump"]);
    let store = store(&directory);
    let upload = store.create(&key("another")).await.unwrap();
    assert_eq!(keys(&store, "").await, ["dump"]);
    assert!(reported(&store).is_empty());
    let left = directory.path().join("store/.restore-drill-upload-0123");
    fs::write(&left, b"half").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(2 * 86_400);
    fs::File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    assert_eq!(keys(&store, "").await, ["dump"]);
    let (name, why) = reported(&store).remove(0);
    assert!(name.ends_with("-0123") && why.contains("killed"), "{name}: {why}");
    upload.abort().await.unwrap();
}

fn system(command: &str, arguments: &[&str], place: &Path) -> bool {
    let output = std::process::Command::new(command).args(arguments).arg(place).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = world(&[]);
    let inside = directory.path().join("store");
    if !system("mount", &["-t", "tmpfs", "-o", "size=1m", "restore-drill"], &inside) {
        // A container without the right to mount.
        return;
    }
    let store = store(&directory);
    let mut upload = store.create(&key("new/dump")).await.unwrap();
    let failure = upload.write(vec![7; 2 << 20].into()).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Inconclusive, codes::STORE_FULL));
    upload.abort().await.unwrap();
    assert!(names(&inside).is_empty());
    let facts = facts::of_directory(&inside);
    assert_eq!(facts.file_system.value.as_deref(), Some("tmpfs"));
    assert_eq!(facts.free_bytes.value, Some(1 << 20));
    assert_eq!(facts.read_only.value, Some(false));
    assert!(system("mount", &["-o", "remount,ro"], &inside));
    assert_eq!(store.create(&key("dump")).await.err().unwrap().code, codes::STORE_READ_ONLY);
    assert_eq!(facts::of_directory(&inside).read_only.value, Some(true));
    assert!(system("umount", &[], &inside));
}

#[test]
fn each_error_of_a_disk_is_told_as_what_it_is() {
    use rustix::io::Errno;
    let store = DirectoryStore::at("/srv/backups");
    for (errno, class, code) in [
        (Errno::NOSPC, Class::Inconclusive, "store_full"),
        (Errno::DQUOT, Class::Inconclusive, "store_full"),
        (Errno::FBIG, Class::Config, "file_too_large"),
        (Errno::ROFS, Class::Inconclusive, "store_read_only"),
        (Errno::ACCESS, Class::Inconclusive, "access_denied"),
        (Errno::STALE, Class::Inconclusive, "store_unreachable"),
        (Errno::IO, Class::Inconclusive, "store_error"),
        (Errno::NAMETOOLONG, Class::Inconclusive, "store_error"),
    ] {
        let failure = store.failure("writing a", errno);
        assert_eq!((failure.class, failure.code.as_str()), (class, code));
        assert!(failure.message.contains("/srv/backups") && failure.hint.is_some(), "{failure}");
    }
}

#[tokio::test]
async fn what_others_may_do_is_known_by_the_whole_way() {
    let directory = world(&["a/file"]);
    let inside = directory.path().join("store");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let store = store(&directory);
    let access = || async {
        let access = store.object_facts(&key("a/file")).await.unwrap().file.unwrap().access;
        (access.mode, access.others_read.value, access.others_write.value)
    };
    set(&inside.join("a/file"), 0o646);
    set(&inside.join("a"), 0o755);
    set(&inside, 0o777);
    set(directory.path(), 0o700);
    assert_eq!(access().await, ("0646".to_owned(), Some(false), Some(false)));
    assert_eq!(facts::of_directory(&inside).access.value.unwrap().others_write.value, Some(false));
    set(directory.path(), 0o755);
    let reached = std::env::temp_dir()
        .ancestors()
        .all(|above| fs::metadata(above).is_ok_and(|metadata| metadata.permissions().mode() & 1 == 1));
    assert_eq!(access().await, ("0646".to_owned(), Some(reached), Some(reached)));
    let seen = || facts::of_directory(&inside).access.value.unwrap();
    assert_eq!(seen().others_write.value, Some(reached));
    set(&inside, 0o1777);
    assert_eq!(seen().others_write.value, Some(false), "in a sticky directory each removes what is his");
    set(&inside.join("a"), 0o700);
    assert_eq!(access().await.1, Some(false));
    assert_eq!(facts::of_directory(&inside).empty.value, Some(false));
    assert_eq!(facts::of_directory(Path::new("/nonexistent")).empty.value, None, "not known is not `no`");
}

#[tokio::test]
async fn opening_to_append_changes_nothing_and_follows_no_link() {
    let directory = world(&["file"]);
    let inside = directory.path().join("store");
    symlink("file", inside.join("link")).unwrap();
    let store = store(&directory);
    let file = inside.join("file");
    let seen = || {
        let metadata = fs::metadata(&file).unwrap();
        (fs::read(&file).unwrap(), metadata.modified().unwrap())
    };
    let before = seen();
    let opens = async |name: &str| store.opens_for_append(&key(name)).await.map(|fact| fact.value);
    assert_eq!(opens("file").await.unwrap(), Some(true));
    assert_eq!(opens("link").await.unwrap(), None);
    assert_eq!(opens("none").await.unwrap_err().code, codes::OBJECT_GONE);
    assert_eq!(seen(), before);
}
