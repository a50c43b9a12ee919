//! Whether a file is whole, and its rows fit together.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::query::{Mode, failed, rows};
use super::{SCHEMA, Workbench, name, path};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::sandbox::docker::ExecSpec;

/// What `integrity_check` reports at most.
const REPORTED: usize = 20;
/// Rows without their parent that are named; the rest is counted.
const NAMED: usize = 20;
/// Seconds that a look at a whole file may take.
const SCAN_SECONDS: u64 = 3600;
/// What the shell says of a file whose pages do not fit together (SQLITE_CORRUPT, SQLITE_NOTADB; in `sqlite3` 3.40 and 3.46).
const MALFORMED: [&str; 3] =
    ["database disk image is malformed", "malformed database schema", "file is not a database"];
/// The module of full-text indexes that can be asked.
const FULL_TEXT: &str = "fts5";

fn is_malformed(stderr: &str) -> bool {
    MALFORMED.iter().any(|words| stderr.contains(words))
}

/// The module of a virtual table, by the statement that made it: what follows `USING`, in whatever quotes.
fn module(sql: &str) -> String {
    static USING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?is)^\s*CREATE\s+VIRTUAL\s+TABLE\s.*?\sUSING\s*["'`\[]?([a-z0-9_]+)"#)
            .expect("it is a pattern")
    });
    USING.captures(sql).map(|found| found[1].to_ascii_lowercase()).unwrap_or_default()
}

/// Copies a file to where the container's own user may write to it and beside it.
const COPY: &str = r#"place=$(dirname "$1") && mkdir -p "$place" && chmod 777 "$place" && cp -- "$0" "$1" && chmod 666 "$1""#;

fn copy_place(database: &DatabaseName) -> String {
    format!("{}.copy", path(database))
}

fn copy_path(database: &DatabaseName) -> String {
    format!("{}/copy.db", copy_place(database))
}

/// What was found of a file's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// They are whole.
    Whole,
    /// They are not, and these are the first things that are wrong.
    Damaged(Vec<String>),
}

/// Rows whose parent is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyViolation {
    /// The table of the rows.
    pub table: String,
    /// The table that has no such row.
    pub parent: String,
    /// How many rows.
    pub rows: u64,
}

impl Workbench {
    /// Checks every page, index, and constraint (`PRAGMA integrity_check`).
    ///
    /// # Errors
    /// If it cannot be checked.
    pub async fn integrity(&self, database: &DatabaseName) -> Result<Integrity> {
        let sql = format!("PRAGMA integrity_check({REPORTED})");
        let said = self.run(&path(database), Mode::ReadOnly, &sql, SCAN_SECONDS).await?;
        // Damage in the first pages keeps the shell from asking at all.
        if !said.ok() && is_malformed(&said.stderr) {
            return Ok(Integrity::Damaged(vec![human::one_line(said.stderr.trim(), 300)]));
        }
        let found: Vec<String> =
            rows(&said)?.iter().map(|row| row.text("integrity_check")).collect::<Result<_>>()?;
        Ok(match found.as_slice() {
            [only] if only == "ok" => Integrity::Whole,
            _ => Integrity::Damaged(found.iter().map(|line| human::one_line(line, 300)).collect()),
        })
    }

    /// Rows that refer to rows which are not there, by table (`PRAGMA foreign_key_check`).
    ///
    /// # Errors
    /// If it cannot be checked.
    pub async fn foreign_key_violations(&self, database: &DatabaseName) -> Result<Vec<ForeignKeyViolation>> {
        self.relations(database).await?;
        let sql = format!(
            "SELECT \"table\" AS child, parent, count(*) AS rows FROM pragma_foreign_key_check \
             GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {NAMED}"
        );
        let violation = |row: &super::query::Row| {
            Ok(ForeignKeyViolation {
                table: row.text("child")?,
                parent: row.text("parent")?,
                rows: row.number("rows")?,
            })
        };
        self.query(database, &sql).await?.iter().map(violation).collect()
    }

