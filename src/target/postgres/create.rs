//! The empty database that a dump is restored into, made as `pg_restore --create` would make it: with the locale and the
//! settings that the archive names.
//!
//! A locale decides what is unique, in which order texts are, and which partition a row belongs into. So one that the image
//! lacks is never replaced in silence. The archive's own statements are not run: they are hostile text.

use tokio_postgres::Client;

use super::database_settings::{self, Statement};
use super::failures::{error_text, query_failure};
use super::prepare::encoding_and_locale;
use super::quote::{quote_identifier, quote_literal};
use super::server::{MAINTENANCE, Server};
use crate::format::pg_custom::{DatabaseLocale, LocaleProvider, Toc};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::sandbox::docker::{Captured, ExecSpec};

/// What `CREATE DATABASE` says of a locale that is not there, or that does not go with the encoding.
const LOCALE_ERRORS: [&str; 6] = ["0A000", "22023", "42601", "42602", "42704", "42809"];
/// Locales of the image that are named, in characters.
const LOCALES_SHOWN: usize = 200;

impl Server {
    /// Creates a database for this dump, with its locale and its settings; `fallback` is the locale for one that the image
    /// lacks, if the template names one. Settings of roles in it are left to [`Self::restore_database_access`] if there are
    /// `roles`. Returns what an operator should know of it.
    ///
    /// # Errors
    /// `collation_missing`, if the image lacks the locale.
    pub async fn create_as_dumped(
        &self,
        name: &DatabaseName,
        toc: &Toc,
        fallback: Option<&str>,
        roles: bool,
    ) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let client = self.connect(MAINTENANCE).await?;
        match toc.locale().or_else(|| of_template(toc, fallback)) {
            Some(locale) if name.as_str() != MAINTENANCE => {
                warnings.extend(self.create_with_locale(&client, name, &locale, fallback).await?);
            }
            _ => self.create_empty(&client, name, toc.encoding()).await?,
        }
        self.prepare_database(&client, name, toc.creates_public_schema()).await?;
        warnings.extend(apply_settings(&client, name, toc, roles).await?);
        Ok(warnings)
    }

    async fn create_with_locale(
        &self,
        client: &Client,
        name: &DatabaseName,
        wanted: &DatabaseLocale,
        fallback: Option<&str>,
    ) -> Result<Option<String>> {
        let mut refused = String::new();
        for (locale, substituted) in candidates(wanted, fallback) {
            match client.batch_execute(&(statement(name, &locale) + self.strategy())).await {
                Ok(()) => return Ok(substituted.then(|| substitution(wanted, &locale))),
                Err(error) if error.code().is_some_and(|code| LOCALE_ERRORS.contains(&code.code())) => {
                    if refused.is_empty() {
                        refused = error_text(&error);
                    }
                }
                Err(error) => return Err(query_failure("creating the database", &error)),
            }
        }
        let message = format!("the image lacks the locale of the source, {}: {refused}", shown(wanted));
        Err(Failure::inconclusive(codes::COLLATION_MISSING, message).hint(format!(
            "name an image that has it in postgres.image, or the locale to restore with instead in postgres.locale; the \
             image has {}",
            self.locales().await
        )))
    }

    /// The locales of the image's C library.
    async fn locales(&self) -> String {
        let asked = self.engine.capture(ExecSpec::new(&self.container, ["locale", "-a"]), 64 * 1024).await;
        match asked.ok().filter(Captured::ok) {
            Some(said) => {
                let names: Vec<&str> = said.stdout.split_whitespace().collect();
                crate::model::human::one_line(&names.join(", "), LOCALES_SHOWN)
            }
            None => "no `locale` command to list them".to_owned(),
        }
    }
}

/// The locale that the template names, for a dump that names none: a script does not.
fn of_template(toc: &Toc, name: Option<&str>) -> Option<DatabaseLocale> {
    let name = name?;
    Some(DatabaseLocale {
        encoding: encoding_and_locale(toc.encoding()).0.to_owned(),
        provider: LocaleProvider::Libc,
        collate: name.to_owned(),
        ctype: name.to_owned(),
        locale: None,
        rules: None,
    })
}

/// Gives a database those of the dumped one's settings that decide what its rows mean.
async fn apply_settings(
    maintenance: &Client,
    name: &DatabaseName,
    toc: &Toc,
    roles: bool,
) -> Result<Option<String>> {
    let settings = database_settings::of_database(name, toc, roles);
    let mut left_out = settings.left_out;
    let doing = "applying the database's settings";
    left_out.extend(Statement::run_each(maintenance, settings.kept, doing).await?);
    Ok((!left_out.is_empty()).then(|| {
        let names = crate::model::human::one_line(&left_out.join(", "), 400);
        format!("settings of the dumped database that the drill's does not have: {names}")
    }))
}

