//! The commands that restore a dump as the drill did. They hold no credentials: libpq finds those where it always does.
//!
//! What of a dump is restored, and by which statements, is decided where the drill decides it.

use std::collections::BTreeSet;
use std::path::Path;

use super::shell::{line, psql};
use crate::format::BackupContents;
use crate::format::pg_custom::{DatabaseLocale, LocaleProvider, Toc};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::target::postgres::MAINTENANCE;
use crate::target::postgres::database_access;
use crate::target::postgres::database_settings::{self, Statement, is_kept_of_role};
use crate::target::postgres::restore::{Kept, what_is_restored};
use crate::template::Database;

/// How a dump is restored.
pub(super) struct How<'a> {
    /// The dump; none if it comes from stdin.
    pub(super) file: Option<&'a Path>,
    /// Workers.
    pub(super) jobs: Option<usize>,
    /// What is restored besides objects and rows.
    pub(super) kept: Kept,
    /// Roles that the template has a drill create.
    pub(super) roles: &'a [String],
    /// What the template has a drill do otherwise with this database.
    pub(super) template: Option<&'a Database>,
}

/// What it takes to restore a dump.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// For a shell: each only if the one before it succeeded.
    pub(super) commands: Vec<String>,
    /// Roles that must be there.
    pub(super) roles: Vec<String>,
    /// What the commands leave out.
    pub(super) caveats: Vec<String>,
}

/// The empty database as it was, with its settings, then `pg_restore`, then who owns the database and who may use it. A dump
/// that comes from stdin is restored by one worker; `pg_restore` cannot do otherwise.
pub(super) fn restore_steps(database: &DatabaseName, contents: &BackupContents, how: &How<'_>) -> Steps {
    let BackupContents::PgCustom(toc) = contents;
    let mut steps = Steps { roles: roles(toc, how), ..Steps::default() };
    steps.commands.push(line(&createdb(database, toc)));
    if toc.creates_public_schema() {
        steps.commands.push(psql(database.as_str(), "DROP SCHEMA public"));
    }
    let settings = database_settings::of_database(database, toc, how.kept.access);
    steps.run(settings.kept);
    steps.leave_out("settings of the dumped database", settings.left_out);
    steps.leave_out("settings that every drill makes itself", settings.of_every_drill);
    steps.commands.push(pg_restore(database, how));
    if how.kept.access {
        // Last, since a setting of the role that restores could get in its way.
        let (statements, left_out) = database_access::statements(database, toc);
        steps.run(statements);
        steps.leave_out("access to the database", left_out);
    } else {
        steps.caveats.push("owners and privileges, those of the database too".to_owned());
    }
    if !(how.kept.access && how.kept.labels) {
        steps.leave_out("security labels of modules", toc.label_providers());
    }
    let subscriptions = toc.entries.iter().filter(|entry| entry.desc == "SUBSCRIPTION");
    steps.leave_out("subscriptions", subscriptions.map(|entry| entry.tag.clone()));
    let tablespaces = toc.entries.iter().filter_map(|entry| entry.tablespace.clone());
    let tablespaces = tablespaces.filter(|name| !name.is_empty());
    steps.leave_out("tablespaces", tablespaces.collect::<BTreeSet<_>>());
    if let Some(template) = how.template {
        steps.differ(template);
    }
    steps
}

impl Steps {
    /// Runs statements. One that would not be shown as it is, since it holds characters that a terminal acts on, is left out.
    fn run(&mut self, statements: Vec<Statement>) {
        for Statement { sql, what } in statements {
            if human::inert(&sql) == sql {
                self.commands.push(psql(MAINTENANCE, &sql));
            } else {
                let what = human::one_line(&what, 200);
                self.caveats.push(format!("{what}: it holds characters that are not shown"));
            }
        }
    }

