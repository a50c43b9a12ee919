//! Plans of stores in every state, made by the real program over HTTP, without an engine.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::fixtures::{FIXTURE, archive, sound};
use super::support::memory_s3::{Bucket, MemoryS3, Object};
use super::support::schema;
use super::support::world::{Outcome, World, ago, seal};

fn planned(world: &World, arguments: &[&str]) -> (Outcome, Value) {
    world.write_template();
    let arguments: Vec<&str> =
        ["plan", "-t", "./template.toml", "--format", "json"].iter().chain(arguments).copied().collect();
    let outcome = world.run(&arguments);
    let plan = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    schema::assert_kept(schema::PLAN, &plan);
    (outcome, plan)
}

fn codes(plan: &Value) -> Vec<&str> {
    let findings = plan["findings"].as_array().unwrap();
    let codes = findings.iter().map(|finding| finding["code"].as_str().unwrap());
    // The archives are as old as they are, whatever the keys they are put under say.
    codes.filter(|code| *code != "creation_time_differs").collect()
}

#[test]
fn a_plan_tells_what_is_inside_without_an_engine_and_writes_nothing() {
    for name in ["pg15-none", "pg15-gzip", "pg17-none", "pg17-gzip", "pg17-lz4", "pg17-zstd"] {
        let (world, s3, _) = sound(&format!("inside-{name}"));
        // Ten gigabytes, of which the plan must not read more than it needs.
        let head = seal(&[archive(name), vec![7; 1 << 20]].concat(), &[&world.recipient]);
        let object = Object { head: head.into(), size: 10 << 30, ..Object::default() };
        s3.put_object(&world.key(FIXTURE, ago(30)), object);
        let (outcome, plan) = planned(&world, &[]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let point = &plan["points"][0];
        let (major, compression) = name[2..].split_once('-').unwrap();
        assert!(point["archive"]["server_version"].as_str().unwrap().starts_with(major), "{outcome}");
        assert_eq!(point["archive"]["compression"], compression, "{name}");
        let order = point["contents"]["table_order"].to_string();
        assert!(order.contains("app.account") && order.contains("app.reading"), "{order}");
        let bytes = plan["cost"]["bytes"].as_u64().unwrap();
        assert!(bytes < 1 << 20, "{bytes} bytes were moved for {name}");
        world.assert_nothing_written();
    }
}

#[test]
fn a_missing_table_is_found_before_anything_is_restored() {
    let (mut world, ..) = sound("missing-table");
    world.tables("keys", FIXTURE, &["transparency_historical_keys"]);
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!((outcome.code, codes(&plan)), (1, vec!["table_missing_in_dump"]), "{outcome}");
}

#[test]
fn what_cannot_be_opened_is_told_for_each_point() {
    let (mut world, s3, _) = sound("unopened");
    let (_, stranger) = restore_drill::layer::generate_key();
    let whole = seal(&archive("pg17-gzip"), &[&world.recipient]);
    let mut flipped = seal(&vec![7; 3 << 20], &[&world.recipient]);
    flipped[70_000] ^= 1;
    for (name, object, _) in [
        ("stranger", seal(&archive("pg17-gzip"), &[&stranger]), ()),
        ("nothing", seal(b"", &[&world.recipient]), ()),
        ("script", seal(b"--\n-- PostgreSQL database dump\n--\n", &[&world.recipient]), ()),
        ("plain", archive("pg17-gzip"), ()),
        ("cut", whole[..3000].to_vec(), ()),
        ("flipped", flipped, ()),
    ] {
        s3.put(&world.key(name, ago(60)), object);
        world.database(name, &[]);
    }
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let code = |name: &str| {
        let points = plan["points"].as_array().unwrap();
        let point = points.iter().find(|point| point["database"] == name).unwrap();
        point["error"]["code"].as_str().unwrap_or("fine").to_owned()
    };
    for (name, expected) in [
        (FIXTURE, "fine"),
        ("stranger", "no_identity_fits"),
        ("nothing", "empty_dump"),
        ("script", "dump_incomplete"),
        ("plain", "not_age"),
        ("cut", "ciphertext_corrupted"),
        ("flipped", "not_an_archive"),
    ] {
        assert_eq!(code(name), expected, "{name}\n{outcome}");
    }
}

#[test]
fn an_archived_point_is_never_waited_for_and_its_restore_can_be_requested() {
    let (world, s3, key) = sound("archived");
    let sealed = s3.objects.lock().unwrap()[&key].clone();
    s3.put_object(&key, Object { storage_class: Some("DEEP_ARCHIVE"), ..sealed.clone() });
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!((outcome.code, codes(&plan)), (1, vec!["object_archived"]), "{outcome}");
    assert!(plan["findings"][0]["actual"].as_str().unwrap().contains("restore-object"), "{outcome}");
    assert_eq!(s3.asked.lock().unwrap().reads, 0);
    let drill = world.drill(&[]);
    let verdict = drill.failed(1, "object_archived");
    assert_eq!(verdict["failure"]["phase"], "plan");
    assert!(s3.asked.lock().unwrap().restores.is_empty(), "nothing is requested unasked");

    let (outcome, _) = planned(&world, &["--request-restore", "--restore-days", "3"]);
    assert_eq!(s3.asked.lock().unwrap().restores, [(key.clone(), Some(3))]);
    assert!(outcome.stderr.contains("restore requested (Standard, 3 days)"), "{outcome}");
    let (outcome, plan) = planned(&world, &["--request-restore"]);
    assert!(plan["findings"][0]["actual"].as_str().unwrap().contains("under way"), "{outcome}");
    assert_eq!(s3.asked.lock().unwrap().restores.len(), 1, "it was requested before");

    let readable = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2096 00:00:00 GMT\"".to_owned();
    s3.put_object(&key, Object { storage_class: Some("GLACIER"), restore: Some(readable), ..sealed });
    let (outcome, plan) = planned(&world, &["--request-restore"]);
    assert_eq!((outcome.code, codes(&plan)), (0, vec![]), "{outcome}");
    assert!(outcome.stderr.contains("nothing was requested"), "{outcome}");
    // An archived point that the drill does not need is not reported.
    let old = Object { storage_class: Some("GLACIER"), size: 9, ..Object::default() };
    s3.put_object(&world.key(FIXTURE, ago(60 * 24 * 5)), old);
    assert_eq!(planned(&world, &[]).0.code, 0);
}

#[test]
fn a_point_that_its_class_archived_is_restored_for_good() {
    let (world, s3, key) = sound("tiered");
    let sealed = s3.objects.lock().unwrap()[&key].clone();
    let class = Some("INTELLIGENT_TIERING");
    s3.put_object(
        &key,
        Object { storage_class: class, archive_status: Some("DEEP_ARCHIVE_ACCESS"), ..sealed },
    );
    let (outcome, plan) = planned(&world, &["--request-restore"]);
    assert_eq!((outcome.code, codes(&plan)), (1, vec!["object_archived"]), "{outcome}");
    assert_eq!(s3.asked.lock().unwrap().restores, [(key.clone(), None)]);
    assert!(outcome.stderr.contains("restore requested (Standard, for good)"), "{outcome}");
}

#[test]
fn an_archived_point_is_found_though_nothing_tells_how_it_is_kept() {
    let (world, s3, key) = sound("archived-secretly");
    let sealed = s3.objects.lock().unwrap()[&key].clone();
    s3.put_object(&key, Object { storage_class: Some("GLACIER"), secretive: true, ..sealed });
    let (outcome, plan) = planned(&world, &["--request-restore"]);
    assert_eq!((outcome.code, codes(&plan)), (1, vec!["object_archived"]), "{outcome}");
    assert_eq!(plan["points"][0]["readable"], false);
    assert_eq!(s3.asked.lock().unwrap().restores, [(key, Some(7))]);
}

#[test]
fn how_the_bucket_keeps_objects_is_shown_and_judged_where_the_template_demands_it() {
    let (mut world, s3, key) = sound("kept");
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!(outcome.code, 0, "what is denied is no error unless it is demanded\n{outcome}");
    let why = plan["bucket"]["versioning"]["not_known"].as_str().unwrap();
    assert_eq!(why, "access denied; it needs s3:GetBucketVersioning");

    world.template.more =
        "[recovery_set]\nrequire_versioning = true\nrequire_object_lock = true\nmin_retention = \"30d\"\n"
            .to_owned();
    let found = |world: &World| {
        let (outcome, plan) = planned(world, &[]);
        let mut found: Vec<String> = codes(&plan).into_iter().map(str::to_owned).collect();
        found.sort();
        (outcome.code, found)
    };
    let all = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found(&world),
        (1, all(&["object_lock_missing", "storage_fact_not_known", "storage_fact_not_known"]))
    );
    let set = |versioned, expires| {
        *s3.bucket.lock().unwrap() = Bucket {
            versioned: Some(versioned),
            lock_days: Some(90),
            expires_after_days: Some(expires),
            encrypted: Some(true),
            unlisted: None,
        };
    };
    set(false, 7);
    assert_eq!(
        found(&world),
        (1, all(&["object_lock_missing", "retention_too_short", "versioning_missing"]))
    );
    set(true, 365);
    let object = s3.objects.lock().unwrap()[&key].clone();
    let until = |days: i64| -> DateTime<Utc> { ago(0) + TimeDelta::days(days) };
    let locked = |days| Object {
        locked_until: Some(until(days).to_rfc3339_opts(SecondsFormat::Secs, true)),
        ..object.clone()
    };
    s3.put_object(&key, locked(10));
    assert_eq!(found(&world), (1, all(&["retention_too_short"])));
    s3.put_object(&key, locked(90));
    assert_eq!(found(&world), (0, vec![]));
    let text = world.run(&["plan", "-t", "./template.toml"]);
    assert!(text.stdout.contains("object lock COMPLIANCE until"), "{text}");
    assert!(
        text.stdout.contains("versioning enabled · object lock COMPLIANCE for 90 days · encryption AES256"),
        "{text}"
    );
}

