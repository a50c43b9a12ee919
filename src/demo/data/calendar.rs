//! When things happen in the sample data.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, Utc};

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// The fortnight the data spans, and the days on which something changed in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    /// The first moment, in microseconds since the Unix epoch.
    pub(super) start: i64,
    /// The moment before which everything has happened. Some minutes before the dump: rows of the last minute
    /// may still lack their usage record, and the reconcile check does not judge them.
    pub(super) end: i64,
    first_day: NaiveDate,
}

impl Calendar {
    pub(super) fn ending_at(now: DateTime<Utc>) -> Self {
        let end = now - Duration::minutes(5);
        let start = end - Duration::days(14);
        Self { start: start.timestamp_micros(), end: end.timestamp_micros(), first_day: start.date_naive() }
    }

    /// The day a number of days after the first.
    pub(super) fn day(&self, number: u64) -> NaiveDate {
        self.first_day + Days::new(number)
    }

    /// How many days after the first a moment lies.
    pub(super) fn day_number(&self, micros: i64) -> u64 {
        ((micros - midnight(self.first_day)) / DAY).unsigned_abs()
    }

    /// The days whose roots have been computed, in order, each with the moment of it: those that were over when
    /// the nightly job, five minutes past midnight, last ran.
    pub(super) fn days_with_roots(&self) -> impl Iterator<Item = (u64, i64)> {
        (0..).map(|number| (number, midnight(self.day(number + 1)) + 300 * SECOND)).take_while({
            let end = self.end;
            move |(_, computed_at)| *computed_at <= end
        })
    }
}

/// The first moment of a day in UTC, in microseconds since the Unix epoch.
pub(super) fn midnight(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

/// Since this day roots name their key with all 64 characters of its fingerprint.
pub(super) const WHOLE_FINGERPRINTS_SINCE: u64 = 3;
/// Since this day the second key signs.
pub(super) const KEY_ROTATED_ON: u64 = 6;
/// Since this day empty days are hashed in version 2.
pub(super) const ROOTS_V2_SINCE: u64 = 7;
