//! The globals that a drill would use, as `plan` and `doctor` show them.

use std::collections::BTreeMap;

use restore_drill::model::manifest::{
    ALGORITHM, Content, Database, FingerprintKey, Globals, Manifest, Recorded, SCHEMA_VERSION,
};
use restore_drill::model::names::ObjectKey;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fixtures::{FIXTURE, archive, backed_up, sound};
use super::support::memory_s3::Object;
use super::support::schema;
use super::support::world::{Outcome, World, ago, seal};

const ROLES: &[u8] = b"CREATE ROLE app;\nALTER ROLE app WITH LOGIN;\nCREATE ROLE owner;\n";

fn planned(world: &World) -> (Outcome, Value) {
    world.write_template();
    let outcome = world.run(&["plan", "-t", "./template.toml", "--format", "json"]);
    let plan = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    schema::assert_kept(schema::PLAN, &plan);
    (outcome, plan)
}

/// The line of the plan for people.
fn line(world: &World) -> String {
    let text = world.run(&["plan", "-t", "./template.toml"]).stdout;
    text.lines().find(|line| line.starts_with("Globals")).expect("there is such a line").to_owned()
}

/// Findings about globals: code and severity.
fn findings(plan: &Value) -> Vec<(&str, &str)> {
    let all = plan["findings"].as_array().unwrap().iter();
    let of_globals = all.filter(|finding| finding["subject"].as_str().unwrap().starts_with("globals"));
    of_globals.map(|one| (one["code"].as_str().unwrap(), one["severity"].as_str().unwrap())).collect()
}

/// The key of globals of the time of a dump.
fn beside(dump: &str, globals: &str) -> String {
    dump.replace(&format!("{FIXTURE}_"), globals).replace(".dump.age", ".sql.age")
}

#[test]
fn a_plan_shows_the_globals_that_a_drill_would_use_or_that_there_are_none() {
    let (mut world, s3, key) = sound("globals-planned");
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["status"]), (0, &"absent".into()), "{outcome}");
    assert_eq!(line(&world), "Globals    none: a drill restores without roles, owners and privileges");

    let before = world.globals_key(ago(180));
    s3.put(&before, seal(ROLES, &[&world.recipient]));
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["roles"]), (0, &2.into()), "{outcome}");
    assert_eq!(plan["globals"][0]["key"], before.as_str(), "the nearest\n{outcome}");
    assert_eq!(findings(&plan), [("globals_of_another_time", "info")], "{outcome}");

    let own = beside(&key, "globals_");
    s3.put(&own, seal(ROLES, &[&world.recipient]));
    let (outcome, plan) = planned(&world);
    let globals = &plan["globals"][0];
    assert_eq!(
        (&globals["key"], &globals["in_manifest"]),
        (&own.as_str().into(), &false.into()),
        "{outcome}"
    );
    assert!(globals["size_bytes"].as_u64().unwrap() > 100 && findings(&plan).is_empty(), "{outcome}");
    let line = line(&world);
    assert!(line.contains(&own) && line.ends_with("2 roles; chosen by its key alone"), "{line}");

    let (_, stranger) = restore_drill::layer::generate_key();
    for (sealed, code) in [
        (seal(ROLES, &[&stranger]), "no_identity_fits"),
        (seal(&ROLES[..30], &[&world.recipient]), "globals_unreadable"),
        (seal(b"PGDMP", &[&world.recipient]), "globals_unreadable"),
    ] {
        s3.put(&own, sealed);
        let (outcome, plan) = planned(&world);
        assert_eq!((outcome.code, findings(&plan)), (1, vec![(code, "error")]), "{outcome}");
        assert_eq!(
            (&plan["globals"][0]["error"]["code"], &plan["globals"][0]["roles"]),
            (&code.into(), &Value::Null)
        );
    }
    let reads = s3.asked.lock().unwrap().reads;
    let health = world.run(&["health", "-t", "./template.toml"]);
    assert_eq!((health.code, s3.asked.lock().unwrap().reads), (0, reads + 1), "the dump alone\n{health}");
    world.template.postgres = "access = \"skip\"".to_owned();
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["status"]), (0, &"skipped".into()), "{outcome}");
    s3.objects.lock().unwrap().retain(|key, _| !key.contains("globals_"));
    world.template.postgres = "access = \"restore\"".to_owned();
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, findings(&plan)), (1, vec![("globals_missing", "error")]), "{outcome}");
}