    /// The tables whose rows refer to others.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn tables_with_parents(&self, database: &DatabaseName) -> Result<Vec<String>> {
        self.relations(database).await?;
        let sql = "SELECT DISTINCT t.name AS name FROM main.sqlite_schema AS t JOIN pragma_foreign_key_list(t.name) \
                   WHERE t.type = 'table'";
        self.query(database, sql).await?.iter().map(|row| row.text("name")).collect()
    }

    /// The full-text indexes (FTS5) of the file, and of each what is wrong with it. Each is asked on a copy, since the question is
    /// an INSERT (<https://sqlite.org/fts5.html#the_integrity_check_command>).
    ///
    /// # Errors
    /// If it cannot be checked.
    pub async fn full_text_indexes(&self, database: &DatabaseName) -> Result<Vec<(String, Option<String>)>> {
        let virtual_tables = self.relations(database).await?.into_iter().filter(|one| one.kind == "virtual");
        let names: BTreeSet<String> = virtual_tables.map(|one| one.name).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let listed = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table'";
        let mut indexes = Vec::new();
        for row in self.query(database, listed).await? {
            let name = row.text("name")?;
            if names.contains(&name) && module(&row.text("sql")?) == FULL_TEXT {
                indexes.push(name);
            }
        }
        if indexes.is_empty() {
            return Ok(Vec::new());
        }
        let copy = copy_path(database);
        self.as_owner(["sh", "-c", COPY, &path(database), &copy]).await?;
        let asked = self.ask_indexes(indexes, &copy).await;
        self.as_owner(["rm", "-rf", &copy_place(database)]).await?;
        asked
    }

    async fn ask_indexes(&self, indexes: Vec<String>, copy: &str) -> Result<Vec<(String, Option<String>)>> {
        let mut found = Vec::new();
        for index in indexes {
            let table = name(&index);
            let sql = format!("INSERT INTO {SCHEMA}.{table}({table}, rank) VALUES ('integrity-check', 1)");
            let said = self.run(copy, Mode::Copy, &sql, SCAN_SECONDS).await?;
            if !said.ok() && !is_malformed(&said.stderr) {
                return Err(failed(&said.stderr).context(human::one_line(&index, 80)));
            }
            let wrong = (!said.ok()).then(|| human::one_line(said.stderr.trim(), 200));
            found.push((index, wrong));
        }
        Ok(found)
    }

    /// Runs a command as the owner of the scratch volume.
    async fn as_owner(&self, command: impl IntoIterator<Item = &str>) -> Result<()> {
        let said = self.engine.capture(ExecSpec::new(&self.container, command).user("0"), 4096).await?;
        if said.ok() {
            return Ok(());
        }
        let message =
            format!("cannot copy the file in the workbench: {}", human::one_line(said.stderr.trim(), 200));
        Err(Failure::inconclusive(codes::SQLITE_FAILED, message).hint("the engine's disk may be full"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_a_virtual_table_is_found_however_it_is_written() {
        for sql in [
            "CREATE VIRTUAL TABLE search USING fts5(why)",
            "CREATE VIRTUAL TABLE \"using it\" USING\n  FTS5 (why)",
            "create virtual table s using \"fts5\"(a)",
        ] {
            assert_eq!(module(sql), "fts5", "{sql}");
        }
        assert_eq!(module("CREATE VIRTUAL TABLE places USING rtree(id, a, b)"), "rtree");
        assert_eq!(module("CREATE TABLE t (a TEXT DEFAULT ' USING fts5')"), "");
    }

    #[test]
    fn only_what_sqlite_says_of_pages_is_damage() {
        assert!(is_malformed("Error: stepping, database disk image is malformed (11)"));
        for words in ["Runtime error near line 1: malformed JSON", "disk I/O error (10)", "out of memory"] {
            assert!(!is_malformed(words), "{words}");
        }
    }
}
