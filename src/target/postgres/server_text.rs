//! Text as a server has it. A database in SQL_ASCII stores any bytes, also as names.

use std::error::Error;
use std::fmt;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// A text of the server's, whatever its bytes. Those that are no UTF-8 stand as `\xe9`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerText {
    text: String,
    is_utf8: bool,
}

impl ServerText {
    /// Text of these bytes.
    pub fn new(raw: &[u8]) -> Self {
        let mut text = String::with_capacity(raw.len());
        let mut is_utf8 = true;
        for chunk in raw.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                is_utf8 = false;
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Self { text, is_utf8 }
    }

    /// Whether it can be sent to the server again: a query is UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// The text, for people where it is no UTF-8.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'a> FromSql<'a> for ServerText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::new(raw))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::NAME, Type::VARCHAR].contains(kind)
    }
}

/// Whether all texts of a row can be sent to the server again.
pub fn is_utf8(row: &Row) -> bool {
    row.columns().iter().enumerate().all(|(index, column)| match *column.type_() {
        Type::TEXT | Type::NAME | Type::VARCHAR => {
            row.try_get::<_, Option<ServerText>>(index).is_ok_and(|text| text.is_none_or(|text| text.is_utf8))
        }
        Type::TEXT_ARRAY => {
            row.try_get::<_, Vec<ServerText>>(index).is_ok_and(|texts| texts.iter().all(ServerText::is_utf8))
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf_8_are_shown_and_known() {
        let latin = ServerText::new(b"stra\xdfe");
        assert_eq!((latin.to_string().as_str(), latin.is_utf8()), ("stra\\xdfe", false));
        let utf8 = ServerText::new("straße".as_bytes());
        assert_eq!((utf8.is_utf8(), utf8.into_string().as_str()), (true, "straße"));
    }
}
