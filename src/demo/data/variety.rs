//! What audit rows say: tools, reasons, metadata. Chosen to hold what has broken hashing or loading before:
//! characters that JSON or COPY escape, keys whose order differs between Postgres and Python, numbers that print
//! differently.

use std::fmt::Write;

use rand::RngExt;
use rand::rngs::StdRng;

const TOOLS: [&str; 8] = [
    "tool.sql_query",
    "tool.http_get",
    "tool.http_post",
    "tool.read_file",
    "tool.send_mail",
    "tool.translate/日本語",
    "tool.shell",
    "tool.vector_search",
];

const REASONS: [&str; 10] = [
    "policy default-allow",
    "matched rule egress-internal",
    "within budget",
    "déjà vu: même requête ☕ 🚀",
    "path C:\\agents\\run \"quoted\"",
    "first line\nsecond line\twith a tab",
    "審査済み",
    "",
    "delete \u{7f} and unit separator \u{1f}",
    "needs approval above 1 000 €",
];

const FINDINGS: [&str; 5] = ["naïve ünïcode", "🚀", "a/b", "back\\\\slash", "line\\nbreak"];

pub(super) fn tool(rng: &mut StdRng) -> &'static str {
    TOOLS[rng.random_range(0..TOOLS.len())]
}

pub(super) fn reason(rng: &mut StdRng) -> Option<&'static str> {
    // A third of the rows have none.
    REASONS.get(rng.random_range(0..REASONS.len() * 3 / 2)).copied()
}

/// Writes the metadata of a row as JSON; false when it has none.
///
/// Keys stand in any order and numbers in any scale: Postgres reorders the former and keeps the latter.
pub(super) fn metadata(rng: &mut StdRng, json: &mut String) -> bool {
    json.clear();
    let small = rng.random_range(0..1000_u32);
    let finding = FINDINGS[rng.random_range(0..FINDINGS.len())];
    let _ = match rng.random_range(0..10) {
        0 => return false,
        1 | 2 => write!(json, "{{}}"),
        3 | 4 => write!(json, r#"{{"latency_ms": {small}, "risk_score": 0.{small:03}}}"#),
        5 => write!(
            json,
            r#"{{"cost_usd": 0.0000{small:03}, "model": "m-{}", "tokens": {{"output": {small}, "in": {}}}}}"#,
            small % 7,
            small * 3,
        ),
        6 => write!(
            json,
            r#"{{"findings": ["{finding}", {small}], "risk_score": {}.50, "Z": 1, "é": null, "a": {{"zz": [], "b": [1, 2.5, null, true]}}}}"#,
            small % 3,
        ),
        7 => write!(
            json,
            r#"{{"trace_id": "{:032x}", "big": 1234567890123456789{small}, "ratio": {small}.0}}"#,
            rng.random::<u128>(),
        ),
        8 => write!(json, r#"{{"args": {{"path": "/srv/{finding}/{small}", "depth": {}}}}}"#, small % 9),
        _ => write!(json, r#"{{"ip": "192.0.2.{}", "user_agent": "agent/1.{small}"}}"#, small % 256),
    };
    true
}
