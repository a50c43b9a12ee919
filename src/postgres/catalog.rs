//! What is in a restored database.

use std::collections::BTreeMap;

use super::{Server, query_failure, quote_identifier};
use crate::failure::Result;
use crate::names::DatabaseName;
use crate::template::TableName;

/// Tables of users: not of the system, not of an extension.
const USER_TABLES: &str = "
    SELECT n.nspname, c.relname, c.relkind = 'p'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2";

/// The tables of a database and their rows, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Rows of each table. A partitioned table has those of its partitions, which stand here too.
    pub rows: BTreeMap<TableName, u64>,
    /// Rows in all, each counted once.
    pub total_rows: u64,
}

impl Server {
    /// Counts every row of every table: not the planner's estimate.
    pub async fn contents(&self, database: &DatabaseName) -> Result<Contents> {
        let client = self.connect(database.as_str()).await?;
        let tables =
            client.query(USER_TABLES, &[]).await.map_err(|error| query_failure("listing tables", &error))?;
        let mut contents = Contents::default();
        for row in tables {
            let table = TableName { schema: row.get(0), table: row.get(1) };
            let partitioned: bool = row.get(2);
            let sql = format!(
                "SELECT count(*) FROM {}.{}",
                quote_identifier(&table.schema),
                quote_identifier(&table.table)
            );
            let count = client
                .query_one(&sql, &[])
                .await
                .map_err(|error| query_failure(&format!("counting {table}"), &error))?;
            let count = u64::try_from(count.get::<_, i64>(0)).unwrap_or(0);
            if !partitioned {
                contents.total_rows += count;
            }
            contents.rows.insert(table, count);
        }
        Ok(contents)
    }
}
