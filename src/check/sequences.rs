//! `sequences`: no sequence is behind the column it numbers.
//!
//! A sequence's position is stored apart from the rows, and in an archive it is an entry of its own. Where it is lost,
//! everything looks right until the first insert after the recovery: that gets a number that is taken.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Deserialize;

use super::context::{Context, each_database};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use super::valid::{positive, scan_timeout};
use crate::format::pg_custom::QualifiedName;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::target::postgres::sequences::SequenceState;
use crate::template::{TableName, Template};

findings! {
    SEQUENCE_BEHIND = "sequence_behind", "error":
        "The next value is not beyond those the column has.",
        "Check whether the dump was made without the sequence, such as with `--exclude-table-data`. If the source is the same, rows were inserted with numbers of their own: `setval` fixes that. Where it is intended, add the sequence to `ignore`.",
        "shop.public.jobs_id_seq: the next value is 17, and jobs.id has 4711 already";
    SEQUENCE_EXHAUSTED = "sequence_exhausted", "warning":
        "The sequence has given its last value.",
        "Give it a larger type in the source, before inserts fail there.",
        "shop.public.jobs_id_seq: it gave 32767 and has no value left";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "sequences",
    read: read::<Sequences>,
    keys: keys::<Sequences>,
    skipped: "no sequence was verified",
    findings: FINDINGS,
};

/// Sequences, against the columns they number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequences {
    /// The check's name.
    pub name: String,
    /// The databases whose sequences are checked.
    pub databases: Vec<DatabaseName>,
    /// Sequences that are known to be behind, and meant to be.
    #[serde(default)]
    pub ignore: BTreeSet<TableName>,
    /// Whether no sequence may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// How long one query may take.
    #[serde(with = "humantime_serde", default = "scan_timeout")]
    pub timeout: Duration,
}

#[async_trait]
impl Check for Sequences {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn allow_empty(&self) -> bool {
        self.allow_empty
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        positive(self.timeout, &format!("check {}", self.name))
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        run(self, context).await
    }
}

/// Reads the sequences of every database, several databases at once.
///
/// # Errors
/// If they cannot be read.
async fn run(check: &Sequences, context: &Context<'_>) -> Result<Outcome> {
    let tools = context.tools;
    let found = each_database(&check.databases, tools, |database, on| {
        on.server.sequences(database, check.timeout).boxed()
    })
    .await?;
    let position_is_left_out = |database: &DatabaseName, state: &SequenceState| {
        let name = QualifiedName { schema: state.schema.clone(), name: state.name.clone() };
        context.restored.get(database).is_some_and(|contents| contents.left_out.sequences.contains(&name))
    };
    let found = found.into_iter().map(|(database, mut states)| {
        states.retain(|state| !position_is_left_out(database, state));
        (database, states)
    });
    Ok(judge(&check.ignore, &found.collect::<Vec<_>>()))
}

fn judge(ignore: &BTreeSet<TableName>, found: &[(&DatabaseName, Vec<SequenceState>)]) -> Outcome {
    let mut findings = Findings::default();
    let (mut sequences, mut columns, mut cycling, mut ignored) = (0u64, 0u64, 0u64, 0u64);
    for (database, states) in found {
        for state in states {
            let name = TableName { schema: state.schema.clone(), table: state.name.clone() };
            if ignore.contains(&name) {
                ignored += 1;
                continue;
            }
            if state.cycles {
                // It may stand anywhere, and so may its column.
                cycling += 1;
                continue;
            }
            sequences += 1;
            columns += state.columns.len() as u64;
            for finding in behind(database, state).chain(exhausted(database, state)) {
                findings.push(finding);
            }
        }
    }
    let mut summary =
        format!("{} numbering {}", human::things(sequences, "sequence"), human::things(columns, "column"));
    if cycling > 0 {
        summary.push_str(&format!("; {} left out that cycle", human::count(cycling)));
    }
    if ignored > 0 {
        summary.push_str(&format!("; {} ignored", human::count(ignored)));
    }
    findings.into_outcome(Verified::things(sequences, 0), summary)
}

impl SequenceState {
    /// The value that the next row gets.
    fn next(&self) -> i128 {
        let step = if self.is_called { i128::from(self.increment) } else { 0 };
        i128::from(self.last_value) + step
    }
}

fn behind<'a>(database: &'a DatabaseName, state: &'a SequenceState) -> impl Iterator<Item = Finding> + 'a {
    let next = state.next();
    state.columns.iter().filter_map(move |column| {
        let furthest = column.furthest?;
        let (taken, word) = match state.increment {
            1.. => (i128::from(furthest) >= next, "above"),
            _ => (i128::from(furthest) <= next, "below"),
        };
        let column = human::one_line(&column.column, 160);
        taken.then(|| Finding {
            severity: Severity::Error,
            code: SEQUENCE_BEHIND,
            subject: name(database, state),
            expected: format!("the next value {word} {furthest}, which {column} has already"),
            actual: format!("the next value is {next}, and {column} has {furthest} already"),
        })
    })
}

