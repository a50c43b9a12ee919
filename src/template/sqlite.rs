//! What the types cannot say about databases of SQLite.

use super::schema::{Database, Template};

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
    Ok(())
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
