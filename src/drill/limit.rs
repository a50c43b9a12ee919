//! What a drill is doing, for the message of one that reached its time limit.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::codes;
use crate::model::event::{DatabaseEvent, Event};
use crate::model::failure::Failure;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::phase::Phase;
use crate::model::verdict::Verdict;

/// What a drill is doing.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway {
    phase: Option<Phase>,
    /// Databases that may still be restored, in the template's order.
    open: Vec<DatabaseName>,
    /// Checks that have begun and not ended.
    checks: BTreeSet<String>,
}

impl Underway {
    /// What a drill with this first verdict is doing.
    pub(super) fn of(verdict: &Verdict) -> Self {
        let open = verdict.databases.iter().map(|database| database.name.clone()).collect();
        Self { open, ..Self::default() }
    }

    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Phase(phase) => self.phase = Some(*phase),
            Event::Planned(plan) => self.open.retain(|name| !plan.missing.contains(name)),
            Event::Database(
                name,
                DatabaseEvent::Restored { .. } | DatabaseEvent::Failed(_) | DatabaseEvent::Skipped(_),
            ) => self.open.retain(|open| open != name),
            Event::CheckStarted(name) => drop(self.checks.insert(name.clone())),
            Event::CheckFinished(check) => drop(self.checks.remove(&check.name)),
            _ => {}
        }
    }

    /// The failure of a drill that reached the template's time limit.
    pub(super) fn timed_out(&self, limit: Duration) -> Failure {
        let phase = self.phase.unwrap_or(Phase::Plan);
        let limit = human::duration(limit.as_secs_f64());
        let mut message = format!("the drill reached its time limit of {limit} in the phase {phase}");
        let open: Vec<String> = self.open.iter().map(ToString::to_string).collect();
        let checks: Vec<String> = self.checks.iter().cloned().collect();
        for (what, names) in [("not restored yet", open), ("checks running", checks)] {
            if !names.is_empty() {
                message.push_str(&format!("; {what}: {}", names.join(", ")));
            }
        }
        Failure::inconclusive(codes::TIMED_OUT, message).hint(
            "phases and databases[].seconds in the verdict say where the time went; `timeout` in the template sets the limit",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{check, fresh};
    use crate::model::verdict::CheckStatus;

    #[test]
    fn the_limit_names_what_was_going_on() {
        let mut underway = Underway::of(&fresh());
        underway.note(&Event::Phase(Phase::Restore));
        let message = |underway: &Underway| underway.timed_out(Duration::from_secs(40)).message;
        let begins = "the drill reached its time limit of 40s in the phase restore";
        assert_eq!(message(&underway), format!("{begins}; not restored yet: a, b"));
        let restored =
            || DatabaseEvent::Restored { table_rows: Default::default(), total_rows: 0, seconds: 0.0 };
        for name in ["a", "b"] {
            underway.note(&Event::Database(name.parse().unwrap(), restored()));
        }
        for name in ["roots", "chain", "tables"] {
            underway.note(&Event::CheckStarted(name.to_owned()));
        }
        underway.note(&Event::CheckFinished(check(CheckStatus::Pass)));
        assert_eq!(message(&underway), format!("{begins}; checks running: chain, roots"));
    }
}
