//! Restores all databases, parents before children, and runs each check as soon as the databases it names are restored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::access::restore_roles;
use super::database::DatabaseRestore;
use super::fetch::Fetcher;
use super::journal::Journal;
use super::objectives::Measured;
use super::servers::ReadyServer;
use super::sqlite::SqliteRestore;
use super::stack::RestoreTarget;
use super::task::Drill;
use super::turn::{RestoreProgress, Turn, settled};
use crate::check;
use crate::model::codes;
use crate::model::event::Event;
use crate::model::failure::{Class, Failure, Result};
use crate::model::names::{DatabaseName, ServerName};
use crate::model::verdict::{Check, CheckStatus, RecoverySet};
use crate::plan::DrillPlan;
use crate::survey::Manifests;
use crate::target::postgres::globals::RestoredRoles;
use crate::target::postgres::{Server, Servers};

/// Recovery points fetched at once: enough to keep the network busy, few enough to keep memory small.
const FETCHES: usize = 3;

type Waiting = BTreeMap<DatabaseName, watch::Receiver<RestoreProgress>>;

/// Restores and checks everything. After a failure it continues with everything that does not depend on it, so that one run
/// reports all that is wrong.
///
/// # Errors
/// The first failure of a database or a check; a bad backup before anything inconclusive.
pub async fn restore_and_check(
    drill: &Drill,
    plan: &DrillPlan,
    manifests: &Arc<Manifests>,
    target: &RestoreTarget,
    journal: &Journal,
) -> Result<Measured> {
    let mut tasks = JoinSet::new();
    let jobs = drill.jobs(target.engine.info());
    let access = restore_roles(drill, plan, target, journal).await;
    let roles = access.restored;
    let waiting = spawn_databases(drill, plan, target, jobs, (&roles, manifests), journal, &mut tasks);
    let tools = Arc::new(check::Tools {
        servers: servers(drill, target, jobs),
        workbench: target.workbench.clone(),
        points: plan.recovery_set.clone(),
        store: Arc::clone(&drill.store),
        identities: Arc::clone(&drill.identities),
        manifests: Arc::clone(manifests),
        jobs,
        earlier: Arc::clone(&drill.earlier),
        stack: target.for_checks(),
        roles,
    });
    for sentence in check::looked_at_by_no_check(&drill.template) {
        journal.record(Event::NotVerified(sentence)).await;
    }
    let mut checks = JoinSet::new();
    for place in 0..drill.template.checks.len() {
        let (waiting, journal, tools) = (waiting.clone(), journal.clone(), Arc::clone(&tools));
        let template = Arc::clone(&drill.template);
        checks.spawn(async move {
            (place, run_check(&*template.checks[place], &tools, &waiting, &journal).await)
        });
    }
    let mut failures = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        failures.extend(ended.unwrap_or_else(|error| Some(defect(&error))));
    }
    let mut intervals = Vec::new();
    let mut failed_checks = BTreeMap::new();
    while let Some(ended) = checks.join_next().await {
        match ended {
            Ok((place, (began, ended, failure))) => {
                failed_checks.extend(failure.map(|failure| (place, failure)));
                intervals.push((began, ended));
            }
            Err(error) => failures.push(defect(&error)),
        }
    }
    // In the template's order, not in the one in which they happened to end: the same backup, the same failure.
    failures.extend(failed_checks.into_values());
    let verification = covered(intervals).as_secs_f64();
    journal.record(Event::ChecksFinished { seconds: verification }).await;
    failures.extend(access.failures);
    failures.extend(missing_roles(&waiting).await);
    // Stable: among equals the first to be reported stays first.
    failures.sort_by_key(|failure| failure.class != Class::Bad);
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(measured(drill, plan, &waiting, verification).await),
    }
}

/// That roles are missing without which what was restored is not what the source was.
async fn missing_roles(waiting: &Waiting) -> Option<Failure> {
    let mut missing = BTreeMap::new();
    for (name, progress) in waiting {
        if let Some(database) = settled(progress.clone()).await {
            for role in &database.missing_roles {
                missing.entry(role.clone()).or_insert_with(Vec::new).push(name.as_str());
            }
        }
    }
    let named: Vec<String> =
        missing.iter().map(|(role, databases)| format!("{role} ({})", databases.join(", "))).collect();
    (!named.is_empty()).then(|| {
        let named = crate::model::human::one_line(&named.join(", "), 400);
        let message = format!("the globals lack roles that own something in a database, or that a policy is for: {named}");
        Failure::bad(codes::ROLE_LOST, message).hint(
            "a recovery would lack them too: check what the backup job leaves out; roles that are made in another way can \
             be listed in `roles` of their server's section",
        )
    })
}

