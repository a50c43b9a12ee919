//! A manifest's entry against what was restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fingerprint, finding, subject};
use crate::check::fingerprint::code;
use crate::model::code::Code;
use crate::model::human;
use crate::model::manifest::{Column, Database, Extension, Rows, Table};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::target::postgres::content::Folded;
use crate::template::TableName;

/// What was found in a restored database.
pub struct Restored {
    /// Its tables, but for those that are excluded.
    pub tables: BTreeMap<TableName, Found>,
    /// Its extensions.
    pub extensions: Vec<Extension>,
    /// Extensions that the template leaves out.
    pub extensions_left_out: BTreeSet<String>,
}

/// A restored table.
pub struct Found {
    /// Its columns.
    pub columns: Vec<Column>,
    /// What its rows came to, if they were read.
    pub rows: Option<Folded>,
}

/// What comparing a database came to.
#[derive(Default)]
pub struct Judged {
    /// What was seen.
    pub findings: Vec<Finding>,
    /// Tables that are as they were.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
}

/// Something that could not be compared.
pub fn uncomparable(check: &Fingerprint, subject: String, code: Code, why: String) -> Finding {
    let severity = if check.require_manifest { Severity::Error } else { Severity::Warning };
    finding(severity, code, subject, "fingerprints made with the backup", why)
}

/// A manifest that is there and says nothing.
pub fn unreadable(database: &DatabaseName, why: String) -> Finding {
    let expected = "a manifest that the identities open";
    finding(Severity::Error, code::MANIFEST_UNREADABLE, database.to_string(), expected, why)
}

/// Whether the dump is the one that the backup made. Its plaintext decides: a dump that was encrypted anew is still the
/// same dump.
pub fn dump(entry: &Database, point: &RecoveryPoint) -> Option<Finding> {
    let differs =
        |expected: &str, actual: &Option<String>| actual.as_deref().is_some_and(|actual| actual != expected);
    let shown = |name: &str, hash: &str| format!("{name} {}", human::one_line(hash, 64));
    let actual = |hash: &Option<String>| hash.clone().unwrap_or_default();
    let (severity, code, expected, said) = if differs(&entry.plaintext_sha256, &point.plaintext_sha256) {
        let actual = shown("another dump lies under the key: SHA-256", &actual(&point.plaintext_sha256));
        (
            Severity::Error,
            code::DUMP_REPLACED,
            shown("a dump of the SHA-256", &entry.plaintext_sha256),
            actual,
        )
    } else if differs(&entry.ciphertext_sha256, &point.ciphertext_sha256) {
        let actual = shown("the same dump, encrypted anew: SHA-256", &actual(&point.ciphertext_sha256));
        (
            Severity::Warning,
            code::DUMP_REENCRYPTED,
            shown("an object of the SHA-256", &entry.ciphertext_sha256),
            actual,
        )
    } else {
        return None;
    };
    Some(finding(severity, code, entry.name.to_string(), &expected, said))
}

/// Says which columns are compared as types of the backup's own, or of its extensions, write their values.
pub fn foreign_types(database: &DatabaseName, columns: &[String]) -> Option<Finding> {
    let names = human::one_line(&columns.join(", "), 400);
    let actual = format!(
        "{} written by types of extensions or of the backup's own: {names}",
        match columns.len() {
            1 => "1 column is".to_owned(),
            number => format!("{} are", human::things(number as u64, "column")),
        }
    );
    let expected = "columns of the system's own types";
    (!columns.is_empty())
        .then(|| finding(Severity::Info, code::FOREIGN_TYPE, database.to_string(), expected, actual))
}

/// Whether the rows of a table can be compared: the backup read them, and the columns are the same, in whatever order.
pub fn comparable(table: &Table, columns: &[Column]) -> bool {
    matches!(table.rows, Rows::Read { .. }) && sorted(&table.columns) == sorted(columns)
}

fn sorted(columns: &[Column]) -> Vec<&Column> {
    let mut columns: Vec<&Column> = columns.iter().collect();
    columns.sort();
    columns
}