#[test]
fn years_of_objects_cost_a_few_pages_and_strangers_are_found() {
    let (mut world, s3, key) = sound("years");
    world.template.more = "[recovery_set]\nschedule = \"1h\"\nhistory = 24\n".to_owned();
    let sealed = s3.objects.lock().unwrap()[&key].clone();
    for name in [FIXTURE, "forgotten", "archive_fixture_2"] {
        for hour in 1..9000 {
            s3.put_object(&world.key(name, ago(60 * hour)), sealed.clone());
        }
    }
    for number in 0..20_000 {
        s3.put(&format!("nightly/receipts/{number:06}.json"), &b"{}"[..]);
        s3.put(&format!("nightly/log-{number:06}.txt"), &b"x"[..]);
    }
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(codes(&plan), ["database_not_in_template", "database_not_in_template"], "{outcome}");
    assert_eq!(plan["points"][0]["history"]["points"], 24);
    let pages = std::mem::take(&mut s3.asked.lock().unwrap().pages);
    assert!(pages < 20, "{pages} pages");
    // Half a year ago, and before anything was there.
    let at = (ago(60 * 4000)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let (_, plan) = planned(&world, &["--at", &at]);
    let taken: DateTime<Utc> = plan["recovery_set"]["newest"].as_str().unwrap().parse().unwrap();
    assert!((taken - ago(60 * 4000)).abs() < TimeDelta::hours(2), "{taken}");
    let (outcome, plan) = planned(&world, &["--at", "2020-01-01"]);
    assert_eq!((outcome.code, codes(&plan)[0]), (1, "no_recovery_point"), "{outcome}");
}

#[test]
fn an_old_point_is_found_though_nothing_came_after_it() {
    let (world, s3, _) = sound("old");
    let object = s3.objects.lock().unwrap().pop_first().unwrap().1;
    for days in [40, 400, 4000] {
        s3.objects.lock().unwrap().clear();
        s3.put_object(&world.key(FIXTURE, ago(60 * 24 * days)), object.clone());
        let (outcome, plan) = planned(&world, &[]);
        assert_eq!(plan["recovery_set"]["points"].as_array().unwrap().len(), 1, "{outcome}");
        assert_eq!(codes(&plan), Vec::<&str>::new(), "{outcome}");
    }
}

#[test]
fn keys_whose_times_do_not_sort_are_listed_whole_and_chosen_all_the_same() {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in("unsorted", s3.clone());
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["app.account"]);
    let text = world.template_text().replace("[encryption]", "timestamp = \"%d-%m-%Y\"\n[encryption]");
    world.write("template.toml", text);
    let sealed = seal(&archive("pg17-gzip"), &[&world.recipient]);
    let now = ago(0);
    for days in 0..1200 {
        let day = (now - TimeDelta::days(days)).format("%d-%m-%Y");
        s3.put(&format!("nightly/{FIXTURE}_{day}.dump.age"), sealed.clone());
    }
    let outcome = world.run(&["plan", "-t", "./template.toml", "--format", "json"]);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let today = now.format("%Y-%m-%dT00:00:00Z").to_string();
    assert_eq!(plan["recovery_set"]["newest"], today.as_str(), "{outcome}");
    assert_eq!(plan["cost"]["objects_listed"], 1200);
}

