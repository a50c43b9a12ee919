//! What is particular about a database that was restored from plain SQL. Pure.

use std::collections::BTreeSet;

use crate::format::pg_custom::{QualifiedName, Toc};
use crate::format::pg_plain::PlainDump;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::target::postgres::catalog::RestoredContents;
use crate::template::TableName;

/// Tables that a message names.
const NAMED: usize = 5;

/// A script is restored whole or not at all.
pub fn cannot_leave_out(database: &DatabaseName) -> Failure {
    let message = format!(
        "{database}: ignore leaves something out, and the dump is plain SQL, which is restored whole"
    );
    Failure::config(codes::IGNORE_NEEDS_ARCHIVE, message).hint(
        "take ignore and ignore_extensions of this database out, or dump it with pg_dump --format=custom",
    )
}

/// What a script cannot show.
pub fn not_verified(database: &DatabaseName, dump: &PlainDump, is_of_server: bool) -> Vec<String> {
    let mut sentences = vec![format!(
        "{database}: the dump is plain SQL, which has no list of its contents: objects are known by the comments in it"
    )];
    if is_of_server {
        sentences.push(format!(
            "{database}: pg_dumpall dumps one database after the other, so what is in several of them need not be of one moment"
        ));
    }
    if dump.toc.header.database.is_empty() {
        sentences.push(format!(
            "{database}: the dump does not say which database it was made of, and neither its locale nor its settings: \
             the order of texts is the drill's"
        ));
    }
    if dump.inserts > 0 {
        sentences.push(format!(
            "{database}: {} of the dump are statements of their own, so rows were not counted by table before the restore",
            human::things(dump.inserts, "row")
        ));
    }
    sentences
}

/// Each table must have the rows that the script has for it. One that has partitions or heirs has theirs too, and of such a
/// table it is only known that it has no fewer.
///
/// # Errors
/// `rows_not_restored`.
pub fn require_rows(database: &DatabaseName, dump: &PlainDump, restored: &RestoredContents) -> Result<()> {
    // Statements add to what is copied, and a table of an extension has rows without the dump.
    if dump.inserts > 0 {
        return Ok(());
    }
    let made: BTreeSet<_> = dump.toc.tables().collect();
    let may_have_more = has_heirs(&dump.toc);
    let mut wrong = Vec::new();
    for (table, rows) in dump.rows.iter().filter(|(table, _)| made.contains(table) && is_readable(table)) {
        let name = TableName { schema: table.schema.clone(), table: table.name.clone() };
        let found = restored.rows.get(&name).copied().unwrap_or_default();
        let holds = found == *rows || may_have_more && found > *rows;
        if !holds {
            wrong.push(format!("{table} has {} of {}", human::count(found), human::count(*rows)));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(NAMED);
    wrong.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more tables") } else { String::new() };
    let message = format!("restored rows are not those that the dump has: {}{more}", wrong.join(", "));
    Err(Failure::bad(codes::ROWS_NOT_RESTORED, message).hint(format!(
        "psql ran the dump of {database} to its end: look for rules and triggers that act on each row"
    )))
}

/// In a script of another encoding a name may be there that cannot be read, and is another one in the database.
fn is_readable(table: &QualifiedName) -> bool {
    !table.name.contains('\u{fffd}') && !table.schema.contains('\u{fffd}')
}

/// Whether a table may be counted with the rows of others, which inherit from it.
fn has_heirs(toc: &Toc) -> bool {
    toc.entries.iter().any(|entry| entry.desc == "TABLE" && entry.defn.contains("\nINHERITS ("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_plain::testing::dump;

    fn restored(dump: &PlainDump) -> RestoredContents {
        let rows = dump.rows.iter().map(|(table, rows)| {
            (TableName { schema: table.schema.clone(), table: table.name.clone() }, *rows)
        });
        RestoredContents { rows: rows.collect(), ..RestoredContents::default() }
    }

    #[test]
    fn each_table_must_have_the_rows_that_the_dump_has_for_it() {
        let (database, mut dump) = ("shop".parse().unwrap(), dump());
        let mut all = restored(&dump);
        require_rows(&database, &dump, &all).unwrap();
        *all.rows.get_mut(&"trap".parse().unwrap()).unwrap() += 1;
        let failure = require_rows(&database, &dump, &all).unwrap_err();
        assert_eq!(failure.code.as_str(), "rows_not_restored");
        assert!(failure.message.contains("public.trap has 9 of 8"), "{failure}");
        dump.toc.entries[0].desc = "TABLE".to_owned();
        dump.toc.entries[0].defn = "CREATE TABLE x (\n)\nINHERITS (public.trap);".to_owned();
        require_rows(&database, &dump, &all).unwrap();
        all.rows.remove(&"trap".parse().unwrap());
        require_rows(&database, &dump, &all).unwrap_err();
        dump.inserts = 1;
        require_rows(&database, &dump, &all).unwrap();
        assert_eq!(not_verified(&database, &dump, false).len(), 3);
    }
}
