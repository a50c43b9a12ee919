//! Rows of a table in the order in which they were written, page by page.

use serde_json::Value;

use super::query::written;
use super::{SCHEMA, Workbench, name, text};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;

/// Rows of one question: a file of any size is read in memory of one size.
pub const PAGE: usize = 5000;

/// What is read of a table.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// The table, which has rowids.
    pub table: &'a str,
    /// Its columns. One that the table does not have is read as null.
    pub columns: &'a [&'a str],
    /// A table with the row that a column of this one names.
    pub joined: Option<Joined<'a>>,
}

/// What is read of a row that another one names.
#[derive(Debug, Clone, Copy)]
pub struct Joined<'a> {
    /// The table, which has a column `id`.
    pub table: &'a str,
    /// The column that names its `id`.
    pub by: &'a str,
    /// Its columns, which come after those of the first table.
    pub columns: &'a [&'a str],
}

/// What is asked for rows of a table.
#[derive(Debug, Clone)]
pub struct Question {
    select: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its rowid.
    pub rowid: i64,
    /// Its values, as text; none for null.
    pub values: Vec<Option<String>>,
}

/// Where a hash is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The value.
    pub value: String,
    /// Whose row has it.
    pub owner: Option<String>,
    /// The row.
    pub rowid: i64,
}

impl Workbench {
    /// The columns of a table; none if there is no such table.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn columns(&self, database: &DatabaseName, table: &str) -> Result<Vec<String>> {
        let sql = format!("SELECT name FROM pragma_table_info({}, {})", text(table), text(SCHEMA));
        self.query(database, &sql).await?.iter().map(|row| row.text("name")).collect()
    }

    /// The question for rows of a table.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn question(&self, database: &DatabaseName, records: &Records<'_>) -> Result<Question> {
        let own = self.columns(database, records.table).await?;
        let mut values: Vec<String> = records.columns.iter().map(|column| value("r", &own, column)).collect();
        let mut from = format!("{SCHEMA}.{} AS r", name(records.table));
        if let Some(joined) = &records.joined {
            let others = self.columns(database, joined.table).await?;
            values.extend(joined.columns.iter().map(|column| value("j", &others, column)));
            if !others.is_empty() && own.iter().any(|column| column == joined.by) {
                let (table, by) = (name(joined.table), name(joined.by));
                from.push_str(&format!(" LEFT JOIN {SCHEMA}.{table} AS j ON j.id = r.{by}"));
            }
        }
        // A text may have what ends a text of C, which only SQLite's own JSON keeps.
        let select =
            format!("SELECT r.rowid AS place, json_array({}) AS found FROM {from}", values.join(", "));
        Ok(Question { select })
    }

    /// The next rows after this one, [`PAGE`] at most, in the order of their rowids.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn records(
        &self,
        database: &DatabaseName,
        Question { select }: &Question,
        after: Option<i64>,
    ) -> Result<Vec<Record>> {
        let beyond = after.map_or_else(String::new, |after| format!(" WHERE r.rowid > {after}"));
        let sql = format!("{select}{beyond} ORDER BY r.rowid LIMIT {PAGE}");
        self.query(database, &sql).await?.iter().map(record).collect()
    }

    /// Where these values of a column are.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn places(
        &self,
        database: &DatabaseName,
        (table, column, owner): (&str, &str, &str),
        values: &[&str],
    ) -> Result<Vec<Place>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let listed: Vec<String> = values.iter().map(|value| text(value)).collect();
        let (column, owner) = (name(column), name(owner));
        let sql = format!(
            "SELECT rowid AS place, {owner} AS owner, {column} AS value FROM {SCHEMA}.{} WHERE {column} IN ({}) \
             ORDER BY rowid LIMIT {PAGE}",
            name(table),
            listed.join(", ")
        );
        let place = |row: &super::query::Row| {
            Ok(Place { value: row.text("value")?, owner: row.value("owner")?, rowid: rowid(row)? })
        };
        self.query(database, &sql).await?.iter().map(place).collect()
    }
}

/// A column as text, whatever it is kept as.
fn value(alias: &str, columns: &[String], column: &str) -> String {
    match columns.iter().any(|known| known == column) {
        true => format!("CAST({alias}.{} AS TEXT)", name(column)),
        false => "NULL".to_owned(),
    }
}

fn rowid(row: &super::query::Row) -> Result<i64> {
    row.text("place")?.parse().map_err(|_| unclear("a rowid is no number"))
}

fn record(row: &super::query::Row) -> Result<Record> {
    let found: Vec<Value> =
        serde_json::from_str(&row.text("found")?).map_err(|error| unclear(&error.to_string()))?;
    Ok(Record { rowid: rowid(row)?, values: found.iter().map(written).collect() })
}

fn unclear(why: &str) -> Failure {
    Failure::inconclusive(codes::SQLITE_FAILED, format!("the answer of sqlite3 is not understood: {why}"))
        .hint("sqlite.image must have the sqlite3 shell 3.37 or newer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_is_null() {
        let columns = ["id".to_owned(), "odd\"name".to_owned()];
        assert_eq!(value("r", &columns, "odd\"name"), "CAST(r.\"odd\"\"name\" AS TEXT)");
        assert_eq!(value("r", &columns, "signature"), "NULL");
    }
}
