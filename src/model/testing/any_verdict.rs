//! Verdicts with anything in them, for properties that hold for all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::model::code::Code;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::FailureRecord;
use crate::model::names::{DatabaseName, DrillId, ObjectKey, ProjectName, ServerName};
use crate::model::phase::Phase;
use crate::model::verdict::*;

/// Any verdict.
pub fn any_verdict() -> impl Strategy<Value = Verdict> {
    any::<u64>().prop_map(|seed| Verdict::draw(&mut StdRng::seed_from_u64(seed)))
}

/// A value that may be drawn.
trait Draw {
    fn draw(rng: &mut StdRng) -> Self;
}

/// Structs whose fields are all drawn.
macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        $(impl Draw for $name {
            fn draw(rng: &mut StdRng) -> Self {
                Self { $($field: Draw::draw(rng)),* }
            }
        })*
    };
}

/// Enums, each of whose variants may be drawn.
macro_rules! enums {
    ($($name:ident { $($variant:ident),* $(,)? })*) => {
        $(impl Draw for $name {
            fn draw(rng: &mut StdRng) -> Self {
                let all = [$(Self::$variant),*];
                // One that is not listed here does not compile.
                match all[rng.random_range(0..all.len())] { $(Self::$variant => Self::$variant),* }
            }
        })*
    };
}

/// Numbers and such, which are drawn whole.
macro_rules! drawn {
    ($($name:ty: $draw:expr;)*) => {
        $(impl Draw for $name {
            fn draw(rng: &mut StdRng) -> Self {
                let draw: fn(&mut StdRng) -> $name = $draw;
                draw(rng)
            }
        })*
    };
}

drawn! {
    bool: |rng| rng.random();
    u16: |rng| rng.random();
    u32: |rng| rng.random();
    u64: |rng| rng.random();
    i32: |rng| rng.random();
    i64: |rng| rng.random();
    usize: |rng| usize::try_from(rng.random::<u32>()).unwrap();
    f64: |rng| Some(f64::from_bits(rng.random())).filter(|drawn| drawn.is_finite()).unwrap_or(0.1);
    String: |rng| (0..rng.random_range(0..8)).map(|_| any_char(rng)).collect();
    Cow<'static, str>: |rng| Cow::Owned(String::draw(rng));
    DateTime<Utc>: |rng| {
        let nanos = [0, 1_000_000, rng.random_range(0..1_000_000_000)][rng.random_range(0..3)];
        DateTime::UNIX_EPOCH + TimeDelta::new(rng.random_range(0..10_000_000_000), nanos).unwrap()
    };
    DatabaseName: |rng| format!("d-{}", u32::draw(rng)).parse().unwrap();
    ServerName: |rng| format!("s-{}", u32::draw(rng)).parse().unwrap();
    ProjectName: |rng| ProjectName::new(&"shop_drill".parse().unwrap(), DateTime::draw(rng));
    DrillId: |_| DrillId::random();
    ObjectKey: |rng| ObjectKey::new(String::draw(rng));
    Code: |rng| [Code::new("some_code"), Code::new("another")][rng.random_range(0..2)];
}

/// Letters, and what JSON, terminals and encodings treat in ways of their own.
fn any_char(rng: &mut StdRng) -> char {
    const ODD: [char; 10] =
        ['"', '\\', '\n', '\u{1b}', '\0', '\u{7f}', '\u{202e}', '\u{2028}', 'é', '\u{1f980}'];
    if rng.random() { ODD[rng.random_range(0..ODD.len())] } else { rng.random_range('a'..='z') }
}

impl<T: Draw> Draw for Option<T> {
    fn draw(rng: &mut StdRng) -> Self {
        rng.random::<bool>().then(|| T::draw(rng))
    }
}

impl<T: Draw> Draw for Vec<T> {
    fn draw(rng: &mut StdRng) -> Self {
        (0..rng.random_range(0..3)).map(|_| T::draw(rng)).collect()
    }
}

impl<T: Draw> Draw for BTreeMap<String, T> {
    fn draw(rng: &mut StdRng) -> Self {
        (0..rng.random_range(0..3)).map(|_| (String::draw(rng), T::draw(rng))).collect()
    }
}

