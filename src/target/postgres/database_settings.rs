//! Which settings of a dumped database (`ALTER DATABASE … SET`) the drill's database gets.
//!
//! A CHECK may read a setting of the application's own, and what a text means as a date depends on one, so a restore
//! without them fails good backups. Others say how a server works, and not what its rows mean: they would slow the drill
//! down, bind it to what only production has, write into logs, or let the dump run code in every session.

use tokio_postgres::Client;

use super::failures::query_failure;
use super::quote::{quote_identifier, quote_literal};
use super::server::SUPERUSER;
use crate::format::pg_custom::{DatabaseSetting, Toc};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// Settings of PostgreSQL's own that decide what values mean, how they are written, or which names are found.
const KEPT: [&str; 20] = [
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "datestyle",
    "default_text_search_config",
    "default_toast_compression",
    "escape_string_warning",
    "extra_float_digits",
    "intervalstyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "quote_all_identifiers",
    "search_path",
    "standard_conforming_strings",
    "timezone",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// Modules whose settings run code, reach out, or write into logs.
const MODULES_LEFT_OUT: [&str; 14] = [
    "anon",
    "auto_explain",
    "cron",
    "http",
    "pg_net",
    "pgaudit",
    "pljava",
    "plperl",
    "plperlu",
    "plpython",
    "pltcl",
    "plv8",
    "set_user",
    "timescaledb",
];

/// A statement that gives a database what its dump names, and which `pg_restore` does not restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, of quoted names and values.
    pub sql: String,
    /// What is lost without it.
    pub what: String,
}

impl Statement {
    /// Runs these one by one. Returns what is lost of those that the server does not take: one of another version, of a module
    /// that is not there, or with a value that this machine lacks.
    pub(super) async fn run_each(client: &Client, statements: Vec<Self>, doing: &str) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for Self { sql, what } in statements {
            match client.batch_execute(&sql).await {
                Ok(()) => {}
                Err(error) if error.as_db_error().is_some() => lost.push(what),
                Err(error) => return Err(query_failure(doing, &error)),
            }
        }
        Ok(lost)
    }
}

/// What becomes of the settings of a dumped database. Whoever restores for real (`fetch` prints the commands) uses the same, so
/// that what was proved is what is done.
#[derive(Debug, Default)]
pub struct Settings {
    /// Those that the restored database gets.
    pub kept: Vec<Statement>,
    /// Those that it does not get, without their values.
    pub left_out: Vec<String>,
    /// Those that every drill sets itself, whatever the dump says.
    pub of_every_drill: Vec<String>,
}

/// The settings of the database that was dumped. Those of roles in it are left out, unless they are restored with the other
/// `access` to it (see [`super::database_access`]).
pub fn of_database(name: &DatabaseName, toc: &Toc, access: bool) -> Settings {
    let mut sorted = Settings::default();
    for setting in toc.settings().iter().filter(|setting| !access || setting.role.is_none()) {
        if is_of_every_drill(setting) {
            sorted.of_every_drill.push(shown(setting));
        } else if is_kept(setting) {
            let database = quote_identifier(name.as_str());
            let sql = format!("ALTER DATABASE {database} SET {}", assignment(setting));
            sorted.kept.push(Statement { sql, what: shown(setting) });
        } else {
            sorted.left_out.push(shown(setting));
        }
    }
    sorted
}

/// The setting as SQL has it, behind `SET`.
pub(super) fn assignment(setting: &DatabaseSetting) -> String {
    let values: Vec<String> = setting.values.iter().map(|value| quote_literal(value)).collect();
    format!("{} TO {}", quote_identifier(&setting.name), values.join(", "))
}

/// Whether the drill's database gets this setting. Those of a role are for its own sessions, and no role but the drill's
/// own logs in.
fn is_kept(setting: &DatabaseSetting) -> bool {
    let name = setting.name.to_ascii_lowercase();
    setting.role.is_none()
        && match name.split_once('.') {
            Some((module, _)) => !MODULES_LEFT_OUT.contains(&module),
            None => KEPT.contains(&name.as_str()),
        }
}

/// Settings of roles that are left out: they run code at log-in, change who somebody is, or write rows into logs.
const NOT_OF_ROLES: [&str; 9] = [
    "dynamic_library_path",
    "event_triggers",
    "extension_control_path",
    "jit_provider",
    "local_preload_libraries",
    "role",
    "session_authorization",
    "session_preload_libraries",
    "session_replication_role",
];

/// Whether a role of the drill gets this setting. Nobody logs in as one; the drill's own superuser does, and gets none.
pub fn is_kept_of_role(role: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    role != SUPERUSER
        && match name.split_once('.') {
            Some((module, _)) => !MODULES_LEFT_OUT.contains(&module),
            None => !NOT_OF_ROLES.contains(&name.as_str()) && !name.starts_with("log_"),
        }
}

/// Whether a drill sets it itself, whatever the dump says: that it is not the dump's is no news.
fn is_of_every_drill(setting: &DatabaseSetting) -> bool {
    setting.name.eq_ignore_ascii_case("event_triggers")
}

/// The setting as a warning names it: without its values, which may be secret.
pub fn shown(setting: &DatabaseSetting) -> String {
    let name = crate::model::human::one_line(&setting.name, 60);
    match &setting.role {
        Some(role) => format!("{name} of role {}", crate::model::human::one_line(role, 60)),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(role: Option<&str>, name: &str) -> DatabaseSetting {
        DatabaseSetting { role: role.map(str::to_owned), name: name.to_owned(), values: vec!["x".to_owned()] }
    }

    #[test]
    fn what_decides_what_values_mean_is_kept() {
        for name in ["app.tenant", "DateStyle", "TimeZone", "search_path", "App.y.z", "plpgsql.extra_errors"]
        {
            assert!(is_kept(&setting(None, name)), "{name}");
        }
    }

    #[test]
    fn what_runs_code_reaches_out_or_weakens_the_drill_is_left_out() {
        for name in [
            "session_preload_libraries",
            "local_preload_libraries",
            "dynamic_library_path",
            "default_transaction_read_only",
            "session_replication_role",
            "event_triggers",
            "log_statement",
            "log_min_messages",
            "statement_timeout",
            "work_mem",
            "role",
            "plperl.on_init",
            "PLTCL.start_proc",
            "auto_explain.log_min_duration",
            "ignore_checksum_failure",
            "zero_damaged_pages",
            "check_function_bodies",
        ] {
            assert!(!is_kept(&setting(None, name)), "{name}");
        }
        for name in
            ["session_preload_libraries", "Role", "session_authorization", "log_statement", "plperl.on_init"]
        {
            assert!(!is_kept_of_role("app", name), "{name}");
        }
        assert!(is_kept_of_role("app", "statement_timeout") && is_kept_of_role("app", "app.tenant"));
        assert!(!is_kept_of_role("postgres", "statement_timeout"));
        assert!(!is_kept(&setting(Some("postgres"), "app.tenant")));
        assert_eq!(shown(&setting(Some("ann"), "app.x")), "app.x of role ann");
    }
}
