//! Postgres inside the stack, and the source of a backup. The only folder that imports `tokio_postgres`.

pub mod amcheck;
pub mod assertion;
pub mod catalog;
pub mod chain_rows;
mod connect;
pub mod connections;
pub mod constraints;
pub mod content;
mod copy_rows;
mod create;
mod database;
mod database_settings;
mod direct;
mod frames;
mod guarded;
pub mod key_rows;
pub mod needs;
mod own_sql;
mod passfile;
mod pins;
pub mod restore;
pub mod root_rows;
pub mod scratch;
pub mod sequences;
mod server_text;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod snapshot;
pub mod source;
mod tls;
mod trouble;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Client;

use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::secret::Secret;
use crate::sandbox::docker::Engine;

pub use database::Database;
pub use direct::Direct;
pub(crate) use pins::Pins;

/// Between two attempts to reach a server that is starting.
const RETRY: Duration = Duration::from_millis(150);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Lines of a dead container's log that are shown.
const LOG_LINES: usize = 15;

/// Encodings that a database cannot have although a dump can be written in them (PostgreSQL documentation, 23.3), and
/// UTF8 itself, which goes with the image's own locale.
const CLIENT_ONLY: [&str; 9] =
    ["UTF8", "BIG5", "GB18030", "GBK", "JOHAB", "SJIS", "SHIFT_JIS_2004", "UHC", "UNICODE"];

/// The database every server has.
pub const MAINTENANCE: &str = "postgres";

/// A Postgres server in a container, reached through the engine.
#[derive(Debug, Clone)]
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// The container's id.
    pub container: String,
    /// The superuser's password.
    pub password: Secret,
    /// Its major version, once a connection has been made. A setting that it does not know would be an error.
    major: Arc<OnceLock<u32>>,
}

/// A server's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// As the server writes it.
    pub text: String,
    /// The major version.
    pub major: u32,
}

