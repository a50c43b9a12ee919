//! Chains against those of an earlier drill: rows that were the newest then must still be there.
//!
//! A chain whose end is cut off is a whole chain, and so is what is left of a table when a chain is gone. Only what was
//! seen before tells. A prune takes rows away too, from the beginning: where every row that is left comes after the one that
//! is missing, and the first of them is no genesis row, that was it. A chain with a genesis row was not pruned: either its end
//! is gone, or it was begun anew.

use std::collections::BTreeMap;

use super::{Head, Verified, Watch};
use crate::check::Outcome;
use crate::check::chain::HexDigest;
use crate::check::verify_chain::code;
use crate::check::verify_chain::settings::VerifyChain;
use crate::model::earlier::{EarlierDrill, EarlierDrills};
use crate::model::human;
use crate::model::verdict::{ChainHead, ChainHeads, CheckStatus, Finding, Severity};

/// Heads that a verdict has. With more chains than this the first by their keys are compared.
const RECORDED: usize = 1000;
/// Digits of a chain's digest.
const DIGEST: usize = 32;

/// What to look out for.
pub fn watch(before: Option<(&EarlierDrill, &ChainHeads)>) -> Watch {
    let hashes: Vec<Vec<u8>> = before.iter().flat_map(|(_, heads)| heads.heads.iter().map(hash_of)).collect();
    Watch::of(hashes.iter().map(Vec::as_slice))
}

/// Compares, and records the heads of now.
pub fn compare(
    check: &VerifyChain,
    verified: Verified,
    before: Option<(&EarlierDrill, &ChainHeads)>,
    earlier: &EarlierDrills,
) -> Outcome {
    let recorded = record(&verified);
    let table = format!("{}.{}", check.database, check.table);
    let mut findings = Vec::new();
    let mut held = None;
    match before {
        Some((drill, heads)) => {
            let there = heads.heads.iter().filter(|head| verified.sighted.contains(&hash_of(head))).count();
            held = Some(format!(
                "{} of the drill {} are there",
                human::things(there as u64, "head"),
                drill.timestamp
            ));
            findings.extend(missing(check, &verified, drill, heads));
            if heads.chains > heads.heads.len() as u64 {
                let recorded = human::count(heads.heads.len() as u64);
                let why = format!(
                    "the drill {} recorded {recorded} of {} chains",
                    drill.timestamp,
                    human::count(heads.chains)
                );
                findings.push(not_compared(table, why));
            }
        }
        None if verified.outcome.status == CheckStatus::Pass => {
            findings.push(not_compared(table, earlier.none("recorded them")));
        }
        None => {}
    }
    let mut outcome = verified.outcome.with(findings);
    if let Some(held) = held.filter(|_| outcome.status == CheckStatus::Pass) {
        outcome.summary.push_str(&format!(", {held}"));
    }
    outcome.heads = Some(recorded);
    outcome
}

fn not_compared(table: String, actual: String) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: code::HEADS_NOT_COMPARED,
        subject: table,
        expected: "the newest row of each chain of an earlier drill".to_owned(),
        actual,
    }
}

/// Heads that are not there any more.
fn missing(
    check: &VerifyChain,
    verified: &Verified,
    drill: &EarlierDrill,
    heads: &ChainHeads,
) -> Vec<Finding> {
    let gone: Vec<&ChainHead> =
        heads.heads.iter().filter(|head| !verified.sighted.contains(&hash_of(head))).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let chains: BTreeMap<String, Head<'_>> =
        verified.heads.iter().map(|head| (digest(&head.partitions), head)).collect();
    let found = |head: &&ChainHead| {
        let chain = chains.get(&head.chain);
        let key = chain.map(|chain| chain.chain);
        let place = head.place.as_ref().and_then(|place| hex::decode(place).ok());
        let is_newer = place.is_some_and(|place| verified.extents.begins_after(key, &place));
        let pruned = is_newer && verified.extents.begins_in_the_middle(key);
        let (severity, code) = match pruned {
            true => (Severity::Warning, code::HEAD_PRUNED),
            false if check.allow_missing_heads => (Severity::Warning, code::HEAD_MISSING),
            false => (Severity::Error, code::HEAD_MISSING),
        };
        let left = match chain {
            Some(chain) => format!("it is gone: the chain has {} now", human::things(chain.rows, "row")),
            None => "the chain is gone".to_owned(),
        };
        let why = match (is_newer, pruned) {
            (true, true) => ", and all that is left is newer, as after a prune",
            (true, false) => ", and what is there was begun anew: no prune leaves a genesis row",
            (false, _) => "",
        };
        Finding {
            severity,
            code,
            subject: subject(check, head, chain),
            expected: format!(
                "the row with the hash {}, the newest of {} in the drill {}",
                human::one_line(&head.hash, 140),
                human::count(head.rows),
                drill.timestamp
            ),
            actual: format!("{left}{why}"),
        }
    };
    gone.iter().map(found).collect()
}

/// A chain that is gone has no name any more: whose it was is not kept.
fn subject(check: &VerifyChain, head: &ChainHead, chain: Option<&Head<'_>>) -> String {
    let table = format!("{}.{}", check.database, check.table);
    match chain {
        Some(chain) if chain.partitions.is_empty() => format!("the chain of {table}"),
        Some(chain) => {
            let columns: Vec<&str> =
                chain.partitions.iter().map(|value| value.as_deref().unwrap_or("none")).collect();
            format!("the chain of {} in {table}", human::one_line(&columns.join(", "), 140))
        }
        None => format!("the chain with the digest {} in {table}", human::one_line(&head.chain, DIGEST)),
    }
}

fn record(verified: &Verified) -> ChainHeads {
    let kept = verified.heads.iter().count() as u64;
    let heads = verified.heads.iter().take(RECORDED).map(|head| ChainHead {
        chain: digest(&head.partitions),
        hash: shown(&head.hash),
        rows: head.rows,
        place: verified.extents.last(head.chain).map(hex::encode),
    });
    ChainHeads { chains: kept + verified.heads.omitted(), heads: heads.collect() }
}

/// The name of a chain in verdicts.
pub fn digest(partitions: &[Option<String>]) -> String {
    let json = serde_json::to_string(partitions).expect("texts and nulls are JSON");
    HexDigest::of(json.as_bytes()).as_str()[..DIGEST].to_owned()
}

/// A hash as it stands in its column: digits, or raw bytes.
fn shown(hash: &[u8]) -> String {
    match str::from_utf8(hash) {
        Ok(text) if hash.iter().all(u8::is_ascii_graphic) && !text.starts_with("\\x") => text.to_owned(),
        _ => format!("\\x{}", hex::encode(hash)),
    }
}

fn hash_of(head: &ChainHead) -> Vec<u8> {
    let raw = head.hash.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok());
    raw.unwrap_or_else(|| head.hash.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
