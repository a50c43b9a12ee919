//! The time in a key: read as it was written, or not at all.

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, FixedOffset, TimeZone, Utc};

/// The moment that this text names, if it is just what this format writes. A format without an offset is of UTC; what is
/// smaller than the smallest unit it names is zero.
pub fn read(text: &str, format: &str) -> Option<DateTime<Utc>> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    let has_hour = parsed.hour_mod_12().is_some() || parsed.hour_div_12().is_some();
    if has_hour && parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let offset = parsed.offset();
    let moment = parsed.to_naive_datetime_with_offset(offset.unwrap_or(0)).ok();
    let day = || parsed.to_naive_date().ok()?.and_hms_opt(0, 0, 0);
    let local = if has_hour || parsed.timestamp().is_some() { moment } else { moment.or_else(day) }?;
    // chrono reads some texts that it would not write, such as a one-digit month.
    let (time, written) = match offset {
        None => (local.and_utc(), local.and_utc().format(format).to_string()),
        Some(offset) => {
            let time = FixedOffset::east_opt(offset)?.from_local_datetime(&local).single()?;
            (time.to_utc(), time.format(format).to_string())
        }
    };
    (written == text).then_some(time)
}

/// Whether whatever this format writes can be read back.
pub fn is_readable(format: &str) -> bool {
    let moments = ["2026-05-17T00:00:00Z", "2026-11-08T20:41:09Z"];
    moments.into_iter().filter_map(|moment| moment.parse::<DateTime<Utc>>().ok()).all(|moment| {
        let text = moment.format(format).to_string();
        read(&text, format).is_some_and(|time| time.format(format).to_string() == text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, format: &str) -> Option<String> {
        read(text, format).map(|time| time.to_rfc3339())
    }

    #[test]
    fn a_time_is_as_exact_as_it_is_written() {
        for (text, format, expected) in [
            ("2026-05-17", "%Y-%m-%d", "2026-05-17T00:00:00+00:00"),
            ("2026051708", "%Y%m%d%H", "2026-05-17T08:00:00+00:00"),
            ("202605170831", "%Y%m%d%H%M", "2026-05-17T08:31:00+00:00"),
            ("1779006671", "%s", "2026-05-17T08:31:11+00:00"),
            ("2026-05-17 08 PM", "%Y-%m-%d %I %p", "2026-05-17T20:00:00+00:00"),
            ("20260517T083111+02:00", "%Y%m%dT%H%M%S%:z", "2026-05-17T06:31:11+00:00"),
            ("20260517T083111UTC", "%Y%m%dT%H%M%S%Z", "2026-05-17T08:31:11+00:00"),
        ] {
            assert_eq!(shown(text, format).as_deref(), Some(expected), "{text} as {format}");
        }
    }

    #[test]
    fn what_the_format_would_not_write_is_not_read() {
        for (text, format) in [
            ("2026-5-17", "%Y-%m-%d"),
            ("20260230", "%Y%m%d"),
            ("20260517T083111CEST", "%Y%m%dT%H%M%S%Z"),
            ("20260517T083111+02:00", "%Y%m%dT%H%M%S%z"),
            ("2026051724", "%Y%m%d%H"),
        ] {
            assert_eq!(shown(text, format), None, "{text} as {format}");
        }
    }

    #[test]
    fn formats_that_cannot_be_read_back_are_known() {
        for format in ["%Y%m%dT%H%M%SZ", "%F", "%s", "%Y%m%d%H", "%FT%T%z", "%FT%T%Z", "%d-%b-%y", "%Y%j"] {
            assert!(is_readable(format), "{format}");
        }
        for format in ["%Y-%m", "%H%M%S", "%Y%m%d%I", "%Y%m%d%p", "backup"] {
            assert!(!is_readable(format), "{format}");
        }
    }
}
