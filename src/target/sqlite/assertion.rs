//! Queries of a template, for check `sql`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::Workbench;
use super::query::written;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::target::postgres::assertion::{Answer, Moment};

/// How SQLite's own functions write a time, and what is common besides.
const TIMES: [&str; 4] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
/// Whole numbers above this are milliseconds: as seconds, they would be of the year 5138.
const SECONDS_UP_TO: i64 = 100_000_000_000;

impl Workbench {
    /// The answer of a query with one column: two rows at most, which is enough to know that there is not just one.
    ///
    /// # Errors
    /// `query_invalid`, `sqlite_failed`.
    pub async fn answer(&self, database: &DatabaseName, query: &str, limit: Duration) -> Result<Answer> {
        let values = self.values(database, query, limit).await?;
        let plain = values.iter().all(|value| value.is_number() || value.is_null());
        Ok(Answer {
            type_name: if plain { "number" } else { "text" }.to_owned(),
            plain,
            values: values.iter().map(written).collect(),
        })
    }

    /// The number of rows that a query returns, and of the first ones the value of a column.
    ///
    /// # Errors
    /// `query_invalid`, `sqlite_failed`.
    pub async fn rows_returned(
        &self,
        database: &DatabaseName,
        query: &str,
        key: Option<&str>,
        named: u32,
        limit: Duration,
    ) -> Result<(u64, Vec<String>)> {
        let counted = format!("SELECT count(*) AS rows FROM (\n{query}\n)");
        let rows = self.query_within(database, &counted, limit.as_secs()).await?;
        let count = rows.first().map_or(Ok(0), |row| row.number("rows"))?;
        let Some(key) = key.filter(|_| count > 0) else { return Ok((count, Vec::new())) };
        let keys = format!("SELECT q.{} AS key FROM (\n{query}\n) AS q LIMIT {named}", super::name(key));
        let rows = self.query_within(database, &keys, limit.as_secs()).await?;
        let shown = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        let keys = rows.iter().map(|row| row.value("key").map(shown)).collect::<Result<_>>()?;
        Ok((count, keys))
    }

    /// The times that a query with one column answers.
    ///
    /// # Errors
    /// `query_invalid`, also for what is no time.
    pub async fn moments(
        &self,
        database: &DatabaseName,
        query: &str,
        limit: Duration,
    ) -> Result<Vec<Moment>> {
        self.values(database, query, limit).await?.iter().map(moment).collect()
    }

    async fn values(&self, database: &DatabaseName, query: &str, limit: Duration) -> Result<Vec<Value>> {
        let limited = format!("SELECT * FROM (\n{query}\n) LIMIT 2");
        let rows = self.query_within(database, &limited, limit.as_secs()).await?;
        rows.iter().map(|row| row.only().cloned()).collect()
    }
}

/// SQLite has no type for times: they are texts, or seconds or milliseconds since 1970.
fn moment(value: &Value) -> Result<Moment> {
    let read = match value {
        Value::Null => return Ok(Moment::Null),
        Value::Number(number) => number.as_i64().and_then(|number| {
            if number.abs() <= SECONDS_UP_TO {
                DateTime::from_timestamp(number, 0)
            } else {
                DateTime::from_timestamp_millis(number)
            }
        }),
        Value::String(text) => time(text),
        _ => None,
    };
    read.map(Moment::At).ok_or_else(|| {
        let shown = human::one_line(&written(value).unwrap_or_default(), 40);
        Failure::config(codes::QUERY_INVALID, format!("the query's answer `{shown}` is no time")).hint(
            "answer a text such as 2026-05-17 08:31:11 (in UTC), one of RFC 3339, or seconds since 1970",
        )
    })
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let plain = text.trim_end_matches(" UTC").trim_end_matches('Z');
    TIMES
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(plain, format).ok())
        .map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_applications_write_them() {
        let expected = "2026-05-17T08:31:11Z".parse::<DateTime<Utc>>().unwrap();
        for value in [
            json!("2026-05-17 08:31:11"),
            json!("2026-05-17T08:31:11Z"),
            json!("2026-05-17T08:31:11.000"),
            json!("2026-05-17T10:31:11+02:00"),
            json!("2026-05-17 08:31:11 UTC"),
            json!(1_779_006_671),
            json!(1_779_006_671_000_i64),
        ] {
            assert_eq!(moment(&value).unwrap(), Moment::At(expected), "{value}");
        }
        assert_eq!(moment(&json!(null)).unwrap(), Moment::Null);
        for value in [json!("yesterday"), json!(1.5), json!("")] {
            assert_eq!(moment(&value).unwrap_err().code.as_str(), "query_invalid", "{value}");
        }
    }
}
