//! Server settings for a server whose data may be lost at any time, sized from the machine.
//!
//! Sources: PostgreSQL documentation, 14.5 "Non-Durable Settings" and 14.4 "Populating a Database".

use std::collections::BTreeMap;

use super::connections::Connections;
use super::needs::Needs;
use crate::model::verdict::Tuning;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
/// What `max_connections` is where it is not set.
const POSTGRES_DEFAULT: usize = 100;

/// Settings for a tuning, a number of restore workers and what the dumps need, with the template's own on top.
pub fn settings(
    tuning: Tuning,
    memory_bytes: u64,
    jobs: usize,
    needs: &Needs,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = match tuning {
        Tuning::Throwaway => throwaway(memory_bytes, jobs),
        Tuning::Production => BTreeMap::new(),
    };
    let connections = max_connections(jobs);
    settings.insert("max_connections".to_owned(), connections.to_string());
    let connections =
        own.get("max_connections").and_then(|own| own.parse().ok()).unwrap_or(connections as u64);
    settings.extend(needs.settings(connections, memory_bytes));
    // Errors name rows of the restored data, and the container's log lies on the host's disk; pg_restore and the
    // checks report them where they belong. LOG, FATAL and PANIC still tell how the server itself is doing.
    settings.insert("log_min_messages".to_owned(), "log".to_owned());
    settings.insert("log_min_error_statement".to_owned(), "panic".to_owned());
    settings.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    settings
}

/// Each restore worker holds one, and the checks so many together. To spare: counting the rows of databases that are
/// restored already, programs of the template's own, and connections that are only just being closed.
fn max_connections(jobs: usize) -> usize {
    (jobs + Connections::most(jobs) + 50).max(POSTGRES_DEFAULT)
}

fn throwaway(memory_bytes: u64, jobs: usize) -> BTreeMap<String, String> {
    let mib = |bytes: u64| format!("{}MB", bytes / MIB);
    [
        ("fsync", "off".to_owned()),
        ("synchronous_commit", "off".to_owned()),
        ("full_page_writes", "off".to_owned()),
        ("wal_level", "minimal".to_owned()),
        ("max_wal_senders", "0".to_owned()),
        ("archive_mode", "off".to_owned()),
        ("max_wal_size", "16GB".to_owned()),
        ("checkpoint_timeout", "1d".to_owned()),
        ("autovacuum", "off".to_owned()),
        ("jit", "off".to_owned()),
        ("shared_buffers", mib((memory_bytes / 4).clamp(128 * MIB, 8 * GIB))),
        ("maintenance_work_mem", mib((memory_bytes / 8 / jobs.max(1) as u64).clamp(64 * MIB, 2 * GIB - MIB))),
        ("work_mem", mib((memory_bytes / 64).clamp(16 * MIB, 256 * MIB))),
        ("max_parallel_maintenance_workers", jobs.to_string()),
        ("max_parallel_workers", jobs.to_string()),
        ("max_worker_processes", (jobs + 4).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_memory_within_bounds() {
        let of = |memory| settings(Tuning::Throwaway, memory, 2, &Needs::default(), &BTreeMap::new());
        assert_eq!(of(16 * GIB)["shared_buffers"], "4096MB");
        assert_eq!(of(256 * MIB)["shared_buffers"], "128MB");
        assert_eq!(of(1024 * GIB)["shared_buffers"], "8192MB");
        assert_eq!(of(1024 * GIB)["maintenance_work_mem"], "2047MB");
        let crowded = settings(Tuning::Throwaway, 32 * GIB, 16, &Needs::default(), &BTreeMap::new());
        assert_eq!((&*crowded["maintenance_work_mem"], &*crowded["max_connections"]), ("256MB", "100"));
    }

    #[test]
    fn production_keeps_the_images_settings_and_the_templates() {
        let own = [("work_mem".to_owned(), "64MB".to_owned())].into();
        let settings = settings(Tuning::Production, GIB, 32, &Needs::default(), &own);
        assert_eq!(settings.get("fsync"), None);
        assert_eq!(settings["work_mem"], "64MB");
        assert_eq!(settings["max_connections"], "148", "the drill's own work needs them");
    }
}
