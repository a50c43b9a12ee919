//! What many rows have in common, as one finding with their number.

use super::rules::Rules;
use crate::check::verify_chain::code;
use crate::model::human;
use crate::model::verdict::{Finding, Severity};

/// Rows that name a parent which another row names too, with one of the parents.
pub fn forks(rules: &Rules, count: u64, chain: &[u8], parent: &[u8]) -> Finding {
    let is_too_many = rules.max_forks.is_some_and(|most| count > most);
    let (severity, code) =
        if is_too_many { (Severity::Error, code::TOO_MANY_FORKS) } else { (Severity::Warning, code::FORK) };
    Finding {
        severity,
        code,
        subject: rules.chain(chain),
        expected: match rules.max_forks {
            Some(most) if is_too_many => format!("at most {}", human::things(most, "fork")),
            _ => format!("one row after {} {}", rules.hash_name, rules.show(Some(parent))),
        },
        actual: format!(
            "more than one; {} in all, each a row that names a parent which another row names too",
            human::things(count, "fork")
        ),
    }
}

/// Rows in shard 0 though their request says another.
pub fn unsharded(count: u64) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: code::WRONG_SHARD,
        subject: human::things(count, "row"),
        expected: "the chain_shard that follows from the request_id of a version-2 row".to_owned(),
        actual: "chain_shard 0: if this installation has one shard, set shards = 1".to_owned(),
    }
}

/// Rows that were hashed with an empty timestamp.
pub fn untimed(count: u64) -> Finding {
    Finding {
        severity: Severity::Info,
        code: code::UNTIMED_HASH,
        subject: human::things(count, "row"),
        expected: "the timestamp in the hash of a version-2 row".to_owned(),
        actual:
            "an empty one, as some writers hash it: the chain does not prove when these rows were written"
                .to_owned(),
    }
}
