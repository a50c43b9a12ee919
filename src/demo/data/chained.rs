//! The events with the hashes that chain them.

use std::sync::Arc;

use uuid::Uuid;

use super::Plan;
use super::events::{Event, Events};
use crate::chain::{AuditRow, GENESIS, HashVersion, HexDigest, RowHasher};

/// Generates the audit rows in the order they were recorded, chain by chain linked.
pub(super) struct ChainedEvents {
    plan: Arc<Plan>,
    events: Events,
    hasher: RowHasher,
    /// The last hash of each chain, by tenant and shard; none before its first row.
    heads: Vec<Vec<Option<HexDigest>>>,
    /// The place of an event that is passed over, as if it had never happened.
    left_out: Option<u64>,
}

/// An event and its place in its chain.
pub(super) struct ChainedEvent<'a> {
    pub(super) event: &'a Event,
    /// Of the row before it in its chain; none for the chain's first row.
    prev_hash: Option<HexDigest>,
    pub(super) event_hash: HexDigest,
}

impl ChainedEvent<'_> {
    pub(super) fn prev_hash(&self) -> &str {
        self.prev_hash.as_ref().map_or(GENESIS, HexDigest::as_str)
    }
}

impl ChainedEvents {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let heads = plan.world.tenants.iter().map(|tenant| vec![None; tenant.shards]).collect();
        Self {
            plan: Arc::clone(plan),
            events: Events::new(plan),
            hasher: RowHasher::new(),
            heads,
            left_out: None,
        }
    }

    /// The rows without the event at this place; the rows after it are chained as if it had never happened.
    pub(super) fn without(plan: &Arc<Plan>, sequence: u64) -> Self {
        Self { left_out: Some(sequence), ..Self::new(plan) }
    }

    pub(super) fn advance(&mut self) -> Option<ChainedEvent<'_>> {
        if self.left_out == Some(self.events.next_sequence()) {
            self.events.advance()?;
        }
        let event = self.events.advance()?;
        let world = &self.plan.world;
        let mut buffers = [Uuid::encode_buffer(); 3];
        let [tenant, agent, request] = &mut buffers;
        let row = AuditRow {
            tenant_id: Some(world.tenants[event.tenant].id.hyphenated().encode_lower(tenant)),
            agent_id: event.agent.map(|index| &*world.agents[index].id.hyphenated().encode_lower(agent)),
            action: event.action,
            tool: event.tool,
            decision: event.decision,
            request_id: event.request_id.map(|id| &*id.hyphenated().encode_lower(request)),
            reason: event.reason,
            metadata: event.metadata(),
            timestamp_micros: Some(event.at),
        };
        let head = &mut self.heads[event.tenant][event.shard];
        let prev_hash = *head;
        let version = HashVersion::from_column(event.hash_version).expect("events have version null, 1 or 2");
        let event_hash = self
            .hasher
            .event_hash(prev_hash.as_ref().map_or(GENESIS, HexDigest::as_str), &row, version)
            .expect("events have metadata and timestamps that can be hashed");
        *head = Some(event_hash);
        Some(ChainedEvent { event, prev_hash, event_hash })
    }
}
