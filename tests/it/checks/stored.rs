//! Checks of the store's objects: a directory that is kept well passes all of them, and one that is broken in many ways fails
//! each for the right reasons.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use restore_drill::model::names::compact;
use serde_json::{Value, json};

use crate::fixtures::dump;
use crate::world::{Outcome, World, ago, seal, sha256};

/// Minutes since each recovery point was taken, the newest first.
const TAKEN: [i64; 4] = [40, 100, 160, 220];

/// When the test began.
static NOW: LazyLock<DateTime<Utc>> = LazyLock::new(|| ago(0));

const CHECKS: [&str; 4] = [
    "type = \"retention\"\nname = \"retention\"\nleftovers = [\"**/*.tmp\"]\n\
     tiers = [{ name = \"hourly\", key = \"ledger_{timestamp}.dump.age\", every = \"1h\", keep = 4 }]",
    "type = \"immutable\"\nname = \"immutable\"\nkeys = [\"ledger_{timestamp}.dump.age\"]\n\
     sidecars = [\".sha256\", \".manifest.json\"]\nclaim = { file = \"{key}.manifest.json\" }\ntry_append = true",
    "type = \"history\"\nname = \"history\"\nlog = \"logs/audit.jsonl\"\nsha256 = \"{key}.sha256\"\n\
     databases = [\"ledger\"]\n\
     tiers = [{ name = \"hourly\", key = \"ledger_{timestamp}.dump.age\", keep_for = \"4h\" }]",
    "type = \"sidecars\"\nname = \"sidecars\"\ndatabases = [\"ledger\"]\nkeys = [\"ledger_{timestamp}.dump.age\"]\n\
     sha256 = \"{key}.sha256\"\nmanifest = \"{key}.manifest.json\"\n\
     fields = { filename = \"filename\", timestamp = \"timestamp\", size = \"size_bytes\", sha256 = \"sha256\", \
     database = \"database\" }",
];

fn at(minutes: i64) -> DateTime<Utc> {
    *NOW - TimeDelta::minutes(minutes)
}

/// A directory of a file system with the attribute `i`; it is taken from every file at the end.
pub struct Attributes {
    directory: PathBuf,
    is_mounted: bool,
}

impl Attributes {
    /// Fails where there is no such file system, and none can be mounted: these tests are not skipped.
    pub fn of(world: &World, directory: PathBuf) -> Self {
        let probe = directory.join("probe");
        fs::write(&probe, b"").unwrap();
        let mut attributes = Self { directory, is_mounted: false };
        let can = chattr("+i", &probe) && fs::OpenOptions::new().append(true).open(&probe).is_err();
        if can {
            assert!(chattr("-i", &probe));
            fs::remove_file(&probe).unwrap();
            return attributes;
        }
        let image = world.write("ext4.img", b"");
        File::options().write(true).open(&image).unwrap().set_len(64 << 20).unwrap();
        let (image, place) = (image.display().to_string(), attributes.directory.display().to_string());
        attributes.is_mounted =
            as_root("mkfs.ext4", &["-q", &image]) && as_root("mount", &["-o", "loop", &image, &place]);
        assert!(
            attributes.is_mounted,
            "the temporary directory has no attribute `i` (chattr), and no ext4 can be mounted: run this test as root, or \
             set TMPDIR to a directory on ext4, XFS or btrfs"
        );
        attributes
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        as_root("chattr", &["-R", "-i", &self.directory.display().to_string()]);
        if self.is_mounted {
            as_root("umount", &[&self.directory.display().to_string()]);
        }
    }
}

fn as_root(program: &str, arguments: &[&str]) -> bool {
    let succeeded =
        |mut command: Command| command.args(arguments).output().is_ok_and(|out| out.status.success());
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    succeeded(Command::new(program)) || succeeded(sudo)
}

pub fn chattr(change: &str, path: &Path) -> bool {
    as_root("chattr", &[change, &path.display().to_string()])
}

/// Has a file look as if it had been written so many minutes ago.
fn age(path: &Path, minutes: i64) {
    File::options().write(true).open(path).unwrap().set_modified(at(minutes).into()).unwrap();
}

/// Puts a file that is as old as that, and has the attribute.
fn put(world: &World, key: &str, bytes: &[u8], minutes: i64) -> PathBuf {
    let path = world.put(key, bytes);
    age(&path, minutes);
    assert!(chattr("+i", &path), "{}", path.display());
    path
}

/// Replaces a file in spite of its attribute.
fn replace(world: &World, key: &str, bytes: &[u8]) {
    let path = world.path(&world.folder).join(key);
    assert!(chattr("-i", &path), "{}", path.display());
    put(world, key, bytes, 60);
}

