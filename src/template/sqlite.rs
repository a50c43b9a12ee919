//! What the types cannot say about databases of SQLite.

use super::schema::{Database, Template};
use super::workbench::{WORKBENCH, WORKBENCH_PORT};

/// Checks them; an error is a sentence for a person.
pub(super) fn validate(template: &Template) -> Result<(), String> {
    for database in template.databases.iter().filter(|database| !database.system.is_postgres()) {
        if template.sqlite.is_none() {
            return Err(format!(
                "missing field `sqlite`: the database {} is of SQLite, and [sqlite] names the image in which it is opened",
                database.name
            ));
        }
        if let Some(key) = of_postgres(database) {
            return Err(format!(
                "database {}: {key} is of PostgreSQL, and the database is of SQLite",
                database.name
            ));
        }
    }
    match template.workbench() {
        Some(_) => workbench_is_apart(template),
        None => Ok(()),
    }
}

/// The container of databases of SQLite has a name and a port in the stack, as a server has.
fn workbench_is_apart(template: &Template) -> Result<(), String> {
    let server = template.named_servers.keys().any(|name| name.as_str() == WORKBENCH);
    if server || template.services.contains_key(WORKBENCH) {
        return Err(format!(
            "the name `{WORKBENCH}` is taken: it is the container in which databases of SQLite are opened"
        ));
    }
    match template.servers().find(|server| server.port() == WORKBENCH_PORT) {
        None => Ok(()),
        Some(server) => Err(format!(
            "{}.port is {WORKBENCH_PORT}, which the container has in which databases of SQLite are opened: choose another",
            server.name.section()
        )),
    }
}

/// A key that has no meaning for a file.
fn of_postgres(database: &Database) -> Option<&'static str> {
    [
        ("server", database.server.is_some()),
        ("ignore_extensions", !database.ignore_extensions.is_empty()),
        ("ignore", !database.ignore.is_empty()),
        ("before_restore", !database.before_restore.is_empty()),
        ("after_restore", !database.after_restore.is_empty()),
    ]
    .into_iter()
    .find_map(|(key, is_set)| is_set.then_some(key))
}

#[cfg(test)]
mod tests {
    use crate::template::testing::minimal_with;
    use crate::template::{Environment, Purpose, parse};

    fn said(more: &str) -> Option<String> {
        let text = minimal_with(
            "[[checks]]",
            &format!("[[databases]]\nname = \"file\"\nsystem = \"sqlite\"\n{more}\n[[checks]]"),
        );
        parse(&text, "t.toml", &Environment::default(), Purpose::Drill).err().map(|failure| failure.message)
    }

    #[test]
    fn a_file_has_a_workbench_and_nothing_of_a_server() {
        let sqlite = "[sqlite]\nimage = \"s\"\n";
        assert_eq!(said(sqlite), None);
        for (more, words) in [
            (String::new(), "missing field `sqlite`: the database file is of SQLite"),
            (format!("before_restore = \"SELECT 1\"\n{sqlite}"), "before_restore is of PostgreSQL"),
            (format!("server = \"postgres\"\n{sqlite}"), "server is of PostgreSQL"),
            (format!("{sqlite}[services.workbench]\nimage = \"x\"\n"), "the name `workbench` is taken"),
            (
                format!(
                    "{sqlite}[servers.old]\nimage = \"p\"\nport = 5431\n[[databases]]\nname = \"o\"\nserver = \"old\"\n"
                ),
                "servers.old.port is 5431, which the container has",
            ),
        ] {
            let said = said(&more).expect(words);
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
