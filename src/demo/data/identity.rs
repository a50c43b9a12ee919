//! `acp_identity` and `acp_registry`: who may act, and with which permissions.

use std::sync::Arc;

use uuid::Uuid;

use super::calendar::{DAY, midnight};
use super::{DemoDatabase, DemoTable, Plan};
use crate::check::chain::HexDigest;

pub(super) fn identity(plan: &Arc<Plan>) -> DemoDatabase {
    DemoDatabase {
        name: "acp_identity",
        schema: include_str!("sql/identity.schema.sql"),
        tables: vec![organizations(plan), tenants(plan), users(plan), agent_credentials(plan)],
        finish: include_str!("sql/identity.finish.sql"),
    }
}

/// Some time before the audit rows begin, later for higher numbers.
fn founded(plan: &Plan, number: u64) -> i64 {
    midnight(plan.calendar.day(0)) - 200 * DAY + number as i64 * (DAY / 3)
}

/// An id that follows from the one it belongs to.
fn derived_id(parent: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&parent, name.as_bytes())
}

fn organizations(plan: &Arc<Plan>) -> DemoTable {
    let count = plan.world.organizations.len() as u64;
    let plan = Arc::clone(plan);
    DemoTable::counted("organizations", "id, name, created_at", count, move |number, row| {
        let organization = &plan.world.organizations[number as usize];
        row.uuid(organization.id).text(organization.name).timestamp(founded(&plan, number));
    })
}

fn tenants(plan: &Arc<Plan>) -> DemoTable {
    let count = plan.world.tenants.len() as u64;
    let plan = Arc::clone(plan);
    DemoTable::counted("tenants", "id, org_id, name, settings, created_at", count, move |number, row| {
        let tenant = &plan.world.tenants[number as usize];
        row.uuid(tenant.id).uuid(plan.world.organizations[tenant.organization].id).text(tenant.name);
        row.plain(format_args!("{{\"retention_days\": {}, \"residency\": \"eu\"}}", 365 * (number + 1)));
        row.timestamp(founded(&plan, number + 3));
    })
}

fn users(plan: &Arc<Plan>) -> DemoTable {
    let count = plan.world.users.len() as u64;
    let plan = Arc::clone(plan);
    DemoTable::counted("users", "id, tenant_id, email, role, created_at", count, move |number, row| {
        let tenant = plan.world.tenant_of_user(number as usize);
        row.uuid(plan.world.users[number as usize]).uuid(tenant.id);
        row.plain(format_args!("operator-{number:02}@example.com"));
        row.text(["viewer", "operator", "admin"][number as usize % 3]).timestamp(founded(&plan, number + 9));
    })
}

/// Two credentials for each agent, of which the older is revoked.
fn agent_credentials(plan: &Arc<Plan>) -> DemoTable {
    let count = 2 * plan.world.agents.len() as u64;
    let columns = "id, tenant_id, agent_id, secret_hash, created_at, revoked_at";
    let plan = Arc::clone(plan);
    DemoTable::counted("agent_credentials", columns, count, move |number, row| {
        let agent = &plan.world.agents[number as usize / 2];
        let id = derived_id(agent.id, if number % 2 == 0 { "old credential" } else { "credential" });
        row.uuid(id).uuid(plan.world.tenants[agent.tenant].id).uuid(agent.id);
        row.text(HexDigest::of(id.as_bytes()).as_str()).timestamp(founded(&plan, number + 20));
        match number % 2 {
            0 => row.timestamp(founded(&plan, number + 23)),
            _ => row.null(),
        };
    })
}

pub(super) fn registry(plan: &Arc<Plan>) -> DemoDatabase {
    DemoDatabase {
        name: "acp_registry",
        schema: include_str!("sql/registry.schema.sql"),
        tables: vec![agents(plan), permissions(plan)],
        finish: include_str!("sql/registry.finish.sql"),
    }
}

fn agents(plan: &Arc<Plan>) -> DemoTable {
    let count = plan.world.agents.len() as u64;
    let plan = Arc::clone(plan);
    DemoTable::counted(
        "agents",
        "id, tenant_id, name, status, labels, created_at",
        count,
        move |number, row| {
            let agent = &plan.world.agents[number as usize];
            row.uuid(agent.id).uuid(plan.world.tenants[agent.tenant].id);
            row.plain(format_args!("agent-{number:03}")).text(if number % 7 == 6 {
                "suspended"
            } else {
                "active"
            });
            row.plain(format_args!("{{tier-{},\"team é\"}}", number % 3))
                .timestamp(founded(&plan, number + 15));
        },
    )
}

fn permissions(plan: &Arc<Plan>) -> DemoTable {
    let scopes =
        ["tool.sql_query:read", "tool.http_get:*", "tool.send_mail:draft", "tool.shell:deny", "tool.*:audit"];
    let count = (scopes.len() * plan.world.agents.len()) as u64;
    let columns = "id, agent_id, scope, effect, expires_at, granted_at";
    let plan = Arc::clone(plan);
    DemoTable::counted("permissions", columns, count, move |number, row| {
        let agent = &plan.world.agents[number as usize / scopes.len()];
        let scope = scopes[number as usize % scopes.len()];
        row.plain(number + 1).uuid(agent.id).text(scope);
        row.text(if scope.ends_with("deny") { "deny" } else { "allow" });
        row.text(if number % 4 == 0 { "infinity" } else { "2030-01-01 00:00:00+00" });
        row.timestamp(founded(&plan, number % 90 + 40));
    })
}
