//! A verdict that passes, for tests to spoil.

mod any_verdict;
mod golden;
mod round_trip;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::dataset::DatabaseSystem;
use crate::model::event::PlannedDrill;
use crate::model::names::{DatabaseName, DrillId, ObjectKey, ProjectName, compact};
use crate::model::verdict::{
    Assertion, Check, CheckStatus, DatabaseRecord, DatabaseStatus, Expectation, Isolation, IsolationStatus,
    Objective, Objectives, PlanCost, PlanRecord, Probe, RecoveryPoint, RecoverySet, Removed, Runner, Stack,
    StageSeconds, Status, StoreRecord, Teardown, TeardownStatus, Tool, Verdict,
};

pub use any_verdict::any_verdict;

/// When the drill began.
pub fn start() -> DateTime<Utc> {
    "2026-05-17T08:31:11Z".parse().unwrap()
}

/// The verdict of a drill that has only begun: of the template of `template::testing`, databases `a` and `b`.
pub fn fresh() -> Verdict {
    let [a, b] = ["a", "b"].map(|name| -> DatabaseName { name.parse().unwrap() });
    Verdict {
        schema_version: 1,
        drill_id: DrillId::random(),
        template: "shop".to_owned(),
        timestamp: compact(start()),
        project: ProjectName::new(&"shop_drill".parse().unwrap(), start()),
        status: Status::Running,
        operator: "system".to_owned(),
        started_at: start(),
        finished_at: None,
        duration_seconds: None,
        at: start(),
        tool: Tool { version: "0.0.0".to_owned() },
        runner: Runner { hostname: "ci".to_owned(), ..Runner::default() },
        recovery_set: RecoverySet::default(),
        plan: PlanRecord {
            store: Some(StoreRecord { url: "s3://backups".to_owned(), endpoint: None }),
            ..PlanRecord::default()
        },
        access: None,
        server_access: std::collections::BTreeMap::new(),
        databases: vec![
            DatabaseRecord::pending(&a, &[], DatabaseSystem::Postgres),
            DatabaseRecord::pending(&b, std::slice::from_ref(&a), DatabaseSystem::Postgres),
        ],
        clusters: Vec::new(),
        stack: Stack::default(),
        isolation: Isolation::default(),
        checks: Vec::new(),
        verification_seconds: None,
        objectives: Objectives::default(),
        rows_verified: 0,
        kept: false,
        teardown: Teardown::default(),
        phases: Vec::new(),
        only: Vec::new(),
        failure: None,
        warnings: Vec::new(),
        not_verified: Vec::new(),
    }
}

/// The same drill at its end, before it is concluded: nothing is wrong with it.
pub fn passing() -> Verdict {
    let mut verdict = fresh();
    verdict.recovery_set = RecoverySet::of(vec![point("a", 5, 1 << 20), point("b", 4, 2 << 20)]);
    for (database, rows) in verdict.databases.iter_mut().zip([12_450, 3]) {
        database.status = DatabaseStatus::Restored;
        database.tables = Some(1);
        database.rows = Some(rows);
        database.table_rows = BTreeMap::from([("public.t".to_owned(), rows)]);
        database.seconds = StageSeconds {
            download: Some(0.5),
            decrypt: Some(0.1),
            write: Some(0.2),
            restore: Some(1.25),
            count: Some(0.01),
        };
    }
    verdict.rows_verified = 12_453;
    verdict.isolation = Isolation {
        status: IsolationStatus::Proved,
        assertions: vec![Assertion {
            subject: "net".to_owned(),
            property: "internal".into(),
            expected: "true".to_owned(),
            actual: "true".to_owned(),
            ok: true,
        }],
        probes: vec![Probe {
            from: "postgres".to_owned(),
            target: "example.com".to_owned(),
            reason: "a public name".to_owned(),
            expect: Expectation::Unresolvable,
            observed: "does not resolve".to_owned(),
            ok: true,
        }],
        not_probed: Vec::new(),
        confirmed_at: Some(start()),
    };
    verdict.checks = vec![check(CheckStatus::Pass)];
    verdict.verification_seconds = Some(0.2);
    verdict.objectives.rto =
        Objective { target_seconds: Some(900.0), actual_seconds: Some(41.2), met: Some(true) };
    verdict.teardown = Teardown {
        status: TeardownStatus::Clean,
        removed: Removed { containers: 2, networks: 1, volumes: 0 },
        ..Teardown::default()
    };
    verdict
}

/// A check with this outcome.
pub fn check(status: CheckStatus) -> Check {
    Check {
        name: "tables".to_owned(),
        kind: "required-tables".into(),
        status,
        seconds: 0.2,
        rows_verified: 12_450,
        summary: "1 tables in 1 databases".to_owned(),
        findings: Vec::new(),
        findings_total: 0,
        heads: None,
    }
}

/// A recovery point taken so many hours before the drill.
pub fn point(database: &str, hours: i64, size_bytes: u64) -> RecoveryPoint {
    let taken_at = start() - TimeDelta::hours(hours);
    RecoveryPoint {
        database: database.parse().unwrap(),
        key: ObjectKey::new(format!("{database}_{}.dump.age", compact(taken_at))),
        size_bytes,
        taken_at,
        last_modified: Some(taken_at + TimeDelta::minutes(1)),
        storage_class: "STANDARD".to_owned(),
        etag: None,
        ciphertext_sha256: None,
        plaintext_sha256: None,
        plaintext_bytes: None,
        layers: Vec::new(),
        objects: Vec::new(),
    }
}

/// What that drill planned, with these databases missing.
pub fn planned(missing: &[&str]) -> PlannedDrill {
    let missing: Vec<DatabaseName> = missing.iter().map(|name| name.parse().unwrap()).collect();
    let there =
        ["a", "b"].into_iter().filter(|name| !missing.iter().any(|missing| missing.as_str() == *name));
    PlannedDrill {
        recovery_set: RecoverySet::of(there.map(|name| point(name, 5, 1 << 20)).collect()),
        missing,
        rpo: Objective { target_seconds: Some(86_400.0), actual_seconds: Some(18_000.0), met: Some(true) },
        findings: Vec::new(),
        cost: PlanCost::default(),
    }
}

/// A database of the verdict.
pub fn database<'a>(verdict: &'a mut Verdict, name: &str) -> &'a mut DatabaseRecord {
    verdict.databases.iter_mut().find(|database| database.name.as_str() == name).unwrap()
}

/// Changes what a database's stages took, and the size of its dump.
pub fn restored_at(
    verdict: &mut Verdict,
    name: &str,
    change: impl FnOnce(&mut StageSeconds),
    plaintext_bytes: u64,
) {
    change(&mut database(verdict, name).seconds);
    let points = &mut verdict.recovery_set.points;
    let point = points.iter_mut().find(|point| point.database.as_str() == name).unwrap();
    point.plaintext_bytes = Some(plaintext_bytes);
}
