//! A directory as the store of a template: plans, health, doctor, `fetch` and `backup --dry-run`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::Value;

use super::fixtures::{FIXTURE, archive};
use super::support::schema;
use super::support::world::{Outcome, World, ago};

/// A directory with one sound recovery point of an hour ago, which only its owner can read; and the key of that.
fn world(name: &str) -> (World, PathBuf, String) {
    let mut world = World::offline(name);
    let directory = world.in_directory();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let taken_at = ago(60);
    world.put_dump(FIXTURE, taken_at, &archive("pg17-gzip"));
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["app.account"]);
    let key = world.key(FIXTURE, taken_at);
    (world, directory, key)
}

fn planned(world: &World) -> (Outcome, Value) {
    world.write_template();
    let outcome = world.run(&["plan", "-t", "./template.toml", "--format", "json"]);
    let plan = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    schema::assert_kept(schema::PLAN, &plan);
    world.assert_nothing_written();
    (outcome, plan)
}

/// The codes of findings and what they are about; the archive is as old as it is.
fn findings(plan: &Value) -> Vec<(&str, &str)> {
    let findings = plan["findings"].as_array().unwrap().iter();
    let findings =
        findings.map(|found| (found["code"].as_str().unwrap(), found["subject"].as_str().unwrap()));
    findings.filter(|(code, _)| *code != "creation_time_differs").collect()
}

#[test]
fn a_plan_reads_a_directory_without_credentials_and_shows_how_it_is_kept() {
    let (mut world, directory, key) = world("directory-plan");
    for url in [directory.display().to_string(), format!("file://{}/", directory.display())] {
        world.template.url = url;
        let (outcome, plan) = planned(&world);
        assert_eq!((outcome.code, findings(&plan)), (0, vec![]), "{outcome}");
        assert_eq!(plan["store"], format!("file://{}", directory.display()));
        assert_eq!(plan["bucket"], Value::Null);
        let facts = &plan["directory"];
        assert_eq!(facts["access"]["value"]["mode"], "0700", "{outcome}");
        assert_eq!(facts["access"]["value"]["others_read"]["value"], false);
        assert!(facts["free_bytes"]["value"].as_u64().is_some(), "{outcome}");
        let point = &plan["points"][0];
        assert_eq!(point["archive"]["compression"], "gzip");
        assert_eq!(point["storage"]["value"]["file"]["access"]["others_read"]["value"], false);
        assert_eq!(plan["recovery_set"]["points"][0]["key"], key.as_str());
        let shown = world.run(&["plan", "-t", "./template.toml"]);
        assert!(shown.stdout.contains("mounted for writing · "), "{shown}");
        assert!(shown.stdout.contains("permissions 0700"), "{shown}");
    }
    assert!(fs::read_dir(&directory).unwrap().count() == 1, "nothing is written");
}

#[test]
fn what_is_odd_in_a_directory_is_told_and_never_silently_left_out() {
    let (mut world, directory, point) = world("directory-odd");
    let newer = world.key(FIXTURE, ago(30));
    symlink("/etc/hostname", directory.join(&newer)).unwrap();
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"archive_fixture_\xff.dump.age");
    fs::write(directory.join(odd), b"x").unwrap();
    symlink("nowhere", directory.join("latest")).unwrap();
    let (outcome, plan) = planned(&world);
    assert_eq!(outcome.code, 0, "{outcome}");
    let odd = "archive_fixture_\u{fffd}.dump.age";
    assert_eq!(
        findings(&plan),
        [("entry_passed_over", newer.as_str()), ("entry_passed_over", odd), ("entry_passed_over", "latest")]
    );
    let severities: Vec<&Value> =
        plan["findings"].as_array().unwrap().iter().map(|found| &found["severity"]).collect();
    assert!(severities.contains(&&Value::from("info")), "{outcome}");
    assert_eq!(plan["passed_over"].as_array().unwrap().len(), 3);
    // A relative link to a file in the directory is as good as the file.
    fs::create_dir(directory.join("pool")).unwrap();
    fs::rename(directory.join(&point), directory.join("pool/real")).unwrap();
    symlink("pool/real", directory.join(&point)).unwrap();
    let (outcome, plan) = planned(&world);
    assert_eq!(plan["recovery_set"]["points"][0]["key"], point.as_str(), "{outcome}");
    assert_eq!(plan["points"][0]["readable"], true, "{outcome}");
    // What the template demands is judged by what a directory has.
    world.template.more =
        "[recovery_set]\nrequire_versioning = true\nrequire_object_lock = true\n".to_owned();
    let (outcome, plan) = planned(&world);
    let codes: Vec<&str> = findings(&plan).into_iter().map(|(code, _)| code).collect();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(codes.contains(&"versioning_missing"), "{outcome}");
    // A file system without such an attribute does not tell.
    let lock = ["object_lock_missing", "storage_fact_not_known"];
    assert!(codes.iter().any(|code| lock.contains(code)), "{outcome}");
}

