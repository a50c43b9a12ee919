//! The one stream of events: a bounded channel whose one writer folds each event into the verdict, then feeds every sink.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// Records events. Cheap to clone; all clones write to the same drill.
#[derive(Clone)]
pub struct Journal {
    events: mpsc::Sender<(Event, DateTime<Utc>)>,
    underway: Arc<Mutex<Underway>>,
    timer: Timer,
}

/// What folds the events of a journal.
pub struct Writer(JoinHandle<Verdict>);

impl Journal {
    /// A journal of a drill that began with the timer.
    pub fn begin(verdict: Verdict, sinks: Vec<Box<dyn Sink>>, timer: Timer) -> (Self, Writer) {
        let feeds = sinks.into_iter().map(|sink| Feed::new(sink, SINK_LIMIT)).collect();
        Self::feeding(verdict, feeds, timer)
    }

    fn feeding(verdict: Verdict, feeds: Vec<Feed>, timer: Timer) -> (Self, Writer) {
        let (events, recorded) = mpsc::channel(DEPTH);
        let underway = Arc::new(Mutex::new(Underway::of(&verdict)));
        let writer = tokio::spawn(write(verdict, recorded, feeds, timer.clone()));
        (Self { events, underway, timer }, Writer(writer))
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
        self.0.await.expect("folding does not panic, and the writer is never aborted")
    }
}

async fn write(
    verdict: Verdict,
    mut recorded: mpsc::Receiver<(Event, DateTime<Utc>)>,
    mut feeds: Vec<Feed>,
    timer: Timer,
) -> Verdict {
    let mut verdict = Arc::new(verdict);
    while let Some((event, at)) = recorded.recv().await {
        let last = matches!(event, Event::Finished);
        if last {
            Arc::make_mut(&mut verdict).warnings.extend(timer.surprises());
        }
        record::apply(Arc::make_mut(&mut verdict), &event, at);
        let event = Arc::new(event);
        for feed in &mut feeds {
            if let Some(warning) = feed.give(&event, &verdict).await {
                Arc::make_mut(&mut verdict).warnings.push(warning);
            }
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
}

impl Feed {
    fn new(sink: Box<dyn Sink>, limit: Duration) -> Self {
        Self { name: sink.name(), sink: TimeLimited::new(sink, limit), failed: false }
    }

    /// Gives an event to the sink, on a thread that may block. The first failure of each sink is a warning; those that follow
    /// have the same cause.
    async fn give(&mut self, event: &Arc<Event>, verdict: &Arc<Verdict>) -> Option<String> {
        let (event, verdict) = (Arc::clone(event), Arc::clone(verdict));
        let error = match self.sink.run(move |sink| sink.handle(&event, &verdict)).await {
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
