//! The commands that restore a dump as the drill did. They hold no credentials: libpq finds those where it always does.
//!
//! What of a dump is restored, and by which statements, is decided where the drill decides it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::runs::{Entries, Later, Step, runs};
use super::shell::{grep, line, path_word, psql, psql_reads, run_hooks};
use crate::format::BackupContents;
use crate::format::pg_custom::{DatabaseLocale, LeftOut, LocaleProvider, Toc};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{HookPoint, PgRestore};
use crate::target::postgres::MAINTENANCE;
use crate::target::postgres::database_access;
use crate::target::postgres::database_settings::{self, Statement, is_kept_of_role};
use crate::target::postgres::hooks;
use crate::target::postgres::prepare;
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
    /// The database in the template: SQL around its restore, and what is left out of it.
    pub(super) template: Option<&'a Database>,
    /// How the drill's own `pg_restore` went.
    pub(super) recorded: Option<&'a PgRestore>,
    /// The template, as the command line names it.
    pub(super) arguments: &'a [String],
}

/// A dump that comes from stdin, and has to be a file because it is read more than once.
const NO_FILE: &str = "DUMP_FILE";

/// What it takes to restore a dump.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// For a shell: each only if the one before it succeeded.
    pub(super) commands: Vec<String>,
    /// Roles that must be there.
    pub(super) roles: Vec<String>,
    /// What the commands leave out.
    pub(super) caveats: Vec<String>,
    /// What the commands do besides, and what they need.
    pub(super) notes: Vec<String>,
    /// Commands for what the drill did not restore.
    pub(super) later: Vec<LaterCommands>,
}

/// Commands for what the drill did not restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaterCommands {
    /// What it is, and why it was not restored.
    pub what: String,
    /// For a shell, after all others: each only if the one before it succeeded.
    pub commands: Vec<String>,
}

/// The empty database as it was, with its settings, then the template's SQL around `pg_restore`, then who owns the database and
/// who may use it. A dump that comes from stdin is restored by one worker; `pg_restore` cannot do otherwise.
pub(super) fn restore_steps(
    database: &DatabaseName,
    contents: &BackupContents,
    left_out: &LeftOut,
    how: &How<'_>,
) -> Steps {
    let whole = contents.toc();
    let toc = &whole.without(left_out);
    let mut steps = Steps { roles: roles(whole, how), ..Steps::default() };
    if database.as_str() != MAINTENANCE {
        // Every server has that one.
        steps.commands.push(line(&createdb(database, toc)));
    }
    if toc.creates_public_schema() {
        steps.commands.push(psql(database.as_str(), "DROP SCHEMA public"));
    }
    let settings = database_settings::of_database(database, toc, how.kept.access);
    steps.run(settings.kept);
    steps.leave_out("settings of the dumped database", settings.left_out);
    steps.leave_out("settings that every drill makes itself", settings.of_every_drill);
    steps.run_template(database, HookPoint::BeforeRestore, how);
    let runs = runs(whole, left_out, how.recorded);
    let is_one_run = matches!(&*runs.steps, [Step::Run { entries: Entries::All, .. }]);
    let file = match (contents, how.file) {
        (BackupContents::PgDirectory(directory), file) => {
            Some(steps.unpack(database, &directory.folder, file))
        }
        (_, Some(file)) => Some(path_word(file)),
        (_, None) if is_one_run && runs.later.is_empty() => None,
        (_, None) => {
            let why =
                format!("the dump is read more than once: write it to a file, {NO_FILE} in the commands");
            steps.notes.push(why);
            Some(NO_FILE.to_owned())
        }
    };
    let all = runs.steps.iter().chain(runs.later.iter().flat_map(|later| &later.steps));
    let unshown: BTreeSet<&str> = all.filter_map(Step::unshown).collect();
    steps.caveats.extend(unshown.into_iter().map(not_shown));
    let shown = |all: &[Step]| -> Vec<String> {
        let all = all.iter().filter(|step| step.unshown().is_none());
        all.map(|step| command(database, file.as_deref(), how, step)).collect()
    };
    steps.commands.extend(shown(&runs.steps));
    let later = |Later { what, steps }: &Later| LaterCommands { what: what.clone(), commands: shown(steps) };
    steps.later = runs.later.iter().map(later).collect();
    steps.run_template(database, HookPoint::AfterRestore, how);
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
    steps
}

/// That something is left out because it would not be shown as it is.
fn not_shown(what: &str) -> String {
    format!("{}: it holds characters that are not shown", human::one_line(what, 400))
}

