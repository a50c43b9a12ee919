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

/// A sink that hangs until it is released.
struct Hangs(std::sync::mpsc::Receiver<()>);

impl Sink for Hangs {
    fn name(&self) -> String {
        "the slow disk".to_owned()
    }

    fn handle(&mut self, _: &Event, _: &Verdict) -> std::io::Result<()> {
        let _ = self.0.recv();
        Ok(())
    }
}

fn still() -> Timer {
    Timer::start(&Clock::fixed(start()))
}

/// Records these events and then the end; returns the verdict.
async fn recorded(sinks: Vec<Box<dyn Sink>>, events: Vec<Event>) -> Verdict {
    let (journal, writer) = Journal::begin(fresh(), sinks, still());
    for event in events.into_iter().chain([Event::Finished]) {
        journal.record(event).await;
    }
    writer.verdict().await
}

#[tokio::test]
async fn a_sink_that_fails_stops_no_other_and_is_reported_once() {
    let counts = [Arc::default(), Arc::default()];
    let counter = |index: usize| Box::new(Counts(Arc::clone(&counts[index])));
    let sinks: Vec<Box<dyn Sink>> = vec![counter(0), Box::new(AlwaysFails(0)), counter(1)];
    let events = vec![Event::Started, Event::Phase(Phase::Plan), Event::Phase(Phase::Preflight)];
    let verdict = recorded(sinks, events).await;
    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), [4, 4]);
    assert_eq!(verdict.warnings, ["could not write the broken one: disk full, 1 of many"]);
    assert_eq!(verdict.phases.len(), 2, "the drill itself is not disturbed");
}

#[tokio::test]
async fn a_sink_that_hangs_is_given_up_and_keeps_nobody_from_recording() {
    let (release, held) = std::sync::mpsc::channel();
    let count: Arc<AtomicUsize> = Arc::default();
    let sinks: [Box<dyn Sink>; 2] = [Box::new(Hangs(held)), Box::new(Counts(Arc::clone(&count)))];
    let feeds = sinks.map(|sink| Feed::new(sink, Duration::from_millis(200), DRAIN_LIMIT)).into();
    let (journal, writer) = Journal::feeding(fresh(), feeds, still());
    for _ in 1..DEPTH {
        journal.record(Event::Started).await;
    }
    assert_eq!(
        count.load(Ordering::Relaxed),
        0,
        "the first sink still holds up the writer, and nothing else"
    );
    journal.record(Event::Finished).await;
    let verdict = writer.verdict().await;
    drop(release);
    assert_eq!(verdict.warnings.len(), 1, "{:?}", verdict.warnings);
    assert!(
        verdict.warnings[0].contains("the slow disk: it took longer than 0.2s"),
        "{:?}",
        verdict.warnings
    );
    assert_eq!(count.load(Ordering::Relaxed), DEPTH, "the other sink saw everything");
}

/// A sink that takes its time for each event.
struct Slow(Arc<AtomicUsize>);

impl Sink for Slow {
    fn name(&self) -> String {
        "the slow disk".to_owned()
    }

    fn handle(&mut self, event: &Event, _: &Verdict) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(20));
        if matches!(event, Event::Finished) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_sink_holds_up_the_end_for_so_long_only_and_sees_the_end() {
    let (count, ends): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let feeds = vec![
        Feed::new(Box::new(Slow(Arc::clone(&ends))), SINK_LIMIT, Duration::from_millis(100)),
        Feed::new(Box::new(Counts(Arc::clone(&count))), SINK_LIMIT, DRAIN_LIMIT),
    ];
    let (journal, writer) = Journal::feeding(fresh(), feeds, still());
    for _ in 1..DEPTH {
        journal.record(Event::Started).await;
    }
    journal.record(Event::Finished).await;
    let verdict = writer.verdict().await;
    assert_eq!(ends.load(Ordering::Relaxed), 1);
    assert_eq!(count.load(Ordering::Relaxed), DEPTH, "the other sink saw everything");
    let [warning] = &verdict.warnings[..] else { panic!("{:?}", verdict.warnings) };
    assert!(warning.starts_with("the slow disk was too slow: the last "), "{warning}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_moves_no_time_of_the_verdict() {
    let seconds = Arc::new(AtomicUsize::new(0));
    let passed = Arc::clone(&seconds);
    let clock = Clock::reading(move || {
        let passed = passed.load(Ordering::Relaxed) as u64;
        let set_back = chrono::TimeDelta::hours(if passed > 0 { 3 } else { 0 });
        let passed = std::time::Duration::from_secs(passed);
        Reading { wall: start() - set_back, awake: passed, elapsed: passed }
    });
    let (journal, writer) = Journal::begin(fresh(), Vec::new(), Timer::start(&clock));
    journal.record(Event::Phase(Phase::Plan)).await;
    seconds.store(41, Ordering::Relaxed);
    assert_eq!(journal.seconds(), 41.0);
    assert_eq!(journal.now(), start() + chrono::TimeDelta::seconds(41));
    journal.record(Event::Finished).await;
    let verdict = writer.verdict().await;
    assert_eq!((verdict.duration_seconds, verdict.phases[0].seconds), (Some(41.0), Some(41.0)));
    assert_eq!(verdict.finished_at, Some(start() + chrono::TimeDelta::seconds(41)));
    assert!(verdict.warnings[0].contains("clock was set back by 3h"), "{:?}", verdict.warnings);
}

#[tokio::test]
async fn a_sink_sees_the_verdict_after_the_event() {
    struct Looks;
    impl Sink for Looks {
        fn name(&self) -> String {
            String::new()
        }

        fn handle(&mut self, event: &Event, verdict: &Verdict) -> std::io::Result<()> {
            match event {
                Event::Phase(phase) if verdict.phases.last().unwrap().name != *phase => {
                    Err(std::io::Error::other("the phase is not there"))
                }
                _ => Ok(()),
            }
        }
    }
    let verdict = recorded(vec![Box::new(Looks)], vec![Event::Phase(Phase::Plan)]).await;
    assert_eq!(verdict.warnings, [""; 0]);
}
