//! `restore-drill backup` against a real source server on a Docker network of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use restore_drill::backup::Job;
use restore_drill::clock::Clock;
use restore_drill::layer::{Identities, Recipients};
use restore_drill::model::failure::Class;
use restore_drill::model::manifest::FingerprintKey;
use restore_drill::model::secret::Secret;
use restore_drill::store::S3Store;
use restore_drill::template::{self, Environment, Purpose};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::cancel::Running;
use super::site::{Site, opened};
use super::support::wait::{wait_for, wait_until};
use super::world::{
    BUCKET, Outcome, PREFIX, RUNTIME, World, ago, docker, docker_bytes, docker_with, seal, sha256,
};

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"))
}

#[test]
fn dumps_are_uploaded_under_their_keys_and_are_archives_that_the_drill_passes_with() {
    let site = Site::new("backup", &["shop", "shop_orders"]);
    let begun = Clock::system().now();
    let outcome = site.backup(&["--format", "json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let report = report(&outcome);
    let taken_at: DateTime<Utc> = report["taken_at"].as_str().unwrap().parse().unwrap();
    assert!((taken_at - begun).abs() < TimeDelta::minutes(5));
    let objects = site.objects();
    let keys = ["shop", "shop_orders"].map(|name| site.world.key(name, taken_at));
    let manifest = site.world.manifest_key(taken_at);
    let globals = site.world.globals_key(taken_at);
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&globals, &manifest, &keys[0], &keys[1]]);
    let plaintext = opened(&site.world, &objects[&globals]);
    assert_eq!(report["globals"]["key"], globals.as_str());
    assert_eq!(report["globals"]["uploaded"]["plaintext_sha256"], sha256(&plaintext));
    let sealed = std::fs::read(&objects[&manifest]).unwrap();
    let written = &report["manifest"];
    assert_eq!((&written["key"], &written["databases"]), (&manifest.into(), &2.into()));
    assert_eq!((&written["size_bytes"], &written["verified"]), (&sealed.len().into(), &true.into()));
    assert_eq!(written["ciphertext_sha256"], sha256(&sealed));
    assert_eq!(report["warnings"], Value::Array(Vec::new()));
    for (dump, key) in report["dumps"].as_array().unwrap().iter().zip(&keys) {
        assert_eq!(dump["key"], key.as_str());
        let ciphertext = std::fs::read(&objects[key]).unwrap();
        let uploaded = &dump["uploaded"];
        assert_eq!(uploaded["size_bytes"], ciphertext.len());
        assert_eq!(uploaded["ciphertext_sha256"], sha256(&ciphertext));
        let plaintext = opened(&site.world, &objects[key]);
        assert_eq!(uploaded["plaintext_bytes"], plaintext.len());
        assert_eq!(uploaded["plaintext_sha256"], sha256(&plaintext));
        let list = ["exec", "-i", &site.source.server.container, "pg_restore", "--list"];
        let listed = String::from_utf8(docker_bytes(&list, &plaintext)).unwrap();
        assert!(listed.contains("TABLE DATA public t postgres"), "{listed}");
        let entries = listed.lines().filter(|line| !line.starts_with(';')).count();
        assert_eq!(dump["verified"]["entries"], entries);
        assert_eq!(
            (&dump["fingerprinted"]["tables"], &dump["fingerprinted"]["rows"]),
            (&1.into(), &3.into())
        );
        assert_eq!(dump["error"], Value::Null);
    }
    assert_eq!(site.leftovers(), Vec::<PathBuf>::new());
    assert_eq!(report["teardown"]["status"], "clean", "{outcome}");
    assert_eq!(site.containers(), Vec::<String>::new());
    // And with nothing but these, the drill passes.
    let drill = site.world.drill(&[]);
    drill.passed();
    assert_eq!(drill.verdict()["rows_verified"], 6);
}