/// The locales to try, one after the other, and whether each is another than the one that is wanted.
fn candidates(wanted: &DatabaseLocale, fallback: Option<&str>) -> Vec<(DatabaseLocale, bool)> {
    let with = |collate: &str, ctype: &str| DatabaseLocale {
        collate: collate.to_owned(),
        ctype: ctype.to_owned(),
        ..wanted.clone()
    };
    let mut all = vec![(wanted.clone(), false)];
    let respelled = with(&respelled(&wanted.collate), &respelled(&wanted.ctype));
    if respelled != *wanted {
        all.push((respelled, false));
    }
    if wanted.provider != LocaleProvider::Libc {
        // Texts are compared by the provider, whatever the C library's locale.
        all.push((with("C", "C"), true));
    }
    if let Some(fallback) = fallback {
        let own =
            DatabaseLocale { provider: LocaleProvider::Libc, locale: None, rules: None, ..wanted.clone() };
        all.push((DatabaseLocale { collate: fallback.to_owned(), ctype: fallback.to_owned(), ..own }, true));
    }
    all
}

/// The other way to write the same locale: C libraries differ in whether they take `utf8` for `UTF-8`.
fn respelled(locale: &str) -> String {
    match locale.split_once('.') {
        Some((name, "UTF-8")) => format!("{name}.utf8"),
        Some((name, "utf8" | "UTF8" | "utf-8")) => format!("{name}.UTF-8"),
        _ => locale.to_owned(),
    }
}

fn statement(name: &DatabaseName, locale: &DatabaseLocale) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        quote_identifier(name.as_str()),
        quote_literal(&locale.encoding),
        quote_literal(&locale.collate),
        quote_literal(&locale.ctype)
    );
    let own = match locale.provider {
        // Servers up to 14 have no word for what is the only one there.
        LocaleProvider::Libc => None,
        LocaleProvider::Icu => Some("ICU_LOCALE"),
        LocaleProvider::Builtin => Some("BUILTIN_LOCALE"),
    };
    if let Some(option) = own {
        sql.push_str(&format!(" LOCALE_PROVIDER {}", locale.provider.word()));
        for (option, value) in [(option, &locale.locale), ("ICU_RULES", &locale.rules)] {
            if let Some(value) = value {
                sql.push_str(&format!(" {option} {}", quote_literal(value)));
            }
        }
    }
    sql
}

fn substitution(wanted: &DatabaseLocale, got: &DatabaseLocale) -> String {
    let effect = if wanted.provider == got.provider {
        "texts are compared as in the source"
    } else {
        "what is unique, and the order of texts, may differ"
    };
    format!(
        "restored with the locale {} in place of {}, which the image lacks: {effect}",
        shown(got),
        shown(wanted)
    )
}

/// The locale for people.
fn shown(locale: &DatabaseLocale) -> String {
    let libc = if locale.collate == locale.ctype {
        locale.collate.clone()
    } else {
        format!("{} (LC_CTYPE {})", locale.collate, locale.ctype)
    };
    let shown = match &locale.locale {
        Some(own) => format!("{own} ({}, {libc})", locale.provider.word()),
        None => libc,
    };
    crate::model::human::one_line(&shown, 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(provider: LocaleProvider, libc: &str, own: Option<&str>) -> DatabaseLocale {
        DatabaseLocale {
            encoding: "UTF8".to_owned(),
            provider,
            collate: libc.to_owned(),
            ctype: libc.to_owned(),
            locale: own.map(str::to_owned),
            rules: None,
        }
    }

    #[test]
    fn a_locale_is_replaced_only_where_that_is_safe_or_asked_for() {
        let tried = |wanted: &DatabaseLocale, fallback| {
            let all = candidates(wanted, fallback);
            all.into_iter().map(|(locale, other)| (locale.collate, other)).collect::<Vec<_>>()
        };
        let own = |name: &str, other| (name.to_owned(), other);
        assert_eq!(tried(&locale(LocaleProvider::Libc, "C", None), None), [own("C", false)]);
        assert_eq!(
            tried(&locale(LocaleProvider::Libc, "de_DE.UTF-8", None), None),
            [own("de_DE.UTF-8", false), own("de_DE.utf8", false)]
        );
        assert_eq!(
            tried(&locale(LocaleProvider::Icu, "de_DE", Some("de")), None),
            [own("de_DE", false), own("C", true)]
        );
        let asked = candidates(&locale(LocaleProvider::Icu, "C", Some("de")), Some("en_US.utf8"));
        let (last, other) = asked.last().unwrap();
        assert_eq!((last.provider, &*last.ctype, other), (LocaleProvider::Libc, "en_US.utf8", &true));
    }

    #[test]
    fn statements_are_quoted() {
        let name = "a".parse().unwrap();
        let mut wanted = locale(LocaleProvider::Icu, "C'; DROP DATABASE x; --", Some("und"));
        wanted.rules = Some("&a < 'g".to_owned());
        assert_eq!(
            statement(&name, &wanted),
            "CREATE DATABASE \"a\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C''; DROP DATABASE x; --' \
             LC_CTYPE 'C''; DROP DATABASE x; --' LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < ''g'"
        );
        let plain = statement(&name, &locale(LocaleProvider::Libc, "C", None));
        assert!(!plain.contains("PROVIDER"), "{plain}");
    }
}
