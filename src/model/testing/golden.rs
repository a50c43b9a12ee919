//! The JSON of a verdict, as scripts and earlier versions know it. A key that is missing here was renamed or removed.

use super::{check, passing, start};
use crate::model::code::Code;
use crate::model::failure::FailureRecord;
use crate::model::names::{ObjectKey, compact};
use crate::model::phase::Phase;
use crate::model::verdict::{
    AccessRecord, AccessStatus, Archive, BudgetedPhase, ChainHead, ChainHeads, CheckStatus, Finding,
    GlobalsRecord, HookPoint, HookRecord, LeftOutRecord, MadeUpRole, PgRestore, PhaseObjective, PhaseTime,
    Repair, RepairedEntry, RestoreOutcome, RoleRecord, Runner, Severity, Stack, StackService, Status, Tuning,
    UnfilledView, Verdict,
};

const GOLDEN: &str = include_str!("../../../tests/fixtures/verdict.json");

/// A verdict in which every key is written.
fn full() -> Verdict {
    let mut verdict = Verdict {
        drill_id: serde_json::from_str(r#""5f0c9a6e-6c0b-4c57-9f0e-2f1a63a3c9d1""#).unwrap(),
        status: Status::Fail,
        finished_at: Some("2026-05-17T08:31:53Z".parse().unwrap()),
        duration_seconds: Some(42.5),
        only: vec!["a".parse().unwrap()],
        warnings: vec!["a: something to know".to_owned()],
        not_verified: vec!["no check looks at b".to_owned()],
        runner: Runner {
            hostname: "ci".to_owned(),
            owner: "ci:boot/1:2:3".to_owned(),
            engine_version: Some("27.0.1".to_owned()),
            api_version: Some("1.46".to_owned()),
            engine_endpoint: Some("unix:///var/run/docker.sock".to_owned()),
            engine_context: Some("default".to_owned()),
            cpus: Some(2),
            memory_bytes: Some(1 << 33),
            disk_free_bytes: Some(1 << 36),
        },
        stack: Stack {
            tuning: Some(Tuning::Throwaway),
            settings: [("fsync".to_owned(), "off".to_owned())].into(),
            postgres_version: Some("17.5".to_owned()),
            services: vec![StackService {
                name: "postgres".to_owned(),
                image: "postgres:17".to_owned(),
                image_id: "sha256:00".to_owned(),
                container: "shop_drill_20260517T083111Z_postgres".to_owned(),
            }],
            servers: Vec::new(),
        },
        access: Some(AccessRecord {
            status: AccessStatus::Restored,
            globals: Some(GlobalsRecord {
                key: ObjectKey::new("globals_20260517T043111Z.sql.age"),
                taken_at: "2026-05-17T04:31:11Z".parse().unwrap(),
                size_bytes: 1022,
                ciphertext_sha256: "c1".to_owned(),
                plaintext_sha256: "a1".to_owned(),
                in_manifest: true,
            }),
            roles: vec![RoleRecord { name: "app".to_owned(), attributes: vec!["login".to_owned()] }],
            roles_dropped: 0,
            memberships: 1,
            made_up: vec![MadeUpRole {
                name: "gone".to_owned(),
                database: "b".parse().unwrap(),
                needed: false,
            }],
            left_out: vec!["setting role of role app".to_owned()],
        }),
        ..passing()
    };
    verdict.failure = Some(FailureRecord {
        phase: Some(Phase::Restore),
        code: Code::new("restore_failed"),
        message: "b: pg_restore: error".to_owned(),
        hint: Some("look at the dump".to_owned()),
    });
    let point = &mut verdict.recovery_set.points[0];
    point.etag = Some("\"1f\"".to_owned());
    (point.ciphertext_sha256, point.plaintext_sha256) = (Some("c0".to_owned()), Some("a0".to_owned()));
    point.plaintext_bytes = Some(1 << 22);
    let finding = Finding {
        severity: Severity::Error,
        code: Code::new("row_count_low"),
        subject: "a.public.t".to_owned(),
        expected: "at least 1 rows".to_owned(),
        actual: "0 rows, expected at least 1 rows".to_owned(),
    };
    verdict.plan.findings = vec![finding.clone()];
    verdict.plan.store.as_mut().unwrap().endpoint = Some("https://h:9000".to_owned());
    let b = &mut verdict.databases[1];
    b.restored_bytes = Some(1 << 23);
    b.archive = Some(Archive {
        format: "1.16".to_owned(),
        database: "b".to_owned(),
        server_version: "17.5".to_owned(),
        pg_dump_version: "17.5".to_owned(),
        compression: "gzip".to_owned(),
        created_at: Some("2026-05-17 03:31:11".to_owned()),
        entries: 9,
        tables: 1,
        post_data: 2,
    });
    b.pg_restore = Some(PgRestore {
        exit_code: 1,
        outcome: Some(RestoreOutcome::Failed),
        repaired: vec![RepairedEntry {
            entry: 3042,
            what: "INDEX public.t_size".to_owned(),
            how: Repair::RunAgain,
        }],
        unfilled: vec![UnfilledView { entry: 3043, what: "MATERIALIZED VIEW DATA public.far".to_owned() }],
        roles_made: vec!["clerk".to_owned()],
        jobs: 2,
        stderr: vec!["error: x".to_owned()],
        stderr_lines_dropped: 3,
    });
    b.left_out = vec![LeftOutRecord {
        what: "TABLE DATA public.big".to_owned(),
        why: "ignore has TABLE DATA public.big".to_owned(),
    }];
    b.hooks = vec![HookRecord {
        at: HookPoint::AfterRestore,
        extension: Some("timescaledb".to_owned()),
        begins: "SELECT public.timescaledb_post_restore()".to_owned(),
        sha256: "00".to_owned(),
        seconds: 0.5,
        sqlstate: Some("42883".to_owned()),
    }];
    b.error = Some(FailureRecord {
        phase: None,
        code: Code::new("restore_failed"),
        message: "pg_restore: error".to_owned(),
        hint: None,
    });
    let mut failed = check(CheckStatus::Fail);
    (failed.findings, failed.findings_total) = (vec![finding], 1);
    failed.heads = Some(ChainHeads {
        chains: 1,
        heads: vec![ChainHead {
            chain: "00ff".to_owned(),
            hash: "\\x00".to_owned(),
            rows: 5,
            place: Some("0a".to_owned()),
        }],
    });
    verdict.checks.push(failed);
    verdict.isolation.not_probed = vec!["AF_VSOCK: no perl".to_owned()];
    verdict.objectives.phases = vec![PhaseObjective {
        name: BudgetedPhase::Verification,
        database: None,
        target_seconds: Some(1.0),
        actual_seconds: Some(0.2),
        met: Some(true),
    }];
    verdict.phases = vec![PhaseTime { name: Phase::Plan, started_at: start(), seconds: Some(0.125) }];
    verdict.teardown.disconnected = vec!["another".to_owned()];
    verdict.teardown.leaked = vec!["network x: busy".to_owned()];
    verdict.teardown.not_looked_at = vec!["volumes: no answer".to_owned()];
    verdict
}

#[test]
fn a_verdict_as_json_is_this() {
    let verdict = full();
    let written = serde_json::to_string_pretty(&verdict).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write("tests/fixtures/verdict.json", &written).unwrap();
        return;
    }
    assert_eq!(written, GOLDEN);
    assert_eq!(serde_json::from_str::<Verdict>(GOLDEN).unwrap(), verdict);
    assert_eq!(verdict.timestamp, compact(verdict.started_at));
}
