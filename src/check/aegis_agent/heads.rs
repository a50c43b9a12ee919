//! Chains against those of an earlier drill: rows that were the newest then must still be there.

use std::collections::{BTreeMap, HashSet};

use super::code::receipts as code;
use super::fold::{ChainFold, Tip};
use crate::check::Outcome;
use crate::check::verify_chain::chain_digest;
use crate::model::earlier::{EarlierDrill, EarlierDrills};
use crate::model::human;
use crate::model::verdict::{ChainHead, ChainHeads, CheckStatus, Finding, Severity};

/// Heads that a verdict has. With more chains than this the first by their tenants are compared.
const RECORDED: usize = 1000;

/// An earlier drill, and the heads that it recorded.
pub type Before<'a> = Option<(&'a EarlierDrill, &'a ChainHeads)>;

/// What to look out for.
pub fn watched(before: Before<'_>) -> HashSet<String> {
    before.iter().flat_map(|(_, heads)| heads.heads.iter().map(|head| head.hash.clone())).collect()
}

/// The heads of now.
pub fn record(fold: &ChainFold) -> ChainHeads {
    let head = |(tenant, tip): (&String, &Tip)| ChainHead {
        chain: digest(tenant),
        hash: tip.hash.clone(),
        rows: tip.rows,
        place: None,
    };
    ChainHeads { chains: fold.tips.len() as u64, heads: fold.tips.iter().take(RECORDED).map(head).collect() }
}

fn digest(tenant: &str) -> String {
    chain_digest(&[Some(tenant.to_owned())])
}

/// Heads of the drill before that are gone.
pub fn missing(fold: &ChainFold, before: Before<'_>, table: &str, allowed: bool) -> Vec<Finding> {
    let Some((drill, heads)) = before else { return Vec::new() };
    let gone: Vec<&ChainHead> = heads.heads.iter().filter(|head| !fold.saw(&head.hash)).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let chains: BTreeMap<String, (&String, &Tip)> =
        fold.tips.iter().map(|(tenant, tip)| (digest(tenant), (tenant, tip))).collect();
    let found = |head: &&ChainHead| {
        let (subject, actual) = match chains.get(&head.chain) {
            Some((tenant, tip)) => (
                format!("the chain of tenant {} in {table}", human::one_line(tenant, 80)),
                format!("it is gone: the chain has {} now", human::things(tip.rows, "row")),
            ),
            None => (
                format!("the chain with the digest {} in {table}", human::one_line(&head.chain, 32)),
                "the chain is gone".to_owned(),
            ),
        };
        Finding {
            severity: if allowed { Severity::Warning } else { Severity::Error },
            code: code::HEAD_MISSING,
            subject,
            expected: format!(
                "the row with the hash {}, the newest of {} in the drill {}",
                human::one_line(&head.hash, 140),
                human::count(head.rows),
                drill.timestamp
            ),
            actual,
        }
    };
    gone.iter().map(found).collect()
}

/// The outcome with what was not compared, and the heads for the next drill.
pub fn conclude(
    outcome: Outcome,
    recorded: ChainHeads,
    before: Before<'_>,
    earlier: &EarlierDrills,
    table: &str,
) -> Outcome {
    let why = match before {
        None if outcome.status == CheckStatus::Pass => Some(earlier.none("recorded them")),
        Some((drill, heads)) if heads.chains > heads.heads.len() as u64 => Some(format!(
            "the drill {} recorded {} of {} chains",
            drill.timestamp,
            human::count(heads.heads.len() as u64),
            human::count(heads.chains)
        )),
        _ => None,
    };
    let not_compared = why.map(|actual| Finding {
        severity: Severity::Warning,
        code: code::HEADS_NOT_COMPARED,
        subject: table.to_owned(),
        expected: "the newest row of each chain of an earlier drill".to_owned(),
        actual,
    });
    let mut outcome = outcome.with(not_compared);
    outcome.heads = Some(recorded);
    outcome
}
