use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::check::chain::{AuditRow, GENESIS, HashVersion, RowHasher, SHARDS, chain_shard};
use crate::check::verify_chain::settings::VerifyChain;
use crate::model::verdict::{CheckStatus, Finding, Severity};
use crate::target::postgres::chain_rows::FieldQuery;

/// Microseconds from the Unix epoch to Postgres's own.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A row that owns its fields, so that tests can spoil it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check::verify_chain) struct Row {
    id: String,
    tenant: String,
    shard: i16,
    sequence: i64,
    version: Option<i16>,
    agent: Option<String>,
    action: String,
    tool: Option<String>,
    decision: String,
    request: Option<String>,
    reason: Option<String>,
    metadata: Option<String>,
    at: i64,
    event_hash: Option<String>,
    prev_hash: Option<String>,
}

impl Row {
    fn content(&self) -> AuditRow<'_> {
        AuditRow {
            tenant_id: Some(&self.tenant),
            agent_id: self.agent.as_deref(),
            action: &self.action,
            tool: self.tool.as_deref(),
            decision: &self.decision,
            request_id: self.request.as_deref(),
            reason: self.reason.as_deref(),
            metadata: self.metadata.as_deref(),
            timestamp_micros: Some(self.at),
        }
    }

    /// Hashes the row as the platform would, after the row before it. Nobody can hash a row of a version that is not
    /// known: such a row gets another.
    fn seal(&mut self, prev_hash: &str) -> String {
        self.prev_hash = Some(prev_hash.to_owned());
        self.version = self.version.filter(|version| HashVersion::from_column(Some(*version)).is_ok());
        let version = HashVersion::from_column(self.version).unwrap();
        let hash = RowHasher::new().event_hash(prev_hash, &self.content(), version).unwrap();
        self.event_hash = Some(hash.as_str().to_owned());
        hash.as_str().to_owned()
    }

    /// The field of a column, and its kind.
    fn field(&self, column: &str) -> (FieldKind, Option<Vec<u8>>) {
        let text = |text: &str| (FieldKind::Text, Some(text.as_bytes().to_vec()));
        let maybe =
            |text: &Option<String>| (FieldKind::Text, text.as_ref().map(|text| text.clone().into_bytes()));
        match column {
            "id" => text(&self.id),
            "tenant_id" => text(&self.tenant),
            "chain_shard" => (FieldKind::Int, Some(self.shard.to_be_bytes().to_vec())),
            "chain_sequence" => (FieldKind::Int, Some(self.sequence.to_be_bytes().to_vec())),
            "hash_version" => (FieldKind::Int, self.version.map(|version| version.to_be_bytes().to_vec())),
            "agent_id" => maybe(&self.agent),
            "action" => text(&self.action),
            "tool" => maybe(&self.tool),
            "decision" => text(&self.decision),
            "request_id" => maybe(&self.request),
            "reason" => maybe(&self.reason),
            "metadata_json" => maybe(&self.metadata),
            "timestamp" => (FieldKind::Moment, Some((self.at - POSTGRES_EPOCH).to_be_bytes().to_vec())),
            "event_hash" => maybe(&self.event_hash),
            "prev_hash" => maybe(&self.prev_hash),
            other => panic!("no column {other}"),
        }
    }
}

const COLUMNS: [&str; 15] = [
    "id",
    "tenant_id",
    "chain_shard",
    "chain_sequence",
    "hash_version",
    "agent_id",
    "action",
    "tool",
    "decision",
    "request_id",
    "reason",
    "metadata_json",
    "timestamp",
    "event_hash",
    "prev_hash",
];

pub(in crate::check::verify_chain) fn layout(more: &str) -> Layout {
    // The rows here have shards of their own.
    let shards = if more.contains("shards") { "" } else { "shards = 0\n" };
    let text =
        format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\nscheme = \"aegis-audit\"\n{shards}{more}");
    let chain = toml::from_str::<VerifyChain>(&text).unwrap().chain().unwrap();
    let columns: BTreeSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    Layout::new(&chain, &columns).unwrap()
}

fn fold_in(layout: Layout, rows: &[Row], order: Order) -> RowFold {
    fold_of(layout, rows, order, Watch::default())
}

