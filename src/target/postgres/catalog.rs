//! What is in a restored database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_postgres::Row;

use super::failures::own_failure;
use super::own_sql::qualify;
use super::pins::Pins;
use super::quote::quote_relation;
use super::server::Server;
use super::server_text::ServerText;
use super::sessions::{CatalogSession, ForeignSession};
use crate::format::pg_custom::{LeftOut, QualifiedName};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::template::TableName;

/// That the relation `r` in the schema `n` is a user's: not of the system, not of an extension.
macro_rules! of_users {
    () => {
        "n.nspname <> ALL ('{pg_catalog,information_schema}'::name[]) AND n.nspname !~ '^pg_(toast|temp)'
         AND NOT EXISTS (SELECT FROM pg_depend e
                         WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = r.oid AND e.deptype = 'e')"
    };
}
pub(super) use of_users;

/// Tables of users, each with the tables it is a partition or an heir of.
const USER_TABLES: &str = concat!(
    "SELECT r.oid, n.nspname, r.relname, r.relkind = 'p',
            ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.oid)
     FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE r.relkind = ANY ('{r,p}'::\"char\"[]) AND ",
    of_users!(),
    " ORDER BY 2, 3"
);

/// The tables of a database and their rows, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredContents {
    /// Rows of each table. One that has partitions or heirs has their rows too, and they stand here as well.
    pub rows: BTreeMap<TableName, u64>,
    /// Rows in all, each counted once.
    pub total_rows: u64,
    /// Its size on disk, if the server reports it.
    pub bytes: Option<u64>,
    /// What the template leaves out of it.
    pub left_out: Arc<LeftOut>,
}

impl Server {
    /// Counts every row of every table: not the planner's estimate. Tables whose rows are left out cannot be read.
    pub async fn contents(
        &self,
        database: &DatabaseName,
        left_out: &Arc<LeftOut>,
    ) -> Result<RestoredContents> {
        let catalog = self.catalog(database.as_str()).await?;
        let mut tables = list_tables(&catalog).await?;
        let lacks = |table: &Table, names: &BTreeSet<QualifiedName>| {
            names.contains(&QualifiedName {
                schema: table.name.schema.clone(),
                name: table.name.table.clone(),
            })
        };
        tables.retain(|table| !lacks(table, &left_out.without_rows));
        // An index of a table can run code of the backup's, as soon as a query on it is planned.
        let session = self.foreign(database.as_str(), &Pins::rows()).await?;
        for table in tables.iter_mut().filter(|table| !table.is_partitioned) {
            table.own_rows = table.count(&session).await?;
        }
        let mut contents = sum_up(&tables);
        // How many rows these should have is not known without those that are left out.
        for table in tables.iter().filter(|table| lacks(table, &left_out.partial)) {
            contents.rows.remove(&table.name);
        }
        let bytes = size(&catalog).await;
        Ok(RestoredContents { bytes, left_out: Arc::clone(left_out), ..contents })
    }
}

/// A database's size on disk. `None` if the server does not report it: nothing depends on it.
async fn size(catalog: &CatalogSession) -> Option<u64> {
    let row = catalog.query_one("SELECT pg_database_size(current_database())", &[]).await.ok()?;
    u64::try_from(row.try_get::<_, i64>(0).ok()?).ok()
}

async fn list_tables(catalog: &CatalogSession) -> Result<Vec<Table>> {
    let failed = |error| own_failure("listing tables", &error);
    let rows = catalog.query(USER_TABLES, &[]).await.map_err(failed)?;
    let table = |row: &Row| {
        let (schema, table): (ServerText, ServerText) = (row.try_get(1)?, row.try_get(2)?);
        Ok(Table {
            oid: row.try_get(0)?,
            is_addressable: schema.is_utf8() && table.is_utf8(),
            name: TableName { schema: schema.into_string(), table: table.into_string() },
            is_partitioned: row.try_get(3)?,
            parents: row.try_get(4)?,
            own_rows: 0,
        })
    };
    rows.iter().map(table).collect::<Result<_, _>>().map_err(failed)
}

/// A table and the rows in it alone.
struct Table {
    oid: u32,
    name: TableName,
    /// Whether its name can stand in a query, which is UTF-8.
    is_addressable: bool,
    is_partitioned: bool,
    parents: Vec<u32>,
    own_rows: u64,
}

impl Table {
    /// Counts the rows without those of its children, which are counted themselves: a partition may be a foreign table,
    /// whose rows are on a server that nothing in the stack can reach, and in no dump.
    async fn count(&self, session: &ForeignSession) -> Result<u64> {
        let failed = |error| own_failure(&format!("counting {}", self.name), &error);
        let answer = if self.is_addressable {
            let name = quote_relation(&self.name.schema, &self.name.table);
            session.rows(&format!("SELECT pg_catalog.count(*) FROM ONLY {name}")).await
        } else {
            session.rows(&count_by_oid(self.oid)).await
        };
        let answer = answer.map_err(failed)?.into_iter().flatten().next().flatten();
        let digits = answer.as_deref().map(|answer| match answer.split_once("<n>") {
            Some((_, xml)) => xml.split('<').next().unwrap_or_default(),
            None => answer,
        });
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
            let message = format!("counting {}: the server's answer is no number", self.name);
            Failure::inconclusive(codes::QUERY_FAILED, message)
        })
    }
}

/// Counts a table whose name we cannot write: the server writes it, into a query that it runs itself.
fn count_by_oid(oid: u32) -> String {
    let count = "SELECT query_to_xml(
            format('SELECT pg_catalog.count(*) AS n FROM ONLY %I.%I', n.nspname, r.relname), false, false, '')::text
         FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = ";
    format!("{}{oid}::pg_catalog.oid", qualify(count))
}

fn sum_up(tables: &[Table]) -> RestoredContents {
    let mut children: BTreeMap<u32, Vec<&Table>> = BTreeMap::new();
    for table in tables {
        for parent in &table.parents {
            children.entry(*parent).or_default().push(table);
        }
    }
    let rows_with_children = |table: &Table| {
        // By oid: with several parents a table can be reached in several ways.
        let mut family = BTreeMap::from([(table.oid, table.own_rows)]);
        let mut open = vec![table.oid];
        while let Some(oid) = open.pop() {
            for child in children.get(&oid).into_iter().flatten() {
                if family.insert(child.oid, child.own_rows).is_none() {
                    open.push(child.oid);
                }
            }
        }
        family.values().sum()
    };
    RestoredContents {
        rows: tables.iter().map(|table| (table.name.clone(), rows_with_children(table))).collect(),
        total_rows: tables.iter().map(|table| table.own_rows).sum(),
        bytes: None,
        left_out: Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_have_the_rows_of_all_their_descendants_and_the_total_has_each_once() {
        let table = |oid, name: &str, parents: &[u32], own_rows| Table {
            oid,
            name: name.parse().unwrap(),
            is_addressable: true,
            is_partitioned: false,
            parents: parents.to_vec(),
            own_rows,
        };
        let contents = sum_up(&[
            table(1, "root", &[], 1),
            table(2, "left", &[1], 10),
            table(3, "right", &[1], 100),
            table(4, "both", &[2, 3], 1000),
            table(5, "alone", &[99], 10_000),
        ]);
        let rows: Vec<u64> = ["root", "left", "right", "both", "alone"]
            .map(|name| contents.rows[&name.parse().unwrap()])
            .to_vec();
        assert_eq!(rows, [1111, 1010, 1100, 1000, 10_000]);
        assert_eq!(contents.total_rows, 11_111);
    }
}
