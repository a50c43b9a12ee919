//! Just enough SQL to find names in what `pg_dump` writes (`pg_dump.c`: `dumpPolicy`,
//! `dumpUserMappings`, `dumpConstraint`).
//!
//! `pg_dump` writes one form of each statement, with names quoted when they must be. Anything else
//! yields nothing.

use std::{iter::Peekable, str::Chars};

#[derive(Debug, PartialEq, Eq)]
pub(in crate::format) enum Token {
    /// A keyword or plain name, in lower case.
    Word(String),
    /// `"A name"`, without its quotes.
    Quoted(String),
    /// `'A text'`, without its quotes.
    Literal(String),
    /// Any other character.
    Symbol(char),
}

enum Role {
    Named(String),
    /// `PUBLIC`, `CURRENT_USER` and the like, which are no roles of their own.
    StandIn,
}

pub(in crate::format) struct Tokens<'a> {
    chars: Peekable<Chars<'a>>,
}

impl<'a> Tokens<'a> {
    pub(in crate::format) fn new(sql: &'a str) -> Self {
        Self { chars: sql.chars().peekable() }
    }

    /// Passes over white space and comments. Returns a command for `psql`, if that is what comes: the rest of its line.
    pub(in crate::format) fn between_statements(&mut self) -> Option<String> {
        loop {
            while self.chars.next_if(char::is_ascii_whitespace).is_some() {}
            let mut ahead = self.chars.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some('-')) => drop(self.line()),
                (Some('\\'), _) => return Some(self.line()),
                _ => return None,
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        while let Some(c) = self.chars.next_if(|&c| c != '\n') {
            line.push(c);
        }
        line
    }

    /// Whether there is no character left.
    pub(in crate::format) fn is_at_end(&self) -> bool {
        self.chars.clone().next().is_none()
    }

    /// The inside of quotes up to the end; a doubled quote is one quote. `None` if they never close.
    fn quoted(&mut self, quote: char, backslash_escapes: bool) -> Option<String> {
        let mut inside = String::new();
        loop {
            match self.chars.next()? {
                '\\' if backslash_escapes => inside.push(self.chars.next()?),
                c if c == quote && self.chars.next_if_eq(&quote).is_none() => return Some(inside),
                c => inside.push(c),
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first.to_ascii_lowercase());
        while let Some(c) = self.chars.next_if(|&c| is_in_word(c)) {
            word.push(c.to_ascii_lowercase());
        }
        word
    }

    /// Whether the next token is this keyword; if so, it is consumed.
    pub(super) fn keyword(&mut self, keyword: &str) -> Option<()> {
        self.next_if_word(keyword).then_some(())
    }

    pub(in crate::format) fn next_if_word(&mut self, keyword: &str) -> bool {
        let before = self.chars.clone();
        let found = matches!(self.next(), Some(Token::Word(word)) if word == keyword);
        if !found {
            self.chars = before;
        }
        found
    }

    pub(super) fn next_if_symbol(&mut self, symbol: char) -> bool {
        let before = self.chars.clone();
        let found = self.next() == Some(Token::Symbol(symbol));
        if !found {
            self.chars = before;
        }
        found
    }

    pub(super) fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            Token::Literal(_) | Token::Symbol(_) => None,
        }
    }

    pub(super) fn literal(&mut self) -> Option<String> {
        match self.next()? {
            Token::Literal(text) => Some(text),
            _ => None,
        }
    }

    /// `schema.name`, or a name alone.
    pub(in crate::format) fn qualified_name(&mut self) -> Option<(Option<String>, String)> {
        let first = self.name()?;
        if self.next_if_symbol('.') { Some((Some(first), self.name()?)) } else { Some((None, first)) }
    }

    fn role(&mut self) -> Option<Role> {
        let stands_for_one = ["current_role", "current_user", "public", "session_user", "user"];
        Some(match self.next()? {
            Token::Word(word) if stands_for_one.contains(&word.as_str()) => Role::StandIn,
            // The server does not tell "public" from PUBLIC (`RoleSpec` in `gram.y`).
            Token::Quoted(name) if name == "public" => Role::StandIn,
            Token::Word(name) | Token::Quoted(name) => Role::Named(name),
            Token::Literal(_) | Token::Symbol(_) => return None,
        })
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while self.chars.next_if(char::is_ascii_whitespace).is_some() {}
        match self.chars.next()? {
            '"' => self.quoted('"', false).map(Token::Quoted),
            '\'' => self.quoted('\'', false).map(Token::Literal),
            'E' | 'e' if self.chars.next_if_eq(&'\'').is_some() => {
                self.quoted('\'', true).map(Token::Literal)
            }
            c if is_in_word(c) => Some(Token::Word(self.word(c))),
            c => Some(Token::Symbol(c)),
        }
    }
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The roles of `CREATE POLICY name ON table [AS …] [FOR …] [TO role, …] [USING …] [WITH CHECK …]`.
pub(super) fn policy_roles(defn: &str) -> Vec<String> {
    let mut roles = Vec::new();
    let mut tokens = Tokens::new(defn);
    let to_roles = (|| {
        tokens.keyword("create")?;
        tokens.keyword("policy")?;
        tokens.name()?;
        tokens.keyword("on")?;
        tokens.qualified_name()?;
        for clause in ["as", "for"] {
            if tokens.next_if_word(clause) {
                tokens.next()?;
            }
        }
        tokens.keyword("to")
    })();
    if to_roles.is_some() {
        while let Some(role) = tokens.role() {
            if let Role::Named(name) = role {
                roles.push(name);
            }
            if !tokens.next_if_symbol(',') {
                break;
            }
        }
    }
    roles
}

