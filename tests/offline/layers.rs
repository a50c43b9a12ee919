//! Recovery points that are compressed, encrypted with gpg, or neither: planned, examined and fetched.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::fixtures::archive;
use super::support::layers::{Keyring, gzip, zstd};
use super::support::memory_s3::MemoryS3;
use super::support::world::{World, ago, seal, sha256};

/// A world without recovery points, whose keys name any layer.
fn empty(name: &str) -> (World, MemoryS3) {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in(name, s3.clone());
    world.template.store = "key = \"{database}_{timestamp}.dump{.age,.gpg,.gz,.zst,}\"".to_owned();
    world.tables("tables", "first", &["app.account"]);
    (world, s3)
}

/// As [`empty`], with a keyring that the template names.
fn with_keyring(name: &str) -> (World, MemoryS3, Keyring) {
    let (mut world, s3) = empty(name);
    let keyring = Keyring::new(&world, "gnupg");
    world.template.encryption = format!("gpg_homedir = {:?}", keyring.homedir);
    (world, s3, keyring)
}

/// Puts a recovery point of an hour ago, and names its database in the template.
fn put(world: &mut World, s3: &MemoryS3, name: &str, ending: &str, object: Vec<u8>) {
    let key = world.key(name, ago(60)).replace(".dump.age", &format!(".dump{ending}"));
    s3.put(&key, object);
    world.database(name, &[]);
}

fn planned(world: &World) -> (i32, Value) {
    world.write_template();
    let outcome = world.run(&["plan", "-t", "./template.toml", "--format", "json"]);
    let plan = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    (outcome.code, plan)
}

/// The code of each point's error, by database; `fine` without one.
fn codes(plan: &Value) -> BTreeMap<&str, &str> {
    let points = plan["points"].as_array().unwrap().iter();
    points
        .map(|point| (point["database"].as_str().unwrap(), point["error"]["code"].as_str().unwrap_or("fine")))
        .collect()
}

