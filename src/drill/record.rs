//! Folds events into the verdict. Pure.

use chrono::{DateTime, Utc};

use super::conclude::conclude;
use crate::clock::seconds_between;
use crate::model::code::Code;
use crate::model::event::{DatabaseEvent, Event, PlannedDrill};
use crate::model::failure::Class;
use crate::model::names::DatabaseName;
use crate::model::phase::Phase;
use crate::model::verdict::{
    AccessRecord, DatabaseStatus, PhaseTime, Runner, Severity, Status, TeardownStatus, Verdict,
};
use crate::plan::code::inside::POST_DATA_MISSING;

/// Takes an event that happened `now`, by a clock that never goes back, into the verdict.
pub fn apply(verdict: &mut Verdict, event: &Event, now: DateTime<Utc>) {
    match event {
        Event::Started | Event::Pulling { .. } | Event::CheckStarted(_) => {}
        Event::Phase(phase) => next_phase(verdict, *phase, now),
        Event::Planned(plan) => planned(verdict, plan),
        Event::Engine(info) => {
            verdict.runner = Runner {
                engine_version: Some(info.version.clone()),
                api_version: Some(info.api_version.clone()),
                engine_endpoint: Some(info.endpoint.clone()),
                engine_context: info.context.clone(),
                cpus: Some(info.cpus),
                memory_bytes: Some(info.memory_bytes),
                ..std::mem::take(&mut verdict.runner)
            };
        }
        Event::Disk { free_bytes } => verdict.runner.disk_free_bytes = *free_bytes,
        Event::StackUp(stack) => verdict.stack = stack.clone(),
        Event::Project(project) => verdict.project = project.clone(),
        Event::Isolation(isolation) => verdict.isolation = isolation.clone(),
        Event::Access(server, record) => {
            let first = verdict.stack.servers.first();
            // Of a template without [servers], there is only the one.
            if first.is_none_or(|first| first.name == *server) {
                verdict.access = Some((**record).clone());
            } else {
                verdict.server_access.insert(server.to_string(), (**record).clone());
            }
        }
        Event::Database(name, event) => database(verdict, name, event),
        Event::CheckFinished(check) => verdict.checks.push(check.clone()),
        Event::ChecksFinished { seconds } => verdict.verification_seconds = Some(*seconds),
        Event::Warning(text) => verdict.warnings.push(text.clone()),
        Event::NotVerified(text) => verdict.not_verified.push(text.clone()),
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
    verdict.phases.push(PhaseTime { name: phase, started_at: now, seconds: None });
}

fn end_phase(verdict: &mut Verdict, now: DateTime<Utc>) {
    if let Some(phase) = verdict.phases.last_mut() {
        phase.seconds.get_or_insert_with(|| seconds_between(phase.started_at, now));
    }
}

fn planned(verdict: &mut Verdict, plan: &PlannedDrill) {
    verdict.recovery_set = plan.recovery_set.clone();
    (verdict.plan.findings, verdict.plan.cost) = (plan.findings.clone(), plan.cost);
    verdict.objectives.rpo = plan.rpo.clone();
    for database in &mut verdict.databases {
        if plan.missing.contains(&database.name) {
            database.status = DatabaseStatus::Missing;
        }
    }
    // Of these the drill itself warns when it comes to them.
    let told_later = |code: Code| {
        matches!(code.as_str(), "tables_without_rows" | "database_renamed" | "ignore_matches_nothing")
    };
    let warnings = plan
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning && !told_later(finding.code));
    for finding in warnings {
        let text = format!("{}: {}", finding.subject, finding.actual);
        if finding.code == POST_DATA_MISSING {
            verdict.not_verified.push(text.clone());
        }
        verdict.warnings.push(text);
    }
}

