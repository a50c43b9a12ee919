//! Which constraints a database has.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::queries::{self, ConstrainedTable, ForeignColumn, ForeignKey, Unique, Unit};
use crate::model::failure::Result;
use crate::target::postgres::catalog::of_users;
use crate::target::postgres::constraints::{ConstraintKind, Recheck, RecheckResult, RecheckedRule};
use crate::target::postgres::failures::own_failure;
use crate::target::postgres::server_text::is_utf8;
use crate::target::postgres::sessions::{CatalogSession, name};

const DOING: &str = "listing constraints";

/// The columns of the primary key of the table `r`, in order.
macro_rules! key {
    () => {
        "ARRAY(SELECT a.attname::text
               FROM pg_index k, unnest(k.indkey::int2[]) WITH ORDINALITY AS u (num, ord)
               JOIN pg_attribute a ON a.attnum = u.num
               WHERE k.indrelid = r.oid AND k.indisprimary AND a.attrelid = r.oid ORDER BY u.ord)"
    };
}

/// The table `r` in the first four columns.
macro_rules! table {
    () => {
        concat!("SELECT n.nspname::text, r.relname::text, ", key!(), ", r.relpages::int8, ")
    };
}

/// A collation `l` in the schema `cn`, as SQL; nothing where there is none.
macro_rules! collation {
    () => {
        "CASE WHEN l.oid IS NULL THEN '' ELSE format('COLLATE %I.%I', cn.nspname, l.collname) END"
    };
}

/// CHECK constraints of tables. Every heir and partition has its own copy, unless it is NO INHERIT.
/// Newer servers have constraints that are not enforced; the column is not there on older ones.
const CHECKS: &str = concat!(
    table!(),
    "c.conname::text, c.convalidated, 'check', '', pg_get_expr(c.conbin, c.conrelid)
     FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE c.contype = 'c' AND r.relkind = 'r' AND coalesce(to_jsonb(c)->>'conenforced', 'true') = 'true' AND ",
    of_users!()
);

/// Columns that may not be null.
const NOT_NULLS: &str = concat!(
    table!(),
    "a.attname::text, coalesce(c.convalidated, true), 'not null', a.attname::text, ''
     FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     LEFT JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum]
     WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind = 'r' AND ",
    of_users!()
);

/// Constraints of the domains that columns have, and of the domains below those.
const DOMAINS: &str = concat!(
    "WITH RECURSIVE domains (attrelid, attname, domain) AS (
        SELECT a.attrelid, a.attname, a.atttypid FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE t.typtype = 'd' AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT d.attrelid, d.attname, t.typbasetype FROM domains d
        JOIN pg_type t ON t.oid = d.domain JOIN pg_type b ON b.oid = t.typbasetype WHERE b.typtype = 'd'
     ) ",
    table!(),
    "format('%s %s', d.attname, c.conname), c.convalidated, 'domain check', d.attname::text, pg_get_expr(c.conbin, 0)
     FROM domains d JOIN pg_class r ON r.oid = d.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     JOIN pg_constraint c ON c.contypid = d.domain AND c.contype = 'c'
     WHERE r.relkind = 'r' AND ",
    of_users!(),
    " UNION ALL ",
    table!(),
    "format('%s %s', d.attname, t.typname), true, 'domain not null', d.attname::text, ''
     FROM domains d JOIN pg_class r ON r.oid = d.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     JOIN pg_type t ON t.oid = d.domain AND t.typnotnull
     WHERE r.relkind = 'r' AND ",
    of_users!()
);

/// Foreign keys. Those of partitions belong to the one of the partitioned table, which covers them.
const FOREIGN_KEYS: &str = concat!(
    table!(),
    "r.relkind = 'p', c.conname::text, c.convalidated,
     c.confmatchtype = 'f', pn.nspname::text, p.relname::text, p.relkind = 'p',
     ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS u (num, ord)
           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.num ORDER BY u.ord),
     ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS u (num, ord)
           JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = u.num ORDER BY u.ord),
     ARRAY(SELECT format('OPERATOR(%I.%s)', sn.nspname, o.oprname)
           FROM unnest(c.conpfeqop) WITH ORDINALITY AS u (op, ord)
           JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace sn ON sn.oid = o.oprnamespace ORDER BY u.ord),
     ARRAY(SELECT ",
    collation!(),
    "      FROM unnest(c.confkey) WITH ORDINALITY AS u (num, ord)
           JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = u.num
           LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = l.collnamespace
           ORDER BY u.ord)
     FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     JOIN pg_class p ON p.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     WHERE c.contype = 'f' AND c.conparentid = 0 AND coalesce(to_jsonb(c)->>'conperiod', 'false') = 'false'
       AND coalesce(to_jsonb(c)->>'conenforced', 'true') = 'true' AND ",
    of_users!()
);