#[test]
fn a_dump_that_fails_leaves_nothing_under_its_key() {
    let mut site = Site::new("backup-fails", &["shop"]);
    type Spoil = fn(&mut Site);
    let cases: [(&str, Spoil, &str, &str); 3] = [
        (
            "wrong password",
            |site| drop(site.world.environment.insert("PGPASSWORD".to_owned(), "wrong".to_owned())),
            "password authentication failed",
            "backup.password",
        ),
        ("unknown host", |site| site.aim("nonesuch"), "nonesuch", "backup.host"),
        (
            "no password",
            |site| {
                site.aim("postgres");
                site.world.environment.remove("PGPASSWORD");
            },
            "no password supplied",
            "backup.password",
        ),
    ];
    for (what, spoil, said, hint) in cases {
        spoil(&mut site);
        let outcome = site.backup(&[]);
        assert_eq!(outcome.code, 1, "{what}: {outcome}");
        assert!(
            outcome.stdout.contains("Backup FAILED — shop: pg_dump ended with status 1"),
            "{what}: {outcome}"
        );
        assert!(outcome.stdout.contains(said), "{what}: {outcome}");
        let hinted = outcome.stdout.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
        assert!(hinted.contains(hint), "{what}: {outcome}");
        site.assert_nothing_uploaded(&outcome);
    }
}

