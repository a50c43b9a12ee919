//! Sequences, and the columns they number.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::{Client, Row};

use super::catalog::OF_USERS;
use super::{Server, query_failure, quote_identifier, quote_relation};
use crate::check::{Numbered, SequenceState};
use crate::failure::Result;
use crate::names::DatabaseName;

/// Sequences with the columns that are numbered by them alone: identity columns, columns whose default is `nextval` and
/// nothing around it, and columns without a default that own one. A partitioned table has no rows of its own, so its
/// partitions stand for it, but for those on other servers.
const USES: &str = r"
    WITH uses (sequence, relation, attribute) AS (
        SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
          AND d.refobjsubid > 0
          AND NOT EXISTS (SELECT FROM pg_attrdef f WHERE f.adrelid = d.refobjid AND f.adnum = d.refobjsubid)
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
          AND pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\(''(''''|[^''])*''::regclass\)(::[a-z]+)?$'
    )
    SELECT DISTINCT sn.nspname::text, s.relname::text, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle,
           n.nspname::text, r.relname::text, c.attname::text
    FROM uses u
    JOIN pg_sequence q ON q.seqrelid = u.sequence
    JOIN pg_class s ON s.oid = u.sequence JOIN pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_class o ON o.oid = u.relation
    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = u.attribute AND NOT a.attisdropped
    CROSS JOIN LATERAL (
        SELECT o.oid WHERE o.relkind = 'r'
        UNION ALL
        SELECT t.relid FROM pg_partition_tree(o.oid) t WHERE o.relkind = 'p' AND t.isleaf
    ) leaf (oid)
    JOIN pg_class r ON r.oid = leaf.oid AND r.relkind = 'r' JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_attribute c ON c.attrelid = r.oid AND c.attname = a.attname AND NOT c.attisdropped
    WHERE c.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AND {OF_USERS}
    ORDER BY 1, 2, 7, 8, 9";

impl Server {
    /// Every sequence that numbers columns, how far it is, and how far they are.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn sequences(&self, database: &DatabaseName, timeout: Duration) -> Result<Vec<SequenceState>> {
        let client = self.guarded(database, timeout).await?;
        let failed = |error| query_failure("listing sequences", &error);
        let rows = client.query(&USES.replace("{OF_USERS}", OF_USERS), &[]).await.map_err(failed)?;
        let mut found: BTreeMap<(String, String), SequenceState> = BTreeMap::new();
        for row in &rows {
            let (schema, name): (String, String) =
                (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            let place = (schema.clone(), name.clone());
            if !found.contains_key(&place) {
                found.insert(place.clone(), state(&client, schema, name, row).await?);
            }
            if let Some(sequence) = found.get_mut(&place) {
                let column = furthest(&client, sequence, row).await?;
                sequence.columns.push(column);
            }
        }
        Ok(found.into_values().collect())
    }
}

async fn state(client: &Client, schema: String, name: String, row: &Row) -> Result<SequenceState> {
    let failed = |error| query_failure(&format!("reading the sequence {schema}.{name}"), &error);
    let sql = format!("SELECT last_value, is_called FROM {}", quote_relation(&schema, &name));
    let now = client.query_one(&sql, &[]).await.map_err(failed)?;
    Ok(SequenceState {
        increment: row.try_get(2).map_err(failed)?,
        min: row.try_get(3).map_err(failed)?,
        max: row.try_get(4).map_err(failed)?,
        cycles: row.try_get(5).map_err(failed)?,
        last_value: now.try_get(0).map_err(failed)?,
        is_called: now.try_get(1).map_err(failed)?,
        columns: Vec::new(),
        schema,
        name,
    })
}

/// The value of a column that is furthest in the sequence's direction, of those the sequence can give at all.
async fn furthest(client: &Client, sequence: &SequenceState, row: &Row) -> Result<Numbered> {
    let failed = |error| query_failure("reading a column that a sequence numbers", &error);
    let text = |index: usize| row.try_get::<_, String>(index).map_err(failed);
    let (schema, table, column) = (text(6)?, text(7)?, text(8)?);
    let quoted = quote_identifier(&column);
    let extreme = if sequence.increment > 0 {
        format!("ceil(max({quoted})::numeric)::int8")
    } else {
        format!("floor(min({quoted})::numeric)::int8")
    };
    let sql = format!(
        "SELECT {extreme} FROM ONLY {} WHERE {quoted} BETWEEN {} AND {}",
        quote_relation(&schema, &table),
        sequence.min,
        sequence.max
    );
    let furthest = client.query_one(&sql, &[]).await.map_err(failed)?.try_get(0).map_err(failed)?;
    Ok(Numbered { column: format!("{schema}.{table}.{column}"), furthest })
}