/// What was measured of databases that are all restored.
async fn measured(drill: &Drill, plan: &DrillPlan, waiting: &Waiting, verification: f64) -> Measured {
    let mut restored = BTreeMap::new();
    for (name, progress) in waiting {
        if let Some(database) = settled(progress.clone()).await {
            restored.insert(name.clone(), database);
        }
    }
    let points = plan.recovery_set.points.iter();
    let points = points.map(|point| restored.get(&point.database).map_or(point, |restored| &restored.point));
    let databases = drill.template.databases.iter();
    Measured {
        points: RecoverySet::of(points.cloned().collect()),
        stages: databases
            .filter_map(|database| Some((database.name.clone(), restored.get(&database.name)?.seconds)))
            .collect(),
        verification: Some(verification),
        rpo: plan.rpo.clone(),
    }
}

/// A task that panicked: reported like anything else that keeps a drill from its verdict, so that teardown runs.
fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::defect(codes::INTERNAL_ERROR, format!("a part of the drill broke off: {error}"))
}

/// The time during which at least one of the intervals ran. Between two checks the drill may be restoring what the
/// later one needs, and that is not verification.
fn covered(mut intervals: Vec<(Instant, Instant)>) -> Duration {
    intervals.sort();
    let mut total = Duration::ZERO;
    let mut reached: Option<Instant> = None;
    for (began, ended) in intervals {
        let from = reached.map_or(began, |reached| reached.max(began));
        total += ended.saturating_duration_since(from);
        reached = Some(reached.map_or(ended, |reached| reached.max(ended)));
    }
    total
}

/// The servers, as checks share them.
fn servers(drill: &Drill, target: &RestoreTarget, jobs: usize) -> Servers {
    let names = || drill.template.databases.iter().map(|database| &database.name);
    let of = |ready: &ReadyServer| {
        let is_on_it =
            |name: &&DatabaseName| drill.template.server_name_of(name).as_ref() == Some(&ready.server.name);
        let own = names().filter(is_on_it);
        (ready.server.clone(), own.cloned().collect())
    };
    Servers::new(target.servers.iter().map(of), jobs)
}

fn spawn_databases(
    drill: &Drill,
    plan: &DrillPlan,
    target: &RestoreTarget,
    jobs: usize,
    (roles, manifests): (&BTreeMap<ServerName, Arc<RestoredRoles>>, &Arc<Manifests>),
    journal: &Journal,
    tasks: &mut JoinSet<Option<Failure>>,
) -> Waiting {
    let workers = Arc::new(Semaphore::new(jobs));
    let fetching = Arc::new(Semaphore::new(FETCHES));
    let mut waiting = Waiting::new();
    // In restore order, so that every parent has its channel before its children look for it.
    for name in plan.waves.iter().flatten() {
        let (Some(point), Some(database)) = (plan.point(name), drill.template.database(name)) else {
            continue;
        };
        let (done, progress) = watch::channel(RestoreProgress::Pending);
        let parents =
            database.after.iter().filter_map(|parent| Some((parent.clone(), waiting.get(parent)?.clone())));
        let turn = Turn {
            point: point.clone(),
            parents: parents.collect(),
            done,
            fetching: Arc::clone(&fetching),
            template: Arc::clone(&drill.template),
            journal: journal.clone(),
        };
        let (store, identities) = (Arc::clone(&drill.store), Arc::clone(&drill.identities));
        waiting.insert(name.clone(), progress);
        match (target.server_of(&drill.template, name), &target.workbench) {
            (Some(ready), _) => {
                let server = drill.template.server_of(name).expect("it was started");
                let fetcher = Fetcher {
                    store,
                    identities,
                    server: ready.server.clone(),
                    image: server.image.clone(),
                    server_major: ready.version.major,
                };
                let (workers, roles) = (Arc::clone(&workers), roles.get(&ready.server.name).cloned());
                let manifests = Arc::clone(manifests);
                tasks.spawn(DatabaseRestore { turn, fetcher, workers, jobs, roles, manifests }.run());
            }
            (None, Some(workbench)) => {
                let workbench = workbench.clone();
                tasks.spawn(SqliteRestore { turn, store, identities, workbench }.run());
            }
            (None, None) => unreachable!("validation demands a server or a workbench for every database"),
        }
    }
    waiting
}

