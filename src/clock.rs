//! Time, handed in: nothing else in the program asks the system what time it is.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// A source of the current time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one clock that all others are handed from"
        )]
        Self(Arc::new(Utc::now))
    }

    /// A clock that stands still, for tests.
    pub fn fixed(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(move || moment))
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The seconds from `start` to `end`, to the millisecond; zero if the clock went backwards.
pub fn seconds_between(start: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any drill fit a double exactly")]
    let milliseconds = (end - start).num_milliseconds().max(0) as f64;
    milliseconds / 1000.0
}
