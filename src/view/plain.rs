//! Progress as plain log lines, for a stderr that is no terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::narration;
use crate::model::event::{DatabaseEvent, Event, Sink};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::Verdict;

/// Between two lines about the same long work.
const EVERY: Duration = Duration::from_secs(10);

/// Writes a line for each event that people would want to see in a CI job's log.
pub struct PlainLog<W> {
    out: W,
    began: Instant,
    fetching: BTreeMap<DatabaseName, Instant>,
    pulling: Option<Instant>,
}

impl<W: Write + Send> PlainLog<W> {
    /// A log that begins now.
    pub fn new(out: W) -> Self {
        Self { out, began: Instant::now(), fetching: BTreeMap::new(), pulling: None }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        let seconds = self.began.elapsed().as_secs();
        let line = format!("[{:02}:{:02}] {}\n", seconds / 60, seconds % 60, human::inert(text));
        self.out.write_all(line.as_bytes())
    }

    fn bytes(&mut self, name: &DatabaseName, done: u64, verdict: &Verdict) -> io::Result<()> {
        let last = self.fetching.entry(name.clone()).or_insert_with(Instant::now);
        if last.elapsed() < EVERY {
            return Ok(());
        }
        *last = Instant::now();
        let total = verdict.recovery_set.point(name).map_or(0, |point| point.size_bytes);
        self.line(&format!("{name}: fetched {} of {}", human::bytes(done), human::bytes(total)))
    }
}

impl<W: Write + Send> Sink for PlainLog<W> {
    fn name(&self) -> String {
        "progress".to_owned()
    }

    fn handle(&mut self, event: &Event, verdict: &Verdict) -> io::Result<()> {
        match event {
            Event::Database(name, DatabaseEvent::Bytes(done)) => self.bytes(name, *done, verdict),
            Event::Pulling { image, progress } => {
                if self.pulling.is_some_and(|last| last.elapsed() < EVERY) {
                    return Ok(());
                }
                self.pulling = Some(Instant::now());
                let (done, total) = (human::bytes(progress.done_bytes), human::bytes(progress.total_bytes));
                self.line(&format!("pulling {image}: {done} of {total}"))
            }
            _ => narration::line(event, verdict).map_or(Ok(()), |text| self.line(&text)),
        }
    }
}
