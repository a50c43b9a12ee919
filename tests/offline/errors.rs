//! What is wrong before anything is restored, and what is reported: the exit code,
//! the stable code, the reason, and what to do.

use restore_drill::model::names::compact;
use serde_json::{Value, json};

use super::fixtures::{FIXTURE, backed_up, made_at};
use super::support::world::{NO_ENGINE, PREFIX, World, age_file, ago};

#[test]
fn a_database_without_recovery_point_fails_the_drill_and_needs_no_docker() {
    let mut world = World::offline("no-point");
    world.dumped(FIXTURE, &[], &made_at(ago(60))).database("registry", &[FIXTURE]).rows(
        "rows",
        FIXTURE,
        "app.tenant",
        "min = 1",
    );
    // Too young, another database's, and not a dump: none of them counts.
    let tomorrow = compact(ago(-24 * 60));
    for other in [
        format!("registry_{tomorrow}.dump.age"),
        "registry_old_20260101T000000Z.dump.age".to_owned(),
        "registry_20260101T000000Z.sql".to_owned(),
    ] {
        world.put(&format!("{PREFIX}/{other}"), b"x");
    }
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "no_recovery_point");
    assert_eq!(verdict["failure"]["phase"], "plan");
    assert_eq!(outcome.database("registry")["status"], "missing");
    assert_eq!(outcome.database(FIXTURE)["status"], "skipped");
    assert!(outcome.log.contains("| FAIL |"), "{}", outcome.log);
    let plan = world.drill(&["--dry-run"]);
    assert_eq!(plan.code, 1, "a plan that cannot pass is not sound\n{plan}");
    assert!(plan.stdout.contains("MISSING"), "{plan}");
}

#[test]
fn an_object_without_bytes_fails_the_drill_and_needs_no_docker() {
    let mut world = World::offline("no-bytes");
    world.put(&world.key("layers", ago(60)), b"");
    world.database("layers", &[]).tables("tables", "layers", &["a_first"]);
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "empty_object");
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("--at"), "{outcome}");
}

#[test]
fn a_table_that_was_left_out_of_the_backup_fails_the_drill() {
    let mut world = World::offline("left-out");
    world.dumped(FIXTURE, &[], &made_at(ago(60))).tables("tables", FIXTURE, &["app.account", "app.sessions"]);
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(1, "table_missing_in_dump");
    assert_eq!(verdict["failure"]["phase"], "plan", "before anything is made");
    assert_eq!(outcome.database(FIXTURE)["status"], "skipped");
    let finding = &verdict["plan"]["findings"][0];
    for (key, value) in [
        ("severity", "error"),
        ("code", "table_missing_in_dump"),
        ("subject", "archive_fixture.app.sessions"),
    ] {
        assert_eq!(finding[key], value, "{outcome}");
    }
    assert!(finding["expected"].is_string() && finding["actual"].is_string());
}

#[test]
fn a_missing_variable_is_named_and_nothing_is_written() {
    let mut world = backed_up("variable");
    world.template.url = "s3://${NO_SUCH_BUCKET_VARIABLE:?where the backups are}".to_owned();
    for arguments in [[].as_slice(), &["--dry-run"], &["--format", "json"]] {
        world.drill(arguments).refused(2, &["NO_SUCH_BUCKET_VARIABLE", "where the backups are", "hint: "]);
    }
    world.assert_nothing_written();
}

#[test]
fn an_unknown_key_in_a_template_is_refused_with_its_line() {
    let mut world = backed_up("unknown-key");
    world.template.top = "\n# a comment\ncolour = \"red\"".to_owned();
    let line = world.template_text().lines().position(|line| line.starts_with("colour")).unwrap() + 1;
    world.drill(&[]).refused(2, &["template.toml", "colour", &format!("line {line}"), "hint: "]);
    world.template.top.clear();
    world.rows("typo", FIXTURE, "app.tenant", "minimum = 5");
    world.drill(&[]).refused(2, &["minimum", "hint: "]);
    world.assert_nothing_written();
}

#[test]
fn what_is_wrong_with_the_store_is_told_before_anything_is_written() {
    let mut world = backed_up("store-settings");
    let endpoint = std::mem::replace(&mut world.template.endpoint, "127.0.0.1:9000".to_owned());
    // The values are not shown: people write keys into them.
    world.drill(&[]).refused(2, &["store.endpoint", "http://HOST:PORT"]);
    world.template.endpoint = endpoint;
    for url in ["https://backups.example.org", "s3://"] {
        world.template.url = url.to_owned();
        world.drill(&[]).refused(2, &["store.url is not", "s3://bucket/prefix"]);
    }
    world.assert_nothing_written();
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let world = backed_up("usage");
    for (arguments, word) in [
        (["--jobs", "0"], "--jobs"),
        (["--at", "yesterday"], "2026-05-16T12:00Z"),
        (["--only", "a/b"], "a/b"),
        (["--format", "yaml"], "json"),
        (["--bogus", "x"], "--bogus"),
    ] {
        world.drill(&arguments).refused(2, &[word]);
    }
    world.assert_nothing_written();
}

