//! Time, handed in: nothing else in the program asks the system what time it is.
//!
//! The clock on the wall says when something was; somebody may set it while a drill runs. How long something took is
//! measured by clocks that nobody can set.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::human;

/// Clocks that differ by less than this agree.
const TOLERANCE: Duration = Duration::from_secs(5);

/// A source of the current time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Reading + Send + Sync>);

/// What the clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The clock on the wall.
    pub wall: DateTime<Utc>,
    /// The time since some moment, without what the machine slept.
    pub awake: Duration,
    /// The time since some moment, with what it slept; as `awake` where the system does not tell.
    pub elapsed: Duration,
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        let began = Instant::now();
        Self(Arc::new(move || {
            let awake = began.elapsed();
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one clock that all others are handed from"
            )]
            let wall = Utc::now();
            Reading { wall, awake, elapsed: since_boot().unwrap_or(awake) }
        }))
    }

    /// A clock that stands still, for tests.
    pub fn fixed(moment: DateTime<Utc>) -> Self {
        Self::reading(move || Reading { wall: moment, awake: Duration::ZERO, elapsed: Duration::ZERO })
    }

    /// A clock that says what this does.
    pub fn reading(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.read().wall
    }

    fn read(&self) -> Reading {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The time since the machine was started, with what it slept (clock_gettime(2), `CLOCK_BOOTTIME`).
#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    rustix::time::clock_gettime(rustix::time::ClockId::Boottime).try_into().ok()
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    None
}

/// Measures from a moment on. Its times of day go on from that moment as time passes, whatever becomes of the clock on the
/// wall: they never go back, and their distances are durations.
#[derive(Debug, Clone)]
pub struct Timer {
    clock: Clock,
    began: Reading,
}

impl Timer {
    /// Measures from now on.
    pub fn start(clock: &Clock) -> Self {
        Self { clock: clock.clone(), began: clock.read() }
    }

    /// When it began.
    pub fn began(&self) -> DateTime<Utc> {
        self.began.wall
    }

    /// The time of day, by the wall clock as it went when this began.
    pub fn now(&self) -> DateTime<Utc> {
        let elapsed = self.clock.read().elapsed.saturating_sub(self.began.elapsed);
        self.began.wall + TimeDelta::from_std(elapsed).unwrap_or_default()
    }

    /// How long the machine worked: seconds since this began, to the millisecond, without those it slept.
    pub fn awake_seconds(&self) -> f64 {
        let awake = self.clock.read().awake.saturating_sub(self.began.awake);
        seconds_between(self.began.wall, self.began.wall + TimeDelta::from_std(awake).unwrap_or_default())
    }

    /// What somebody should know who reads times and durations: that the clock was set, or the machine slept.
    pub fn surprises(&self) -> Vec<String> {
        let now = self.clock.read();
        let [elapsed, awake] = [(now.elapsed, self.began.elapsed), (now.awake, self.began.awake)]
            .map(|(now, began)| now.saturating_sub(began));
        let ahead = now.wall - self.now();
        let (by, direction) = match ahead.to_std() {
            Ok(ahead) => (ahead, "forward"),
            Err(_) => (ahead.abs().to_std().unwrap_or_default(), "back"),
        };
        let shown = |duration: Duration| human::duration(duration.as_secs_f64());
        let set = (by > TOLERANCE).then(|| {
            format!(
                "this machine's clock was set {direction} by {} meanwhile: the times here are based on the clock as it was at the start",
                shown(by)
            )
        });
        let asleep = elapsed.saturating_sub(awake);
        let slept = (asleep > TOLERANCE).then(|| {
            format!(
                "this machine slept for {} meanwhile: the recovery time and the budgets are without that",
                shown(asleep)
            )
        });
        set.into_iter().chain(slept).collect()
    }
}

/// The seconds from `start` to `end`, to the millisecond; zero if the clock went backwards.
pub fn seconds_between(start: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any drill fit a double exactly")]
    let milliseconds = (end - start).num_milliseconds().max(0) as f64;
    milliseconds / 1000.0
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const START: i64 = 1_779_006_671;

    /// A timer whose clocks show other times later: seconds since it began.
    fn later(wall: i64, awake: u64, elapsed: u64) -> Timer {
        let reading = |wall, awake, elapsed| Reading {
            wall: DateTime::from_timestamp(START + wall, 0).unwrap(),
            awake: Duration::from_secs(1000 + awake),
            elapsed: Duration::from_secs(9000 + elapsed),
        };
        let first = Mutex::new(Some(reading(0, 0, 0)));
        let clock = Clock::reading(move || {
            first.lock().unwrap().take().unwrap_or_else(|| reading(wall, awake, elapsed))
        });
        Timer::start(&clock)
    }

    #[test]
    fn a_clock_that_is_set_changes_no_duration_and_is_told() {
        for (wall, told) in [
            (41, None),
            (45, None),
            (41 + 3 * 3600, Some("set forward by 3h")),
            (41 - 3 * 3600, Some("set back by 3h")),
        ] {
            let timer = later(wall, 41, 41);
            assert_eq!(seconds_between(timer.began(), timer.now()), 41.0, "{wall}");
            assert_eq!(timer.awake_seconds(), 41.0, "{wall}");
            let surprises = timer.surprises();
            assert_eq!(surprises.len(), usize::from(told.is_some()), "{surprises:?}");
            assert!(told.is_none_or(|told| surprises[0].contains(told)), "{surprises:?}");
        }
    }

    #[test]
    fn what_a_machine_sleeps_is_no_work_and_is_told() {
        let timer = later(3641, 41, 3641);
        assert_eq!(seconds_between(timer.began(), timer.now()), 3641.0);
        assert_eq!(timer.awake_seconds(), 41.0);
        let surprises = timer.surprises();
        assert!(surprises.len() == 1 && surprises[0].contains("slept for 1h"), "{surprises:?}");
    }

    #[test]
    fn the_systems_clocks_go_forward_and_agree() {
        let timer = Timer::start(&Clock::system());
        while timer.now() == timer.began() || timer.awake_seconds() == 0.0 {
            std::thread::yield_now();
        }
        assert_eq!(timer.surprises(), [""; 0]);
    }
}
