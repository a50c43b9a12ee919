//! What the source had against what was restored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::ignore::Ignored;
use crate::model::code::Code;
use crate::model::human;
use crate::model::manifest::{CatalogObject, NOT_POPULATED, ObjectKind, ObjectName, POPULATED};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};

/// What every restored database may have.
const OF_THE_DRILL: [ObjectName<'static>; 2] =
    [(ObjectKind::Extension, "", "", "plpgsql"), (ObjectKind::Extension, "", "", "amcheck")];

/// What comparing a database came to.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was seen.
    pub findings: Vec<Finding>,
    /// Objects that were looked at.
    pub objects: u64,
    /// Objects that the template leaves out.
    pub ignored: u64,
}

/// How far objects can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The same server prints the same.
    Definitions,
    /// Another major version prints otherwise.
    Names,
}

/// A database, and what is not looked at in it.
pub struct Judge<'a> {
    /// The database.
    pub database: &'a DatabaseName,
    /// What is left out.
    pub ignored: &'a [Ignored],
    /// How far objects are compared.
    pub depth: Depth,
    /// Whether the template runs SQL of its own in it.
    pub has_own_sql: bool,
}

impl Judge<'_> {
    /// Whether the template leaves an object out.
    pub fn ignores(&self, kind: ObjectKind, path: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored.means(kind, path))
    }

    /// Those that the template does not leave out.
    fn looked_at<'o>(&self, objects: &'o [CatalogObject]) -> impl Iterator<Item = &'o CatalogObject> {
        objects.iter().filter(|object| !self.ignores(object.kind, &object.path()))
    }

    /// Those that the template leaves out by their names. What belongs to one of them goes with it.
    fn left_out_by_name<'o>(&self, objects: &'o [CatalogObject]) -> impl Iterator<Item = &'o CatalogObject> {
        let is_named = |object: &&CatalogObject| {
            self.ignored.iter().any(|ignored| ignored.names(object.kind, &object.path()))
        };
        objects.iter().filter(is_named)
    }

    /// What a finding is about.
    pub fn subject(&self, kind: ObjectKind, path: &str) -> String {
        human::one_line(&format!("{}: {} {path}", self.database, kind.word()), 200)
    }

    fn error(&self, code: Code, object: &CatalogObject, expected: &str, actual: String) -> Finding {
        let subject = self.subject(object.kind, &object.path());
        Finding { severity: Severity::Error, code, subject, expected: expected.to_owned(), actual }
    }

    /// Holds what was restored against what the source had.
    pub fn compare(&self, recorded: &[CatalogObject], restored: &[CatalogObject]) -> Judged {
        let mut judged = Judged::default();
        let known: BTreeMap<ObjectName<'_>, &CatalogObject> =
            restored.iter().map(|object| (object.key(), object)).collect();
        let missing = Absent::of(self.looked_at(recorded), &known);
        let left_out = Absent::of(self.left_out_by_name(recorded), &known);
        for object in recorded.iter().filter(|object| object.kind != ObjectKind::Other) {
            let found = known.get(&object.key());
            let is_ignored = self.ignores(object.kind, &object.path());
            if is_ignored || (found.is_none() && left_out.has_its_owner(object)) {
                judged.ignored += 1;
                continue;
            }
            judged.objects += 1;
            match found {
                Some(found) => judged.findings.extend(self.differing(object, found)),
                None if missing.has_its_owner(object) => {}
                None => judged.findings.push(self.missing(object, missing.belonging_to(object))),
            }
        }
        judged.findings.extend(self.added(recorded, restored));
        judged
    }

    fn missing(&self, object: &CatalogObject, belonging: usize) -> Finding {
        let word = object.kind.word();
        let more = match belonging {
            0 => String::new(),
            number => format!(", nor {} that belonged to it", human::things(number as u64, "object")),
        };
        let actual = format!("the {word} is not in the restored database{more}");
        self.error(code::of(object.kind).0, object, &format!("the {word}, as the source had it"), actual)
    }

    /// What is another between two objects of one name.
    fn differing(&self, recorded: &CatalogObject, found: &CatalogObject) -> Vec<Finding> {
        let mut findings = Vec::from_iter(self.state(recorded, found));
        let differs = code::of(recorded.kind).1;
        if self.depth == Depth::Definitions && recorded.definition != found.definition {
            let shown = |object: &CatalogObject| match &object.definition {
                Some(definition) => format!("of the SHA-256 {}…", definition.short()),
                None => "none".to_owned(),
            };
            let expected = format!("the source's definition, {}", shown(recorded));
            let actual = format!("its definition is another, {}", shown(found));
            findings.push(self.error(differs, recorded, &expected, actual));
        }
        let columns = |mine: &CatalogObject, others: &CatalogObject| -> Vec<String> {
            let only = mine.not_null.iter().filter(|column| !others.not_null.contains(column));
            only.map(|column| human::one_line(column, 80)).collect()
        };
        for column in columns(recorded, found) {
            let actual = format!("the column {column} may be null");
            findings.push(self.error(code::NOT_NULL_MISSING, recorded, "NOT NULL, as in the source", actual));
        }
        for column in columns(found, recorded) {
            let actual = format!("the column {column} may not be null, and could in the source");
            findings.push(self.error(differs, recorded, "a column that may be null", actual));
        }
        findings
    }

    fn state(&self, recorded: &CatalogObject, found: &CatalogObject) -> Option<Finding> {
        let (had, has) = (recorded.state.as_deref()?, found.state.as_deref()?);
        if had == has {
            return None;
        }
        match recorded.kind {
            ObjectKind::Extension => {
                // Another major version brings other versions of its extensions.
                (self.depth == Depth::Definitions).then(|| {
                    let version = |version: &str| format!("version {}", human::one_line(version, 40));
                    let actual = format!("{}, and the source had {}", version(has), human::one_line(had, 40));
                    let code = code::EXTENSION_VERSION_DIFFERS;
                    Finding {
                        severity: Severity::Warning,
                        ..self.error(code, recorded, &version(had), actual)
                    }
                })
            }
            // One that the source could not read either is no loss if it can be read now.
            ObjectKind::MaterializedView => (had == POPULATED && has == NOT_POPULATED).then(|| {
                let actual = format!("it is {NOT_POPULATED}: reading it is an error");
                self.error(code::MATVIEW_NOT_POPULATED, recorded, POPULATED, actual)
            }),
            _ => {
                let code = if has == "D" { code::TRIGGER_DISABLED } else { code::of(recorded.kind).1 };
                let actual = format!("it is {}, and was {}", enabled(has), enabled(had));
                Some(self.error(code, recorded, enabled(had), actual))
            }
        }
    }

    /// What the source did not have: record and dump are of one snapshot, so it came by no dump of the source's. PostgreSQL
    /// itself brings its language along, and a check makes an extension for as long as it runs.
    fn added(&self, recorded: &[CatalogObject], restored: &[CatalogObject]) -> Vec<Finding> {
        let had: BTreeSet<ObjectName<'_>> = recorded.iter().map(CatalogObject::key).collect();
        let known: BTreeMap<ObjectName<'_>, &CatalogObject> =
            recorded.iter().map(|object| (object.key(), object)).collect();
        let added = Absent::of(self.looked_at(restored), &known);
        let left_out = Absent::of(self.left_out_by_name(restored), &known);
        let is_told = |object: &&CatalogObject| {
            !had.contains(&object.key())
                && !added.has_its_owner(object)
                && !left_out.has_its_owner(object)
                && !OF_THE_DRILL.contains(&object.key())
                && !self.ignores(object.kind, &object.path())
        };
        let triggers = had.iter().filter(|(kind, ..)| *kind == ObjectKind::Trigger);
        let triggers: BTreeSet<&str> = triggers.map(|(.., name)| *name).collect();
        let told = restored.iter().filter(is_told).map(|object| {
            let excuse = if self.has_own_sql {
                Some("SQL of the template runs in the database, and may have made it")
            } else if self.may_be_a_copy(object) && triggers.contains(object.name.as_str()) {
                Some("it may be what a partition has of its parent's trigger")
            } else {
                None
            };
            let actual = "the source did not have it".to_owned();
            let (severity, actual) = match excuse {
                Some(excuse) => (Severity::Warning, format!("{actual}; {excuse}")),
                None => (Severity::Error, actual),
            };
            Finding { severity, ..self.error(code::OBJECT_ADDED, object, "nothing of this name", actual) }
        });
        told.collect()
    }

    /// Whether this may be what a partition has of its parent's trigger: PostgreSQL 15 and later list it, earlier ones do not.
    fn may_be_a_copy(&self, object: &CatalogObject) -> bool {
        self.depth == Depth::Names && object.kind == ObjectKind::Trigger
    }
}

