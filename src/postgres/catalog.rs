//! What is in a restored database.

use std::collections::BTreeMap;

use super::{Server, query_failure, quote_relation};
use crate::failure::Result;
use crate::names::DatabaseName;
use crate::template::TableName;

/// That the relation `r` in the schema `n` is a user's: not of the system, not of an extension.
pub(super) const OF_USERS: &str = "
    n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
    AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = 'pg_class'::regclass AND e.objid = r.oid AND e.deptype = 'e')";

/// Tables of users, each with the tables it is a partition or an heir of.
const USER_TABLES: &str = "
    SELECT r.oid, n.nspname, r.relname, r.relkind = 'p',
           ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.oid)
    FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE r.relkind IN ('r', 'p') AND {OF_USERS}
    ORDER BY 2, 3";

/// The tables of a database and their rows, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Rows of each table. One that has partitions or heirs has their rows too, and they stand here as well.
    pub rows: BTreeMap<TableName, u64>,
    /// Rows in all, each counted once.
    pub total_rows: u64,
}

impl Server {
    /// A database's size on disk. `None` if the server does not tell: nothing depends on it.
    pub async fn size_of(&self, database: &DatabaseName) -> Option<u64> {
        let client = self.connect(database.as_str()).await.ok()?;
        let row = client.query_one("SELECT pg_database_size(current_database())", &[]).await.ok()?;
        u64::try_from(row.get::<_, i64>(0)).ok()
    }

    /// Counts every row of every table: not the planner's estimate.
    pub async fn contents(&self, database: &DatabaseName) -> Result<Contents> {
        let client = self.connect(database.as_str()).await?;
        let rows = client
            .query(&USER_TABLES.replace("{OF_USERS}", OF_USERS), &[])
            .await
            .map_err(|error| query_failure("listing tables", &error))?;
        let mut tables = Vec::with_capacity(rows.len());
        for row in rows {
            let mut table = Table {
                oid: row.get(0),
                name: TableName { schema: row.get(1), table: row.get(2) },
                parents: row.get(4),
                own_rows: 0,
            };
            let partitioned: bool = row.get(3);
            if !partitioned {
                // Without its children, which are counted themselves: a partition may be a foreign table, whose
                // rows are on a server that nothing in the stack can reach, and in no dump.
                let name = quote_relation(&table.name.schema, &table.name.table);
                let sql = format!("SELECT count(*) FROM ONLY {name}");
                let count = client
                    .query_one(&sql, &[])
                    .await
                    .map_err(|error| query_failure(&format!("counting {}", table.name), &error))?;
                table.own_rows = u64::try_from(count.get::<_, i64>(0)).unwrap_or(0);
            }
            tables.push(table);
        }
        Ok(sum_up(&tables))
    }
}

/// A table and the rows in it alone.
struct Table {
    oid: u32,
    name: TableName,
    parents: Vec<u32>,
    own_rows: u64,
}

fn sum_up(tables: &[Table]) -> Contents {
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
    Contents {
        rows: tables.iter().map(|table| (table.name.clone(), rows_with_children(table))).collect(),
        total_rows: tables.iter().map(|table| table.own_rows).sum(),
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
