//! The commands that restore a plain dump as the drill did.

use super::command::{How, Steps};
use super::shell::{line, path_word};
use crate::format::pg_plain::PlainDump;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::HookPoint;
use crate::target::postgres::MAINTENANCE;
use crate::target::postgres::database_settings;

/// The empty database, the template's SQL around `psql`, and `psql` itself: in one transaction, up to its first error.
pub(super) fn steps(database: &DatabaseName, dump: &PlainDump, how: &How<'_>) -> Steps {
    let mut steps = Steps { roles: super::command::roles(&dump.toc, how), ..Steps::default() };
    if database.as_str() != MAINTENANCE {
        steps.commands.push(line(&super::command::createdb(database, &dump.toc)));
    }
    let settings = database_settings::of_database(database, &dump.toc, how.kept.access);
    steps.run(settings.kept);
    steps.run_template(database, HookPoint::BeforeRestore, how);
    let database_option = format!("--dbname={database}");
    let mut words = vec!["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"];
    words.push(&database_option);
    let file = how.file.map(|file| format!("--file={}", path_word(file)));
    match dump.start {
        None => words.extend(file.as_deref()),
        Some(_) => steps.notes.push(
            "the dump creates the database and connects to it: give psql what follows its last \\connect"
                .to_owned(),
        ),
    }
    let psql = line(&words);
    let part = dump.start.map(|start| {
        let mut tail = vec!["tail".to_owned(), "-c".to_owned(), format!("+{}", start.bytes + 1)];
        tail.extend(how.file.map(path_word));
        let head = start.length.map(|length| format!(" | head -c {length}"));
        format!("{}{} | {psql}", line(&tail), head.unwrap_or_default())
    });
    steps.commands.push(part.unwrap_or(psql));
    steps.run_template(database, HookPoint::AfterRestore, how);
    steps.notes.push(
        "psql runs every statement of the dump: who owns what is set by it, so the roles must be there"
            .to_owned(),
    );
    if dump.is_restricted {
        steps
            .notes
            .push("psql must be of August 2025 or later, since the dump begins with \\restrict".to_owned());
    }
    if !dump.tablespaces.is_empty() {
        let names: Vec<&str> = dump.tablespaces.iter().map(String::as_str).collect();
        steps.notes.push(format!("tablespaces must be there: {}", human::one_line(&names.join(", "), 400)));
    }
    if dump.toc.locale().is_none() {
        steps.notes.push(
            "the locale of the database is not in the dump: createdb takes the server's own".to_owned(),
        );
    }
    steps
}
