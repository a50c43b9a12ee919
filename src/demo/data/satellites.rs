//! The databases around the chain: `acp_api`, `acp_behavior`, `acp_identity_graph`, `acp_flight_recorder`,
//! `acp_autonomy`. Few rows, but what restores trip over: extensions, a policy for a role, partitions, an enum,
//! views, generated columns, `bytea`, sequences, a table that is rightly empty.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::copy::RowWriter;
use super::world::{Stream, random_uuid};
use super::{DemoDatabase, DemoTable, Plan};

pub(super) fn all(plan: &Arc<Plan>) -> [DemoDatabase; 5] {
    [
        DemoDatabase {
            name: "acp_api",
            schema: include_str!("sql/api.schema.sql"),
            tables: vec![
                table(
                    plan,
                    "api_requests",
                    "id, tenant_id, method, path, status, duration_ms, requested_at",
                    |p| (p.rows / 10).clamp(200, 50_000),
                    api_request,
                ),
                table(plan, "webhooks", "id, tenant_id, url, secret_digest, created_at", |_| 12, webhook),
            ],
            finish: include_str!("sql/api.finish.sql"),
        },
        DemoDatabase {
            name: "acp_behavior",
            schema: include_str!("sql/behavior.schema.sql"),
            tables: vec![
                table(
                    plan,
                    "baselines",
                    "agent_id, metric, mean, deviation, computed_at",
                    |_| 24 * 4,
                    baseline,
                ),
                table(
                    plan,
                    "anomalies",
                    "id, agent_id, score, description, window_range, detected_at",
                    |_| 300,
                    anomaly,
                ),
            ],
            finish: include_str!("sql/behavior.finish.sql"),
        },
        DemoDatabase {
            name: "acp_identity_graph",
            schema: include_str!("sql/identity_graph.schema.sql"),
            tables: vec![
                table(plan, "nodes", "id, kind, attributes, created_at", |_| NODES, node),
                table(plan, "edges", "id, source_id, target_id, relation, weight, created_at", |_| 900, edge),
            ],
            finish: include_str!("sql/identity_graph.finish.sql"),
        },
        DemoDatabase {
            name: "acp_flight_recorder",
            schema: include_str!("sql/flight_recorder.schema.sql"),
            tables: vec![
                table(
                    plan,
                    "recordings",
                    "id, agent_id, state, started_at, ended_at",
                    |_| RECORDINGS,
                    recording,
                ),
                table(
                    plan,
                    "frames",
                    "recording_id, frame, payload, recorded_at",
                    |_| RECORDINGS * FRAMES,
                    frame,
                ),
            ],
            finish: include_str!("sql/flight_recorder.finish.sql"),
        },
        DemoDatabase {
            name: "acp_autonomy",
            schema: include_str!("sql/autonomy.schema.sql"),
            tables: vec![
                table(plan, "policies", "id, tenant_id, level, rules, effective_from", |_| 9, policy),
                table(
                    plan,
                    "approvals",
                    "id, policy_id, requested_by, granted, note, decided_at",
                    |_| 240,
                    approval,
                ),
            ],
            finish: include_str!("sql/autonomy.finish.sql"),
        },
    ]
}

const NODES: u64 = 150;
const RECORDINGS: u64 = 60;
/// Frames of each recording.
const FRAMES: u64 = 20;

/// What one row of a table is made from.
struct Draw<'a> {
    plan: &'a Plan,
    number: u64,
    rng: StdRng,
}

impl Draw<'_> {
    fn tenant(&mut self) -> Uuid {
        let tenants = &self.plan.world.tenants;
        tenants[self.rng.random_range(0..tenants.len())].id
    }

    fn agent(&mut self) -> Uuid {
        let agents = &self.plan.world.agents;
        agents[self.rng.random_range(0..agents.len())].id
    }

    fn moment(&mut self) -> i64 {
        self.rng.random_range(self.plan.calendar.start..self.plan.calendar.end)
    }

    fn uuid(&mut self) -> Uuid {
        random_uuid(&mut self.rng)
    }

    /// The id of a row of another table, which that row's own draw begins with.
    fn id_in(&self, table: &str, number: u64) -> Uuid {
        random_uuid(&mut row_rng(self.plan.seed, table, number))
    }
}

/// Each row draws from a generator of its own, so that rows can name each other's ids.
fn row_rng(seed: u64, table: &str, number: u64) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = Stream::Satellites as u8;
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    for (byte, letter) in bytes[24..].iter_mut().zip(table.bytes()) {
        *byte = letter;
    }
    StdRng::from_seed(bytes)
}

