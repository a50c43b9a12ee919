//! What remains of a drill: stdout, the verdict file, the drill log and the exit code tell one story, also where one of
//! them cannot be written.

use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::fixtures::dump;
use super::planning::sound;
use super::wait::{wait_for, wait_until};
use super::world::{Outcome, World};

/// Runs a command whose stdout is a disk that is full, or a pipe that nobody reads.
fn unheard(world: &World, mut command: Command, stdout: Stdio) -> Outcome {
    let before = world.verdict_files();
    let output = command.stdout(stdout).output().expect("the program starts");
    world.outcome(&output, &before)
}

fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into()
}

fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    writer.into()
}

/// A pipe that has no room, and whose reader does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let flags = fcntl_getfl(&writer).expect("a pipe has flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("they can be set");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    fcntl_setfl(&writer, flags).expect("they can be set");
    (reader, writer)
}

#[test]
fn what_nobody_reads_holds_up_neither_a_drill_nor_a_signal() {
    let (mut world, _, _) = sound("unread");
    // A store that takes questions and never answers.
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    world.template.endpoint = format!("http://{}", store.local_addr().unwrap());
    let (_reader, writer) = full_pipe();
    let mut command = world.drill_command(&[]);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut drill = command.spawn().unwrap();
    drop(command);
    let terminate = |pid: u32| {
        let sent = Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status().unwrap();
        assert!(sent.success());
    };
    // It says that it plans, and plans.
    store.set_nonblocking(true).unwrap();
    let asked = wait_for(|| store.accept().ok(), || "the store was not asked".to_owned());
    terminate(drill.id());
    let cancelled = || {
        let verdicts = world.verdict_files();
        let text = verdicts.last().map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
        text.contains("\"status\": \"CANCELLED\"")
    };
    wait_until(cancelled, || "the first signal was not heard".to_owned());
    // Its result has no way out either.
    assert!(drill.try_wait().unwrap().is_none());
    terminate(drill.id());
    let status = wait_for(|| drill.try_wait().unwrap(), || "the second signal was not heard".to_owned());
    assert_eq!(status.code(), Some(130));
    drop(asked);
}

#[test]
fn a_log_that_cannot_be_written_stops_the_drill_before_it_begins() {
    let (world, _, _) = sound("unwritable-log");
    world.write("a-file", "in the way");
    fs::create_dir(world.path("a-directory")).unwrap();
    assert!(Command::new("mkfifo").arg(world.path("a-fifo")).status().unwrap().success());
    for log in ["a-file/log.md", "a-directory", "a-fifo"] {
        world.drill(&["--log", log]).refused(2, &["cannot write the drill log", log, "hint: --log"]);
    }
    assert!(fs::symlink_metadata(world.path("a-fifo")).unwrap().file_type().is_fifo());
}

#[test]
fn a_device_as_log_stays_a_device_and_what_killed_drills_left_is_removed() {
    let (world, _, _) = sound("device-log");
    symlink("/dev/null", world.path("log.md")).unwrap();
    let left = world.write("reports/restore_drill/.report-aB3dE6", "half a verdict");
    let hours_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    File::open(&left).unwrap().set_modified(hours_ago).unwrap();
    world.drill(&["--log", "log.md"]).failed(3, "engine_unreachable");
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(!left.exists());
    let hidden = fs::read_dir(world.path("reports/restore_drill")).unwrap();
    let hidden = hidden.filter(|entry| entry.as_ref().unwrap().file_name().as_encoded_bytes()[0] == b'.');
    assert_eq!(hidden.count(), 0, "no temporary file is left");
}

#[test]
fn a_result_that_nobody_gets_is_no_success() {
    let (world, _, _) = sound("unheard");
    world.write_template();
    world.write("rows.jsonl", "");
    let commands: [&[&str]; 6] = [
        &["plan", "-t", "./template.toml"],
        &["plan", "-t", "./template.toml", "--format", "json"],
        &["run", "-t", "./template.toml", "--dry-run"],
        &["health", "-t", "./template.toml", "--format", "json"],
        &["verify-chain", "--scheme", "aegis-audit", "--jsonl", "rows.jsonl", "--allow-empty"],
        &["completions", "bash"],
    ];
    for arguments in commands {
        assert_eq!(world.run(arguments).code, 0, "{arguments:?}");
        for stdout in [full_disk(), closed_pipe()] {
            let outcome = unheard(&world, world.command(arguments), stdout);
            assert_eq!(outcome.code, 3, "{arguments:?}\n{outcome}");
            assert!(outcome.stderr.contains("error: the result could not be written to stdout"), "{outcome}");
        }
    }
    let doctor = ["doctor", "-t", "./template.toml"];
    let outcome = unheard(&world, world.command(&doctor), full_disk());
    assert_eq!(outcome.code, world.run(&doctor).code, "what went wrong keeps its own code\n{outcome}");
    assert!(outcome.stderr.contains("could not be written to stdout"), "{outcome}");
}

