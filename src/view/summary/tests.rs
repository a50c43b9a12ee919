use proptest::prelude::*;

use super::*;
use crate::model::code::Code;
use crate::model::failure::Failure;
use crate::model::phase::Phase;
use crate::model::testing::{check, database, passing};
use crate::model::verdict::{BudgetedPhase, Finding, PhaseObjective, StackService, Tuning};

/// Any text, and with it what forgers would write.
fn hostile() -> impl Strategy<Value = String> {
    let forged = prop::sample::select(vec![
        "\nRestore drill PASSED — 41703 rows verified\n",
        "\u{2028}Restore\u{85}drill\u{200b} PASSED",
        "Restore\ndrill\rPASSED\u{9b}2J\u{1b}[1A",
    ]);
    (any::<String>(), forged, any::<String>()).prop_map(|(a, forged, b)| format!("{a}{forged}{b}"))
}

fn shown(verdict: &Verdict) -> String {
    let path = Path::new("reports/restore_drill/20260517T083111Z.json");
    summary(verdict, path, Path::new("runbooks/restore_drill.md"))
}

#[test]
fn a_pass_is_this() {
    let mut verdict = passing();
    verdict.status = Status::Pass;
    insta::assert_snapshot!(shown(&verdict).trim_start(), @r"
    Database  Recovery point           Size  Tables    Rows  Download  Decrypt  Restore  Status
    a         2026-05-17 03:31:11Z  1.0 MiB       1  12,450      0.5s     0.1s     1.2s  restored
    b         2026-05-17 04:31:11Z  2.0 MiB       1       3      0.5s     0.1s     1.2s  restored

    Check   Result    Rows  Time
    tables  pass    12,450  0.2s  1 tables in 1 databases

    Isolation   proved: 1 assertions, 1 probes
    Objectives  RTO 41s of 15m met · RPO not measured
    Teardown    clean: removed 2 containers, 1 network, 0 volumes
    Verdict     reports/restore_drill/20260517T083111Z.json
    Drill log   runbooks/restore_drill.md

    Restore drill PASSED — 12453 rows verified
    ");
}

/// Who reads the verdict sees a status of 1 in a PASS.
#[test]
fn a_restore_that_was_repaired_says_so() {
    let mut verdict = passing();
    verdict.status = Status::Pass;
    let run = |outcome| -> PgRestore {
        serde_json::from_value(serde_json::json!({
            "exit_code": 1, "outcome": outcome, "jobs": 1, "stderr": [], "stderr_lines_dropped": 0,
            "repaired": [{ "entry": 7, "what": "INDEX public.i", "how": "run_again" }],
        }))
        .unwrap()
    };
    let told = "  a: pg_restore ended with status 1, and what it could not restore at first (1 entry) was restored afterwards";
    database(&mut verdict, "a").pg_restore = Some(run("repaired"));
    assert!(shown(&verdict).contains(told), "{}", shown(&verdict));
    database(&mut verdict, "a").pg_restore = Some(run("failed"));
    assert!(!shown(&verdict).contains("restored afterwards"), "{}", shown(&verdict));
}

#[test]
fn a_fail_is_this() {
    let mut verdict = passing();
    verdict.status = Status::Fail;
    let failure = Failure::bad(
        Code::new("row_count_low"),
        "check rows failed: a.public.t: 0 rows, expected at least 1 rows",
    );
    verdict.failure = Some(
        failure.hint("checks[].findings in the verdict has what it saw").to_record(Some(Phase::Restore)),
    );
    let b = database(&mut verdict, "b");
    b.status = DatabaseStatus::Failed;
    b.rows = None;
    b.tables = None;
    b.seconds.restore = None;
    b.error =
        Some(Failure::bad(Code::new("x"), "pg_restore: error: it is \x1b[31mbroken\nreally").to_record(None));
    let mut failed = check(CheckStatus::Fail);
    failed.name = "rows".to_owned();
    failed.summary = "7 findings, the first: a.public.t: 0 rows, expected at least 1 rows".to_owned();
    failed.findings_total = 7;
    for number in 0..7 {
        failed.findings.push(Finding {
            severity: Severity::Error,
            code: Code::new("row_count_low"),
            subject: format!("a.public.t{number}"),
            expected: "at least 1 rows".to_owned(),
            actual: "0 rows, expected at least 1 rows".to_owned(),
        });
    }
    verdict.checks.push(failed);
    verdict.checks.push(check(CheckStatus::Skipped));
    verdict.objectives.rto.met = Some(false);
    verdict.objectives.phases.push(PhaseObjective {
        name: BudgetedPhase::Restore,
        database: Some("b".parse().unwrap()),
        target_seconds: Some(1.0),
        actual_seconds: Some(2.0),
        met: Some(false),
    });
    verdict.teardown.status = TeardownStatus::Leaked;
    verdict.teardown.leaked = vec!["network shop_drill_20260517T083111Z_net: busy".to_owned()];
    verdict.warnings.push("a: something to know".to_owned());
    insta::assert_snapshot!(shown(&verdict).trim_start(), @r"
    Database  Recovery point           Size  Tables    Rows  Download  Decrypt  Restore  Status
    a         2026-05-17 03:31:11Z  1.0 MiB       1  12,450      0.5s     0.1s     1.2s  restored
    b         2026-05-17 04:31:11Z  2.0 MiB       —       —      0.5s     0.1s        —  FAILED
      b: pg_restore: error: it is  [31mbroken really

    Check   Result     Rows  Time
    tables  pass     12,450  0.2s  1 tables in 1 databases
    rows    FAIL     12,450  0.2s  7 findings, the first: a.public.t: 0 rows, expected at least 1 rows
    tables  skipped  12,450  0.2s  1 tables in 1 databases
      row_count_low a.public.t0: 0 rows, expected at least 1 rows
      row_count_low a.public.t1: 0 rows, expected at least 1 rows
      row_count_low a.public.t2: 0 rows, expected at least 1 rows
      row_count_low a.public.t3: 0 rows, expected at least 1 rows
      row_count_low a.public.t4: 0 rows, expected at least 1 rows
      … and 2 more of rows

    Isolation   proved: 1 assertions, 1 probes
    Objectives  RTO 41s of 15m MISSED · RPO not measured · restore of b MISSED
    Teardown    LEAKED, `restore-drill reap` removes it: network shop_drill_20260517T083111Z_net: busy
    Verdict     reports/restore_drill/20260517T083111Z.json
    Drill log   runbooks/restore_drill.md
    Warning     a: something to know
    Hint        checks[].findings in the verdict has what it saw

    Restore drill FAILED — check rows failed: a.public.t: 0 rows, expected at least 1 rows
    ");
}

#[test]
fn a_stack_that_was_kept_is_shown_with_the_commands_to_look_inside_and_to_remove_it() {
    let mut verdict = passing();
    verdict.teardown.status = TeardownStatus::Kept;
    let text = shown(&verdict);
    // Compose refuses capitals in a project's name.
    assert!(text.contains("docker compose -p shop_drill_20260517t083111z down -v"), "{text}");
    assert!(text.contains(&format!("restore-drill reap --drill {}", verdict.drill_id)), "{text}");
}

#[test]
fn several_servers_are_shown_with_the_way_into_each() {
    let mut verdict = passing();
    verdict.teardown.status = TeardownStatus::Kept;
    for (name, version, database) in [("postgres", "17.5", "a"), ("legacy", "15.13", "b")] {
        verdict.stack.services.push(StackService {
            name: name.to_owned(),
            image: String::new(),
            image_id: String::new(),
            container: format!("shop-{name}-1"),
        });
        verdict.stack.servers.push(StackServer {
            name: name.parse().unwrap(),
            port: 5432,
            image: String::new(),
            image_id: String::new(),
            version: version.to_owned(),
            tuning: Tuning::default(),
            settings: Default::default(),
            memory_bytes: 0,
            databases: vec![database.parse().unwrap()],
        });
    }
    let text = shown(&verdict);
    for line in [
        "Servers     postgres: PostgreSQL 17.5 (a) · legacy: PostgreSQL 15.13 (b)",
        "  look inside  docker exec -it shop-postgres-1 psql -U postgres a",
        "  look inside  docker exec -it shop-legacy-1 psql -U postgres b",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_line_of_its_own(text in hostile(), status in prop::sample::select(vec![Status::Fail, Status::Inconclusive])) {
        let lines = |text: &str| {
            let mut verdict = passing();
            verdict.status = status;
            verdict.failure = Some(Failure::config(Code::new("x"), text).hint(text).context(text).to_record(None));
            verdict.warnings = vec![text.to_owned()];
            verdict.teardown.status = TeardownStatus::Leaked;
            verdict.teardown.leaked = vec![text.to_owned()];
            database(&mut verdict, "a").error = Some(Failure::bad(Code::new("x"), text).to_record(None));
            let mut failed = check(CheckStatus::Fail);
            failed.name = format!("{text}x");
            failed.summary = text.to_owned();
            failed.findings = vec![Finding {
                severity: Severity::Error,
                code: Code::new("x"),
                subject: text.to_owned(),
                expected: text.to_owned(),
                actual: text.to_owned(),
            }];
            verdict.checks.push(failed);
            shown(&verdict)
        };
        let text = lines(&text);
        prop_assert_eq!(text.lines().count(), lines("x").lines().count());
        prop_assert!(!text.contains("Restore drill PASSED"));
        prop_assert!(text.lines().last().unwrap().starts_with("Restore drill FAILED"));
        prop_assert!(!text.replace('\n', "").chars().any(human::is_active));
    }
}

#[test]
fn the_last_line_says_how_it_ended_in_words_scripts_look_for() {
    let mut verdict = passing();
    verdict.failure = Some(Failure::inconclusive(Code::new("x"), "the reason").to_record(None));
    for (status, line) in [
        (Status::Pass, "Restore drill PASSED — 12453 rows verified"),
        (Status::Fail, "Restore drill FAILED — the reason"),
        (Status::Cancelled, "Restore drill FAILED — the reason"),
        (Status::Inconclusive, "Restore drill FAILED — inconclusive: the reason"),
    ] {
        verdict.status = status;
        assert_eq!(last_line(&verdict), line);
        assert_eq!(shown(&verdict).trim_end().lines().last(), Some(line));
    }
}
