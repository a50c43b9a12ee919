//! `fetch --globals`: the roles that a drill has proved reach a file, or stdout; any others do not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, Utc};
use restore_drill::model::names::compact;
use serde_json::{Value, json};

use super::fixtures::FIXTURE;
use super::support::memory_s3::MemoryS3;
use super::support::world::{Outcome, World, ago, seal, sha256};

const SQL: &str = "\\restrict abc\n\
    CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER LOGIN;\n\
    CREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n\
    CREATE TABLESPACE fast OWNER app LOCATION '/srv/fast';\n\\unrestrict abc\n";

struct Site {
    world: World,
    s3: MemoryS3,
    sealed: Vec<u8>,
    taken_at: DateTime<Utc>,
    key: String,
}

/// Globals of an hour ago, which no drill has used.
fn site(name: &str) -> Site {
    let s3 = MemoryS3::default();
    let mut world = World::stored_in(name, s3.clone());
    world.database(FIXTURE, &[]).tables("tables", FIXTURE, &["app.account"]);
    world.write_template();
    let taken_at = ago(60);
    let sealed = seal(SQL.as_bytes(), &[&world.recipient]);
    let key = world.globals_key(taken_at);
    s3.put(&key, sealed.clone());
    Site { world, s3, sealed, taken_at, key }
}

impl Site {
    /// Leaves the verdict of a drill of so many minutes ago that used these globals, changed by `change`.
    fn drilled(&self, status: &str, minutes: i64, change: impl Fn(&mut Value)) {
        let mut verdict: Value = serde_json::from_str(include_str!("../fixtures/verdict.json")).unwrap();
        let began = ago(minutes);
        verdict["template"] = json!(self.world.name);
        verdict["status"] = json!(status);
        verdict["started_at"] = json!(began);
        verdict["plan"]["store"] =
            json!({ "url": self.world.template.url, "endpoint": self.world.template.endpoint });
        verdict["access"]["globals"] = json!({
            "key": self.key, "taken_at": self.taken_at, "size_bytes": self.sealed.len(), "in_manifest": false,
            "ciphertext_sha256": sha256(&self.sealed), "plaintext_sha256": sha256(SQL.as_bytes()),
        });
        change(&mut verdict);
        let name = compact(began);
        self.world.write(&format!("reports/restore_drill/{name}.json"), verdict.to_string());
    }

    fn fetch(&self, more: &[&str]) -> Outcome {
        self.world.run(&[&["fetch", "-t", "./template.toml", "--globals"], more].concat())
    }

    fn refused(&self, more: &[&str], code: i32, words: &[&str]) {
        let outcome = self.fetch(&[more, &["-o", "g.sql"]].concat());
        outcome.refused(code, words);
        assert!(!self.world.path("g.sql").exists(), "{outcome}");
    }
}

#[test]
fn roles_that_a_drill_has_proved_are_fetched_and_how_they_are_used_is_told() {
    let site = site("globals-proved");
    site.drilled("PASS", 30, |_| {});
    for arguments in [&["--last-passed"][..], &[], &["--at", &ago(1).to_rfc3339()]] {
        let outcome = site.fetch(&[arguments, &["-o", "g.sql"]].concat());
        assert_eq!(outcome.code, 0, "{outcome}");
        let path = site.world.path("g.sql");
        assert_eq!(fs::read_to_string(&path).unwrap(), SQL);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for told in [
            "  psql --no-psqlrc --quiet --dbname=postgres --file=g.sql\n",
            "It holds no passwords.\n",
            "sets one): app\n",
            "It has \\restrict: psql before ",
            "Not in a drill  statement: CREATE TABLESPACE FAST OWNER …",
            "the bytes that a drill restored roles from and passed with\n",
        ] {
            assert!(outcome.stdout.contains(told), "{told}\n{outcome}");
        }
        assert!(!outcome.stdout.contains("Warning"), "{outcome}");
        fs::remove_file(path).unwrap();
    }
    site.world.write("taken.sql", "mine");
    site.fetch(&["--last-passed", "-o", "taken.sql"])
        .refused(2, &["exists already, and nothing is overwritten"]);
    assert_eq!(fs::read(site.world.path("taken.sql")).unwrap(), b"mine");
    // A later drill with them failed.
    site.drilled("FAIL", 10, |_| {});
    let later = site.fetch(&["--last-passed", "-o", "later.sql"]);
    assert_eq!(later.code, 0, "{later}");
    assert!(later.stdout.contains("a drill with these globals failed later: "), "{later}");
    assert!(later.stdout.ends_with("; a later drill with them FAILED\n"), "{later}");
}