fn exhausted(database: &DatabaseName, state: &SequenceState) -> Option<Finding> {
    let within = i128::from(state.min)..=i128::from(state.max);
    (!within.contains(&state.next())).then(|| Finding {
        severity: Severity::Warning,
        code: SEQUENCE_EXHAUSTED,
        subject: name(database, state),
        expected: format!("a next value within {} and {}", state.min, state.max),
        actual: format!("it gave {} and has no value left", state.last_value),
    })
}

fn name(database: &DatabaseName, state: &SequenceState) -> String {
    human::one_line(&format!("{database}.{}.{}", state.schema, state.name), 160)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::verdict::CheckStatus;
    use crate::target::postgres::sequences::NumberedColumn;

    fn sequence(increment: i64, last_value: i64, is_called: bool, furthest: &[Option<i64>]) -> SequenceState {
        SequenceState {
            schema: "public".to_owned(),
            name: "ids".to_owned(),
            increment,
            min: if increment > 0 { 1 } else { i64::MIN },
            max: if increment > 0 { i64::MAX } else { -1 },
            cycles: false,
            last_value,
            is_called,
            columns: furthest
                .iter()
                .map(|furthest| NumberedColumn { column: "public.t.id".to_owned(), furthest: *furthest })
                .collect(),
        }
    }

    fn judged(state: SequenceState) -> Outcome {
        judge(&BTreeSet::new(), &[(&"d".parse().unwrap(), vec![state])])
    }

    #[test]
    fn the_next_value_must_be_free() {
        for (increment, last, called, furthest, holds) in [
            (1, 7, true, Some(7), true),
            (1, 7, true, Some(8), false),
            (1, 7, false, Some(7), false),
            (1, 7, false, Some(6), true),
            (1, 1, false, None, true),
            // Numbers are handed out in blocks: the block begins at the last value.
            (50, 51, true, Some(100), true),
            (50, 51, true, Some(101), false),
            (-1, -7, true, Some(-7), true),
            (-1, -7, true, Some(-8), false),
            (-1, -7, false, Some(-7), false),
        ] {
            let outcome = judged(sequence(increment, last, called, &[furthest]));
            let case = format!("{increment} {last} {called} {furthest:?}");
            assert_eq!(outcome.status == CheckStatus::Pass, holds, "{case}");
            if !holds {
                assert_eq!(outcome.failing_code(), "sequence_behind", "{case}");
            }
        }
    }

    #[test]
    fn each_column_of_a_shared_sequence_is_judged() {
        let outcome = judged(sequence(1, 5, true, &[Some(5), Some(9), None, Some(10)]));
        assert_eq!(outcome.findings_total, 2);
        assert_eq!(outcome.findings[0].actual, "the next value is 6, and public.t.id has 9 already");
    }

    #[test]
    fn one_that_is_known_to_be_behind_is_ignored_and_counted() {
        let ignore = ["ids".parse().unwrap()].into();
        let other = SequenceState { name: "other".to_owned(), ..sequence(1, 5, true, &[Some(5)]) };
        let states = vec![sequence(1, 5, true, &[Some(9)]), other];
        let outcome = judge(&ignore, &[(&"d".parse().unwrap(), states)]);
        assert_eq!((outcome.status, outcome.findings_total), (CheckStatus::Pass, 0));
        assert!(outcome.summary.ends_with("; 1 ignored"), "{}", outcome.summary);
    }

    #[test]
    fn one_that_cycles_may_stand_anywhere() {
        let outcome = judged(SequenceState { cycles: true, ..sequence(1, 5, true, &[Some(9)]) });
        assert_eq!(outcome.status, CheckStatus::Skipped, "nothing is verified then");
        assert!(outcome.summary.contains("1 left out"), "{}", outcome.summary);
        assert_eq!(outcome.allow_empty(true).status, CheckStatus::Pass);
    }

    #[test]
    fn one_at_its_end_is_a_warning() {
        for state in [
            SequenceState { max: 5, ..sequence(1, 5, true, &[Some(5)]) },
            sequence(1, i64::MAX, true, &[Some(i64::MAX)]),
            sequence(-1, i64::MIN, true, &[Some(i64::MIN)]),
        ] {
            let outcome = judged(state);
            assert_eq!(
                (outcome.status, outcome.findings[0].code.as_str()),
                (CheckStatus::Pass, "sequence_exhausted")
            );
        }
    }

    proptest! {
        #[test]
        fn a_column_holds_exactly_if_the_next_value_is_beyond_it(
            increment in prop_oneof![Just(1i64), Just(-1), Just(10), Just(-10)],
            last in -1000i64..1000,
            called in any::<bool>(),
            furthest in -1000i64..1000,
        ) {
            let state = sequence(increment, last, called, &[Some(furthest)]);
            let next = state.next();
            let beyond = if increment > 0 { next > i128::from(furthest) } else { next < i128::from(furthest) };
            prop_assert_eq!(judged(state).status == CheckStatus::Pass, beyond);
        }
    }
}
