//! What an archive says about the database that it was made of: its locale, and its settings (`dumpDatabase` and
//! `dumpDatabaseConfig` in `pg_dump.c`).
//!
//! `pg_restore --create` would run these statements as they stand. Here they are taken apart, word by word, into values
//! that can be quoted anew: an archive is hostile, and this part of it decides what its restored rows mean.

use super::sql::{Token, Tokens};

/// The library that compares texts and classifies characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocaleProvider {
    /// The C library.
    Libc,
    /// ICU (since PostgreSQL 15).
    Icu,
    /// PostgreSQL itself (since PostgreSQL 17).
    Builtin,
}

impl LocaleProvider {
    /// The word for it in SQL.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Icu => "icu",
            Self::Builtin => "builtin",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Libc, Self::Icu, Self::Builtin].into_iter().find(|provider| provider.word() == word)
    }
}

/// How a database was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseLocale {
    /// Its encoding.
    pub encoding: String,
    /// The library that compares texts.
    pub provider: LocaleProvider,
    /// The C library's locale for comparing.
    pub collate: String,
    /// The C library's locale for telling letters from digits.
    pub ctype: String,
    /// The provider's own locale, where that is not the C library.
    pub locale: Option<String>,
    /// Rules on top of that locale (ICU, since PostgreSQL 16).
    pub rules: Option<String>,
}

/// A setting of the database that was dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSetting {
    /// The role it is for; none if it is for all.
    pub role: Option<String>,
    /// The setting's name.
    pub name: String,
    /// Its values: several only for a setting that is a list.
    pub values: Vec<String>,
}

/// The locale that `CREATE DATABASE name WITH TEMPLATE = template0 ENCODING = '…' LOCALE_PROVIDER = … …;` asks for. None
/// if the statement has another form.
pub(super) fn locale(defn: &str) -> Option<DatabaseLocale> {
    let mut tokens = Tokens::new(defn);
    tokens.keyword("create")?;
    tokens.keyword("database")?;
    tokens.name()?;
    tokens.keyword("with")?;
    tokens.keyword("template")?;
    equals(&mut tokens)?;
    tokens.keyword("template0")?;
    let (mut encoding, mut provider, mut collate, mut ctype) = (None, LocaleProvider::Libc, None, None);
    let (mut locale, mut rules) = (None, None);
    loop {
        let option = match tokens.next()? {
            Token::Word(option) => option,
            Token::Symbol(';') => break,
            _ => return None,
        };
        equals(&mut tokens)?;
        match option.as_str() {
            "encoding" => encoding = Some(tokens.literal()?),
            "locale_provider" => provider = LocaleProvider::of(&tokens.name()?)?,
            "locale" => {
                let both = tokens.literal()?;
                (collate, ctype) = (Some(both.clone()), Some(both));
            }
            "lc_collate" => collate = Some(tokens.literal()?),
            "lc_ctype" => ctype = Some(tokens.literal()?),
            "icu_locale" | "builtin_locale" => locale = Some(tokens.literal()?),
            "icu_rules" => rules = Some(tokens.literal()?),
            // The version is for upgrades in place, the tablespace of the machine it was dumped on.
            "collation_version" => drop(tokens.literal()?),
            "tablespace" | "oid" | "strategy" => drop(tokens.name()?),
            _ => return None,
        }
    }
    tokens.next().is_none().then_some(())?;
    Some(DatabaseLocale {
        encoding: encoding?,
        provider,
        collate: collate?,
        ctype: ctype?,
        locale: locale.filter(|_| provider != LocaleProvider::Libc),
        rules: rules.filter(|_| provider == LocaleProvider::Icu),
    })
}

/// The settings of statements such as `ALTER DATABASE name SET setting TO 'value', 'value';` and
/// `ALTER ROLE role IN DATABASE name SET …`. A statement of another form is left out: the limit of connections, and
/// whether it is a template, mean nothing to a drill.
pub(super) fn settings(defn: &str) -> Vec<DatabaseSetting> {
    let mut settings = Vec::new();
    let mut tokens = Tokens::new(defn);
    loop {
        let statement: Vec<Token> =
            tokens.by_ref().take_while(|token| *token != Token::Symbol(';')).collect();
        if statement.is_empty() {
            return settings;
        }
        settings.extend(setting(&statement));
    }
}