/// Unique indexes, those of constraints among them. Each partition has its own.
const UNIQUES: &str = concat!(
    table!(),
    "x.relname::text, i.indisprimary, pg_get_expr(i.indpred, i.indrelid),
     coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'false') = 'true',
     ARRAY(SELECT format('(%s)', pg_get_indexdef(i.indexrelid, k.k, false)) FROM generate_series(1, i.indnkeyatts::int4) AS k (k)
           ORDER BY k.k),
     ARRAY(SELECT ",
    collation!(),
    "      FROM generate_series(1, i.indnkeyatts::int4) AS k (k)
           LEFT JOIN pg_collation l ON l.oid = i.indcollation[k.k - 1]
           LEFT JOIN pg_namespace cn ON cn.oid = l.collnamespace ORDER BY k.k)
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
     JOIN pg_class r ON r.oid = i.indrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE i.indisunique AND NOT i.indisexclusion AND r.relkind = 'r' AND ",
    of_users!()
);

/// Constraints that would take a comparison of every row with every other, and whether each is a foreign key.
const LEFT_OUT: &str = concat!(
    "SELECT n.nspname::text, r.relname::text, c.conname::text, c.convalidated, c.contype::text
     FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE (c.contype = 'x' OR to_jsonb(c)->>'conperiod' = 'true') AND c.conparentid = 0 AND ",
    of_users!()
);

/// Constraints on single rows, each with the condition that a row violates it.
type Rules = Vec<(RecheckedRule, String)>;

/// What is to be checked, and what cannot be.
pub(super) struct ConstraintUnits {
    pub units: Vec<Unit>,
    pub left_out: Vec<Recheck>,
}

/// Reads the constraints of these kinds.
pub(super) async fn read(
    session: &CatalogSession,
    kinds: &BTreeSet<ConstraintKind>,
) -> Result<ConstraintUnits> {
    let mut found = ConstraintUnits { units: Vec::new(), left_out: left_out(session, kinds).await? };
    found.rules_of_rows(session, kinds).await?;
    if kinds.contains(&ConstraintKind::ForeignKey) {
        for row in select(session, FOREIGN_KEYS).await? {
            found.add(&row, ("foreign key", 5), foreign_key)?;
        }
    }
    if kinds.contains(&ConstraintKind::Unique) {
        for row in select(session, UNIQUES).await? {
            found.add(&row, ("unique index", 4), unique)?;
        }
    }
    Ok(found)
}

