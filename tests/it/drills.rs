//! Drills of sound backups: they pass, and their evidence holds exactly what was there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use restore_drill::layer;
use serde_json::{Value, json};

use super::fixtures::{dump, dump_of_15, large_dump};
use super::world::{Outcome, World, ago, seal, sha256};

/// Every key of the verdict that scripts and auditors may rely on, as JSON pointers, of a drill that passed.
const CONTRACT: &[&str] = &[
    "/schema_version",
    "/drill_id",
    "/template",
    "/timestamp",
    "/project",
    "/status",
    "/operator",
    "/started_at",
    "/finished_at",
    "/duration_seconds",
    "/tool/version",
    "/runner/hostname",
    "/runner/engine_version",
    "/runner/api_version",
    "/recovery_set/oldest",
    "/recovery_set/newest",
    "/recovery_set/skew_seconds",
    "/recovery_set/points/0/database",
    "/recovery_set/points/0/key",
    "/recovery_set/points/0/size_bytes",
    "/recovery_set/points/0/taken_at",
    "/recovery_set/points/0/last_modified",
    "/recovery_set/points/0/storage_class",
    "/recovery_set/points/0/ciphertext_sha256",
    "/recovery_set/points/0/plaintext_sha256",
    "/databases/0/name",
    "/databases/0/after",
    "/databases/0/status",
    "/databases/0/tables",
    "/databases/0/rows",
    "/databases/0/seconds/download",
    "/databases/0/seconds/decrypt",
    "/databases/0/seconds/restore",
    "/isolation/status",
    "/isolation/assertions/0",
    "/isolation/probes/0/target",
    "/isolation/probes/0/expect",
    "/isolation/probes/0/observed",
    "/isolation/probes/0/ok",
    "/checks/0/name",
    "/checks/0/type",
    "/checks/0/status",
    "/checks/0/seconds",
    "/checks/0/rows_verified",
    "/checks/0/summary",
    "/checks/0/findings",
    "/checks/0/findings_total",
    "/objectives/rto/target_seconds",
    "/objectives/rto/actual_seconds",
    "/objectives/rto/met",
    "/objectives/rpo/target_seconds",
    "/objectives/rpo/actual_seconds",
    "/objectives/rpo/met",
    "/objectives/phases",
    "/rows_verified",
    "/kept",
    "/teardown/status",
    "/teardown/removed/containers",
    "/teardown/removed/networks",
    "/teardown/removed/volumes",
    "/teardown/leaked",
];

/// A log that people have written in, with a table of their own before and a section after the drills'.
const LOG: &str = "# Restoring\n\nOur own words.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Drill Log\n\nKept since 2024.\n\n\
    | Date | Operator | Backup Date | Duration | Row Counts | Result |\n\
    |------|----------|-------------|----------|------------|--------|\n\
    | 2026-05-17 | ops | 2026-05-16 | 8m | users=12 | PASS |\n\n## After\n\nMore | words.\n";

/// Where a line that ends so stands in the narration.
fn line_of(outcome: &Outcome, words: &str) -> usize {
    outcome
        .stderr
        .lines()
        .position(|line| line.contains(words))
        .unwrap_or_else(|| panic!("no line has {words}\n{outcome}"))
}