fn layers(plan: &Value, database: &str) -> String {
    let points = plan["recovery_set"]["points"].as_array().unwrap();
    let point = points.iter().find(|point| point["database"] == database).unwrap();
    let layers = point["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    layers.iter().map(|layer| layer.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// What `fetch` writes of a database, if it succeeds, and its exit code and its words.
fn fetched(world: &World, database: &str) -> (i32, Vec<u8>, String) {
    world.write_template();
    let file = world.path(format!("{database}.out"));
    let arguments = [
        "fetch",
        "-t",
        "./template.toml",
        "--database",
        database,
        "--unproved",
        "-o",
        &file.to_string_lossy(),
    ];
    let outcome = world.run(&arguments);
    (outcome.code, std::fs::read(file).unwrap_or_default(), outcome.to_string())
}

#[test]
fn a_template_without_keys_takes_files_as_they_are() {
    let (mut world, s3) = empty("no-keys");
    let recipient = world.recipient.clone();
    world.template.identities.clear();
    let dump = archive("pg17-gzip");
    let mut altered = gzip(&gzip(&dump));
    let end = altered.len() - 5;
    altered[end] ^= 1;
    for (name, ending, object) in [
        ("first", "", dump.clone()),
        ("second", ".gz", gzip(&dump)),
        ("third", ".gz", gzip(&gzip(&dump))),
        ("fourth", ".zst", zstd(&dump)),
        ("misnamed", ".gz", zstd(&dump)),
        ("sealed", ".age", seal(&dump, &[&recipient])),
        ("cut", ".gz", gzip(&dump)[..400].to_vec()),
        ("altered", ".gz", altered),
        ("padded", ".gz", [gzip(&dump), vec![0; 512]].concat()),
        ("text", ".gz", gzip(b"--\n-- PostgreSQL database dump\n--\n")),
    ] {
        put(&mut world, &s3, name, ending, object);
    }
    let (code, plan) = planned(&world);
    assert_eq!(code, 1);
    let human = world.run(&["plan", "-t", "./template.toml"]);
    assert!(human.stdout.contains("third: gzip over gzip"), "{human}");
    let codes = codes(&plan);
    for (name, expected) in [
        ("first", "fine"),
        ("second", "fine"),
        ("third", "fine"),
        ("fourth", "fine"),
        ("misnamed", "fine"),
        ("sealed", "no_identity_fits"),
        ("cut", "layer_truncated"),
        ("text", "dump_incomplete"),
    ] {
        assert_eq!(codes[name], expected, "{name}: {plan:#}");
    }
    assert_eq!(
        ["first", "second", "third", "fourth", "misnamed"].map(|name| layers(&plan, name)),
        ["", "gzip", "gzip gzip", "zstd", "zstd"]
    );
    for name in ["first", "third", "fourth"] {
        let (code, content, words) = fetched(&world, name);
        assert_eq!((code, content == dump), (0, true), "{name}: {words}");
        assert!(words.contains(&sha256(&dump)), "the content's own hash: {words}");
        assert_eq!(words.contains("Layers          gzip over gzip\n"), name == "third", "{words}");
    }
    // What is wrong at the end only is found by whoever reads to it, and nothing is left of it.
    for name in ["altered", "padded"] {
        let (code, content, words) = fetched(&world, name);
        assert_eq!((code, content.len()), (1, 0), "{name}: {words}");
        assert!(words.contains("gzip data"), "{words}");
    }
}

#[test]
fn what_must_be_encrypted_may_be_compressed_too() {
    let (mut world, s3) = empty("compressed");
    let recipient = world.recipient.clone();
    let dump = archive("pg17-none");
    put(&mut world, &s3, "first", ".age", seal(&gzip(&dump), &[&recipient]));
    put(&mut world, &s3, "outside", ".gz", gzip(&seal(&dump, &[&recipient])));
    put(&mut world, &s3, "open", ".gz", gzip(&dump));
    let (_, plan) = planned(&world);
    assert_eq!(codes(&plan), BTreeMap::from([("first", "fine"), ("open", "not_age"), ("outside", "fine")]));
    assert_eq!([layers(&plan, "first"), layers(&plan, "outside")], ["age gzip", "gzip age"]);
    world.template.encryption = "required = false".to_owned();
    assert_eq!(codes(&planned(&world).1)["open"], "fine");
}

#[test]
fn a_bomb_is_not_called_a_bad_backup_and_says_which_key_to_raise() {
    let (mut world, s3) = empty("bomb");
    world.template.identities.clear();
    let mut dump = archive("pg17-none");
    dump.resize(80 << 20, 0);
    put(&mut world, &s3, "first", ".gz", gzip(&dump));
    world.template.more = "[layers]\nmax_expansion = 10\n".to_owned();
    let (code, content, words) = fetched(&world, "first");
    assert_eq!((code, content.len()), (3, 0), "{words}");
    assert!(words.contains("layers.max_expansion"), "{words}");
    world.template.more = String::new();
    assert_eq!(fetched(&world, "first").0, 0);
}

#[test]
fn objects_of_age_and_of_gpg_stand_side_by_side() {
    let (mut world, s3, keyring) = with_keyring("mixed");
    let recipient = world.recipient.clone();
    let dump = archive("pg17-gzip");
    put(&mut world, &s3, "first", ".gpg", keyring.seal(&dump));
    // The newest counts, whatever it is encrypted with.
    s3.put(&world.key("first", ago(120)), b"an older one".to_vec());
    put(&mut world, &s3, "second", ".age", seal(&dump, &[&recipient]));
    s3.put(&world.key("second", ago(120)).replace(".age", ".gpg"), b"an older one".to_vec());
    let (code, plan) = planned(&world);
    assert_eq!(codes(&plan), BTreeMap::from([("first", "fine"), ("second", "fine")]), "{plan:#}");
    // Only that they are dumps of a fixture is said of them.
    let findings = plan["findings"].as_array().unwrap().iter();
    let errors: Vec<_> = findings.filter(|finding| finding["severity"] == "error").collect();
    assert_eq!((code, errors.len()), (0, 0), "{errors:#?}");
    assert_eq!([layers(&plan, "first"), layers(&plan, "second")], ["gpg", "age"]);
    let (code, content, words) = fetched(&world, "first");
    assert_eq!((code, content == dump), (0, true), "{words}");
    assert!(!keyring.has_agent(), "the agent that was started is stopped");
}

#[test]
fn what_gpg_does_not_open_is_told_for_each_point() {
    let (mut world, s3, keyring) = with_keyring("gpg-unopened");
    world.template.identities.clear();
    let stranger = Keyring::new(&world, "stranger");
    // More than the plan reads at first, so that it sees a part of a message only.
    let mut dump = archive("pg17-none");
    let rows: Vec<u8> =
        (0..1_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    dump.extend_from_slice(&rows);
    let whole = keyring.seal(&dump);
    let altered = |at: usize| {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        altered
    };
    for (name, object) in [
        ("first", whole.clone()),
        ("stranger", stranger.seal(&dump)),
        ("cut", whole[..whole.len() - 1000].to_vec()),
        ("short", whole[..60].to_vec()),
        ("altered", altered(whole.len() - 50_000)),
        ("early", altered(150)),
        ("followed", [&whole[..], b"more"].concat()),
        ("plain", dump.clone()),
    ] {
        put(&mut world, &s3, name, ".gpg", object);
    }
    let (code, plan) = planned(&world);
    assert_eq!(code, 1);
    let codes = codes(&plan);
    // Its first bytes are sound: a drill reads it to its end.
    for name in ["first", "cut", "altered", "followed"] {
        assert_eq!(codes[name], "fine", "{name}: {plan:#}");
    }
    assert_eq!(
        [codes["stranger"], codes["short"], codes["early"], codes["plain"]],
        ["no_identity_fits", "decrypt_failed", "decrypt_failed", "not_age"]
    );
    assert_eq!(fetched(&world, "first").0, 0);
    for name in ["cut", "altered", "followed"] {
        let (code, content, words) = fetched(&world, name);
        assert_eq!((code, content.len()), (1, 0), "{name}: {words}");
        assert!(words.contains("gpg does not decrypt"), "{words}");
    }
    assert!(!keyring.has_agent());
}

#[test]
fn a_keyring_is_examined() {
    let (mut world, s3, keyring) = with_keyring("keyring");
    put(&mut world, &s3, "first", ".gpg", keyring.seal(&archive("pg17-gzip")));
    let examined = |world: &World| {
        world.write_template();
        let outcome = world.run(&["doctor", "-t", "./template.toml", "--format", "json"]);
        let examination: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let items = examination["items"].as_array().unwrap().clone();
        let item = move |begins: &str| {
            let found = items.iter().find(|item| item["what"].as_str().unwrap().starts_with(begins));
            found.unwrap_or_else(|| panic!("{begins}: {items:#?}")).clone()
        };
        (outcome.code, item)
    };
    let (_, item) = examined(&world);
    assert_eq!(item("gpg keyring")["status"], "ok");
    assert!(item("gpg keyring")["seen"].as_str().unwrap().contains("GnuPG"));
    assert_eq!(item("header of ")["status"], "ok");
    assert!(item("header of ")["seen"].as_str().unwrap().contains("gpg"), "{}", item("header of "));
    let mode =
        |mode| std::fs::set_permissions(&keyring.homedir, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    assert_eq!(examined(&world).1("mode of /")["status"], "warning");
    mode(0o700);

    let empty = world.path("empty");
    std::fs::create_dir(&empty).unwrap();
    world.template.encryption = format!("gpg_homedir = {empty:?}");
    let (code, item) = examined(&world);
    assert_eq!((code, item("gpg keyring")["status"].as_str()), (2, Some("failed")));
    world.run(&["plan", "-t", "./template.toml"]).refused(2, &["no secret key", "encryption.gpg_homedir"]);
    world.template.encryption = format!("gpg_homedir = {:?}", world.path("nothing"));
    world.write_template();
    world.run(&["plan", "-t", "./template.toml"]).refused(2, &["nothing", "cannot be used"]);
    world.template.encryption = format!("gpg_homedir = {:?}", keyring.homedir);
    world.environment.insert("PATH".to_owned(), empty.display().to_string());
    world.write_template();
    world.run(&["plan", "-t", "./template.toml"]).refused(2, &["gpg cannot be started", "gnupg"]);
}

#[test]
fn a_template_that_demands_encryption_needs_what_opens_it() {
    let (mut world, s3) = empty("demanded");
    put(&mut world, &s3, "first", "", archive("pg17-gzip"));
    world.template.identities = vec!["".into()];
    world.template.encryption = "gpg_homedir = \"\"".to_owned();
    world.write_template();
    let refusal = world.run(&["plan", "-t", "./template.toml"]);
    refusal.refused(2, &["no age identity and no keyring", "encryption.identities"]);
}