impl ConstraintUnits {
    /// Adds the unit of a row; what has a name that cannot stand in a query is not checked. `what` is its kind, and the
    /// column that its name is in.
    fn add(
        &mut self,
        row: &Row,
        what: (&'static str, usize),
        unit: impl Fn(&Row) -> Result<Unit>,
    ) -> Result<()> {
        if is_utf8(row) {
            self.units.push(unit(row)?);
        } else {
            self.left_out.push(unwritable(row, what)?);
        }
        Ok(())
    }
}

/// A constraint that has bytes in it which no query can have.
fn unwritable(row: &Row, (kind, column): (&'static str, usize)) -> Result<Recheck> {
    let text = |column| name(row, column, DOING);
    let rule = rule(kind, text(0)?, text(1)?, text(column)?, true);
    let why = "a name or an expression of it is not UTF-8, so that no query can have it".to_owned();
    Ok(Recheck { rule, rows: 0, found: RecheckResult::Failed(why) })
}

/// What is not checked of these kinds: exclusion constraints and temporal keys count as unique ones, and temporal foreign
/// keys as foreign keys.
async fn left_out(session: &CatalogSession, kinds: &BTreeSet<ConstraintKind>) -> Result<Vec<Recheck>> {
    let mut left_out = Vec::new();
    for row in select(session, LEFT_OUT).await? {
        let text = |column| name(&row, column, DOING);
        let (kind, kind_name) = match get::<String>(&row, 4)?.as_str() {
            "f" => (ConstraintKind::ForeignKey, "temporal foreign key"),
            "x" => (ConstraintKind::Unique, "exclusion constraint"),
            _ => (ConstraintKind::Unique, "temporal key"),
        };
        if kinds.contains(&kind) {
            let rule = rule(kind_name, text(0)?, text(1)?, text(2)?, get(&row, 3)?);
            let why = "every row would have to be compared with every other";
            left_out.push(Recheck { rule, rows: 0, found: RecheckResult::LeftOut(why) });
        }
    }
    Ok(left_out)
}

impl ConstraintUnits {
    /// Adds everything that can be judged row by row, one unit a table.
    async fn rules_of_rows(
        &mut self,
        session: &CatalogSession,
        kinds: &BTreeSet<ConstraintKind>,
    ) -> Result<()> {
        let mut rows = Vec::new();
        if kinds.contains(&ConstraintKind::Check) {
            rows.extend(select(session, CHECKS).await?);
        }
        if kinds.contains(&ConstraintKind::NotNull) {
            rows.extend(select(session, NOT_NULLS).await?);
        }
        if kinds.contains(&ConstraintKind::Check) || kinds.contains(&ConstraintKind::NotNull) {
            rows.extend(select(session, DOMAINS).await?);
        }
        let mut tables: BTreeMap<(String, String), (ConstrainedTable, Rules)> = BTreeMap::new();
        for row in &rows {
            let how: String = get(row, 6)?;
            let (kind, wanted) = match how.as_str() {
                "check" => ("check constraint", ConstraintKind::Check),
                "domain check" => ("check constraint of a domain", ConstraintKind::Check),
                "domain not null" => ("not-null domain", ConstraintKind::NotNull),
                _ => ("not-null column", ConstraintKind::NotNull),
            };
            if !kinds.contains(&wanted) {
                continue;
            }
            if !is_utf8(row) {
                self.left_out.push(unwritable(row, (kind, 4))?);
                continue;
            }
            let (column, expression): (String, Option<String>) = (get(row, 7)?, get(row, 8)?);
            let expression = expression.unwrap_or_default();
            let violated = match how.as_str() {
                "check" => queries::check(&expression),
                "domain check" => queries::domain_check(&expression, &column),
                _ => queries::not_null(&column),
            };
            let table = table(row, false)?;
            let rule = rule(kind, table.schema.clone(), table.name.clone(), get(row, 4)?, get(row, 5)?);
            let place = (table.schema.clone(), table.name.clone());
            tables.entry(place).or_insert_with(|| (table, Vec::new())).1.push((rule, violated));
        }
        self.units.extend(tables.into_values().map(|(table, rules)| queries::of_rows(&table, rules)));
        Ok(())
    }
}

fn foreign_key(row: &Row) -> Result<Unit> {
    let table = table(row, get(row, 4)?)?;
    let rule = rule("foreign key", table.schema.clone(), table.name.clone(), get(row, 5)?, get(row, 6)?);
    let lists: [Vec<String>; 4] = [get(row, 11)?, get(row, 12)?, get(row, 13)?, get(row, 14)?];
    let [columns, parents, operators, collations] = lists;
    let columns = columns.into_iter().zip(parents).zip(operators.into_iter().zip(collations));
    let key = ForeignKey {
        parent: ConstrainedTable {
            schema: get(row, 8)?,
            name: get(row, 9)?,
            partitioned: get(row, 10)?,
            key: Vec::new(),
            size: 0,
        },
        columns: columns
            .map(|((column, parent), (operator, collation))| ForeignColumn {
                column,
                parent,
                operator,
                collation,
            })
            .collect(),
        full: get(row, 7)?,
        table,
    };
    Ok(queries::foreign_key(&key, rule))
}

fn unique(row: &Row) -> Result<Unit> {
    let table = table(row, false)?;
    let primary: bool = get(row, 5)?;
    let kind = if primary { "primary key" } else { "unique index" };
    let rule = rule(kind, table.schema.clone(), table.name.clone(), get(row, 4)?, true);
    let (by, collations): (Vec<String>, Vec<String>) = (get(row, 8)?, get(row, 9)?);
    let by = by.into_iter().zip(collations).collect();
    let index = Unique { table, condition: get(row, 6)?, nulls_not_distinct: get(row, 7)?, by };
    Ok(queries::unique(&index, rule))
}

/// The table in the first four columns of a row.
fn table(row: &Row, partitioned: bool) -> Result<ConstrainedTable> {
    Ok(ConstrainedTable {
        schema: get(row, 0)?,
        name: get(row, 1)?,
        partitioned,
        key: get(row, 2)?,
        size: get(row, 3)?,
    })
}

fn rule(kind: &'static str, schema: String, table: String, name: String, validated: bool) -> RecheckedRule {
    RecheckedRule { kind, schema, table, name, validated }
}

async fn select(session: &CatalogSession, sql: &'static str) -> Result<Vec<Row>> {
    session.query(sql, &[]).await.map_err(|error| own_failure(DOING, &error))
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|error| own_failure(DOING, &error))
}