fn database(verdict: &mut Verdict, name: &DatabaseName, event: &DatabaseEvent) {
    match event {
        DatabaseEvent::RolesMadeUp(roles) => {
            if let Some(access) = verdict.access_of_mut(name) {
                access.made_up.extend(roles.iter().cloned());
            }
            return;
        }
        DatabaseEvent::AccessLeftOut(left_out) => {
            if let Some(access) = verdict.access_of_mut(name) {
                let room = AccessRecord::LEFT_OUT_LIMIT.saturating_sub(access.left_out.len());
                access.left_out.extend(left_out.iter().take(room).map(|what| format!("{name}: {what}")));
            }
            return;
        }
        _ => {}
    }
    let Some(database) = verdict.databases.iter_mut().find(|database| database.name == *name) else { return };
    match event {
        DatabaseEvent::Fetching
        | DatabaseEvent::Bytes(_)
        | DatabaseEvent::Waiting
        | DatabaseEvent::Restoring { .. }
        | DatabaseEvent::RolesMadeUp(_)
        | DatabaseEvent::AccessLeftOut(_)
        | DatabaseEvent::Counting => {}
        DatabaseEvent::Fetched(fetched) => {
            database.archive.clone_from(&fetched.archive);
            database.sqlite.clone_from(&fetched.sqlite);
            database.seconds.was_read(&fetched.transfer);
            if let Some(point) = verdict.recovery_set.points.iter_mut().find(|point| point.database == *name)
            {
                point.was_read(&fetched.transfer);
            }
        }
        DatabaseEvent::PgRestore { outcome, seconds } => {
            // Some archives are restored in two parts.
            database.pg_restore = Some(match database.pg_restore.take() {
                Some(first) => first.followed_by(outcome),
                None => outcome.clone(),
            });
            database.seconds.restore = Some(database.seconds.restore.unwrap_or_default() + seconds);
        }
        DatabaseEvent::Intact { seconds } => database.seconds.restore = Some(*seconds),
        DatabaseEvent::LeftOut { entries, .. } => database.left_out = entries.clone(),
        DatabaseEvent::Hook(hook) => database.hooks.push(hook.clone()),
        DatabaseEvent::Restored { table_rows, total_rows, seconds } => {
            database.status = DatabaseStatus::Restored;
            database.tables = Some(table_rows.len() as u64);
            database.rows = Some(*total_rows);
            database.table_rows = table_rows.clone();
            database.seconds.count = Some(*seconds);
            verdict.rows_verified += total_rows;
        }
        DatabaseEvent::Measured { restored_bytes } => database.restored_bytes = Some(*restored_bytes),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::model::codes;
    use crate::model::event::Fetched;
    use crate::model::failure::Failure;
    use crate::model::testing::{check, database as named, fresh, passing, planned, start};
    use crate::model::transfer::TransferStats;
    use crate::model::verdict::{
        Archive, CheckStatus, Isolation, IsolationStatus, PgRestore, RestoreOutcome,
    };

    fn fold(verdict: &mut Verdict, events: &[Event]) {
        for event in events {
            apply(verdict, event, start());
        }
    }

    fn proved() -> Event {
        Event::Isolation(Isolation { status: IsolationStatus::Proved, ..Isolation::default() })
    }

    fn restored(name: &str, rows: u64) -> Event {
        let restored = DatabaseEvent::Restored {
            table_rows: [("public.t".to_owned(), rows)].into(),
            total_rows: rows,
            seconds: 0.5,
        };
        Event::Database(name.parse().unwrap(), restored)
    }

    fn confirmed() -> Event {
        Event::Isolation(Isolation {
            status: IsolationStatus::Proved,
            confirmed_at: Some(start()),
            ..Isolation::default()
        })
    }

    /// The events of a drill in which nothing goes wrong.
    fn good_drill() -> Vec<Event> {
        vec![
            Event::Started,
            Event::Phase(Phase::Plan),
            Event::Planned(Box::new(planned(&[]))),
            Event::Phase(Phase::Isolation),
            proved(),
            Event::Phase(Phase::Restore),
            restored("a", 12),
            restored("b", 30),
            Event::CheckFinished(check(CheckStatus::Pass)),
            confirmed(),
            Event::Phase(Phase::Teardown),
            Event::Finished,
        ]
    }

    #[test]
    fn a_drill_in_which_nothing_goes_wrong_passes() {
        let mut verdict = fresh();
        fold(&mut verdict, &good_drill());
        assert_eq!((verdict.status, verdict.rows_verified), (Status::Pass, 42));
        assert_eq!(verdict.databases[0].table_rows["public.t"], 12);
    }

    #[test]
    fn a_drill_that_lost_any_of_its_evidence_does_not_pass() {
        // The second inspection of isolation adds to the first, so without the first there is neither.
        for lost in [&[4, 9][..], &[6], &[7], &[8], &[9]] {
            let events = good_drill().into_iter().enumerate().filter(|(number, _)| !lost.contains(number));
            let mut verdict = fresh();
            fold(&mut verdict, &events.map(|(_, event)| event).collect::<Vec<_>>());
            assert_eq!(verdict.status, Status::Inconclusive, "without {lost:?}");
        }
    }

    #[test]
    fn a_verdict_is_running_until_it_is_finished() {
        let mut verdict = fresh();
        let mut events = good_drill();
        events.pop();
        fold(&mut verdict, &events);
        assert_eq!((verdict.status, verdict.finished_at), (Status::Running, None));
    }

    #[test]
    fn the_first_failure_wins_and_says_its_phase() {
        let mut verdict = passing();
        fold(
            &mut verdict,
            &[
                Event::Phase(Phase::Isolation),
                Event::Failed(Failure::inconclusive(Code::new("first"), "one").hint("do this")),
                Event::Phase(Phase::Teardown),
                Event::Failed(Failure::bad(Code::new("second"), "two")),
                Event::Finished,
            ],
        );
        let failure = verdict.failure.unwrap();
        assert_eq!((failure.code.as_str(), failure.phase), ("first", Some(Phase::Isolation)));
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), ("one", Some("do this")));
        assert_eq!(verdict.status, Status::Inconclusive);
    }

    #[test]
    fn the_class_of_a_failure_decides_the_status() {
        for (failure, status) in [
            (Failure::bad(Code::new("x"), "x"), Status::Fail),
            (Failure::inconclusive(Code::new("x"), "x"), Status::Inconclusive),
            (Failure::config(Code::new("x"), "x"), Status::Inconclusive),
            (Failure::cancelled(), Status::Cancelled),
        ] {
            let mut verdict = passing();
            fold(&mut verdict, &[Event::Failed(failure), Event::Finished]);
            assert_eq!(verdict.status, status);
        }
    }

    #[test]
    fn a_phase_ends_when_the_next_begins() {
        let mut verdict = fresh();
        let at = |seconds| start() + TimeDelta::seconds(seconds);
        apply(&mut verdict, &Event::Phase(Phase::Plan), at(1));
        apply(&mut verdict, &Event::Phase(Phase::Preflight), at(3));
        assert_eq!((verdict.phases[0].seconds, verdict.phases[1].seconds), (Some(2.0), None));
        apply(&mut verdict, &Event::Finished, at(10));
        assert_eq!((verdict.phases[0].seconds, verdict.phases[1].seconds), (Some(2.0), Some(7.0)));
        assert_eq!((verdict.finished_at, verdict.duration_seconds), (Some(at(10)), Some(10.0)));
    }

    #[test]
    fn databases_without_a_recovery_point_are_missing_and_stay_so() {
        let mut verdict = fresh();
        fold(&mut verdict, &[Event::Planned(Box::new(planned(&["b"]))), Event::Finished]);
        assert_eq!(named(&mut verdict, "a").status, DatabaseStatus::Skipped);
        assert_eq!(named(&mut verdict, "b").status, DatabaseStatus::Missing);
        assert_eq!(verdict.objectives.rpo.met, Some(true));
        assert!(verdict.plan.store.is_some(), "later drills compare it with theirs");
    }

    #[test]
    fn what_is_learnt_of_a_database_is_in_the_verdict() {
        let mut verdict = fresh();
        let transfer = TransferStats {
            layers: vec!["age", "gzip"],
            ciphertext_sha256: "c".to_owned(),
            plaintext_sha256: "p".to_owned(),
            plaintext_bytes: 10,
            ciphertext_bytes: 20,
            waited_for_input: Duration::from_secs(1),
            waited_for_output: Duration::from_secs(2),
            worked: Duration::from_secs(3),
        };
        let archive = Archive {
            format: "1.16".to_owned(),
            database: "a".to_owned(),
            server_version: "17".to_owned(),
            pg_dump_version: "17".to_owned(),
            compression: "gzip".to_owned(),
            created_at: None,
            entries: 1,
            tables: 1,
            post_data: 2,
        };
        let outcome = PgRestore {
            exit_code: 1,
            outcome: Some(RestoreOutcome::Failed),
            repaired: Vec::new(),
            unfilled: Vec::new(),
            roles_made: Vec::new(),
            jobs: 2,
            stderr: vec!["x".to_owned()],
            stderr_lines_dropped: 0,
        };
        let of_b = |event| Event::Database("b".parse().unwrap(), event);
        fold(
            &mut verdict,
            &[
                Event::Planned(Box::new(planned(&[]))),
                of_b(DatabaseEvent::Fetched(Box::new(Fetched {
                    transfer,
                    archive: Some(archive),
                    sqlite: None,
                }))),
                of_b(DatabaseEvent::PgRestore { outcome, seconds: 4.0 }),
                of_b(DatabaseEvent::Failed(Failure::bad(codes::RESTORE_FAILED, "broken"))),
                Event::Database(
                    "a".parse().unwrap(),
                    DatabaseEvent::Skipped(Failure::bad(codes::PARENT_FAILED, "x")),
                ),
            ],
        );
        let b = named(&mut verdict, "b").clone();
        assert_eq!(b.status, DatabaseStatus::Failed);
        assert_eq!(
            (b.seconds.download, b.seconds.decrypt, b.seconds.write),
            (Some(1.0), Some(3.0), Some(2.0))
        );
        assert_eq!((b.seconds.restore, b.pg_restore.unwrap().exit_code), (Some(4.0), 1));
        assert_eq!(b.error.unwrap().code.as_str(), "restore_failed");
        let point = &verdict.recovery_set.points[1];
        assert_eq!(point.ciphertext_sha256.as_deref(), Some("c"));
        assert_eq!((point.plaintext_sha256.as_deref(), point.plaintext_bytes), (Some("p"), Some(10)));
        assert_eq!(verdict.recovery_set.points[0].ciphertext_sha256, None);
        assert_eq!(named(&mut verdict, "a").status, DatabaseStatus::Skipped);
        // A database that failed says so; the drill's own failure is another event.
        assert_eq!(verdict.status, Status::Running);
    }
}
