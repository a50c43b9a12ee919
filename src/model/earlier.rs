//! What earlier drills found, for what is compared with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::names::DatabaseName;
use crate::model::verdict::{ChainHeads, Verdict};

/// Earlier drills of the template and its store that passed, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierDrills {
    /// The drills.
    pub drills: Vec<EarlierDrill>,
    /// What was not looked at, or does not count, in words; none if there is nothing else.
    pub passed_over: Option<String>,
    /// That drills of the template may be among what could not be read; none if all of it could.
    pub unread: Option<String>,
}

/// An earlier drill that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierDrill {
    /// When it began, as its verdict's name has it.
    pub timestamp: String,
    /// The databases it restored.
    pub databases: BTreeMap<DatabaseName, EarlierDatabase>,
    /// The heads of the chains that its checks verified, by the check's name.
    pub heads: BTreeMap<String, ChainHeads>,
}

/// A database as an earlier drill found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierDatabase {
    /// When the dump was taken.
    pub taken_at: DateTime<Utc>,
    /// Rows of each table.
    pub table_rows: BTreeMap<String, u64>,
    /// Entries of the dump that are made after the rows, if the verdict has them.
    pub post_data: Option<usize>,
}

impl EarlierDrills {
    /// The drill whose dump of this database comes closest before one taken at this time: a dump of an older time may
    /// well have fewer rows than a later one.
    pub fn before(
        &self,
        database: &DatabaseName,
        taken_at: DateTime<Utc>,
    ) -> Option<(&EarlierDrill, &EarlierDatabase)> {
        self.last(database, taken_at, |_| true)
    }

    /// The heads that this check recorded in the drill whose dump of the database comes closest before one taken at this
    /// time.
    pub fn heads_before(
        &self,
        check: &str,
        database: &DatabaseName,
        taken_at: DateTime<Utc>,
    ) -> Option<(&EarlierDrill, &ChainHeads)> {
        let (drill, _) = self.last(database, taken_at, |drill| drill.heads.contains_key(check))?;
        Some((drill, drill.heads.get(check)?))
    }

    fn last(
        &self,
        database: &DatabaseName,
        taken_at: DateTime<Utc>,
        is_it: impl Fn(&EarlierDrill) -> bool,
    ) -> Option<(&EarlierDrill, &EarlierDatabase)> {
        let drills = self.drills.iter().filter(|drill| is_it(drill));
        let had_it = drills.filter_map(|drill| Some((drill, drill.databases.get(database)?)));
        // Of several drills of one dump the newest, which stands first, so the order is turned round.
        let up_to_then: Vec<_> = had_it.filter(|(_, found)| found.taken_at <= taken_at).collect();
        up_to_then.into_iter().rev().max_by_key(|(_, found)| found.taken_at)
    }
}

impl EarlierDrills {
    /// Why there is no drill that passed and did this.
    pub fn none(&self, what: &str) -> String {
        match &self.passed_over {
            None => format!("the reports directory has no drill that passed and {what}"),
            Some(why) => format!("nothing was compared with a drill that passed and {what}: {why}"),
        }
    }
}

impl EarlierDatabase {
    /// The rows that a table had, by its key in the verdict.
    pub fn rows(&self, table: &str) -> Option<u64> {
        self.table_rows.get(table).copied()
    }
}

impl From<Verdict> for EarlierDrill {
    fn from(verdict: Verdict) -> Self {
        let points = verdict.recovery_set.points.into_iter();
        let taken: BTreeMap<DatabaseName, DateTime<Utc>> =
            points.map(|point| (point.database, point.taken_at)).collect();
        let databases = verdict.databases.into_iter().filter_map(|database| {
            let found = EarlierDatabase {
                taken_at: *taken.get(&database.name)?,
                table_rows: database.table_rows,
                post_data: database.archive.map(|archive| archive.post_data),
            };
            Some((database.name, found))
        });
        let heads = verdict.checks.into_iter().filter_map(|check| Some((check.name, check.heads?)));
        Self { timestamp: verdict.timestamp, databases: databases.collect(), heads: heads.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drill_of_the_dump_just_before_is_the_one_to_compare_with() {
        let at = |day: i64| DateTime::from_timestamp(1_779_000_000 + day * 86_400, 0).unwrap();
        let drill = |timestamp: &str, database: &str, day| {
            let found = EarlierDatabase { taken_at: at(day), table_rows: BTreeMap::new(), post_data: None };
            EarlierDrill {
                timestamp: timestamp.to_owned(),
                databases: [(database.parse().unwrap(), found)].into(),
                ..EarlierDrill::default()
            }
        };
        // The newest drill was one of an old dump.
        let drills = vec![
            drill("old dump", "shop", 1),
            drill("again", "shop", 5),
            drill("first", "shop", 5),
            drill("other", "stock", 9),
        ];
        let drills = EarlierDrills { drills, ..EarlierDrills::default() };
        let before = |day| {
            let found = drills.before(&"shop".parse().unwrap(), at(day));
            found.map(|(drill, _)| drill.timestamp.as_str())
        };
        assert_eq!(before(0), None);
        assert_eq!((before(1), before(4)), (Some("old dump"), Some("old dump")));
        assert_eq!((before(5), before(9)), (Some("again"), Some("again")));
    }
}