#[test]
fn backups_that_every_user_can_read_are_a_warning() {
    let (world, directory, key) = world("directory-open");
    let private = |path: &PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    private(&directory.join(key), 0o644);
    private(&directory, 0o755);
    let working = world.path("");
    private(&working, 0o755);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode();
    if !directory.ancestors().all(|above| mode(above) & 1 == 1) {
        // A temporary directory that is private.
        return;
    }
    let (outcome, plan) = planned(&world);
    assert_eq!((outcome.code, findings(&plan)), (0, vec![("backups_exposed", "directory")]), "{outcome}");
    private(&working, 0o700);
    let (outcome, plan) = planned(&world);
    assert_eq!(findings(&plan), [], "nobody else comes as far as that\n{outcome}");
}

#[test]
fn a_directory_that_is_not_there_is_a_configuration_error_with_its_path() {
    let (mut world, directory, _) = world("directory-gone");
    world.template.url = format!("{}/nowhere", directory.display());
    world.write_template();
    for command in ["plan", "run", "health"] {
        let outcome = world.run(&[command, "-t", "./template.toml"]);
        assert_eq!(outcome.code, 2, "{command}: {outcome}");
    }
    let outcome = world.run(&["plan", "-t", "./template.toml"]);
    outcome.refused(2, &["there is no directory", "/nowhere", "look at store.url"]);
}

#[test]
fn settings_of_a_bucket_are_refused_of_a_directory() {
    let (mut world, ..) = world("directory-settings");
    for (settings, words) in [
        ("https://h:9000", "store.endpoint is of a store on the network, and store.url is a directory"),
        ("\"\nregion = \"eu-central-1", "store.region is of a store on the network"),
        ("\"\nkey = \"../{database}_{timestamp}", "is no path below the directory of store.url"),
        ("\"\nglobals = \"/{timestamp}", "is no path below the directory of store.url"),
    ] {
        world.template.endpoint = settings.to_owned();
        world.write_template();
        world.run(&["plan", "-t", "./template.toml"]).refused(2, &[words]);
    }
}

#[test]
fn the_doctor_examines_a_directory_and_what_is_wrong_with_it() {
    let (world, directory, _) = world("directory-doctor");
    fs::write(directory.join(".restore-drill-upload-1"), b"of a backup that runs").unwrap();
    let link = world.key(FIXTURE, ago(30));
    symlink("/etc/hostname", directory.join(&link)).unwrap();
    world.write_template();
    let outcome = world.run(&["doctor", "-t", "./template.toml", "--format", "json"]);
    let examination: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let items = examination["items"].as_array().unwrap();
    let item = |what: &str| items.iter().find(|item| item["what"].as_str().unwrap().starts_with(what));
    let store = item("store file:///").unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(store["seen"], "readable, 1 of 1 databases");
    let kept = item("directory").unwrap_or_else(|| panic!("{outcome}"));
    assert!(kept["status"] == "ok" && kept["seen"].as_str().unwrap().contains("permissions 0700"), "{kept}");
    let link = item(&link).unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(link["status"], "warning");
    assert!(item("header of archive_fixture").is_some_and(|item| item["status"] == "ok"), "{outcome}");
    assert!(item("clock against the store's").is_none(), "it has the clock of this machine");
}

#[test]
fn a_recovery_point_is_fetched_from_a_directory_and_the_keys_of_a_backup_are_paths_in_it() {
    let (mut world, directory, _) = world("directory-fetch");
    world.template.more = format!(
        "[backup]\nrecipients = [\"{}\"]\nhost = \"nonesuch\"\nnetwork = \"nonesuch\"\n",
        world.recipient
    );
    world.write_template();
    let fetch = ["fetch", "-t", "./template.toml", "--database", FIXTURE, "--unproved", "-o", "the.dump"];
    let outcome = world.run(&fetch);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(fs::read(world.path("the.dump")).unwrap(), archive("pg17-gzip"));
    let outcome = world.run(&["backup", "-t", "./template.toml", "--dry-run"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.starts_with(&format!("{FIXTURE} → {FIXTURE}_")), "{outcome}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is written");
}
