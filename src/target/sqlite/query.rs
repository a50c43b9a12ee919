//! Asking a database in the workbench.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;

use super::{Workbench, path};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::sandbox::docker::{Captured, ExecSpec};

/// The most that an answer may have: far more than what is asked for.
const ANSWER_LIMIT: usize = 64 << 20;
/// Seconds that a statement over a whole file may take.
const SCAN_SECONDS: u64 = 3600;
/// What `timeout` exits with when the time is up.
const TIMED_OUT: i64 = 124;
/// What a shell exits with whose program was killed (signal 9): by `timeout`, or since memory ran out.
const KILLED: i64 = 137;
/// What SQLite says of what only an extension of the application has.
const OF_AN_EXTENSION: [&str; 5] =
    ["no such collation", "unknown function", "no such function", "no such tokenizer", "no such module"];
/// What a shell exits with that finds no program.
const NOT_FOUND: [i64; 2] = [126, 127];

/// Runs the shell on a file. The statements come on its input: a query of the template is no argument that others see.
const RUN: &str =
    r#"seconds=$1 file=$2; exec timeout -k 5 "$seconds" sqlite3 -batch -bail -safe -json "$file""#;

/// A row of an answer: values by column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row(Map<String, Value>);

impl Row {
    /// A text, or any other value as SQLite writes it.
    pub(super) fn text(&self, column: &str) -> Result<String> {
        self.value(column).map(Option::unwrap_or_default)
    }

    /// A value as SQLite writes it; none for null.
    pub(super) fn value(&self, column: &str) -> Result<Option<String>> {
        match self.0.get(column) {
            Some(value) => Ok(written(value)),
            None => Err(not_understood(&format!("it has no column {column}"))),
        }
    }

    /// The value of the only column.
    pub(super) fn only(&self) -> Result<&Value> {
        let mut values = self.0.values();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(Failure::config(
                codes::QUERY_INVALID,
                format!("the query must have one column, and has {}", self.0.len()),
            )),
        }
    }

    /// A count.
    pub(super) fn number(&self, column: &str) -> Result<u64> {
        let number = self.0.get(column).and_then(Value::as_u64);
        number.ok_or_else(|| not_understood(&format!("{column} is no count")))
    }
}

/// A value as text.
pub(super) fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn not_understood(why: &str) -> Failure {
    Failure::inconclusive(codes::SQLITE_FAILED, format!("the answer of sqlite3 is not understood: {why}"))
        .hint("sqlite.image must have the sqlite3 shell 3.37 or newer")
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing is written, not even what a file in the mode of a write-ahead log needs beside it.
    ReadOnly,
    /// The file is a copy that may be written to.
    Copy,
}

impl Workbench {
    /// The rows that a statement of this program returns.
    pub(super) async fn query(&self, database: &DatabaseName, sql: &str) -> Result<Vec<Row>> {
        let said = self.run(&path(database), Mode::ReadOnly, sql, SCAN_SECONDS).await?;
        rows(&said)
    }

    /// The rows that a query of a template returns.
    pub(super) async fn query_within(
        &self,
        database: &DatabaseName,
        sql: &str,
        seconds: u64,
    ) -> Result<Vec<Row>> {
        let said = self.run(&path(database), Mode::ReadOnly, sql, seconds.max(1)).await?;
        if !said.ok() {
            let message = human::one_line(said.stderr.trim(), 300);
            return Err(Failure::config(codes::QUERY_INVALID, format!("the query does not work: {message}"))
                .hint("try it in the sqlite3 shell on a copy of the database"));
        }
        rows(&said)
    }

