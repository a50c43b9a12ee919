use proptest::prelude::*;

use super::*;
use crate::verdict::CheckStatus;

/// A row that owns its text, so that tests can spoil it.
#[derive(Debug, Clone)]
struct Owned {
    id: String,
    tenant: String,
    shard: i16,
    sequence: i64,
    version: Option<i16>,
    reason: String,
    metadata: String,
    event_hash: Option<String>,
    prev_hash: Option<String>,
}

impl Owned {
    fn row(&self) -> ChainRow<'_> {
        ChainRow {
            id: &self.id,
            shard: self.shard,
            sequence: Some(self.sequence),
            version: self.version,
            event_hash: self.event_hash.as_deref(),
            prev_hash: self.prev_hash.as_deref(),
            content: AuditRow {
                tenant_id: Some(&self.tenant),
                agent_id: None,
                action: "execute_tool",
                tool: Some("tool"),
                decision: "allow",
                request_id: None,
                reason: Some(&self.reason),
                metadata: Some(&self.metadata),
                timestamp_micros: Some(1_777_593_600_000_000 + self.sequence),
            },
        }
    }

    /// Hashes the row as the platform would, after the row before it.
    fn seal(&mut self, prev_hash: &str) -> String {
        self.prev_hash = Some(prev_hash.to_owned());
        let version = HashVersion::from_column(self.version).unwrap();
        let hash = RowHasher::new().event_hash(prev_hash, &self.row().content, version).unwrap();
        self.event_hash = Some(hash.as_str().to_owned());
        hash.as_str().to_owned()
    }
}

fn chain(tenant: &str, shard: i16, length: i64) -> Vec<Owned> {
    let mut prev_hash = GENESIS.to_owned();
    (0..length)
        .map(|sequence| {
            let mut row = Owned {
                id: format!("{tenant}-{shard}-{sequence}"),
                tenant: tenant.to_owned(),
                shard,
                sequence,
                version: Some(2),
                reason: format!("reason {sequence}"),
                metadata: format!("{{\"n\": {sequence}}}"),
                event_hash: None,
                prev_hash: None,
            };
            prev_hash = row.seal(&prev_hash);
            row
        })
        .collect()
}

fn outcome(rows: &[Owned]) -> Outcome {
    let mut fold = ChainFold::new(false);
    rows.iter().for_each(|row| fold.push(&row.row()));
    fold.finish()
}

/// Codes and the ids they are about.
fn seen(rows: &[Owned]) -> Vec<(&'static str, String)> {
    let id = |finding: &Finding| finding.subject.split(' ').nth(1).unwrap().to_owned();
    outcome(rows).findings.iter().map(|finding| (finding.code, id(finding))).collect()
}

#[test]
fn whole_chains_hold_however_many() {
    let rows: Vec<Owned> = [chain("a", 0, 5), chain("a", 1, 1), chain("b", 0, 3)].concat();
    let outcome = outcome(&rows);
    assert_eq!((outcome.status, outcome.rows_verified, outcome.findings_total), (CheckStatus::Pass, 9, 0));
    assert_eq!(outcome.summary, "9 rows in 3 chains");
}

#[test]
fn an_edited_row_is_one_finding_and_names_the_row() {
    let mut rows = chain("a", 0, 5);
    rows[2].reason = "another".to_owned();
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-2".to_owned())]);
}

#[test]
fn edited_metadata_is_seen_in_version_2_and_an_edited_reason_is_not_in_version_1() {
    let mut rows = chain("a", 0, 5);
    rows[3].metadata = "{\"n\": 4}".to_owned();
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-3".to_owned())]);

    let mut rows = chain("a", 0, 2);
    let mut prev_hash = GENESIS.to_owned();
    for row in &mut rows {
        row.version = None;
        prev_hash = row.seal(&prev_hash);
    }
    rows[1].reason = "edited".to_owned();
    assert_eq!(seen(&rows), []);
}

#[test]
fn a_deleted_row_breaks_the_link_of_the_next() {
    let mut rows = chain("a", 0, 5);
    rows.remove(2);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
}

#[test]
fn swapped_rows_are_seen() {
    let mut rows = chain("a", 0, 5);
    rows.swap(2, 3);
    let codes: Vec<&str> = seen(&rows).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["broken_link", "broken_link", "duplicate_sequence", "broken_link"]);
}

#[test]
fn a_row_hashed_anew_breaks_the_link_after_it() {
    let mut rows = chain("a", 0, 5);
    rows[2].reason = "another".to_owned();
    let prev_hash = rows[2].prev_hash.clone().unwrap();
    rows[2].seal(&prev_hash);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
}

#[test]
fn a_chain_that_begins_in_the_middle_is_a_warning_unless_that_is_forbidden() {
    let rows = chain("a", 0, 5).split_off(2);
    let pruned = outcome(&rows);
    assert_eq!((pruned.status, pruned.findings[0].code), (CheckStatus::Pass, "missing_genesis"));
    let mut strict = ChainFold::new(true);
    rows.iter().for_each(|row| strict.push(&row.row()));
    assert_eq!(strict.finish().status, CheckStatus::Fail);
}

#[test]
fn null_hashes_and_unknown_versions_are_findings() {
    let mut rows = chain("a", 0, 4);
    rows[1].event_hash = None;
    rows[3].version = Some(9);
    assert_eq!(seen(&rows), [("null_hash", "a-0-1".to_owned()), ("unhashable_row", "a-0-3".to_owned())]);
}

#[test]
fn a_row_under_another_tenant_is_seen() {
    let mut rows = [chain("a", 0, 3), chain("b", 0, 3)].concat();
    rows[5].tenant = "c".to_owned();
    let codes: Vec<&str> = seen(&rows).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["missing_genesis", "hash_mismatch"]);
}

#[test]
fn folds_of_different_chains_merge() {
    let mut broken = chain("b", 0, 3);
    broken[1].reason.push('!');
    let (mut first, mut second) = (ChainFold::new(false), ChainFold::new(false));
    chain("a", 0, 3).iter().for_each(|row| first.push(&row.row()));
    broken.iter().for_each(|row| second.push(&row.row()));
    first.merge(second);
    let outcome = first.finish();
    assert_eq!((outcome.rows_verified, outcome.findings_total, outcome.status), (6, 1, CheckStatus::Fail));
}

proptest! {
    #[test]
    fn any_edit_of_a_version_2_row_is_found(length in 1i64..12, at in 0usize..12, text in "\\PC{0,8}") {
        let mut rows = chain("a", 0, length);
        let at = at % rows.len();
        prop_assume!(rows[at].reason != text);
        rows[at].reason = text;
        prop_assert_eq!(seen(&rows), [("hash_mismatch", rows[at].id.clone())]);
    }

    #[test]
    fn any_other_order_is_found(order in Just((0usize..7).collect::<Vec<_>>()).prop_shuffle()) {
        prop_assume!(order.windows(2).any(|pair| pair[0] > pair[1]));
        let rows = chain("a", 0, 7);
        let shuffled: Vec<Owned> = order.iter().map(|index| rows[*index].clone()).collect();
        prop_assert!(outcome(&shuffled).findings_total > 0);
    }
}