/// What a trigger, a rule or an event trigger is, by its letter in the catalogs.
fn enabled(letter: &str) -> &'static str {
    match letter {
        "D" => "disabled",
        "R" => "enabled for replicas alone",
        "A" => "always enabled",
        _ => "enabled",
    }
}

/// What one side has and the other lacks of these objects, as far as other objects belong to it.
struct Absent<'a> {
    schemas: BTreeSet<&'a str>,
    /// By schema and name, with the number of objects that belong to each.
    relations: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Absent<'a> {
    fn of(
        all: impl Iterator<Item = &'a CatalogObject>,
        known: &BTreeMap<ObjectName<'_>, &CatalogObject>,
    ) -> Self {
        let absent: Vec<&CatalogObject> = all.filter(|object| !known.contains_key(&object.key())).collect();
        let schemas = absent.iter().filter(|object| object.kind == ObjectKind::Schema);
        let relations = absent.iter().filter(|object| {
            matches!(
                object.kind,
                ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Domain
            )
        });
        let mut absent_ones = Self {
            schemas: schemas.map(|object| object.name.as_str()).collect(),
            relations: relations.map(|object| ((object.schema.as_str(), object.name.as_str()), 0)).collect(),
        };
        for object in &absent {
            if let Some(number) = absent_ones.relations.get_mut(&(&*object.schema, &*object.table)) {
                *number += 1;
            }
        }
        absent_ones
    }

    /// Whether the schema or the table that it belongs to is absent, and told already.
    fn has_its_owner(&self, object: &CatalogObject) -> bool {
        self.schemas.contains(object.schema.as_str())
            || self.relations.contains_key(&(&*object.schema, &*object.table))
    }

    /// How many objects belong to this one.
    fn belonging_to(&self, object: &CatalogObject) -> usize {
        self.relations.get(&(&*object.schema, &*object.name)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
