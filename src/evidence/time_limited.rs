//! What may hang (a disk, a pipe, a network drive), used step by step, each within a time limit.
//!
//! A step that was given up still runs: nothing ends a thread that waits for a disk. It may wake hours later, and must not put a
//! row or a file in place then that the drill has reported as lost. So it does what others can see through [`MayAct`].

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::human;

/// Something whose steps run on a thread that may block. It is given up after a step that hung or panicked.
pub struct TimeLimited<T: ?Sized> {
    limit: Duration,
    /// `None` once it is given up.
    inner: Option<Box<T>>,
}

/// The right of a step to do what others can see. It ends when the step is given up.
#[derive(Debug, Clone, Default)]
pub struct MayAct(Arc<Acts>);

#[derive(Debug, Default)]
struct Acts {
    /// The step was given up.
    is_over: AtomicBool,
    /// It has done something that others can see.
    acted: AtomicBool,
    /// Held while it does.
    acting: Mutex<()>,
}

impl MayAct {
    /// Does what others can see, such as giving a file its name.
    ///
    /// # Errors
    /// That the step was given up, and nothing was done; those of the act.
    pub fn act<R>(&self, act: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let _acting = self.0.acting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.is_over.load(Ordering::SeqCst) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it was given up before it could be written",
            ));
        }
        self.0.acted.store(true, Ordering::SeqCst);
        act()
    }

    /// Ends the right. True if nothing was done, and nothing will be.
    fn end(&self) -> bool {
        self.0.is_over.store(true, Ordering::SeqCst);
        // An act that is under way cannot be stopped.
        self.0.acting.try_lock().is_ok() && !self.0.acted.load(Ordering::SeqCst)
    }
}

/// Why a step has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// An earlier step hung or panicked.
    Earlier,
    /// The step panicked.
    BrokeOff,
    /// The step took longer than this. Nothing of it can be seen, now or later.
    TookLonger(Duration),
    /// The same, but what it writes may be there, or may come.
    TookLongerAndMayShow(Duration),
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took_longer =
            |limit: &Duration| format!("it took longer than {}", human::duration(limit.as_secs_f64()));
        match self {
            Self::Earlier => f.write_str("it did not return from an earlier step"),
            Self::BrokeOff => f.write_str("it broke off"),
            Self::TookLonger(limit) => f.write_str(&took_longer(limit)),
            Self::TookLongerAndMayShow(limit) => {
                write!(f, "{}, and may be written all the same", took_longer(limit))
            }
        }
    }
}

impl std::error::Error for GaveUp {}

impl<T: ?Sized + Send + 'static> TimeLimited<T> {
    /// Every step of `inner` may take this long.
    pub fn new(inner: Box<T>, limit: Duration) -> Self {
        Self { limit, inner: Some(inner) }
    }

    /// Whether an earlier step hung or panicked.
    pub fn is_given_up(&self) -> bool {
        self.inner.is_none()
    }

    /// Runs a step.
    ///
    /// # Errors
    /// Why it has no result.
    pub async fn run<R: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut T, &MayAct) -> R + Send + 'static,
    ) -> Result<R, GaveUp> {
        let mut inner = self.inner.take().ok_or(GaveUp::Earlier)?;
        let may = MayAct::default();
        let of_step = may.clone();
        let work = tokio::task::spawn_blocking(move || {
            let outcome = step(&mut *inner, &of_step);
            (inner, outcome)
        });
        match tokio::time::timeout(self.limit, work).await {
            Ok(Ok((inner, outcome))) => {
                self.inner = Some(inner);
                Ok(outcome)
            }
            Ok(Err(_)) => Err(GaveUp::BrokeOff),
            Err(_) if may.end() => Err(GaveUp::TookLonger(self.limit)),
            Err(_) => Err(GaveUp::TookLongerAndMayShow(self.limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_step_that_was_given_up_does_nothing_that_shows_when_it_wakes() {
        let (wake, woken) = mpsc::channel();
        let (told, ended) = mpsc::channel();
        let mut limited = TimeLimited::new(Box::new(()), SOON);
        let step = move |(): &mut (), may: &MayAct| {
            let _ = woken.recv();
            let _ = told.send(may.act(|| Ok(())).map_err(|error| error.kind()));
        };
        assert_eq!(limited.run(step).await, Err(GaveUp::TookLonger(SOON)));
        assert!(limited.is_given_up());
        wake.send(()).unwrap();
        assert_eq!(ended.recv().unwrap(), Err(io::ErrorKind::TimedOut));
        assert_eq!(limited.run(|(), _| ()).await, Err(GaveUp::Earlier));
    }

    #[tokio::test]
    async fn what_is_done_or_being_done_when_the_time_is_up_is_said_to_show_perhaps() {
        for within in [true, false] {
            let (wake, woken) = mpsc::channel::<()>();
            let mut limited = TimeLimited::new(Box::new(()), SOON);
            let step = move |(): &mut (), may: &MayAct| {
                let act = || {
                    if within {
                        let _ = woken.recv();
                    }
                    Ok(())
                };
                may.act(act).unwrap();
                let _ = woken.recv();
            };
            assert_eq!(limited.run(step).await, Err(GaveUp::TookLongerAndMayShow(SOON)));
            drop(wake);
        }
    }
}
