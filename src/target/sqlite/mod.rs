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

use crate::model::codes;
use crate::model::failure::{Failure, Result};
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

/// A table or a view.
struct Relation {
    name: String,
    /// `table`, `view`, `virtual`, or `shadow` for what a virtual table keeps its data in.
    kind: String,
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
        let relations = self.relations(database).await?;
        let is_table =
            |relation: &&Relation| relation.kind == "table" && !relation.name.starts_with("sqlite_");
        Ok(relations.iter().filter(is_table).map(|relation| relation.name.clone()).collect())
    }

    /// What the file's own schema has: tables of all kinds, and views.
    ///
    /// # Errors
    /// `sqlite_failed`, also for a file that hides what this program asks: `PRAGMA table_list` itself cannot be hidden, but tables and
    /// views can take the place of functions such as `pragma_foreign_key_check`.
    async fn relations(&self, database: &DatabaseName) -> Result<Vec<Relation>> {
        let mut relations = Vec::new();
        for row in self.query(database, "PRAGMA main.table_list").await? {
            if row.text("schema")? == SCHEMA {
                relations.push(Relation { name: row.text("name")?, kind: row.text("type")? });
            }
        }
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        let hides = |relation: &&Relation| relation.name.to_ascii_lowercase().starts_with("pragma_");
        match relations.iter().find(hides) {
            None => Ok(relations),
            Some(hiding) => {
                let name = crate::model::human::one_line(&hiding.name, 80);
                let message = format!(
                    "the database has a {} named {name}, in place of a function of SQLite",
                    hiding.kind
                );
                Err(Failure::inconclusive(codes::SQLITE_FAILED, message)
                    .hint("find out who made it: what it answers is not what the file holds"))
            }
        }
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