pub(in crate::check::verify_chain) fn fold_of(
    layout: Layout,
    rows: &[Row],
    order: Order,
    watch: Watch,
) -> RowFold {
    let names: Vec<String> = layout
        .wanted
        .iter()
        .map(|want| match want {
            FieldQuery::Column(name) => name.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let some = chain("x", 0, 1).remove(0);
    let kinds: Arc<[FieldKind]> = names.iter().map(|name| some.field(name).0).collect();
    let mut fold = RowFold::new(Arc::new(layout), kinds, order).watching(watch);
    for row in rows {
        let fields: Vec<Option<Vec<u8>>> = names.iter().map(|name| row.field(name).1).collect();
        fold.push(&fields.iter().map(Option::as_deref).collect::<Vec<_>>());
    }
    fold
}

fn outcome(rows: &[Row]) -> Outcome {
    fold_in(layout(""), rows, Order::Interleaved).finish().outcome
}

/// Codes and the ids they are about.
fn seen(rows: &[Row]) -> Vec<(&'static str, String)> {
    let id = |finding: &Finding| finding.subject.split(' ').nth(1).unwrap().to_owned();
    outcome(rows).findings.iter().map(|finding| (finding.code.as_str(), id(finding))).collect()
}

fn codes(rows: &[Row]) -> Vec<&'static str> {
    seen(rows).into_iter().map(|(code, _)| code).collect()
}

pub(in crate::check::verify_chain) fn chain(tenant: &str, shard: i16, length: i64) -> Vec<Row> {
    chain_from(tenant, shard, 0, length)
}

/// A chain that begins so much later.
pub(in crate::check::verify_chain) fn chain_from(
    tenant: &str,
    shard: i16,
    later: i64,
    length: i64,
) -> Vec<Row> {
    let mut prev_hash = GENESIS.to_owned();
    (0..length)
        .map(|sequence| {
            let mut row = Row {
                id: format!("{tenant}-{shard}-{sequence}"),
                tenant: tenant.to_owned(),
                shard,
                sequence,
                version: Some(2),
                agent: Some("agent".to_owned()),
                action: "execute_tool".to_owned(),
                tool: Some("tool".to_owned()),
                decision: "allow".to_owned(),
                request: Some(format!("request {sequence}")),
                reason: Some(format!("reason {sequence}")),
                metadata: Some(format!("{{\"n\": {sequence}}}")),
                at: 1_777_593_600_000_000 + later + sequence,
                event_hash: None,
                prev_hash: None,
            };
            prev_hash = row.seal(&prev_hash);
            row
        })
        .collect()
}

/// What a table gives that is read as a drill reads it: the rows as they lie, cut into parts, the parts merged, and the
/// links read again, sorted, if that did not tell.
fn in_parts(rows: &[Row], cuts: &[usize], more: &str) -> Outcome {
    let mut whole = fold_in(layout(more), &[], Order::Any);
    let mut start = 0;
    for end in cuts.iter().copied().chain([rows.len()]) {
        let end = end.clamp(start, rows.len());
        whole.merge(fold_in(layout(more), &rows[start..end], Order::Any));
        start = end;
    }
    if let Step::Sort = whole.conclude_links() {
        whole.take_links(fold_in(layout(more).links_only(), &sorted(rows), Order::Grouped));
    }
    whole.finish().outcome
}

/// As a server sorts them.
fn sorted(rows: &[Row]) -> Vec<Row> {
    fn key(row: &Row) -> impl Ord + '_ {
        (&row.tenant, row.shard, row.sequence, &row.id, &row.event_hash, &row.prev_hash)
    }
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    rows
}

#[test]
fn whole_chains_hold_however_many_and_however_interleaved() {
    let rows: Vec<Row> = [chain("a", 0, 5), chain("a", 1, 1), chain("b", 0, 3)].concat();
    let held = outcome(&rows);
    assert_eq!((held.status, held.rows_verified, held.findings_total), (CheckStatus::Pass, 9, 0));
    assert_eq!(held.summary, "9 rows in 3 chains");
    let mut mixed = rows.clone();
    mixed.sort_by_key(|row| row.sequence);
    assert_eq!(outcome(&mixed), held);
    assert_eq!(fold_in(layout(""), &rows, Order::Grouped).finish().outcome, held);
}

