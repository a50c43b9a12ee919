//! What an image lacks that a dump needs: found by trying it in a new database, in which no word of the dump ever ran.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::shown;
use super::words::{self, Words};
use crate::format::pg_custom::{Collation, Toc};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human::one_line;
use crate::model::names::{DatabaseName, ServerName};
use crate::target::postgres::client::execute;
use crate::target::postgres::failures::{error_text, own_failure};
use crate::target::postgres::needs;
use crate::target::postgres::quote::{quote_identifier, quote_literal};
use crate::target::postgres::server::{MAINTENANCE, Server};

/// Objects of each kind that are tried.
const TRIED: usize = 200;
/// Kinds of entries that fail when a view does.
const VIEWS: [&str; 6] =
    ["VIEW", "MATERIALIZED VIEW", "MATERIALIZED VIEW DATA", "RULE", "TRIGGER", "COMMENT"];

impl Server {
    /// What the image lacks that this dump needs, if anything.
    pub(super) async fn lack(
        &self,
        database: &DatabaseName,
        words: &Words,
        toc: &Toc,
    ) -> Result<Option<Failure>> {
        let maintenance = self.connect(MAINTENANCE).await?;
        let name = format!("restore_drill_{}", Uuid::new_v4().simple());
        let quoted = quote_identifier(&name);
        let make = format!("CREATE DATABASE {quoted} TEMPLATE template0");
        execute(&maintenance, &make, "making a database to try the image in").await?;
        let tried = async {
            let client = self.connect(&name).await?;
            let probe = Probe { server: self, client: &client };
            if let Some(failure) = probe.extensions(database, toc).await? {
                return Ok(Some(failure));
            }
            if let Some(failure) = probe.libraries(toc).await? {
                return Ok(Some(failure));
            }
            if let Some(failure) = probe.collations(toc).await? {
                return Ok(Some(failure));
            }
            probe.major(database, words, toc).await
        };
        let lack = tried.await;
        execute(&maintenance, &format!("DROP DATABASE {quoted}"), "removing that database").await?;
        lack
    }

    async fn extensions_of(&self, database: &DatabaseName) -> Result<BTreeSet<String>> {
        let failed = |error| own_failure("listing extensions", &error);
        let session = self.catalog(database.as_str()).await?;
        let rows = session.query("SELECT extname::text FROM pg_extension", &[]).await.map_err(failed)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)
    }
}

/// The failure of an extension that the image has, and that does not work there.
fn unusable(name: &str, why: &str, database: &DatabaseName, loaded: &str, server: &ServerName) -> Failure {
    let shown = one_line(name, 80);
    let own = [(needs::PRELOAD.to_owned(), loaded.to_owned())].into();
    // An extension may say something else first, and one that is not known says what it needs.
    let lacking = needs::lacking_libraries(&own, [name]).map(|(_, all)| all);
    let lacking = lacking.or_else(|| words::ask_to_be_preloaded(why).then(|| needs::with(loaded, &shown)));
    let hint = match lacking {
        Some(all) => {
            format!(
                "{}; or leave {shown} out: ignore_extensions of {database}",
                needs::preload_advice(server, &all)
            )
        }
        None if words::want_another_database(why) => {
            format!(
                "write \"cron.database_name\" = \"{database}\" under [{}.settings] in the template",
                server.section()
            )
        }
        None => format!(
            "name another image in postgres.image; or leave {shown} out: ignore_extensions of {database}"
        ),
    };
    let message = format!("the image has the extension {shown}, and it does not work there: {why}");
    Failure::inconclusive(codes::EXTENSION_UNUSABLE, message).hint(hint)
}

/// A new database, as the image has it.
struct Probe<'a> {
    server: &'a Server,
    client: &'a Client,
}