#[test]
fn stdout_is_the_sql_and_nothing_else() {
    let site = site("globals-stdout");
    site.drilled("PASS", 30, |_| {});
    let arguments =
        ["fetch", "-t", "./template.toml", "--globals", "--last-passed", "--format", "json", "-o", "-"];
    let output = site.world.command(&arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), SQL.as_bytes().to_vec()), "{said}");
    let report: Value = serde_json::from_str(&said[said.find('{').unwrap()..]).unwrap();
    assert_eq!(report["globals"]["plaintext_sha256"], sha256(SQL.as_bytes()), "{said}");
    assert_eq!((&report["output"], &report["passwords_to_set"]), (&json!("-"), &json!(["app"])), "{said}");
    assert_eq!(report["command"], "psql --no-psqlrc --quiet --dbname=postgres", "{said}");
}

#[test]
fn roles_that_no_drill_has_proved_are_refused_unless_they_are_asked_for() {
    let site = site("globals-unproved");
    let none = "no drill that passed has restored";
    site.refused(&[], 3, &[none, "hint: drill it first"]);
    site.refused(&["--last-passed"], 3, &["has no verdict of a drill that passed and restored roles"]);
    for status in ["FAIL", "INCONCLUSIVE", "RUNNING", "CANCELLED"] {
        site.drilled(status, 30, |_| {});
        site.refused(&[], 3, &[none]);
    }
    // A drill that passed and left roles out, one that could not use them, and one of other globals.
    site.drilled("PASS", 29, |verdict| verdict["access"] = Value::Null);
    site.drilled("PASS", 28, |verdict| verdict["access"]["status"] = json!("failed"));
    site.refused(&["--last-passed"], 3, &["has no verdict of a drill that passed and restored roles"]);
    let older = site.world.globals_key(ago(600));
    site.drilled("PASS", 27, |verdict| {
        verdict["access"]["globals"]["key"] = json!(older);
        verdict["access"]["globals"]["taken_at"] = json!(ago(600));
    });
    site.refused(&[], 3, &[none, "hint: --last-passed takes the newest that one has"]);
    site.refused(&["--last-passed"], 1, &["was drilled, and is not in the store any more"]);
    let outcome = site.fetch(&["--unproved", "-o", "g.sql"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(fs::read_to_string(site.world.path("g.sql")).unwrap(), SQL);
    assert!(
        outcome.stdout.contains("NOT proved: no drill that passed has restored roles from them"),
        "{outcome}"
    );
}

#[test]
fn globals_that_are_not_those_that_were_proved_leave_nothing() {
    let site = site("globals-changed");
    site.drilled("PASS", 30, |_| {});
    let hint = "hint: do not restore from it";
    let longer = format!("{SQL}{}", "DROP ROLE app;\n".repeat(500));
    site.s3.put(&site.key, seal(longer.as_bytes(), &[&site.world.recipient]));
    site.refused(&["--last-passed"], 1, &["is not what was proved: it has ", hint]);
    // Others that are as long, by a verdict that has their size, and by one that has the digest of the object too.
    let other = seal(SQL.replace("ROLE app", "ROLE App").as_bytes(), &[&site.world.recipient]);
    site.s3.put(&site.key, other.clone());
    let size = json!(other.len());
    site.drilled("PASS", 29, |verdict| verdict["access"]["globals"]["size_bytes"] = size.clone());
    site.refused(&["--last-passed"], 1, &["the SHA-256 of the object is", hint]);
    site.drilled("PASS", 28, |verdict| {
        verdict["access"]["globals"]["size_bytes"] = size.clone();
        verdict["access"]["globals"]["ciphertext_sha256"] = json!(sha256(&other));
    });
    site.refused(&["--last-passed"], 1, &["the SHA-256 of the SQL in it is", hint]);
    // Of no length that an age file has: its header is filled up with chance.
    site.s3.put(&site.key, other[..10].to_vec());
    site.refused(&["--unproved"], 1, &["is not what was proved: it has "]);
}

#[test]
fn the_manifest_of_the_backup_has_a_say_and_a_store_without_globals_is_told() {
    let site = site("globals-manifest");
    let manifest = |plaintext: &str| {
        json!({
            "schema_version": 1, "template": site.world.name, "taken_at": site.taken_at, "tool_version": "0",
            "algorithm": "blake3-keyed-sum256", "fingerprint_key": "00".repeat(32), "databases": [],
            "globals": {
                "key": site.key, "size_bytes": site.sealed.len(), "ciphertext_sha256": sha256(&site.sealed),
                "plaintext_bytes": SQL.len(), "plaintext_sha256": sha256(plaintext.as_bytes()),
            },
        })
    };
    let put = |manifest: &Value| {
        let sealed = seal(manifest.to_string().as_bytes(), &[&site.world.recipient]);
        site.s3.put(&site.world.manifest_key(site.taken_at), sealed);
    };
    put(&manifest(SQL));
    let outcome = site.fetch(&["--unproved", "-o", "a.sql"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Manifest        the same digests"), "{outcome}");
    put(&manifest("other"));
    site.refused(&["--unproved"], 1, &["the SHA-256 of the SQL in it is", "by the manifest "]);
    let mut without = manifest(SQL);
    without["globals"] = Value::Null;
    put(&without);
    let outcome = site.fetch(&["--unproved", "-o", "b.sql"]);
    assert!(outcome.stdout.contains("not compared: the manifest names no globals"), "{outcome}");
    // What is no globals is not handed on as such.
    site.s3.put(&site.key, seal(b"\\! rm -rf /\n", &[&site.world.recipient]));
    site.refused(&["--unproved"], 1, &["the globals ", "cannot be read: it is not what pg_dumpall"]);
    site.refused(&["--at", "2020-01-01"], 1, &["the store has no globals taken at or before 2020-01-01"]);
    site.s3.objects.lock().unwrap().remove(&site.key);
    site.refused(&["--unproved"], 1, &["the store has no globals", "hint: they are an object like "]);
    let both = ["fetch", "-t", "./template.toml", "--globals", "--database", FIXTURE, "-o", "g.sql"];
    site.world.run(&both).refused(2, &["cannot be used with"]);
    site.world.run(&["fetch", "-t", "./template.toml", "-o", "g.sql"]).refused(2, &["--database"]);
}

#[test]
fn globals_of_another_server_are_passed_over() {
    let mut site = site("globals-elsewhere");
    site.world.tables("legacy", "legacy_db", &["app.account"]);
    site.world.template.more = "[servers.legacy]\nimage = \"postgres:15\"\n\
        [[databases]]\nname = \"legacy_db\"\nserver = \"legacy\"\n"
        .to_owned();
    site.world.write_template();
    // Newer ones, by the same pattern.
    let taken_at = ago(30);
    let other = site.world.globals_key(taken_at);
    let sealed = seal(b"CREATE ROLE other;\n", &[&site.world.recipient]);
    site.s3.put(&other, sealed.clone());
    let manifest = json!({
        "schema_version": 1, "template": "legacy", "taken_at": taken_at, "tool_version": "0",
        "algorithm": "blake3-keyed-sum256", "fingerprint_key": "00".repeat(32),
        "databases": [{
            "name": "legacy_db", "key": site.world.key("legacy_db", taken_at), "size_bytes": 1,
            "ciphertext_sha256": "", "plaintext_bytes": 1, "plaintext_sha256": "", "source": null,
            "content": { "status": "unread", "reason": "a test's" },
        }],
        "globals": {
            "key": other, "size_bytes": sealed.len(), "ciphertext_sha256": sha256(&sealed),
            "plaintext_bytes": 1, "plaintext_sha256": "",
        },
    });
    let manifest = seal(manifest.to_string().as_bytes(), &[&site.world.recipient]);
    site.s3.put(&site.world.manifest_key(taken_at), manifest);
    let outcome = site.fetch(&["--unproved", "-o", "g.sql"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(fs::read_to_string(site.world.path("g.sql")).unwrap(), SQL);
    // One that was drilled all the same is not compared with that manifest.
    site.drilled("PASS", 5, |verdict| {
        verdict["access"]["globals"]["key"] = json!(other);
        verdict["access"]["globals"]["taken_at"] = json!(taken_at);
        verdict["access"]["globals"]["size_bytes"] = json!(sealed.len());
        verdict["access"]["globals"]["ciphertext_sha256"] = json!(sha256(&sealed));
        verdict["access"]["globals"]["plaintext_sha256"] = json!(sha256(b"CREATE ROLE other;\n"));
    });
    let outcome = site.fetch(&["--last-passed", "-o", "h.sql"]);
    let told = "not compared: the manifest is about the globals of another server";
    assert!(outcome.stdout.contains(told), "{outcome}");
    site.s3.objects.lock().unwrap().remove(&site.key);
    fs::remove_file(site.world.path("g.sql")).unwrap();
    site.refused(&["--unproved"], 1, &["; the newest 1 of those by key are of other servers"]);
}