/// Compares the tables of a database, both ways, and its extensions.
pub fn content(
    check: &Fingerprint,
    entry: &Database,
    tables: &[Table],
    excluded: &BTreeSet<&TableName>,
    restored: &Restored,
) -> Judged {
    let mut judged = Judged::default();
    let mut listed = BTreeSet::new();
    for table in tables {
        let name = TableName { schema: table.schema.clone(), table: table.name.clone() };
        if !excluded.contains(&name) {
            judged.compare(check, &entry.name, table, restored.tables.get(&name));
        }
        listed.insert(name);
    }
    for name in restored.tables.keys().filter(|name| !listed.contains(name)) {
        let actual = "a table that the source did not have".to_owned();
        let subject = subject(&entry.name, &name.schema, &name.table);
        judged.findings.push(finding(
            Severity::Error,
            code::TABLE_UNEXPECTED,
            subject,
            "no such table",
            actual,
        ));
    }
    let extensions = entry.source.iter().flat_map(|source| &source.extensions);
    let extensions = extensions.filter(|extension| !restored.extensions_left_out.contains(&extension.name));
    judged
        .findings
        .extend(extensions.filter_map(|extension| differing(entry, extension, &restored.extensions)));
    judged
}

impl Judged {
    fn compare(
        &mut self,
        check: &Fingerprint,
        database: &DatabaseName,
        table: &Table,
        found: Option<&Found>,
    ) {
        let subject = subject(database, &table.schema, &table.name);
        let error = |code, expected: &str, actual: String| {
            finding(Severity::Error, code, subject.clone(), expected, actual)
        };
        let Some(found) = found else {
            let actual = "the table is not in the restored database".to_owned();
            self.findings.push(error(code::TABLE_MISSING, "the table, as the source had it", actual));
            return;
        };
        if sorted(&table.columns) != sorted(&found.columns) {
            let (expected, actual) = columns(&table.columns, &found.columns);
            self.findings.push(error(code::COLUMNS_DIFFER, &expected, actual));
            return;
        }
        let (count, fingerprint) = match &table.rows {
            Rows::Read { count, fingerprint } => (*count, fingerprint),
            Rows::Unread { reason } => {
                let why = format!("the backup could not read it: {}", human::one_line(reason, 300));
                self.findings.push(uncomparable(check, subject, code::NO_FINGERPRINT, why));
                return;
            }
        };
        // What is comparable was read.
        let rows = found.rows.unwrap_or_default();
        if rows.rows != count {
            let expected = human::things(count, "row");
            let actual = format!("{}, and the source had {expected}", human::things(rows.rows, "row"));
            self.findings.push(error(code::ROW_COUNT_DIFFERS, &expected, actual));
        } else if rows.fingerprint != *fingerprint {
            let expected = format!("rows of the fingerprint {}…", fingerprint.short());
            let actual = format!(
                "as many rows as the source had, {}, but not the same ones: their fingerprint is {}…",
                human::count(count),
                rows.fingerprint.short()
            );
            self.findings.push(error(code::CONTENT_DIFFERS, &expected, actual));
        } else {
            self.tables += 1;
            self.rows += count;
        }
    }
}

/// What one list of columns has and the other lacks.
fn columns(expected: &[Column], actual: &[Column]) -> (String, String) {
    let only = |mine: &[Column], others: &[Column]| {
        let only = mine.iter().filter(|column| !others.contains(column));
        let names: Vec<String> = only.map(|column| format!("{} {}", column.name, column.kind)).collect();
        if names.is_empty() { "no others".to_owned() } else { human::one_line(&names.join(", "), 200) }
    };
    (only(expected, actual), format!("the columns differ: {}", only(actual, expected)))
}

/// An extension that is not restored as it was. Another version is right where the image has another one.
fn differing(entry: &Database, extension: &Extension, restored: &[Extension]) -> Option<Finding> {
    let name = human::one_line(&extension.name, 80);
    let version = |version: &str| format!("version {}", human::one_line(version, 40));
    let actual = match restored.iter().find(|restored| restored.name == extension.name) {
        None => "the extension is not in the restored database".to_owned(),
        Some(restored) if restored.version != extension.version => version(&restored.version),
        Some(_) => return None,
    };
    let subject = format!("{}: extension {name}", entry.name);
    Some(finding(Severity::Warning, code::EXTENSION_DIFFERS, subject, &version(&extension.version), actual))
}