/// The manifest of a backup that wrote this dump and these globals.
fn manifest(database: &str, dump: &str, globals: &str, ciphertext_sha256: String) -> Vec<u8> {
    let unread = || "not for this test".to_owned();
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        template: "other".to_owned(),
        taken_at: ago(60),
        tool_version: "0.0.0".to_owned(),
        algorithm: ALGORITHM.to_owned(),
        fingerprint_key: FingerprintKey::random(),
        globals: Some(Globals {
            key: ObjectKey::new(globals),
            size_bytes: 1,
            ciphertext_sha256,
            plaintext_bytes: 1,
            plaintext_sha256: String::new(),
            server_version: None,
        }),
        databases: vec![Database {
            name: database.parse().unwrap(),
            key: ObjectKey::new(dump),
            size_bytes: 1,
            ciphertext_sha256: String::new(),
            plaintext_bytes: 1,
            plaintext_sha256: String::new(),
            source: None,
            content: Content::Unread { reason: unread() },
            access: Some(Recorded::Unread { reason: unread() }),
            objects: None,
            collations: None,
        }],
        roles: None,
    };
    manifest.to_json()
}

#[test]
fn the_globals_of_a_server_are_those_that_the_manifest_of_its_dumps_names() {
    let (mut world, s3, key) = sound("globals-of-servers");
    let legacy = world.key("legacy_db", ago(120));
    s3.put(&legacy, seal(&archive("pg15-gzip"), &[&world.recipient]));
    world.tables("legacy", "legacy_db", &["app.account"]);
    world.template.more = "[servers.legacy]\nimage = \"postgres:15\"\n\
        [[databases]]\nname = \"legacy_db\"\nserver = \"legacy\"\n"
        .to_owned();
    // Another template backed up the second source, and calls its globals as this one calls those of the first.
    let of_legacy = legacy.replace("legacy_db_", "globals_").replace(".dump.age", ".sql.age");
    let sealed = seal(ROLES, &[&world.recipient]);
    s3.put(&of_legacy, sealed.clone());
    let put_manifest = |database: &str, sha256: String| {
        let text = manifest(database, &legacy, &of_legacy, sha256);
        let key = of_legacy.replace("globals_", "manifest_").replace(".sql.age", ".json.age");
        s3.put(&key, seal(&text, &[&world.recipient]));
    };
    put_manifest("legacy_db", hex::encode(Sha256::digest(&sealed)));
    let (outcome, plan) = planned(&world);
    let of = |place: usize| (&plan["globals"][place]["server"], &plan["globals"][place]["status"]);
    assert_eq!(
        of(0),
        (&"postgres".into(), &"absent".into()),
        "those nearby are of the other source\n{outcome}"
    );
    assert_eq!(of(1), (&"legacy".into(), &"found".into()), "{outcome}");
    let found = &plan["globals"][1];
    assert_eq!(
        (&found["key"], &found["in_manifest"]),
        (&of_legacy.as_str().into(), &true.into()),
        "{outcome}"
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    let text = world.run(&["plan", "-t", "./template.toml"]).stdout;
    assert!(text.contains("Globals    postgres: none: a drill restores without"), "{text}");
    assert!(text.contains(&format!("Globals    legacy: {of_legacy}")), "{text}");

    put_manifest("legacy_db", "0".repeat(64));
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, findings(&plan)), (1, vec![("globals_replaced", "error")]), "{outcome}");
    s3.objects.lock().unwrap().remove(&of_legacy);
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, findings(&plan)), (1, vec![("globals_missing", "error")]), "{outcome}");

    // Without manifests, each server has keys of its own.
    s3.objects.lock().unwrap().retain(|key, _| !key.contains("manifest_"));
    s3.put(&beside(&key, "globals_"), sealed.clone());
    let (_, plan) = planned(&world);
    let status = |plan: &Value, place: usize| plan["globals"][place]["status"].as_str().unwrap().to_owned();
    assert_eq!((status(&plan, 0), status(&plan, 1)), ("found".to_owned(), "absent".to_owned()), "{plan}");
    s3.put(&of_legacy.replace("globals_", "globals_legacy_"), sealed);
    let (outcome, plan) = planned(&world);
    assert_eq!((status(&plan, 0), status(&plan, 1)), ("found".to_owned(), "found".to_owned()), "{outcome}");
}

#[test]
fn globals_of_the_time_of_a_dump_are_found_without_a_listing_and_others_are_not_looked_for_without_end() {
    let (world, s3, key) = sound("globals-unlisted");
    let deny = |unlisted| s3.bucket.lock().unwrap().unlisted = unlisted;
    deny(Some("nightly/globals_"));
    let (outcome, plan) = planned(&world);
    assert_eq!(plan["globals"][0]["status"], "unknown", "nobody can say that there are none\n{outcome}");
    let (own, sealed) = (beside(&key, "globals_"), seal(ROLES, &[&world.recipient]));
    s3.put(&own, sealed.clone());
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["key"]), (0, &own.as_str().into()), "{outcome}");
    // A manifest may call them otherwise.
    let odd = own.replace("globals_", "roles-of-");
    s3.put(&odd, sealed.clone());
    let manifest_key = own.replace("globals_", "manifest_").replace(".sql.age", ".json.age");
    let text = manifest(FIXTURE, &key, &odd, hex::encode(Sha256::digest(&sealed)));
    s3.put(&manifest_key, seal(&text, &[&world.recipient]));
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["key"]), (0, &odd.as_str().into()), "{outcome}");
    deny(None);

    // Backups nearby that wrote none.
    s3.objects.lock().unwrap().retain(|key, _| !key.contains("globals_") && !key.contains("manifest_"));
    let mut none: Value = serde_json::from_slice(&manifest(FIXTURE, &key, "", String::new())).unwrap();
    none["globals"] = Value::Null;
    let none = seal(none.to_string().as_bytes(), &[&world.recipient]);
    for minutes in 200..303 {
        s3.put(&world.globals_key(ago(minutes)), sealed.clone());
        s3.put(&world.manifest_key(ago(minutes)), none.clone());
    }
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, &plan["globals"][0]["status"]), (0, &"absent".into()), "{outcome}");
    assert!(line(&world).ends_with("; 3 objects that may be globals were not looked at, since so many nearer ones are of other backups"), "{}", line(&world));
}

