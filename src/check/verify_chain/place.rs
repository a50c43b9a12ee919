//! Which chain a row is in, and where in it: as bytes, so that rows of any scheme are compared alike.
//!
//! A chain's key is its partition columns as text, one after another. An order key holds values whose bytes compare
//! like the values themselves, each behind a tag that says what it is.

use std::cmp::Ordering;

use super::value::{Value, show_moment};
use crate::model::human;
use crate::target::postgres::chain_rows::FieldKind;

/// Ends a part of a key; no byte of UTF-8.
const END: u8 = 0xff;
const TEXT: u8 = 1;
const INT: u8 = 2;
const UUID: u8 = 3;
const MOMENT: u8 = 4;
const DATE: u8 = 5;
/// Sorts after everything, as it does in Postgres.
const NULL: u8 = 0xfe;

/// Appends one partition column to a chain's key.
pub fn push_partition(key: &mut Vec<u8>, value: &Value<'_>) {
    match value.shown(&mut [0; 40]) {
        Some(text) => push_text(key, &text),
        None => push_null(key),
    }
}

/// Appends a partition column that is null to a chain's key.
pub fn push_null(key: &mut Vec<u8>) {
    key.extend_from_slice(&[NULL, END]);
}

/// Appends the text of a partition column to a chain's key.
pub fn push_text(key: &mut Vec<u8>, text: &str) {
    key.push(TEXT);
    key.extend_from_slice(text.as_bytes());
    key.push(END);
}

/// The partition columns of a chain's key, in their order; none for null.
pub fn partitions(key: &[u8]) -> impl Iterator<Item = Option<&str>> {
    key.split_inclusive(|byte| *byte == END).map(|part| match part {
        [TEXT, text @ .., END] => str::from_utf8(text).ok(),
        _ => None,
    })
}

/// Appends one order column to an order key.
pub fn push_order(key: &mut Vec<u8>, value: &Value<'_>) {
    let Some(raw) = value.raw else { return key.push(NULL) };
    if let (FieldKind::Int | FieldKind::Loose, Some(number)) = (value.kind, value.int()) {
        key.push(INT);
        key.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
    } else if let (FieldKind::Moment | FieldKind::Loose, Some(micros)) = (value.kind, value.micros()) {
        key.push(MOMENT);
        key.extend_from_slice(&(micros ^ i64::MIN).to_be_bytes());
    } else if value.kind == FieldKind::Uuid && raw.len() == 16 {
        key.push(UUID);
        key.extend_from_slice(raw);
    } else if let (FieldKind::Date, Ok(days)) = (value.kind, raw.try_into().map(i32::from_be_bytes)) {
        key.push(DATE);
        key.extend_from_slice(&(days ^ i32::MIN).to_be_bytes());
    } else {
        key.push(TEXT);
        key.extend(value.shown(&mut [0; 40]).iter().flat_map(|text| text.bytes()));
        key.push(END);
    }
}

/// One value of an order key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Null,
    /// Bytes that compare like the value; the tag says what it is.
    Ordered(u8, &'a [u8]),
    /// Text sorts as its collation says, which is not known here.
    Text(&'a [u8]),
}

fn parts(mut key: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let (tag, rest) = key.split_first()?;
        let length = match *tag {
            INT | MOMENT => 8,
            UUID => 16,
            DATE => 4,
            TEXT => rest.iter().position(|byte| *byte == END)?,
            _ => 0,
        };
        let (value, after) = rest.split_at_checked(length)?;
        key = if *tag == TEXT { after.get(1..).unwrap_or_default() } else { after };
        Some(match *tag {
            NULL => Part::Null,
            TEXT => Part::Text(value),
            tag => Part::Ordered(tag, value),
        })
    })
}

/// Which of two places comes first. None where only the source of the rows can know: text has a collation.
pub fn compare(a: &[u8], b: &[u8]) -> Option<Ordering> {
    // One whole number is by far the most common key.
    if let ([INT, a @ ..], [INT, b @ ..]) = (a, b)
        && (a.len(), b.len()) == (8, 8)
    {
        return Some(a.cmp(b));
    }
    for (a, b) in parts(a).zip(parts(b)) {
        let order = match (a, b) {
            (a, b) if a == b => continue,
            (Part::Null, _) => Ordering::Greater,
            (_, Part::Null) => Ordering::Less,
            (Part::Ordered(tag, a), Part::Ordered(other, b)) if tag == other => a.cmp(b),
            _ => return None,
        };
        return Some(order);
    }
    Some(Ordering::Equal)
}

