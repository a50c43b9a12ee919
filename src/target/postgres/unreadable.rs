//! Tables that are restored without their rows, because the template leaves those out: nothing may take them for empty.
//!
//! A check of a template is any SQL, so it cannot be known beforehand which tables it reads. PostgreSQL refuses to read a
//! relation that its catalog says is not populated, as a materialized view before its first refresh
//! (`ExecOpenScanRelation`). That holds for tables, too, and whichever view, function or partitioned table they are read
//! through.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use super::failures::query_failure;
use super::server::Server;
use crate::format::pg_custom::{LeftOut, QualifiedName};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;

const MARK: &str = "UPDATE pg_catalog.pg_class c SET relispopulated = false
    FROM pg_catalog.pg_namespace n, ROWS FROM (
        pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS left_out (schema, name)
    WHERE n.oid OPERATOR(pg_catalog.=) c.relnamespace
      AND n.nspname OPERATOR(pg_catalog.=) left_out.schema::pg_catalog.name
      AND c.relname OPERATOR(pg_catalog.=) left_out.name::pg_catalog.name
      AND c.relkind OPERATOR(pg_catalog.=) 'r'
    RETURNING left_out.schema, left_out.name";

impl Server {
    /// Makes every later query fail that reads a table without its rows.
    ///
    /// # Errors
    /// If one could not be marked: its name is not in UTF-8.
    pub async fn make_unreadable(&self, database: &DatabaseName, left_out: &LeftOut) -> Result<()> {
        let names = left_out.without_rows.iter();
        let (schemas, names): (Vec<&str>, Vec<&str>) =
            names.map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
        if names.is_empty() {
            return Ok(());
        }
        let failed = |error| query_failure("marking tables whose rows are left out", &error);
        let client = self.connect(database.as_str()).await?;
        let rows = client.query(MARK, &[&schemas, &names]).await.map_err(failed)?;
        let name = |row: &Row| Ok(QualifiedName { schema: row.try_get(0)?, name: row.try_get(1)? });
        let marked: BTreeSet<QualifiedName> =
            rows.iter().map(name).collect::<Result<_, _>>().map_err(failed)?;
        // Those of an extension that is left out, too, are not there.
        let mut unmarked = left_out.without_rows.intersection(&left_out.partial);
        match unmarked.find(|table| !marked.contains(*table)) {
            None => Ok(()),
            Some(table) => {
                let message = format!(
                    "the rows of {table} are left out, and the restored database has no table of that name"
                );
                Err(Failure::inconclusive(codes::QUERY_FAILED, message).hint(
                    "a check would take it for empty; a table can be left out if its name is in UTF-8: restore it, or \
                     leave out the whole TABLE",
                ))
            }
        }
    }
}
