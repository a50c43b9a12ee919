//! What a drill is before it starts: its task, its first verdict, and the labels of everything that it will make.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::check::DrillTemplate;
use crate::clock::Clock;
use crate::layer::Identities;
use crate::model::earlier::EarlierDrills;
use crate::model::names::{DatabaseName, DrillId, ProjectName, compact};
use crate::model::verdict::{
    self, ClusterRecord, Objectives, Runner, Stack, Status, Teardown, Tool, Verdict,
};
use crate::sandbox::docker::EngineInfo;
use crate::sandbox::labels::Ownership;
use crate::sandbox::owner::{self, Owner};
use crate::store::Store;
use crate::template::Cluster;

/// More workers than this wait for each other, and use up the server's connections.
const MAX_JOBS: usize = 32;
/// How long a stack that was left standing may stand before `reap` removes it.
const KEEP_LEASE: TimeDelta = TimeDelta::hours(24);
/// How long teardown may take beyond the drill's own time limit, before `reap` may step in.
const TEARDOWN_MARGIN: TimeDelta = TimeDelta::minutes(15);

/// What a drill is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The point in time to recover to. Default: now.
    pub at: Option<DateTime<Utc>>,
    /// The databases it is narrowed to; empty for all.
    pub only: Vec<DatabaseName>,
    /// Restore workers in all. Default: the engine's processors.
    pub jobs: Option<usize>,
    /// Leave the stack standing.
    pub keep: bool,
    /// Run beside another drill of the same template.
    pub concurrent: bool,
    /// The person or job that runs the drill.
    pub operator: String,
}

/// A drill, ready to run.
pub struct Drill {
    /// What to drill; narrowed already, see [`DrillTemplate::narrow`].
    pub template: Arc<DrillTemplate>,
    /// Options of the command line.
    pub options: Options,
    /// The store of the recovery points.
    pub store: Arc<dyn Store>,
    /// The keys that open recovery points.
    pub identities: Arc<Identities>,
    /// Earlier drills that passed, for checks that compare with them.
    pub earlier: Arc<EarlierDrills>,
    /// The clock.
    pub clock: Clock,
}

/// A cluster with those of its databases that are drilled; none if there are none.
fn of_cluster(template: &DrillTemplate, cluster: &Cluster) -> Option<ClusterRecord> {
    let is_drilled = |name: &&DatabaseName| template.database(name).is_some();
    let databases: Vec<DatabaseName> = cluster.databases.iter().filter(is_drilled).cloned().collect();
    (!databases.is_empty()).then(|| ClusterRecord::pending(&cluster.name, databases))
}

impl Drill {
    /// The verdict of a drill that begins now.
    pub fn first_verdict(&self, started_at: DateTime<Utc>) -> Verdict {
        let template = &self.template;
        Verdict {
            schema_version: 1,
            drill_id: DrillId::random(),
            template: template.name.clone(),
            timestamp: compact(started_at),
            project: ProjectName::new(&template.project_prefix, started_at),
            status: Status::Running,
            operator: self.options.operator.clone(),
            started_at,
            finished_at: None,
            duration_seconds: None,
            at: self.options.at.unwrap_or(started_at),
            tool: Tool { version: env!("CARGO_PKG_VERSION").to_owned() },
            runner: Runner {
                hostname: owner::hostname(),
                owner: Owner::this_process().to_string(),
                ..Runner::default()
            },
            recovery_set: verdict::RecoverySet::default(),
            plan: verdict::PlanRecord {
                store: Some(template.store.record()),
                ..verdict::PlanRecord::default()
            },
            access: None,
            server_access: std::collections::BTreeMap::new(),
            databases: template
                .databases
                .iter()
                .map(|d| verdict::DatabaseRecord::pending(&d.name, &d.after, d.system))
                .collect(),
            clusters: template.clusters.iter().filter_map(|cluster| of_cluster(template, cluster)).collect(),
            stack: Stack::default(),
            isolation: verdict::Isolation::default(),
            checks: Vec::new(),
            verification_seconds: None,
            objectives: Objectives::default(),
            rows_verified: 0,
            kept: false,
            teardown: Teardown::default(),
            phases: Vec::new(),
            only: self.options.only.clone(),
            failure: None,
            warnings: self.earlier.unread.iter().map(|unread| format!("earlier drills: {unread}")).collect(),
            not_verified: Vec::new(),
        }
    }

    /// Labels of all that a drill with this first verdict makes.
    pub(super) fn ownership(&self, verdict: &Verdict) -> Ownership {
        let limit = TimeDelta::from_std(self.template.timeout).unwrap_or(TimeDelta::days(1));
        let lease = if self.options.keep { KEEP_LEASE } else { limit + TEARDOWN_MARGIN };
        Ownership {
            drill_id: verdict.drill_id,
            project: verdict.project.clone(),
            template: self.template.name.clone(),
            purpose: "drill",
            owner: Owner::this_process(),
            lease_expires: verdict.started_at + lease,
            kept: self.options.keep,
        }
    }

    /// Restore workers in all.
    pub(super) fn jobs(&self, engine: &EngineInfo) -> usize {
        let default = || usize::try_from(engine.cpus).unwrap_or(1);
        self.options.jobs.unwrap_or_else(default).clamp(1, MAX_JOBS)
    }
}