fn event(what: &str, minutes: i64, more: &Value) -> String {
    let mut event = json!({ "event": format!("backup_{what}"), "timestamp": at(minutes).to_rfc3339() });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn manifest(key: &str, minutes: i64, sealed: &[u8]) -> Value {
    json!({
        "filename": key, "timestamp": compact(at(minutes)), "type": "hourly", "size_bytes": sealed.len(),
        "sha256": sha256(sealed), "database": "ledger", "immutable": true,
    })
}

/// Recovery points with what belongs beside them, and their log, with nothing wrong. Their keys, what they are, and the log.
fn kept_well(world: &World, lock: bool) -> ([String; 4], Vec<u8>, String) {
    let sealed = seal(dump("ledger"), &[&world.recipient]);
    let keys = TAKEN.map(|minutes| world.key("ledger", at(minutes)));
    let name = |key: &str| key.strip_prefix(&world.prefix).unwrap().to_owned();
    let mut log = event("failed", 300, &json!({ "backup_type": "hourly", "error": "disk" }));
    let old = name(&world.key("ledger", at(600)));
    log += &event("created", 600, &json!({ "manifest": manifest(&old, 600, &sealed) }));
    for (key, minutes) in keys.iter().zip(TAKEN).rev() {
        let manifest = manifest(&name(key), minutes, &sealed);
        let checksum = format!("{}  {}\n", sha256(&sealed), name(key));
        for (suffix, bytes) in [
            ("", &*sealed),
            (".sha256", checksum.as_bytes()),
            (".manifest.json", manifest.to_string().as_bytes()),
        ] {
            let path = world.put(&format!("{key}{suffix}"), bytes);
            age(&path, minutes);
            assert!(!lock || chattr("+i", &path), "{}", path.display());
        }
        log += &event("created", minutes, &json!({ "manifest": manifest }));
    }
    log +=
        &event("removed", 300, &json!({ "filename": old, "type": "hourly", "reason": "retention_policy" }));
    world.put(&format!("{}logs/audit.jsonl", world.prefix), log.as_bytes());
    (keys, sealed, log)
}

/// The codes of a check's findings, with their subjects.
fn findings<'a>(outcome: &'a Outcome, check: &str) -> BTreeSet<(&'a str, &'a str)> {
    let findings = outcome.check(check)["findings"].as_array().unwrap().iter();
    findings.map(|found| (found["code"].as_str().unwrap(), found["subject"].as_str().unwrap())).collect()
}

/// What a finding says.
fn said<'a>(outcome: &'a Outcome, check: &str, code: &str) -> &'a str {
    let mut findings = outcome.check(check)["findings"].as_array().unwrap().iter();
    findings.find(|found| found["code"] == code).unwrap()["actual"].as_str().unwrap()
}

