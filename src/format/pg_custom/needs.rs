//! What an archive's objects need of the image that they are restored with: libraries, collations, and how many relations
//! a server must be able to lock.

use std::collections::BTreeSet;

use super::{
    sql::{Token, Tokens},
    toc::Toc,
};

/// Kinds of entries that make a relation of their own, or an index of one.
const RELATIONS: [&str; 10] = [
    "TABLE",
    "INDEX",
    "CONSTRAINT",
    "SEQUENCE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
    "FK CONSTRAINT",
    "TABLE ATTACH",
    "INDEX ATTACH",
];

/// A collation that an archive makes: its options as `pg_dump` wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collation {
    /// Its name, for people.
    pub name: String,
    /// `provider`, `locale` and so on, each with its value.
    pub options: Vec<(String, String)>,
}

/// Options of a collation that mean something to another server.
const OPTIONS: [&str; 6] = ["provider", "locale", "lc_collate", "lc_ctype", "deterministic", "rules"];

impl Toc {
    /// How many entries make a relation, an index, or tie two of them together.
    #[must_use]
    pub fn relations(&self) -> usize {
        self.entries.iter().filter(|entry| RELATIONS.contains(&entry.desc.as_str())).count()
    }

    /// Libraries of the server that functions of the archive name, without `$libdir/`.
    #[must_use]
    pub fn libraries(&self) -> BTreeSet<String> {
        let functions = self.entries.iter().filter(|entry| ["FUNCTION", "PROCEDURE"].contains(&&*entry.desc));
        functions.filter_map(|entry| library(&entry.defn)).collect()
    }

    /// The schema that the archive creates an extension in; none if it does not say.
    #[must_use]
    pub fn extension_schema(&self, name: &str) -> Option<String> {
        let entry = self.entries.iter().find(|entry| entry.desc == "EXTENSION" && entry.tag == name)?;
        extension_schema(&entry.defn)
    }

    /// Collations that the archive makes.
    #[must_use]
    pub fn collations(&self) -> Vec<Collation> {
        let made = self.entries.iter().filter(|entry| entry.desc == "COLLATION");
        made.filter_map(|entry| Some(Collation { name: entry.tag.clone(), options: options(&entry.defn)? }))
            .collect()
    }

    /// Collations of the system that objects of the archive use: those of the source's machine.
    #[must_use]
    pub fn system_collations(&self) -> BTreeSet<String> {
        self.entries.iter().flat_map(|entry| system_collations(&entry.defn)).collect()
    }
}

/// The library of `CREATE FUNCTION … LANGUAGE c … AS '$libdir/library', 'symbol';`.
fn library(defn: &str) -> Option<String> {
    let mut tokens = Tokens::new(defn);
    tokens.find(|token| *token == Token::Word("language".to_owned()))?;
    tokens.keyword("c")?;
    tokens.find(|token| *token == Token::Word("as".to_owned()))?;
    let path = tokens.literal()?;
    let name = path.strip_prefix("$libdir/")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

/// The schema of `CREATE EXTENSION IF NOT EXISTS name WITH SCHEMA schema;`.
fn extension_schema(defn: &str) -> Option<String> {
    let mut tokens = Tokens::new(defn);
    for keyword in ["create", "extension", "if", "not", "exists"] {
        tokens.keyword(keyword)?;
    }
    tokens.name()?;
    tokens.keyword("with")?;
    tokens.keyword("schema")?;
    tokens.name()
}

/// The options of `CREATE COLLATION name (provider = icu, locale = 'und', …);`.
fn options(defn: &str) -> Option<Vec<(String, String)>> {
    let mut tokens = Tokens::new(defn);
    tokens.keyword("create")?;
    tokens.keyword("collation")?;
    tokens.qualified_name()?;
    tokens.next_if_symbol('(').then_some(())?;
    let mut options = Vec::new();
    loop {
        let name = tokens.name()?;
        tokens.next_if_symbol('=').then_some(())?;
        let value = match tokens.next()? {
            Token::Word(value) | Token::Literal(value) => value,
            Token::Quoted(_) | Token::Symbol(_) => return None,
        };
        if OPTIONS.contains(&name.as_str()) {
            options.push((name, value));
        }
        if !tokens.next_if_symbol(',') {
            return tokens.next_if_symbol(')').then_some(options);
        }
    }
}

fn system_collations(defn: &str) -> Vec<String> {
    let mut used = Vec::new();
    let mut tokens = Tokens::new(defn);
    while let Some(token) = tokens.next() {
        if token == Token::Word("collate".to_owned())
            && let Some((Some(schema), name)) = tokens.qualified_name()
            && schema == "pg_catalog"
        {
            used.push(name);
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_functions_in_c() {
        let of =
            |rest: &str| library(&format!("CREATE FUNCTION public.f(integer) RETURNS integer\n    {rest}"));
        assert_eq!(of("LANGUAGE c STRICT\n    AS '$libdir/my-lib', 'f';").as_deref(), Some("my-lib"));
        for other in [
            "LANGUAGE sql\n    AS '$libdir/x';",
            "LANGUAGE c AS '/opt/x', 'f';",
            "LANGUAGE c AS '$libdir/x''; y', 'f';",
            "LANGUAGE c AS '$libdir/../x', 'f';",
            "LANGUAGE c",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn collations_with_their_options() {
        let read = options(
            "CREATE COLLATION public.\"My c\" (provider = icu, deterministic = false, locale = 'und-u-ks-level2', version = '1');",
        );
        let expected = [("provider", "icu"), ("deterministic", "false"), ("locale", "und-u-ks-level2")];
        assert_eq!(read.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(options("CREATE COLLATION x FROM y;"), None);
    }

    #[test]
    fn collations_of_the_system_in_use() {
        let used = system_collations(
            "CREATE TABLE public.t (\n    a text COLLATE pg_catalog.\"de_DE.utf8\",\n    b text COLLATE public.own,\n    c text DEFAULT 'COLLATE pg_catalog.x'\n);",
        );
        assert_eq!(used, ["de_DE.utf8"]);
    }
}
