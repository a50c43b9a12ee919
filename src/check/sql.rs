//! `sql`: a query of the template's own that must hold.

mod sqlite;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::context::Context;
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::{positive, subquery};
use crate::model::code::Code;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::SharedServer;
use crate::target::postgres::assertion::{Answer, Moment};
use crate::template::Template;

findings! {
    VALUE_DIFFERS = "value_differs", "error":
        "The value is not the one in `expect`.",
        "Ask the source the same.",
        "crm: 12, expected 13";
    VALUE_LOW = "value_low", "error":
        "The value is below `min`.",
        "Ask the source the same. Move the bound if that is right.",
        "crm: 12, expected at least 13";
    VALUE_HIGH = "value_high", "error":
        "The value is above `max`.",
        "Ask the source the same. Move the bound if that is right.",
        "crm: 14, expected at most 13";
    NOT_A_NUMBER = "not_a_number", "error":
        "The value cannot be compared with `min` or `max`.",
        "Cast it in the query.",
        "crm: twelve, expected at least 13";
    VALUE_NULL = "value_null", "error":
        "The value is null. For `max_age`: there is nothing that has a time.",
        "Check whether the table is empty.",
        "crm: null, expected at least 13";
    NO_ROW = "no_row", "error":
        "A rule for a single value, and there is no row.",
        "Let the query return one, such as an aggregate.",
        "crm: no row, expected at least 13";
    SEVERAL_ROWS = "several_rows", "error":
        "A rule for a single value, and there is more than one row.",
        "Let the query return one, such as an aggregate.",
        "crm: more than one row, expected at least 13";
    ROWS_FOUND = "rows_found", "error":
        "There are rows where none should be. With `key` the first 10 are named; without it, their number.",
        "Look at these rows in the source.",
        "crm 4711: the row";
    TOO_OLD = "too_old", "error":
        "The time is older than `max_age` allows.",
        "Check whether the dump was made from a replica that fell behind, or from a database that is no longer written to.",
        "shop: 2026-05-15 03:00:00Z, which is 2d before the recovery point, expected at most 26h";
    NOT_A_TIME = "not_a_time", "error":
        "The time is infinite.",
        "Leave such rows out in the query.",
        "shop: an infinite time, expected at most 26h before the recovery point";
    NEWER_THAN_DUMP = "newer_than_dump", "warning":
        "The time lies more than 5 minutes after the recovery point.",
        "Look for rows dated in the future: one of them hides that all others are old.",
        "shop: 2031-01-01 00:00:00Z, which is 4y after the recovery point";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "sql",
    read: read::<Sql>,
    keys: keys::<Sql>,
    skipped: "nothing was verified",
    findings: FINDINGS,
};

/// A query that must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The check's name.
    pub name: String,
    /// The database it is asked of.
    pub database: DatabaseName,
    /// The query.
    pub query: String,
    /// The single value must be this.
    #[serde(default)]
    pub expect: Option<Expected>,
    /// The single value must be a number, and at least this.
    #[serde(default)]
    pub min: Option<f64>,
    /// The single value must be a number, and at most this.
    #[serde(default)]
    pub max: Option<f64>,
    /// There must be no row.
    #[serde(default)]
    pub empty: bool,
    /// The column by which rows that should not be there are named. Without it they are counted only.
    #[serde(default)]
    pub key: Option<String>,
    /// The single value is a time, and must not lie further back from the recovery point than this.
    #[serde(with = "humantime_serde", default)]
    pub max_age: Option<Duration>,
    /// Whether a text that is not the expected one may be shown. Numbers, times and truth values always are.
    #[serde(default)]
    pub show_value: bool,
    /// How long the query may take.
    #[serde(with = "humantime_serde", default = "query_timeout")]
    pub timeout: Duration,
}

/// What a query must answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expect must be a text, a number or a truth value")]
pub enum Expected {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// Text, or any other value as Postgres writes it.
    Text(String),
}

fn query_timeout() -> Duration {
    Duration::from_secs(60)
}