#[test]
fn sound_backups_of_every_shape_pass_and_the_evidence_is_complete() {
    let mut world = World::new("shapes");
    // A day apart, so that it shows which of them the drill log names.
    let (old, new) = (ago(26 * 60), ago(60));
    let mut objects = BTreeMap::new();
    for (name, after, taken_at) in [
        ("registry", ["identity"].as_slice(), new),
        ("identity", &[], old),
        ("ledger", &["registry"], new),
        ("quiet", &["identity"], new),
        ("nothing", &["quiet", "ledger"], new),
    ] {
        objects.insert(name, world.put_dump(name, taken_at, dump(name)));
        world.database(name, after);
    }
    world
        .tables("tables", "identity", &["tenants", "users", "revoked", "archive.users"])
        .rows("users", "identity", "users", "exact = 50")
        .rows("no revocations", "identity", "revoked", "exact = 0")
        .rows("quoted", "registry", "Ünï cödé.Tablé \"in quotes\"; --", "min = 5, max = 5")
        .rows("partitioned", "registry", "events", "exact = 10")
        .rows("public", "ledger", "entries", "min = 11")
        .rows("letters", "quiet", "letters", "exact = 0");
    world.template.objectives = "rto = \"1h\"\nrpo = \"2d\"\nrestore = \"1h\"\n".to_owned();
    world.template.more = "[log]\ncounts = [\n\
        { label = \"users\", database = \"identity\", table = \"users\" },\n\
        { label = \"events\", database = \"registry\", table = \"events\" },\n]\n"
        .to_owned();
    world.write("runbooks/restore_drill.md", LOG);

    let outcome = world.drill(&["--operator", "Ann | Other"]);
    let verdict = outcome.passed();
    world.assert_nothing_left();
    // As of a set that pg_dump alone made.
    assert_eq!(verdict["access"]["status"], "absent", "{outcome}");
    let without_roles = "the recovery set has no globals";
    assert!(verdict["not_verified"].to_string().contains(without_roles), "{outcome}");
    assert!(outcome.stdout.contains(without_roles), "{outcome}");

    for pointer in CONTRACT {
        assert!(verdict.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}\n{outcome}");
    }
    for pointer in ["/failure", "/databases/0/error"] {
        assert_eq!(verdict.pointer(pointer), Some(&Value::Null), "{pointer} is there and says nothing");
    }
    assert_eq!(verdict["schema_version"], 1);
    assert_eq!(verdict["template"], *world.name);
    assert_eq!(verdict["operator"], "Ann | Other");
    assert_eq!(verdict["isolation"]["status"], "proved");
    assert_eq!(verdict["kept"], false);
    let file = world.verdict_files().pop_last().unwrap();
    assert_eq!(file.file_stem().unwrap().to_str(), verdict["timestamp"].as_str());
    assert!(verdict["project"].as_str().unwrap().ends_with(verdict["timestamp"].as_str().unwrap()));
    assert_eq!(verdict["recovery_set"]["skew_seconds"], (new - old).num_seconds());
    for objective in ["rto", "rpo"] {
        assert_eq!(verdict["objectives"][objective]["met"], true, "{outcome}");
    }
    assert_eq!(verdict["objectives"]["phases"].as_array().unwrap().len(), 5, "a restore each");

    for (name, object) in &objects {
        let point = outcome.point(name);
        assert_eq!(point["size_bytes"], object.len());
        assert_eq!(point["ciphertext_sha256"], sha256(object));
        assert_eq!(point["plaintext_sha256"], sha256(dump(name)));
    }
    assert_eq!(outcome.point("identity")["key"], world.key("identity", old));

    for (name, tables, rows) in
        [("identity", 4, 60), ("registry", 5, 17), ("ledger", 1, 11), ("quiet", 1, 0), ("nothing", 0, 0)]
    {
        let database = outcome.database(name);
        assert_eq!(database["status"], "restored");
        assert_eq!((&database["tables"], &database["rows"]), (&json!(tables), &json!(rows)), "{name}");
    }
    assert_eq!(
        outcome.database("identity")["table_rows"],
        json!({ "public.tenants": 3, "public.users": 50, "public.revoked": 0, "archive.users": 7 })
    );
    assert_eq!(
        outcome.database("registry")["table_rows"],
        json!({
            "Ünï cödé.\"Tablé \"\"in quotes\"\"; --\"": 5, "public.Select": 2,
            "public.events": 10, "public.events_1": 5, "public.events_2": 5,
        })
    );
    assert_eq!(verdict["rows_verified"], 88);
    assert_eq!(outcome.stdout.lines().last(), Some("Restore drill PASSED — 88 rows verified"));

    for (parent, child) in
        [("identity", "registry"), ("identity", "quiet"), ("registry", "ledger"), ("ledger", "nothing")]
    {
        let done = line_of(&outcome, &format!("{parent}: restored: "));
        let begun = line_of(&outcome, &format!("{child}: restoring"));
        assert!(done < begun, "{child} began before {parent} was restored\n{outcome}");
    }

    let before: Vec<&str> = LOG.lines().collect();
    let mut after: Vec<&str> = outcome.log.lines().collect();
    let at = 1 + before.iter().position(|line| line.contains("users=12")).unwrap();
    let row = after.remove(at).replace("\\|", "¦");
    assert_eq!(after, before, "nothing but a row was added");
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    assert_eq!(cells.len(), 6, "{row}");
    assert_eq!(cells[0], &verdict["started_at"].as_str().unwrap()[..10]);
    assert_eq!(cells[1], "Ann ¦ Other");
    assert_eq!(cells[2], old.format("%Y-%m-%d").to_string());
    assert!(cells[3].ends_with('s') || cells[3].ends_with('m'), "{row}");
    assert_eq!(cells[4..], ["users=50 events=10", "PASS"]);
}

