//! What the dumps of a drill need of the server before it starts, by their tables of contents: room for locks, and
//! libraries that must be loaded at the start.

use std::collections::BTreeMap;

use super::server::{MAINTENANCE, Server};
use crate::model::names::ServerName;

const MIB: u64 = 1024 * 1024;
/// What `max_locks_per_transaction` is where it is not set.
const DEFAULT_LOCKS: u64 = 64;
/// Bytes of shared memory for each lock that the table has room for (`LOCK`, `PROCLOCK` and their hash entries).
const LOCK_BYTES: u64 = 320;

/// What dumps need of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Relations of all databases, those that tie two together included.
    pub relations: u64,
    /// Extensions, each with a database that has it.
    pub extensions: BTreeMap<String, String>,
}

/// An extension that works only if its library was loaded when the server started.
struct Preloaded {
    extension: &'static str,
    library: &'static str,
    /// Settings that keep it from doing anything by itself: a drill restores, and nothing else.
    settings: &'static [(&'static str, &'static str)],
}

const fn plain(name: &'static str) -> Preloaded {
    Preloaded { extension: name, library: name, settings: &[] }
}

/// In the order in which they are loaded: some want to be the first, and some need another.
const PRELOADED: [Preloaded; 13] = [
    plain("citus"),
    Preloaded {
        extension: "timescaledb",
        library: "timescaledb",
        settings: &[("timescaledb.telemetry_level", "off")],
    },
    plain("pg_stat_statements"),
    plain("pg_stat_kcache"),
    plain("pg_qualstats"),
    plain("pg_wait_sampling"),
    plain("pg_stat_monitor"),
    // Its jobs are rows of the dump. None is started; one of a version without that setting finds no way in.
    Preloaded {
        extension: "pg_cron",
        library: "pg_cron",
        settings: &[
            ("cron.launch_active_jobs", "off"),
            ("cron.use_background_workers", "off"),
            ("cron.host", "127.0.0.1"),
        ],
    },
    plain("pg_squeeze"),
    plain("pg_tle"),
    plain("pgaudit"),
    plain("pglogical"),
    plain("set_user"),
];

/// The setting of libraries that are loaded when the server starts.
pub const PRELOAD: &str = "shared_preload_libraries";

/// The library that an extension needs loaded when the server starts; none if it needs none, as far as is known.
pub fn preloaded_library(extension: &str) -> Option<&'static str> {
    PRELOADED.iter().find(|one| one.extension == extension).map(|one| one.library)
}

/// The libraries of these extensions that a template's own setting lacks, with which it would have them; none if it lacks
/// none, or if the drill is free to load what is needed.
pub fn lacking_libraries<'a>(
    settings: &BTreeMap<String, String>,
    extensions: impl IntoIterator<Item = &'a str>,
) -> Option<(Vec<&'static str>, String)> {
    let own = settings.get(PRELOAD)?;
    let has: Vec<&str> = names(own).collect();
    let mut lacking: Vec<&'static str> = extensions
        .into_iter()
        .filter_map(preloaded_library)
        .filter(|library| !has.contains(library))
        .collect();
    lacking.sort_unstable();
    lacking.dedup();
    let all = lacking.iter().fold(has.join(","), |all, library| with(&all, library));
    (!lacking.is_empty()).then_some((lacking, all))
}

/// A list of libraries with another one at its end.
pub fn with(libraries: &str, another: &str) -> String {
    names(libraries).chain([another]).collect::<Vec<_>>().join(",")
}

fn names(libraries: &str) -> impl Iterator<Item = &str> {
    libraries.split(',').map(library_name).filter(|name| !name.is_empty())
}

/// `'$libdir/pg_cron'` is `pg_cron`.
fn library_name(written: &str) -> &str {
    let plain = written.trim().trim_matches(['"', '\'']);
    plain.strip_prefix("$libdir/").unwrap_or(plain)
}

/// What to write into a template so that libraries are loaded when this server starts.
pub fn preload_advice(server: &ServerName, libraries: &str) -> String {
    format!("write {PRELOAD} = \"{libraries}\" under [{}.settings] in the template", server.section())
}