    /// Where a drill by this template does something else. SQL of a template is not shown: it may hold a secret.
    fn differ(&mut self, template: &Database) {
        for (key, sql) in
            [("before_restore", &template.before_restore), ("after_restore", &template.after_restore)]
        {
            if !sql.is_empty() {
                let statements = human::things(sql.len() as u64, "statement");
                self.caveats.push(format!("{key} of the template: {statements}, which a drill runs"));
            }
        }
        let (rules, extensions) = (&template.ignore, &template.ignore_extensions);
        let ignored = rules.iter().map(ToString::to_string).chain(extensions.iter().cloned());
        let ignored: Vec<String> = ignored.collect();
        if !ignored.is_empty() {
            let names = human::one_line(&ignored.join(", "), 400);
            self.caveats.push(format!(
                "nothing of what a drill leaves out by the template is left out here: {names}"
            ));
        }
    }

    fn leave_out(&mut self, what: &str, names: impl IntoIterator<Item = String>) {
        let names: Vec<String> = names.into_iter().collect();
        if !names.is_empty() {
            self.caveats.push(format!("{what}: {}", human::one_line(&names.join(", "), 400)));
        }
    }
}

/// Roles that the dump and the template name.
fn roles(toc: &Toc, how: &How<'_>) -> Vec<String> {
    let mut roles = toc.roles();
    if how.kept.access {
        let named = toc.named_roles();
        roles.extend(named.needed.into_iter().chain(named.granted));
        roles.extend(toc.database_grants().0.into_iter().filter_map(|grant| grant.grantor));
        let of_settings = toc.settings().into_iter().filter_map(|setting| {
            let role = setting.role?;
            is_kept_of_role(&role, &setting.name).then_some(role)
        });
        roles.extend(of_settings);
    }
    roles.extend(how.roles.iter().cloned());
    roles.iter().map(|role| human::one_line(role, 80)).collect()
}

