//! Sequences, and the columns they number.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Row;

use super::catalog::of_users;
use super::failures::own_failure;
use super::own_sql::qualify;
use super::pins::Pins;
use super::quote::{quote_identifier, quote_relation};
use super::server::Server;
use super::server_text::is_utf8;
use super::sessions::ForeignSession;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;

/// Sequences with the columns that are numbered by them alone: identity columns, columns whose default is `nextval` and
/// nothing around it, and columns without a default that own one. A partitioned table has no rows of its own, so its
/// partitions stand for it, but for those on other servers.
const USES: &str = concat!(
    r#"
    WITH uses AS (
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute FROM pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = ANY ('{a,i}'::"char"[])
          AND d.refobjsubid > 0
          AND NOT EXISTS (SELECT FROM pg_attrdef f WHERE f.adrelid = d.refobjid AND f.adnum = d.refobjsubid)
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
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
    ) AS leaf (oid)
    JOIN pg_class r ON r.oid = leaf.oid AND r.relkind = 'r' JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_attribute c ON c.attrelid = r.oid AND c.attname = a.attname AND NOT c.attisdropped
    WHERE r.relispopulated AND c.atttypid = ANY ('{pg_catalog.int2,pg_catalog.int4,pg_catalog.int8,pg_catalog.numeric}'::regtype[]) AND "#,
    of_users!(),
    " ORDER BY 1, 2, 7, 8, 9"
);

/// A sequence, and the columns it numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceState {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// From one value to the next; below zero for one that descends.
    pub increment: i64,
    /// The least value it can give.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// Whether it begins anew at its end.
    pub cycles: bool,
    /// The value it gave last, or will give first.
    pub last_value: i64,
    /// Whether it gave that value already.
    pub is_called: bool,
    /// The columns.
    pub columns: Vec<NumberedColumn>,
}

/// A column that a sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedColumn {
    /// `schema.table.column`.
    pub column: String,
    /// Its value that is furthest in the sequence's direction; absent if there is none.
    pub furthest: Option<i64>,
}

impl Server {
    /// Every sequence that numbers columns, how far it is, and how far they are.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn sequences(&self, database: &DatabaseName, timeout: Duration) -> Result<Vec<SequenceState>> {
        let failed = |error| own_failure("listing sequences", &error);
        let rows = self.catalog(database.as_str()).await?.query(USES, &[]).await.map_err(failed)?;
        let session = self.foreign(database.as_str(), &Pins::rows().timeout(timeout)).await?;
        let mut found: BTreeMap<(String, String), SequenceState> = BTreeMap::new();
        // What has a name that cannot stand in a query cannot be asked about.
        for row in rows.iter().filter(|row| is_utf8(row)) {
            let (schema, name): (String, String) =
                (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            let place = (schema.clone(), name.clone());
            if !found.contains_key(&place) {
                found.insert(place.clone(), state(&session, schema, name, row).await?);
            }
            if let Some(sequence) = found.get_mut(&place) {
                let column = furthest(&session, sequence, row).await?;
                sequence.columns.push(column);
            }
        }
        Ok(found.into_values().collect())
    }
}

async fn state(session: &ForeignSession, schema: String, name: String, row: &Row) -> Result<SequenceState> {
    let doing = format!("reading the sequence {schema}.{name}");
    let failed = |error| own_failure(&doing, &error);
    let sql =
        format!("SELECT last_value, is_called::pg_catalog.int4 FROM {}", quote_relation(&schema, &name));
    let now = session.numbers(&sql).await.map_err(failed)?;
    let [Some(last_value), Some(is_called)] = now[..] else {
        return Err(Failure::inconclusive(codes::QUERY_FAILED, format!("{doing}: it is no sequence")));
    };
    Ok(SequenceState {
        increment: row.try_get(2).map_err(failed)?,
        min: row.try_get(3).map_err(failed)?,
        max: row.try_get(4).map_err(failed)?,
        cycles: row.try_get(5).map_err(failed)?,
        last_value,
        is_called: is_called != 0,
        columns: Vec::new(),
        schema,
        name,
    })
}

/// The value of a column that is furthest in the sequence's direction, of those the sequence can give at all.
async fn furthest(session: &ForeignSession, sequence: &SequenceState, row: &Row) -> Result<NumberedColumn> {
    let failed = |error| own_failure("reading a column that a sequence numbers", &error);
    let text = |index: usize| row.try_get::<_, String>(index).map_err(failed);
    let (schema, table, column) = (text(6)?, text(7)?, text(8)?);
    let quoted = quote_identifier(&column);
    let extreme = if sequence.increment > 0 {
        format!("ceil(max({quoted})::numeric)::int8")
    } else {
        format!("floor(min({quoted})::numeric)::int8")
    };
    let sql = qualify(&format!(
        "SELECT {extreme} FROM ONLY {} WHERE {quoted} >= ({})::int8 AND {quoted} <= ({})::int8",
        quote_relation(&schema, &table),
        sequence.min,
        sequence.max
    ));
    let furthest = session.numbers(&sql).await.map_err(failed)?.first().copied().flatten();
    Ok(NumberedColumn { column: format!("{schema}.{table}.{column}"), furthest })
}