/// Waits for the databases that a check names, and runs it. Returns when it ran, and its failure if it did not hold.
async fn run_check(
    check: &dyn check::Check,
    tools: &check::Tools,
    waiting: &Waiting,
    journal: &Journal,
) -> (Instant, Instant, Option<Failure>) {
    let mut restored = BTreeMap::new();
    let mut lost = Vec::new();
    for name in check.databases() {
        match waiting.get(name) {
            Some(progress) => match settled(progress.clone()).await {
                Some(database) => drop(restored.insert(name, database)),
                None => lost.push(name.as_str()),
            },
            None => lost.push(name.as_str()),
        }
    }
    let began = Instant::now();
    let mut record = Check {
        name: check.name().to_owned(),
        kind: check.entry().kind.into(),
        status: CheckStatus::Skipped,
        seconds: 0.0,
        rows_verified: 0,
        summary: format!("not restored: {}", lost.join(", ")),
        findings: Vec::new(),
        findings_total: 0,
        heads: None,
    };
    // A database that is lost has failed the drill already; a check without its data adds nothing.
    let mut failure = None;
    if lost.is_empty() {
        journal.record(Event::CheckStarted(record.name.clone())).await;
        let fetched = RecoverySet::of(restored.values().map(|database| database.point.clone()).collect());
        let promised = restored.iter().map(|(name, database)| (*name, &database.promised)).collect();
        let restored = restored.iter().map(|(name, database)| (*name, &database.contents)).collect();
        let context = check::Context { tools, restored, promised, fetched };
        let ran = check.judge(&context).await;
        let servers = tools.servers.of_all(check.databases());
        match unless_a_server_failed(ran, &servers, began).await {
            Ok(outcome) => {
                for sentence in outcome.not_verified() {
                    let sentence = format!("check {}: {sentence}", record.name);
                    journal.record(Event::Warning(sentence.clone())).await;
                    let plain = check::in_plain_words(check, &outcome, &sentence);
                    journal.record(Event::NotVerified(plain)).await;
                }
                if outcome.status == CheckStatus::Fail {
                    let message = format!("check {} failed: {}", record.name, outcome.summary);
                    failure = Some(
                        Failure::bad(outcome.failing_code(), message)
                            .hint("checks[].findings in the verdict has what it saw"),
                    );
                }
                // Those of chains that do not hold are nothing to compare with.
                record.heads = outcome.heads.filter(|_| outcome.status == CheckStatus::Pass);
                record.status = outcome.status;
                record.rows_verified = outcome.rows_verified;
                record.summary = outcome.summary;
                record.findings = outcome.findings;
                record.findings_total = outcome.findings_total;
            }
            Err(error) => {
                let error = check::blame_the_template(error, &context.restored);
                record.status = CheckStatus::Error;
                record.summary = error.message.clone();
                failure = Some(error.context(format!("check {} could not be run", record.name)));
            }
        }
    }
    let ended = Instant::now();
    record.seconds = (ended - began).as_secs_f64();
    journal.record(Event::CheckFinished(record)).await;
    (began, ended, failure)
}

/// What a check found out, unless the trouble of a server that it asked is the cause of that: then it found out nothing.
async fn unless_a_server_failed(
    ran: Result<check::Outcome>,
    servers: &[&Server],
    began: Instant,
) -> Result<check::Outcome> {
    for server in servers {
        let trouble = match &ran {
            Ok(outcome) if outcome.status == CheckStatus::Fail => server.trouble(began).await,
            Ok(_) => None,
            Err(failure) => server.cause_of(failure, began).await,
        };
        if let Some(trouble) = trouble {
            return Err(trouble.on_server(&server.name));
        }
    }
    match servers {
        [only] => ran.map_err(|failure| failure.on_server(&only.name)),
        _ => ran,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_is_the_time_in_which_any_check_ran() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let seconds = |intervals: &[(u64, u64)]| {
            covered(intervals.iter().map(|(a, b)| (at(*a), at(*b))).collect()).as_secs()
        };
        assert_eq!(seconds(&[]), 0);
        assert_eq!(seconds(&[(0, 2), (100, 103)]), 5, "what lies between is not verification");
        assert_eq!(seconds(&[(0, 10), (2, 4), (8, 12)]), 12, "overlaps count once");
    }
}
