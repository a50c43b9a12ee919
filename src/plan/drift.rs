//! What a recovery point has no more, or has for the first time, against the one before it: by the tables of contents of
//! both. Pure.
//!
//! An index that a migration dropped by mistake, a policy that a tool did not carry over: nothing fails, and every later
//! backup is as poor as the last one. The day on which it happens, the two lists differ.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{code, finding};
use crate::format::pg_custom::Toc;
use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::{Finding, Severity};
use crate::template::{LossKind, RecoverySetRules};

/// Names of one kind that a plan lists; the totals count all.
const LISTED: usize = 50;
/// Names that a finding lists.
const NAMED: usize = 5;
/// PostgreSQL's own limit is 63 bytes for each part of a name; a hostile archive has none.
const NAME_LENGTH: usize = 200;

/// Why a script of which only the beginning was read is not compared.
pub const PARTLY_READ: &str = "plain SQL has no table of contents, and only its beginning was read";

/// What an archive holds, by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Everything that has a name.
    things: BTreeMap<(LossKind, String), Belongs>,
    /// How many privileges it grants or takes away.
    privileges: usize,
}

/// What a thing belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Belongs {
    /// The name of its table.
    table: Option<String>,
    /// It is a partition, or belongs to one: these come and go.
    to_partition: bool,
}

impl Inventory {
    /// What a table of contents lists.
    pub fn of(toc: &Toc) -> Self {
        let named = toc.objects().into_iter().filter_map(|object| {
            let kind = LossKind::of(object.kind)?;
            let path = path(&object.schema, &object.tag);
            let table = object.table.map(|(schema, name)| self::path(&schema, &name));
            Some(((kind, path), Belongs { table, to_partition: object.of_partition }))
        });
        Self { things: named.collect(), privileges: toc.privileges() }
    }

    fn has(&self, kind: LossKind, name: &str) -> bool {
        self.things.contains_key(&(kind, name.to_owned()))
    }

    /// What this one has and `other` has not, but for what went with its table, and for partitions.
    fn beyond(&self, other: &Self) -> (BTreeMap<LossKind, Vec<&str>>, usize) {
        let mut beyond: BTreeMap<LossKind, Vec<&str>> = BTreeMap::new();
        let mut partitions = 0;
        for ((kind, name), belongs) in &self.things {
            if other.has(*kind, name) {
                continue;
            }
            let has_table = |table: &String| {
                [LossKind::Tables, LossKind::Views, LossKind::Types]
                    .iter()
                    .any(|kind| other.has(*kind, table))
            };
            if belongs.to_partition {
                partitions += usize::from(*kind == LossKind::Tables);
            } else if belongs.table.as_ref().is_none_or(has_table) {
                beyond.entry(*kind).or_default().push(name);
            }
        }
        (beyond, partitions)
    }
}

fn path(schema: &str, name: &str) -> String {
    let path = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
    human::one_line(&path, NAME_LENGTH)
}

/// The recovery point before the chosen one, as far as it was read.
#[derive(Debug, Clone)]
pub struct Before {
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// Its key.
    pub key: ObjectKey,
    /// What is in it, or why that is not known.
    pub inventory: Result<Inventory, String>,
}

/// What changed since the recovery point before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DriftRecord {
    /// When that one was taken.
    pub since: DateTime<Utc>,
    /// Its key.
    pub key: ObjectKey,
    /// What is in that one and not in the chosen one.
    pub gone: Vec<KindRecord>,
    /// What is in the chosen one alone.
    pub new: Vec<KindRecord>,
    /// Partitions that are gone; what belonged to them is not listed.
    pub partitions_gone: usize,
    /// Partitions that are new.
    pub partitions_new: usize,
    /// Why nothing was compared; absent if it was.
    pub unknown: Option<String>,
}

/// Things of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KindRecord {
    /// Their kind.
    pub kind: LossKind,
    /// How many there are.
    pub total: usize,
    /// The first of them.
    pub names: Vec<String>,
}

/// Compares a recovery point with the one before it; `now` is none if it was read in part.
pub fn drift(before: &Before, now: Option<&Inventory>) -> DriftRecord {
    let mut record = DriftRecord {
        since: before.taken_at,
        key: before.key.clone(),
        gone: Vec::new(),
        new: Vec::new(),
        partitions_gone: 0,
        partitions_new: 0,
        unknown: None,
    };
    let had = match &before.inventory {
        Ok(had) => had,
        Err(why) => {
            record.unknown = Some(human::one_line(why, 300));
            return record;
        }
    };
    let Some(now) = now else {
        record.unknown = Some(PARTLY_READ.to_owned());
        return record;
    };
    let (gone, partitions_gone) = had.beyond(now);
    let (new, partitions_new) = now.beyond(had);
    record.gone = listed(gone);
    record.new = listed(new);
    (record.partitions_gone, record.partitions_new) = (partitions_gone, partitions_new);
    // They have no names of their own; some come and go with what they are about.
    if had.privileges > 0 && now.privileges == 0 {
        record.gone.push(KindRecord { kind: LossKind::Acls, total: had.privileges, names: Vec::new() });
    }
    record
}

fn listed(things: BTreeMap<LossKind, Vec<&str>>) -> Vec<KindRecord> {
    let record = |(kind, names): (LossKind, Vec<&str>)| KindRecord {
        kind,
        total: names.len(),
        names: names.into_iter().take(LISTED).map(str::to_owned).collect(),
    };
    things.into_iter().map(record).collect()
}

/// What is gone, as findings: warnings, and errors where the template forbids it.
pub fn findings(database: &DatabaseName, drift: &DriftRecord, rules: &RecoverySetRules) -> Vec<Finding> {
    let since = format!("since the recovery point before it, of {}", human::moment(drift.since));
    if let Some(why) = &drift.unknown {
        if rules.forbid_loss.is_empty() {
            return Vec::new();
        }
        let expected = "the list of what is in the recovery point before it";
        let actual = format!("not known what is gone {since}: {why}");
        return vec![finding(Severity::Warning, code::inside::DRIFT_NOT_KNOWN, database, expected, actual)];
    }
    let told = |gone: &KindRecord| {
        let severity =
            if rules.forbid_loss.contains(&gone.kind) { Severity::Error } else { Severity::Warning };
        let things = gone.kind.things(gone.total as u64);
        if gone.kind == LossKind::Acls {
            let expected =
                format!("privileges: the recovery point before it has {}", human::count(gone.total as u64));
            let actual = format!("not one privilege is left of {things} {since}");
            return finding(severity, code::inside::ACLS_GONE, database, expected, actual);
        }
        let expected = format!("every {} that {} has", gone.kind.word(), drift.key);
        let names: Vec<&str> = gone.names.iter().take(NAMED).map(String::as_str).collect();
        let more = match gone.total - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let verb = if gone.total == 1 { "is" } else { "are" };
        let actual = format!("{things} {verb} gone {since}: {}{more}", names.join(", "));
        finding(severity, code::inside::OBJECTS_GONE, database, expected, actual)
    };
    drift.gone.iter().map(told).collect()
}

#[cfg(test)]
mod tests;
