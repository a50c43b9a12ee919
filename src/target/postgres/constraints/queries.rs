//! The SQL that counts and names the rows that violate a constraint. Pure.

use crate::target::postgres::quote::{quote_identifier, quote_relation};

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecheckedRule {
    /// What it is, in words.
    pub kind: &'static str,
    /// Its table's schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name; a column's where constraints of columns have none.
    pub name: String,
    /// Whether the catalog says that all rows have been checked.
    pub validated: bool,
}

/// Constraints that one pass over a table checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// Pages of the table, to begin with what takes longest.
    pub size: i64,
    /// Returns one row: the table's rows, and the violations of each rule.
    pub count: String,
    /// The constraints, in the order of those columns.
    pub rules: Vec<Probe>,
}

/// One constraint of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// The constraint.
    pub rule: RecheckedRule,
    /// As the unit's, for this constraint alone.
    pub count: String,
    /// Returns the keys of rows that violate it.
    pub keys: String,
}

impl Unit {
    /// The table, for people.
    pub fn table(&self) -> String {
        let rule = self.rules.first().map(|probe| &probe.rule);
        let of = rule.map(|rule| format!("{}.{}", rule.schema, rule.table)).unwrap_or_default();
        crate::model::human::one_line(&of, 120)
    }

    /// Each constraint on its own.
    pub fn split(self) -> impl Iterator<Item = Self> {
        let size = self.size;
        self.rules.into_iter().map(move |probe| Self { size, count: probe.count.clone(), rules: vec![probe] })
    }
}

/// A table, and how its rows are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConstrainedTable {
    pub schema: String,
    pub name: String,
    /// Whether it has partitions, and no rows of its own.
    pub partitioned: bool,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// Its pages.
    pub size: i64,
}

impl ConstrainedTable {
    fn quoted(&self) -> String {
        quote_relation(&self.schema, &self.name)
    }

    /// What stands behind FROM: heirs have constraints of their own.
    fn from(&self) -> String {
        if self.partitioned { self.quoted() } else { format!("ONLY {}", self.quoted()) }
    }

    /// A row's name: its primary key, or else where it lies. `alias` is what its columns are reached by.
    fn row_name(&self, alias: &str) -> String {
        match self.key.as_slice() {
            [] => format!("pg_catalog.format('row at %s', {alias}ctid)"),
            columns => {
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("{alias}{}", quote_identifier(column))).collect();
                format!("pg_catalog.concat_ws(', ', {})", columns.join(", "))
            }
        }
    }
}

/// As much of a row's name as can be shown, and more: a key may be of any length.
fn beginning(name: &str) -> String {
    format!("pg_catalog.left({name}, 500)")
}

/// Constraints on single rows, each with the condition that a row violates it: one pass for all.
pub(super) fn of_rows(table: &ConstrainedTable, rules: Vec<(RecheckedRule, String)>) -> Unit {
    let (from, name) = (table.from(), table.row_name(""));
    let count_of = |violated: &str| format!("pg_catalog.count(*) FILTER (WHERE {violated})");
    let all: Vec<String> = rules.iter().map(|(_, violated)| count_of(violated)).collect();
    let probes = rules.into_iter().map(|(rule, violated)| Probe {
        rule,
        count: format!("SELECT pg_catalog.count(*), {} FROM {from}", count_of(&violated)),
        keys: format!("SELECT {} FROM {from} WHERE {violated}", beginning(&name)),
    });
    Unit {
        size: table.size,
        count: format!("SELECT pg_catalog.count(*), {} FROM {from}", all.join(", ")),
        rules: probes.collect(),
    }
}

/// A row violates a CHECK constraint if its expression is false: null passes.
pub(super) fn check(expression: &str) -> String {
    format!("({expression}) IS FALSE")
}

/// A row violates a domain's CHECK constraint, which calls the column `VALUE`.
pub(super) fn domain_check(expression: &str, column: &str) -> String {
    // A column reference may be called so, as the keyword is none outside of a domain.
    format!(
        "(SELECT ({expression}) IS FALSE FROM (SELECT {} AS value) domain_value)",
        quote_identifier(column)
    )
}

