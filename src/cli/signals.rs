//! Ctrl-C, SIGTERM and SIGHUP (the terminal is gone): the first asks to stop and to remove what was made, the second ends
//! at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::common::complain;
use crate::engine::{Event, Sink};
use crate::exit::ExitCode;
use crate::verdict::{TeardownStatus, Verdict};

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Something that makes things on the engine, by this name.
    Makes(&'static str),
    /// Something that only reads.
    Reads,
}

/// What a command is stopped by, and what is known of what it leaves if it is stopped twice.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled by the first signal.
    pub token: CancellationToken,
    /// Everything was seen to be removed.
    removed: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for signals from now on.
    pub fn on_signal(what: Interrupted) -> Self {
        let stop = Self { token: CancellationToken::new(), removed: Arc::default() };
        let heard = stop.clone();
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            heard.token.cancel();
            if let Some((message, hint)) = first_words(what, heard.all_removed()) {
                complain(&message, hint);
            }
            signals.next().await;
            let (message, hint) = last_words(what, heard.all_removed());
            complain(&message, hint);
            #[expect(
                clippy::disallowed_methods,
                reason = "asked for twice: not even teardown may hold this up"
            )]
            std::process::exit(ExitCode::Interrupted as i32);
        });
        stop
    }

    /// Learns from a drill's events whether everything is removed.
    pub fn watch(&self) -> Box<dyn Sink> {
        Box::new(Watch(Arc::clone(&self.removed)))
    }

    fn all_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }
}

/// What is said to the first signal.
fn first_words(what: Interrupted, removed: bool) -> Option<(String, Option<&'static str>)> {
    let Interrupted::Makes(what) = what else { return None };
    Some(if removed {
        let message =
            format!("interrupted: everything the {what} made is removed, and its reports are being written");
        (message, Some("once more ends it at once, and may leave the reports incomplete"))
    } else {
        let message = format!("interrupted: removing everything the {what} made");
        (message, Some("once more ends it at once, and leaves things behind"))
    })
}

/// What is said to the second. No more than is known: what was not seen removed may be gone nevertheless.
fn last_words(what: Interrupted, removed: bool) -> (String, Option<&'static str>) {
    match what {
        Interrupted::Makes(what) if removed => (
            format!(
                "interrupted again: everything the {what} made is removed, but its reports may be incomplete"
            ),
            None,
        ),
        Interrupted::Makes(what) => (
            format!("interrupted again: ended before everything the {what} made was seen removed"),
            Some("`restore-drill reap` removes what is left, if anything is"),
        ),
        Interrupted::Reads => ("interrupted again".to_owned(), None),
    }
}

/// A drill's event stream, listened to for its teardown.
struct Watch(Arc<AtomicBool>);

impl Sink for Watch {
    fn name(&self) -> String {
        "what is known when it is interrupted".to_owned()
    }

    fn handle(&mut self, event: &Event, _: &Verdict) -> std::io::Result<()> {
        match event {
            // It may be the second one of its command.
            Event::Started => self.0.store(false, Ordering::Release),
            Event::TornDown(teardown) => {
                self.0.store(teardown.status == TeardownStatus::Clean, Ordering::Release);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The signals, listened for as long as this value lives: one that comes between two waits is not lost.
#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // `nohup` asks for a program that outlives its terminal.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !ignores_hangup(&status) {
            kinds.push(SignalKind::hangup());
        }
        // What cannot be listened for keeps its default: to end the program.
        Self(kinds.into_iter().flat_map(signal).collect())
    }

    async fn next(&mut self) {
        let any = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        match any.len() {
            0 => std::future::pending().await,
            _ => drop(futures_util::future::select_all(any).await),
        }
    }
}

/// Whether a process was started with SIGHUP ignored, by its `/proc/PID/status` (proc(5)): the lowest bit of `SigIgn`.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_says_no_more_than_is_known() {
        let drill = Interrupted::Makes("drill");
        let (unknown, hint) = last_words(drill, false);
        assert!(unknown.contains("before everything the drill made was seen removed"), "{unknown}");
        assert!(hint.is_some_and(|hint| hint.contains("`restore-drill reap`")));
        let (removed, hint) = last_words(drill, true);
        assert!(removed.contains("everything the drill made is removed"), "{removed}");
        assert_eq!(hint, None, "there is nothing to reap");
        assert_eq!(first_words(Interrupted::Reads, false), None);
    }

    #[test]
    fn a_hangup_that_nohup_ignores_stays_ignored() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("Name:\tx\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""), "not known");
    }
}
