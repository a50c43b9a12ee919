//! What a line of a log says. Pure.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::Fields;
use crate::check::stored::reading::field;

/// The longest name of a file, as keys of S3 have it.
const LONGEST: usize = 1024;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Created,
    Failed,
    Removed,
}

/// An event of the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Logged {
    pub what: What,
    pub at: Option<DateTime<Utc>>,
    pub file: Option<String>,
    pub sha256: Option<String>,
    pub kind: Option<String>,
}

/// Reads a line: none for an event of another kind.
///
/// # Errors
/// If it cannot be read, or has no name of a file.
pub fn read(line: &[u8], fields: &Fields) -> Result<Option<Logged>, ()> {
    let value: Value = serde_json::from_slice(line).map_err(drop)?;
    if !value.is_object() {
        return Err(());
    }
    let Some(event) = field(&value, &fields.event).and_then(Value::as_str) else { return Ok(None) };
    let what = match event {
        event if event == fields.created => What::Created,
        event if event == fields.failed => What::Failed,
        event if event == fields.removed => What::Removed,
        _ => return Ok(None),
    };
    let first = |names: &[String]| names.iter().find_map(|name| field(&value, name)).cloned();
    let text = |names: &[String]| first(names).and_then(|value| value.as_str().map(str::to_owned));
    let file = text(&fields.file).filter(|file| file.len() <= LONGEST);
    if file.is_none() && what != What::Failed {
        return Err(());
    }
    let sha256 = text(&fields.sha256).filter(|hash| hash.len() <= LONGEST);
    let sha256 = sha256.map(|hash| hash.to_ascii_lowercase());
    let at = first(&fields.timestamp).as_ref().and_then(moment);
    Ok(Some(Logged { what, at, file, sha256, kind: text(&fields.kind) }))
}

/// A moment: RFC 3339, the same without an offset (UTC), `2026-05-17_08-31-11`, or seconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(seconds) = value.as_i64() {
        return DateTime::from_timestamp(seconds, 0);
    }
    if let Some(seconds) = value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "moments that chrono has fit")]
        return DateTime::from_timestamp_millis((seconds * 1000.0) as i64);
    }
    let text = value.as_str()?;
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d_%H-%M-%S", "%Y%m%dT%H%M%SZ"];
    let read = |format: &&str| NaiveDateTime::parse_from_str(text, format).ok();
    formats.iter().find_map(read).map(|moment| moment.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_by_the_names_of_their_fields() {
        let fields = Fields::default();
        let logged = read(
            br#"{"event":"backup_created","timestamp":"2026-05-17_08-31-11","manifest":{"filename":"a","sha256":"AB","type":"daily"}}"#,
            &fields,
        );
        let at = Some("2026-05-17T08:31:11Z".parse().unwrap());
        let text = |text: &str| Some(text.to_owned());
        let expected =
            Logged { what: What::Created, at, file: text("a"), sha256: text("ab"), kind: text("daily") };
        assert_eq!(logged, Ok(Some(expected)));
        let failed = read(br#"{"event":"backup_failed","backup_type":"hourly","error":"x"}"#, &fields);
        let failed = failed.unwrap().unwrap();
        assert_eq!((failed.what, failed.at, failed.kind), (What::Failed, None, text("hourly")));
        assert_eq!(read(br#"{"event":"started"}"#, &fields), Ok(None));
        assert_eq!(read(b"{}", &fields), Ok(None));
        for bad in [&b"[1]"[..], b"{", b"\xff", br#"{"event":"backup_removed"}"#] {
            assert_eq!(read(bad, &fields), Err(()), "{bad:?}");
        }
    }

    #[test]
    fn moments_are_read_as_programs_write_them() {
        for text in [
            "\"2026-05-17T08:31:11Z\"",
            "\"2026-05-17T10:31:11+02:00\"",
            "\"2026-05-17T08:31:11.000000\"",
            "\"2026-05-17 08:31:11\"",
            "\"20260517T083111Z\"",
            "1779006671",
            "1779006671.0",
        ] {
            let read = moment(&serde_json::from_str(text).unwrap()).map(|moment| moment.to_rfc3339());
            assert_eq!(read.as_deref(), Some("2026-05-17T08:31:11+00:00"), "{text}");
        }
        for text in ["\"yesterday\"", "null", "1e300"] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(moment(&value), None, "{text}");
        }
    }
}
