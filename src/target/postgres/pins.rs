//! What the settings of our own connections are, whatever a dump says of them.
//!
//! A dump runs as superuser while it is restored, and can leave settings behind for every later connection: of a role, of
//! a database, of both. What stands in the startup message takes precedence over all of these, and is what `RESET` and
//! `DISCARD ALL` go back to; so every setting that changes what we read stands there.

use std::fmt::Write as _;
use std::time::Duration;

/// Nothing but the system's own. Temporary objects last: unnamed, they would come first.
const CATALOG_PATH: &str = "pg_catalog,pg_temp";
/// Where the template's own queries find their tables, and the backup's functions only what the system does not have.
const TEMPLATE_PATH: &str = "pg_catalog,public,pg_temp";
/// Where hooks of the template find and make what they name. The system's own comes first, unnamed.
const HOOK_PATH: &str = "public,pg_temp";

/// Settings of every connection of ours, with the first major version that has each.
const ALWAYS: [(u32, &str, &str); 25] = [
    // Who we are, and what runs before our first statement.
    (0, "role", "none"),
    (0, "post_auth_delay", "0"),
    (0, "session_preload_libraries", ""),
    (0, "local_preload_libraries", ""),
    (17, "event_triggers", "off"),
    // What we may do, and for how long.
    (0, "default_transaction_isolation", "read committed"),
    (0, "default_transaction_deferrable", "off"),
    (0, "lock_timeout", "0"),
    (0, "idle_in_transaction_session_timeout", "0"),
    (14, "idle_session_timeout", "0"),
    (17, "transaction_timeout", "0"),
    (0, "temp_file_limit", "-1"),
    // What a statement means, and which rows there are.
    (0, "standard_conforming_strings", "on"),
    (0, "transform_null_equals", "off"),
    (0, "row_security", "off"),
    (0, "session_replication_role", "origin"),
    (0, "gin_fuzzy_search_limit", "0"),
    (0, "zero_damaged_pages", "off"),
    (0, "ignore_checksum_failure", "off"),
    (0, "ignore_system_indexes", "off"),
    (17, "restrict_nonsystem_relation_kind", ""),
    // Rows stay out of the server's log, and its words are in one language.
    (0, "log_statement", "none"),
    (0, "log_min_duration_statement", "-1"),
    (0, "client_min_messages", "error"),
    (0, "lc_messages", "C"),
];

/// How values are read and written.
const VALUES: [(&str, &str); 11] = [
    ("array_nulls", "on"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("xmlbinary", "base64"),
    ("quote_all_identifiers", "off"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
];

/// The settings of one connection.
#[derive(Debug, Clone)]
pub struct Pins {
    path: Option<&'static str>,
    read_only: bool,
    /// Zero for none.
    timeout: Duration,
    more: Vec<(&'static str, &'static str)>,
}

impl Pins {
    /// For reading the catalogs.
    pub fn catalog() -> Self {
        Self { more: VALUES.into(), ..Self::expressions() }
    }

    /// For setting up a server or a database.
    pub fn setup() -> Self {
        Self { read_only: false, ..Self::catalog() }
    }

    /// For reading tables whose names we write out.
    pub fn rows() -> Self {
        Self::catalog()
    }

    /// For the template's own queries.
    pub fn template() -> Self {
        Self { path: Some(TEMPLATE_PATH), ..Self::catalog() }
    }

    /// For expressions of the backup's own, which may depend on what its database is set to: how times are written, its own
    /// parameters.
    pub fn expressions() -> Self {
        Self { path: Some(CATALOG_PATH), read_only: true, timeout: Duration::ZERO, more: Vec::new() }
    }

    /// For restoring, which sets its path itself.
    pub fn restore() -> Self {
        Self { path: None, read_only: false, ..Self::expressions() }
    }

    /// For hooks of the template, which write.
    pub fn hook() -> Self {
        Self { path: Some(HOOK_PATH), ..Self::setup() }
    }

    /// Statements end after this long.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// With these settings too.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        self.more.extend(more);
        self
    }

    /// Those that a session can be given later, and that decide what a statement means and how values are read.
    pub fn of_session(&self) -> Vec<(&'static str, &'static str)> {
        let path = self.path.map(|path| ("search_path", path));
        path.into_iter().chain([("row_security", "off")]).chain(self.more.iter().copied()).collect()
    }

    /// As they stand in the startup message to a server of this major version.
    pub fn options(&self, major: u32) -> String {
        // Postgres takes milliseconds, up to what fits 32 bits; none at all would be no limit.
        let least = i32::from(!self.timeout.is_zero());
        let millis = i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX).max(least);
        let read_only = if self.read_only { "on" } else { "off" };
        let mut options = String::new();
        let mut set = |name: &str, value: &str| {
            // Spaces separate options, and a backslash takes that from what follows it.
            let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
            write!(options, "-c {name}={value} ").expect("writing to a string");
        };
        if let Some(path) = self.path {
            set("search_path", path);
        }
        set("default_transaction_read_only", read_only);
        set("statement_timeout", &millis.to_string());
        for (since, name, value) in ALWAYS {
            if since <= major {
                set(name, value);
            }
        }
        for (name, value) in &self.more {
            set(name, value);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_given_what_it_knows() {
        let of = |major| Pins::catalog().options(major);
        assert!(of(17).contains("-c event_triggers=off "));
        assert!(!of(16).contains("event_triggers") && of(16).contains("-c idle_session_timeout=0 "));
        assert!(!of(13).contains("idle_session_timeout"));
        for options in [of(12), of(17)] {
            assert!(
                options.starts_with("-c search_path=pg_catalog,pg_temp -c default_transaction_read_only=on ")
            );
            assert!(options.contains("-c DateStyle=ISO,\\ MDY "), "{options}");
            assert!(options.contains("-c role=none "));
        }
    }

    #[test]
    fn a_limit_is_never_rounded_to_none() {
        let of = |timeout| Pins::expressions().timeout(timeout).options(17);
        assert!(of(Duration::from_micros(1)).contains("-c statement_timeout=1 "));
        assert!(of(Duration::from_secs(60)).contains("-c statement_timeout=60000 "));
        assert!(of(Duration::MAX).contains("-c statement_timeout=2147483647 "));
        assert!(of(Duration::ZERO).contains("-c statement_timeout=0 "));
    }

    #[test]
    fn expressions_of_the_backup_keep_the_settings_of_its_database() {
        let options = Pins::expressions().options(17);
        assert!(!options.contains("TimeZone") && !options.contains("bytea_output"), "{options}");
        let restoring = Pins::restore().options(17);
        assert!(restoring.starts_with("-c default_transaction_read_only=off "), "{restoring}");
    }
}
