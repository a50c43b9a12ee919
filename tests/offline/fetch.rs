//! `fetch`: a dump that a drill has proved reaches a file, or stdout; any other does not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use chrono::{DateTime, SecondsFormat, Utc};
use restore_drill::model::names::compact;
use serde_json::{Value, json};

use super::fixtures::{FIXTURE, archive};
use super::support::memory_s3::{MemoryS3, Object};
use super::support::stdout::{closed_pipe, full_disk, full_pipe, unheard};
use super::support::wait::wait_for;
use super::support::world::{Outcome, World, ago, seal, sha256};

/// A dump of several chunks: what follows the contents is rows, as far as this program reads.
fn dump() -> Vec<u8> {
    let mut dump = archive("pg17-gzip");
    dump.resize(3 << 20, 7);
    dump
}

struct Site {
    world: World,
    s3: MemoryS3,
    dump: Vec<u8>,
    sealed: Vec<u8>,
    taken_at: DateTime<Utc>,
    key: String,
}

/// A recovery point of an hour ago, which no drill has restored.
fn site(name: &str) -> Site {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in(name, s3.clone());
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["app.account"]);
    world.write_template();
    let (dump, taken_at) = (dump(), ago(60));
    let sealed = seal(&dump, &[&world.recipient]);
    let key = world.key(FIXTURE, taken_at);
    s3.put(&key, sealed.clone());
    Site { world, s3, dump, sealed, taken_at, key }
}

impl Site {
    /// The verdict of a drill of so many minutes ago that restored the recovery point.
    fn drilled(&self, status: &str, minutes: i64) -> Value {
        let mut verdict: Value = serde_json::from_str(include_str!("../fixtures/verdict.json")).unwrap();
        verdict["template"] = json!(self.world.name);
        verdict["status"] = json!(status);
        verdict["started_at"] = json!(ago(minutes));
        verdict["only"] = json!([]);
        verdict["plan"]["store"] =
            json!({ "url": self.world.template.url, "endpoint": self.world.template.endpoint });
        let mut point = verdict["recovery_set"]["points"][0].clone();
        point["database"] = json!(FIXTURE);
        point["key"] = json!(self.key);
        point["size_bytes"] = json!(self.sealed.len());
        point["taken_at"] = json!(self.taken_at);
        point["ciphertext_sha256"] = json!(sha256(&self.sealed));
        point["plaintext_sha256"] = json!(sha256(&self.dump));
        verdict["recovery_set"]["points"] = json!([point]);
        let database = &mut verdict["databases"][1];
        database["name"] = json!(FIXTURE);
        database["left_out"] = json!([]);
        database["hooks"] = json!([]);
        database["pg_restore"] =
            json!({ "exit_code": 0, "outcome": "clean", "jobs": 2, "stderr": [], "stderr_lines_dropped": 0 });
        verdict
    }

    fn leave(&self, verdict: &Value) {
        let began: DateTime<Utc> = verdict["started_at"].as_str().unwrap().parse().unwrap();
        let name = compact(began);
        self.world.write(&format!("reports/restore_drill/{name}.json"), verdict.to_string());
    }

    fn passed(&self) {
        self.leave(&self.drilled("PASS", 30));
    }

    fn arguments<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        [&["fetch", "-t", "./template.toml", "--database", FIXTURE], more].concat()
    }

    fn fetch(&self, more: &[&str]) -> Outcome {
        self.world.run(&self.arguments(more))
    }

    /// Everything in the working directory but what the test put there.
    fn made(&self) -> Vec<String> {
        let entries = fs::read_dir(self.world.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let own = ["age.key", "template.toml", "s3", "reports"];
        names.filter(|name| !own.contains(&name.as_str())).collect()
    }

    fn refused(&self, more: &[&str], code: i32, words: &[&str]) {
        let outcome = self.fetch(more);
        outcome.refused(code, words);
        assert_eq!(self.made(), Vec::<String>::new(), "{outcome}");
    }
}