#[test]
fn a_directory_that_is_kept_well_passes_and_each_thing_that_is_wrong_has_its_finding() {
    let mut world = World::new("stored");
    let directory = world.in_directory();
    let attributes = Attributes::of(&world, directory.clone());
    world.database("ledger", &[]).rows("rows", "ledger", "entries", "exact = 11");
    world.template.checks.extend(CHECKS.map(str::to_owned));

    let (keys, sealed, mut log) = kept_well(&world, true);

    let outcome = world.drill(&[]);
    outcome.passed();
    for check in ["retention", "immutable", "history", "sidecars"] {
        assert_eq!(outcome.check(check)["status"], "pass", "{outcome}");
        assert_eq!(findings(&outcome, check), BTreeSet::new(), "{outcome}");
        assert_eq!(outcome.check(check)["rows_verified"], 0, "objects are no rows\n{outcome}");
    }
    let summary = |check| outcome.check(check)["summary"].as_str().unwrap();
    assert_eq!(summary("retention"), "recovery points: hourly 4 of 4");
    assert_eq!(summary("immutable"), "12 of 12 objects cannot be changed");
    assert!(summary("sidecars").ends_with("1 of these by their content"), "{outcome}");

    // One is deleted, and its checksum stays.
    let [newest, deleted, changeable, logged_otherwise] = &keys;
    let path = |key: &str| directory.join(key);
    for key in [deleted, &format!("{deleted}.manifest.json")] {
        assert!(chattr("-i", &path(key)));
        fs::remove_file(path(key)).unwrap();
    }
    // One is read-only and no more, and its manifest has another size.
    assert!(chattr("-i", &path(changeable)));
    fs::set_permissions(path(changeable), Permissions::from_mode(0o400)).unwrap();
    let mut other = manifest(changeable, 160, &sealed);
    other["size_bytes"] = 1.into();
    replace(&world, &format!("{changeable}.manifest.json"), other.to_string().as_bytes());
    // The checksum of the newest was changed, and nothing is in an older one.
    replace(&world, &format!("{newest}.sha256"), format!("{}  {newest}\n", "0".repeat(64)).as_bytes());
    let empty = world.key("ledger", at(280));
    put(&world, &empty, b"", 280);
    // A test by somebody who meant no harm, and a backup that was broken off.
    world.put("*.dump.age", b"tampered");
    age(&world.put("staging/dump.tmp", b"half"), 3000);
    // The log: another checksum, a removal before its time, a line that is cut off, and a failure at the end.
    let early = world.key("ledger", at(130));
    let of_last = manifest(logged_otherwise, 220, &sealed);
    log = log.replacen(
        &of_last.to_string(),
        &{
            let mut other = of_last.clone();
            other["sha256"] = "f".repeat(64).into();
            other.to_string()
        },
        1,
    );
    log += &event("created", 130, &json!({ "manifest": manifest(&early, 130, &sealed) }));
    log += &event("removed", 90, &json!({ "filename": early, "type": "hourly" }));
    log += "{\"event\":\n";
    log += &event("failed", 5, &json!({ "backup_type": "hourly", "error": "password=hunter2" }));
    world.put("logs/audit.jsonl", log.as_bytes());
    world.template.checks.push(CHECKS[2].replace("audit.jsonl", "gone.jsonl").replacen(
        "history\"\nlog",
        "no-log\"\nlog",
        1,
    ));

    let outcome = world.drill(&[]);
    outcome.failed(1, "tier_empty_object");
    world.assert_nothing_left();
    drop(attributes);
    let of = |key: &str, suffix: &str| format!("{key}{suffix}");
    assert_eq!(
        findings(&outcome, "retention"),
        [
            ("leftover_temporary", "staging/dump.tmp"),
            ("stray_object", "*.dump.age"),
            ("tier_empty_object", &*empty),
            ("tier_gap", "hourly"),
        ]
        .into(),
        "{outcome}"
    );
    assert_eq!(
        findings(&outcome, "immutable"),
        [
            ("claim_unreadable", &*empty),
            ("immutability_claimed_not_held", changeable),
            ("not_immutable", changeable),
        ]
        .into(),
        "{outcome}"
    );
    assert!(
        said(&outcome, "immutable", "not_immutable").contains("0400 make it read-only, not immutable"),
        "{outcome}"
    );
    assert_eq!(
        findings(&outcome, "history"),
        [
            ("failed_since", "hourly"),
            ("history_line_unreadable", "logs/audit.jsonl"),
            ("logged_checksum_differs", newest),
            ("logged_checksum_differs", logged_otherwise),
            ("never_logged", &*empty),
            ("removed_early", &*early),
            ("vanished", deleted),
        ]
        .into(),
        "{outcome}"
    );
    assert!(!outcome.verdict_text.contains("hunter2"), "{outcome}");
    assert_eq!(findings(&outcome, "no-log"), [("history_missing", "logs/gone.jsonl")].into(), "{outcome}");
    assert_eq!(
        findings(&outcome, "sidecars"),
        [
            ("checksum_mismatch", &**newest),
            ("sidecar_disagrees", newest),
            ("sidecar_disagrees", changeable),
            ("sidecar_missing", &*empty),
            ("sidecar_orphan", &*of(deleted, ".sha256")),
        ]
        .into(),
        "{outcome}"
    );
}

#[test]
fn a_bucket_that_is_kept_well_passes_but_for_the_locks_that_it_does_not_have() {
    let mut world = World::new("stored-s3");
    world.database("ledger", &[]).rows("rows", "ledger", "entries", "exact = 11");
    world.template.checks.extend(CHECKS.map(str::to_owned));
    let (keys, ..) = kept_well(&world, false);
    let outcome = world.drill(&[]);
    outcome.failed(1, "not_immutable");
    world.assert_nothing_left();
    for check in ["retention", "history", "sidecars"] {
        assert_eq!(outcome.check(check)["status"], "pass", "{outcome}");
        assert_eq!(findings(&outcome, check), BTreeSet::new(), "{outcome}");
    }
    let found = findings(&outcome, "immutable");
    assert_eq!(found.len(), 16, "{outcome}");
    assert!(keys.iter().all(|key| found.contains(&("immutability_claimed_not_held", &**key))), "{outcome}");
    assert!(said(&outcome, "immutable", "not_immutable").contains("no lock and no legal hold"), "{outcome}");
}
