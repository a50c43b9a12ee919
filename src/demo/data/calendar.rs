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

    /// The days that have begun, in order, each with the moment when its root was computed for the last time. While a
    /// day is open that is done every 30 seconds, and never again once it is over, so the rows of its last seconds
    /// are not in its root. One evening it was not done at all.
    pub(super) fn days_with_roots(&self) -> impl Iterator<Item = (u64, i64)> {
        let end = self.end;
        let last = self.day_number(end);
        let calendar = *self;
        (0..=last).map(move |number| {
            let missed = if number == EVENING_WITHOUT_ROOTS { 5 * 3_600 } else { 4 + number as i64 % 3 * 9 };
            (number, midnight(calendar.day(number + 1)).min(end) - missed * SECOND)
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
/// On this day no roots were computed: active tenants got theirs the next morning, the others none.
pub(super) const DAY_WITHOUT_ROOTS: u64 = 8;
/// On the evening of this day no roots were computed.
pub(super) const EVENING_WITHOUT_ROOTS: u64 = 9;