impl Needs {
    fn preloaded(&self) -> impl Iterator<Item = (&'static Preloaded, &str)> {
        PRELOADED.iter().filter_map(|one| Some((one, self.extensions.get(one.extension)?.as_str())))
    }

    /// Libraries to load at the start, where the image has them.
    pub fn libraries(&self) -> Vec<&'static str> {
        self.preloaded().map(|(one, _)| one.library).collect()
    }

    /// The server's settings for all this, given how many connections it takes and its memory.
    pub fn settings(&self, max_connections: u64, memory_bytes: u64) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        // A restore locks all partitions of a table at once, each with its indexes and its overflow table; checks that read
        // a whole database do the same beside it.
        let wanted = (self.relations * 6).div_ceil(max_connections.max(1));
        let most = memory_bytes.max(256 * MIB) / 8 / LOCK_BYTES / max_connections.max(1);
        if wanted > DEFAULT_LOCKS {
            let locks = wanted.min(most).max(DEFAULT_LOCKS);
            settings.insert("max_locks_per_transaction".to_owned(), locks.to_string());
        }
        for (one, database) in self.preloaded() {
            settings
                .extend(one.settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            if one.extension == "pg_cron" {
                settings.insert("cron.database_name".to_owned(), database.to_owned());
            }
        }
        settings
    }
}

impl Server {
    /// The libraries that the server loaded at its start; none if it does not tell.
    pub async fn preloaded(&self) -> Option<String> {
        let client = self.connect(MAINTENANCE).await.ok()?;
        let sql = "SELECT pg_catalog.current_setting('shared_preload_libraries')";
        client.query_one(sql, &[]).await.ok()?.try_get(0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_locks_follows_the_relations_within_the_memory() {
        let locks = |relations, memory| {
            let needs = Needs { relations, ..Needs::default() };
            needs.settings(100, memory).remove("max_locks_per_transaction")
        };
        let gib = 1024 * MIB;
        assert_eq!(locks(1000, gib), None, "the default will do");
        assert_eq!(locks(8800, gib).as_deref(), Some("528"));
        assert_eq!(locks(100_000_000, gib).as_deref(), Some("4194"));
    }

    #[test]
    fn libraries_that_a_template_leaves_out_are_named_with_those_it_has() {
        let lacking = |own: Option<&str>, extensions: &[&'static str]| {
            let settings = own.map(|own| (PRELOAD.to_owned(), own.to_owned())).into_iter().collect();
            lacking_libraries(&settings, extensions.iter().copied())
        };
        assert_eq!(lacking(None, &["pg_cron"]), None, "the drill loads it by itself");
        assert_eq!(
            lacking(Some("'$libdir/pgaudit', x"), &["pg_cron", "pgaudit", "hstore"]),
            Some((vec!["pg_cron"], "pgaudit,x,pg_cron".to_owned()))
        );
        assert_eq!(lacking(Some(""), &["pg_cron"]).unwrap().1, "pg_cron");
        assert_eq!(lacking(Some("pg_cron"), &["pg_cron"]), None);
        assert!(
            preload_advice(&ServerName::default(), "pg_cron")
                .contains("shared_preload_libraries = \"pg_cron\"")
        );
    }

    #[test]
    fn libraries_are_loaded_for_the_extensions_that_need_it_and_jobs_do_not_run() {
        let extensions = ["pg_cron", "hstore", "pg_stat_statements"];
        let extensions = extensions.map(|name| (name.to_owned(), "shop".to_owned())).into();
        let needs = Needs { relations: 0, extensions };
        assert_eq!(needs.libraries(), ["pg_stat_statements", "pg_cron"]);
        let settings = needs.settings(100, MIB);
        assert_eq!(
            (&*settings["cron.launch_active_jobs"], &*settings["cron.database_name"]),
            ("off", "shop")
        );
        assert_eq!(Needs::default().settings(100, MIB), BTreeMap::new());
    }
}
