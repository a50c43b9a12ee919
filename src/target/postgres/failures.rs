//! What an error of a query means for the drill.

use super::frames::TOO_LONG;
use crate::model::codes;
use crate::model::failure::Failure;

/// A query of our own that could not be answered. Nothing in a template could change that.
pub(super) fn own_failure(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let failure = query_failure(doing, error);
    match failure.code {
        codes::QUERY_FAILED | codes::SCHEMA_DIFFERS => Failure::inconclusive(codes::QUERY_FAILED, failure.message)
            .hint("the query is restore-drill's own: something in the backup is in its way, or the server is in trouble; --keep leaves the server to look at"),
        _ => failure,
    }
}

/// A query that could not be answered, told apart by what it means for the drill.
pub(super) fn query_failure(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let text = error_text(error);
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("53100") => Failure::disk_full(format!("{doing}: the server's disk is full")),
        Some("42P01" | "42703") => Failure::bad(codes::SCHEMA_DIFFERS, format!("{doing}: {text}"))
            .hint("a table or column that the check needs is not in the backup, or the template names it wrongly"),
        Some(TOO_LONG) => Failure::inconclusive(codes::VALUE_TOO_LARGE, format!("{doing}: {text}"))
            .hint("this says nothing about the backup: the value is too large to be looked at here; leave the table or the column out of the check"),
        Some("57014") => Failure::inconclusive(codes::QUERY_TIMED_OUT, format!("{doing}: it did not end in time"))
            .hint("raise the check's `timeout` in the template, or look why it takes so long: --keep leaves the server to try it on"),
        _ => Failure::inconclusive(codes::QUERY_FAILED, format!("{doing}: {text}"))
            .hint("look at the query in the template, if it is one; --keep leaves the server to try it on"),
    }
}

/// The server's own words, which tokio_postgres keeps below its "db error".
pub(super) fn error_text(error: &tokio_postgres::Error) -> String {
    let text = match error.as_db_error() {
        Some(db) => db.message().to_owned(),
        None => error.to_string(),
    };
    crate::model::human::one_line(&text, 300)
}
