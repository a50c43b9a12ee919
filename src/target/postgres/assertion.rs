//! What a template's own query answers.

use super::failures::error_text;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};

use super::failures::query_failure;
use super::quote::quote_identifier;
use super::server::Server;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::foreign::Foreign;
use crate::model::names::DatabaseName;

/// Rows of a query with one column: at most two of them, which is enough to know that there is not just one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The column's type, as Postgres names it.
    pub type_name: String,
    /// Whether it is a type whose values say nothing about persons: numbers, times, truth values, ids.
    pub plain: bool,
    /// The values, as Postgres writes them; `None` is null.
    pub values: Vec<Option<String>>,
}

/// A moment, as far as Postgres knows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Null.
    Null,
    /// Before or after all time.
    Infinite,
    /// A moment.
    At(DateTime<Utc>),
}

impl Server {
    /// The answer of a query with one column.
    ///
    /// # Errors
    /// `query_shape`, `query_invalid`, `query_writes`, `schema_differs`, `query_timed_out`, `query_failed`.
    pub async fn answer(&self, database: &DatabaseName, query: &str, timeout: Duration) -> Result<Answer> {
        let client = self.guarded(database, timeout).await?;
        let kind = one_column(&client, database, query).await?;
        // On lines of its own, so that a comment at its end ends there.
        let sql = format!("SELECT answer::pg_catalog.text FROM (\n{query}\n) query (answer) LIMIT 2");
        let rows = client.query(&sql, &[]).await.map_err(|error| failed(database, &error))?;
        let values = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
        Ok(Answer {
            type_name: kind.name().to_owned(),
            plain: is_plain(&kind),
            values: values.map_err(|error| failed(database, &error))?,
        })
    }

    /// The moments, at most two, that a query with one column answers. Times without a zone are taken as UTC.
    ///
    /// # Errors
    /// As [`Server::answer`].
    pub async fn moments(
        &self,
        database: &DatabaseName,
        query: &str,
        timeout: Duration,
    ) -> Result<Vec<Moment>> {
        let client = self.guarded(database, timeout).await?;
        let kind = one_column(&client, database, query).await?;
        if ![Type::TIMESTAMPTZ, Type::TIMESTAMP, Type::DATE].contains(&kind) {
            return Err(wrong_shape(
                database,
                &format!("a {}", Foreign::new(kind.name())),
                "a time: cast what is another type to timestamptz",
            ));
        }
        let sql = format!(
            "SELECT pg_catalog.isfinite(answer),
                    CASE WHEN pg_catalog.isfinite(answer) THEN extract(epoch FROM answer)::pg_catalog.float8 END
             FROM (SELECT answer::pg_catalog.timestamptz FROM (\n{query}\n) query (answer)) moments LIMIT 2"
        );
        let rows = client.query(&sql, &[]).await.map_err(|error| failed(database, &error))?;
        rows.iter().map(moment).collect::<Result<_, _>>().map_err(|error| failed(database, &error))
    }

    /// How many rows a query returns, and the first of them by this column, at most `limit`.
    ///
    /// # Errors
    /// As [`Server::answer`].
    pub async fn rows_returned(
        &self,
        database: &DatabaseName,
        query: &str,
        key: Option<&str>,
        limit: u32,
        timeout: Duration,
    ) -> Result<(u64, Vec<String>)> {
        let client = self.guarded(database, timeout).await?;
        let failed = |error| failed(database, &error);
        // Prepared as it is, so that the query's own errors are not those of what is around it.
        let statement = client.prepare(query).await.map_err(failed)?;
        if let Some(key) = key
            && !statement.columns().iter().any(|column| column.name() == key)
        {
            let wanted = format!("the column {key}, which the check names as its key");
            return Err(wrong_shape(database, "no such column", &wanted));
        }
        let count = client
            .query_one(&format!("SELECT pg_catalog.count(*) FROM (\n{query}\n) query"), &[])
            .await
            .map_err(failed)?;
        let count = u64::try_from(count.try_get::<_, i64>(0).map_err(failed)?).unwrap_or(0);
        let Some(key) = key.filter(|_| count > 0) else { return Ok((count, Vec::new())) };
        let key = quote_identifier(key);
        let sql = format!(
            "SELECT coalesce(query.{key}::pg_catalog.text, 'null') FROM (\n{query}\n) query ORDER BY 1 LIMIT {limit}"
        );
        // On a connection of its own: what the query runs may have changed what the other one's next statement means.
        let client = self.guarded(database, timeout).await?;
        let rows = client.query(&sql, &[]).await.map_err(failed)?;
        Ok((count, rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?))
    }
}

/// The type of a query's only column.
async fn one_column(client: &Client, database: &DatabaseName, query: &str) -> Result<Type> {
    let statement = client.prepare(query).await.map_err(|error| failed(database, &error))?;
    match statement.columns() {
        [column] => Ok(column.type_().clone()),
        columns => {
            let found = crate::model::human::things(columns.len() as u64, "column");
            Err(wrong_shape(database, &found, "one column"))
        }
    }
}

fn wrong_shape(database: &DatabaseName, found: &str, wanted: &str) -> Failure {
    Failure::config(codes::QUERY_SHAPE, format!("the query on {database} returns {found}"))
        .hint(format!("it must return {wanted}"))
}

/// Whether values of this type may be shown.
fn is_plain(kind: &Type) -> bool {
    [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::NUMERIC,
        Type::OID,
        Type::UUID,
        Type::DATE,
        Type::TIMESTAMP,
        Type::TIMESTAMPTZ,
        Type::INTERVAL,
    ]
    .contains(kind)
}

fn moment(row: &Row) -> Result<Moment, Error> {
    let (finite, epoch) = (row.try_get::<_, Option<bool>>(0)?, row.try_get::<_, Option<f64>>(1)?);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float that is too large becomes the largest integer"
    )]
    Ok(match (finite, epoch) {
        (None, _) => Moment::Null,
        // Years that chrono does not know are as good as no year.
        (_, Some(epoch)) => {
            DateTime::from_timestamp_micros((epoch * 1e6) as i64).map_or(Moment::Infinite, Moment::At)
        }
        (_, None) => Moment::Infinite,
    })
}

/// A template's own query that could not be answered.
pub(super) fn failed(database: &DatabaseName, error: &Error) -> Failure {
    let doing = format!("running the query on {database}");
    let text = error_text(error);
    match error.code().map(tokio_postgres::error::SqlState::code) {
        // A syntax error, or something that a subquery cannot be.
        Some("42601" | "0A000") => Failure::config(codes::QUERY_INVALID, format!("{doing}: {text}"))
            .hint("look at the check's query in the template"),
        Some("25006") => Failure::config(codes::QUERY_WRITES, format!("{doing}: {text}"))
            .hint("a check only reads: it runs in a read-only transaction"),
        // These messages quote values of the data.
        Some(code) if code.starts_with("22") || code.starts_with("P0") => Failure::inconclusive(
            codes::QUERY_FAILED,
            format!("{doing}: it failed on the data, with SQLSTATE {code}"),
        )
        .hint("--keep leaves the server to try it on"),
        _ => query_failure(&doing, error),
    }
}
