//! Trying what a role may do: as that role, in a transaction that is rolled back, with a statement that hits no row.
//!
//! The server checks privileges when a statement starts, also where its condition is never true. Triggers do not fire: what
//! they would say is for the application, and they are code of the backup's.

use std::time::Duration;

use super::super::assertion;
use super::super::pins::Pins;
use super::super::quote::{quote_identifier, quote_relation};
use super::super::server::Server;
use super::{Privilege, Question};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// What the server says where a privilege is missing.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The server did it.
    Done,
    /// It refused: a privilege is missing.
    Refused,
    /// It ended with another SQLSTATE, which decides nothing.
    Otherwise(String),
}

impl Server {
    /// Tries one privilege.
    ///
    /// # Errors
    /// If there is no answer: `query_timed_out`, `server_unreachable`.
    pub(super) async fn try_it(
        &self,
        database: &DatabaseName,
        question: &Question<'_>,
        privilege: Privilege,
        writable: &[String],
        timeout: Duration,
    ) -> Result<Tried> {
        let Some(statement) = statement(question, privilege, writable) else {
            return Ok(Tried::Otherwise("0A000".to_owned()));
        };
        let client = self.connect_pinned(database.as_str(), &Pins::template().timeout(timeout)).await?.client;
        let sql = format!(
            "BEGIN READ WRITE; SET LOCAL session_replication_role = replica; SET LOCAL row_security = on; \
             SET LOCAL ROLE {}; {statement}; ROLLBACK",
            quote_identifier(question.role)
        );
        match client.batch_execute(&sql).await {
            Ok(()) => Ok(Tried::Done),
            Err(error) => match error.code().map(tokio_postgres::error::SqlState::code) {
                Some(INSUFFICIENT_PRIVILEGE) => Ok(Tried::Refused),
                // The time was up, or the server is in trouble.
                None => Err(assertion::failed(database, &error)),
                Some(state)
                    if ["08", "53", "57", "58", "XX"].iter().any(|class| state.starts_with(class)) =>
                {
                    Err(assertion::failed(database, &error))
                }
                Some(state) => Ok(Tried::Otherwise(state.to_owned())),
            },
        }
    }
}

/// A statement that needs the privilege, and hits no row. None for a table without a column that could be written.
fn statement(question: &Question<'_>, privilege: Privilege, writable: &[String]) -> Option<String> {
    let table = quote_relation(&question.table.schema, &question.table.table);
    let asked: Vec<String> = question.columns.iter().map(|name| quote_identifier(name)).collect();
    let written: Vec<String> = if asked.is_empty() {
        writable.iter().map(|name| quote_identifier(name)).collect()
    } else {
        asked.clone()
    };
    match privilege {
        Privilege::Select if asked.is_empty() => Some(format!("SELECT * FROM {table} LIMIT 0")),
        Privilege::Select => Some(format!("SELECT {} FROM {table} LIMIT 0", asked.join(", "))),
        Privilege::Delete => Some(format!("DELETE FROM {table} WHERE false")),
        _ if written.is_empty() => None,
        Privilege::Insert => {
            let nulls = vec!["NULL"; written.len()].join(", ");
            Some(format!("INSERT INTO {table} ({}) SELECT {nulls} WHERE false", written.join(", ")))
        }
        Privilege::Update => {
            let set: Vec<String> = written.iter().map(|column| format!("{column} = NULL")).collect();
            Some(format!("UPDATE {table} SET {} WHERE false", set.join(", ")))
        }
        Privilege::Truncate | Privilege::References | Privilege::Trigger => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(privilege: Privilege, columns: &[&str], writable: &[&str]) -> Option<String> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (table, columns) = ("s.\"t\"\"; --\"".parse().unwrap(), names(columns));
        let question =
            Question { role: "app", table: &table, columns: &columns, privileges: vec![], tried: true };
        statement(&question, privilege, &names(writable))
    }

    #[test]
    fn statements_need_the_privilege_and_hit_no_row() {
        let of = |privilege| written(privilege, &[], &["id", "a b"]).unwrap();
        let table = r#""s"."t""; --""#;
        assert_eq!(of(Privilege::Select), format!("SELECT * FROM {table} LIMIT 0"));
        assert_eq!(of(Privilege::Delete), format!("DELETE FROM {table} WHERE false"));
        assert_eq!(
            of(Privilege::Insert),
            format!(r#"INSERT INTO {table} ("id", "a b") SELECT NULL, NULL WHERE false"#)
        );
        assert_eq!(
            of(Privilege::Update),
            format!(r#"UPDATE {table} SET "id" = NULL, "a b" = NULL WHERE false"#)
        );
        assert_eq!(
            written(Privilege::Select, &["x"], &["id"]).unwrap(),
            format!(r#"SELECT "x" FROM {table} LIMIT 0"#)
        );
        assert_eq!(written(Privilege::Insert, &[], &[]), None);
        assert_eq!(written(Privilege::Truncate, &[], &["id"]), None);
    }
}
