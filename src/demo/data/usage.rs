//! `acp_usage`: what the billable audit rows cost. Each of them has exactly one usage record, which names its
//! `request_id`, and there are no others.

use std::sync::Arc;

use rand::RngExt;

use super::calendar::midnight;
use super::copy::RowWriter;
use super::events::Events;
use super::world::{Stream, random_uuid, stream};
use super::{DemoDatabase, DemoTable, Plan};

pub(super) fn usage(plan: &Arc<Plan>) -> DemoDatabase {
    DemoDatabase {
        name: "acp_usage",
        schema: include_str!("sql/usage.schema.sql"),
        tables: vec![usage_budgets(plan), usage_records(plan)],
        finish: include_str!("sql/usage.finish.sql"),
    }
}

fn usage_records(plan: &Arc<Plan>) -> DemoTable {
    let columns = "id, tenant_id, agent_id, tool, units, cost, \"timestamp\", audit_id";
    let plan = Arc::clone(plan);
    DemoTable::generated("usage_records", columns, move || {
        let plan = Arc::clone(&plan);
        let mut events = Events::new(&plan);
        let mut rng = stream(plan.seed, Stream::Usage);
        move |out: &mut Vec<u8>| {
            let Some(event) = events.advance() else {
                return false;
            };
            let (true, Some(request_id)) = (event.is_billable(), event.request_id) else {
                return true;
            };
            let units = rng.random_range(1..=500_u32);
            let mut row = RowWriter::new(out);
            row.uuid(random_uuid(&mut rng)).uuid(plan.world.tenants[event.tenant].id);
            row.optional_uuid(event.agent.map(|agent| plan.world.agents[agent].id)).optional_text(event.tool);
            row.plain(units).plain(f64::from(units) * 0.000_125);
            row.timestamp(event.at + 40_000 + i64::from(units)).uuid(request_id).end();
            true
        }
    })
}

fn usage_budgets(plan: &Arc<Plan>) -> DemoTable {
    let count = plan.world.tenants.len() as u64;
    let plan = Arc::clone(plan);
    DemoTable::counted(
        "usage_budgets",
        "tenant_id, monthly_limit, currency, updated_at",
        count,
        move |number, row| {
            row.uuid(plan.world.tenants[number as usize].id)
                .plain(format_args!("{}.50", 1_000 * (number + 1)));
            row.text("EUR").timestamp(midnight(plan.calendar.day(0)));
        },
    )
}