#[test]
fn what_a_drill_has_proved_is_fetched_and_the_line_that_restores_it_is_printed() {
    let site = site("fetch-proved");
    site.passed();
    for arguments in [&["--last-passed"][..], &[], &["--at", &ago(1).to_rfc3339()]] {
        let outcome = site.fetch(&[arguments, &["-o", "the.dump"]].concat());
        assert_eq!(outcome.code, 0, "{outcome}");
        let path = site.world.path("the.dump");
        assert_eq!(fs::read(&path).unwrap(), site.dump);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let line = outcome.stdout.lines().find(|line| line.contains("pg_restore")).unwrap();
        let line = line.trim_end_matches(r" && \");
        // From the verdict: that drill restored roles.
        assert!(
            outcome.stdout.contains(
                "Roles come first; globals_20260517T043111Z.sql.age has them. `fetch --globals` does"
            ),
            "{outcome}"
        );
        assert!(line.contains(&format!("--dbname={FIXTURE} --jobs=2 --no-")), "{outcome}");
        assert!(line.ends_with(" the.dump"), "{outcome}");
        assert!(outcome.stdout.contains("createdb --template=template0 --encoding=UTF8"), "{outcome}");
        let last = outcome.stdout.lines().last().unwrap();
        assert!(last.ends_with("the bytes that a drill restored and passed with"), "{outcome}");
        assert_eq!(site.made(), ["the.dump"]);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn stdout_is_the_dump_and_nothing_else() {
    let site = site("fetch-stdout");
    site.passed();
    let command = site.world.command(&site.arguments(&["--last-passed", "--format", "json", "-o", "-"]));
    let output = { command }.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(output.stdout, site.dump);
    let report: Value = serde_json::from_str(&said[said.find('{').unwrap()..]).unwrap();
    assert_eq!(report["proved_by"]["drill_id"], site.drilled("PASS", 30)["drill_id"]);
    assert_eq!(report["point"]["plaintext_sha256"], json!(sha256(&site.dump)));
    assert_eq!(report["output"], "-");
    let commands = report["commands"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let line = { commands }.find(|line| line.contains("pg_restore")).unwrap();
    assert!(line.starts_with("pg_restore --dbname=") && !line.contains("--jobs"), "{line}");
    for stdout in [closed_pipe(), full_disk()] {
        let command = site.world.command(&site.arguments(&["--last-passed", "-o", "-"]));
        let outcome = unheard(&site.world, command, stdout);
        assert_eq!(outcome.code, 3, "{outcome}");
        assert!(outcome.stderr.contains("the dump could not be written"), "{outcome}");
    }
}

#[test]
fn without_a_drill_that_passed_nothing_is_fetched_unless_it_is_asked_for() {
    let site = site("fetch-unproved");
    let none = "no drill that passed has restored";
    site.refused(&["-o", "d"], 3, &[none, "hint: drill it first"]);
    site.refused(&["--last-passed", "-o", "d"], 3, &["has no verdict of a drill that passed"]);
    for status in ["FAIL", "INCONCLUSIVE", "RUNNING", "CANCELLED"] {
        site.leave(&site.drilled(status, 30));
        site.refused(&["-o", "d"], 3, &[none]);
    }
    let mut elsewhere = site.drilled("PASS", 20);
    elsewhere["plan"]["store"]["url"] = json!("s3://another");
    site.leave(&elsewhere);
    let mut undigested = site.drilled("PASS", 19);
    undigested["recovery_set"]["points"][0]["plaintext_sha256"] = Value::Null;
    site.leave(&undigested);
    site.refused(&["-o", "d"], 3, &[none]);
    // Another one was proved.
    let mut older = site.drilled("PASS", 18);
    older["recovery_set"]["points"][0]["key"] = json!(site.world.key(FIXTURE, ago(600)));
    older["recovery_set"]["points"][0]["taken_at"] = json!(ago(600));
    site.leave(&older);
    site.refused(&["-o", "d"], 3, &[none, "hint: --last-passed takes the newest that one has"]);
    site.refused(&["--last-passed", "-o", "d"], 1, &["was drilled, and is not in the store any more"]);
    site.leave(&site.drilled("FAIL", 10));
    let outcome = site.fetch(&["--unproved", "-o", "d"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(fs::read(site.world.path("d")).unwrap(), site.dump);
    for said in
        ["NOT proved: no drill that passed has restored it", "a drill of this recovery point failed: "]
    {
        assert!(outcome.stdout.contains(said), "{outcome}");
    }
}

#[test]
fn an_object_that_is_not_the_one_that_was_proved_leaves_nothing() {
    let site = site("fetch-changed");
    site.passed();
    let hint = "hint: do not restore from it";
    // Another backup under its key, of another size, and of the same one.
    let other = seal(&[dump(), vec![1; 100]].concat(), &[&site.world.recipient]);
    site.s3.put(&site.key, other);
    site.refused(&["--last-passed", "-o", "d"], 1, &["is not what was proved: it has ", hint]);
    assert_eq!(site.s3.asked.lock().unwrap().reads, 0, "that is known before anything is read");
    let swap = |object: Vec<u8>| {
        let mut verdict = site.drilled("PASS", 30);
        verdict["recovery_set"]["points"][0]["size_bytes"] = json!(object.len());
        site.leave(&verdict);
        site.s3.put(&site.key, object);
    };
    let mut other = dump();
    other[2 << 20] ^= 1;
    swap(seal(&other, &[&site.world.recipient]));
    site.refused(&["--last-passed", "-o", "d"], 1, &["the SHA-256 of the object is", hint]);
    // Piped on, it is found out at the end.
    let outcome = site.world.command(&site.arguments(&["--last-passed", "-o", "-"])).output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    // Damaged, cut off, and for another key.
    let mut damaged = site.sealed.clone();
    damaged[1 << 20] ^= 1;
    swap(damaged);
    site.refused(&["--last-passed", "-o", "d"], 1, &["error: "]);
    site.passed();
    site.s3.put(&site.key, site.sealed[..site.sealed.len() - 100].to_vec());
    site.refused(&["--last-passed", "-o", "d"], 1, &["is not what was proved: it has "]);
    site.refused(&["--unproved", "-o", "d"], 1, &["is not what was proved: it has "]);
    let (_, stranger) = restore_drill::layer::generate_key();
    swap(seal(&site.dump, &[&stranger]));
    site.refused(&["--last-passed", "-o", "d"], 1, &["no identity"]);
}

#[test]
fn a_cut_object_that_nobody_proved_leaves_nothing_either() {
    let site = site("fetch-cut");
    site.s3.put(&site.key, site.sealed[..site.sealed.len() - 100].to_vec());
    site.refused(&["--unproved", "-o", "d"], 1, &["error: "]);
}

#[test]
fn the_manifest_of_the_backup_is_compared_too() {
    let site = site("fetch-manifest");
    site.passed();
    let mut manifest = json!({
        "schema_version": 1, "template": site.world.name, "taken_at": site.taken_at, "tool_version": "0",
        "algorithm": "blake3-keyed-sum256", "fingerprint_key": "00".repeat(32),
        "databases": [{
            "name": FIXTURE, "key": site.key, "size_bytes": site.sealed.len(),
            "ciphertext_sha256": sha256(&site.sealed), "plaintext_bytes": site.dump.len(),
            "plaintext_sha256": sha256(&site.dump), "source": null,
            "content": { "status": "unread", "reason": "a test's" },
        }],
    });
    let put = |text: &str| {
        site.s3.put(&site.world.manifest_key(site.taken_at), seal(text.as_bytes(), &[&site.world.recipient]));
    };
    let said = |name: &str, words: &str| {
        let outcome = site.fetch(&["--last-passed", "-o", name]);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(outcome.stdout.contains(words), "{outcome}");
        fs::remove_file(site.world.path(name)).unwrap();
    };
    said("a", "Manifest        not compared: the store has no manifest of this backup");
    put(&manifest.to_string());
    said("b", "Manifest        the same digests");
    put("{}");
    said("c", "Manifest        not compared: the manifest ");
    put(&manifest.to_string().replace("\"schema_version\":1", "\"schema_version\":2"));
    said("d", "Manifest        not compared: the manifest ");
    // One that the store will not hand over, or that is no manifest by its size.
    let key = site.world.manifest_key(site.taken_at);
    let (reports, away) = (site.world.path("reports/restore_drill"), site.world.path("reports/away"));
    for (object, why) in [
        (Object { secretive: true, size: 9, ..Object::default() }, "not compared: "),
        (Object { storage_class: Some("GLACIER"), size: 9, ..Object::default() }, "not compared: "),
        (Object { size: 1 << 40, ..Object::default() }, "are read at once"),
    ] {
        site.s3.put_object(&key, object);
        said("e", why);
        // Nothing else says what the dump is.
        fs::rename(&reports, &away).unwrap();
        let outcome = site.fetch(&["--unproved", "-o", "d"]);
        assert!(outcome.code != 0 && site.made().is_empty(), "{outcome}");
        fs::rename(&away, &reports).unwrap();
    }
    // It names the server's roles.
    manifest["globals"] = json!({
        "key": site.world.globals_key(site.taken_at), "size_bytes": 1, "ciphertext_sha256": "ab".repeat(32),
        "plaintext_bytes": 1, "plaintext_sha256": "cd".repeat(32),
    });
    put(&manifest.to_string());
    fs::rename(&reports, &away).unwrap();
    let outcome = site.fetch(&["--unproved", "-o", "f"]);
    let (name, at) = (compact(site.taken_at), site.taken_at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let command = |arguments: &str| {
        format!(
            "  restore-drill fetch {arguments} --globals --at {at} --unproved -o globals_{name}.sql && \
             psql --no-psqlrc --quiet --dbname=postgres --file=globals_{name}.sql\n"
        )
    };
    for told in [
        &format!("Roles come first; nightly/globals_{name}.sql.age has them:"),
        &command("-t ./template.toml"),
        "To restore it as a drill would:",
    ] {
        assert!(outcome.stdout.contains(told), "{outcome}");
    }
    fs::rename(&away, &reports).unwrap();
    // A drill that passed, and restored no roles, proves none.
    let mut verdict = site.drilled("PASS", 5);
    verdict["access"] = Value::Null;
    site.leave(&verdict);
    let outcome = site.fetch(&["--last-passed", "-o", "g"]);
    assert!(outcome.stdout.contains(&command("-t ./template.toml")), "{outcome}");
    // Its store was copied to here, and to another server's names.
    let copied = |globals: &str| {
        let mut manifest = manifest.clone();
        manifest["databases"][0]["key"] = json!(site.key.replace("nightly/", "was/"));
        manifest["globals"]["key"] = json!(format!("was/{globals}_{name}.sql.age"));
        put(&manifest.to_string());
        let _ = fs::remove_file(site.world.path("g"));
        site.fetch(&["--last-passed", "-o", "g"])
    };
    let outcome = copied("globals");
    assert!(outcome.stdout.contains(&command("-t ./template.toml")), "{outcome}");
    let outcome = copied("globals_other");
    let told =
        format!("Roles come first; nightly/globals_other_{name}.sql.age has them. `fetch --globals` does");
    assert!(outcome.stdout.contains(&told) && !outcome.stdout.contains("--globals --"), "{outcome}");
    fs::remove_file(site.world.path("g")).unwrap();
    put(&manifest.to_string());
    fs::remove_file(site.world.path("f")).unwrap();
    manifest["databases"][0]["plaintext_sha256"] = json!("0".repeat(64));
    put(&manifest.to_string());
    site.refused(&["--last-passed", "-o", "d"], 1, &["the SHA-256 of the dump in it is", "by the manifest "]);
}

#[test]
fn nothing_is_overwritten_and_mistakes_are_told_before_the_store_is_asked() {
    let site = site("fetch-exists");
    site.passed();
    site.world.write("reports/taken", "mine");
    for (arguments, words) in [
        (["--last-passed", "-o", "reports/taken"], "exists already, and nothing is overwritten"),
        (["--last-passed", "-o", "reports"], "exists already, and nothing is overwritten"),
        (["--last-passed", "-o", "no/such/directory"], "cannot write no/such/directory"),
        (["--last-passed", "-o", "no_such_directory/"], "cannot write no_such_directory/"),
    ] {
        site.refused(&arguments, 2, &[words, "hint: -o names another"]);
    }
    assert_eq!(fs::read(site.world.path("reports/taken")).unwrap(), b"mine");
    assert_eq!(site.s3.asked.lock().unwrap().pages, 0);
    let unknown = ["fetch", "-t", "./template.toml", "--database", "nowhere", "-o", "d"];
    site.world.run(&unknown).refused(2, &["--database names nowhere", FIXTURE]);
    site.refused(&["--last-passed", "--at", "2026-01-01", "-o", "d"], 2, &["cannot be used with"]);
    site.refused(&["--at", "2020-01-01", "-o", "d"], 1, &["has no recovery point taken at or before"]);
}

#[test]
fn a_drill_of_the_same_point_that_failed_later_and_a_verdict_that_is_cut_off_are_told() {
    let site = site("fetch-later");
    site.passed();
    site.leave(&site.drilled("FAIL", 60));
    let quiet = site.fetch(&["--last-passed", "-o", "a"]);
    assert!(!quiet.stdout.contains("Warning"), "{quiet}");
    site.leave(&site.drilled("FAIL", 10));
    site.world.write("reports/restore_drill/20991231T000000Z.json", "{\"half");
    let outcome = site.fetch(&["--last-passed", "-o", "b"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    for said in [
        "a drill of this recovery point failed later: ",
        "; a later drill of it FAILED\n",
        "1 file among the verdicts could not be read",
    ] {
        assert!(outcome.stdout.contains(said), "{outcome}");
    }
}

#[test]
fn what_the_drill_repaired_has_a_run_of_its_own_and_what_is_not_known_of_it_is_told() {
    let site = site("fetch-repaired");
    let mut verdict = site.drilled("PASS", 30);
    let database = &mut verdict["databases"][1];
    database["pg_restore"]["exit_code"] = json!(1);
    database["pg_restore"]["outcome"] = json!("repaired");
    database["pg_restore"]["repaired"] =
        json!([{ "entry": 3042, "what": "INDEX app.i", "how": "run_again" }]);
    site.leave(&verdict);
    let outcome = site.fetch(&["--last-passed", "-o", "a"]);
    for line in [
        "  pg_restore --list a | LC_ALL=C grep -vE -e '^(3042);' | pg_restore --dbname=",
        "  pg_restore --list a | LC_ALL=C grep -E -e '^(3042);' | pg_restore --dbname=",
        " --enable-row-security --use-list=/dev/stdin a && \\\n",
    ] {
        assert!(outcome.stdout.contains(line), "{line}\n{outcome}");
    }
    assert!(!outcome.stdout.contains("Warning"), "{outcome}");
    // Read twice, it is no pipe.
    let piped = site.world.command(&site.arguments(&["--last-passed", "-o", "-"])).output().unwrap();
    let said = String::from_utf8(piped.stderr).unwrap();
    assert!(said.contains("pg_restore --list DUMP_FILE | ") && said.contains("write it to a file"), "{said}");
    // An early version wrote the exit status alone; and the template had a part in the restore that it has not today.
    let database = &mut verdict["databases"][1];
    database["pg_restore"] = json!({ "exit_code": 1, "jobs": 2, "stderr": [], "stderr_lines_dropped": 0 });
    database["left_out"] = json!([{ "what": "TABLE DATA public.big", "why": "ignore has it" }]);
    database["hooks"] =
        json!([{ "at": "before_restore", "begins": "SELECT 1", "sha256": "00", "seconds": 0.1 }]);
    site.leave(&verdict);
    let outcome = site.fetch(&["--last-passed", "-o", "b"]);
    for warning in [
        "its verdict does not say what was done about them",
        "before_restore of the template is another than in the drill that passed",
        "the template leaves out other entries of the archive than in the drill that passed",
    ] {
        assert!(outcome.stdout.contains(warning), "{warning}\n{outcome}");
    }
    assert_eq!(outcome.stdout.matches("Warning ").count(), 3, "{outcome}");
}

#[test]
fn the_commands_that_it_prints_are_taken() {
    let mut site = site("fetch-commands");
    site.world.keys(FIXTURE, "after_restore = \"SELECT 1\"");
    site.world.write_template();
    let mut verdict = site.drilled("PASS", 30);
    let globals = site.world.globals_key(site.taken_at);
    verdict["access"]["globals"]["key"] = json!(globals);
    verdict["access"]["globals"]["taken_at"] = json!(site.taken_at);
    site.leave(&verdict);
    let outcome = site.fetch(&["--last-passed", "--reports", "./reports", "-o", "a"]);
    let hooks =
        format!("sql=$(restore-drill hooks -t ./template.toml --database {FIXTURE} after_restore) && ");
    assert!(outcome.stdout.contains(&hooks), "{outcome}");
    let taken = site.world.run(&["hooks", "-t", "./template.toml", "--database", FIXTURE, "after_restore"]);
    assert_eq!(taken.code, 0, "{taken}");
    let at = site.taken_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let roles =
        format!("  restore-drill fetch -t ./template.toml --reports ./reports --globals --at {at} -o ");
    assert!(outcome.stdout.contains(&roles), "{outcome}");
}

/// Nobody drills a point that was uploaded again, in other objects, by its old tags.
#[test]
fn a_point_of_several_objects_is_read_as_they_are_now() {
    let site = site("fetch-objects");
    let (first, second) = site.sealed.split_at(1 << 20);
    let rest = format!("{}.rest", site.key);
    site.s3.put(&site.key, first.to_vec());
    site.s3.put(&rest, second.to_vec());
    let mut verdict = site.drilled("PASS", 30);
    let object = |key: &str, size: usize| json!({ "key": key, "size_bytes": size, "etag": "of-then" });
    verdict["recovery_set"]["points"][0]["objects"] =
        json!([object(&site.key, first.len()), object(&rest, second.len())]);
    site.leave(&verdict);
    let outcome = site.fetch(&["--last-passed", "-o", "d"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(fs::read(site.world.path("d")).unwrap(), site.dump);
    fs::remove_file(site.world.path("d")).unwrap();
    site.s3.put(&rest, second[1..].to_vec());
    site.refused(&["--last-passed", "-o", "d"], 1, &["is not what was proved: it has "]);
    site.s3.objects.lock().unwrap().remove(&rest);
    site.refused(&["--last-passed", "-o", "d"], 1, &[".rest was drilled, and is not in the store any more"]);
}

#[test]
fn a_dump_of_another_database_is_told() {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in("fetch-another", s3.clone());
    world.database("billing", &[]).tables("tables", "billing", &["app.account"]);
    world.write_template();
    s3.put(&world.key("billing", ago(60)), seal(&dump(), &[&world.recipient]));
    let outcome =
        world.run(&["fetch", "-t", "./template.toml", "--database", "billing", "--unproved", "-o", "d"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let said = format!("the dump was made of a database named {FIXTURE}, not of billing");
    assert!(outcome.stdout.contains(&said), "{outcome}");
}

#[test]
fn a_signal_ends_it_and_leaves_nothing() {
    let mut site = site("fetch-signal");
    site.passed();
    let (_reader, writer) = full_pipe();
    let mut piped = site.world.command(&site.arguments(&["--last-passed", "-o", "-"]));
    piped.stdout(writer);
    let mut piped = piped.spawn().unwrap();
    // It waits for whoever reads.
    wait_for(
        || (site.s3.asked.lock().unwrap().reads > 0).then_some(()),
        || "the store was not read".to_owned(),
    );
    // A store that takes questions and never answers.
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    site.world.template.endpoint = format!("http://{}", store.local_addr().unwrap());
    site.world.write_template();
    site.passed();
    let mut to_file = site.world.command(&site.arguments(&["--last-passed", "-o", "d"])).spawn().unwrap();
    let _asked = store.accept().unwrap();
    for process in [&mut piped, &mut to_file] {
        assert!(process.try_wait().unwrap().is_none());
        let sent = Command::new("kill").args(["-s", "TERM", &process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = wait_for(|| process.try_wait().unwrap(), || "the signal was not heard".to_owned());
        assert_eq!(status.code(), Some(130));
    }
    assert_eq!(site.made(), Vec::<String>::new());
}