/// The role of `CREATE USER MAPPING FOR role SERVER server …`.
pub(super) fn user_mapping_role(defn: &str) -> Option<String> {
    let mut tokens = Tokens::new(defn);
    for keyword in ["create", "user", "mapping", "for"] {
        tokens.keyword(keyword)?;
    }
    match tokens.role()? {
        Role::Named(name) => Some(name),
        Role::StandIn => None,
    }
}

/// What a foreign key says. Schemas are missing where the search path was to supply them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignKeyClause {
    pub child: (Option<String>, String),
    pub name: String,
    pub parent: (Option<String>, String),
}

/// `ALTER TABLE [ONLY] child ADD CONSTRAINT name FOREIGN KEY (…) REFERENCES parent(…) …`.
pub(super) fn foreign_key(defn: &str) -> Option<ForeignKeyClause> {
    let mut tokens = Tokens::new(defn);
    tokens.keyword("alter")?;
    tokens.keyword("table")?;
    tokens.next_if_word("only");
    let child = tokens.qualified_name()?;
    tokens.keyword("add")?;
    tokens.keyword("constraint")?;
    let name = tokens.name()?;
    tokens.keyword("foreign")?;
    tokens.keyword("key")?;
    // A column of that name would be quoted: the word is reserved.
    tokens.find(|token| *token == Token::Word("references".to_owned()))?;
    let parent = tokens.qualified_name()?;
    Some(ForeignKeyClause { child, name, parent })
}

/// The text in the first pair of single quotes, as `processEncodingEntry` looks for it.
pub(super) fn first_literal(defn: &str) -> Option<&str> {
    let (_, rest) = defn.split_once('\'')?;
    rest.split_once('\'').map(|(literal, _)| literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_policies() {
        let roles = |defn| policy_roles(defn).join("|");
        assert_eq!(roles("CREATE POLICY p ON s.t TO a;"), "a");
        assert_eq!(
            roles("CREATE POLICY p ON t FOR ALL TO a, \"B c\", \"d\"\"e\" USING (true);"),
            "a|B c|d\"e"
        );
        assert_eq!(roles("CREATE POLICY \"x TO y\" ON \"s TO\".\"t TO z\" USING ((a = 'TO b'));"), "");
        assert_eq!(roles("CREATE POLICY p ON s.t AS RESTRICTIVE FOR UPDATE TO PUBLIC, a;"), "a");
        assert_eq!(roles("CREATE POLICY p ON s.t TO CURRENT_USER, SESSION_USER, \"public\";"), "");
        assert_eq!(roles("CREATE POLICY p ON s.t TO \"current_user\", rôle;"), "current_user|rôle");
        assert_eq!(roles("CREATE POLICY p ON s.t TO a, 'b', c"), "a");
        for not_a_policy in
            ["", "CREATE", "CREATE POLICY \"p", "ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;", "TO a"]
        {
            assert_eq!(roles(not_a_policy), "", "{not_a_policy}");
        }
    }

    #[test]
    fn role_of_user_mapping() {
        let role = |defn| user_mapping_role(defn);
        assert_eq!(role("CREATE USER MAPPING FOR a SERVER s;").as_deref(), Some("a"));
        assert_eq!(
            role("CREATE USER MAPPING FOR \"A b\" SERVER s OPTIONS (\n    x 'FOR y'\n);").as_deref(),
            Some("A b")
        );
        assert_eq!(role("CREATE USER MAPPING FOR public SERVER s;"), None);
        assert_eq!(role("CREATE USER MAPPING"), None);
    }

    #[test]
    fn tables_of_foreign_keys() {
        let key = foreign_key(
            "ALTER TABLE ONLY \"a.b\".\"C \"\"d\"\"\"\n    ADD CONSTRAINT \"REFERENCES x\" \
             FOREIGN KEY (\"references\", \"p)\") REFERENCES e.f(g, h) ON DELETE CASCADE;",
        );
        assert_eq!(
            key,
            Some(ForeignKeyClause {
                child: (Some("a.b".to_owned()), "C \"d\"".to_owned()),
                name: "REFERENCES x".to_owned(),
                parent: (Some("e".to_owned()), "f".to_owned()),
            })
        );
        let unqualified =
            foreign_key("ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d(e);").unwrap();
        assert_eq!((unqualified.child, unqualified.parent), ((None, "a".to_owned()), (None, "d".to_owned())));
        assert_eq!(foreign_key("ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c);"), None);
        assert_eq!(foreign_key("ALTER TABLE a ADD CONSTRAINT b PRIMARY KEY (c);"), None);
    }

    #[test]
    fn literals_are_read_as_one() {
        let tokens: Vec<_> = Tokens::new("a'b''c'E'd\\'e' \"\"f").collect();
        assert_eq!(tokens.len(), 5);
        assert_eq!(tokens.first(), Some(&Token::Word("a".to_owned())));
        let [first, second] = ["b'c", "d'e"].map(|text| Token::Literal(text.to_owned()));
        assert_eq!(tokens.get(1..3), Some([first, second].as_slice()));
    }
}
