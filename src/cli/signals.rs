//! Ctrl-C, SIGTERM and SIGHUP (the terminal is gone): the first asks to stop and to remove what was made, the second ends
//! at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::output::complain;
use crate::model::event::{Event, Sink};
use crate::model::exit::ExitCode;
use crate::model::verdict::{TeardownStatus, Verdict};
use crate::view::stderr;

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
    /// What was seen of it.
    remains: Arc<Mutex<Remains>>,
}

/// What was seen of the things that a command made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Remains {
    /// Nothing yet: they may be there.
    #[default]
    Unknown,
    /// They are gone.
    Removed,
    /// They are left standing, as it was asked for.
    Kept,
}

impl Stop {
    /// Listens for signals from now on.
    pub fn on_signal(what: Interrupted) -> Self {
        let stop = Self { token: CancellationToken::new(), remains: Arc::default() };
        let heard = stop.clone();
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            heard.token.cancel();
            if let Some((message, hint)) = first_words(what, heard.remains()) {
                complain(&message, hint);
            }
            signals.next().await;
            let (message, hint) = last_words(what, heard.remains());
            complain(&message, hint);
            // Even if stderr is not read.
            stderr::flush();
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
        Box::new(Watch(Arc::clone(&self.remains)))
    }

    fn remains(&self) -> Remains {
        *self.remains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message after the first signal.
fn first_words(what: Interrupted, remains: Remains) -> Option<(String, Option<&'static str>)> {
    let Interrupted::Makes(what) = what else { return None };
    let reports = "once more ends it at once, and may leave the reports incomplete";
    Some(match remains {
        Remains::Removed => (
            format!("interrupted: everything the {what} made is removed, and its reports are being written"),
            Some(reports),
        ),
        Remains::Kept => (
            format!(
                "interrupted: what the {what} made is left standing, as asked, and its reports are being written"
            ),
            Some(reports),
        ),
        Remains::Unknown => (
            format!("interrupted: removing everything the {what} made"),
            Some("once more ends it at once, and leaves things behind"),
        ),
    })
}

/// The message after the second signal. It claims no more than is known: what was not seen removed may still be gone.
fn last_words(what: Interrupted, remains: Remains) -> (String, Option<&'static str>) {
    let Interrupted::Makes(what) = what else { return ("interrupted again".to_owned(), None) };
    match remains {
        Remains::Removed => (
            format!(
                "interrupted again: everything the {what} made is removed, but its reports may be incomplete"
            ),
            None,
        ),
        Remains::Kept => (
            format!(
                "interrupted again: what the {what} made is left standing, as asked, but its reports may be incomplete"
            ),
            Some("`restore-drill reap --drill ID` removes it; `restore-drill reap --dry-run` lists it"),
        ),
        Remains::Unknown => (
            format!("interrupted again: ended before everything the {what} made was seen removed"),
            Some("`restore-drill reap` removes what is left, if anything is"),
        ),
    }
}

/// A drill's event stream, listened to for its teardown.
struct Watch(Arc<Mutex<Remains>>);

impl Sink for Watch {
    fn name(&self) -> String {
        "what is known when it is interrupted".to_owned()
    }

    fn handle(&mut self, event: &Event, _: &Verdict) -> std::io::Result<()> {
        let seen = match event {
            // It may be the second one of its command.
            Event::Started => Remains::Unknown,
            Event::TornDown(teardown) => match teardown.status {
                TeardownStatus::Clean => Remains::Removed,
                TeardownStatus::Kept => Remains::Kept,
                TeardownStatus::Leaked | TeardownStatus::Pending => Remains::Unknown,
            },
            _ => return Ok(()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
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
        let (unknown, hint) = last_words(drill, Remains::Unknown);
        assert!(unknown.contains("before everything the drill made was seen removed"), "{unknown}");
        assert!(hint.is_some_and(|hint| hint.contains("`restore-drill reap`")));
        let (removed, hint) = last_words(drill, Remains::Removed);
        assert!(removed.contains("everything the drill made is removed"), "{removed}");
        assert_eq!(hint, None, "there is nothing to reap");
        assert_eq!(first_words(Interrupted::Reads, Remains::Unknown), None);
    }

    #[test]
    fn what_is_kept_is_not_said_to_be_removed() {
        let stop = Stop { token: CancellationToken::new(), remains: Arc::default() };
        let mut verdict = crate::model::testing::passing();
        for (status, first, again) in [
            (TeardownStatus::Kept, "is left standing, as asked", "reap --drill ID"),
            (TeardownStatus::Leaked, "removing everything", "`restore-drill reap` removes"),
        ] {
            verdict.teardown.status = status;
            stop.watch().handle(&Event::TornDown(verdict.teardown.clone()), &verdict).unwrap();
            let (said, _) = first_words(Interrupted::Makes("drill"), stop.remains()).unwrap();
            assert!(said.contains(first), "{said}");
            let (_, hint) = last_words(Interrupted::Makes("drill"), stop.remains());
            assert!(hint.unwrap().contains(again));
        }
    }

    #[test]
    fn a_hangup_that_nohup_ignores_stays_ignored() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("Name:\tx\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""), "not known");
    }
}
