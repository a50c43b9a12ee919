//! What happened, in the order it was recorded: the facts of the audit rows, without their hashes.
//!
//! Everything that depends on audit rows (their usage records, notes, roots) runs this generator again instead of
//! keeping its output.

use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::Plan;
use super::calendar::SECOND;
use super::variety;
use super::world::{AGENTS_PER_TENANT, Stream, Tenant, random_uuid, stream};
use crate::check::chain::{SHARDS, chain_shard};

/// One audit row without its hashes.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Its place among all rows, from 1.
    pub(super) sequence: u64,
    pub(super) id: Uuid,
    /// Index of the tenant.
    pub(super) tenant: usize,
    pub(super) shard: u16,
    /// Whether it was written at the same instant as the event before, by another writer that saw the same chain.
    pub(super) is_concurrent: bool,
    /// Index of the agent. A login has none: a person, not an agent, did it.
    pub(super) agent: Option<usize>,
    pub(super) action: &'static str,
    pub(super) tool: Option<&'static str>,
    pub(super) decision: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) request_id: Option<Uuid>,
    /// As in the column: null before there was one.
    pub(super) hash_version: Option<i16>,
    /// Microseconds since the Unix epoch.
    pub(super) at: i64,
    metadata: String,
    has_metadata: bool,
}

impl Event {
    /// Its `chain_sequence`. Rows from before there was that column got theirs later, in no order that means anything.
    pub(super) fn number(&self, rows: u64) -> u64 {
        let old = rows.div_ceil(10);
        if self.sequence <= old { old + 1 - self.sequence } else { self.sequence }
    }

    /// Whether it names the row that the event before names.
    pub(super) fn forks(&self) -> bool {
        self.is_concurrent && self.request_id.is_some()
    }

    /// Whether its hash covers its time: the writer of the last rows left it out.
    pub(super) fn is_timed(&self, rows: u64) -> bool {
        self.sequence * 2 <= rows
    }

    /// Whether there must be a usage record for it.
    pub(super) fn is_billable(&self) -> bool {
        self.action == "execute_tool" && self.decision != "reject"
    }

    /// The metadata as JSON, not in the form Postgres would print.
    pub(super) fn metadata(&self) -> Option<&str> {
        self.has_metadata.then_some(&self.metadata)
    }
}

/// Generates the events one after the other.
pub(super) struct Events {
    plan: Arc<Plan>,
    rng: StdRng,
    event: Event,
}

impl Events {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let event = Event {
            sequence: 0,
            id: Uuid::nil(),
            tenant: 0,
            shard: 0,
            is_concurrent: false,
            agent: None,
            action: "",
            tool: None,
            decision: "",
            reason: None,
            request_id: None,
            hash_version: None,
            at: plan.calendar.start,
            metadata: String::new(),
            has_metadata: false,
        };
        Self { plan: Arc::clone(plan), rng: stream(plan.seed, Stream::Events), event }
    }

    /// The place of the event that comes next.
    pub(super) fn next_sequence(&self) -> u64 {
        self.event.sequence + 1
    }

    /// The next event, or none when there were as many as the plan has rows.
    pub(super) fn advance(&mut self) -> Option<&Event> {
        if self.event.sequence == self.plan.rows {
            return None;
        }
        let index = self.event.sequence;
        self.event.sequence += 1;
        self.event.id = random_uuid(&mut self.rng);
        // Now and then two rows share their timestamp, and often their chain, which forks there.
        let is_beside = index > 0 && self.rng.random_ratio(1, 8);
        if !is_beside {
            self.event.at = self.moment(index);
            self.choose_tenant();
        }
        self.event.hash_version = match index * 10 / self.plan.rows {
            0 => None,
            1..3 => Some(1),
            _ => Some(2),
        };
        let shard = self.event.shard;
        self.choose_action();
        self.choose_request(is_beside.then_some(shard));
        self.event.is_concurrent = is_beside && self.event.shard == shard;
        self.event.reason = variety::reason(&mut self.rng);
        self.event.has_metadata = variety::metadata(&mut self.rng, &mut self.event.metadata);
        Some(&self.event)
    }

    /// A moment in the row's own slice of the fortnight, never before that of the row before it. Every fourth is
    /// a whole second where the slice has room for one.
    fn moment(&mut self, index: u64) -> i64 {
        let calendar = &self.plan.calendar;
        let span = i128::from(calendar.end - calendar.start);
        let slice = |index: u64| (span * i128::from(index) / i128::from(self.plan.rows)) as i64;
        let (first, next) = (slice(index), slice(index + 1));
        let moment = calendar.start + self.rng.random_range(first..next.max(first + 1));
        let whole = moment - moment.rem_euclid(SECOND);
        let moment =
            if whole >= calendar.start + first && self.rng.random_ratio(1, 4) { whole } else { moment };
        moment.max(self.event.at)
    }

    fn choose_tenant(&mut self) {
        let tenants = &self.plan.world.tenants;
        let mut share = self.rng.random_range(0..tenants.iter().map(|tenant| tenant.share).sum());
        let drawn = tenants.iter().position(|tenant| match share.checked_sub(tenant.share) {
            Some(rest) => {
                share = rest;
                false
            }
            None => true,
        });
        let day = self.plan.calendar.day_number(self.event.at);
        let is_awake = |tenant: &Tenant| !tenant.quiet_days.contains(&day);
        self.event.tenant = drawn.filter(|tenant| is_awake(&tenants[*tenant])).unwrap_or(0);
    }

    /// The request, if there is one, and the shard that follows from it. One in `wanted` is drawn for. Before rows had
    /// versions there was one shard.
    fn choose_request(&mut self, wanted: Option<u16>) {
        let event = &mut self.event;
        let Some(request) = &mut event.request_id else { return event.shard = 0 };
        if event.hash_version.is_none() {
            return event.shard = 0;
        }
        let shard_of =
            |id: &Uuid| chain_shard(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), SHARDS);
        while wanted.is_some_and(|wanted| wanted != shard_of(request)) {
            *request = random_uuid(&mut self.rng);
        }
        event.shard = shard_of(request);
    }

    fn choose_action(&mut self) {
        let rng = &mut self.rng;
        let agent = self.event.tenant * AGENTS_PER_TENANT + rng.random_range(0..AGENTS_PER_TENANT);
        let request_id = Some(random_uuid(rng));
        let tool = Some(variety::tool(rng));
        let event = &mut self.event;
        (event.action, event.decision, event.tool, event.request_id) = match rng.random_range(0..100) {
            0..76 => ("execute_tool", "allow", tool, request_id),
            76..82 => ("execute_tool", "deny", tool, request_id),
            82..85 => ("execute_tool", "reject", tool, request_id),
            85..87 => ("execute_tool", "reject", tool, None),
            87..91 => ("rate_limited", "reject", tool, request_id),
            91..93 => ("rate_limited", "reject", None, None),
            93..96 => ("login", "allow", None, None),
            96 => ("login", "deny", None, None),
            97 => ("credential_rotated", "allow", None, None),
            _ => ("policy_updated", "allow", None, request_id),
        };
        event.agent = (event.action != "login").then_some(agent);
    }
}
