//! The tables a template names.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::model::foreign::Foreign;
use crate::model::names::{DatabaseName, qualified, split_qualified};

/// A table's name, with its schema; `public` where none is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (schema, table) = split_qualified(text).unwrap_or_default();
        let schema = schema.unwrap_or_else(|| "public".to_owned());
        if schema.is_empty() || table.is_empty() {
            return Err(format!(
                "`{}` is not a table: write `table` or `schema.table`, a name with a dot or a quote in double quotes",
                text.escape_debug()
            ));
        }
        Ok(Self { schema, table })
    }
}

impl TableName {
    /// The name as it is, with quotes where it needs them: to find the table by, not to show.
    pub fn key(&self) -> String {
        qualified(&self.schema, &self.table)
    }
}

/// A table of a restored database has the name that its dump gave it.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Foreign::new(self.key()).fmt(f)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A table that a check cannot do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededTable {
    /// The check's name.
    pub check: String,
    /// The table's database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// Whether a view of that name does as well.
    pub view_suffices: bool,
    /// How many rows it must have, at least.
    pub rows: u64,
}
