//! Judging a recovery point by what is inside it, before anything is restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::DrillPlan;
use super::code;
use super::contents::{self, Contents};
use super::finding;
use super::ignored;
use super::image::{ImageFacts, is_supplied};
use crate::format::pg_custom::QualifiedName;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::earlier::{EarlierDatabase, EarlierDrill};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, RecoveryPoint, Severity};
use crate::target::postgres::needs;
use crate::template::{NeededTable, RecoverySetRules, TableName, Template};

/// Zones lie up to 14 hours from UTC (Kiritimati, UTC+14); dumps and their keys may be an hour apart.
const ZONES_AND_TOLERANCE: TimeDelta = TimeDelta::hours(15);
/// Names that a finding lists.
const NAMED: usize = 10;

/// Findings that say that something a template needs is not in a recovery point.
const LACKING: [Code; 5] = [
    code::inside::TABLE_MISSING_IN_DUMP,
    code::inside::ROWS_MISSING_IN_DUMP,
    code::inside::PARENT_MISSING_IN_DUMP,
    codes::DUMP_TRUNCATED,
    codes::WRONG_DATABASE,
];

impl DrillPlan {
    /// Whether a recovery point has all that the template needs, by its table of contents; none if that was not read.
    pub fn holds_what_is_needed(&self, database: &DatabaseName) -> Option<bool> {
        let point = self.points.iter().find(|point| point.database == *database)?;
        let contents = point.contents.as_ref()?;
        if contents.partial {
            return None;
        }
        let lacks = |finding: &Finding| {
            finding.severity == Severity::Error
                && LACKING.contains(&finding.code)
                && self.database_of(finding) == Some(database)
        };
        Some(!self.findings.iter().any(lacks))
    }

    /// The database that a finding is about, or a table of it. One's name may begin another's.
    fn database_of(&self, finding: &Finding) -> Option<&DatabaseName> {
        let in_it = |name: &&DatabaseName| match finding.subject.strip_prefix(name.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        };
        let names = self.points.iter().map(|point| &point.database).filter(in_it);
        names.max_by_key(|name| name.as_str().len())
    }
}

/// Everything that is wrong with, or worth knowing of, one recovery point's contents.
pub fn judge(
    template: &Template,
    image: &ImageFacts,
    point: &RecoveryPoint,
    contents: &Contents,
) -> Vec<Finding> {
    let other = other_database(template, point, contents);
    if let Some(other) = other.as_ref().filter(|finding| finding.severity == Severity::Error) {
        // Whatever else it lacks, it lacks for this reason.
        return vec![other.clone()];
    }
    let mut findings = Vec::from_iter(other);
    findings.extend(cut_off(point, contents));
    findings.extend(newer_than_image(image, point, contents));
    findings.extend(older_than_image(image, point, contents));
    findings.extend(other_time(point, contents));
    findings.extend(ignored::findings(template, &point.database, &contents.left_out));
    // What the first bytes of a script do not show may come later.
    if contents.is_whole {
        findings.extend(missing_tables(&template.needed_tables, point, contents));
        findings.extend(missing_rows(&template.needed_tables, point, contents));
        findings.extend(missing_parents(point, contents));
    }
    findings.extend(missing_extensions(template, image, point, contents));
    findings.extend(missing_libraries(template, point, contents));
    findings
}

/// The tables that checks need and a dump does not hold, each once, with those checks.
fn lacking_tables<'a>(
    needed: &'a [NeededTable],
    database: &DatabaseName,
    contents: &Contents,
) -> BTreeMap<&'a TableName, Vec<&'a str>> {
    let mut lacking: BTreeMap<&TableName, Vec<&str>> = BTreeMap::new();
    for NeededTable { check, table, view_suffices, .. } in
        needed.iter().filter(|needed| needed.database == *database)
    {
        let there = contents.has(table) || *view_suffices && contents.has_view(table);
        // That a table is left out is said as such.
        if there || contents.left_out.lacks(&contents::qualified(table)) {
            continue;
        }
        let checks = lacking.entry(table).or_default();
        if !checks.contains(&check.as_str()) {
            checks.push(check);
        }
    }
    lacking
}

/// A dump of another of the server's databases means that the backup job mixed them up. Any other name may be a
/// rename.
fn other_database(template: &Template, point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let dumped = &contents.archive.database;
    // A script seldom says of which database it is.
    if dumped.is_empty() || *dumped == point.database.as_str() {
        return None;
    }
    let (severity, code) = if template.has_sibling(&point.database, dumped) {
        (Severity::Error, code::inside::WRONG_DATABASE)
    } else {
        (Severity::Warning, code::inside::DATABASE_RENAMED)
    };
    let actual = format!("the dump under {} was made of a database named {dumped}", point.key);
    Some(finding(severity, code, &point.database, format!("a dump of {}", point.database), actual))
}

