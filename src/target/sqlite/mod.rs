//! SQLite: files in the workbench, opened by the `sqlite3` shell there and nowhere else.
//!
//! A file may hold anything. So it is only opened in the sandbox, by the shell in safe mode (`-safe`: no files, no programs, no
//! extensions), read only, and under a time limit. What it answers is JSON, and is read as data.

mod assertion;
mod integrity;
mod migrations;
mod query;
mod records;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::sandbox::docker::Engine;
use crate::sandbox::scratch;
use crate::sandbox::spec::SCRATCH;
use crate::target::postgres::catalog::RestoredContents;
use crate::template::TableName;

pub use integrity::{ForeignKeyViolation, Integrity};
pub use migrations::{AppliedMigration, TABLE as MIGRATIONS_TABLE};
pub use records::{Joined, PAGE, Place, Question, Record, Records};

/// The schema of a file's own tables.
const SCHEMA: &str = "main";
/// Tables that are counted by one statement: a compound SELECT has 500 terms at most (SQLITE_MAX_COMPOUND_SELECT).
const COUNTED_AT_ONCE: usize = 100;

/// The workbench, for databases of SQLite.
#[derive(Debug, Clone)]
pub struct Workbench {
    /// The engine.
    pub engine: Engine,
    /// The container's id.
    pub container: String,
}

/// The path of a database's file in the workbench.
pub fn path(database: &DatabaseName) -> String {
    format!("{SCRATCH}/{database}.db")
}

impl Workbench {
    /// Tables of the application, and their rows, counted.
    ///
    /// # Errors
    /// `sqlite_failed`.
    pub async fn contents(&self, database: &DatabaseName, bytes: u64) -> Result<RestoredContents> {
        let tables = self.tables(database).await?;
        let mut rows = BTreeMap::new();
        for some in tables.chunks(COUNTED_AT_ONCE) {
            let counts: Vec<String> = some
                .iter()
                .map(|table| {
                    format!("SELECT {} AS name, count(*) AS rows FROM {SCHEMA}.{}", text(table), name(table))
                })
                .collect();
            for row in self.query(database, &counts.join(" UNION ALL ")).await? {
                let table = row.text("name")?;
                rows.insert(TableName { schema: SCHEMA.to_owned(), table }, row.number("rows")?);
            }
        }
        let total_rows = rows.values().sum();
        Ok(RestoredContents { rows, total_rows, bytes: Some(bytes), left_out: Arc::default() })
    }

    /// The names of its tables: no views, no virtual tables nor what these keep their data in, nothing of SQLite's own.
    async fn tables(&self, database: &DatabaseName) -> Result<Vec<String>> {
        let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
                   AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name";
        self.query(database, sql).await?.iter().map(|row| row.text("name")).collect()
    }

    /// Removes a database's file.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn remove(&self, database: &DatabaseName) -> Result<()> {
        scratch::remove(&self.engine, &self.container, &[&path(database)]).await
    }
}

/// The name of a table of a template, as a table of SQLite has it: a schema is of PostgreSQL.
pub fn table_name(table: &TableName) -> TableName {
    TableName { schema: SCHEMA.to_owned(), table: table.table.clone() }
}

/// A text as SQL has it.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(path(&"gateway".parse().unwrap()), "/scratch/gateway.db");
    }
}