impl Steps {
    /// Runs statements, which may hold secrets: values of settings. One that would not be shown as it is, since it holds
    /// characters that a terminal acts on, is left out.
    pub(super) fn run(&mut self, statements: Vec<Statement>) {
        for Statement { sql, what } in statements {
            if human::inert(&sql) == sql {
                self.commands.push(psql_reads(MAINTENANCE, &sql));
            } else {
                self.caveats.push(not_shown(&what));
            }
        }
    }

    /// Unpacks a directory, and returns it.
    fn unpack(&mut self, database: &DatabaseName, folder: &str, file: Option<&Path>) -> String {
        let place = format!("{database}.unpacked");
        self.commands.push(line(&["mkdir", &place]));
        let file = file.map_or_else(|| "-".to_owned(), path_word);
        self.commands.push(line(&["tar", "-x", "-f", &file, "-C", &place]));
        if folder.is_empty() { place } else { format!("{place}/{folder}") }
    }

    /// Runs SQL of the template. It is not shown, since it may hold a secret: only how each statement begins.
    pub(super) fn run_template(&mut self, database: &DatabaseName, at: HookPoint, how: &How<'_>) {
        let Some(statements) = how.template.map(|template| template.hooks(at)).filter(|all| !all.is_empty())
        else {
            return;
        };
        let begins =
            statements.iter().map(|statement| format!("{at} of the template: {}", hooks::begins(statement)));
        self.notes.extend(begins);
        self.commands.push(run_hooks(how.arguments, database, at));
    }

    fn leave_out(&mut self, what: &str, names: impl IntoIterator<Item = String>) {
        let names: Vec<String> = names.into_iter().collect();
        if !names.is_empty() {
            self.caveats.push(format!("{what}: {}", human::one_line(&names.join(", "), 400)));
        }
    }
}

/// Roles that the dump and the template name.
pub(super) fn roles(toc: &Toc, how: &How<'_>) -> Vec<String> {
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
    roles.extend(how.recorded.into_iter().flat_map(|run| run.roles_made.iter().cloned()));
    roles.iter().map(|role| human::one_line(role, 80)).collect()
}

/// A step, for a shell.
fn command(database: &DatabaseName, file: Option<&str>, how: &How<'_>, step: &Step) -> String {
    let (entries, options, without_triggers) = match step {
        Step::Sql(sql) => return psql(database.as_str(), sql),
        Step::Run { entries, options, without_triggers } => (entries, options, without_triggers),
    };
    let mut words: Vec<String> = Vec::new();
    if *without_triggers {
        words.extend(["env", "PGOPTIONS=-c session_replication_role=replica"].map(str::to_owned));
    }
    words.extend(["pg_restore".to_owned(), format!("--dbname={database}")]);
    let is_the_main_run = options.is_empty() && !matches!(entries, Entries::Only(_));
    let jobs = how.jobs.filter(|jobs| is_the_main_run && how.file.is_some() && *jobs > 1);
    words.extend(jobs.map(|jobs| format!("--jobs={jobs}")));
    let kept = what_is_restored(how.kept).iter().chain(options.iter().filter(|option| {
        // Where no owner is restored it stands there already.
        !what_is_restored(how.kept).contains(option)
    }));
    words.extend(kept.map(|option| (*option).to_owned()));
    let filter = match entries {
        Entries::All => None,
        Entries::Only(ids) => Some(grep(ids, false)),
        Entries::Without(ids) => Some(grep(ids, true)),
    };
    words.extend(filter.iter().map(|_| "--use-list=/dev/stdin".to_owned()));
    words.extend(file.map(str::to_owned));
    match (filter, file) {
        (Some(filter), Some(file)) => {
            format!("{} | {filter} | {}", line(&["pg_restore", "--list", file]), line(&words))
        }
        _ => line(&words),
    }
}

/// The empty database, with the locale that the dump names.
pub(super) fn createdb(database: &DatabaseName, toc: &Toc) -> Vec<String> {
    let mut words = vec!["createdb".to_owned(), "--template=template0".to_owned()];
    match toc.locale() {
        Some(locale) => words.extend(with_locale(&locale)),
        None => {
            let (encoding, locale) = prepare::encoding_and_locale(toc.encoding());
            words.push(format!("--encoding={encoding}"));
            words
                .extend(locale.iter().flat_map(|c| [format!("--lc-collate={c}"), format!("--lc-ctype={c}")]));
        }
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
mod tests;
