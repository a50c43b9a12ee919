//! Audit rows that tests hash, spoil and fold.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::RowFold;
use crate::check::chain::{AuditRow, GENESIS, HashVersion, RowHasher};
use crate::check::verify_chain::settings::VerifyChain;
use crate::check::verify_chain::{Layout, Order, Watch};
use crate::target::postgres::chain_rows::{FieldKind, FieldQuery};

/// Microseconds from the Unix epoch to Postgres's own.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A row that owns its fields, so that tests can spoil it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check::verify_chain) struct Row {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) shard: i16,
    pub(super) sequence: i64,
    pub(super) version: Option<i16>,
    pub(super) agent: Option<String>,
    pub(super) action: String,
    pub(super) tool: Option<String>,
    pub(super) decision: String,
    pub(super) request: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) metadata: Option<String>,
    pub(super) at: i64,
    pub(super) event_hash: Option<String>,
    pub(super) prev_hash: Option<String>,
}

impl Row {
    pub(super) fn content(&self) -> AuditRow<'_> {
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

    /// Hashes the row as the platform would, after the row before it. A row of an unknown version
    /// cannot be hashed: it gets a known one.
    pub(super) fn seal(&mut self, prev_hash: &str) -> String {
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

/// A row beside another: it names the same parent, as when two writers ran at the same instant.
pub(super) fn beside(row: &Row) -> Row {
    let mut beside = row.clone();
    beside.id.push('b');
    beside.request = Some(format!("request of {}", beside.id));
    beside.seal(&row.prev_hash.clone().unwrap_or_default());
    beside
}

/// As a server sorts them.
pub(super) fn sorted(rows: &[Row]) -> Vec<Row> {
    fn key(row: &Row) -> impl Ord + '_ {
        (&row.tenant, row.shard, row.sequence, &row.id, &row.event_hash, &row.prev_hash)
    }
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    rows
}

pub(in crate::check::verify_chain) fn layout(more: &str) -> Layout {
    // The rows here have shards of their own.
    let shards = if more.contains("shards") { "" } else { "shards = 0\n" };
    let text =
        format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\nscheme = \"aegis-audit\"\n{shards}{more}");
    let chain = toml::from_str::<VerifyChain>(&text).unwrap().chain().unwrap();
    let columns: BTreeSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    Layout::new(&chain, &columns).unwrap()
}

pub(super) fn fold_in(layout: Layout, rows: &[Row], order: Order) -> RowFold {
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
