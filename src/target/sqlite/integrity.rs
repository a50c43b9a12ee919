//! Whether a file is whole, and its rows fit together.

use super::query::{Mode, rows};
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
/// What the shell says of a file whose pages do not fit together (SQLITE_CORRUPT, SQLITE_NOTADB).
const MALFORMED: [&str; 2] = ["malformed", "file is not a database"];

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
        if !said.ok() && MALFORMED.iter().any(|words| said.stderr.contains(words)) {
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

    /// The full-text indexes (FTS5) of the file, and of each what is wrong with it. Each is asked on a copy, since the question is
    /// an INSERT (<https://sqlite.org/fts5.html#the_integrity_check_command>).
    ///
    /// # Errors
    /// If it cannot be checked.
    pub async fn full_text_indexes(&self, database: &DatabaseName) -> Result<Vec<(String, Option<String>)>> {
        let listed = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING fts5%'";
        let indexes: Vec<String> =
            self.query(database, listed).await?.iter().map(|row| row.text("name")).collect::<Result<_>>()?;
        if indexes.is_empty() {
            return Ok(Vec::new());
        }
        let copy = copy_path(database);
        let copying = ["sh", "-c", COPY, &path(database), &copy];
        self.as_owner(copying).await?;
        let mut found = Vec::new();
        for index in indexes {
            let table = name(&index);
            let sql = format!("INSERT INTO {SCHEMA}.{table}({table}, rank) VALUES ('integrity-check', 1)");
            let said = self.run(&copy, Mode::Copy, &sql, SCAN_SECONDS).await?;
            let wrong = (!said.ok()).then(|| human::one_line(said.stderr.trim(), 200));
            found.push((index, wrong));
        }
        self.as_owner(["rm", "-rf", &copy_place(database)]).await?;
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
