//! One field of a row, as it came: bytes, and what kind of value they are.
//!
//! Rows come from Postgres in its binary form, or from JSON lines as text. Nothing is converted before it is needed:
//! most fields of most rows are only hashed.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use uuid::Uuid;

use crate::target::postgres::chain_rows::FieldKind;

/// Microseconds from the Unix epoch to Postgres's own, 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from the Unix epoch to Postgres's own.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;

/// A field of a row.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    /// What its bytes are.
    pub kind: FieldKind,
    /// The bytes; none for null.
    pub raw: Option<&'a [u8]>,
}

/// Room for the text of a short value.
pub type Buffer = [u8; 40];

impl<'a> Value<'a> {
    /// The value as text, for hashing: none for null.
    ///
    /// # Errors
    /// If it claims to be text and is not UTF-8.
    pub fn text<'b>(&self, buffer: &'b mut Buffer) -> Result<Option<Cow<'b, str>>, std::str::Utf8Error>
    where
        'a: 'b,
    {
        let Some(raw) = self.raw else { return Ok(None) };
        Ok(Some(match self.kind {
            FieldKind::Text | FieldKind::Loose => Cow::Borrowed(str::from_utf8(raw)?),
            FieldKind::Jsonb => Cow::Borrowed(str::from_utf8(raw.get(1..).unwrap_or_default())?),
            FieldKind::Uuid => match Uuid::from_slice(raw) {
                Ok(uuid) => Cow::Borrowed(uuid.hyphenated().encode_lower(buffer)),
                Err(_) => Cow::Owned(hex::encode(raw)),
            },
            FieldKind::Int => self.int().map_or_else(|| hex::encode(raw), |number| number.to_string()).into(),
            FieldKind::Moment => self.micros().map_or_else(|| hex::encode(raw), show_moment).into(),
            FieldKind::Date => show_date(raw).into(),
            FieldKind::Bytes => hex::encode(raw).into(),
        }))
    }

    /// The value as text, for people and for keys: whatever it is, there is some.
    pub fn shown<'b>(&self, buffer: &'b mut Buffer) -> Option<Cow<'b, str>>
    where
        'a: 'b,
    {
        match self.text(buffer) {
            Ok(text) => text,
            Err(_) => self.raw.map(String::from_utf8_lossy),
        }
    }

    /// The value as a whole number.
    pub fn int(&self) -> Option<i64> {
        let raw = self.raw?;
        match (self.kind, raw.len()) {
            (FieldKind::Int, 2) => Some(i16::from_be_bytes(raw.try_into().ok()?).into()),
            (FieldKind::Int, 4) => Some(i32::from_be_bytes(raw.try_into().ok()?).into()),
            (FieldKind::Int, 8) => Some(i64::from_be_bytes(raw.try_into().ok()?)),
            (FieldKind::Text | FieldKind::Loose, _) => str::from_utf8(raw).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The value as a moment, in microseconds since the Unix epoch.
    pub fn micros(&self) -> Option<i64> {
        let raw = self.raw?;
        match self.kind {
            // ±infinity are the ends of the range; saturating keeps them there.
            FieldKind::Moment => {
                Some(i64::from_be_bytes(raw.try_into().ok()?).saturating_add(POSTGRES_EPOCH_MICROS))
            }
            FieldKind::Text | FieldKind::Loose => parse_moment(str::from_utf8(raw).ok()?),
            _ => None,
        }
    }
}

/// A moment as JSON and Postgres print it; without an offset it is UTC.
fn parse_moment(text: &str) -> Option<i64> {
    // Looks at the first bytes, since most text is no moment.
    if !matches!(text.as_bytes(), [y, _, _, _, b'-', _, _, b'-', ..] if y.is_ascii_digit()) {
        return None;
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"] {
        if let Ok(moment) = DateTime::parse_from_str(text, format) {
            return Some(moment.timestamp_micros());
        }
    }
    let plain = text.trim_end_matches('Z');
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"].into_iter().find_map(|format| {
        let moment = NaiveDateTime::parse_from_str(plain, format).ok()?;
        Some(moment.and_utc().timestamp_micros())
    })
}

/// A moment in UTC, for people.
pub(super) fn show_moment(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(moment) => moment.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
        None => format!("{micros} µs"),
    }
}

fn show_date(raw: &[u8]) -> String {
    let days = raw.try_into().map(i32::from_be_bytes).ok();
    let date = days.and_then(|days| NaiveDate::from_epoch_days(days.checked_add(POSTGRES_EPOCH_DAYS)?));
    date.map_or_else(|| hex::encode(raw), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: FieldKind, raw: &[u8]) -> String {
        Value { kind, raw: Some(raw) }.shown(&mut [0; 40]).unwrap().into_owned()
    }

    #[test]
    fn every_kind_has_its_text() {
        assert_eq!(shown(FieldKind::Text, "é".as_bytes()), "é");
        assert_eq!(shown(FieldKind::Text, b"\xff"), "\u{fffd}");
        assert_eq!(shown(FieldKind::Int, &(-7i16).to_be_bytes()), "-7");
        assert_eq!(shown(FieldKind::Int, &7i32.to_be_bytes()), "7");
        assert_eq!(shown(FieldKind::Int, &i64::MIN.to_be_bytes()), i64::MIN.to_string());
        assert_eq!(shown(FieldKind::Uuid, &[0x11; 16]), "11111111-1111-1111-1111-111111111111");
        assert_eq!(shown(FieldKind::Moment, &0i64.to_be_bytes()), "2000-01-01T00:00:00Z");
        assert_eq!(shown(FieldKind::Date, &9_632i32.to_be_bytes()), "2026-05-16");
        assert_eq!(shown(FieldKind::Jsonb, b"\x01{}"), "{}");
        assert_eq!(shown(FieldKind::Bytes, b"\xde\xad"), "dead");
        assert!(Value { kind: FieldKind::Text, raw: None }.shown(&mut [0; 40]).is_none());
        assert!(Value { kind: FieldKind::Text, raw: Some(b"\xff") }.text(&mut [0; 40]).is_err());
    }

    #[test]
    fn moments_are_read_as_json_and_postgres_print_them() {
        for text in [
            "2026-05-01T00:00:02.000120+00:00",
            "2026-05-01T00:00:02.00012Z",
            "2026-05-01T02:00:02.000120+02:00",
            "2026-05-01 00:00:02.00012+00",
            "2026-05-01T00:00:02.00012",
        ] {
            let value = Value { kind: FieldKind::Loose, raw: Some(text.as_bytes()) };
            assert_eq!(value.micros(), Some(1_777_593_602_000_120), "{text}");
        }
        for text in ["", "now", "2026-05-01", "20260501T000000", "2026-13-01T00:00:00Z"] {
            assert_eq!(Value { kind: FieldKind::Loose, raw: Some(text.as_bytes()) }.micros(), None, "{text}");
        }
    }
}