#[test]
fn a_plan_of_several_servers_tells_which_image_each_needs() {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in("several-servers", s3.clone());
    world.database("modern", &[]);
    for (name, archived) in [("modern", "pg17-gzip"), ("fits", "pg15-gzip"), ("too_new", "pg17-gzip")] {
        s3.put(&world.key(name, ago(60)), seal(&archive(archived), &[&world.recipient]));
        world.tables(name, name, &["app.account"]);
    }
    world.template.more = "[servers.legacy]\nimage = \"postgres:15\"\n\
        [[databases]]\nname = \"fits\"\nserver = \"legacy\"\n[[databases]]\nname = \"too_new\"\nserver = \"legacy\"\n"
        .to_owned();
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let servers = &plan["servers"];
    for (place, name, image, needs) in [(0, "postgres", "postgres:17", 17), (1, "legacy", "postgres:15", 17)]
    {
        let server = &servers[place];
        assert_eq!((&server["name"], &server["image"]["image"]), (&name.into(), &image.into()), "{outcome}");
        assert_eq!(server["needs_major"], needs, "{outcome}");
    }
    assert_eq!(servers[1]["databases"], serde_json::json!(["fits", "too_new"]), "{outcome}");
    let findings = plan["findings"].as_array().unwrap();
    let newer = findings.iter().find(|finding| finding["code"] == "dump_newer_than_image").unwrap();
    assert_eq!((&newer["subject"], &newer["severity"]), (&"too_new".into(), &"error".into()), "{outcome}");
    assert!(newer["expected"].as_str().unwrap().contains("for postgres:15"), "{outcome}");
    // Of the members of one server, not of the whole set.
    let differ: Vec<&Value> = findings.iter().filter(|one| one["code"] == "server_versions_differ").collect();
    assert_eq!(differ.iter().map(|one| &one["subject"]).collect::<Vec<_>>(), ["servers.legacy"], "{outcome}");
    let text = world.run(&["plan", "-t", "./template.toml"]).stdout;
    assert!(text.contains("Server     legacy: postgres:15: PostgreSQL 15, by the image's tag; fits, too_new need PostgreSQL 17 or later"), "{text}");

    let recipient = world.recipient.clone();
    world.template.more.push_str(&format!("[backup]\nrecipients = [\"{recipient}\"]\nhost = \"db\"\n"));
    world.write_template();
    let backup = world.run(&["backup", "-t", "./template.toml", "--dry-run"]);
    backup.refused(2, &["where to dump fits", "[servers.legacy]", "hint: --only"]);
    let backup = world.run(&["backup", "-t", "./template.toml", "--dry-run", "--only", "modern"]);
    assert_eq!(backup.code, 0, "{backup}");
}