fn setting(statement: &[Token]) -> Option<DatabaseSetting> {
    let word = |at: usize, word: &str| {
        matches!(statement.get(at), Some(Token::Word(found)) if found == word).then_some(())
    };
    let name = |at: usize| match statement.get(at)? {
        Token::Word(name) | Token::Quoted(name) => Some(name.clone()),
        Token::Literal(_) | Token::Symbol(_) => None,
    };
    word(0, "alter")?;
    let (role, set) = if word(1, "database").is_some() {
        name(2)?;
        (None, 3)
    } else {
        word(1, "role")?;
        word(3, "in")?;
        word(4, "database")?;
        name(5)?;
        (Some(name(2)?), 6)
    };
    word(set, "set")?;
    let setting = name(set + 1)?;
    word(set + 2, "to")?;
    let mut values = Vec::new();
    for (place, token) in statement.get(set + 3..)?.iter().enumerate() {
        match (place % 2, token) {
            (0, Token::Literal(value)) => values.push(value.clone()),
            (1, Token::Symbol(',')) => {}
            _ => return None,
        }
    }
    (!values.is_empty()).then_some(DatabaseSetting { role, name: setting, values })
}

fn equals(tokens: &mut Tokens<'_>) -> Option<()> {
    tokens.next_if_symbol('=').then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBC: &str = "CREATE DATABASE \"C x\" WITH TEMPLATE = template0 ENCODING = 'UTF8'";

    fn of(options: &str) -> Option<DatabaseLocale> {
        locale(&format!("{LIBC}{options};\n"))
    }

    #[test]
    fn locales_of_every_version_are_read() {
        let libc = |collate: &str, ctype: &str| DatabaseLocale {
            encoding: "UTF8".to_owned(),
            provider: LocaleProvider::Libc,
            collate: collate.to_owned(),
            ctype: ctype.to_owned(),
            locale: None,
            rules: None,
        };
        // Up to 12, from 13 on, from 15 on.
        assert_eq!(of(" LC_COLLATE = 'C' LC_CTYPE = 'de_DE'"), Some(libc("C", "de_DE")));
        assert_eq!(of(" LOCALE = 'en_US.utf8'"), Some(libc("en_US.utf8", "en_US.utf8")));
        assert_eq!(of(" LOCALE_PROVIDER = libc LOCALE = 'C' TABLESPACE = fast"), Some(libc("C", "C")));
        let icu = of(
            " LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'und' ICU_RULES = '&a < ''g' COLLATION_VERSION = '1'",
        );
        let icu = icu.unwrap();
        assert_eq!((icu.provider, icu.locale.as_deref()), (LocaleProvider::Icu, Some("und")));
        assert_eq!((icu.collate.as_str(), icu.rules.as_deref()), ("C", Some("&a < 'g")));
        let builtin = of(" LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8'").unwrap();
        assert_eq!((builtin.provider, builtin.locale.as_deref()), (LocaleProvider::Builtin, Some("C.UTF-8")));
    }

    #[test]
    fn what_pg_dump_does_not_write_is_no_locale() {
        for options in [
            "",
            " LOCALE = C",
            " LOCALE 'C'",
            " LOCALE_PROVIDER = other LOCALE = 'C'",
            " LOCALE = 'C' ALLOW_CONNECTIONS = false",
            " LOCALE = 'C'; DROP DATABASE postgres",
        ] {
            assert_eq!(of(options), None, "{options}");
        }
        assert_eq!(locale("CREATE DATABASE x WITH TEMPLATE = evil ENCODING = 'UTF8' LOCALE = 'C';"), None);
        assert_eq!(
            locale("CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C'"),
            None
        );
    }

    #[test]
    fn settings_are_read_and_all_else_is_passed_over() {
        let read = settings(
            "ALTER DATABASE a CONNECTION LIMIT = 40;\n\
             ALTER DATABASE a SET \"app.x\" TO E'it''s \\\\ \"y\"';\n\
             ALTER DATABASE a SET search_path TO '$user', 'Odd Schema';\n\
             DROP TABLE x;\n\
             ALTER DATABASE a SET work_mem TO 64;\n\
             ALTER ROLE \"An n\" IN DATABASE a SET work_mem TO '1MB';\n",
        );
        let read: Vec<_> = read
            .iter()
            .map(|setting| (setting.role.as_deref(), setting.name.as_str(), setting.values.join("|")))
            .collect();
        let expected = [
            (None, "app.x", "it's \\ \"y\"".to_owned()),
            (None, "search_path", "$user|Odd Schema".to_owned()),
            (Some("An n"), "work_mem", "1MB".to_owned()),
        ];
        assert_eq!(read, expected);
    }
}