/// A row violates a NOT NULL constraint. By a function: the planner knows that IS NULL cannot hold of such a column.
pub(super) fn not_null(column: &str) -> String {
    no_value(&quote_identifier(column))
}

/// One value is null. Each is asked about alone: two with collations of their own cannot stand in one call.
fn no_value(value: &str) -> String {
    format!("pg_catalog.num_nulls({value}) OPERATOR(pg_catalog.=) 1")
}

/// None of the values is null.
fn all_values(values: &[String]) -> String {
    let each: Vec<String> = values
        .iter()
        .map(|value| format!("pg_catalog.num_nulls({value}) OPERATOR(pg_catalog.=) 0"))
        .collect();
    each.join(" AND ")
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKey {
    pub table: ConstrainedTable,
    pub parent: ConstrainedTable,
    /// Its columns, each with the one it refers to, and how the two are compared.
    pub columns: Vec<ForeignColumn>,
    /// Whether it is MATCH FULL: all of its columns are null, or none.
    pub full: bool,
}

/// A column of a foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignColumn {
    pub column: String,
    pub parent: String,
    /// `OPERATOR(schema.=)`, with the parent's column on its left.
    pub operator: String,
    /// `COLLATE schema.name`, of the parent's column, or nothing.
    pub collation: String,
}

