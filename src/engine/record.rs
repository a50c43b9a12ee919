//! Folds events into the verdict. Pure.

use chrono::{DateTime, Utc};

use super::conclude::conclude;
use super::event::{DatabaseEvent, Event, Phase};
use crate::clock::seconds_between;
use crate::failure::Class;
use crate::names::DatabaseName;
use crate::plan::DrillPlan;
use crate::verdict::{
    Database, DatabaseStatus, PhaseTime, Runner, Severity, StageSeconds, Status, TeardownStatus, Verdict,
};

/// Takes an event that happened `now` into the verdict.
pub fn apply(verdict: &mut Verdict, event: &Event, now: DateTime<Utc>) {
    match event {
        Event::Started | Event::Pulling { .. } | Event::CheckStarted(_) => {}
        Event::Phase(phase) => next_phase(verdict, *phase, now),
        Event::Planned(plan) => planned(verdict, plan),
        Event::Engine(info) => {
            verdict.runner = Runner {
                hostname: std::mem::take(&mut verdict.runner.hostname),
                engine_version: Some(info.version.clone()),
                api_version: Some(info.api_version.clone()),
                cpus: Some(info.cpus),
                memory_bytes: Some(info.memory_bytes),
            };
        }
        Event::StackUp(stack) => verdict.stack = stack.clone(),
        Event::Isolation(isolation) => verdict.isolation = isolation.clone(),
        Event::Database(name, event) => database(verdict, name, event),
        Event::CheckFinished(check) => verdict.checks.push(check.clone()),
        Event::ChecksFinished { seconds } => verdict.verification_seconds = Some(*seconds),
        Event::Warning(text) => verdict.warnings.push(text.clone()),
        Event::Objectives(objectives) => verdict.objectives = objectives.clone(),
        Event::Failed(failure) => {
            let phase = verdict.phases.last().map(|phase| phase.name);
            // The first failure is the cause; what follows from it is in the databases and checks.
            if verdict.failure.is_none() {
                verdict.failure = Some(failure.to_record(phase));
                verdict.status = match failure.class {
                    Class::Bad => Status::Fail,
                    Class::Config | Class::Inconclusive => Status::Inconclusive,
                    Class::Cancelled => Status::Cancelled,
                };
            }
        }
        Event::TornDown(teardown) => {
            verdict.kept = teardown.status == TeardownStatus::Kept;
            verdict.teardown = teardown.clone();
        }
        Event::Finished => {
            end_phase(verdict, now);
            verdict.finished_at = Some(now);
            verdict.duration_seconds = Some(seconds_between(verdict.started_at, now));
            conclude(verdict);
        }
    }
}

fn next_phase(verdict: &mut Verdict, phase: Phase, now: DateTime<Utc>) {
    end_phase(verdict, now);
    verdict.phases.push(PhaseTime { name: phase.word(), started_at: now, seconds: None });
}

fn end_phase(verdict: &mut Verdict, now: DateTime<Utc>) {
    if let Some(phase) = verdict.phases.last_mut() {
        phase.seconds.get_or_insert_with(|| seconds_between(phase.started_at, now));
    }
}

fn planned(verdict: &mut Verdict, plan: &DrillPlan) {
    verdict.recovery_set = plan.recovery_set.clone();
    verdict.objectives.rpo = plan.rpo.clone();
    for database in &mut verdict.databases {
        if plan.missing.contains(&database.name) {
            database.status = DatabaseStatus::Missing;
        }
    }
    let warnings = plan.findings.iter().filter(|finding| finding.severity == Severity::Warning);
    verdict.warnings.extend(warnings.map(|finding| format!("{}: {}", finding.subject, finding.actual)));
}

fn database(verdict: &mut Verdict, name: &DatabaseName, event: &DatabaseEvent) {
    let Some(database) = verdict.databases.iter_mut().find(|database| database.name == *name) else { return };
    match event {
        DatabaseEvent::Fetching
        | DatabaseEvent::Bytes(_)
        | DatabaseEvent::Waiting
        | DatabaseEvent::Restoring { .. }
        | DatabaseEvent::Counting => {}
        DatabaseEvent::Fetched(fetched) => {
            let passage = &fetched.passage;
            database.archive = Some(fetched.archive.clone());
            database.seconds.download = Some(passage.waited_for_input.as_secs_f64());
            database.seconds.decrypt = Some(passage.worked.as_secs_f64());
            database.seconds.write = Some(passage.waited_for_output.as_secs_f64());
            if let Some(point) = verdict.recovery_set.points.iter_mut().find(|point| point.database == *name)
            {
                point.ciphertext_sha256 = Some(passage.ciphertext_sha256.clone());
                point.plaintext_sha256 = Some(passage.plaintext_sha256.clone());
                point.plaintext_bytes = Some(passage.plaintext_bytes);
            }
        }
        DatabaseEvent::PgRestore { outcome, seconds } => {
            database.pg_restore = Some(outcome.clone());
            database.seconds.restore = Some(*seconds);
        }
        DatabaseEvent::Restored { contents, seconds } => {
            database.status = DatabaseStatus::Restored;
            database.tables = Some(contents.rows.len() as u64);
            database.rows = Some(contents.total_rows);
            database.table_rows =
                contents.rows.iter().map(|(table, rows)| (table.to_string(), *rows)).collect();
            database.seconds.count = Some(*seconds);
            verdict.rows_verified += contents.total_rows;
        }
        DatabaseEvent::Failed(failure) => {
            database.status = DatabaseStatus::Failed;
            database.error = Some(failure.to_record(None));
        }
        DatabaseEvent::Skipped(failure) => {
            database.status = DatabaseStatus::Skipped;
            database.error = Some(failure.to_record(None));
        }
    }
}

/// A database nothing has happened to yet.
pub fn pending(name: &DatabaseName, after: &[DatabaseName]) -> Database {
    Database {
        name: name.clone(),
        after: after.to_vec(),
        status: DatabaseStatus::Pending,
        tables: None,
        rows: None,
        table_rows: std::collections::BTreeMap::new(),
        seconds: StageSeconds::default(),
        archive: None,
        pg_restore: None,
        error: None,
    }
}
