//! The verdict for people, on one screen.

use std::collections::BTreeSet;
use std::path::Path;

use super::page::Page;
use super::table::Table;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{
    CheckStatus, DatabaseStatus, IsolationStatus, Objective, PgRestore, Removed, Severity, StackServer,
    Status, TeardownStatus, Verdict,
};

/// Findings shown of each check; the verdict has more.
const FINDINGS_SHOWN: usize = 5;

/// The summary; its last line is the one scripts look for.
pub fn summary(verdict: &Verdict, verdict_path: &Path, log_path: &Path) -> String {
    let mut out = Page::default();
    out.blank();
    databases(verdict, &mut out);
    out.blank();
    if !verdict.checks.is_empty() {
        checks(verdict, &mut out);
        out.blank();
    }
    if !verdict.stack.servers.is_empty() {
        writeln!(out, "Servers     {}", servers(verdict));
    }
    writeln!(out, "Isolation   {}", isolation(verdict));
    writeln!(out, "Objectives  {}", objectives(verdict));
    writeln!(out, "Teardown    {}", teardown(verdict));
    if verdict.teardown.status == TeardownStatus::Kept {
        keep_instructions(verdict, &mut out);
    }
    writeln!(out, "Verdict     {}", verdict_path.display());
    writeln!(out, "Drill log   {}", log_path.display());
    for warning in &verdict.warnings {
        writeln!(out, "Warning     {warning}");
    }
    // What checks did not verify is among the warnings.
    let warned = |sentence: &&String| verdict.warnings.iter().any(|warning| sentence.contains(warning));
    for sentence in verdict.not_verified.iter().filter(|sentence| !warned(sentence)) {
        writeln!(out, "Unverified  {sentence}");
    }
    if let Some(hint) = verdict.failure.as_ref().and_then(|failure| failure.hint.as_ref()) {
        writeln!(out, "Hint        {hint}");
    }
    out.blank();
    out.ending(&last_line(verdict))
}

/// `Restore drill PASSED — N rows verified`, or `Restore drill FAILED — REASON`.
pub fn last_line(verdict: &Verdict) -> String {
    let reason = verdict.failure.as_ref().map_or("no reason was recorded", |failure| &failure.message);
    let reason = human::inert(reason);
    match verdict.status {
        Status::Pass => format!("Restore drill PASSED — {} rows verified", verdict.rows_verified),
        Status::Inconclusive => format!("Restore drill FAILED — inconclusive: {reason}"),
        Status::Fail | Status::Cancelled | Status::Running | Status::DryRun => {
            format!("Restore drill FAILED — {reason}")
        }
    }
}

fn databases(verdict: &Verdict, out: &mut Page) {
    let headings =
        ["Database", "Recovery point", "Size", "Tables", "Rows", "Download", "Decrypt", "Restore", "Status"];
    let mut table = Table::new(&headings, &[2, 3, 4, 5, 6, 7]);
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| "—".to_owned(), human::duration);
    let number = |number: Option<u64>| number.map_or_else(|| "—".to_owned(), human::count);
    let mut errors = Page::default();
    for database in &verdict.databases {
        let point = verdict.recovery_set.point(&database.name);
        let status = match database.status {
            DatabaseStatus::Pending => "pending",
            DatabaseStatus::Restored => "restored",
            DatabaseStatus::Failed => "FAILED",
            DatabaseStatus::Missing => "MISSING",
            DatabaseStatus::Skipped => "skipped",
        };
        table.row([
            database.name.to_string(),
            point.map_or_else(|| "—".to_owned(), |point| human::moment(point.taken_at)),
            point.map_or_else(|| "—".to_owned(), |point| human::bytes(point.size_bytes)),
            number(database.tables),
            number(database.rows),
            seconds(database.seconds.download),
            seconds(database.seconds.decrypt),
            seconds(database.seconds.restore),
            status.to_owned(),
        ]);
        if let Some(error) = &database.error {
            writeln!(errors, "  {}: {}", database.name, human::one_line(&error.message, 300));
        } else if let Some(settled) = database.pg_restore.as_ref().and_then(PgRestore::settled) {
            writeln!(errors, "  {}: {settled}", database.name);
        }
    }
    out.table(&table);
    out.append(&errors);
}

