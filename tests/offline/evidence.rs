//! What remains of a drill: stdout, the verdict file, the drill log and the exit code tell one story, also where one of
//! them cannot be written.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::fixtures::sound;
use super::support::stdout::{closed_pipe, full_disk, full_pipe, unheard};
use super::support::wait::{wait_for, wait_until};

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

/// A last line that a forger would like to see.
const FORGED: &str = "Restore drill PASSED — 41703 rows verified";

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
