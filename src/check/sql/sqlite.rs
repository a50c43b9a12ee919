//! `sql` of a database of SQLite.

use chrono::TimeDelta;

use super::{Expected, NAMED, Sql, judge_age, judge_empty, judge_value};
use crate::check::context::Context;
use crate::check::findings::Outcome;
use crate::model::failure::Result;
use crate::target::sqlite::Workbench;

/// As the check of a database of PostgreSQL.
///
/// # Errors
/// If it cannot be judged.
pub(super) async fn run(check: &Sql, workbench: &Workbench, context: &Context<'_>) -> Result<Outcome> {
    let (database, query, limit) = (&check.database, &check.query, check.timeout);
    if let Some(max_age) = check.max_age {
        let moments = workbench.moments(database, query, limit).await?;
        let max_age = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
        return Ok(judge_age(check, max_age, &moments, context.taken_at(database)));
    }
    if check.empty {
        let key = check.key.as_deref();
        let (count, keys) = workbench.rows_returned(database, query, key, NAMED, limit).await?;
        return Ok(judge_empty(check, count, &keys));
    }
    let mut answer = workbench.answer(database, query, limit).await?;
    if let Some(Expected::Bool(_)) = check.expect {
        // SQLite has no truth values: its comparisons answer 1 and 0.
        for value in answer.values.iter_mut().flatten() {
            match value.as_str() {
                "1" => "true".clone_into(value),
                "0" => "false".clone_into(value),
                _ => {}
            }
        }
    }
    Ok(judge_value(check, &answer))
}