/// The unit that checks a foreign key.
pub(super) fn foreign_key(key: &ForeignKey, rule: RecheckedRule) -> Unit {
    let matches: Vec<String> = key
        .columns
        .iter()
        .map(|column| {
            let (parent, child) = (quote_identifier(&column.parent), quote_identifier(&column.column));
            format!("parent.{parent} {} {} child.{child}", column.collation, column.operator)
        })
        .collect();
    let children: Vec<String> =
        key.columns.iter().map(|column| format!("child.{}", quote_identifier(&column.column))).collect();
    let orphan = format!(
        "{} AND NOT EXISTS (SELECT FROM {} parent WHERE {})",
        all_values(&children),
        key.parent.from(),
        matches.join(" AND ")
    );
    let from = format!("{} child", key.table.from());
    // Two counts and not one condition: with OR the planner could not join, and would look for each row on its own.
    let absent: Vec<String> = children.iter().map(|child| no_value(child)).collect();
    let mixed = format!("NOT ({}) AND ({})", all_values(&children), absent.join(" OR "));
    let mixed = format!("{mixed} AND NOT ({})", absent.join(" AND "));
    let (mut count, name) =
        (format!("(SELECT pg_catalog.count(*) FROM {from} WHERE {orphan})"), key.table.row_name("child."));
    let name = beginning(&name);
    let mut keys = format!("SELECT {name} FROM {from} WHERE {orphan}");
    if key.full && key.columns.len() > 1 {
        count.push_str(&format!(
            " OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM {from} WHERE {mixed})"
        ));
        keys.push_str(&format!(" UNION ALL SELECT {name} FROM {from} WHERE {mixed}"));
    }
    let count = format!("SELECT 0::pg_catalog.int8, {count}");
    Unit { size: key.table.size, count: count.clone(), rules: vec![Probe { rule, count, keys }] }
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unique {
    pub table: ConstrainedTable,
    /// What it is unique by: columns and expressions, each with its collation, if it has one.
    pub by: Vec<(String, String)>,
    /// The condition of a partial one.
    pub condition: Option<String>,
    /// Whether two nulls are the same.
    pub nulls_not_distinct: bool,
}

/// The unit that checks a unique index. What is counted are the rows that would have to go.
pub(super) fn unique(index: &Unique, rule: RecheckedRule) -> Unit {
    let by: Vec<String> = index.by.iter().map(|(by, collation)| format!("({by} {collation})")).collect();
    let plain: Vec<String> = (1..=by.len()).map(|number| format!("k{number}")).collect();
    let columns: Vec<String> = by.iter().zip(&plain).map(|(by, name)| format!("{by} AS {name}")).collect();
    let mut conditions: Vec<String> =
        index.condition.iter().map(|condition| format!("({condition})")).collect();
    if !index.nulls_not_distinct {
        conditions.push(all_values(&by));
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let from = index.table.from();
    let keys = plain.join(", ");
    let count = format!(
        "SELECT 0::pg_catalog.int8, coalesce(pg_catalog.sum(n OPERATOR(pg_catalog.-) 1), 0)::pg_catalog.int8
         FROM (SELECT pg_catalog.count(*) AS n FROM (SELECT {} FROM {from}{filter}) keys
               GROUP BY {keys} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1) groups",
        columns.join(", ")
    );
    let names = format!(
        "SELECT {} FROM (SELECT name, pg_catalog.count(*) OVER (PARTITION BY {keys}) AS n FROM
         (SELECT {}, {} AS name FROM {from}{filter}) keys) groups WHERE n OPERATOR(pg_catalog.>) 1",
        beginning("name"),
        columns.join(", "),
        index.table.row_name("")
    );
    Unit { size: index.table.size, count: count.clone(), rules: vec![Probe { rule, count, keys: names }] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(key: &[&str]) -> ConstrainedTable {
        let key = key.iter().map(|column| (*column).to_owned()).collect();
        ConstrainedTable {
            schema: "s".to_owned(),
            name: "it's \"t\"".to_owned(),
            partitioned: false,
            key,
            size: 1,
        }
    }

    fn rule() -> RecheckedRule {
        RecheckedRule {
            kind: "check constraint",
            schema: "s".to_owned(),
            table: "t".to_owned(),
            name: "c".to_owned(),
            validated: true,
        }
    }

    #[test]
    fn rows_are_named_by_their_key_or_else_by_their_place() {
        assert_eq!(table(&["a b"]).row_name("x."), "pg_catalog.concat_ws(', ', x.\"a b\")");
        assert_eq!(table(&["a", "b"]).row_name(""), "pg_catalog.concat_ws(', ', \"a\", \"b\")");
        assert_eq!(table(&[]).row_name(""), "pg_catalog.format('row at %s', ctid)");
    }

    #[test]
    fn one_pass_checks_all_constraints_on_rows_and_can_be_split() {
        let rules = vec![(rule(), check("a > 0")), (rule(), not_null("b"))];
        let unit = of_rows(&table(&["id"]), rules);
        assert_eq!(
            unit.count,
            "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE (a > 0) IS FALSE), \
             pg_catalog.count(*) FILTER (WHERE pg_catalog.num_nulls(\"b\") OPERATOR(pg_catalog.=) 1) \
             FROM ONLY \"s\".\"it's \"\"t\"\"\""
        );
        let single: Vec<Unit> = unit.split().collect();
        assert_eq!((single.len(), single[1].rules.len()), (2, 1));
        assert!(single[1].count.contains("num_nulls") && !single[1].count.contains("a > 0"));
    }

    #[test]
    fn match_full_also_counts_keys_that_are_null_in_part() {
        let column = |name: &str| ForeignColumn {
            column: name.to_owned(),
            parent: name.to_uppercase(),
            operator: "OPERATOR(pg_catalog.=)".to_owned(),
            collation: String::new(),
        };
        let mut key = ForeignKey {
            table: table(&[]),
            parent: table(&[]),
            columns: vec![column("a"), column("b")],
            full: true,
        };
        let two_counts =
            |key: &ForeignKey| foreign_key(key, rule()).count.matches("pg_catalog.count(*)").count();
        assert_eq!(two_counts(&key), 2);
        key.full = false;
        assert_eq!(two_counts(&key), 1);
    }

    #[test]
    fn columns_with_collations_of_their_own_stand_in_no_call_together() {
        let by = [("(a)", "COLLATE x"), ("(b)", "COLLATE y")].map(|(by, of)| (by.to_owned(), of.to_owned()));
        let index = Unique { table: table(&[]), by: by.into(), condition: None, nulls_not_distinct: false };
        let null = |by: &str| format!("pg_catalog.num_nulls({by}) OPERATOR(pg_catalog.=) 0");
        let count = unique(&index, rule()).count;
        assert!(
            count.contains(&format!("{} AND {}", null("((a) COLLATE x)"), null("((b) COLLATE y)"))),
            "{count}"
        );
    }
}
