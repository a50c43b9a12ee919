//! Rows of a `COPY … (FORMAT binary)`, taken apart in place.
//!
//! A chain of millions of rows is read through this, so a row costs no allocation: its fields are slices of the bytes
//! that came.

use futures_util::TryStreamExt;
use tokio_postgres::Client;

use super::failures::query_failure;
use super::frames::LIMIT;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// What the data begins with (PostgreSQL documentation, COPY, "Binary Format").
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Runs a `COPY (…) TO STDOUT (FORMAT binary)`, and hands on its rows.
///
/// # Errors
/// Those of the query, see [`query_failure`].
pub async fn copy_rows(
    client: &Client,
    copy: &str,
    doing: &str,
    mut each: impl FnMut(&[Option<&[u8]>]),
) -> Result<()> {
    let failed = |error| query_failure(doing, &error);
    let malformed = || {
        Failure::inconclusive(
            codes::QUERY_FAILED,
            format!("{doing}: the server sent rows that cannot be read"),
        )
    };
    let stream = client.copy_out(copy).await.map_err(failed)?;
    let mut stream = std::pin::pin!(stream);
    let mut begun = false;
    // Room for the fields of one row; their lifetime ends with it.
    let mut places: Vec<Option<(usize, usize)>> = Vec::new();
    // A row that is longer than a piece of a message: the server sends whole rows, the first of them behind the header.
    let mut cut: Vec<u8> = Vec::new();
    while let Some(message) = stream.try_next().await.map_err(failed)? {
        let mut fresh = &message[..];
        if !begun {
            fresh = &fresh[header(fresh).ok_or_else(malformed)?..];
            begun = true;
        }
        let is_cut = !cut.is_empty();
        if is_cut {
            cut.extend_from_slice(fresh);
        }
        let bytes = if is_cut { &cut[..] } else { fresh };
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            match row(bytes, &mut at, &mut places) {
                Some(Row::Fields) => with_fields(bytes, &places, &mut each),
                Some(Row::End) => {}
                None if bytes.len() - start > LIMIT => return Err(too_long(doing)),
                None => {
                    at = start;
                    break;
                }
            }
        }
        if is_cut {
            cut.drain(..at);
        } else {
            cut.extend_from_slice(&fresh[at..]);
        }
    }
    if cut.is_empty() { Ok(()) } else { Err(malformed()) }
}

fn too_long(doing: &str) -> Failure {
    let limit = crate::model::human::bytes(LIMIT as u64);
    Failure::inconclusive(codes::VALUE_TOO_LARGE, format!("{doing}: a row is longer than {limit}")).hint(
        "this says nothing about the backup: a row is read as a whole, and this one is too large for that",
    )
}

enum Row {
    Fields,
    End,
}

/// Where the header ends.
fn header(message: &[u8]) -> Option<usize> {
    let rest = message.strip_prefix(SIGNATURE)?;
    // Flags, then the length of an extension area.
    let extension = u32::from_be_bytes(*rest.get(4..)?.first_chunk()?);
    (SIGNATURE.len() + 8).checked_add(usize::try_from(extension).ok()?)
}

/// Reads where the fields of a row are.
fn row(message: &[u8], at: &mut usize, places: &mut Vec<Option<(usize, usize)>>) -> Option<Row> {
    let count = i16::from_be_bytes(*message.get(*at..)?.first_chunk()?);
    *at += 2;
    places.clear();
    if count == -1 {
        return Some(Row::End);
    }
    for _ in 0..count {
        let length = i32::from_be_bytes(*message.get(*at..)?.first_chunk()?);
        *at += 4;
        let Ok(length) = usize::try_from(length) else {
            places.push(None);
            continue;
        };
        let end = at.checked_add(length).filter(|end| *end <= message.len())?;
        places.push(Some((*at, end)));
        *at = end;
    }
    Some(Row::Fields)
}

/// Makes slices of the places, on the stack where there are few.
fn with_fields(message: &[u8], places: &[Option<(usize, usize)>], each: &mut impl FnMut(&[Option<&[u8]>])) {
    const FEW: usize = 32;
    let field = |place: &Option<(usize, usize)>| place.map(|(start, end)| &message[start..end]);
    if places.len() <= FEW {
        let mut fields = [None; FEW];
        for (slot, place) in fields.iter_mut().zip(places) {
            *slot = field(place);
        }
        each(&fields[..places.len()]);
    } else {
        each(&places.iter().map(field).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend(i16::try_from(row.len()).unwrap().to_be_bytes());
            for field in *row {
                match field {
                    Some(field) => {
                        bytes.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
                        bytes.extend(*field);
                    }
                    None => bytes.extend((-1i32).to_be_bytes()),
                }
            }
        }
        bytes
    }

    #[test]
    fn rows_are_taken_apart_and_cut_ones_are_not_believed() {
        let whole = message(&[&[Some(b"ab"), None, Some(b"")]]);
        let (mut at, mut places) = (0, Vec::new());
        assert!(matches!(row(&whole, &mut at, &mut places), Some(Row::Fields)));
        assert_eq!((at, places.as_slice()), (whole.len(), &[Some((6, 8)), None, Some((16, 16))][..]));
        let mut seen = Vec::new();
        with_fields(&whole, &places, &mut |fields| {
            seen = fields.iter().map(|f| f.map(<[u8]>::to_vec)).collect()
        });
        assert_eq!(seen, [Some(b"ab".to_vec()), None, Some(Vec::new())]);
        for cut in 1..whole.len() {
            assert!(row(&whole[..cut], &mut 0, &mut places).is_none(), "{cut}");
        }
        assert!(matches!(row(&(-1i16).to_be_bytes(), &mut 0, &mut places), Some(Row::End)));
    }

    #[test]
    fn the_header_is_looked_at() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 8]);
        assert_eq!(header(&bytes), Some(19));
        bytes[18] = 3;
        assert_eq!(header(&bytes), Some(22));
        assert_eq!(header(b"PGCOPY"), None);
        assert_eq!(header(&bytes[..14]), None);
    }

    #[test]
    fn rows_of_many_columns_are_whole_too() {
        let places: Vec<_> = (0..100).map(|n| Some((n, n + 1))).collect();
        let bytes: Vec<u8> = (0..=100).collect();
        let mut seen = 0;
        with_fields(&bytes, &places, &mut |fields| {
            seen = fields.iter().filter(|field| field.is_some_and(|bytes| bytes.len() == 1)).count();
        });
        assert_eq!(seen, 100);
    }
}