/// Plaintext is never longer than ciphertext, so rows that should begin behind the object's end are not there. Where a layer
/// compresses, nothing is known.
fn cut_off(point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let at = contents.last_data_at.filter(|at| *at >= point.size_bytes && !contents.may_have_shrunk())?;
    Some(finding(
        Severity::Error,
        codes::DUMP_TRUNCATED,
        &point.database,
        format!("an object of more than {at} bytes: its table of contents says that rows begin there"),
        format!("{} has {} bytes: the rest was cut off", point.key, point.size_bytes),
    ))
}

/// A newer `pg_dump` may write what an older server does not know; mostly it does not.
fn newer_than_image(image: &ImageFacts, point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let has = image.major?;
    let severity = if contents.needs_major? > has {
        Severity::Error
    } else if contents.dump_major? > has {
        Severity::Warning
    } else {
        return None;
    };
    Some(finding(
        severity,
        codes::DUMP_NEWER_THAN_IMAGE,
        &point.database,
        format!("a dump of PostgreSQL {has} or older for {}, according to {}", image.image, image.basis),
        format!(
            "the dump is of PostgreSQL {} by pg_dump {}, in format {}",
            contents.archive.server_version, contents.archive.pg_dump_version, contents.archive.format
        ),
    ))
}

/// A newer server takes nearly all of an older one's dumps. What it does not take are mostly views over the system's own
/// views, and then it is not the backup that is bad.
fn older_than_image(image: &ImageFacts, point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let (has, of_dump) = (image.major?, contents.server_major?);
    (of_dump < has).then(|| {
        finding(
            Severity::Warning,
            code::inside::DUMP_OLDER_THAN_IMAGE,
            &point.database,
            format!("a dump of PostgreSQL {has}, according to {}", image.basis),
            format!(
                "the dump is of PostgreSQL {of_dump}: a drill shows that it restores into {has}, and not into {of_dump}"
            ),
        )
    })
}

fn other_time(point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let created = contents.created_at?;
    let apart = created.and_utc() - point.taken_at;
    (apart.abs() > ZONES_AND_TOLERANCE).then(|| {
        #[expect(clippy::cast_precision_loss, reason = "for show")]
        let apart_shown = human::duration(apart.abs().num_seconds() as f64);
        let side = if apart < TimeDelta::zero() { "before" } else { "after" };
        finding(
            Severity::Warning,
            code::inside::CREATION_TIME_DIFFERS,
            &point.database,
            "a dump made when its key says, whatever the zone of the clock there",
            format!(
                "the dump says that it was made at {}, {apart_shown} {side} the time in its key",
                created.format("%Y-%m-%d %H:%M:%S")
            ),
        )
    })
}

fn missing_tables(needed: &[NeededTable], point: &RecoveryPoint, contents: &Contents) -> Vec<Finding> {
    lacking_tables(needed, &point.database, contents)
        .into_iter()
        .map(|(table, checks)| {
            // In a dump of another encoding such a name may be there and not be readable.
            let unreadable = contents.lossy && !(table.schema.is_ascii() && table.table.is_ascii());
            finding(
                if unreadable { Severity::Warning } else { Severity::Error },
                code::inside::TABLE_MISSING_IN_DUMP,
                format!("{}.{table}", point.database),
                format!("the table, which the template needs for {}", checks.join(", ")),
                format!("it is not in {}: was it left out of the backup?", point.key),
            )
        })
        .collect()
}

/// Tables whose rows were left out restore as empty ones, without a word from `pg_restore`.
fn missing_rows(needed: &[NeededTable], point: &RecoveryPoint, contents: &Contents) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut demanded = BTreeSet::new();
    for NeededTable { check, table, rows, .. } in
        needed.iter().filter(|needed| needed.database == point.database && needed.rows > 0)
    {
        if contents.lacks_rows(table) && demanded.insert(table) {
            findings.push(finding(
                Severity::Error,
                code::inside::ROWS_MISSING_IN_DUMP,
                format!("{}.{table}", point.database),
                format!("its rows: {check} asks for at least {rows}"),
                "the dump has the table and none of its rows: they were left out on purpose",
            ));
        }
    }
    let others: Vec<&QualifiedName> = contents
        .without_rows
        .iter()
        .filter(|name| !demanded.iter().any(|table| table.schema == name.schema && table.table == name.name))
        .collect();
    if !others.is_empty() {
        findings.push(finding(
            Severity::Warning,
            code::inside::TABLES_WITHOUT_ROWS,
            &point.database,
            "the rows of every table",
            format!("the dump holds no rows of {}: they were left out on purpose", names(&others)),
        ));
    }
    findings
}