fn pg_restore(database: &DatabaseName, how: &How<'_>) -> String {
    let mut words = vec!["pg_restore".to_owned(), format!("--dbname={database}")];
    let jobs = how.jobs.filter(|jobs| how.file.is_some() && *jobs > 1);
    words.extend(jobs.map(|jobs| format!("--jobs={jobs}")));
    words.extend(what_is_restored(how.kept).iter().map(|option| (*option).to_owned()));
    words.extend(how.file.map(|file| match file.to_string_lossy() {
        path if path.starts_with('-') => format!("./{path}"),
        path => path.into_owned(),
    }));
    line(&words)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Inspector;
    use crate::format::pg_custom::Entry;
    use crate::template;

    fn contents(name: &str) -> BackupContents {
        let path = format!("{}/tests/fixtures/archive/{name}.dump", env!("CARGO_MANIFEST_DIR"));
        let mut inspector = Inspector::default();
        let _ = inspector.push(&std::fs::read(path).unwrap()).unwrap();
        inspector.finish().map_err(|_| "no contents").unwrap()
    }

    #[test]
    fn what_the_template_does_otherwise_is_told_without_its_sql() {
        let text = template::testing::minimal_with(
            "[[databases]]\nname = \"shop\"\n",
            "[[databases]]\nname = \"shop\"\nbefore_restore = \"SELECT 'secret'\"\nignore_extensions = [\"pg_cron\"]\n",
        );
        let parsed =
            template::parse(&text, "shop.toml", &template::Environment::default(), template::Purpose::Drill);
        let (parsed, name) = (parsed.unwrap(), "shop".parse().unwrap());
        let how = How { template: parsed.database(&name), ..how(Some("d"), false) };
        let made = restore_steps(&name, &contents("pg17-gzip"), &how);
        for told in ["before_restore of the template: 1 statement, which", "is left out here: pg_cron"] {
            assert!(made.caveats.iter().any(|caveat| caveat.contains(told)), "{told}: {made:?}");
        }
        assert!(!format!("{made:?}").contains("secret"), "{made:?}");
    }

    /// The archive of a fixture, with these entries besides.
    fn with_entries(entries: &[(&str, &str, &str)]) -> BackupContents {
        let BackupContents::PgCustom(mut toc) = contents("pg17-gzip");
        toc.entries.extend(entries.iter().map(|(desc, tag, defn)| Entry {
            desc: (*desc).to_owned(),
            tag: (*tag).to_owned(),
            defn: (*defn).to_owned(),
            ..Entry::default()
        }));
        BackupContents::PgCustom(toc)
    }

    fn how(file: Option<&str>, access: bool) -> How<'_> {
        How {
            file: file.map(Path::new),
            jobs: Some(4),
            kept: Kept { access, labels: false },
            roles: &[],
            template: None,
        }
    }

    #[test]
    fn the_line_is_that_of_the_drill_for_a_shell() {
        let (name, contents) = ("shop".parse().unwrap(), contents("pg17-gzip"));
        let made = restore_steps(&name, &contents, &how(Some("/srv/it's/shop.dump"), false));
        assert!(
            made.commands[0].starts_with("createdb --template=template0 --encoding=UTF8 --lc-collate="),
            "{made:?}"
        );
        assert!(made.commands[0].ends_with(" shop"), "{made:?}");
        let line = made.commands.last().unwrap();
        let options = what_is_restored(Kept::NOTHING).join(" ");
        assert_eq!(*line, format!(r"pg_restore --dbname=shop --jobs=4 {options} '/srv/it'\''s/shop.dump'"));
        assert!(made.caveats.iter().any(|told| told.starts_with("owners and privileges")), "{made:?}");
        let piped = restore_steps(&name, &contents, &how(None, true));
        let line = "pg_restore --dbname=shop --no-tablespaces --no-security-labels --no-subscriptions";
        assert!(
            piped.commands.iter().any(|made| made == line),
            "with owners and privileges, as that drill did"
        );
        assert!(!piped.caveats.iter().any(|told| told.starts_with("owners")), "{piped:?}");
        let odd = restore_steps(&name, &contents, &how(Some("-x"), false));
        assert!(odd.commands.last().unwrap().ends_with(" ./-x"), "{odd:?}");
    }

    #[test]
    fn settings_and_access_are_restored_as_the_drill_does_and_the_rest_is_told() {
        let name = "shop".parse().unwrap();
        let contents = with_entries(&[
            (
                "DATABASE PROPERTIES",
                "shop",
                "ALTER DATABASE shop SET \"TimeZone\" TO 'UTC';\nALTER DATABASE shop SET log_statement TO 'all';\n\
                 ALTER DATABASE shop SET event_triggers TO 'on';\nALTER DATABASE shop SET \"app.bell\" TO 'a\u{7}b';\n\
                 ALTER ROLE clerk IN DATABASE shop SET search_path TO 'a', 'b';\n",
            ),
            ("ACL", "DATABASE shop", "GRANT CONNECT ON DATABASE shop TO reader;\n"),
            ("SUBSCRIPTION", "feed", ""),
            ("SECURITY LABEL", "TABLE t", "SECURITY LABEL FOR anon ON TABLE t IS 'x';\n"),
        ]);
        let template = ["of_template".to_owned()];
        let made = restore_steps(&name, &contents, &How { roles: &template, ..how(Some("d"), true) });
        let at = |words: &str| {
            let found = made.commands.iter().position(|command| command.contains(words));
            found.unwrap_or_else(|| panic!("{words}: {made:?}"))
        };
        let sql = [
            r#"'--command=ALTER DATABASE "shop" SET "TimeZone" TO '\''UTC'\'''"#,
            "pg_restore --dbname=shop",
            r#"'--command=GRANT CONNECT ON DATABASE "shop" TO "reader"'"#,
            r#"'--command=ALTER ROLE "clerk" IN DATABASE "shop" SET "search_path" TO '\''a'\'', '\''b'\'''"#,
        ];
        assert!(sql.map(at).is_sorted(), "{made:?}");
        for told in ["log_statement", "event_triggers", "app.bell: it holds", "anon", "subscriptions: feed"] {
            assert!(made.caveats.iter().any(|caveat| caveat.contains(told)), "{told}: {made:?}");
        }
        assert!(!made.commands.iter().any(|command| command.contains('\u{7}')), "{made:?}");
        for role in ["reader", "clerk", "of_template", "importer", "auditor"] {
            assert!(made.roles.iter().any(|named| named == role), "{role}: {made:?}");
        }
        let without = restore_steps(&name, &contents, &how(Some("d"), false));
        assert!(without.caveats.iter().any(|told| told.contains("search_path of role clerk")), "{without:?}");
        assert!(!without.commands.iter().any(|command| command.contains("clerk")), "{without:?}");
        assert!(!without.roles.iter().any(|role| role == "reader"), "{without:?}");
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
