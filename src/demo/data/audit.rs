//! `acp_audit`: the audit log with its chains, notes on it, its daily roots, and what billing still has to do.

use std::sync::Arc;

use super::calendar::SECOND;
use super::chained::{ChainedEvent, ChainedEvents};
use super::copy::RowWriter;
use super::events::{Event, Events};
use super::{DemoDatabase, DemoTable, Plan, roots};

pub(super) fn audit(plan: &Arc<Plan>) -> DemoDatabase {
    DemoDatabase {
        name: "acp_audit",
        schema: include_str!("sql/audit.schema.sql"),
        tables: vec![
            audit_logs(plan),
            audit_notes(plan),
            roots::transparency_roots(plan),
            roots::transparency_historical_keys(plan),
            pending_usage_events(plan),
        ],
        finish: include_str!("sql/audit.finish.sql"),
    }
}

fn audit_logs(plan: &Arc<Plan>) -> DemoTable {
    let columns = "id, org_id, tenant_id, agent_id, action, tool, decision, reason, metadata_json, request_id, \
                   event_hash, prev_hash, hash_version, chain_shard, chain_sequence, billing_status, \
                   \"timestamp\", created_at";
    let plan = Arc::clone(plan);
    DemoTable::generated("audit_logs", columns, move || {
        let plan = Arc::clone(&plan);
        let mut rows = match &plan.unrecorded {
            Some(unrecorded) => ChainedEvents::without(&plan, unrecorded.sequence),
            None => ChainedEvents::new(&plan),
        };
        move |out: &mut Vec<u8>| {
            let row = rows.advance();
            if let Some(row) = &row {
                write_audit_log(&plan, row, out);
            }
            row.is_some()
        }
    })
}

fn write_audit_log(plan: &Plan, row: &ChainedEvent<'_>, out: &mut Vec<u8>) {
    let (event, world) = (row.event, &plan.world);
    let tenant = &world.tenants[event.tenant];
    let mut writer = RowWriter::new(out);
    writer.uuid(event.id).uuid(world.organizations[tenant.organization].id).uuid(tenant.id);
    writer.optional_uuid(event.agent.map(|agent| world.agents[agent].id));
    writer.text(event.action).optional_text(event.tool).text(event.decision).optional_text(event.reason);
    writer.optional_text(event.metadata()).optional_uuid(event.request_id);
    writer.text(row.event_hash.as_str()).text(row.prev_hash()).optional_plain(event.hash_version);
    writer.plain(event.shard).plain(event.number(plan.rows));
    writer.text(if event.is_billable() { "billed" } else { "not_billable" });
    // The row was written some time after what it reports.
    writer.timestamp(event.at).timestamp(event.at + 1_000 + (event.sequence % 7_919) as i64).end();
}

/// A table with a row for each event that `write` writes one for.
fn derived<F>(name: &'static str, columns: &str, plan: &Arc<Plan>, write: F) -> DemoTable
where
    F: Fn(&Plan, &Event, &mut Vec<u8>) + Copy + Send + Sync + 'static,
{
    let plan = Arc::clone(plan);
    DemoTable::generated(name, columns, move || {
        let plan = Arc::clone(&plan);
        let mut events = Events::new(&plan);
        move |out: &mut Vec<u8>| {
            let event = events.advance();
            if let Some(event) = event {
                write(&plan, event, out);
            }
            event.is_some()
        }
    })
}

/// Whether somebody wrote a note on the event's row.
pub(super) fn has_note(event: &Event) -> bool {
    event.sequence % 397 == 5
}

fn audit_notes(plan: &Arc<Plan>) -> DemoTable {
    derived("audit_notes", "id, audit_log_id, author_id, note, created_at", plan, |plan, event, out| {
        if !has_note(event) {
            return;
        }
        let users = &plan.world.users;
        let mut row = RowWriter::new(out);
        row.plain(event.sequence / 397 + 1).uuid(event.id).uuid(users[event.sequence as usize % users.len()]);
        row.text("Reviewed: déjà traité ✔\nno action needed").timestamp(event.at + 30 * SECOND).end();
    })
}

/// The queue between audit and billing. Of its few rows the last is still pending though its usage is recorded,
/// as when the worker stopped between the two.
fn pending_usage_events(plan: &Arc<Plan>) -> DemoTable {
    let columns = "id, tenant_id, request_id, tool, status, attempts, last_error, created_at, processed_at";
    derived("pending_usage_events", columns, plan, |plan, event, out| {
        let last_stretch = event.sequence + 200 > plan.rows;
        if !(event.sequence % 1_009 == 3 || last_stretch && event.sequence % 100 == 0) || !event.is_billable()
        {
            return;
        }
        let mut row = RowWriter::new(out);
        row.plain(event.sequence).uuid(plan.world.tenants[event.tenant].id).optional_uuid(event.request_id);
        row.optional_text(event.tool).text(if last_stretch { "pending" } else { "processed" });
        row.plain(if last_stretch { 0 } else { 1 }).null().timestamp(event.at);
        if last_stretch {
            row.null().end();
        } else {
            row.timestamp(event.at + 2 * SECOND).end();
        }
    })
}
