//! One statement of globals: `dumpRoles`, `dumpRoleMembership`, `dumpRoleGUCPrivs` and `dumpUserConfig` in `pg_dumpall.c`
//! write one form of each.

use super::{Comment, Globals, GlobalsError, Membership, ParameterGrant, RoleSetting, SecurityLabel};
use crate::format::pg_custom::sql::Token;

/// The tokens of a statement that are not read yet.
struct Rest<'a>(&'a [Token]);

impl Rest<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Takes this word, if it is next.
    fn word(&mut self, word: &str) -> Option<()> {
        let is_next = matches!(self.0.first(), Some(Token::Word(found)) if found == word);
        is_next.then(|| _ = self.next())
    }

    fn words(&mut self, words: &str) -> Option<()> {
        let before = self.0;
        let all = words.split(' ').try_for_each(|word| self.word(word));
        if all.is_none() {
            self.0 = before;
        }
        all
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        let is_next = self.0.first() == Some(&Token::Symbol(symbol));
        is_next.then(|| _ = self.next())
    }

    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(name) | Token::Quoted(name) => Some(name.clone()),
            Token::Literal(_) | Token::Symbol(_) => None,
        }
    }

    fn literal(&mut self) -> Option<String> {
        match self.next()? {
            Token::Literal(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn truth(&mut self) -> Option<bool> {
        self.word("true").map(|()| true).or_else(|| self.word("false").map(|()| false))
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A token as people write it; texts are left out, which may be secret.
pub(super) fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => word.to_uppercase(),
        Token::Quoted(name) => format!("\"{name}\""),
        Token::Literal(_) => "'…'".to_owned(),
        Token::Symbol(symbol) => symbol.to_string(),
    }
}

/// Takes what a statement says. None if it has no form that is known.
pub(super) fn read(globals: &mut Globals, tokens: &[Token]) -> Result<Option<()>, GlobalsError> {
    let mut rest = Rest(tokens);
    if rest.word("set").is_some() {
        return setting_of_the_script(rest).map(Some);
    }
    Ok(if rest.words("create role").is_some() {
        create_role(globals, rest)
    } else if rest.words("alter role").is_some() {
        alter_role(globals, rest)
    } else if rest.words("comment on role").is_some() {
        comment(globals, rest)
    } else if rest.words("security label for").is_some() {
        label(globals, rest)
    } else if rest.word("grant").is_some() {
        let is_on_parameter = tokens.windows(2).any(
            |pair| matches!(pair, [Token::Word(on), Token::Word(what)] if on == "on" && what == "parameter"),
        );
        if is_on_parameter { parameter(globals, rest) } else { membership(globals, rest) }
    } else if rest.words("reset session authorization").is_some() || rest.words("drop role").is_some() {
        Some(())
    } else {
        None
    })
}

/// `SET name = value`, which is about the file, or `SET SESSION AUTHORIZATION name`, which is about who granted something.
fn setting_of_the_script(mut rest: Rest<'_>) -> Result<(), GlobalsError> {
    let name = rest.name().unwrap_or_default();
    let _ = rest.symbol('=');
    let value = rest.next().map(|token| match token {
        Token::Word(text) | Token::Quoted(text) | Token::Literal(text) => text.to_lowercase(),
        Token::Symbol(symbol) => symbol.to_string(),
    });
    match (name.as_str(), value.as_deref()) {
        ("standard_conforming_strings", Some("off")) => Err(GlobalsError::Quoting),
        ("client_encoding", Some(encoding)) if !["utf8", "sql_ascii", "utf-8"].contains(&encoding) => {
            Err(GlobalsError::Encoding)
        }
        _ => Ok(()),
    }
}

fn create_role(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let name = rest.name()?;
    globals.roles.entry(name.clone()).or_default();
    match rest.end() {
        Some(()) => Some(()),
        None => options(globals, &name, rest),
    }
}

fn alter_role(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let name = rest.name()?;
    if rest.word("set").is_none() {
        return options(globals, &name, rest);
    }
    let setting = rest.name()?;
    rest.word("to")?;
    let mut values = vec![rest.literal()?];
    while rest.symbol(',').is_some() {
        values.push(rest.literal()?);
    }
    rest.end()?;
    globals.settings.push(RoleSetting { role: name, name: setting, values });
    Some(())
}

/// `WITH NOSUPERUSER INHERIT … CONNECTION LIMIT 5 VALID UNTIL '…'`. Limits, ends and passwords are about logging in.
fn options(globals: &mut Globals, name: &str, mut rest: Rest<'_>) -> Option<()> {
    rest.word("with")?;
    let mut role = globals.roles.get(name)?.clone();
    while rest.end().is_none() {
        let option = rest.name()?;
        match option.as_str() {
            "superuser" => role.superuser = true,
            "nosuperuser" => role.superuser = false,
            "inherit" => role.inherit = true,
            "noinherit" => role.inherit = false,
            "createrole" => role.create_role = true,
            "nocreaterole" => role.create_role = false,
            "createdb" => role.create_db = true,
            "nocreatedb" => role.create_db = false,
            "login" => role.login = true,
            "nologin" => role.login = false,
            "replication" => role.replication = true,
            "noreplication" => role.replication = false,
            "bypassrls" => role.bypass_rls = true,
            "nobypassrls" => role.bypass_rls = false,
            "connection" => {
                rest.word("limit")?;
                let _ = rest.symbol('-');
                rest.name()?;
            }
            "valid" => {
                rest.word("until")?;
                rest.literal()?;
            }
            "encrypted" => {}
            "password" => {
                if matches!(rest.next()?, Token::Literal(_)) {
                    globals.with_password.insert(name.to_owned());
                }
            }
            _ => return None,
        }
    }
    globals.roles.insert(name.to_owned(), role);
    Some(())
}

fn comment(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let role = rest.name()?;
    rest.word("is")?;
    let text = rest.literal()?;
    rest.end()?;
    globals.comments.push(Comment { role, text });
    Some(())
}

fn label(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let provider = rest.name()?;
    rest.words("on role")?;
    let role = rest.name()?;
    rest.word("is")?;
    let label = rest.literal()?;
    rest.end()?;
    globals.labels.push(SecurityLabel { provider, role, label });
    Some(())
}

/// `role TO member [WITH ADMIN OPTION, INHERIT TRUE, SET FALSE] [GRANTED BY grantor]`.
fn membership(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let role = rest.name()?;
    rest.word("to")?;
    let member = rest.name()?;
    let mut made = Membership { role, member, admin: false, inherit: None, set: None, grantor: None };
    if rest.word("with").is_some() {
        loop {
            if rest.word("admin").is_some() {
                made.admin = rest.word("option").map(|()| true).or_else(|| rest.truth())?;
            } else if rest.word("inherit").is_some() {
                made.inherit = Some(rest.truth()?);
            } else {
                rest.word("set")?;
                made.set = Some(rest.truth()?);
            }
            if rest.symbol(',').is_none() {
                break;
            }
        }
    }
    if rest.words("granted by").is_some() {
        made.grantor = Some(rest.name()?);
    }
    rest.end()?;
    globals.memberships.push(made);
    Some(())
}

/// `SET, ALTER SYSTEM ON PARAMETER name TO grantee [WITH GRANT OPTION]`.
fn parameter(globals: &mut Globals, mut rest: Rest<'_>) -> Option<()> {
    let mut grant = ParameterGrant {
        parameter: Vec::new(),
        set: false,
        alter_system: false,
        grantee: None,
        grantable: false,
    };
    loop {
        if rest.word("all").is_some() {
            (grant.set, grant.alter_system) = (true, true);
        } else if rest.word("set").is_some() {
            grant.set = true;
        } else {
            rest.words("alter system")?;
            grant.alter_system = true;
        }
        if rest.symbol(',').is_none() {
            break;
        }
    }
    rest.words("on parameter")?;
    grant.parameter.push(rest.name()?);
    while rest.symbol('.').is_some() {
        grant.parameter.push(rest.name()?);
    }
    rest.word("to")?;
    grant.grantee = Some(rest.name()?).filter(|name| name != "public");
    grant.grantable = rest.words("with grant option").is_some();
    rest.end()?;
    globals.parameters.push(grant);
    Some(())
}
