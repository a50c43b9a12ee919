//! What a server needs before a dump is restored to it: roles, and an empty database.

use tokio_postgres::Client;

use super::client::execute;
use super::failures::query_failure;
use super::quote::{quote_identifier, quote_literal};
use super::server::{MAINTENANCE, Server};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// Encodings that a database cannot have although a dump can be written in them (PostgreSQL documentation, 23.3), and
/// UTF8 itself, which goes with the image's own locale.
const CLIENT_ONLY: [&str; 9] =
    ["UTF8", "BIG5", "GB18030", "GBK", "JOHAB", "SJIS", "SHIFT_JIS_2004", "UHC", "UNICODE"];

/// The major version that can switch event triggers off, and has those that run on login.
const EVENT_TRIGGERS_SINCE: u32 = 17;
/// The major version since which a database can be made in two ways.
const STRATEGY_SINCE: u32 = 15;

/// The encoding, and the locale if it is not the server's own, of a database whose dump does not say with which locale it was
/// made. Any encoding goes with the C locale; a server's own goes with UTF-8. Whoever restores for real (`fetch`) uses the same.
pub fn encoding_and_locale(dumped: Option<&str>) -> (&str, Option<&'static str>) {
    match dumped {
        Some(encoding) if !CLIENT_ONLY.iter().any(|known| encoding.eq_ignore_ascii_case(known)) => {
            (encoding, Some("C"))
        }
        _ => ("UTF8", None),
    }
}

impl Server {
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

    /// Creates tablespaces that a script names, inside the server's own directory, which servers can from PostgreSQL 15 on. Where
    /// that fails, the script says so.
    pub async fn create_tablespaces(&self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let client = self.connect(MAINTENANCE).await?;
        if client.batch_execute("SET allow_in_place_tablespaces = on").await.is_err() {
            return Ok(());
        }
        for name in names {
            let sql = format!("CREATE TABLESPACE {} LOCATION ''", quote_identifier(name.as_ref()));
            // Another database may have named it before.
            let _ = client.batch_execute(&sql).await;
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
        let client = self.connect(MAINTENANCE).await?;
        self.create_empty(&client, name, encoding).await?;
        self.prepare_database(&client, name, drop_public).await
    }

    /// Creates a database of this encoding, where no dump says with which locale.
    pub(super) async fn create_empty(
        &self,
        maintenance: &Client,
        name: &DatabaseName,
        encoding: Option<&str>,
    ) -> Result<()> {
        if name.as_str() == MAINTENANCE {
            return Ok(());
        }
        let quoted = quote_identifier(name.as_str());
        let (encoding, locale) = encoding_and_locale(encoding);
        let mut sql =
            format!("CREATE DATABASE {quoted} TEMPLATE template0 ENCODING {}", quote_literal(encoding));
        if let Some(locale) = locale.map(quote_literal) {
            sql.push_str(&format!(" LC_COLLATE {locale} LC_CTYPE {locale}"));
        }
        sql.push_str(self.strategy());
        execute(maintenance, &sql, "creating the database").await
    }

    /// How a new database is made. Servers up to 14 copy files and have no word for it.
    pub(super) fn strategy(&self) -> &'static str {
        let is_known = self.major().is_some_and(|major| major >= STRATEGY_SINCE);
        if self.copies_files && is_known { " STRATEGY file_copy" } else { "" }
    }

    /// Makes an empty database fit for a dump that is hostile, or that makes schema `public` itself.
    pub(super) async fn prepare_database(
        &self,
        maintenance: &Client,
        name: &DatabaseName,
        drop_public: bool,
    ) -> Result<()> {
        self.switch_event_triggers_off(maintenance, name).await?;
        if drop_public {
            let client = self.connect(name.as_str()).await?;
            execute(&client, "DROP SCHEMA IF EXISTS public", "making room for the dump's own schema public")
                .await?;
        }
        Ok(())
    }

    /// A trigger on login that comes with the dump would run for every connection of the drill: it may write rows, so
    /// that more are counted than were backed up, or let nobody in. PostgreSQL 17 has these triggers, and the setting.
    async fn switch_event_triggers_off(&self, maintenance: &Client, name: &DatabaseName) -> Result<()> {
        if self.major().is_none_or(|major| major < EVENT_TRIGGERS_SINCE) {
            return Ok(());
        }
        let database = quote_identifier(name.as_str());
        let sql = format!("ALTER DATABASE {database} SET event_triggers = off");
        execute(maintenance, &sql, "switching event triggers off").await
    }
}
