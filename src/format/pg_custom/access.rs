//! What an archive says about who may do what: owners, grantees, and the privileges on the database itself, which
//! `pg_restore` leaves out unless it makes the database (`dumpACL` in `pg_dump.c`, `buildACLCommands` in `dumputils.c`).

use std::collections::BTreeSet;

use super::sql::{Token, Tokens};
use super::toc::Toc;

/// Roles that an archive names and does not hold. Without `PUBLIC` and the roles that every server has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedRoles {
    /// Owners, and the roles of policies and user mappings: without them a restore is not what the source was.
    pub needed: BTreeSet<String>,
    /// Roles that were granted something.
    pub granted: BTreeSet<String>,
}

/// A statement about the privileges on the database itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseGrant {
    /// A grant, or a revocation.
    pub grants: bool,
    /// Which: `ALL`, `CONNECT`, `CREATE`, `TEMPORARY`.
    pub privileges: Vec<&'static str>,
    /// The role; none for all.
    pub grantee: Option<String>,
    /// May grant it to others.
    pub grantable: bool,
    /// The role that did it, if not the owner.
    pub grantor: Option<String>,
}

/// Entries that are privileges.
const ACLS: [&str; 2] = ["ACL", "DEFAULT ACL"];
/// Privileges on a database, as `pg_dump` writes them.
const PRIVILEGES: [&str; 4] = ["ALL", "CONNECT", "CREATE", "TEMPORARY"];

impl Toc {
    /// The roles that a restore with owners and privileges needs.
    #[must_use]
    pub fn named_roles(&self) -> NamedRoles {
        let mut named = NamedRoles { needed: self.roles(), granted: BTreeSet::new() };
        for entry in &self.entries {
            named.needed.extend(entry.owner.clone().filter(|owner| !owner.is_empty()));
            if ACLS.contains(&entry.desc.as_str()) {
                named.granted.extend(statements(&entry.defn).iter().filter_map(|tokens| grantee(tokens)));
            }
        }
        for roles in [&mut named.needed, &mut named.granted] {
            roles.retain(|role| !role.starts_with("pg_"));
        }
        named.granted.retain(|role| !named.needed.contains(role));
        named
    }

    /// How many privileges the archive grants or takes away.
    #[must_use]
    pub fn privileges(&self) -> usize {
        self.entries.iter().filter(|entry| ACLS.contains(&entry.desc.as_str())).count()
    }

    /// Whether anything was granted or revoked by it, as far as privileges were dumped at all.
    #[must_use]
    pub fn holds_privileges(&self) -> bool {
        self.privileges() > 0
    }

    /// The role that owns the database that was dumped.
    #[must_use]
    pub fn database_owner(&self) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.desc == "DATABASE")?;
        entry.owner.as_deref().filter(|owner| !owner.is_empty())
    }

    /// The privileges on it, in the order in which they were written, and how many statements have another form.
    #[must_use]
    pub fn database_grants(&self) -> (Vec<DatabaseGrant>, usize) {
        let is_of_database = |tag: &str| tag.starts_with("DATABASE ");
        let acls = self.entries.iter().filter(|entry| {
            entry.desc == "ACL"
                && entry.namespace.as_deref().unwrap_or_default().is_empty()
                && is_of_database(&entry.tag)
        });
        let (mut grants, mut unread) = (Vec::new(), 0);
        for entry in acls {
            let mut grantor = None;
            for tokens in statements(&entry.defn) {
                match session(&tokens) {
                    Some(role) => grantor = role,
                    None => match database_grant(&tokens, grantor.clone()) {
                        Some(grant) => grants.push(grant),
                        None => unread += 1,
                    },
                }
            }
        }
        (grants, unread)
    }

    /// The modules whose security labels the archive holds.
    #[must_use]
    pub fn label_providers(&self) -> BTreeSet<String> {
        let labels = self.entries.iter().filter(|entry| entry.desc == "SECURITY LABEL");
        labels.flat_map(|entry| statements(&entry.defn)).filter_map(|tokens| provider(&tokens)).collect()
    }
}

/// The statements of an entry.
fn statements(defn: &str) -> Vec<Vec<Token>> {
    let mut all = vec![Vec::new()];
    for token in Tokens::new(defn) {
        match token {
            Token::Symbol(';') => all.push(Vec::new()),
            token => all.last_mut().expect("it begins with one").push(token),
        }
    }
    all.retain(|statement| !statement.is_empty());
    all
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(found)) if found == word)
}

/// The role in `… TO role …` or `… FROM role`: the last such word is the one, since one in a name would be quoted.
fn grantee(tokens: &[Token]) -> Option<String> {
    let at = tokens.iter().rposition(|token| is_word(Some(token), "to") || is_word(Some(token), "from"))?;
    role(tokens.get(at + 1)?)
}

/// A role's name; none for all roles.
fn role(token: &Token) -> Option<String> {
    match token {
        Token::Word(name) | Token::Quoted(name) if name != "public" => Some(name.clone()),
        _ => None,
    }
}

/// The role that grants from here on: of `SET SESSION AUTHORIZATION role`, or none of its own after a `RESET`.
fn session(tokens: &[Token]) -> Option<Option<String>> {
    let is_about_it = is_word(tokens.get(1), "session") && is_word(tokens.get(2), "authorization");
    match tokens.first()? {
        Token::Word(word) if is_about_it && word == "reset" => Some(None),
        Token::Word(word) if is_about_it && word == "set" => Some(Some(role(tokens.get(3)?)?)),
        _ => None,
    }
}

