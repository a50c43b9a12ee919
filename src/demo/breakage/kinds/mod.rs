//! Every kind of breakage, a file for each matter.

/// The beginning of the day this many days ago, in UTC. The sample data begins earlier.
macro_rules! days_ago {
    ($days:literal) => {
        concat!(
            "(date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '",
            $days,
            " days')"
        )
    };
}

mod access;
mod around_chain;
mod chain;
mod content;
mod objects;
mod storage;

use super::{Breakage, Edit};

/// Every kind: tampered audit data first, then what belongs to it, other data, what happens to recovery points,
/// and roles.
pub fn all() -> impl Iterator<Item = &'static Breakage> {
    [chain::KINDS, around_chain::KINDS, content::KINDS, objects::KINDS, storage::KINDS, access::KINDS]
        .into_iter()
        .flatten()
}

const fn audit(sql: &'static str) -> Edit {
    Edit { database: "acp_audit", sql }
}

const fn usage(sql: &'static str) -> Edit {
    Edit { database: "acp_usage", sql }
}