#[test]
fn what_real_databases_hold_besides_tables_does_not_fail_a_sound_backup() {
    let mut world = World::new("oddities");
    let password = "pass'word \"with\" \\ $HOME `x` ${Y} ü%";
    world.environment.insert("RESTORE_DB_PASSWORD".to_owned(), password.to_owned());
    world.secrets.push(password.to_owned());
    world
        .dumped("oddities", &[], dump("oddities"))
        .dumped("latin-1", &[], dump("latin-1"))
        .dumped("bytes", &[], dump("bytes"))
        .dumped("postgres", &[], dump("ledger"))
        .dumped("Camel.Case-1$", &["postgres"], dump("ledger"))
        .tables("tables", "oddities", &["base", "derived", "measurements", "measurements_near", "logins"])
        .rows("latin", "latin-1", "straße", "exact = 2")
        .rows("bytes", "bytes", "words", "exact = 2")
        .rows("postgres", "postgres", "entries", "exact = 11");
    for kind in ["constraints", "amcheck", "sequences"] {
        let check = format!("type = \"{kind}\"\nname = \"{kind}\"\ndatabases = [\"bytes\"]");
        world.template.checks.push(check);
    }
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    let rows = json!({ "public.words": 2, "public.stra\\xdfe": 3, "public.pairs": 4 });
    assert_eq!(outcome.database("bytes")["table_rows"], rows, "a name need not be text");
    let constraints = outcome.check("constraints");
    assert_eq!(constraints["summary"], "1 constraint in 1 database; 3 not checked", "{constraints:#}");
    let not_checked: Vec<&str> = constraints["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["subject"].as_str())
        .collect();
    assert!(
        not_checked.iter().all(|subject| subject.starts_with("bytes.public.stra\\xdfe ")),
        "{constraints:#}"
    );
    assert_eq!(
        outcome.database("oddities")["table_rows"],
        json!({
            "public.base": 10, "public.derived": 6, "public.measurements": 3,
            "public.measurements_near": 3, "public.logins": 1,
        }),
        "a parent has its children's rows, and nothing that the drill itself did"
    );
    assert_eq!(outcome.database("oddities")["rows"], 14, "each row once");
    assert_eq!(verdict["rows_verified"], 14 + 2 + 9 + 11 + 11);
    world.assert_nothing_left();
}

#[test]
fn json_on_stdout_is_the_verdict_and_nothing_else() {
    let mut world = World::new("json");
    world.dumped("quiet", &[], dump("quiet")).tables("tables", "quiet", &["letters"]);
    let outcome = world.drill(&["--format", "json"]);
    let verdict = outcome.passed();
    assert_eq!(outcome.stdout, outcome.verdict_text, "the file and stdout agree to the byte");
    assert_eq!(verdict["operator"], "system", "there is no login name in a CI job");
    assert_eq!(verdict["rows_verified"], 0, "a database may be empty");
    let log = &outcome.log;
    let heading = "\n## Drill Log\n";
    assert!(log.contains(heading), "a log that is not there is made\n{log}");
    let rows = log.split(heading).nth(1).unwrap().lines().filter(|line| line.starts_with("| 20")).count();
    assert_eq!(rows, 1, "{log}");
    world.assert_nothing_left();
}

#[test]
fn only_the_named_databases_are_drilled() {
    let mut world = World::new("only");
    world
        .dumped("identity", &[], dump("identity"))
        .dumped("ledger", &["identity"], dump("ledger"))
        .database("never-dumped", &["ledger"])
        .rows("users", "identity", "users", "exact = 50")
        .rows("entries", "ledger", "entries", "exact = 11");
    let outcome = world.drill(&["--only", "ledger"]);
    let verdict = outcome.passed();
    assert_eq!(verdict["only"], json!(["ledger"]));
    assert_eq!(verdict["databases"].as_array().unwrap().len(), 1);
    assert_eq!(verdict["checks"].as_array().unwrap().len(), 1);
    assert_eq!(verdict["rows_verified"], 11);
    let refused = world.drill(&["--only", "ledgre"]);
    refused.refused(2, &["ledgre", "identity, ledger, never-dumped"]);
    world.assert_nothing_left();
}

#[test]
fn the_newest_recovery_point_is_chosen_by_its_key_and_at_goes_back_in_time() {
    let mut world = World::new("newest");
    // Whichever store it is: this time a directory.
    let directory = world.in_directory();
    let (older, newer) = (ago(180), ago(60));
    let key = |taken_at| world.key("books", taken_at);
    let (older_key, newer_key) = (key(older), key(newer));
    // A re-upload of an old dump is the last thing that happened to this store.
    let upload = |key: &str, name, age| {
        let path = world.put(key, &seal(dump(name), &[&world.recipient]));
        let uploaded = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(path).unwrap().set_modified(uploaded).unwrap();
    };
    upload(&newer_key, "ledger", 3000);
    upload(&older_key, "quiet", 10);
    for other in ["books_20260101T000000Z.dump", "books_late_20990101T000000Z.dump.age", "books_.dump.age"] {
        world.put(other, b"not one of this database's recovery points");
    }
    std::os::unix::fs::symlink("/etc/hostname", directory.join("books_20990101T000000Z.dump.age")).unwrap();
    world.database("books", &[]).rows("entries", "books", "entries", "exact = 11");
    let outcome = world.drill(&[]);
    outcome.passed();
    assert_eq!(outcome.point("books")["key"], *newer_key);
    let warnings = outcome.verdict()["warnings"].as_array().unwrap();
    // The dump is of a table alone, and of another than the one before it.
    let [bare, gone, exposed, link, stray, renamed] = warnings.as_slice() else {
        panic!("six warnings\n{outcome}")
    };
    assert!(exposed.as_str().unwrap().contains("every user of the machine can read"), "{exposed}");
    assert!(link.as_str().unwrap().contains("symbolic link that leads out"), "{link}");
    assert_eq!(outcome.verdict()["plan"]["store"], json!({ "url": world.template.url }));
    assert!(gone.as_str().unwrap().contains("public.letters"), "{gone}");
    assert!(bare.as_str().unwrap().contains("not one index"), "{bare}");
    assert!(
        stray.as_str().unwrap().starts_with("books_late: "),
        "a database that the template does not name: {stray}"
    );
    assert!(renamed.as_str().unwrap().contains("ledger"), "made under another name: {renamed}");

    world.template.checks.clear();
    world.tables("letters", "books", &["letters"]);
    let at = ago(120).to_rfc3339();
    let outcome = world.drill(&["--at", &at]);
    outcome.passed();
    assert_eq!(outcome.point("books")["key"], *older_key);

    let plan = world.drill(&["--at", "2020-01-01", "--dry-run"]);
    assert_eq!(plan.code, 1, "nothing is that old\n{plan}");
    world.assert_nothing_left();
}

#[test]
fn a_dump_of_an_older_major_version_restores_into_a_newer_one() {
    let mut world = World::new("older-major");
    world.dumped("identity", &[], dump_of_15()).rows("users", "identity", "users", "exact = 50");
    let outcome = world.drill(&[]);
    let verdict = outcome.passed();
    assert!(verdict["stack"]["postgres_version"].as_str().unwrap().starts_with("17"), "{outcome}");
    let archive = &outcome.database("identity")["archive"];
    assert!(archive["server_version"].as_str().unwrap().starts_with("15"), "{outcome}");
    assert_eq!(verdict["rows_verified"], 60);
    world.assert_nothing_left();
}

#[test]
fn a_large_dump_is_restored_by_several_workers_and_a_small_one_by_one() {
    let mut world = World::new("large");
    assert!(large_dump().len() > 32 * 1024 * 1024);
    world
        .dumped("large", &[], large_dump())
        .dumped("ledger", &["large"], dump("ledger"))
        .rows("left", "large", "left_half", "exact = 110000")
        .rows("right", "large", "right_half", "exact = 110000");
    let outcome = world.drill(&["--jobs", "2"]);
    outcome.passed();
    assert_eq!(outcome.database("large")["pg_restore"]["jobs"], 2);
    assert_eq!(outcome.database("ledger")["pg_restore"]["jobs"], 1);
    assert_eq!(outcome.point("large")["plaintext_sha256"], sha256(large_dump()));
    world.assert_nothing_left();
}

fn ssh_keygen(path: &Path, passphrase: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "drill", "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen is there (package openssh-client)");
    assert!(status.success());
}