impl Probe<'_> {
    /// The server's words, if it refuses this.
    async fn refused(&self, sql: &str, doing: &str) -> Result<Option<(SqlState, String)>> {
        match self.client.batch_execute(sql).await {
            Ok(()) => Ok(None),
            Err(error) => match error.code() {
                Some(code) => Ok(Some((code.clone(), error_text(&error)))),
                None => Err(own_failure(doing, &error)),
            },
        }
    }

    /// Those that the restored database has been made with work.
    async fn extensions(&self, database: &DatabaseName, toc: &Toc) -> Result<Option<Failure>> {
        let has = self.server.extensions_of(database).await?;
        let wanted: Vec<&str> = toc.extensions().take(TRIED).collect();
        let sql = "SELECT name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name \
                   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions e \
                                     WHERE e.name OPERATOR(pg_catalog.=) name.name::pg_catalog.name) LIMIT 1";
        let absent = self.client.query_opt(sql, &[&wanted]).await;
        let absent = absent.map_err(|error| own_failure("looking for extensions", &error))?;
        if let Some(row) = absent {
            let name = one_line(row.get(0), 80);
            return Ok(Some(
                Failure::inconclusive(
                    codes::EXTENSION_MISSING,
                    format!("the image lacks the extension {name}"),
                )
                .hint(format!(
                    "name an image that has it in postgres.image, or leave it out: ignore_extensions = [\"{name}\"] of {database}"
                )),
            ));
        }
        for name in wanted.into_iter().filter(|name| !has.contains(*name)) {
            let sql = format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", quote_identifier(name));
            if let Some((_, why)) = self.refused(&sql, "trying an extension").await? {
                let loaded = self.server.preloaded().await.unwrap_or_default();
                return Ok(Some(unusable(name, &why, database, &loaded, &self.server.name)));
            }
        }
        Ok(None)
    }

    async fn libraries(&self, toc: &Toc) -> Result<Option<Failure>> {
        for library in toc.libraries().into_iter().take(TRIED) {
            let sql = format!("LOAD {}", quote_literal(&format!("$libdir/{library}")));
            if let Some((_, why)) = self.refused(&sql, "trying a library").await? {
                let message = format!("functions of the dump need the library {library}: {why}");
                return Ok(Some(
                    Failure::inconclusive(codes::LIBRARY_MISSING, message)
                        .hint("name an image that has the library in postgres.image"),
                ));
            }
        }
        Ok(None)
    }

    async fn collations(&self, toc: &Toc) -> Result<Option<Failure>> {
        let missing = |name: &str, why: &str| {
            let message = format!("the image lacks what the collation {} needs: {why}", one_line(name, 80));
            Failure::inconclusive(codes::COLLATION_MISSING, message)
                .hint("name an image that has the source's locales in postgres.image")
        };
        for collation in toc.collations().iter().take(TRIED) {
            if let Some((_, why)) = self.refused(&creation(collation), "trying a collation").await? {
                return Ok(Some(missing(&collation.name, &why)));
            }
        }
        let used: Vec<String> = toc.system_collations().into_iter().take(TRIED).collect();
        let sql = "SELECT name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name \
                   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_collation c \
                                     WHERE c.collname OPERATOR(pg_catalog.=) name.name::pg_catalog.name) LIMIT 1";
        let absent = self.client.query_opt(sql, &[&used]).await;
        let absent = absent.map_err(|error| own_failure("looking for collations", &error))?;
        Ok(absent.map(|row| missing(row.get(0), "it is a locale of the source's machine")))
    }

    /// Views over the system's own views and tables: these are others in another major version.
    async fn major(&self, database: &DatabaseName, words: &Words, toc: &Toc) -> Result<Option<Failure>> {
        let asked = self
            .client
            .query_one("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4", &[])
            .await;
        let has =
            asked.map_err(|error| own_failure("asking for the version", &error))?.get::<_, i32>(0) / 10_000;
        let Some(of_dump) = toc.header.server_major().filter(|major| i64::from(*major) < i64::from(has))
        else {
            return Ok(None);
        };
        let entries: Option<Vec<_>> =
            words.complaints.iter().map(|complaint| shown::entry_of(toc, complaint)).collect();
        let Some(entries) = entries.filter(|_| words.entries().is_some()) else { return Ok(None) };
        let all_views = entries.iter().all(|entry| VIEWS.contains(&entry.desc.as_str()));
        let first = entries.first().filter(|first| all_views && first.defn.contains("pg_"));
        Ok(first.map(|view| {
            let message = format!(
                "{database} was dumped from PostgreSQL {of_dump}, and the image's {has} does not take its view {}.{}, which reads the system's own",
                one_line(view.namespace.as_deref().unwrap_or_default(), 80),
                one_line(&view.tag, 80)
            );
            Failure::inconclusive(codes::MAJOR_DIFFERS, message).hint(format!(
                "drill with an image of PostgreSQL {of_dump}; such views must be dropped before an upgrade"
            ))
        }))
    }
}

fn creation(collation: &Collation) -> String {
    // Words such as `false` may be quoted as well (`defGetBoolean`, `defGetString`).
    let options: Vec<String> =
        collation.options.iter().map(|(name, value)| format!("{name} = {}", quote_literal(value))).collect();
    let name = quote_identifier(&format!("try_{}", Uuid::new_v4().simple()));
    format!("CREATE COLLATION public.{name} ({})", options.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_that_must_be_loaded_at_the_start_is_told_with_the_setting() {
        let hint = |why: &str, loaded: &str| {
            unusable("pg_cron", why, &"shop".parse().unwrap(), loaded, &ServerName::default())
                .hint
                .unwrap_or_default()
        };
        let said = "pg_cron can only be loaded via shared_preload_libraries";
        assert!(hint(said, "pgaudit").contains("shared_preload_libraries = \"pgaudit,pg_cron\""));
        let elsewhere = "can only create extension in database postgres";
        assert!(hint(elsewhere, "").contains("shared_preload_libraries = \"pg_cron\""));
        assert!(hint(elsewhere, "pg_cron").contains("cron.database_name"));
        assert!(hint("no such file", "pg_cron").contains("ignore_extensions of shop"));
        let other = unusable(
            "new_one",
            "new_one must be preloaded",
            &"shop".parse().unwrap(),
            "pg_cron",
            &ServerName::default(),
        );
        assert!(other.hint.unwrap().contains("\"pg_cron,new_one\""));
    }
}