#[test]
fn a_template_that_is_not_there_is_refused_with_the_known_ones() {
    let world = backed_up("no-template");
    world.run(&["run", "-t", "aegsi"]).refused(2, &["aegsi", "known templates: aegis"]);
    world.run(&["run", "-t", "./aegsi.toml"]).refused(2, &["./aegsi.toml", "hint: "]);
}

#[test]
fn an_identity_that_cannot_be_used_is_refused() {
    let mut world = backed_up("identity");
    world.template.identities = vec![world.path("nowhere.key")];
    world.drill(&[]).refused(2, &["nowhere.key", "hint: "]);

    let passphrase = "correct horse battery staple";
    let mut scrypt = age::scrypt::Recipient::new(passphrase.to_owned().into());
    scrypt.set_work_factor(4);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&scrypt as &dyn age::Recipient)).unwrap();
    let protected = world.write("protected.key", age_file(encryptor, b"AGE-SECRET-KEY-1XYZ\n"));
    world.template.identities = vec![protected];
    world.drill(&[]).refused(2, &["protected.key", "passphrase", "hint: "]);

    let broken = world.secrets[0].replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1Q");
    let path = world.write("broken.key", &broken);
    world.secrets.push(broken);
    world.template.identities = vec![path];
    world.drill(&[]).refused(2, &["broken.key", "line 1", "hint: "]);
    world.assert_nothing_written();
}

#[test]
fn a_bucket_that_is_not_there_is_a_configuration_error() {
    let mut world = backed_up("no-bucket");
    world.template.url = "s3://no-such-bucket/nightly".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(2, "no_such_bucket");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("no-such-bucket"), "{outcome}");
    world.drill(&["--dry-run"]).refused(2, &["no-such-bucket", "hint: "]);
}

#[test]
fn a_store_that_denies_access_is_inconclusive() {
    let mut world = backed_up("denied");
    let wrong = "not-the-secret-key-of-this-store";
    world.environment.insert("AWS_SECRET_ACCESS_KEY".to_owned(), wrong.to_owned());
    world.secrets.push(wrong.to_owned());
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "access_denied");
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("s3:ListBucket"), "{outcome}");
}

#[test]
fn no_credentials_at_all_are_a_configuration_error() {
    let mut world = backed_up("no-credentials");
    world.environment.remove("AWS_ACCESS_KEY_ID");
    world.drill(&[]).refused(2, &["credentials", "AWS_ACCESS_KEY_ID"]);
    world.assert_nothing_written();
}

#[test]
fn a_store_that_does_not_answer_is_inconclusive() {
    let mut world = backed_up("unreachable");
    // Nothing listens on port 1 of this machine.
    world.template.endpoint = "http://127.0.0.1:1".to_owned();
    let outcome = world.drill(&[]);
    let verdict = outcome.failed(3, "store_unreachable");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("127.0.0.1:1"), "{outcome}");
}

#[test]
fn an_engine_that_does_not_answer_is_inconclusive_and_a_plan_needs_none() {
    let world = backed_up("no-engine");
    let plan = world.drill(&["--dry-run"]);
    assert_eq!(plan.code, 0, "{plan}");
    assert!(plan.stdout.contains(&world.key(FIXTURE, ago(60))[..20]), "{plan}");
    assert!(plan.stdout.contains("The plan is sound"), "{plan}");
    let plan = world.drill(&["--dry-run", "--format", "json"]);
    assert_eq!(plan.code, 0, "{plan}");
    let json: Value = serde_json::from_str(&plan.stdout).expect("exactly the plan");
    assert_eq!((&json["status"], &json["sound"]), (&json!("DRY_RUN"), &json!(true)));
    let point = &json["recovery_set"]["points"][0];
    assert_eq!((&point["database"], &point["ciphertext_sha256"]), (&json!(FIXTURE), &Value::Null));
    assert_eq!(world.run(&["plan", "-t", "./template.toml"]).code, 0, "the same by its other name");
    world.assert_nothing_written();

    // Nothing listens on port 1 of this machine; the last is no address at all.
    for address in [NO_ENGINE, "tcp://127.0.0.1:1", "nonsense"] {
        let mut world = backed_up("no-engine-at-all");
        world.environment.insert("DOCKER_HOST".to_owned(), address.to_owned());
        let outcome = world.drill(&[]);
        let verdict = outcome.failed(3, "engine_unreachable");
        assert_eq!(verdict["failure"]["phase"], "preflight");
        assert!(outcome.log.contains("| INCONCLUSIVE |"), "{}", outcome.log);
    }
}

#[test]
fn reports_that_cannot_be_written_stop_the_drill_before_it_begins() {
    let world = backed_up("unwritable");
    world.write("a-file", "in the way");
    world.drill(&["--reports", "a-file/reports"]).refused(2, &["a-file/reports", "hint: "]);
    assert!(!world.path("runbooks").exists());
}
