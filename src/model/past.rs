//! What earlier drills took, for a forecast of the next.

use std::collections::BTreeMap;

use crate::model::codes;
use crate::model::names::DatabaseName;
use crate::model::phase::Phase;
use crate::model::verdict::{DatabaseStatus, Status, Verdict};

/// The stages of a database that have budgets: download, decrypt, restore.
pub const STAGES: usize = 3;

/// An earlier drill, as far as a forecast needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastDrill {
    /// When it began, as its verdict's name has it.
    pub timestamp: String,
    /// The machine it ran on.
    pub hostname: String,
    /// The major version in each Postgres image.
    pub majors: BTreeMap<String, u32>,
    /// Bytes free on the engine's disk when it began.
    pub disk_free_bytes: Option<u64>,
    /// Whether it restored and checked everything.
    pub complete: bool,
    /// What each phase took.
    pub phases: BTreeMap<Phase, f64>,
    /// The time in which checks ran.
    pub verification_seconds: Option<f64>,
    /// Its databases.
    pub databases: BTreeMap<DatabaseName, PastDatabase>,
}

/// A database of an earlier drill.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastDatabase {
    /// The recovery point's size.
    pub size_bytes: u64,
    /// The database's size once restored.
    pub restored_bytes: Option<u64>,
    /// Seconds of each stage: download, decrypt, restore.
    pub stages: [Option<f64>; STAGES],
}

impl From<Verdict> for PastDrill {
    fn from(verdict: Verdict) -> Self {
        let sizes: BTreeMap<DatabaseName, u64> =
            verdict.recovery_set.points.into_iter().map(|point| (point.database, point.size_bytes)).collect();
        let is_restored = |status| status == DatabaseStatus::Restored;
        // A drill that was only too slow, or of too old a backup, tells as much of time as one that passed.
        let in_time = [codes::RPO_MISSED, codes::RTO_MISSED, codes::PHASE_BUDGET_MISSED];
        let only_late = verdict.failure.is_some_and(|failure| in_time.contains(&failure.code));
        let complete = verdict.databases.iter().all(|database| is_restored(database.status))
            && (verdict.status == Status::Pass || only_late);
        let restored = verdict.databases.into_iter().filter(|database| is_restored(database.status));
        let databases = restored.map(|database| {
            let past = PastDatabase {
                size_bytes: sizes.get(&database.name).copied().unwrap_or(0),
                restored_bytes: database.restored_bytes,
                stages: [database.seconds.download, database.seconds.decrypt, database.seconds.restore],
            };
            (database.name, past)
        });
        let majors = verdict.stack.postgres_images().into_iter().filter_map(|(image, version)| {
            let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
            Some((image.to_owned(), digits.parse().ok()?))
        });
        let majors = majors.collect();
        let phases = verdict.phases.into_iter().filter_map(|phase| Some((phase.name, phase.seconds?)));
        Self {
            timestamp: verdict.timestamp,
            hostname: verdict.runner.hostname,
            majors,
            disk_free_bytes: verdict.runner.disk_free_bytes,
            complete,
            phases: phases.filter(|(_, seconds)| *seconds >= 0.0).collect(),
            verification_seconds: verdict.verification_seconds,
            databases: databases.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::passing;

    #[test]
    fn what_a_verdict_measured_is_what_a_forecast_is_based_on() {
        let past = PastDrill::from(Verdict { status: Status::Pass, ..passing() });
        assert!(past.complete && past.databases.len() == 2);
        let a = &past.databases[&"a".parse().unwrap()];
        assert_eq!((a.size_bytes, a.stages), (1 << 20, [Some(0.5), Some(0.1), Some(1.25)]));
    }

    #[test]
    fn a_drill_that_broke_off_is_not_complete() {
        assert!(!PastDrill::from(Verdict { status: Status::Inconclusive, ..passing() }).complete);
    }
}