#[async_trait]
impl Check for Sql {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        [&self.database].into()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let place = format!("check {}", self.name);
        let rules = [
            self.expect.is_some(),
            self.min.is_some() || self.max.is_some(),
            self.empty,
            self.max_age.is_some(),
        ];
        if rules.iter().filter(|given| **given).count() != 1 {
            return Err(format!("{place}: give one of expect, min and max, empty = true, or max_age"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("{place}: min {min} is above max {max}"));
        }
        if [self.min, self.max].into_iter().flatten().any(f64::is_nan) {
            return Err(format!("{place}: a bound must be a number"));
        }
        if self.key.is_some() && !self.empty {
            return Err(format!(
                "{place}: key names rows that should not be there, so it goes with empty = true"
            ));
        }
        if self.show_value && !matches!(self.expect, Some(Expected::Text(_))) {
            return Err(format!(
                "{place}: show_value goes with a text in expect; other values are always shown"
            ));
        }
        subquery(&self.query, &place)?;
        positive(self.timeout, &place)
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Rows that should not be there and are named; the rest is counted.
const NAMED: u32 = 10;
/// A time that lies further after the recovery point than this cannot have been written before the dump.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Asks the query, and judges what it answers.
async fn run(check: &Sql, context: &Context<'_>) -> Result<Outcome> {
    let (database, query) = (&check.database, &check.query);
    if let Some(workbench) = context.workbench_of(database) {
        return sqlite::run(check, workbench, context).await;
    }
    let SharedServer { server, connections } = context.tools.servers.of(database);
    let _permit = connections.hold(1).await;
    if let Some(max_age) = check.max_age {
        let moments = server.moments(database, query, check.timeout).await?;
        let max_age = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
        return Ok(judge_age(check, max_age, &moments, context.taken_at(database)));
    }
    if check.empty {
        let key = check.key.as_deref();
        let (count, keys) = server.rows_returned(database, query, key, NAMED, check.timeout).await?;
        return Ok(judge_empty(check, count, &keys));
    }
    Ok(judge_value(check, &server.answer(database, query, check.timeout).await?))
}

/// No row may be there.
fn judge_empty(check: &Sql, count: u64, keys: &[String]) -> Outcome {
    let mut findings = Findings::default();
    let mut find = |subject, actual| {
        let expected = "no row".to_owned();
        findings.push(Finding { severity: Severity::Error, code: ROWS_FOUND, subject, expected, actual });
    };
    if count > 0 && keys.is_empty() {
        find(subject(check), human::things(count, "row"));
    }
    for key in keys {
        find(format!("{} {}", subject(check), human::one_line(key, 120)), "the row".to_owned());
    }
    if !keys.is_empty() {
        findings.count_unnamed(count);
    }
    findings.into_outcome(Verified::FACT, "no row, as expected".to_owned())
}

/// The single value must be the expected one, or lie within the bounds.
fn judge_value(check: &Sql, answer: &Answer) -> Outcome {
    let expected = expectation(check);
    let shown = |value: &str| {
        if answer.plain || check.show_value {
            human::one_line(value, 200)
        } else {
            format!(
                "another {} of {}",
                answer.type_name,
                human::things(value.chars().count() as u64, "character")
            )
        }
    };
    let (code, actual) = match single(&answer.values) {
        Err(none_or_many) => none_or_many,
        Ok(None) => (VALUE_NULL, "null".to_owned()),
        Ok(Some(value)) => match violation(check, value) {
            Some(code) => (code, shown(value)),
            None => {
                return Findings::default().into_outcome(
                    Verified::FACT,
                    format!("{}, expected {expected}", shown_held(answer, check, value)),
                );
            }
        },
    };
    failed(check, code, expected, actual)
}

/// A value that is the expected one is in the template anyway.
fn shown_held(answer: &Answer, check: &Sql, value: &str) -> String {
    if answer.plain || check.show_value {
        human::one_line(value, 200)
    } else {
        "the value is right".to_owned()
    }
}

/// The single moment must not be too old.
fn judge_age(check: &Sql, max_age: TimeDelta, moments: &[Moment], taken_at: DateTime<Utc>) -> Outcome {
    let expected = format!("at most {} before the recovery point", span(max_age));
    let (code, actual) = match single(moments) {
        Err(none_or_many) => none_or_many,
        Ok(Moment::Null) => (VALUE_NULL, "null: nothing has a time".to_owned()),
        Ok(Moment::Infinite) => (NOT_A_TIME, "an infinite time".to_owned()),
        Ok(Moment::At(at)) => {
            let age = taken_at - *at;
            let written = human::moment(*at);
            if age > max_age {
                (TOO_OLD, format!("{written}, which is {} before the recovery point", span(age)))
            } else {
                let mut findings = Findings::default();
                let held = if age < -CLOCK_SKEW {
                    let actual = format!("{written}, which is {} after the recovery point", span(-age));
                    findings.push(finding(
                        check,
                        Severity::Warning,
                        NEWER_THAN_DUMP,
                        expected.clone(),
                        actual.clone(),
                    ));
                    actual
                } else {
                    format!("{written}, {} before the recovery point", span(age.max(TimeDelta::zero())))
                };
                return findings.into_outcome(Verified::FACT, held);
            }
        }
    };
    failed(check, code, expected, actual)
}

/// The only one of these, or the code and the words for there being none or several.
fn single<T>(values: &[T]) -> Result<&T, (Code, String)> {
    match values {
        [value] => Ok(value),
        [] => Err((NO_ROW, "no row".to_owned())),
        _ => Err((SEVERAL_ROWS, "more than one row".to_owned())),
    }
}

/// The code of what is wrong with a value.
fn violation(check: &Sql, value: &str) -> Option<Code> {
    if let Some(expected) = &check.expect {
        return (!equals(expected, value)).then_some(VALUE_DIFFERS);
    }
    let Some(number) = number(value) else { return Some(NOT_A_NUMBER) };
    if check.min.is_some_and(|min| number < min) {
        return Some(VALUE_LOW);
    }
    check.max.is_some_and(|max| number > max).then_some(VALUE_HIGH)
}

/// Numbers are compared as numbers: `3` is `3.00`.
fn equals(expected: &Expected, value: &str) -> bool {
    match expected {
        Expected::Text(text) => text == value,
        Expected::Bool(truth) => value == if *truth { "true" } else { "false" },
        // Through a float two large numbers would look the same.
        Expected::Integer(expected) => match value.parse::<i128>() {
            Ok(integer) => integer == i128::from(*expected),
            Err(_) => whole(value) == Some(i128::from(*expected)),
        },
        #[expect(clippy::float_cmp, reason = "the number that was asked for, and no other")]
        Expected::Float(expected) => number(value).is_some_and(|number| number == *expected),
    }
}

/// A whole number that is written with a point or an exponent: `3.00`, `1.5e+06`.
fn whole(value: &str) -> Option<i128> {
    let (mantissa, exponent) = value.split_once('e').unwrap_or((value, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let behind = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    // With more zeros than this no number fits 128 bits.
    let zeros = usize::try_from(behind.saturating_neg()).unwrap_or(0).min(40);
    let digits = format!("{integer}{fraction}{}", "0".repeat(zeros));
    let point = digits.len().checked_sub(usize::try_from(behind).unwrap_or(0))?;
    let (whole, rest) = digits.split_at_checked(point)?;
    rest.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
}

fn number(value: &str) -> Option<f64> {
    // Rust also reads words such as `inf`, and Postgres writes `Infinity` and `NaN`.
    value.parse().ok().filter(|number: &f64| !number.is_nan())
}

fn expectation(check: &Sql) -> String {
    match (&check.expect, check.min, check.max) {
        (Some(Expected::Bool(truth)), ..) => truth.to_string(),
        (Some(Expected::Integer(integer)), ..) => integer.to_string(),
        (Some(Expected::Float(float)), ..) => float.to_string(),
        (Some(Expected::Text(text)), ..) => format!("`{}`", human::one_line(text, 200)),
        (None, Some(min), Some(max)) => format!("{min} to {max}"),
        (None, Some(min), None) => format!("at least {min}"),
        (None, None, Some(max)) => format!("at most {max}"),
        (None, None, None) => "any value".to_owned(),
    }
}

fn span(delta: TimeDelta) -> String {
    human::duration(delta.as_seconds_f64())
}

fn subject(check: &Sql) -> String {
    check.database.to_string()
}

fn finding(check: &Sql, severity: Severity, code: Code, expected: String, actual: String) -> Finding {
    Finding { severity, code, subject: subject(check), expected, actual }
}

fn failed(check: &Sql, code: Code, expected: String, actual: String) -> Outcome {
    let mut findings = Findings::default();
    let actual = format!("{actual}, expected {expected}");
    findings.push(finding(check, Severity::Error, code, expected, actual));
    findings.into_outcome(0, String::new())
}

#[cfg(test)]
mod tests;