#[test]
fn an_edited_row_is_one_finding_and_names_the_row_its_chain_and_both_hashes() {
    let mut rows = chain("a", 0, 5);
    let stored = rows[2].event_hash.clone().unwrap();
    rows[2].reason = Some("another".to_owned());
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-2".to_owned())]);
    let finding = outcome(&rows).findings.remove(0);
    assert_eq!(finding.subject, "row a-0-2 of the chain of tenant a, shard 0");
    assert_eq!(finding.actual, format!("event_hash {stored}: the row is not what was hashed"));
    let link = rows[2].prev_hash.clone().unwrap();
    assert_eq!(finding.expected, format!("event_hash {}", rows[2].seal(&link)));
}

#[test]
fn edited_metadata_is_seen_in_version_2_and_an_edited_reason_is_not_in_version_1() {
    let mut rows = chain("a", 0, 5);
    rows[3].metadata = Some("{\"n\": 4}".to_owned());
    assert_eq!(seen(&rows), [("hash_mismatch", "a-0-3".to_owned())]);

    let mut rows = chain("a", 0, 2);
    let mut prev_hash = GENESIS.to_owned();
    for row in &mut rows {
        row.version = None;
        prev_hash = row.seal(&prev_hash);
    }
    rows[1].reason = Some("edited".to_owned());
    assert_eq!(seen(&rows), []);
}

#[test]
fn a_deleted_row_breaks_the_link_of_the_next_and_a_row_twice_is_a_duplicate() {
    let mut rows = chain("a", 0, 5);
    rows.remove(2);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
    let mut rows = chain("a", 0, 5);
    rows.insert(3, rows[2].clone());
    assert_eq!(codes(&rows), ["duplicate_hash"]);
}

