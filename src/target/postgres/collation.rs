//! The collations that a database compares texts by. The same queries read a source and what was restored from it.

use futures_util::TryFutureExt;
use tokio_postgres::{Client, Error, Row};

use super::aside::aside;
use super::failures::own_failure;
use super::own_sql::qualify;
use super::server::Server;
use crate::model::failure::Result;
use crate::model::manifest::{Collation, Collations, NamedCollation};
use crate::model::names::DatabaseName;

/// Keys of the catalogs that came with 15, 16 and 17 are read as JSON, which has none where a server has none.
macro_rules! database {
    ($actual:literal) => {
        concat!(
            "SELECT coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
                    CASE WHEN coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c' THEN d.datcollate::text
                         ELSE coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') END,
                    CASE WHEN coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c' AND d.datctype <> d.datcollate
                         THEN d.datctype::text END,
                    to_jsonb(d)->>'daticurules', to_jsonb(d)->>'datcollversion', ",
            $actual,
            " FROM pg_database d WHERE d.datname = current_database()"
        )
    };
}
const DATABASE: &str = database!("pg_database_collation_actual_version(d.oid)");
/// Up to 14 a database has no version, and collations of the same locale have.
const DATABASE_BEFORE_15: &str = database!(
    "(SELECT pg_collation_actual_version(c.oid) FROM pg_collation c
      WHERE c.collprovider = 'c' AND c.collcollate = d.datcollate LIMIT 1)"
);
/// The first major version with versions of databases.
const VERSIONS_SINCE: u32 = 15;

/// Collations but the default one that columns of users' tables and of their indexes have. The order of `C` is in no version.
const OTHERS: &str = "
    SELECT c.collprovider::text,
           coalesce(to_jsonb(c)->>'colllocale', to_jsonb(c)->>'colliculocale', to_jsonb(c)->>'collcollate'),
           CASE WHEN c.collprovider = 'c' AND (to_jsonb(c)->>'collctype') <> (to_jsonb(c)->>'collcollate')
                THEN to_jsonb(c)->>'collctype' END,
           to_jsonb(c)->>'collicurules', c.collversion, pg_collation_actual_version(c.oid), n.nspname::text,
           c.collname::text
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE c.collprovider <> 'd' AND c.collname <> ALL ('{C,POSIX,ucs_basic}'::name[])
      AND EXISTS (SELECT FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
                  JOIN pg_namespace s ON s.oid = r.relnamespace
                  WHERE a.attcollation = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND s.nspname <> ALL ('{pg_catalog,information_schema}'::name[]))
    ORDER BY 7, 8";

fn of_database(major: u32) -> &'static str {
    if major < VERSIONS_SINCE { DATABASE_BEFORE_15 } else { DATABASE }
}

/// The collations of a source's database, over a connection in a transaction, which an error does not end.
pub(super) async fn read(client: &Client, major: u32) -> Result<Collations> {
    let failed = |error: Error| own_failure("reading collations", &error);
    let asking = async {
        let database = client.query_one(&qualify(of_database(major)), &[]).await?;
        collations(&database, &client.query(&qualify(OTHERS), &[]).await?)
    };
    aside(client, "", failed, asking.map_err(failed)).await
}

impl Server {
    /// The collations of a restored database.
    ///
    /// # Errors
    /// `query_failed`.
    pub async fn collations(&self, database: &DatabaseName) -> Result<Collations> {
        let failed = |error: Error| own_failure("reading collations", &error);
        let session = self.catalog(database.as_str()).await?;
        let major = self.major().unwrap_or(VERSIONS_SINCE);
        let own = session.query_one(of_database(major), &[]).await.map_err(failed)?;
        let others = session.query(OTHERS, &[]).await.map_err(failed)?;
        collations(&own, &others).map_err(failed)
    }
}

fn collations(database: &Row, others: &[Row]) -> Result<Collations, Error> {
    let named = |row: &Row| {
        Ok(NamedCollation { schema: row.try_get(6)?, name: row.try_get(7)?, collation: collation(row)? })
    };
    let others = others.iter().map(named).collect::<Result<_, Error>>()?;
    Ok(Collations { database: collation(database)?, others })
}

fn collation(row: &Row) -> Result<Collation, Error> {
    let provider = match row.try_get::<_, String>(0)?.as_str() {
        "c" => "libc".to_owned(),
        "i" => "icu".to_owned(),
        "b" => "builtin".to_owned(),
        other => other.to_owned(),
    };
    Ok(Collation {
        provider,
        locale: row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
        ctype: row.try_get(2)?,
        rules: row.try_get(3)?,
        version: row.try_get(4)?,
        actual_version: row.try_get(5)?,
    })
}
