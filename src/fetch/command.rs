//! The commands that restore a dump as the drill did. They hold no credentials: libpq finds those where it always does.

use std::path::Path;

use crate::format::BackupContents;
use crate::format::pg_custom::{DatabaseLocale, LocaleProvider, Toc};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::target::postgres::restore::{Kept, what_is_restored};

/// The commands, for a shell: the empty database as it was, and `pg_restore`. A dump that comes from stdin is restored by
/// one worker; `pg_restore` cannot do otherwise.
pub(super) fn commands(
    database: &DatabaseName,
    contents: &BackupContents,
    file: Option<&Path>,
    jobs: Option<usize>,
    kept: Kept,
) -> Vec<String> {
    let BackupContents::PgCustom(toc) = contents;
    let mut commands = vec![line(&createdb(database, toc))];
    if toc.creates_public_schema() {
        commands.push(line(&[
            "psql".to_owned(),
            format!("--dbname={database}"),
            "--command=DROP SCHEMA public".to_owned(),
        ]));
    }
    let mut restore = vec!["pg_restore".to_owned(), format!("--dbname={database}")];
    restore.extend(jobs.filter(|jobs| file.is_some() && *jobs > 1).map(|jobs| format!("--jobs={jobs}")));
    restore.extend(what_is_restored(kept).iter().map(|option| (*option).to_owned()));
    restore.extend(file.map(|file| match file.to_string_lossy() {
        path if path.starts_with('-') => format!("./{path}"),
        path => path.into_owned(),
    }));
    commands.push(line(&restore));
    commands
}

/// Roles that the dump names.
pub(super) fn roles(contents: &BackupContents) -> Vec<String> {
    let BackupContents::PgCustom(toc) = contents;
    toc.roles().iter().map(|role| human::one_line(role, 80)).collect()
}

/// The empty database, with the locale that the dump names.
fn createdb(database: &DatabaseName, toc: &Toc) -> Vec<String> {
    let mut words = vec!["createdb".to_owned(), "--template=template0".to_owned()];
    match toc.locale() {
        Some(locale) => words.extend(with_locale(&locale)),
        None => words.extend(toc.encoding().map(|encoding| format!("--encoding={encoding}"))),
    }
    words.push(database.to_string());
    words
}

fn with_locale(locale: &DatabaseLocale) -> Vec<String> {
    let mut words = vec![
        format!("--encoding={}", locale.encoding),
        format!("--lc-collate={}", locale.collate),
        format!("--lc-ctype={}", locale.ctype),
    ];
    let own = match locale.provider {
        LocaleProvider::Libc => return words,
        LocaleProvider::Icu => "icu",
        LocaleProvider::Builtin => "builtin",
    };
    words.push(format!("--locale-provider={own}"));
    words.extend(locale.locale.as_ref().map(|name| format!("--{own}-locale={name}")));
    words.extend(locale.rules.as_ref().map(|rules| format!("--icu-rules={rules}")));
    words
}

/// One line of a shell (POSIX): words that it would take apart or replace are quoted.
fn line(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    match word.chars().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Inspector;

    fn contents(name: &str) -> BackupContents {
        let path = format!("{}/tests/fixtures/archive/{name}.dump", env!("CARGO_MANIFEST_DIR"));
        let mut inspector = Inspector::default();
        let _ = inspector.push(&std::fs::read(path).unwrap()).unwrap();
        inspector.finish().map_err(|_| "no contents").unwrap()
    }

    #[test]
    fn the_line_is_that_of_the_drill_for_a_shell() {
        let (name, contents) = ("shop".parse().unwrap(), contents("pg17-gzip"));
        let made = commands(&name, &contents, Some(Path::new("/srv/it's/shop.dump")), Some(4), Kept::NOTHING);
        assert!(
            made[0].starts_with("createdb --template=template0 --encoding=UTF8 --lc-collate="),
            "{made:?}"
        );
        assert!(made[0].ends_with(" shop"), "{made:?}");
        let line = made.last().unwrap();
        let options = what_is_restored(Kept::NOTHING).join(" ");
        assert_eq!(*line, format!(r"pg_restore --dbname=shop --jobs=4 {options} '/srv/it'\''s/shop.dump'"));
        let piped = commands(&name, &contents, None, Some(4), Kept { access: true, labels: false });
        let line = "pg_restore --dbname=shop --no-tablespaces --no-security-labels --no-subscriptions";
        assert_eq!(*piped.last().unwrap(), line, "with owners and privileges, as that drill did");
        let odd = commands(&name, &contents, Some(Path::new("-x")), None, Kept::NOTHING);
        assert!(odd.last().unwrap().ends_with(" ./-x"), "{odd:?}");
    }

    #[test]
    fn hostile_names_stay_words() {
        let locale = DatabaseLocale {
            encoding: "UTF8".to_owned(),
            provider: LocaleProvider::Icu,
            collate: "C".to_owned(),
            ctype: "C; rm -rf /".to_owned(),
            locale: Some("und".to_owned()),
            rules: None,
        };
        let made = line(&with_locale(&locale));
        assert_eq!(
            made,
            "--encoding=UTF8 --lc-collate=C '--lc-ctype=C; rm -rf /' --locale-provider=icu --icu-locale=und"
        );
    }
}