impl Server {
    /// Waits until the server answers a query over TCP. The image's entrypoint runs a temporary server first, which
    /// listens on a Unix socket only, so an answer over TCP comes from the real one.
    ///
    /// # Errors
    /// `server_died` with the last lines of its log, `server_not_ready`, `authentication_failed`.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<ServerVersion> {
        let deadline = Instant::now() + timeout;
        loop {
            let problem = match tokio::time::timeout(ATTEMPT, self.version()).await {
                Ok(Ok(version)) => return Ok(version),
                Ok(Err(failure)) if failure.code == codes::AUTHENTICATION_FAILED => return Err(failure),
                Ok(Err(failure)) => failure.message,
                Err(_) => format!("no answer within {} s", ATTEMPT.as_secs()),
            };
            self.require_running().await?;
            if Instant::now() >= deadline {
                let message = format!(
                    "Postgres does not answer after {} ({problem})",
                    crate::model::human::duration(timeout.as_secs_f64())
                );
                return Err(Failure::inconclusive(codes::SERVER_NOT_READY, message)
                    .hint("a slow disk may need a larger postgres.ready_timeout; --keep leaves the container to look at"));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Fails with the reason if the container has ended.
    pub async fn require_running(&self) -> Result<()> {
        let state = self.engine.observe_container(&self.container).await?;
        if state.running {
            return Ok(());
        }
        if state.oom_killed {
            return Err(Failure::inconclusive(
                codes::OUT_OF_MEMORY,
                "the Postgres container ran out of memory and was killed",
            )
            .hint("raise postgres.memory in the template, or lower --jobs"));
        }
        let log = self.engine.last_log_lines(&self.container, LOG_LINES).await;
        let exit = state.exit_code.unwrap_or_default();
        Err(Failure::inconclusive(
            codes::SERVER_DIED,
            format!("the Postgres container ended with status {exit}: {}", log.join(" / ")),
        )
        .hint("look at postgres.settings in the template and at the engine's free disk space and memory"))
    }

    async fn version(&self) -> Result<ServerVersion> {
        let failed = |error| own_failure("asking for the server's version", &error);
        let sql =
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int4 / 10000";
        let row = self.catalog(MAINTENANCE).await?.query_one(sql, &[]).await.map_err(failed)?;
        let major: i32 = row.try_get(1).map_err(failed)?;
        let text = row.try_get(0).map_err(failed)?;
        Ok(ServerVersion { text, major: u32::try_from(major).unwrap_or(0) })
    }

    /// Creates roles without login, for policies and grants that name them. One that is there already is left as it
    /// is; another database's restore may be creating it at this moment.
    pub async fn create_roles<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        use tokio_postgres::error::SqlState;
        let client = self.connect(MAINTENANCE).await?;
        for name in names {
            match client.batch_execute(&format!("CREATE ROLE {} NOLOGIN", quote_identifier(name))).await {
                Err(error)
                    if !matches!(
                        error.code(),
                        Some(&(SqlState::DUPLICATE_OBJECT | SqlState::UNIQUE_VIOLATION))
                    ) =>
                {
                    return Err(query_failure("creating a role", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Creates an empty database to restore into: from `template0`, so that nothing in it collides with the dump.
    pub async fn create_database(
        &self,
        name: &DatabaseName,
        encoding: Option<&str>,
        drop_public: bool,
    ) -> Result<()> {
        self.create_empty(name, encoding).await?;
        self.prepare_database(name, drop_public).await
    }

    /// Creates a database of this encoding, where no dump says with which locale.
    async fn create_empty(&self, name: &DatabaseName, encoding: Option<&str>) -> Result<()> {
        if name.as_str() == MAINTENANCE {
            return Ok(());
        }
        let quoted = quote_identifier(name.as_str());
        let client = self.connect(MAINTENANCE).await?;
        // Any encoding goes with the C locale; the image's own locale goes with UTF-8.
        let encoding = match encoding {
            Some(encoding) if !CLIENT_ONLY.iter().any(|known| encoding.eq_ignore_ascii_case(known)) => {
                format!(" ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'", quote_literal(encoding))
            }
            _ => " ENCODING 'UTF8'".to_owned(),
        };
        execute(
            &client,
            &format!("CREATE DATABASE {quoted} TEMPLATE template0{encoding}"),
            "creating the database",
        )
        .await
    }

    /// Makes an empty database fit for a dump that is hostile, or that makes schema `public` itself.
    async fn prepare_database(&self, name: &DatabaseName, drop_public: bool) -> Result<()> {
        self.switch_event_triggers_off(name).await?;
        if drop_public {
            let client = self.connect(name.as_str()).await?;
            execute(&client, "DROP SCHEMA IF EXISTS public", "making room for the dump's own schema public")
                .await?;
        }
        Ok(())
    }

    /// A trigger on login that comes with the dump would run for every connection of the drill: it may write rows, so
    /// that more are counted than were backed up, or let nobody in. PostgreSQL 17 has these triggers, and the setting.
    async fn switch_event_triggers_off(&self, name: &DatabaseName) -> Result<()> {
        let doing = "switching event triggers off";
        let sql = "SELECT FROM pg_settings WHERE name = 'event_triggers'";
        let known = self.catalog(MAINTENANCE).await?.query_opt(sql, &[]).await;
        if known.map_err(|error| own_failure(doing, &error))?.is_none() {
            return Ok(());
        }
        let client = self.connect(MAINTENANCE).await?;
        let database = quote_identifier(name.as_str());
        execute(&client, &format!("ALTER DATABASE {database} SET event_triggers = off"), doing).await
    }
}

/// Runs a connection until its client is gone.
fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(async move {
        // The client's next call reports why a connection ended; here there is nobody to tell.
        let _ = connection.await;
    });
}

async fn execute(client: &Client, sql: &str, doing: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|error| own_failure(doing, &error))
}

/// `"schema"."name"`, each quoted.
pub fn quote_relation(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// A condition on `ctid` that holds for the rows of these blocks of a table, as SQL with its WHERE; nothing for all.
fn in_blocks(from: Option<u64>, to: Option<u64>) -> String {
    let bounds = [("ctid OPERATOR(pg_catalog.>=)", from), ("ctid OPERATOR(pg_catalog.<)", to)];
    let bounds: Vec<String> = bounds
        .iter()
        .filter_map(|(operator, block)| Some(format!("{operator} '({},0)'::pg_catalog.tid", (*block)?)))
        .collect();
    if bounds.is_empty() { String::new() } else { format!(" WHERE {}", bounds.join(" AND ")) }
}

/// `"name"`, quotes doubled.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A query of our own that could not be answered. Nothing in a template could change that.
pub(crate) fn own_failure(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let failure = query_failure(doing, error);
    match failure.code {
        codes::QUERY_FAILED | codes::SCHEMA_DIFFERS => Failure::inconclusive(codes::QUERY_FAILED, failure.message)
            .hint("the query is restore-drill's own: something in the backup is in its way, or the server is in trouble; --keep leaves the server to look at"),
        _ => failure,
    }
}

/// A query that could not be answered, told apart by what it means for the drill.
pub fn query_failure(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let text = error_text(error);
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("53100") => Failure::disk_full(format!("{doing}: the server's disk is full")),
        Some("42P01" | "42703") => Failure::bad(codes::SCHEMA_DIFFERS, format!("{doing}: {text}"))
            .hint("a table or column that the check needs is not in the backup, or the template names it wrongly"),
        Some(frames::TOO_LONG) => Failure::inconclusive(codes::VALUE_TOO_LARGE, format!("{doing}: {text}"))
            .hint("this says nothing about the backup: the value is too large to be looked at here; leave the table or the column out of the check"),
        Some("57014") => Failure::inconclusive(codes::QUERY_TIMED_OUT, format!("{doing}: it did not end in time"))
            .hint("raise the check's `timeout` in the template, or look why it takes so long: --keep leaves the server to try it on"),
        _ => Failure::inconclusive(codes::QUERY_FAILED, format!("{doing}: {text}"))
            .hint("look at the query in the template, if it is one; --keep leaves the server to try it on"),
    }
}

/// The server's own words, which tokio_postgres keeps below its "db error".
fn error_text(error: &tokio_postgres::Error) -> String {
    let text = match error.as_db_error() {
        Some(db) => db.message().to_owned(),
        None => error.to_string(),
    };
    crate::model::human::one_line(&text, 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_literals_cannot_be_broken_out_of() {
        assert_eq!(quote_identifier("a\"; DROP x"), "\"a\"\"; DROP x\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
    }
}