fn table(
    plan: &Arc<Plan>,
    name: &'static str,
    columns: &str,
    count: impl Fn(&Plan) -> u64,
    write: fn(&mut Draw<'_>, &mut RowWriter<'_>),
) -> DemoTable {
    let count = count(plan);
    let plan = Arc::clone(plan);
    DemoTable::counted(name, columns, count, move |number, row| {
        write(&mut Draw { plan: &plan, number, rng: row_rng(plan.seed, name, number) }, row);
    })
}

fn api_request(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let paths = ["/v1/tools/execute", "/v1/agents", "/v1/audit?cursor=é%20", "/healthz"];
    row.plain(draw.number + 1).uuid(draw.tenant()).text(["GET", "POST"][draw.number as usize % 2]);
    row.text(paths[draw.rng.random_range(0..paths.len())])
        .plain([200, 201, 403, 429, 500][draw.number as usize % 5]);
    row.plain(format_args!("{}.{:03}", draw.rng.random_range(0..900), draw.rng.random_range(0..1000)));
    row.timestamp(draw.moment());
}

fn webhook(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    row.uuid(draw.uuid())
        .uuid(draw.tenant())
        .plain(format_args!("https://hooks.example.com/{}", draw.number));
    row.bytea(&draw.rng.random::<[u8; 32]>()).timestamp(draw.moment());
}

fn baseline(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let metrics = ["calls_per_minute", "deny_ratio", "latency_ms", "tool_entropy"];
    let agent = draw.plan.world.agents[draw.number as usize / metrics.len()].id;
    row.uuid(agent).text(metrics[draw.number as usize % metrics.len()]);
    row.plain(draw.rng.random_range(0.0..100.0))
        .plain(draw.rng.random_range(0.0..5.0))
        .timestamp(draw.moment());
}

fn anomaly(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    row.plain(draw.number + 1).uuid(draw.agent());
    row.plain(if draw.number == 7 { f64::NAN } else { draw.rng.random_range(0.5..1.0) });
    row.text("unusual burst of tool.http_get, «rafale»").plain(format_args!(
        "[{},{})",
        draw.number,
        draw.number + 60
    ));
    row.timestamp(draw.moment());
}

fn node(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    row.uuid(draw.uuid()).text(["user", "agent", "service"][draw.number as usize % 3]);
    row.plain(format_args!("{{\"trust\": 0.{:02}, \"hops\": {}}}", draw.number % 100, draw.number % 5));
    row.timestamp(draw.moment());
}

fn edge(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let source = draw.rng.random_range(0..NODES);
    row.plain(draw.number + 1).uuid(draw.id_in("nodes", source));
    row.uuid(draw.id_in("nodes", (source + 1 + draw.number % (NODES - 1)) % NODES));
    row.text(["delegates_to", "owns", "impersonates"][draw.number as usize % 3]);
    row.plain(draw.rng.random_range(0..100_000)).timestamp(draw.moment());
}

fn recording(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let id = draw.uuid();
    let start = draw.moment();
    row.uuid(id)
        .uuid(draw.agent())
        .text(["sealed", "aborted", "running"][draw.number as usize % 3])
        .timestamp(start);
    match draw.number % 3 {
        2 => row.null(),
        _ => row.timestamp(start + draw.rng.random_range(1..10_000_000)),
    };
}

fn frame(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let recording = draw.id_in("recordings", draw.number / FRAMES);
    let mut payload = vec![0; draw.rng.random_range(0..200)];
    draw.rng.fill(&mut payload[..]);
    row.uuid(recording).plain(draw.number % FRAMES).bytea(&payload).timestamp(draw.moment());
}

fn policy(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let tenants = &draw.plan.world.tenants;
    row.plain(draw.number + 1).uuid(tenants[draw.number as usize / 3].id).plain(draw.number % 3);
    row.text("{\"max_cost\": 12.50, \"allow\": [\"tool.http_get\"]}").timestamp(draw.moment());
}

fn approval(draw: &mut Draw<'_>, row: &mut RowWriter<'_>) {
    let users = &draw.plan.world.users;
    row.plain(draw.number + 1).plain(draw.number % 9 + 1);
    row.uuid(users[draw.rng.random_range(0..users.len())]).plain(!draw.number.is_multiple_of(4));
    row.optional_text(draw.number.is_multiple_of(3).then_some("exception granted for one run\tsee ticket"));
    row.timestamp(draw.moment());
}
