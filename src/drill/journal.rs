//! The one stream of events: a bounded channel whose one writer folds each event into the verdict, then feeds every sink.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::limit::Underway;
use super::record;
use crate::clock::Timer;
use crate::evidence::{GaveUp, TimeLimited};
use crate::model::event::{Event, Sink};
use crate::model::verdict::Verdict;

/// Events on their way to the writer. Far more than a drill has at once, so that a slow disk holds up nothing.
const DEPTH: usize = 1024;
/// How long one sink may take for one event. One that takes longer is given up.
const SINK_LIMIT: Duration = Duration::from_secs(30);
/// How long one sink may take for the events that are left when the drill is over. A disk that is slow and does not hang would
/// take hours for a full channel.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Records events. Cheap to clone; all clones write to the same drill.
#[derive(Clone)]
pub struct Journal {
    events: mpsc::Sender<(Event, DateTime<Utc>)>,
    underway: Arc<Mutex<Underway>>,
    timer: Timer,
}

/// What folds the events of a journal.
pub struct Writer {
    verdict: JoinHandle<Verdict>,
    /// The drill is over, and what is left is waited for.
    is_over: Arc<AtomicBool>,
}

impl Journal {
    /// A journal of a drill that began with the timer.
    pub fn begin(verdict: Verdict, sinks: Vec<Box<dyn Sink>>, timer: Timer) -> (Self, Writer) {
        let feeds = sinks.into_iter().map(|sink| Feed::new(sink, SINK_LIMIT, DRAIN_LIMIT)).collect();
        Self::feeding(verdict, feeds, timer)
    }

    fn feeding(verdict: Verdict, feeds: Vec<Feed>, timer: Timer) -> (Self, Writer) {
        let (events, recorded) = mpsc::channel(DEPTH);
        let underway = Arc::new(Mutex::new(Underway::of(&verdict)));
        let is_over = Arc::new(AtomicBool::new(false));
        let verdict = tokio::spawn(write(verdict, recorded, feeds, timer.clone(), Arc::clone(&is_over)));
        (Self { events, underway, timer }, Writer { verdict, is_over })
    }

    /// Records an event. Waits only while the channel is full.
    pub async fn record(&self, event: Event) {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner).note(&event);
        // After the end nothing is recorded: a part of the drill may hear of its end a moment late.
        let _ = self.events.send((event, self.timer.now())).await;
    }

    /// Shows progress, unless there is more to record than the writer keeps up with.
    pub fn show(&self, event: Event) {
        if self.events.capacity() > DEPTH / 2 {
            let _ = self.events.try_send((event, self.timer.now()));
        }
    }

    /// What the drill is doing.
    pub fn underway(&self) -> Underway {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the drill began.
    pub fn began(&self) -> DateTime<Utc> {
        self.timer.began()
    }

    /// The time of day, as all times of the verdict are measured.
    pub fn now(&self) -> DateTime<Utc> {
        self.timer.now()
    }

    /// The seconds that the drill has taken so far, without those that the machine slept.
    pub fn seconds(&self) -> f64 {
        self.timer.awake_seconds()
    }
}

impl Writer {
    /// The verdict, once [`Event::Finished`] is folded into it and every sink has seen that.
    pub async fn verdict(self) -> Verdict {
        self.is_over.store(true, Ordering::Relaxed);
        self.verdict.await.expect("folding does not panic, and the writer is never aborted")
    }
}

async fn write(
    verdict: Verdict,
    mut recorded: mpsc::Receiver<(Event, DateTime<Utc>)>,
    mut feeds: Vec<Feed>,
    timer: Timer,
    is_over: Arc<AtomicBool>,
) -> Verdict {
    let mut verdict = Arc::new(verdict);
    while let Some((event, at)) = recorded.recv().await {
        let last = matches!(event, Event::Finished);
        if last {
            Arc::make_mut(&mut verdict).warnings.extend(timer.surprises());
        }
        record::apply(Arc::make_mut(&mut verdict), &event, at);
        if last {
            let slow = feeds.iter().filter_map(Feed::was_too_slow);
            Arc::make_mut(&mut verdict).warnings.extend(slow);
        }
        let event = Arc::new(event);
        for feed in &mut feeds {
            if feed.is_too_slow() && !last {
                feed.left_out += 1;
                continue;
            }
            let (began, draining) = (Instant::now(), is_over.load(Ordering::Relaxed));
            let warning = feed.give(&event, &verdict).await;
            if draining {
                feed.drained += began.elapsed();
            }
            Arc::make_mut(&mut verdict).warnings.extend(warning);
        }
        if last {
            break;
        }
    }
    Arc::unwrap_or_clone(verdict)
}

/// A sink, and whether it failed before.
struct Feed {
    name: String,
    sink: TimeLimited<dyn Sink>,
    failed: bool,
    /// What it has taken since the drill was over, and what it may take.
    drained: Duration,
    drain_limit: Duration,
    /// Events that it was too slow for.
    left_out: u64,
}

impl Feed {
    fn new(sink: Box<dyn Sink>, limit: Duration, drain_limit: Duration) -> Self {
        Self {
            name: sink.name(),
            sink: TimeLimited::new(sink, limit),
            failed: false,
            drained: Duration::ZERO,
            drain_limit,
            left_out: 0,
        }
    }

    /// Whether it gets no more of what is left, but for the end.
    fn is_too_slow(&self) -> bool {
        self.drained >= self.drain_limit
    }

    /// That it was, for the operator.
    fn was_too_slow(&self) -> Option<String> {
        let events = crate::model::human::things(self.left_out, "event");
        (self.left_out > 0)
            .then(|| format!("{} was too slow: the last {events} were not shown there", self.name))
    }

    /// Gives an event to the sink, on a thread that may block. The first failure of each sink is a warning; those that follow
    /// have the same cause.
    async fn give(&mut self, event: &Arc<Event>, verdict: &Arc<Verdict>) -> Option<String> {
        let (event, verdict) = (Arc::clone(event), Arc::clone(verdict));
        let error = match self.sink.run(move |sink, _| sink.handle(&event, &verdict)).await {
            Ok(taken) => taken.err()?.to_string(),
            Err(GaveUp::Earlier) => return None,
            Err(gave_up) => format!("{gave_up}, and is not written to any more"),
        };
        let first = !std::mem::replace(&mut self.failed, true);
        first.then(|| format!("could not write {}: {error}", self.name))
    }
}

#[cfg(test)]
mod tests;
