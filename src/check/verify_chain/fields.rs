//! The fields of a row, by their places.

use super::value::Value;
use crate::target::postgres::chain_rows::FieldKind;

/// The place of a field among those that are read.
pub type Index = usize;

/// The fields of a row.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// What they are.
    pub kinds: &'a [FieldKind],
    /// Their bytes.
    pub raw: &'a [Option<&'a [u8]>],
}

impl<'a> Fields<'a> {
    /// A field.
    pub fn get(&self, index: Index) -> Value<'a> {
        Value { kind: self.kinds[index], raw: self.raw[index] }
    }

    /// A field that the table may lack; null if it does.
    pub fn maybe(&self, index: Option<Index>) -> Value<'a> {
        index.map_or(Value { kind: FieldKind::Text, raw: None }, |index| self.get(index))
    }
}