#[test]
fn an_empty_database_is_backed_up_and_a_value_too_large_for_the_memory_allowed_is_not_blamed_on_the_source() {
    let large = "CREATE TABLE large AS SELECT repeat('x', 60000000) AS value";
    let databases = [("empty", None, "SELECT"), ("large", None, large)];
    let mut site = Site::filled("backup-sizes", "DRILL_POSTGRES_17_IMAGE", &databases);
    // A backup to a directory, and a drill from it.
    site.world.in_directory();
    site.world.rows("rows", "large", "large", "exact = 1");
    site.world.template.more.push_str("memory = \"96MiB\"\n");
    let outcome = site.backup(&["--format", "json"]);
    assert_eq!(outcome.code, 3, "{outcome}");
    let reported = report(&outcome);
    assert_eq!(reported["dumps"][0]["verified"]["entries"], 0, "{outcome}");
    let error = &reported["dumps"][1]["error"];
    assert_eq!(error["code"], "pg_dump_killed", "{outcome}");
    assert!(error["hint"].as_str().unwrap().contains("backup.memory"), "{outcome}");
    site.aim("postgres");
    site.world.template.more.push_str("privileges = false\n");
    let outcome = site.backup(&[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("read back: an empty database"), "{outcome}");
    assert_eq!(site.leftovers(), Vec::<PathBuf>::new());
    let private = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600;
    let objects = site.objects();
    assert!(objects.values().all(private));
    // Globals of its time that somebody else wrote.
    let manifest = objects.keys().rfind(|key| key.starts_with("manifest_")).expect("it has one");
    let strange = manifest.replace("manifest_", "globals_").replace(".json.age", ".sql.age");
    site.world.put(&strange, &seal(b"CREATE ROLE stranger;\n", &[&site.world.recipient]));
    let drill = site.world.drill(&[]);
    let verdict = drill.passed();
    assert_eq!(verdict["access"]["status"], "absent", "{drill}");
    let told = format!("{strange} was passed over: by the manifest of its time, the backup did not write it");
    assert!(verdict["not_verified"].as_array().unwrap().contains(&told.into()), "{drill}");
}

#[test]
fn one_database_that_fails_does_not_keep_the_others_from_being_dumped() {
    let mut site = Site::new("backup-partly", &["shop"]);
    site.world.database("nonesuch", &[]);
    let outcome = site.backup(&["--format", "json"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let report = report(&outcome);
    assert!(report["dumps"][0]["verified"]["entries"].is_u64(), "{outcome}");
    assert_eq!(report["dumps"][1]["error"]["code"], "pg_dump_failed");
    assert_eq!(report["dumps"][1]["uploaded"], Value::Null);
    let keys: Vec<String> = site.objects().into_keys().collect();
    let of = |report: &Value| report["key"].as_str().unwrap().to_owned();
    assert_eq!(keys, [of(&report["globals"]), of(&report["manifest"]), of(&report["dumps"][0])]);
    assert_eq!(report["manifest"]["databases"], 1, "it has what has a dump");
    assert_eq!(site.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn a_dump_that_breaks_off_in_the_middle_leaves_nothing_under_its_key() {
    let site = Site::new("backup-broken", &["shop"]);
    let mut session = site.session("shop");
    // More than one part of an upload, in spite of compression.
    let sql = "CREATE TABLE large AS SELECT n, sha512(n::text::bytea) || sha512((-n)::text::bytea) AS words
               FROM generate_series(1, 400000) n";
    RUNTIME.block_on(session.execute(sql, "filling")).unwrap();
    site.world.write_template();
    let mut backup = Running::spawn(&site.world, site.world.command(&["backup", "-t", "./template.toml"]));
    backup.wait_for("shop: dumping");
    // A part of the upload is there, so the dump is on its way.
    let uploads = || site.leftovers().iter().any(|path| path.to_string_lossy().contains(".part-"));
    wait_until(uploads, || "nothing is uploaded".to_owned());
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'";
    RUNTIME.block_on(session.execute(kill, "killing")).unwrap();
    let outcome = backup.finish();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stdout.contains("pg_dump ended with status 1"), "{outcome}");
    site.assert_nothing_uploaded(&outcome);
}

#[test]
fn nothing_is_ever_overwritten() {
    let mut site = Site::new("backup-again", &["shop"]);
    // Two backups of one day have the same key now.
    site.world.template.endpoint.push_str("\"\ntimestamp = \"%Y%m%d");
    let day = ago(0).date_naive();
    let first = site.backup(&[]);
    assert_eq!(first.code, 0, "{first}");
    let content =
        || site.objects().into_values().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>();
    let mut before = content();
    assert_eq!(before.len(), 3, "a dump, the globals and the manifest");
    let mut second = site.backup(&[]);
    if ago(0).date_naive() != day {
        // The day has ended in between.
        before = content();
        second = site.backup(&[]);
    }
    assert_eq!(second.code, 1, "{second}");
    assert!(second.stdout.contains("is in the store already, and nothing is ever overwritten"), "{second}");
    assert!(content() == before, "the first dump is as it was");
    assert_eq!(site.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn without_verification_no_private_key_is_needed_and_the_summary_says_so() {
    let site = Site::new("backup-blind", &["shop"]);
    std::fs::remove_file(site.world.path("age.key")).unwrap();
    let refused = site.backup(&[]);
    refused.refused(2, &["age.key", "cannot be read"]);
    site.assert_nothing_uploaded(&refused);
    let outcome = site.backup(&["--no-verify"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let last = outcome.stdout.lines().last().unwrap();
    assert!(last.starts_with("Backup PASSED — 1 dump") && last.ends_with("NOT read back"), "{outcome}");
    assert_eq!(site.objects().len(), 3, "a dump, the globals and the manifest");
}

#[test]
fn a_dry_run_shows_the_keys_and_touches_neither_the_engine_nor_the_store() {
    let mut world = World::new("backup-dry");
    world.database("shop", &[]).rows("rows", "shop", "t", "exact = 3");
    world.template.more = format!(
        "[backup]\nrecipients = [\"{}\"]\nhost = \"nonesuch\"\nnetwork = \"nonesuch\"\n",
        world.recipient
    );
    world.environment.insert("DOCKER_HOST".to_owned(), "unix:///nonexistent/docker.sock".to_owned());
    world.write_template();
    let outcome = world.run(&["backup", "-t", "./template.toml", "--dry-run"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.starts_with(&format!("shop → {PREFIX}/shop_")), "{outcome}");
    assert!(outcome.stdout.contains(&format!("\nmanifest → {PREFIX}/manifest_")), "{outcome}");
    assert!(outcome.stdout.contains(&format!("\nglobals → {PREFIX}/globals_")), "{outcome}");
    world.template.more.push_str("privileges = false\n");
    world.write_template();
    let without = world.run(&["backup", "-t", "./template.toml", "--dry-run", "--no-manifest"]);
    assert!(
        !without.stdout.contains("globals_") && without.stdout.contains("warning: backup.privileges"),
        "{without}"
    );
    assert!(!without.stdout.contains("manifest"), "{without}");
    let bucket = world.path("s3").join(BUCKET);
    assert_eq!(std::fs::read_dir(bucket).unwrap().count(), 0);
    world.assert_nothing_left();
}

/// The processes of a container, with their arguments; none while it does not run.
fn processes_in(container: &str) -> String {
    let top = Command::new("docker").args(["top", container, "-eo", "pid,args"]).output();
    String::from_utf8_lossy(&top.expect("there is a docker client").stdout).into_owned()
}

#[test]
fn the_password_is_shown_to_nobody_while_the_dump_runs_and_the_object_only_once_it_is_complete() {
    let site = Site::new("backup-secret", &["shop"]);
    let password = &site.world.environment["PGPASSWORD"];
    // Has pg_dump wait, so that there is time to look.
    let mut lock = site.session("shop");
    RUNTIME.block_on(lock.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "locking")).unwrap();
    site.world.write_template();
    let mut backup = Running::spawn(&site.world, site.world.command(&["backup", "-t", "./template.toml"]));
    backup.wait_for("shop: dumping");
    let processes = wait_for(
        || {
            let processes: String = site.containers().iter().map(|id| processes_in(id)).collect();
            processes.contains("pg_dump").then_some(processes)
        },
        || "pg_dump is not seen".to_owned(),
    );
    assert!(!processes.contains(password.as_str()), "{processes}");
    let containers = site.containers();
    let inspected = docker(&["inspect", &containers[0]]);
    assert!(!inspected.contains(password.as_str()), "{inspected}");
    let of_host = Command::new("ps").args(["-eo", "args"]).output().expect("there is a ps");
    assert!(!String::from_utf8_lossy(&of_host.stdout).contains(password.as_str()));
    assert_eq!(docker_with(&["logs", &containers[0]], b""), "");
    assert!(site.objects().is_empty(), "nothing is visible before it is complete");
    drop(lock);
    let outcome = backup.finish();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(site.objects().len(), 3, "the dump, the globals and the manifest");
}

#[test]
fn a_dump_that_is_damaged_before_it_is_read_back_fails_the_backup() {
    let mut site = Site::new("backup-damaged", &["shop"]);
    let path = site.world.write_template();
    let load = |environment: BTreeMap<String, String>| {
        let environment: Environment = environment.into_iter().collect();
        template::load(&path.display().to_string(), &environment, Purpose::Backup).unwrap()
    };
    let environment = std::mem::take(&mut site.world.environment);
    let (access, secret) =
        (environment["AWS_ACCESS_KEY_ID"].clone(), Secret::new(&environment["AWS_SECRET_ACCESS_KEY"]));
    let template = Arc::new(load(environment));
    let store = RUNTIME.block_on(S3Store::connect_with(&template.store, &access, &secret)).unwrap();
    let job = Job {
        databases: vec!["shop".parse().unwrap()],
        store: Arc::new(store),
        recipients: Arc::new(Recipients::parse(&[site.world.recipient.clone()]).unwrap()),
        verify_with: Some(Arc::new(Identities::load(&template.encryption.identities).unwrap())),
        manifest: Some(FingerprintKey::random()),
        globals: true,
        template,
        clock: Clock::system(),
    };
    type Damage = fn(&Path);
    let cases: [(&str, Damage, &str); 3] = [
        (
            "a byte flipped",
            |path| {
                let mut bytes = std::fs::read(path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                std::fs::write(path, bytes).unwrap();
            },
            "",
        ),
        ("cut short", |path| std::fs::write(path, b"short").unwrap(), "it has 5 bytes"),
        ("removed", |path| std::fs::remove_file(path).unwrap(), "it is not in the store"),
    ];
    for (what, damage, said) in cases {
        let damaged = AtomicBool::new(false);
        let progress = |line: &str| {
            if line.starts_with("shop: uploaded ") {
                // What the last case left behind is gone.
                let objects = site.objects();
                assert_eq!(objects.len(), 1, "{what}");
                damage(objects.values().next().unwrap());
                damaged.store(true, Ordering::Relaxed);
            }
        };
        let report = RUNTIME.block_on(job.run(&CancellationToken::new(), &progress)).unwrap();
        assert!(damaged.load(Ordering::Relaxed), "{what}: it was not done");
        let failure = report.failure().unwrap_or_else(|| panic!("{what} went unseen"));
        assert_eq!(failure.class, Class::Bad, "{what}: {failure}");
        assert!(failure.message.starts_with("shop: ") && failure.message.contains(said), "{what}: {failure}");
        assert!(report.dumps[0].verified.is_none(), "{what}");
        for path in site.objects().values() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn an_interrupted_backup_leaves_nothing() {
    let site = Site::new("backup-stopped", &["shop"]);
    let mut lock = site.session("shop");
    RUNTIME.block_on(lock.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "locking")).unwrap();
    site.world.write_template();
    let mut backup = Running::spawn(&site.world, site.world.command(&["backup", "-t", "./template.toml"]));
    backup.wait_for("shop: dumping");
    let mut looker = site.session("postgres");
    let waits = "SELECT 'pg_dump' FROM pg_locks WHERE NOT granted LIMIT 1";
    let mut dump_waits = || RUNTIME.block_on(looker.text(waits, "looking for locks")).unwrap().is_some();
    wait_until(&mut dump_waits, || "pg_dump does not wait for the lock".to_owned());
    backup.signal("INT");
    let outcome = backup.finish();
    assert_eq!(outcome.code, 130, "{outcome}");
    site.assert_nothing_uploaded(&outcome);
}
