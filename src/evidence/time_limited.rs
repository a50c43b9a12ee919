//! What may hang (a disk, a pipe, a network drive), used step by step, each within a time limit.

use std::fmt;
use std::time::Duration;

use crate::model::human;

/// Something whose steps run on a thread that may block. It is given up after a step that hung or panicked.
pub struct TimeLimited<T: ?Sized> {
    limit: Duration,
    /// `None` once it is given up.
    inner: Option<Box<T>>,
}

/// Why a step has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// An earlier step hung or panicked.
    Earlier,
    /// The step panicked.
    BrokeOff,
    /// The step took longer than this.
    TookLonger(Duration),
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earlier => f.write_str("it did not return from an earlier step"),
            Self::BrokeOff => f.write_str("it broke off"),
            Self::TookLonger(limit) => {
                write!(f, "it took longer than {}", human::duration(limit.as_secs_f64()))
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

    /// Runs a step.
    ///
    /// # Errors
    /// Why it has no result.
    pub async fn run<R: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, GaveUp> {
        let mut inner = self.inner.take().ok_or(GaveUp::Earlier)?;
        let work = tokio::task::spawn_blocking(move || {
            let outcome = step(&mut *inner);
            (inner, outcome)
        });
        match tokio::time::timeout(self.limit, work).await {
            Ok(Ok((inner, outcome))) => {
                self.inner = Some(inner);
                Ok(outcome)
            }
            Ok(Err(_)) => Err(GaveUp::BrokeOff),
            Err(_) => Err(GaveUp::TookLonger(self.limit)),
        }
    }
}