/// Foreign keys that cannot be made: the table they refer to is not in the dump, or its rows are not. A table may come
/// with an extension, and such ones are in no dump.
fn missing_parents(point: &RecoveryPoint, contents: &Contents) -> Vec<Finding> {
    let with_rows =
        |table: &QualifiedName| contents.tables.contains(table) && !contents.without_rows.contains(table);
    let absent: BTreeSet<&QualifiedName> = contents
        .references
        .iter()
        .map(|(_, parent)| parent)
        .filter(|parent| !contents.tables.contains(parent))
        .collect();
    let empty: BTreeSet<&QualifiedName> = contents
        .references
        .iter()
        .filter(|(child, parent)| with_rows(child) && contents.without_rows.contains(parent))
        .map(|(_, parent)| parent)
        .collect();
    let mut findings = Vec::new();
    if !absent.is_empty() {
        let certain = contents.extensions.is_empty() && !contents.lossy;
        findings.push(finding(
            if certain { Severity::Error } else { Severity::Warning },
            code::inside::PARENT_MISSING_IN_DUMP,
            &point.database,
            "every table that a foreign key refers to",
            format!("foreign keys refer to {}, which the dump does not hold", names(&absent)),
        ));
    }
    if !empty.is_empty() {
        findings.push(finding(
            Severity::Warning,
            code::inside::PARENT_ROWS_MISSING_IN_DUMP,
            &point.database,
            "the rows that foreign keys refer to",
            format!("rows refer to {}, whose rows were left out: the restore may fail", names(&empty)),
        ));
    }
    findings
}

fn missing_extensions(
    template: &Template,
    image: &ImageFacts,
    point: &RecoveryPoint,
    contents: &Contents,
) -> Option<Finding> {
    let server = template.server_of(&point.database)?;
    let more = &server.extensions;
    let missing: Vec<&String> = contents
        .extensions
        .iter()
        .filter(|name| !is_supplied(name, image.major) && !more.contains(name))
        .collect();
    (!missing.is_empty()).then(|| {
        finding(
            Severity::Warning,
            code::inside::EXTENSION_NOT_KNOWN,
            &point.database,
            format!(
                "extensions that come with PostgreSQL, or that {}.extensions in the template names",
                server.name.section()
            ),
            format!(
                "the dump needs {}, and {} may not have {}",
                names(&missing),
                image.image,
                if missing.len() == 1 { "it" } else { "them" }
            ),
        )
    })
}

/// The drill loads what extensions need by itself, but for a template that says what is loaded.
fn missing_libraries(template: &Template, point: &RecoveryPoint, contents: &Contents) -> Option<Finding> {
    let extensions = contents.extensions.iter().map(String::as_str);
    let server = template.server_of(&point.database)?;
    let (lacking, all) = needs::lacking_libraries(&server.settings.settings, extensions)?;
    Some(finding(
        Severity::Warning,
        code::inside::LIBRARY_NOT_LOADED,
        &point.database,
        needs::preload_advice(&server.name, &all),
        format!(
            "extensions of the dump need {} loaded when the server starts, and {} of the template does not have it",
            lacking.join(", "),
            needs::PRELOAD
        ),
    ))
}

/// A dump of rows without one index, key, constraint or trigger restores without a word, to a database that no application
/// can work with. There may be none in truth; an earlier drill or the template says.
pub fn without_post_data(
    rules: &RecoverySetRules,
    point: &RecoveryPoint,
    contents: &Contents,
    before: Option<(&EarlierDrill, &EarlierDatabase)>,
) -> Option<Finding> {
    if contents.with_rows == 0 || contents.archive.post_data > 0 || !contents.is_whole {
        return None;
    }
    let before = before.and_then(|(drill, found)| Some((drill, found.post_data.filter(|had| *had > 0)?)));
    let (severity, expected) = match before {
        Some((drill, had)) => (
            Severity::Error,
            format!("indexes, keys and constraints: the dump of the drill {} had {had}", drill.timestamp),
        ),
        None if rules.require_post_data => (
            Severity::Error,
            "indexes, keys and constraints: recovery_set.require_post_data demands them".to_owned(),
        ),
        None => (Severity::Warning, "an index, a key or a constraint".to_owned()),
    };
    let tables = human::things(contents.with_rows as u64, "table");
    let actual = format!("the dump has the rows of {tables}, and not one index, key, constraint or trigger");
    Some(finding(severity, code::inside::POST_DATA_MISSING, &point.database, expected, actual))
}

/// A few names, safe to show, and how many more.
pub(super) fn names<'a, T: ToString + 'a>(names: impl IntoIterator<Item = &'a T>) -> String {
    let all: Vec<String> = names.into_iter().map(|name| human::one_line(&name.to_string(), 80)).collect();
    let more = all.len().saturating_sub(NAMED);
    let shown = all[..all.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
pub(super) mod tests;
