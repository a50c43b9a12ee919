//! The command `verify-chain` on exports, and what it refuses.

use std::process::{Command, Stdio};

use super::support::verify_chain::verify;
use super::support::wait::wait_until;

#[test]
fn exit_codes_of_an_export_tell_what_is_wrong_with_the_question_and_what_with_the_answer() {
    for arguments in [&["--scheme", "aegis-audit"][..], &["--scheme", "hash-chain", "--jsonl", "-"], &[]] {
        assert_eq!(verify(arguments, &[], b"").code, 2, "{arguments:?}");
    }
    let jsonl = ["--scheme", "aegis-audit", "--jsonl", "-"];
    let none = verify(&jsonl, &[], b"\n");
    assert_eq!((none.code, none.stdout.as_str()), (3, ""), "{}", none.stderr);
    assert!(
        none.stderr.contains("the export has no rows") && none.stderr.contains("pipefail"),
        "{}",
        none.stderr
    );
    verify(&[&jsonl[..], &["--allow-empty"]].concat(), &[], b"").holds(0, "0 rows in 0 chains");
    let cut = verify(&["--scheme", "aegis-audit", "--jsonl", "-"], &[], b"{\"id\": ");
    assert_eq!(cut.code, 1);
    assert!(cut.stderr.contains("line 1 of the export cannot be read"), "{}", cut.stderr);
}

#[test]
fn an_interrupt_ends_it_and_nothing_is_said_of_a_drill() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
    let mut child = command
        .args(["verify-chain", "--scheme", "aegis-audit", "--jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Until it listens for signals the first one would end it like any program.
    let listens = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux tells");
        u64::from_str_radix(caught.trim(), 16).expect("hexadecimal digits") & 0b10 != 0
    };
    wait_until(listens, || "it does not listen".to_owned());
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("kill is there").success());
    // Its input stays open, as that of a person's terminal.
    let input = child.stdin.take();
    let output = child.wait_with_output().expect("the program ends");
    drop(input);
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("this says nothing about the chains"), "{said}");
    assert!(!said.contains("drill") && !said.contains("reap"), "{said}");
}
