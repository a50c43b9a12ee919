//! What an event means, in words; `None` for those that are only of interest in bulk.

use crate::model::event::{DatabaseEvent, Event};
use crate::model::human;
use crate::model::phase::Phase;
use crate::model::verdict::{
    AccessStatus, CheckStatus, IsolationStatus, StackServer, TeardownStatus, Verdict,
};

/// One line about an event, whatever stands in it.
pub fn line(event: &Event, verdict: &Verdict) -> Option<String> {
    text(event, verdict).map(|text| human::inert(&text))
}

fn text(event: &Event, verdict: &Verdict) -> Option<String> {
    Some(match event {
        Event::Started => format!("restore drill {} of {}", verdict.project, verdict.template),
        Event::Phase(phase) => phase_line(*phase).to_owned(),
        Event::Planned(plan) => format!("recovery set of {} recovery points", plan.recovery_set.points.len()),
        Event::Engine(info) => match &info.context {
            Some(context) => {
                format!("Docker Engine {} (API {}) of the context {context}", info.version, info.api_version)
            }
            None => format!("Docker Engine {} (API {})", info.version, info.api_version),
        },
        Event::StackUp(stack) if stack.servers.is_empty() => {
            format!(
                "stack is up: PostgreSQL {}",
                stack.postgres_version.as_deref().unwrap_or("of unknown version")
            )
        }
        Event::StackUp(stack) => {
            let one = |server: &StackServer| format!("{} with PostgreSQL {}", server.name, server.version);
            format!("stack is up: {}", stack.servers.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Event::Isolation(isolation) if isolation.confirmed_at.is_some() => {
            "isolation held until the last check".to_owned()
        }
        Event::Isolation(isolation) => {
            format!(
                "isolation {}: {} assertions, {} probes",
                isolation_word(isolation.status),
                isolation.assertions.len(),
                isolation.probes.len()
            )
        }
        Event::Database(name, event) => format!("{name}: {}", database_line(event)?),
        Event::CheckStarted(name) => format!("check {name}: running"),
        Event::CheckFinished(check) => {
            let word = match check.status {
                CheckStatus::Pass => "pass",
                CheckStatus::Fail => "FAIL",
                CheckStatus::Error => "ERROR",
                CheckStatus::Skipped => "skipped",
            };
            format!("check {}: {word}: {}", check.name, human::one_line(&check.summary, 200))
        }
        Event::Warning(text) => format!("warning: {text}"),
        Event::Failed(failure) => format!("failed: {failure}"),
        Event::TornDown(teardown) => match teardown.status {
            TeardownStatus::Clean => "everything is removed".to_owned(),
            TeardownStatus::Kept => "the stack is left standing".to_owned(),
            TeardownStatus::Leaked | TeardownStatus::Pending => {
                format!("left behind: {}", teardown.remains())
            }
        },
        Event::Access(server, record) => {
            let place = if server.is_default() { String::new() } else { format!("{server}: ") };
            match record.status {
                AccessStatus::Restored => {
                    format!("{place}{} restored", human::things(record.roles.len() as u64, "role"))
                }
                AccessStatus::Skipped | AccessStatus::Absent => {
                    format!("{place}without roles, owners and privileges")
                }
                AccessStatus::Failed => format!("{place}roles cannot be restored"),
            }
        }
        Event::Pulling { .. }
        | Event::Disk { .. }
        | Event::Project(_)
        | Event::ChecksFinished { .. }
        | Event::Objectives(_)
        | Event::NotVerified(_)
        | Event::Finished => return None,
    })
}

fn isolation_word(status: IsolationStatus) -> &'static str {
    match status {
        IsolationStatus::Proved => "proved",
        IsolationStatus::NotProved => "not proved",
        IsolationStatus::Failed => "FAILED",
    }
}

fn phase_line(phase: Phase) -> &'static str {
    match phase {
        Phase::Plan => "choosing the recovery set",
        Phase::Preflight => "looking at the engine and its images",
        Phase::Stack => "starting the stack",
        Phase::Isolation => "proving that the stack can reach nothing",
        Phase::Restore => "restoring",
        Phase::Objectives => "judging objectives",
        Phase::Teardown => "removing everything",
    }
}

/// What a database is doing now, on one line.
pub fn database_line(event: &DatabaseEvent) -> Option<String> {
    database_text(event).map(|text| human::inert(&text))
}

fn database_text(event: &DatabaseEvent) -> Option<String> {
    Some(match event {
        DatabaseEvent::Fetching => "fetching".to_owned(),
        // Warnings say these.
        DatabaseEvent::RolesMadeUp(_) | DatabaseEvent::AccessLeftOut(_) => return None,
        DatabaseEvent::Bytes(_) | DatabaseEvent::Measured { .. } => return None,
        DatabaseEvent::Fetched(fetched) => {
            let size = human::bytes(fetched.transfer.ciphertext_bytes);
            match (&fetched.archive, &fetched.sqlite) {
                (Some(archive), _) => format!(
                    "fetched {size} (PostgreSQL {}, {} tables)",
                    human::one_line(&archive.server_version, 40),
                    archive.tables
                ),
                (None, Some(sqlite)) => format!("fetched {size} (SQLite {})", sqlite.written_by),
                (None, None) => format!("fetched {size}"),
            }
        }
        DatabaseEvent::Intact { seconds } => format!("whole, looked at in {}", human::duration(*seconds)),
        DatabaseEvent::Waiting => "waiting for its turn".to_owned(),
        DatabaseEvent::Restoring { jobs: 1 } => "restoring".to_owned(),
        DatabaseEvent::Restoring { jobs } => format!("restoring with {jobs} workers"),
        DatabaseEvent::PgRestore { outcome, seconds } => {
            let (status, took) = (outcome.exit_code, human::duration(*seconds));
            match outcome.settled() {
                _ if status == 0 => format!("pg_restore took {took}"),
                Some(settled) => format!("{settled}, after {took}"),
                None => format!("pg_restore failed with status {status} after {took}"),
            }
        }
        DatabaseEvent::LeftOut { total, .. } => {
            format!("entries of the archive that are left out: {}", human::count(*total))
        }
        DatabaseEvent::Hook(hook) => match &hook.sqlstate {
            None => format!("{}: {} took {}", hook.at, hook.begins, human::duration(hook.seconds)),
            Some(state) => format!("{}: {} failed with SQLSTATE {state}", hook.at, hook.begins),
        },
        DatabaseEvent::Counting => "counting rows".to_owned(),
        DatabaseEvent::Restored { table_rows, total_rows, .. } => {
            format!("restored: {} tables, {} rows", table_rows.len(), human::count(*total_rows))
        }
        DatabaseEvent::Failed(failure) => format!("failed: {failure}"),
        DatabaseEvent::Skipped(failure) => format!("skipped: {failure}"),
    })
}
