//! `verify-chain`: every row of a tamper-evident chain is unaltered, and none is missing between two others.
//!
//! A pure fold over rows in chain order. It works on stored hashes alone, row by row, so after a break it goes on
//! with the row it has: one edited row is one finding, not a finding for every row after it.

use super::{Findings, Outcome};
use crate::chain::{AuditRow, GENESIS, HashVersion, RowHasher};
use crate::verdict::{Finding, Severity};

/// A row of an audit chain.
#[derive(Debug, Clone, Copy)]
pub struct ChainRow<'a> {
    /// Its primary key.
    pub id: &'a str,
    /// The shard of its tenant's chain.
    pub shard: i16,
    /// Its place in the true order, where the table has one.
    pub sequence: Option<i64>,
    /// `hash_version`, as the column has it.
    pub version: Option<i16>,
    /// The hash stored with it.
    pub event_hash: Option<&'a str>,
    /// The hash it says the row before it has.
    pub prev_hash: Option<&'a str>,
    /// What is hashed.
    pub content: AuditRow<'a>,
}

/// Verifies chains. Feed it whole chains, one after another, each in its order.
pub struct ChainFold {
    hasher: RowHasher,
    findings: Findings,
    rows: u64,
    chains: u64,
    current: Option<Chain>,
    require_genesis: bool,
}

/// The chain that is being followed.
#[derive(Default)]
struct Chain {
    tenant: String,
    shard: i16,
    last_hash: Option<String>,
    last_sequence: Option<i64>,
}

impl ChainFold {
    /// A fold that takes a chain that begins in the middle as pruned, unless `require_genesis`.
    pub fn new(require_genesis: bool) -> Self {
        Self {
            hasher: RowHasher::new(),
            findings: Findings::default(),
            rows: 0,
            chains: 0,
            current: None,
            require_genesis,
        }
    }

    /// Takes the next row.
    pub fn push(&mut self, row: &ChainRow<'_>) {
        self.rows += 1;
        self.check_link(row);
        self.check_sequence(row);
        self.check_hash(row);
        self.advance(row);
    }

    /// Adds what another fold found in other chains.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.chains += other.chains;
        self.findings.merge(other.findings);
    }

    /// The outcome.
    pub fn finish(self) -> Outcome {
        let held = format!(
            "{} rows in {}",
            crate::human::count(self.rows),
            crate::human::things(self.chains, "chain")
        );
        self.findings.into_outcome(self.rows, held)
    }

    fn follows(&self, row: &ChainRow<'_>) -> Option<&Chain> {
        let tenant = row.content.tenant_id.unwrap_or_default();
        self.current.as_ref().filter(|chain| chain.shard == row.shard && chain.tenant == tenant)
    }

    fn check_link(&mut self, row: &ChainRow<'_>) {
        let actual = row.prev_hash.unwrap_or("null");
        let (severity, code, expected) = match self.follows(row) {
            Some(chain) => match &chain.last_hash {
                Some(expected) if actual != expected => (Severity::Error, "broken_link", expected.clone()),
                // The row before has no hash, which is a finding of its own.
                _ => return,
            },
            None if actual == GENESIS => return,
            None => {
                let severity = if self.require_genesis { Severity::Error } else { Severity::Warning };
                (severity, "missing_genesis", GENESIS.to_owned())
            }
        };
        self.find(row, severity, code, format!("prev_hash {expected}"), format!("prev_hash {actual}"));
    }

    fn check_sequence(&mut self, row: &ChainRow<'_>) {
        let last = self.follows(row).and_then(|chain| chain.last_sequence);
        if let (Some(last), Some(sequence)) = (last, row.sequence)
            && sequence <= last
        {
            let expected = format!("chain_sequence above {last}");
            self.find(
                row,
                Severity::Error,
                "duplicate_sequence",
                expected,
                format!("chain_sequence {sequence}"),
            );
        }
    }

    fn check_hash(&mut self, row: &ChainRow<'_>) {
        let (Some(stored), Some(prev_hash)) = (row.event_hash, row.prev_hash) else {
            let missing = if row.event_hash.is_none() { "event_hash" } else { "prev_hash" };
            self.find(
                row,
                Severity::Error,
                "null_hash",
                format!("{missing} is set"),
                format!("{missing} is null"),
            );
            return;
        };
        let computed = HashVersion::from_column(row.version)
            .and_then(|version| self.hasher.event_hash(prev_hash, &row.content, version));
        match computed {
            Ok(hash) if hash.as_str() == stored => {}
            Ok(hash) => self.find(
                row,
                Severity::Error,
                "hash_mismatch",
                format!("event_hash {}", hash.as_str()),
                format!("event_hash {stored}: the row is not what was hashed"),
            ),
            Err(error) => self.find(
                row,
                Severity::Error,
                "unhashable_row",
                "a row that can be hashed".to_owned(),
                error.to_string(),
            ),
        }
    }

    fn advance(&mut self, row: &ChainRow<'_>) {
        if self.follows(row).is_none() {
            self.chains += 1;
            self.current = Some(Chain {
                tenant: row.content.tenant_id.unwrap_or_default().to_owned(),
                shard: row.shard,
                ..Chain::default()
            });
        }
        let Some(chain) = &mut self.current else { return };
        chain.last_sequence = row.sequence;
        match (&mut chain.last_hash, row.event_hash) {
            // Reuses the buffer: this runs for every row.
            (Some(last), Some(hash)) => {
                last.clear();
                last.push_str(hash);
            }
            (last, hash) => *last = hash.map(str::to_owned),
        }
    }

    fn find(
        &mut self,
        row: &ChainRow<'_>,
        severity: Severity,
        code: &'static str,
        expected: String,
        actual: String,
    ) {
        let tenant = row.content.tenant_id.unwrap_or("none");
        let subject = format!("row {} of the chain of tenant {tenant}, shard {}", row.id, row.shard);
        self.findings.push(Finding { severity, code, subject, expected, actual });
    }
}

#[cfg(test)]
mod tests;
