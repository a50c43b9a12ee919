//! Names and texts in SQL.

pub(super) use postgres_protocol::escape::{
    escape_identifier as quote_identifier, escape_literal as quote_literal,
};

/// `"schema"."name"`, each quoted.
pub(super) fn quote_relation(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// A condition on `ctid` that holds for the rows of these blocks of a table, as SQL with its WHERE; nothing for all.
pub(super) fn in_blocks(from: Option<u64>, to: Option<u64>) -> String {
    let bounds = [("ctid OPERATOR(pg_catalog.>=)", from), ("ctid OPERATOR(pg_catalog.<)", to)];
    let bounds: Vec<String> = bounds
        .iter()
        .filter_map(|(operator, block)| Some(format!("{operator} '({},0)'::pg_catalog.tid", (*block)?)))
        .collect();
    if bounds.is_empty() { String::new() } else { format!(" WHERE {}", bounds.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_literals_cannot_be_broken_out_of() {
        assert_eq!(quote_identifier("a\"; DROP x"), "\"a\"\"; DROP x\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        // Where `standard_conforming_strings` is off, a backslash would escape the quote that ends the literal.
        assert_eq!(quote_literal(r"\'; DROP x; --"), r" E'\\''; DROP x; --'");
    }
}