fn checks(verdict: &Verdict, out: &mut Page) {
    let mut table = Table::new(&["Check", "Result", "Rows", "Time", ""], &[2, 3]);
    let mut findings = Page::default();
    for check in &verdict.checks {
        let status = match check.status {
            CheckStatus::Pass => "pass",
            CheckStatus::Fail => "FAIL",
            CheckStatus::Error => "ERROR",
            CheckStatus::Skipped => "skipped",
        };
        table.row([
            check.name.clone(),
            status.to_owned(),
            human::count(check.rows_verified),
            human::duration(check.seconds),
            human::one_line(&check.summary, 160),
        ]);
        for finding in
            check.findings.iter().filter(|finding| finding.severity > Severity::Info).take(FINDINGS_SHOWN)
        {
            writeln!(
                findings,
                "  {} {}: {}",
                finding.code,
                finding.subject,
                human::one_line(&finding.actual, 200)
            );
        }
        let shown = check.findings.len().min(FINDINGS_SHOWN) as u64;
        if check.findings_total > shown {
            writeln!(findings, "  … and {} more of {}", check.findings_total - shown, check.name);
        }
    }
    out.table(&table);
    out.append(&findings);
}

/// Each server with its version and its databases.
fn servers(verdict: &Verdict) -> String {
    let one = |server: &StackServer| {
        let databases: Vec<&str> = server.databases.iter().map(DatabaseName::as_str).collect();
        format!(
            "{}: PostgreSQL {} ({})",
            server.name,
            human::one_line(&server.version, 40),
            databases.join(", ")
        )
    };
    verdict.stack.servers.iter().map(one).collect::<Vec<_>>().join(" · ")
}

fn isolation(verdict: &Verdict) -> String {
    let isolation = &verdict.isolation;
    match isolation.status {
        IsolationStatus::Proved => {
            format!("proved: {} assertions, {} probes", isolation.assertions.len(), isolation.probes.len())
        }
        IsolationStatus::Failed => "FAILED: the stack could be left".to_owned(),
        IsolationStatus::NotProved => "not proved: the drill ended before".to_owned(),
    }
}

fn objectives(verdict: &Verdict) -> String {
    let one = |name: &str, objective: &Objective| {
        let actual = objective.actual_seconds.map_or_else(|| "not measured".to_owned(), human::duration);
        match (objective.target_seconds, objective.met) {
            (Some(target), Some(met)) => {
                format!(
                    "{name} {actual} of {} {}",
                    human::duration(target),
                    if met { "met" } else { "MISSED" }
                )
            }
            _ => format!("{name} {actual}"),
        }
    };
    let missed = verdict.objectives.phases.iter().filter(|phase| phase.met == Some(false)).map(|phase| {
        let of = phase.database.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        format!("{}{of} MISSED", phase.name)
    });
    let mut parts = vec![one("RTO", &verdict.objectives.rto), one("RPO", &verdict.objectives.rpo)];
    parts.extend(missed);
    parts.join(" · ")
}

fn teardown(verdict: &Verdict) -> String {
    let teardown = &verdict.teardown;
    match teardown.status {
        TeardownStatus::Clean => {
            let others = match teardown.disconnected.as_slice() {
                [] => String::new(),
                names => format!("; disconnected {}, which is not of this drill", names.join(", ")),
            };
            format!("clean: removed {}{others}", removed_things(&teardown.removed))
        }
        TeardownStatus::Leaked if teardown.leaked.is_empty() => {
            format!("NOT SEEN REMOVED, `restore-drill reap` removes what is left: {}", teardown.remains())
        }
        TeardownStatus::Leaked => {
            format!("LEAKED, `restore-drill reap` removes it: {}", teardown.remains())
        }
        TeardownStatus::Kept => "kept: everything is still there".to_owned(),
        TeardownStatus::Pending => "not begun".to_owned(),
    }
}

/// What was removed, in words.
pub fn removed_things(removed: &Removed) -> String {
    [(removed.containers, "container"), (removed.networks, "network"), (removed.volumes, "volume")]
        .map(|(number, thing)| human::things(number, thing))
        .join(", ")
}

/// How to look inside a stack that was left standing, and how to remove it.
fn keep_instructions(verdict: &Verdict, out: &mut Page) {
    let project = verdict.project.compose_label();
    let mut seen = BTreeSet::new();
    // The first database of each server.
    for database in &verdict.databases {
        let server = verdict.stack.server_of(&database.name);
        let service = verdict.stack.service_of(&server);
        if seen.insert(server) {
            let container = service.map_or("CONTAINER", |service| service.container.as_str());
            writeln!(out, "  look inside  docker exec -it {container} psql -U postgres {}", database.name);
        }
    }
    writeln!(out, "  its log      docker compose -p {project} logs");
    writeln!(out, "  remove it    restore-drill reap --drill {}", verdict.drill_id);
    writeln!(out, "  or           docker compose -p {project} down -v");
}

#[cfg(test)]
mod tests;