enums! {
    Status { Running, Pass, Fail, Inconclusive, Cancelled, DryRun }
    AccessStatus { Restored, Skipped, Absent, Failed }
    DatabaseStatus { Pending, Restored, Failed, Missing, Skipped }
    CheckStatus { Pass, Fail, Error, Skipped }
    Severity { Info, Warning, Error }
    HookPoint { BeforeRestore, AfterRestore }
    IsolationStatus { NotProved, Proved, Failed }
    Expectation { Unresolvable, Unreachable, Refused, None, Reachable }
    TeardownStatus { Pending, Clean, Leaked, Kept }
    Tuning { Throwaway, Production }
    RestoreOutcome { Clean, Repaired, ViewsUnfilled, Failed }
    Repair { RunAgain, GivenToOwner, RolesMade }
    DatabaseSystem { Postgres, Sqlite }
    BudgetedPhase { Download, Decrypt, Restore, Verification }
    Phase { Plan, Preflight, Stack, Isolation, Restore, Objectives, Teardown }
}

structs! {
    Verdict {
        schema_version, drill_id, template, timestamp, project, status, operator, started_at, finished_at,
        duration_seconds, at, tool, runner, recovery_set, plan, access, server_access, databases, clusters, stack, isolation, checks,
        verification_seconds, objectives, rows_verified, kept, teardown, phases, only, failure, warnings,
        not_verified,
    }
    AccessRecord { status, globals, roles, roles_dropped, memberships, made_up, left_out }
    GlobalsRecord { key, taken_at, size_bytes, ciphertext_sha256, plaintext_sha256, in_manifest }
    RoleRecord { name, attributes }
    MadeUpRole { name, database, needed }
    Tool { version }
    Runner {
        hostname, owner, engine_version, api_version, engine_endpoint, engine_context, cpus, memory_bytes,
        disk_free_bytes,
    }
    RecoverySet { oldest, newest, skew_seconds, points }
    RecoveryPoint {
        database, key, size_bytes, taken_at, last_modified, storage_class, etag, ciphertext_sha256,
        plaintext_sha256, plaintext_bytes, layers, objects,
    }
    PointObject { key, size_bytes, etag }
    PlanRecord { store, findings, cost }
    StoreRecord { url, endpoint }
    PlanCost { requests, bytes, objects_listed, seconds }
    ClusterRecord { name, databases, status, tables, rows }
    SqliteRecord { page_bytes, pages, wal, user_version, written_by }
    DatabaseRecord {
        name, after, system, sqlite, status, tables, rows, restored_bytes, table_rows, seconds, archive, pg_restore, left_out, hooks,
        error,
    }
    LeftOutRecord { what, why }
    HookRecord { at, extension, begins, sha256, seconds, sqlstate }
    StageSeconds { download, decrypt, write, restore, count }
    Archive {
        format, database, server_version, pg_dump_version, compression, created_at, entries, tables, post_data,
    }
    PgRestore { exit_code, outcome, repaired, unfilled, roles_made, jobs, stderr, stderr_lines_dropped }
    RepairedEntry { entry, what, how }
    UnfilledView { entry, what }
    FailureRecord { phase, code, message, hint }
    Stack { tuning, settings, postgres_version, services, servers }
    StackServer { name, port, image, image_id, version, tuning, settings, memory_bytes, databases }
    StackService { name, image, image_id, container }
    Isolation { status, assertions, probes, not_probed, confirmed_at }
    Assertion { subject, property, expected, actual, ok }
    Probe { from, target, reason, expect, observed, ok }
    Check { name, kind, status, seconds, rows_verified, summary, findings, findings_total, heads }
    Finding { severity, code, subject, expected, actual }
    ChainHeads { chains, heads }
    ChainHead { chain, hash, rows, place }
    Objectives { rto, rpo, phases }
    Objective { target_seconds, actual_seconds, met }
    PhaseObjective { name, database, target_seconds, actual_seconds, met }
    PhaseTime { name, started_at, seconds }
    Teardown { status, removed, disconnected, leaked, not_looked_at }
    Removed { containers, networks, volumes }
}