#[test]
fn a_pass_whose_evidence_is_lost_is_none_wherever_it_is_told() {
    let mut world = World::new("evidence-lost");
    world.template.top = "health = { max_drill_age = \"100d\" }".to_owned();
    world.dumped("identity", &[], dump("identity")).rows("users", "identity", "users", "exact = 50");
    symlink("/dev/full", world.path("full.md")).unwrap();
    let outcome = world.drill(&["--log", "full.md"]);
    let verdict = outcome.failed(3, "evidence_lost");
    assert_eq!(verdict["checks"][0]["status"], "pass");
    assert_eq!(verdict["warnings"].as_array().unwrap().len(), 1, "one cause, one message\n{outcome}");
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
    let health = ["health", "-t", "./template.toml", "--strict"];
    assert_eq!(world.run(&health).code, 1);

    // Nobody hears of a pass: the evidence is there, and whoever waits for the result is not told that all is well.
    let outcome =
        unheard(&world, world.drill_command(&["--log", "/dev/null", "--format", "json"]), full_disk());
    assert_eq!((outcome.code, &outcome.verdict()["status"]), (3, &json!("PASS")), "{outcome}");
    assert_eq!(world.run(&health).code, 0);
    world.assert_nothing_left();
}

#[test]
fn a_log_of_another_user_stays_his() {
    let (world, _, _) = sound("owned-log");
    let log = world.write("runbooks/restore_drill.md", "# Ours\n");
    if std::os::unix::fs::chown(&log, Some(4711), Some(4711)).is_err() {
        return;
    }
    world.drill(&[]).failed(3, "engine_unreachable");
    let owner = std::os::unix::fs::MetadataExt::uid(&File::open(&log).unwrap().metadata().unwrap());
    assert_eq!(owner, 4711);
    assert!(fs::read_to_string(&log).unwrap().starts_with("# Ours\n\n## Drill Log\n"));
}

/// What a forger would have stand on a line of its own.
const FORGED: &str = "Restore drill PASSED — 41703 rows verified";

#[test]
fn names_in_a_dump_make_no_line_and_say_no_pass() {
    let mut world = World::new("forged-names");
    let sql = format!(
        "CREATE TYPE \"x\n{FORGED}\" AS ENUM ('a');
         CREATE TABLE \"y\n{FORGED}\" (t \"x\n{FORGED}\");
         INSERT INTO \"y\n{FORGED}\" VALUES ('a');
         CREATE TABLE \"z\n{FORGED}\" (id int);"
    );
    let forged = super::fixtures::Source::start("DRILL_POSTGRES_17_IMAGE").dump("forged", &sql, &[]);
    world.dumped("forged", &[], &forged);
    let table = format!("\\\"y\\n{FORGED}\\\"");
    world.template.checks.push(format!(
        "type = \"sql\"\nname = \"age\"\ndatabase = \"forged\"\nquery = \"SELECT t FROM {table}\"\nmax_age = \"1h\""
    ));
    let outcome = world.drill(&["--operator", &format!("o\n{FORGED}")]);
    let verdict = outcome.verdict();
    assert_eq!((outcome.code, &verdict["failure"]["code"]), (2, &json!("query_shape")), "{outcome}");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("41703 rows verified"), "{outcome}");
    for told in [&outcome.stdout, &outcome.stderr, &outcome.log] {
        assert!(!told.contains("Restore drill PASSED"), "{outcome}");
    }
    let rows = outcome.log.lines().filter(|line| line.starts_with("| 20")).count();
    assert_eq!(rows, 1, "{}", outcome.log);
    let key = format!("public.y\n{FORGED}");
    assert_eq!(verdict["databases"][0]["table_rows"][key], 1, "data is what it is\n{outcome}");
}

#[test]
fn keys_in_a_store_make_no_line_and_say_no_pass() {
    let (world, s3, _) = sound("forged-keys");
    s3.put(&format!("nightly/stray\n{FORGED}\u{202e}.dump.age"), &b"x"[..]);
    world.write_template();
    for arguments in
        [&["plan", "-t", "./template.toml"][..], &["plan", "-t", "./template.toml", "--format", "json"]]
    {
        let outcome = world.run(arguments);
        assert!(outcome.stdout.contains("PASSED"), "it is shown\n{outcome}");
        assert!(
            !outcome.stdout.lines().any(|line| line.trim_start().starts_with("Restore drill PASSED")),
            "{outcome}"
        );
        assert!(!outcome.stdout.contains('\u{202e}'), "{outcome}");
    }
}