#[test]
fn a_readable_copy_is_asked_for_of_archived_globals_and_manifests_too() {
    let (mut world, s3, key) = sound("globals-archived");
    let (own, sealed) = (beside(&key, "globals_"), seal(ROLES, &[&world.recipient]));
    let manifest_key = own.replace("globals_", "manifest_").replace(".sql.age", ".json.age");
    let text = manifest(FIXTURE, &key, &own, hex::encode(Sha256::digest(&sealed)));
    let text = seal(&text, &[&world.recipient]);
    let archive = |key: &str, bytes: &[u8], class| {
        let head = bytes.to_vec().into();
        let size = bytes.len() as u64;
        s3.put_object(key, Object { head, size, storage_class: Some(class), ..Object::default() });
    };
    let requested = |world: &World| {
        let before = s3.asked.lock().unwrap().restores.len();
        let outcome = world.run(&["plan", "-t", "./template.toml", "--request-restore"]);
        let restores = s3.asked.lock().unwrap().restores[before..].to_vec();
        assert!(restores.iter().all(|(_, days)| *days == Some(7)), "{restores:?}");
        (outcome, restores.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
    };
    s3.put(&manifest_key, text.clone());
    archive(&own, &sealed, "GLACIER");
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, findings(&plan)), (1, vec![("object_archived", "error")]), "{outcome}");
    assert!(s3.asked.lock().unwrap().restores.is_empty(), "nothing is requested unasked");
    let (outcome, keys) = requested(&world);
    assert_eq!((outcome.code, keys), (1, vec![own.clone()]), "{outcome}");
    let (outcome, keys) = requested(&world);
    let told = format!("{own}: its restore was requested before");
    assert!(outcome.code == 1 && keys.is_empty() && outcome.stderr.contains(&told), "{outcome}");

    // The manifest would name the globals, and cannot be read itself.
    archive(&own, &sealed, "GLACIER");
    archive(&manifest_key, &text, "DEEP_ARCHIVE");
    let (outcome, keys) = requested(&world);
    assert_eq!((outcome.code, keys), (1, vec![own.clone(), manifest_key.clone()]), "{outcome}");
    // A drill that restores no roles reads no globals.
    archive(&own, &sealed, "GLACIER");
    archive(&manifest_key, &text, "DEEP_ARCHIVE");
    world.template.postgres = "access = \"skip\"".to_owned();
    world.write_template();
    let (outcome, keys) = requested(&world);
    assert_eq!((outcome.code, keys), (1, vec![manifest_key.clone()]), "{outcome}");

    world.template.postgres = String::new();
    world.write_template();
    s3.put(&own, sealed);
    s3.put(&manifest_key, text);
    let (outcome, keys) = requested(&world);
    assert!(outcome.code == 0 && keys.is_empty(), "{outcome}");
    assert!(outcome.stderr.contains("nothing was requested"), "{outcome}");
}

#[test]
fn a_doctor_looks_for_globals_and_opens_them() {
    let world = backed_up("globals-doctor");
    let examined = || {
        world.write_template();
        let outcome = world.run(&["doctor", "-t", "./template.toml", "--format", "json"]);
        let examination: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let items = examination["items"].as_array().unwrap().iter().cloned();
        let by_name: BTreeMap<String, Value> =
            items.map(|item| (item["what"].as_str().unwrap().to_owned(), item)).collect();
        by_name["globals"].clone()
    };
    let item = examined();
    assert_eq!(item["status"], "warning");
    assert!(item["seen"].as_str().unwrap().starts_with("none: ") && item["advice"].is_string(), "{item}");
    let key = world.globals_key(ago(60));
    world.put(&key, &seal(ROLES, &[&world.recipient]));
    let item = examined();
    assert_eq!(item["status"], "ok");
    assert!(item["seen"].as_str().unwrap().contains(&key), "{item}");
    world.put(&key, b"age-encryption.org/v1\nnothing");
    assert_eq!(examined()["status"], "failed");
}
