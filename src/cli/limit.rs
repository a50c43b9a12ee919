//! A time limit for commands that only ask: a store that hangs must not hang the command.

use std::time::Duration;

use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;

/// Waits for work that asks the store, but no longer than the limit.
///
/// # Errors
/// `timed_out`, and those of the work.
pub async fn in_time<T>(limit: Duration, doing: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let limit = human::duration(limit.as_secs_f64());
        let message = format!("{doing} took longer than {limit}, and was given up");
        Err(Failure::inconclusive(codes::TIMED_OUT, message)
            .hint("the store or the network is slow, or hangs; this says nothing about the backups"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_does_not_end_is_given_up() {
        let never = std::future::pending::<Result<()>>();
        let failure = in_time(Duration::from_millis(1), "planning", never).await.unwrap_err();
        assert_eq!(failure.code.as_str(), "timed_out");
        assert!(failure.message.starts_with("planning took longer than "), "{failure}");
    }
}
