use super::*;
use crate::model::verdict::CheckStatus;

fn smoke() -> Command {
    toml::from_str("name = \"smoke\"\nimage = \"x\"\ndatabases = [\"d\"]").unwrap()
}

#[test]
fn an_end_that_is_not_known_is_no_success() {
    let ended = |exit_code, for_memory| {
        let state = ObservedContainer { exit_code, ..ObservedContainer::default() };
        ending(&smoke(), &state, for_memory).map_err(|failure| failure.code.as_str())
    };
    assert_eq!(ended(None, false), Err("engine_error"));
    assert_eq!(ended(Some(0), false), Ok(Ending::Status(0)));
    assert_eq!(ended(Some(KILLED), false), Err("command_killed_from_outside"));
    assert_eq!(ended(Some(KILLED), true), Ok(Ending::Killed));
    assert_eq!(ended(Some(1), true), Ok(Ending::Killed));
}

fn judged(ending: Ending, lines: &[&str], total: u64) -> Outcome {
    let check = smoke();
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    judge(&check, ending, &lines, total)
}

#[test]
fn only_status_0_passes() {
    assert_eq!(judged(Ending::Status(0), &[], 0).status, CheckStatus::Pass);
    for (ending, code) in [
        (Ending::Status(1), "command_failed"),
        (Ending::Killed, "command_killed"),
        (Ending::TimedOut, "command_timed_out"),
    ] {
        let outcome = judged(ending, &[], 0);
        assert_eq!((outcome.status, outcome.failing_code().as_str()), (CheckStatus::Fail, code));
    }
}

#[test]
fn the_output_stands_beside_the_outcome() {
    let outcome = judged(Ending::Status(3), &["one", "two", ""], 40);
    assert_eq!(outcome.summary, "smoke: exit status 3; it said last: two");
    assert_eq!(
        (outcome.findings[1].severity, outcome.findings[1].code.as_str()),
        (Severity::Info, "command_output")
    );
    assert_eq!(outcome.findings[1].subject, "the last 3 of 40 lines");
    assert_eq!(outcome.findings[1].actual, "one / two / ");
    assert_eq!(judged(Ending::Status(0), &["fine"], 1).summary, "exit status 0; it said last: fine");
}