#[test]
fn keys_of_every_kind_from_several_files_open_their_recovery_points() {
    let mut world = World::new("keys");
    let ((second, second_public), (third, third_public)) = (layer::generate_key(), layer::generate_key());
    let several = format!("# two keys\n{}\n\n{}\n", second.expose(), third.expose());
    world.secrets.extend([second.expose().to_owned(), third.expose().to_owned()]);
    let several = world.write("several.key", several);
    let ssh = world.path("id_ed25519");
    ssh_keygen(&ssh, "");
    let ssh_public = std::fs::read_to_string(ssh.with_extension("pub")).unwrap();
    let ssh_secret = std::fs::read_to_string(&ssh).unwrap();
    world.secrets.extend(ssh_secret.lines().nth(2).map(str::to_owned));
    world.template.identities.extend([several, ssh]);
    let native = world.recipient.clone();
    let mut armored =
        age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor).unwrap();
    armored.write_all(&seal(dump("ledger"), &[&native])).unwrap();
    world.put(&world.key("by-armor", ago(60)), &armored.finish().unwrap());
    world.database("by-armor", &[]).rows("by-armor", "by-armor", "entries", "exact = 11");
    for (name, recipients) in [
        ("by-first-file", [native.as_str()].as_slice()),
        ("by-second-key", &[&third_public]),
        ("by-ssh-key", &[ssh_public.trim()]),
        ("by-any", &[&second_public, ssh_public.trim()]),
    ] {
        world.put(&world.key(name, ago(60)), &seal(dump("ledger"), recipients));
        world.database(name, &[]).rows(name, name, "entries", "exact = 11");
    }
    world.drill(&[]).passed();
    world.assert_nothing_left();
}

#[test]
fn an_ssh_key_with_a_passphrase_is_refused_before_anything_is_made() {
    let mut world = World::new("ssh-passphrase");
    let path = world.path("id_ed25519");
    ssh_keygen(&path, "open sesame");
    world.template.identities = vec![path];
    world.dumped("quiet", &[], dump("quiet")).tables("tables", "quiet", &["letters"]);
    world.drill(&[]).refused(2, &["id_ed25519", "passphrase", "ssh-keygen"]);
    world.assert_nothing_written();
}