#[test]
fn where_columns_order_a_chain_each_row_must_name_the_one_before() {
    let in_order = |rows: &[Row]| {
        let outcome =
            fold_in(layout("order_by = [\"chain_sequence\"]"), rows, Order::Interleaved).finish().outcome;
        outcome.findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(in_order(&chain("a", 0, 5)), [""; 0]);
    let mut rows = chain("a", 0, 5);
    rows.insert(3, rows[2].clone());
    assert_eq!(in_order(&rows), ["broken_link", "duplicate_sequence"]);
    let mut rows = chain("a", 0, 5);
    rows.swap(2, 3);
    let swapped = in_order(&rows);
    assert_eq!(swapped.iter().filter(|code| **code == "broken_link").count(), 3, "{swapped:?}");
    assert!(swapped.contains(&"out_of_order"), "{swapped:?}");
}

/// A row beside another: it names the same parent, as when two writers ran at the same instant.
fn beside(row: &Row) -> Row {
    let mut beside = row.clone();
    beside.id.push('b');
    beside.request = Some(format!("request of {}", beside.id));
    beside.seal(&row.prev_hash.clone().unwrap_or_default());
    beside
}

#[test]
fn a_fork_is_a_warning_and_counted_and_an_edit_in_a_branch_is_found() {
    let mut rows = chain("a", 0, 6);
    rows.insert(3, beside(&rows[3]));
    rows.push(beside(&rows[1]));
    let forked = outcome(&rows);
    assert_eq!((forked.status, forked.summary.as_str()), (CheckStatus::Pass, "8 rows in 1 chain, 2 forks"));
    assert_eq!(forked.findings.len(), 1, "{:?}", forked.findings);
    assert_eq!(forked.findings[0].subject, "the chain of tenant a, shard 0");
    assert!(forked.findings[0].actual.contains("2 forks in all"), "{}", forked.findings[0].actual);
    for (most, status) in [(2, CheckStatus::Pass), (1, CheckStatus::Fail)] {
        let bounded = in_parts(&rows, &[3], &format!("max_forks = {most}"));
        assert_eq!(bounded.status, status);
    }
    assert_eq!(in_parts(&rows, &[3], "max_forks = 0").findings[0].code.as_str(), "too_many_forks");
    let mut edited = rows.clone();
    edited[3].reason = Some("edited".to_owned());
    assert_eq!(codes(&edited), ["hash_mismatch", "fork"]);
    rows.retain(|row| row.id != "a-0-0");
    assert_eq!(codes(&rows), ["missing_genesis", "missing_genesis", "fork"]);
}

#[test]
fn rows_hashed_with_an_empty_time_hold_and_are_said() {
    let mut rows = chain("a", 0, 6);
    let mut link = GENESIS.to_owned();
    for row in &mut rows {
        row.prev_hash = Some(link.clone());
        let content = AuditRow { timestamp_micros: (row.sequence < 2).then_some(row.at), ..row.content() };
        link = RowHasher::new().event_hash(&link, &content, HashVersion::V2).unwrap().to_string();
        row.event_hash = Some(link.clone());
    }
    let held = in_parts(&rows, &[1, 4], "");
    assert_eq!(held.status, CheckStatus::Pass);
    assert_eq!(held.summary, "6 rows in 1 chain, 4 hashed without their time");
    assert_eq!(held.findings[0].code.as_str(), "untimed_hash");
    rows[1].at += 1;
    rows[4].reason = None;
    let found = seen(&rows);
    assert_eq!(found[..2], [("hash_mismatch", "a-0-1".to_owned()), ("hash_mismatch", "a-0-4".to_owned())]);
}

#[test]
fn a_row_in_another_shard_than_its_request_says_is_found() {
    let request = "22222222-2222-4222-8222-222222222222";
    let right = chain_shard(request, SHARDS) as i16;
    let codes = |shard: i16, version: i16, request: Option<&str>, more: &str| {
        let mut rows = chain("a", shard, 1);
        (rows[0].version, rows[0].request) = (Some(version), request.map(str::to_owned));
        rows[0].seal(GENESIS);
        let outcome = in_parts(&rows, &[], more);
        outcome.findings.iter().map(|finding| (finding.severity, finding.code.as_str())).collect::<Vec<_>>()
    };
    let wrong = [(Severity::Error, "wrong_shard")];
    let sixteen = "shards = 16";
    assert_ne!(right, 0);
    for version in [1, 2] {
        assert_eq!(codes(right, version, Some(request), sixteen), []);
        assert_eq!(codes(right + 1, version, Some(request), sixteen), wrong);
        assert_eq!(codes(right, version, None, sixteen), wrong);
        assert_eq!(codes(0, version, None, sixteen), []);
        assert_eq!(codes(right + 1, version, Some(request), "shards = 0"), []);
    }
    let unsharded = [(Severity::Warning, "wrong_shard")];
    assert_eq!(codes(0, 2, Some(request), sixteen), unsharded, "an installation with one shard");
    assert_eq!(codes(0, 2, Some(request), "shards = 1"), []);
    assert_eq!(codes(0, 1, Some(request), sixteen), [], "rows from before there were shards");
    assert_eq!(codes(right % 4, 2, Some(request), "shards = 4"), []);
}

#[test]
fn heads_and_watched_rows_are_told() {
    let rows = [chain("a", 0, 5), chain("b", 3, 2)].concat();
    let of = |tenant: &str, shard: &str| [Some(tenant.to_owned()), Some(shard.to_owned())];
    let hash = |at: usize| rows[at].event_hash.clone().unwrap().into_bytes();
    let (a, b) = (of("a", "0"), of("b", "3"));
    let (in_a, in_b) = (hash(2), hash(6));
    let watch = Watch::of([&in_a[..], &in_b[..], &b"elsewhere"[..]]);
    for more in ["", "order_by = [\"chain_sequence\"]"] {
        let mut fold = fold_of(layout(more), &rows[..3], Order::Any, watch.clone());
        fold.merge(fold_of(layout(more), &rows[3..], Order::Any, watch.clone()));
        let verified = fold.finish();
        let heads: Vec<_> =
            verified.heads.iter().map(|head| (head.partitions, head.hash, head.rows)).collect();
        assert_eq!(heads, [(a.to_vec(), hash(4), 5), (b.to_vec(), hash(6), 2)]);
        let sighted = &verified.sighted;
        assert!(sighted.contains(&in_a) && sighted.contains(&in_b) && !sighted.contains(b"elsewhere"));
    }
}

#[test]
fn a_row_hashed_anew_breaks_the_link_after_it() {
    let mut rows = chain("a", 0, 5);
    rows[2].reason = Some("another".to_owned());
    let prev_hash = rows[2].prev_hash.clone().unwrap();
    rows[2].seal(&prev_hash);
    assert_eq!(seen(&rows), [("broken_link", "a-0-3".to_owned())]);
}

#[test]
fn a_chain_that_begins_in_the_middle_is_a_warning_unless_that_is_forbidden() {
    let rows = chain("a", 0, 5).split_off(2);
    let pruned = outcome(&rows);
    assert_eq!((pruned.status, pruned.findings[0].code.as_str()), (CheckStatus::Pass, "missing_genesis"));
    let strict = fold_in(layout("require_genesis = true"), &rows, Order::Interleaved).finish().outcome;
    assert_eq!(strict.status, CheckStatus::Fail);
}

#[test]
fn null_hashes_and_unknown_versions_have_their_own_codes() {
    let mut rows = chain("a", 0, 6);
    rows[1].event_hash = None;
    rows[3].version = Some(9);
    rows[5].prev_hash = None;
    let expected = [
        ("null_hash", "a-0-1"),
        ("broken_link", "a-0-2"),
        ("unknown_version", "a-0-3"),
        ("null_hash", "a-0-5"),
    ]
    .map(|(c, id)| (c, id.to_owned()));
    assert_eq!(seen(&rows), expected);
    let mut rows = chain("a", 0, 2);
    rows[0].prev_hash = None;
    rows[1].at = 400_000_000_000_000_000;
    assert_eq!(codes(&rows), ["null_hash", "unhashable_row"]);
}

const COUNTED: &str = "order_by = [\"chain_sequence\"]\ncontiguous = true";

#[test]
fn gaps_are_findings_only_where_there_must_be_none() {
    let mut rows = chain("a", 0, 4);
    rows.iter_mut().skip(2).for_each(|row| row.sequence += 5);
    assert_eq!(seen(&rows), []);
    let strict = in_parts(&rows, &[1], COUNTED);
    assert_eq!((strict.findings_total, strict.findings[0].code.as_str()), (1, "sequence_gap"));
    assert_eq!(strict.findings[0].actual, "chain_sequence 7");
    assert_eq!(in_parts(&chain("a", 0, 4), &[1], COUNTED).findings_total, 0);
}

#[test]
fn a_row_under_another_tenant_is_seen() {
    let mut rows = [chain("a", 0, 3), chain("b", 0, 3)].concat();
    rows[5].tenant = "c".to_owned();
    assert_eq!(codes(&rows), ["hash_mismatch", "missing_genesis"], "errors first");
}

#[test]
fn counting_goes_on_after_the_list_is_full() {
    let mut rows = chain("a", 0, 500);
    rows.iter_mut().for_each(|row| row.reason = None);
    let outcome = in_parts(&rows, &[100, 300], "");
    assert_eq!((outcome.findings.len(), outcome.findings_total, outcome.rows_verified), (100, 500, 500));
}

#[test]
fn more_than_can_be_remembered_is_read_again_in_order() {
    for more in ["", "order_by = [\"chain_sequence\"]"] {
        let mut fold = fold_in(layout(more), &[], Order::Any);
        let whole: Vec<Row> = (0..10).flat_map(|tenant| chain(&tenant.to_string(), 0, 3)).collect();
        fold.following = Following::GivenUp;
        fold.merge(fold_in(layout(more), &whole, Order::Any));
        assert!(matches!(fold.conclude_links(), Step::Sort));
        fold.take_links(fold_in(layout(more).links_only(), &whole, Order::Grouped));
        let outcome = fold.finish().outcome;
        assert_eq!((outcome.summary.as_str(), outcome.findings_total), ("30 rows in 10 chains", 0));
    }
}

/// One way to spoil one row.
#[derive(Debug, Clone)]
enum Damage {
    Tenant,
    Shard,
    Version(Option<i16>),
    Agent,
    Action,
    Tool,
    Decision,
    Request,
    Reason,
    Metadata,
    Timestamp,
    EventHash(Option<usize>),
    PrevHash(Option<usize>),
    Delete,
    Sequence(i64),
    Reseal,
    Beside,
    Copy,
}

fn damages() -> impl Strategy<Value = Damage> {
    use Damage::*;
    prop_oneof![
        Just(Tenant),
        Just(Shard),
        Just(Agent),
        Just(Action),
        Just(Tool),
        Just(Decision),
        Just(Request),
        Just(Reason),
        Just(Metadata),
        Just(Timestamp),
        Just(Reseal),
        prop_oneof![Just(None), Just(Some(1)), Just(Some(3))].prop_map(Version),
        proptest::option::of(0usize..64).prop_map(EventHash),
        proptest::option::of(0usize..64).prop_map(PrevHash),
    ]
}

fn flip(text: &mut Option<String>, at: Option<usize>) {
    *text = at.map(|at| {
        // A row may be damaged twice.
        let mut bytes = text.clone().unwrap_or_else(|| "0".repeat(64)).into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    });
}

fn apply(rows: &mut Vec<Row>, at: usize, damage: &Damage) {
    let row = &mut rows[at];
    match damage {
        Damage::Tenant => row.tenant.push('x'),
        Damage::Shard => row.shard += 7,
        Damage::Version(version) => row.version = *version,
        Damage::Agent => row.agent = None,
        Damage::Action => row.action.push('x'),
        Damage::Tool => row.tool = Some("another".to_owned()),
        Damage::Decision => row.decision = "deny".to_owned(),
        Damage::Request => row.request = None,
        Damage::Reason => row.reason = None,
        Damage::Metadata => row.metadata = None,
        Damage::Timestamp => row.at += 1,
        Damage::EventHash(at) => flip(&mut row.event_hash, *at),
        Damage::PrevHash(at) => flip(&mut row.prev_hash, *at),
        Damage::Sequence(by) => row.sequence += by,
        Damage::Reseal => {
            row.reason = Some("hashed anew".to_owned());
            let link = row.prev_hash.clone();
            row.seal(link.as_deref().unwrap_or_default());
        }
        Damage::Delete => {
            rows.remove(at);
        }
        Damage::Beside => {
            let beside = beside(row);
            rows.push(beside);
        }
        Damage::Copy => {
            let mut copy = row.clone();
            copy.id.push('c');
            rows.push(copy);
        }
    }
}

/// Which of two rows of one hash a third comes after cannot be told, so whose number it must exceed cannot either.
fn has_a_hash_under_two_numbers(rows: &[Row]) -> bool {
    let twins = |a: &Row, b: &Row| {
        a.event_hash.is_some()
            && (&a.tenant, a.shard, &a.event_hash) == (&b.tenant, b.shard, &b.event_hash)
            && a.sequence != b.sequence
    };
    rows.iter().any(|a| rows.iter().any(|b| twins(a, b)))
}

fn but_for_numbers(outcome: Outcome) -> Vec<Finding> {
    let mut findings = outcome.findings;
    findings.retain(|finding| !["out_of_order", "duplicate_sequence"].contains(&finding.code.as_str()));
    findings
}

proptest! {
    #[test]
    fn any_edit_of_one_version_2_row_is_found(length in 1i64..12, at in 0usize..12, damage in damages()) {
        let mut rows = chain("a", 0, length);
        let at = at % rows.len();
        // Whoever hashes the last row anew leaves a whole chain; it takes a root or a receipt to see that.
        prop_assume!(!(matches!(damage, Damage::Reseal) && at + 1 == rows.len()));
        // The shard is not hashed, so a chain of one row is as whole under another number.
        prop_assume!(!(matches!(damage, Damage::Shard) && rows.len() == 1));
        let id = rows[at].id.clone();
        apply(&mut rows, at, &damage);
        let found = outcome(&rows);
        prop_assert!(found.findings_total > 0, "{damage:?}");
        if !matches!(damage, Damage::Reseal | Damage::Shard) {
            prop_assert!(seen(&rows).iter().any(|(_, row)| *row == id), "{damage:?}: {:?}", found.findings);
        }
    }

    #[test]
    fn links_are_followed_in_any_order(order in Just((0usize..9).collect::<Vec<_>>()).prop_shuffle()) {
        let mut rows = chain("a", 0, 7);
        rows.push(beside(&rows[2]));
        rows.push(beside(&rows[6]));
        let shuffled: Vec<Row> = order.iter().map(|index| rows[*index].clone()).collect();
        prop_assert_eq!(outcome(&shuffled), outcome(&rows));
    }

    #[test]
    fn any_exchange_of_places_is_found(order in Just((0usize..7).collect::<Vec<_>>()).prop_shuffle()) {
        // The rows keep their hashes and get each other's numbers: what an edit of the order column does.
        prop_assume!(order.windows(2).any(|pair| pair[0] > pair[1]));
        let mut rows = chain("a", 0, 7);
        for (row, sequence) in rows.iter_mut().zip(&order) {
            row.sequence = *sequence as i64;
        }
        let found = in_parts(&rows, &[3], "");
        prop_assert!(found.status == CheckStatus::Fail, "{:?}", found.findings);
    }

    #[test]
    fn cuts_and_places_on_disk_change_nothing(
        lengths in proptest::collection::vec(0i64..9, 1..4),
        damages in proptest::collection::vec(
            (0usize..30, prop_oneof![
                damages(), Just(Damage::Delete), Just(Damage::Beside), Just(Damage::Copy),
                (-4i64..5).prop_map(Damage::Sequence)
            ]), 0..5),
        moves in proptest::collection::vec((0usize..30, 0usize..30), 0..5),
        cuts in proptest::collection::vec(0usize..30, 0..5),
        strict: bool,
        rule in 0usize..3,
    ) {
        compare_places(&damaged(&lengths, &damages), &moves, cuts, strict, rule)?;
    }
}

/// Chains of these lengths, interleaved, and damaged one after another.
fn damaged(lengths: &[i64], damages: &[(usize, Damage)]) -> Vec<Row> {
    let chains =
        lengths.iter().enumerate().map(|(n, length)| chain(["a", "b", "a"][n % 3], (n / 2) as i16, *length));
    let mut rows: Vec<Row> = chains.flatten().collect();
    rows.sort_by_key(|row| row.sequence);
    for (at, damage) in damages {
        if !rows.is_empty() {
            let at = at % rows.len();
            apply(&mut rows, at, damage);
        }
    }
    rows
}

/// Compares what is found of rows in their order with what is found of them elsewhere on disk, and cut into parts.
fn compare_places(
    rows: &[Row],
    moves: &[(usize, usize)],
    mut cuts: Vec<usize>,
    strict: bool,
    rule: usize,
) -> Result<(), TestCaseError> {
    let rule = ["", "order_by = [\"chain_sequence\"]", COUNTED][rule];
    let more = format!("require_genesis = {strict}\n{rule}");
    let serial = fold_in(layout(&more), &sorted(rows), Order::Grouped).finish().outcome;
    let interleaved = {
        let mut rows = sorted(rows);
        rows.sort_by_key(|row| row.sequence);
        fold_in(layout(&more), &rows, Order::Interleaved).finish().outcome
    };
    prop_assert_eq!(interleaved.status, serial.status);
    let mut rows = rows.to_vec();
    for (from, to) in moves {
        if !rows.is_empty() {
            let row = rows.remove(from % rows.len());
            rows.insert(to % (rows.len() + 1), row);
        }
    }
    cuts.sort_unstable();
    let whole = in_parts(&rows, &cuts, &more);
    if rule.is_empty() && has_a_hash_under_two_numbers(&rows) {
        prop_assert_eq!(whole.status, serial.status);
        prop_assert_eq!(but_for_numbers(whole), but_for_numbers(serial));
    } else {
        prop_assert_eq!(whole, serial);
    }
    Ok(())
}

/// A chain's length, the damages, and the rule, as [`compare_places`] takes it.
type Case = (i64, &'static [(usize, Damage)], usize);

#[test]
fn rows_that_are_there_twice_are_found_wherever_they_lie() {
    use Damage::*;
    let cases: [Case; 7] = [
        (2, &[(2, Beside), (3, Copy), (9, Copy)], 0),
        (6, &[(0, Beside), (5, Copy), (28, Copy)], 0),
        // Without a parent, both: it is missing, or not named.
        (4, &[(1, Copy), (0, EventHash(None)), (2, Beside)], 0),
        (4, &[(1, PrevHash(None)), (1, Copy), (2, Beside)], 0),
        (3, &[(11, Beside), (1, Copy), (16, PrevHash(None)), (4, Beside)], 0),
        // Of one place and one id.
        (1, &[(0, Beside), (0, Reason), (2, Beside)], 1),
        (1, &[(0, Version(Some(3))), (0, Beside), (0, Reseal)], 0),
    ];
    for (length, damages, rule) in cases {
        let rows = damaged(&[length], damages);
        for from in 0..rows.len() {
            for to in 0..rows.len() {
                for cut in 0..rows.len() {
                    let compared = compare_places(&rows, &[(from, to)], vec![cut], false, rule);
                    compared.unwrap_or_else(|why| panic!("{damages:?}, {from} to {to}, cut at {cut}: {why}"));
                }
            }
        }
    }
}