/// The whole number that an order key is, if it is just one.
pub fn number(key: &[u8]) -> Option<i64> {
    match key {
        [INT, bytes @ ..] => Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN),
        _ => None,
    }
}

/// An order key for people.
pub fn show(key: &[u8]) -> String {
    let shown = |kind, raw: &[u8]| {
        let text = Value { kind, raw: Some(raw) }.shown(&mut [0; 40]).map(|text| text.into_owned());
        human::one_line(&text.unwrap_or_default(), 64)
    };
    let flipped = |bytes: &[u8]| bytes.try_into().map_or(0, |bytes| i64::from_be_bytes(bytes) ^ i64::MIN);
    let values = parts(key).map(|part| match part {
        Part::Null => "null".to_owned(),
        Part::Text(bytes) => shown(FieldKind::Text, bytes),
        Part::Ordered(INT, bytes) => flipped(bytes).to_string(),
        Part::Ordered(MOMENT, bytes) => show_moment(flipped(bytes)),
        Part::Ordered(DATE, bytes) => {
            let days = bytes.try_into().map_or(0, |bytes| i32::from_be_bytes(bytes) ^ i32::MIN);
            shown(FieldKind::Date, &days.to_be_bytes())
        }
        Part::Ordered(_, bytes) => shown(FieldKind::Uuid, bytes),
    });
    values.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(values: &[(FieldKind, Option<&[u8]>)]) -> Vec<u8> {
        let mut key = Vec::new();
        values.iter().for_each(|(kind, raw)| push_order(&mut key, &Value { kind: *kind, raw: *raw }));
        key
    }

    fn loose(text: &str) -> Vec<u8> {
        order(&[(FieldKind::Loose, Some(text.as_bytes()))])
    }

    #[test]
    fn chains_are_told_apart_by_every_column_and_null_is_no_text() {
        let key = |values: &[Option<&str>]| {
            let mut key = Vec::new();
            for text in values {
                push_partition(&mut key, &Value { kind: FieldKind::Text, raw: text.map(str::as_bytes) });
            }
            key
        };
        let keys = [
            key(&[Some("a"), Some("b")]),
            key(&[Some("ab"), Some("")]),
            key(&[Some("a"), None]),
            key(&[None, Some("a")]),
            key(&[Some("a"), Some("")]),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|other| one != other));
        }
        assert_eq!(partitions(&keys[2]).collect::<Vec<_>>(), [Some("a"), None]);
    }

    #[test]
    fn keys_compare_like_their_values() {
        let int = |number: i64| order(&[(FieldKind::Int, Some(&number.to_be_bytes()))]);
        for (a, b) in [(-2, -1), (-1, 0), (0, 1), (i64::MIN, i64::MAX)] {
            assert_eq!(compare(&int(a), &int(b)), Some(Ordering::Less));
        }
        assert_eq!(compare(&int(3), &loose("3")), Some(Ordering::Equal));
        assert_eq!(compare(&loose("9"), &loose("10")), Some(Ordering::Less));
        let early = loose("2026-05-01T00:00:00Z");
        assert_eq!(compare(&early, &loose("2026-05-01T02:00:00.5+02:00")), Some(Ordering::Less));
        assert_eq!(compare(&loose("b"), &loose("b")), Some(Ordering::Equal));
        assert_eq!(compare(&loose("a"), &loose("B")), None, "a collation may see it either way");
        let null = order(&[(FieldKind::Int, None)]);
        assert_eq!(compare(&int(i64::MAX), &null), Some(Ordering::Less));
        let pair = |moment: i64, id: u8| {
            order(&[(FieldKind::Moment, Some(&moment.to_be_bytes())), (FieldKind::Uuid, Some(&[id; 16]))])
        };
        assert_eq!(compare(&pair(1, 9), &pair(2, 1)), Some(Ordering::Less));
        assert_eq!(compare(&pair(2, 9), &pair(2, 1)), Some(Ordering::Greater));
    }

    #[test]
    fn places_are_shown_as_people_write_them() {
        assert_eq!(show(&loose("-17")), "-17");
        assert_eq!(show(&loose("2026-05-01T00:00:00Z")), "2026-05-01T00:00:00Z");
        assert_eq!(
            show(&order(&[(FieldKind::Date, Some(&9_632i32.to_be_bytes())), (FieldKind::Uuid, None)])),
            "2026-05-16, null"
        );
        assert_eq!(show(&loose("a\nb")), "a b");
        assert_eq!((number(&loose("5")), number(&loose("x"))), (Some(5), None));
    }
}
