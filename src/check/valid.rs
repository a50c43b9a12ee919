//! Rules that keys of several checks follow.

use std::time::Duration;

/// A query must be one that can stand in another.
pub fn subquery(query: &str, place: &str) -> Result<(), String> {
    if query.trim().is_empty() {
        return Err(format!("{place}: the query is empty"));
    }
    if query.trim_end().ends_with(';') {
        return Err(format!(
            "{place}: the query ends with a semicolon; it is used as a subquery, so leave it out"
        ));
    }
    Ok(())
}

/// Postgres takes no time at all for no limit.
pub fn positive(timeout: Duration, place: &str) -> Result<(), String> {
    if timeout.as_millis() == 0 {
        return Err(format!("{place}: timeout must be longer than nothing"));
    }
    Ok(())
}

/// For keys that are `true` unless the template says otherwise.
pub fn yes() -> bool {
    true
}

/// How long a query over whole tables may take, unless the template says otherwise.
pub fn scan_timeout() -> Duration {
    Duration::from_secs(10 * 60)
}
