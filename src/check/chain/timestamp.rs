//! Timestamps as the chain hashes them: ISO 8601 in UTC, as Python's `datetime.isoformat` prints them.

use chrono::{DateTime, Datelike, Timelike};

/// Appends `2026-05-01T00:00:02.000120+00:00`; the microseconds, always six digits, are left out when zero.
///
/// `micros` counts microseconds since the Unix epoch. Returns false, with nothing written, for a moment outside
/// the years 1 to 9999: Postgres can store it, the platform (Python's `datetime`) cannot have written it.
#[must_use]
pub fn push_iso_timestamp(out: &mut Vec<u8>, micros: i64) -> bool {
    let Some(moment) = DateTime::from_timestamp_micros(micros) else { return false };
    let moment = moment.naive_utc();
    let Ok(year @ 1..=9999) = u32::try_from(moment.year()) else { return false };
    push_digits::<4>(out, year);
    for (separator, value) in [
        (b'-', moment.month()),
        (b'-', moment.day()),
        (b'T', moment.hour()),
        (b':', moment.minute()),
        (b':', moment.second()),
    ] {
        out.push(separator);
        push_digits::<2>(out, value);
    }
    let fraction = moment.nanosecond() / 1_000;
    if fraction != 0 {
        out.push(b'.');
        push_digits::<6>(out, fraction);
    }
    out.extend_from_slice(b"+00:00");
    true
}

fn push_digits<const WIDTH: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(micros: i64) -> Option<String> {
        let mut out = Vec::new();
        push_iso_timestamp(&mut out, micros).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn microseconds_are_six_digits_or_absent() {
        assert_eq!(iso(1_777_593_600_000_000).unwrap(), "2026-05-01T00:00:00+00:00");
        assert_eq!(iso(1_777_593_602_000_120).unwrap(), "2026-05-01T00:00:02.000120+00:00");
        assert_eq!(iso(-1).unwrap(), "1969-12-31T23:59:59.999999+00:00");
        assert_eq!(iso(-62_135_596_800_000_000).unwrap(), "0001-01-01T00:00:00+00:00");
    }

    #[test]
    fn moments_python_cannot_hold_are_refused() {
        assert_eq!(iso(-62_135_596_800_000_001), None);
        assert_eq!(iso(253_402_300_800_000_000), None);
        assert_eq!(iso(i64::MAX), None);
        assert_eq!(iso(i64::MIN), None);
    }
}
