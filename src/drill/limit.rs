//! What is said of a drill that reached its time limit: what was going on.

use std::time::Duration;

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human;
use crate::model::phase::Phase;
use crate::model::verdict::{DatabaseRecord, DatabaseStatus, Verdict};

/// A drill that reached the template's time limit.
pub(super) fn timed_out(limit: Duration, verdict: &Verdict, running_checks: &[String]) -> Failure {
    let phase = verdict.phases.last().map_or(Phase::Plan, |phase| phase.name);
    let limit = human::duration(limit.as_secs_f64());
    let mut message = format!("the drill reached its time limit of {limit} in the phase {phase}");
    let pending = |database: &&DatabaseRecord| database.status == DatabaseStatus::Pending;
    let open: Vec<_> = verdict.databases.iter().filter(pending).map(|open| open.name.to_string()).collect();
    for (what, names) in [("not restored yet", open.as_slice()), ("checks at work", running_checks)] {
        if !names.is_empty() {
            message.push_str(&format!("; {what}: {}", names.join(", ")));
        }
    }
    Failure::inconclusive(codes::TIMED_OUT, message).hint(
        "phases and databases[].seconds in the verdict say where the time went; `timeout` in the template sets the limit",
    )
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;
    use crate::model::event::Event;
    use crate::model::phase::Phase;
    use crate::model::testing::{fresh, start};

    #[test]
    fn the_limit_names_what_was_going_on() {
        let mut verdict = fresh();
        record::apply(&mut verdict, &Event::Phase(Phase::Restore), start());
        let limit = Duration::from_secs(40);
        let message = |verdict: &Verdict, running: &[&str]| {
            let running: Vec<String> = running.iter().map(|name| (*name).to_owned()).collect();
            timed_out(limit, verdict, &running).message
        };
        let begins = "the drill reached its time limit of 40s in the phase restore";
        assert_eq!(message(&verdict, &[]), format!("{begins}; not restored yet: a, b"));
        verdict.databases.iter_mut().for_each(|database| database.status = DatabaseStatus::Restored);
        assert_eq!(message(&verdict, &["chain", "roots"]), format!("{begins}; checks at work: chain, roots"));
        assert_eq!(message(&verdict, &[]), begins);
    }
}
