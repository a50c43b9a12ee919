//! SQL of our own: everything in it that has a name gets its schema.
//!
//! A dump can bring along a function, an operator or a type of its own that fits a query better than the system's does.
//! So SQL of our own is written plainly, and [`qualify`] puts `pg_catalog` in front of every function, type, catalog and
//! operator in it: the next query is right without anybody thinking of it. What cannot be written with a schema, such as
//! `IN` and `LIKE`, which look for an operator by its bare name, may not be used; a test reads all of it.
//!
//! `OPERATOR(pg_catalog.=)` binds as strongly as any other operator written so, from left to right. Where that matters, own
//! SQL has parentheses.

use std::iter::Peekable;
use std::str::CharIndices;

/// What stands in front of a parenthesis without being a function.
const KEYWORDS: [&str; 28] = [
    "all", "and", "any", "array", "as", "by", "case", "coalesce", "copy", "else", "exists", "filter", "from",
    "in", "join", "lateral", "not", "on", "operator", "or", "over", "select", "then", "union", "using",
    "values", "when", "where",
];

/// What stands in front of a name that is being given, with its columns perhaps.
const NAMING: [&str; 4] = ["as", "by", "recursive", "with"];

/// The characters of operators (PostgreSQL documentation, 4.1.3).
const OPERATOR: &str = "+-*/<>=~!@#%^&|?";

/// The same SQL, with the system's schema in front of whatever is looked up by its name.
pub fn qualify(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() * 2);
    let mut rest = sql.char_indices().peekable();
    // The word in front, and the character in front that is no space.
    let (mut word, mut last) = (String::new(), ' ');
    while let Some((start, first)) = rest.next() {
        match first {
            '\'' | '"' => {
                if first == '"' && out.ends_with("::") {
                    out.push_str("pg_catalog.");
                }
                out.push_str(&sql[start..quoted_end(sql, start, first, &mut rest)]);
                word.clear();
            }
            '-' if sql[start..].starts_with("--") => {
                take_while(sql, start, &mut rest, |other| other != '\n');
                continue;
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let name =
                    take_while(sql, start, &mut rest, |other| other.is_ascii_alphanumeric() || other == '_');
                let then = sql[start + name.len()..].trim_start();
                if is_looked_up(name, &word, last, out.ends_with("::"), then) {
                    out.push_str("pg_catalog.");
                }
                out.push_str(name);
                name.clone_into(&mut word);
                word.make_ascii_lowercase();
            }
            _ if OPERATOR.contains(first) => {
                let operator = take_while(sql, start, &mut rest, |other| OPERATOR.contains(other));
                // All rows, all columns; and an argument by its name.
                let is_none =
                    operator == "=>" || operator == "*" && (matches!(last, '(' | '.') || word == "select");
                if is_none {
                    out.push_str(operator);
                } else {
                    out.push_str("OPERATOR(pg_catalog.");
                    out.push_str(operator);
                    out.push(')');
                }
                word.clear();
            }
            _ => {
                out.push(first);
                if !first.is_whitespace() {
                    word.clear();
                }
            }
        }
        if !first.is_whitespace() {
            last = out.chars().next_back().unwrap_or(' ');
        }
    }
    out
}

/// Whether a word is found by the search path: a function, a type behind `::`, or something of the system's.
fn is_looked_up(name: &str, before: &str, last: char, is_cast: bool, then: &str) -> bool {
    if last == '.' || then.starts_with('.') {
        return false;
    }
    let is_call = then.starts_with('(')
        && !KEYWORDS.contains(&name.to_ascii_lowercase().as_str())
        && !NAMING.contains(&before);
    is_cast || is_call || name.starts_with("pg_")
}

fn take_while<'a>(
    sql: &'a str,
    start: usize,
    rest: &mut Peekable<CharIndices<'_>>,
    belongs: impl Fn(char) -> bool,
) -> &'a str {
    while rest.next_if(|(_, other)| belongs(*other)).is_some() {}
    &sql[start..rest.peek().map_or(sql.len(), |(end, _)| *end)]
}

