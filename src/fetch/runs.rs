//! Which runs of `pg_restore` it takes to restore an archive as a drill did, each of which ends with status 0.
//!
//! A drill runs it once, and repairs what could not be restored at first: an index or a view whose owner lacks a right until
//! privileges are granted, and what belongs to an owner who is no superuser. Its verdict has the entries. Here they are left out
//! of the first run, and restored by runs of their own.

use std::collections::BTreeSet;

use crate::format::pg_custom::{Entry, LeftOut, Toc};
use crate::model::human;
use crate::model::verdict::{PgRestore, Repair};
use crate::target::postgres::restore::{RETRY, give_to_owner};
use crate::target::postgres::timescale::{self, Stages};

/// The kind of entries that run for every statement that changes something, once they are there.
const EVENT_TRIGGER: &str = "EVENT TRIGGER";
const NO_OWNER: &[&str] = &["--no-owner"];

/// Entries of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entries {
    /// All.
    All,
    /// These.
    Only(BTreeSet<i32>),
    /// All but these.
    Without(BTreeSet<i32>),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A run of `pg_restore`.
    Run {
        /// What it restores.
        entries: Entries,
        /// Options besides those of every run.
        options: &'static [&'static str],
        /// Rows come after triggers were made: these must not run.
        without_triggers: bool,
    },
    /// SQL in the database.
    Sql(String),
}

impl Step {
    /// Its SQL, if that would not be shown as it is, since it holds characters that a terminal acts on.
    pub(super) fn unshown(&self) -> Option<&str> {
        match self {
            Self::Sql(sql) => Some(sql.as_str()).filter(|sql| human::inert(sql) != *sql),
            Self::Run { .. } => None,
        }
    }
}

/// What the drill did not restore, and the steps that restore it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Later {
    /// What it is, and why.
    pub(super) what: String,
    /// The steps.
    pub(super) steps: Vec<Step>,
}

/// The steps of a restore.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Those that restore what the drill restored, in their order.
    pub(super) steps: Vec<Step>,
    /// What may come after all of them.
    pub(super) later: Vec<Later>,
}

fn only(entries: BTreeSet<i32>, options: &'static [&'static str]) -> Option<Step> {
    let entries = Entries::Only(entries);
    (entries != Entries::Only(BTreeSet::new())).then_some(Step::Run {
        entries,
        options,
        without_triggers: false,
    })
}

/// The steps, by what the template leaves out and what a verdict recorded of the drill's own run.
pub(super) fn runs(toc: &Toc, left_out: &LeftOut, recorded: Option<&PgRestore>) -> Runs {
    let part = toc.without(left_out);
    let of = |how: Repair| -> BTreeSet<i32> {
        let repaired = recorded.into_iter().flat_map(|run| &run.repaired);
        repaired.filter(|entry| entry.how == how).map(|entry| entry.entry).collect()
    };
    let unfilled: BTreeSet<i32> =
        recorded.into_iter().flat_map(|run| &run.unfilled).map(|view| view.entry).collect();
    let (again, given) = (of(Repair::RunAgain), of(Repair::GivenToOwner));
    let given_entries: Vec<&Entry> =
        part.entries.iter().filter(|entry| given.contains(&entry.dump_id)).collect();
    let is_trigger = |entry: &&Entry| entry.desc == EVENT_TRIGGER;
    let (triggers, wrappers): (Vec<&Entry>, Vec<&Entry>) =
        given_entries.iter().copied().partition(is_trigger);
    let ids = |entries: &[&Entry]| entries.iter().map(|entry| entry.dump_id).collect::<BTreeSet<_>>();
    let (triggers, wrappers) = (ids(&triggers), ids(&wrappers));

    let mut steps = Vec::new();
    let mut done = BTreeSet::new();
    let stages = timescale::stages(&part);
    if let Some(Stages { first, schema, .. }) = &stages {
        done.extend(first.iter().copied());
        steps.extend(only(done.clone(), &[]));
        steps.push(Step::Sql(timescale::before(schema)));
    }
    if !wrappers.is_empty() {
        // What needs them finds them there, though not their owners yet.
        let needed = part.needed_by(wrappers.iter().copied());
        let needed: BTreeSet<i32> = needed.difference(&wrappers).copied().collect();
        steps.extend(only(needed.difference(&done).copied().collect(), &[]));
        steps.extend(only(wrappers.clone(), NO_OWNER));
        done.extend(needed.into_iter().chain(wrappers));
    }
    // None of them may run for what is restored after the first run.
    let held = match again.is_empty() {
        true => triggers.clone(),
        false => ids(&part.entries.iter().filter(is_trigger).collect::<Vec<_>>()),
    };
    let held = part.needing(held);
    let left_out_ids = left_out.ids();
    let not_yet = [&done, &again, &held, &unfilled, &left_out_ids].into_iter().flatten().copied();
    let not_yet: BTreeSet<i32> = not_yet.collect();
    let entries = if not_yet.is_empty() { Entries::All } else { Entries::Without(not_yet) };
    steps.push(Step::Run { entries, options: &[], without_triggers: false });
    steps.extend(only(again, &[RETRY]));
    steps.extend(only(triggers.clone(), NO_OWNER));
    steps.extend(only(held.difference(&triggers).copied().collect(), &[]));
    steps.extend(given_entries.iter().filter_map(|entry| give_to_owner(entry)).map(Step::Sql));
    steps.extend(stages.as_ref().map(|Stages { schema, .. }| Step::Sql(timescale::after(schema))));
    Runs { steps, later: later(toc, left_out, unfilled) }
}

/// What the drill did not restore.
fn later(toc: &Toc, left_out: &LeftOut, unfilled: BTreeSet<i32>) -> Vec<Later> {
    let named = |ids: &BTreeSet<i32>| {
        let named = toc.entries.iter().filter(|entry| ids.contains(&entry.dump_id)).map(Entry::shown);
        human::one_line(&named.collect::<Vec<_>>().join(", "), 400)
    };
    let mut all = Vec::new();
    if !left_out.is_nothing() {
        let ids = left_out.ids();
        let what = format!("left out by `ignore` or `ignore_extensions` of the template: {}", named(&ids));
        all.push(Later { what, steps: of_left_out(toc, &ids) });
    }
    if !unfilled.is_empty() {
        let what = format!("not filled, since no other server could be reached: {}", named(&unfilled));
        all.push(Later { what, steps: only(unfilled, &[]).into_iter().collect() });
    }
    all
}

/// Restores what was left out. Whatever it needs is there by then, and so are triggers, which a restore makes after rows.
fn of_left_out(toc: &Toc, ids: &BTreeSet<i32>) -> Vec<Step> {
    let run = |entries: BTreeSet<i32>| {
        let entries = Entries::Only(entries);
        (entries != Entries::Only(BTreeSet::new())).then_some(Step::Run {
            entries,
            options: &[],
            without_triggers: true,
        })
    };
    let Some(Stages { first, schema, .. }) = timescale::stages(toc) else {
        return run(ids.clone()).into_iter().collect();
    };
    let (first, rest): (BTreeSet<i32>, BTreeSet<i32>) = ids.iter().partition(|id| first.contains(id));
    let around = [Step::Sql(timescale::before(&schema)), Step::Sql(timescale::after(&schema))];
    let [before, after] = around;
    run(first).into_iter().chain([before]).chain(run(rest)).chain([after]).collect()
}

#[cfg(test)]
mod tests;
