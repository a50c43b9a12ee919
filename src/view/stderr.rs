//! What is said on stderr is said by a thread of its own. A full pipe or a terminal that is held (Ctrl-S) blocks whoever
//! writes to it, and neither a drill, nor its time limit, nor a signal may wait for that.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So much may wait to be said; what comes on top is dropped.
const WAITING: usize = 4096;
/// How long the end of a command waits for what is not said yet.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at a queue that is full.
const POLL: Duration = Duration::from_millis(10);

static STDERR: LazyLock<Voice> = LazyLock::new(|| Voice::new(WAITING));

/// Says this after all that was said before.
///
/// # Errors
/// That what is written is not read, or what went wrong with an earlier write.
pub fn say(text: impl Into<Vec<u8>>) -> io::Result<()> {
    let text = text.into();
    aside(move || anstream::stderr().write_all(&text))
}

/// Does something to the terminal, after all that was said before.
///
/// # Errors
/// As [`say`].
pub fn aside(job: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    STDERR.aside(Box::new(job))
}

/// Waits until everything is said, but only so long, and never a second time for what is not read.
pub fn flush() {
    STDERR.flush(PATIENCE);
}

/// Stderr as a writer; each `write` is said as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        say(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Job = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A thread that does one thing after the other.
struct Voice {
    jobs: SyncSender<Job>,
    /// What went wrong since the last report.
    error: Arc<Mutex<Option<io::Error>>>,
    /// A wait has ended in vain.
    stuck: AtomicBool,
}

impl Voice {
    fn new(waiting: usize) -> Self {
        let (jobs, to_do): (SyncSender<Job>, Receiver<Job>) = sync_channel(waiting);
        let error: Arc<Mutex<Option<io::Error>>> = Arc::default();
        let told = Arc::clone(&error);
        std::thread::spawn(move || {
            for job in to_do {
                if let Err(error) = job() {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        });
        Self { jobs, error, stuck: AtomicBool::new(false) }
    }

    fn aside(&self, job: Job) -> io::Result<()> {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.jobs.try_send(job).map_err(|_| io::Error::other("nobody reads stderr"))?;
        error.map_or(Ok(()), Err)
    }

    fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + if self.stuck.load(Ordering::Relaxed) { POLL } else { patience };
        let (said, heard) = sync_channel(1);
        let mut marker: Job = Box::new(move || said.send(()).map_err(io::Error::other));
        while let Err(TrySendError::Full(refused)) = self.jobs.try_send(marker) {
            if Instant::now() >= deadline {
                self.stuck.store(true, Ordering::Relaxed);
                return;
            }
            marker = refused;
            std::thread::sleep(POLL);
        }
        let unsaid = heard.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err();
        self.stuck.store(unsaid, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_said_in_its_order_and_what_went_wrong_is_told_once() {
        let voice = Voice::new(WAITING);
        let said = Arc::new(Mutex::new(Vec::new()));
        for number in 0..100 {
            let said = Arc::clone(&said);
            let job = move || {
                said.lock().unwrap().push(number);
                Ok(())
            };
            voice.aside(Box::new(job)).unwrap();
        }
        voice.flush(Duration::from_secs(300));
        assert_eq!(*said.lock().unwrap(), (0..100).collect::<Vec<_>>());
        voice.aside(Box::new(|| Err(io::Error::other("closed")))).unwrap();
        voice.flush(Duration::from_secs(300));
        assert_eq!(voice.aside(Box::new(|| Ok(()))).unwrap_err().to_string(), "closed");
        voice.aside(Box::new(|| Ok(()))).unwrap();
    }

    #[test]
    fn nobody_waits_for_a_reader_that_never_comes() {
        let voice = Voice::new(1);
        let (reader, blocked) = sync_channel::<()>(0);
        let (at_it, begun) = sync_channel(1);
        let job = move || {
            at_it.send(()).map_err(io::Error::other)?;
            blocked.recv().map_err(io::Error::other)
        };
        voice.aside(Box::new(job)).unwrap();
        begun.recv().unwrap();
        voice.aside(Box::new(|| Ok(()))).unwrap();
        let error = voice.aside(Box::new(|| Ok(()))).unwrap_err();
        assert_eq!(error.to_string(), "nobody reads stderr");
        voice.flush(Duration::from_millis(1));
        assert!(voice.stuck.load(Ordering::Relaxed));
        reader.send(()).unwrap();
        voice.flush(Duration::from_secs(300));
    }
}
