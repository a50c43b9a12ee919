//! Layers with a real engine: objects of age and of gpg side by side, compressed dumps, and a backup that gpg seals.

use serde_json::{Value, json};

use super::fixtures::dump;
use super::site::Site;
use super::support::layers::{Keyring, gzip, zstd};
use super::world::{World, ago, seal, sha256};

/// The endings of keys in these worlds.
const KEY: &str =
    "key = \"{database}_{timestamp}.dump{.age,.gpg,.gz}\"\nglobals = \"globals_{timestamp}.sql.{age,gpg}\"";

#[test]
fn recovery_points_in_every_layer_are_restored_and_damaged_ones_are_told() {
    let mut world = World::new("layers");
    let keyring = Keyring::new(&world, "gnupg");
    world.template.store = KEY.to_owned();
    world.template.encryption = format!("gpg_homedir = {:?}\nrequired = false", keyring.homedir);
    let (plain, age) = (dump("ledger"), seal(dump("ledger"), &[&world.recipient]));
    let sound = [
        ("by-age", ".age", age.clone(), json!(["age"])),
        ("by-gpg", ".gpg", keyring.seal(plain), json!(["gpg"])),
        ("gzipped-twice", ".gz", gzip(&gzip(plain)), json!(["gzip", "gzip"])),
        ("inside-age", ".age", seal(&zstd(plain), &[&world.recipient]), json!(["age", "zstd"])),
    ];
    for (name, ending, object, _) in &sound {
        world.put(&world.key(name, ago(60)).replace(".age", ending), object);
        world.database(name, &[]).rows(name, name, "entries", "exact = 11");
    }
    // An older one of the other kind is passed over.
    world.put(&world.key("by-gpg", ago(180)), &age);
    let outcome = world.drill(&[]);
    outcome.passed();
    let verdict = outcome.verdict();
    let points = verdict["recovery_set"]["points"].as_array().unwrap();
    for (name, ending, object, layers) in &sound {
        let point = points.iter().find(|point| point["database"] == *name).unwrap();
        assert!(point["key"].as_str().unwrap().ends_with(ending), "{point}");
        assert_eq!(point["layers"], *layers, "{point}");
        assert_eq!(point["plaintext_sha256"], sha256(plain));
        assert_eq!(point["ciphertext_sha256"], sha256(object));
    }
    assert!(!keyring.has_agent(), "the agent that the drill started is stopped");

    // Damage at the end, which no plan sees.
    let flipped = |mut object: Vec<u8>, from_end: usize| {
        let at = object.len() - from_end;
        object[at] ^= 1;
        object
    };
    for (name, ending, object) in [
        ("gpg-altered", ".gpg", flipped(keyring.seal(dump("layers")), 1)),
        ("gzip-altered", ".gz", flipped(gzip(dump("layers")), 5)),
        ("gzip-padded", ".gz", [gzip(dump("layers")), vec![0; 100]].concat()),
    ] {
        world.put(&world.key(name, ago(60)).replace(".age", ending), &object);
        world.database(name, &[]).rows(name, name, "a_first", "exact = 100");
    }
    let outcome = world.drill(&[]);
    let code = |name: &str| outcome.database(name)["error"]["code"].clone();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(
        [code("gpg-altered"), code("gzip-altered"), code("gzip-padded"), code("by-gpg")],
        [json!("decrypt_failed"), json!("layer_corrupted"), json!("layer_corrupted"), Value::Null],
        "{outcome}"
    );
    world.assert_nothing_left();
}

#[test]
fn a_backup_that_gpg_seals_is_read_back_and_drilled() {
    let mut site = Site::new("backup-gpg", &["shop"]);
    let keyring = Keyring::new(&site.world, "gnupg");
    site.world.template.store = KEY.replace("dump{.age,.gpg,.gz}", "dump.{age,gpg}");
    site.world.template.identities.clear();
    site.world.template.encryption = format!("gpg_homedir = {:?}", keyring.homedir);
    let recipient = format!("recipients = [\"{}\"]", site.world.recipient);
    let to_gpg = "recipients = [\"\"]\ngpg_recipient = \"drill\"";
    site.world.template.more = site.world.template.more.replace(&recipient, to_gpg);
    site.world
        .template
        .checks
        .push("type = \"fingerprint\"\nname = \"source\"\nrequire_manifest = true\n".to_owned());
    let outcome = site.backup(&["--format", "json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["warnings"], json!([]), "{outcome}");
    let objects = site.objects();
    assert_eq!(objects.len(), 3, "the dump, the globals and the manifest");
    for (key, path) in &objects {
        assert!(key.ends_with(".gpg"), "{key}");
        // A packet with a session key for a public key.
        assert_eq!(std::fs::read(path).unwrap()[0], 0x84, "{key}");
    }
    let drill = site.world.drill(&[]);
    drill.passed();
    let verdict = drill.verdict();
    assert_eq!(verdict["recovery_set"]["points"][0]["layers"], json!(["gpg"]));
    assert_eq!(drill.check("source")["status"], "pass", "the manifest was found and opened");
    let stranger = site.world.template.more.replace("\"drill\"", "\"nobody\"");
    site.world.template.more = stranger;
    site.backup(&["--dry-run"]).refused(2, &["no public key", "nobody"]);
    assert!(!keyring.has_agent());
}