    /// Runs statements on a file, and returns what the shell said.
    pub(super) async fn run(&self, file: &str, mode: Mode, sql: &str, seconds: u64) -> Result<Captured> {
        let (limit, began) = (seconds.to_string(), Instant::now());
        // Nobody changes the file, so SQLite need not look for those who do (<https://sqlite.org/uri.html>).
        let file = match mode {
            Mode::ReadOnly => format!("file:{file}?immutable=1"),
            Mode::Copy => file.to_owned(),
        };
        let command = ["sh", "-c", RUN, "sqlite", &limit, &file];
        let exec = self.engine.exec(ExecSpec::new(&self.container, command)).await?;
        let (mut input, captured) = exec.capture_while_fed(ANSWER_LIMIT);
        let feeding = async {
            // A shell that has ended says why.
            let _ = input.write_all(format!("{sql};\n").as_bytes()).await;
            let _ = input.shutdown().await;
            drop(input);
        };
        let ((), captured) = tokio::join!(feeding, captured);
        let captured = captured?;
        if NOT_FOUND.contains(&captured.exit_code) {
            let said = human::one_line(captured.stderr.trim(), 200);
            return Err(Failure::config(
                codes::IMAGE_NOT_SQLITE,
                format!("the image of [sqlite] cannot run sqlite3: {said}"),
            )
            .hint("it must have the sqlite3 shell and `timeout`: docker/build-images sqlite:3 makes one"));
        }
        let is_late = began.elapsed() >= Duration::from_secs(seconds);
        match captured.exit_code {
            TIMED_OUT | KILLED if is_late => {
                let message = format!("sqlite3 did not end within {seconds} s");
                return Err(Failure::inconclusive(codes::SQLITE_FAILED, message)
                    .hint("raise the check's `timeout`, if it has one; a slow disk or little memory (sqlite.memory) may be why"));
            }
            KILLED => {
                let message = "sqlite3 was killed: the container may have run out of memory";
                return Err(Failure::inconclusive(codes::SQLITE_FAILED, message).hint("raise sqlite.memory"));
            }
            _ => {}
        }
        Ok(captured)
    }
}

/// Why the shell failed, by its own words.
pub(super) fn failed(stderr: &str) -> Failure {
    let message = format!("sqlite3 failed: {}", human::one_line(stderr.trim(), 300));
    let hint = if OF_AN_EXTENSION.iter().any(|words| stderr.contains(words)) {
        "the database needs a function, a collation, a tokenizer or a module of its application, which sqlite3 in the image of \
         [sqlite] does not have"
    } else {
        "the file may be damaged where it was read, or the container ran out of memory (sqlite.memory) or disk"
    };
    Failure::inconclusive(codes::SQLITE_FAILED, message).hint(hint)
}

/// The rows of an answer.
pub(super) fn rows(said: &Captured) -> Result<Vec<Row>> {
    if !said.ok() {
        let message = format!("sqlite3 failed: {}", human::one_line(said.stderr.trim(), 300));
        return Err(Failure::inconclusive(codes::SQLITE_FAILED, message).hint(
            "the file may be damaged where it was read, or the container ran out of memory (sqlite.memory)",
        ));
    }
    parse(&said.stdout)
}

/// An answer as JSON: an array for each statement that returns rows, and nothing for one that returns none.
fn parse(stdout: &str) -> Result<Vec<Row>> {
    let arrays = serde_json::Deserializer::from_str(stdout).into_iter::<Vec<Map<String, Value>>>();
    let mut rows = Vec::new();
    for array in arrays {
        let array = array.map_err(|error| not_understood(&error.to_string()))?;
        rows.extend(array.into_iter().map(Row));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_data() {
        assert!(parse("").unwrap().is_empty(), "no row is no output");
        let rows =
            parse("[{\"name\":\"a\",\"rows\":3},\n{\"name\":\"b\\u001b[31m\",\"rows\":null}]\n").unwrap();
        assert_eq!((rows[0].text("name").unwrap().as_str(), rows[0].number("rows").unwrap()), ("a", 3));
        assert_eq!(rows[1].value("rows").unwrap(), None);
        assert_eq!(rows[1].number("rows").unwrap_err().code.as_str(), "sqlite_failed");
        assert_eq!(rows[0].value("size").unwrap_err().code.as_str(), "sqlite_failed");
        assert_eq!(rows[0].only().unwrap_err().code.as_str(), "query_invalid");
        assert_eq!(parse("Error: x").unwrap_err().code.as_str(), "sqlite_failed");
    }
}