/// `GRANT CONNECT,TEMPORARY ON DATABASE name TO role [WITH GRANT OPTION]`, `REVOKE ALL ON DATABASE name FROM role`.
fn database_grant(tokens: &[Token], grantor: Option<String>) -> Option<DatabaseGrant> {
    let grants = match tokens.first()? {
        Token::Word(word) if word == "grant" => true,
        Token::Word(word) if word == "revoke" => false,
        _ => return None,
    };
    let on = tokens.iter().position(|token| is_word(Some(token), "on"))?;
    let mut privileges = Vec::new();
    for (place, token) in tokens.get(1..on)?.iter().enumerate() {
        match token {
            Token::Word(word) if place % 2 == 0 => {
                privileges.push(*PRIVILEGES.iter().find(|known| known.eq_ignore_ascii_case(word))?);
            }
            Token::Symbol(',') if place % 2 == 1 => {}
            _ => return None,
        }
    }
    is_word(tokens.get(on + 1), "database").then_some(())?;
    is_word(tokens.get(on + 3), if grants { "to" } else { "from" }).then_some(())?;
    let token = tokens.get(on + 4)?;
    let grantee = match token {
        Token::Word(_) | Token::Quoted(_) => role(token),
        Token::Literal(_) | Token::Symbol(_) => return None,
    };
    let rest = &tokens[on + 5..];
    let grantable = match rest {
        [] => false,
        [with, grant, option] if grants => {
            let all = [(with, "with"), (grant, "grant"), (option, "option")];
            all.iter().all(|(token, word)| is_word(Some(*token), word)).then_some(true)?
        }
        _ => return None,
    };
    Some(DatabaseGrant { grants, privileges, grantee, grantable, grantor })
}

/// `SECURITY LABEL FOR provider ON …`.
fn provider(tokens: &[Token]) -> Option<String> {
    let words = ["security", "label", "for"];
    words.iter().enumerate().all(|(place, word)| is_word(tokens.get(place), word)).then_some(())?;
    match tokens.get(3)? {
        Token::Word(name) | Token::Quoted(name) => Some(name.clone()),
        Token::Literal(_) | Token::Symbol(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(defn: &str) -> Vec<Option<DatabaseGrant>> {
        statements(defn).iter().map(|tokens| database_grant(tokens, None)).collect()
    }

    #[test]
    fn a_dump_without_privileges_is_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        let mut toc = crate::format::pg_custom::read_toc(&std::fs::read(path).unwrap()).unwrap();
        toc.entries.retain(|entry| !ACLS.contains(&entry.desc.as_str()));
        assert!(!toc.holds_privileges());
        for desc in ACLS {
            toc.entries[0].desc = desc.to_owned();
            assert!(toc.holds_privileges(), "{desc}");
        }
    }

    #[test]
    fn privileges_on_a_database_are_read() {
        let read = grants(
            "REVOKE CONNECT,TEMPORARY ON DATABASE \"d on\" FROM PUBLIC;\nGRANT TEMPORARY ON DATABASE d TO PUBLIC;\n\
             GRANT ALL ON DATABASE d TO \"A to\" WITH GRANT OPTION;\n",
        );
        let of = |grants, privileges: &[&'static str], grantee: Option<&str>, grantable| {
            let grantee = grantee.map(str::to_owned);
            Some(DatabaseGrant { grants, privileges: privileges.to_vec(), grantee, grantable, grantor: None })
        };
        assert_eq!(
            read,
            [
                of(false, &["CONNECT", "TEMPORARY"], None, false),
                of(true, &["TEMPORARY"], None, false),
                of(true, &["ALL"], Some("A to"), true),
            ]
        );
        for other in [
            "GRANT SELECT ON DATABASE d TO a",
            "GRANT ALL ON TABLE d TO a",
            "GRANT ALL ON DATABASE d TO a, b",
            "GRANT ALL ON DATABASE d TO a WITH ADMIN OPTION",
            "GRANT ALL ON DATABASE d TO 'a'",
            "DROP DATABASE d",
            "GRANT ON DATABASE d",
        ] {
            assert_eq!(grants(other), [None], "{other}");
        }
    }

    #[test]
    fn grantees_are_found_in_every_form() {
        let of = |defn: &str| {
            statements(defn).iter().filter_map(|tokens| grantee(tokens)).collect::<Vec<_>>().join("|")
        };
        assert_eq!(of("GRANT SELECT(id),UPDATE(id) ON TABLE public.t TO app;"), "app");
        assert_eq!(
            of(
                "REVOKE ALL ON FUNCTION public.f(\"to\" integer) FROM PUBLIC;\nGRANT ALL ON FUNCTION public.f(\"to\" integer) TO \"An app\";"
            ),
            "An app"
        );
        assert_eq!(
            of(
                "SET SESSION AUTHORIZATION a;\nGRANT SELECT ON TABLE t TO b WITH GRANT OPTION;\nRESET SESSION AUTHORIZATION;"
            ),
            "b"
        );
        assert_eq!(
            of("ALTER DEFAULT PRIVILEGES FOR ROLE o IN SCHEMA public GRANT SELECT ON TABLES TO readers;"),
            "readers"
        );
        assert_eq!(of("GRANT SELECT ON LARGE OBJECT 16400 TO app;"), "app");
    }

    #[test]
    fn who_grants_is_read() {
        let read = |defn: &str| session(&statements(defn)[0]);
        assert_eq!(read("SET SESSION AUTHORIZATION \"A b\";"), Some(Some("A b".to_owned())));
        assert_eq!(read("RESET SESSION AUTHORIZATION;"), Some(None));
        assert_eq!(read("SET x = 1;"), None);
        assert_eq!(
            provider(&statements("SECURITY LABEL FOR anon ON TABLE t IS 'x';")[0]).as_deref(),
            Some("anon")
        );
    }
}