/// Behind the quote that ends what begins at `start`. A doubled quote is read as an end and a new beginning.
fn quoted_end(sql: &str, start: usize, quote: char, rest: &mut Peekable<CharIndices<'_>>) -> usize {
    let inside = take_while(sql, start, rest, |other| other != quote);
    rest.next();
    start + inside.len() + quote.len_utf8()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn functions_types_catalogs_and_operators_get_their_schema() {
        for (plain, qualified) in [
            ("SELECT count(*) FROM pg_class r", "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class r"),
            (
                "a.x = b.y AND c <> 'd''e'",
                "a.x OPERATOR(pg_catalog.=) b.y AND c OPERATOR(pg_catalog.<>) 'd''e'",
            ),
            ("x = ANY ($1)", "x OPERATOR(pg_catalog.=) ANY ($1)"),
            ("x::int4[], y::\"char\"", "x::pg_catalog.int4[], y::pg_catalog.\"char\""),
            ("f(a => 1::pg_catalog.oid)", "pg_catalog.f(a => 1::pg_catalog.oid)"),
            ("pg_catalog.lower(x)", "pg_catalog.lower(x)"),
            ("WITH RECURSIVE d (a) AS (SELECT 1)", "WITH RECURSIVE d (a) AS (SELECT 1)"),
            ("unnest(k) WITH ORDINALITY AS u (n, o)", "pg_catalog.unnest(k) WITH ORDINALITY AS u (n, o)"),
            ("to_jsonb(c)->>'x'", "pg_catalog.to_jsonb(c)OPERATOR(pg_catalog.->>)'x'"),
            ("SELECT * FROM \"my f\"(1) -- = a remark\nWHERE r.*", "SELECT * FROM \"my f\"(1) \nWHERE r.*"),
            ("coalesce(a, b) || '='", "coalesce(a, b) OPERATOR(pg_catalog.||) '='"),
            ("a NOT IN (1)", "a NOT IN (1)"),
        ] {
            assert_eq!(qualify(plain), qualified);
        }
    }

    /// The literals of a source file, up to its tests. A character that is a quote would end the reading too early, and
    /// nothing in these files has one.
    fn literals(source: &str) -> Vec<String> {
        let code: Vec<&str> = source
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n").replace("'\"'", "");
        let mut literals = Vec::new();
        let mut rest = code.as_str();
        while let Some(start) = rest.find('"') {
            let raw = rest[..start].ends_with("r#");
            let body = &rest[start + 1..];
            let mut end = 0;
            loop {
                let Some(found) = body[end..].find(if raw { "\"#" } else { "\"" }) else { return literals };
                end += found;
                if raw || !body[..end].ends_with('\\') {
                    break;
                }
                end += 1;
            }
            literals.push(body[..end].to_owned());
            rest = &body[end + 1..];
        }
        literals
    }

    /// What no schema can be put in front of: each of these looks an operator up by its bare name.
    const UNQUALIFIABLE: [&str; 10] = [
        " IN (",
        " LIKE ",
        " ILIKE ",
        " SIMILAR ",
        " BETWEEN ",
        "NULLIF(",
        "nullif(",
        " DISTINCT FROM ",
        " USING (",
        " AT TIME ZONE ",
    ];

    /// What in a query is looked up by the search path whatever is done; none in a text that is no query.
    fn looked_up(literal: &str) -> Option<&str> {
        if !["SELECT ", " FROM ", " WHERE "].iter().any(|word| literal.contains(word)) {
            return None;
        }
        // The name of a relation, a type or a function, as text. A pattern may have quotes, and nothing between them.
        let names = literal.split("'::reg").zip(literal.split("'::reg").skip(1));
        let mut names =
            names.map(|(name, _)| name.rsplit('\'').next().unwrap_or_default().trim_start_matches('{'));
        let name = names.find(|name| !name.is_empty() && !name.starts_with("pg_catalog."));
        name.or_else(|| UNQUALIFIABLE.into_iter().find(|word| literal.contains(word)))
    }

    #[test]
    fn no_query_of_our_own_has_what_cannot_be_given_a_schema() {
        assert_eq!(looked_up("SELECT FROM a WHERE b IN (1)"), Some(" IN ("));
        assert_eq!(looked_up("SELECT FROM a WHERE b = 'pg_class'::regclass"), Some("pg_class"));
        // The first holds SQL of one system's own data, the others read the source, which no dump has written to.
        let others = ["root_rows.rs", "own_sql.rs", "direct.rs", "snapshot.rs"];
        let mut read = 0;
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/target/postgres")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if !others.iter().any(|other| path.ends_with(other)) {
                    for literal in literals(&fs::read_to_string(&path).unwrap()) {
                        read += usize::from(literal.contains("SELECT "));
                        assert_eq!(looked_up(&literal), None, "{}: {literal}", path.display());
                    }
                }
            }
        }
        assert!(read > 30, "only {read} queries were read");
    }
}