#[test]
fn what_is_gone_since_the_point_before_is_reported_and_is_an_error_where_the_template_forbids_it() {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in("drift", s3.clone());
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["public.event"]);
    let put = |name: &str, minutes| {
        let sealed = seal(&archive(name), &[&world.recipient]);
        s3.put(&world.key(FIXTURE, ago(minutes)), sealed);
    };
    put("pg17-gzip", 60 * 49);
    put("pg17-gzip", 60 * 25);
    let (outcome, plan) = planned(&world, &[]);
    assert_eq!((outcome.code, codes(&plan)), (0, vec![]), "{outcome}");
    assert_eq!(plan["points"][0]["drift"]["gone"], serde_json::json!([]));
    // The next dump was made of one schema alone.
    put("pg17-public", 60);
    let of_drift = |plan: &Value, severity: &str| {
        let findings = plan["findings"].as_array().unwrap().clone();
        let kept = findings.into_iter().filter(|finding| {
            finding["severity"] == severity
                && ["objects_gone", "acls_gone", "drift_not_known"]
                    .iter()
                    .any(|code| finding["code"] == *code)
        });
        kept.map(|finding| finding["actual"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (outcome, plan) = planned(&world, &[]);
    let told = of_drift(&plan, "warning").join("\n");
    for gone in ["app.account,", "2 extensions are gone", "pgcrypto", "app.open_tenant", "app.touch()"] {
        assert!(told.contains(gone), "{gone} is named\n{outcome}");
    }
    assert!(!told.contains("account_email"), "it went with its table\n{outcome}");
    assert_eq!(of_drift(&plan, "error"), Vec::<String>::new());
    let drift = &plan["points"][0]["drift"];
    assert_eq!((&drift["partitions_gone"], &drift["unknown"]), (&2.into(), &Value::Null), "{outcome}");
    let text = world.run(&["plan", "-t", "./template.toml"]);
    assert!(text.stdout.contains("2 partitions gone, nothing new"), "{text}");

    world.template.more = "[recovery_set]\nforbid_loss = [\"extensions\", \"policies\"]\n".to_owned();
    let (_, plan) = planned(&world, &[]);
    let errors = of_drift(&plan, "error");
    assert!(errors.len() == 1 && errors[0].starts_with("2 extensions are gone since"), "{errors:?}");
    // The one before is not to be read any more.
    let (_, stranger) = restore_drill::layer::generate_key();
    s3.put(&world.key(FIXTURE, ago(60 * 25)), seal(&archive("pg17-gzip"), &[&stranger]));
    let (outcome, plan) = planned(&world, &[]);
    let unknown = of_drift(&plan, "warning");
    assert!(unknown.len() == 1 && unknown[0].starts_with("not known what is gone"), "{outcome}");
}
