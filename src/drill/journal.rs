//! The one stream of events: folded into the verdict, and handed to every sink.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::record;
use crate::clock::Timer;
use crate::model::event::{Event, Sink};
use crate::model::verdict::Verdict;

/// Records events. Cheap to clone; all clones write to the same drill.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

struct Inner {
    verdict: Verdict,
    sinks: Vec<Box<dyn Sink>>,
    broken: Vec<String>,
    running_checks: BTreeSet<String>,
    timer: Timer,
}

impl Journal {
    /// A journal of a drill that began with the timer.
    pub fn new(verdict: Verdict, sinks: Vec<Box<dyn Sink>>, timer: Timer) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            verdict,
            sinks,
            broken: Vec::new(),
            running_checks: BTreeSet::new(),
            timer,
        })))
    }

    /// Records an event.
    pub fn record(&self, event: &Event) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        match event {
            Event::CheckStarted(name) => drop(inner.running_checks.insert(name.clone())),
            Event::CheckFinished(check) => drop(inner.running_checks.remove(&check.name)),
            _ => {}
        }
        if matches!(event, Event::Finished) {
            inner.verdict.warnings.extend(inner.timer.surprises());
        }
        record::apply(&mut inner.verdict, event, inner.timer.now());
        for sink in &mut inner.sinks {
            if let Err(error) = sink.handle(event, &inner.verdict) {
                let name = sink.name();
                if !inner.broken.contains(&name) {
                    inner.verdict.warnings.push(format!("could not write {name}: {error}"));
                    inner.broken.push(name);
                }
            }
        }
    }

    /// The verdict as it is now.
    pub fn verdict(&self) -> Verdict {
        self.lock().verdict.clone()
    }

    /// Checks that have begun and not ended.
    pub fn running_checks(&self) -> Vec<String> {
        self.lock().running_checks.iter().cloned().collect()
    }

    /// The time of day, as all times of the verdict go.
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().timer.now()
    }

    /// The seconds that the drill has taken so far, without those that the machine slept.
    pub fn seconds(&self) -> f64 {
        self.lock().timer.awake_seconds()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A sink that panicked has left the verdict whole: it is changed before any sink sees it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::{Clock, Reading};
    use crate::model::phase::Phase;
    use crate::model::testing::{fresh, start};

    struct AlwaysFails(u32);

    impl Sink for AlwaysFails {
        fn name(&self) -> String {
            "the broken one".to_owned()
        }

        fn handle(&mut self, _: &Event, _: &Verdict) -> std::io::Result<()> {
            self.0 += 1;
            Err(std::io::Error::other(format!("disk full, {} of many", self.0)))
        }
    }

    struct Counts(Arc<AtomicUsize>);

    impl Sink for Counts {
        fn name(&self) -> String {
            "the counter".to_owned()
        }

        fn handle(&mut self, _: &Event, _: &Verdict) -> std::io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn a_sink_that_fails_stops_no_other_and_is_reported_once() {
        let counts = [Arc::default(), Arc::default()];
        let counter = |index: usize| Box::new(Counts(Arc::clone(&counts[index])));
        let sinks: Vec<Box<dyn Sink>> = vec![counter(0), Box::new(AlwaysFails(0)), counter(1)];
        let journal = Journal::new(fresh(), sinks, Timer::start(&Clock::fixed(start())));
        for event in [Event::Started, Event::Phase(Phase::Plan), Event::Phase(Phase::Preflight)] {
            journal.record(&event);
        }
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), [3, 3]);
        let verdict = journal.verdict();
        assert_eq!(verdict.warnings, ["could not write the broken one: disk full, 1 of many"]);
        assert_eq!(verdict.phases.len(), 2, "the drill itself is not disturbed");
    }

    #[test]
    fn a_clock_that_is_set_back_moves_no_time_of_the_verdict() {
        let seconds = Arc::new(AtomicUsize::new(0));
        let passed = Arc::clone(&seconds);
        let clock = Clock::reading(move || {
            let passed = passed.load(Ordering::Relaxed) as u64;
            let set_back = chrono::TimeDelta::hours(if passed > 0 { 3 } else { 0 });
            let passed = std::time::Duration::from_secs(passed);
            Reading { wall: start() - set_back, awake: passed, elapsed: passed }
        });
        let journal = Journal::new(fresh(), Vec::new(), Timer::start(&clock));
        journal.record(&Event::Phase(Phase::Plan));
        seconds.store(41, Ordering::Relaxed);
        assert_eq!(journal.seconds(), 41.0);
        assert_eq!(journal.now(), start() + chrono::TimeDelta::seconds(41));
        journal.record(&Event::Finished);
        let verdict = journal.verdict();
        assert_eq!((verdict.duration_seconds, verdict.phases[0].seconds), (Some(41.0), Some(41.0)));
        assert_eq!(verdict.finished_at, Some(start() + chrono::TimeDelta::seconds(41)));
        assert!(verdict.warnings[0].contains("clock was set back by 3h"), "{:?}", verdict.warnings);
    }

    #[test]
    fn a_sink_sees_the_verdict_after_the_event() {
        struct Looks;
        impl Sink for Looks {
            fn name(&self) -> String {
                String::new()
            }

            fn handle(&mut self, event: &Event, verdict: &Verdict) -> std::io::Result<()> {
                if let Event::Phase(phase) = event {
                    assert_eq!(verdict.phases.last().unwrap().name, *phase);
                }
                Ok(())
            }
        }
        let journal = Journal::new(fresh(), vec![Box::new(Looks)], Timer::start(&Clock::fixed(start())));
        journal.record(&Event::Phase(Phase::Plan));
    }
}
