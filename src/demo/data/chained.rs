//! The events with the hashes that chain them.

use std::sync::Arc;

use uuid::Uuid;

use super::Plan;
use super::events::{Event, Events};
use crate::check::chain::{AuditRow, GENESIS, HashVersion, HexDigest, RowHasher, SHARDS};

/// Generates the audit rows in the order they were recorded, each linked to the newest row of its chain.
pub(super) struct ChainedEvents {
    plan: Arc<Plan>,
    events: Events,
    hasher: RowHasher,
    /// The newest row of each chain, by tenant and shard; none before its first row.
    heads: Vec<[Option<Head>; SHARDS.get() as usize]>,
    /// The place of an event that is passed over, as if it had never happened.
    left_out: Option<u64>,
}

/// The row that the next one names.
#[derive(Debug, Clone, Copy)]
struct Head {
    hash: HexDigest,
    /// The hash of the row before it.
    prev_hash: Option<HexDigest>,
    /// The order of rows in the chain: time, then id.
    place: (i64, Uuid),
}

/// An event and its place in its chain.
pub(super) struct ChainedEvent<'a> {
    pub(super) event: &'a Event,
    /// The hash of the row before it in its chain; none for the chain's first row.
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
        let heads = plan.world.tenants.iter().map(|_| [None; SHARDS.get() as usize]).collect();
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
            timestamp_micros: event.is_timed(self.plan.rows).then_some(event.at),
        };
        let head = &mut self.heads[event.tenant][usize::from(event.shard)];
        // Two writers at once have seen the same newest row: they fork the chain.
        let prev_hash = head.and_then(|head| if event.forks() { head.prev_hash } else { Some(head.hash) });
        let version = HashVersion::from_column(event.hash_version).expect("events have version null, 1 or 2");
        let event_hash = self
            .hasher
            .event_hash(prev_hash.as_ref().map_or(GENESIS, HexDigest::as_str), &row, version)
            .expect("events have metadata and timestamps that can be hashed");
        let new = Head { hash: event_hash, prev_hash, place: (event.at, event.id) };
        // As the writer finds it: by time, and then by id. Two rows of a fork that have no request are the same row to a hash
        // without their time, and here no row is there twice.
        let newest = head.filter(|head| event.request_id.is_some() && head.place > new.place);
        *head = Some(newest.unwrap_or(new));
        Some(ChainedEvent { event, prev_hash, event_hash })
    }
}
