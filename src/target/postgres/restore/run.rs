//! How a run of `pg_restore` went.

use std::collections::BTreeSet;

use super::program::Program;
use super::shown;
use super::words::Words;
use crate::format::pg_custom::Toc;
use crate::model::verdict::{PgRestore, Repair, RepairedEntry, RestoreOutcome, UnfilledView};

/// How `pg_restore` or `psql` went.
#[derive(Debug)]
pub struct PgRestoreRun {
    pub(super) program: Program,
    pub(super) exit_code: i64,
    pub(super) jobs: usize,
    pub(super) words: Words,
    /// The least room that was seen on the disk, in bytes.
    pub(super) lowest_free: Option<u64>,
}

/// What became of entries that a first run did not restore.
#[derive(Debug, Default)]
pub struct Afterwards {
    /// Those that were restored.
    pub repaired: Vec<RepairedEntry>,
    /// Views that cannot be filled in a drill.
    pub unfilled: Vec<UnfilledView>,
    /// Roles that were created for them.
    pub roles_made: Vec<String>,
}

impl PgRestoreRun {
    /// Whether everything was restored.
    pub fn is_clean(&self) -> bool {
        self.exit_code == 0
    }

    /// The same as if these entries had gone through. Which errors there were is known.
    pub(super) fn without(&self, entries: &BTreeSet<i32>) -> Self {
        let words = self.words.without(entries);
        let exit_code = if words.complaints.is_empty() { 0 } else { self.exit_code };
        let Self { program, jobs, lowest_free, .. } = *self;
        Self { program, exit_code, jobs, words, lowest_free }
    }

    /// What a verdict keeps of it: its own exit status, and the errors of the `last` run that reported some.
    pub fn record(
        &self,
        last: &Self,
        toc: &Toc,
        outcome: RestoreOutcome,
        afterwards: Afterwards,
    ) -> PgRestore {
        let words = if last.is_clean() { &self.words } else { &last.words };
        let (stderr, stderr_lines_dropped) = shown::lines(words, &shown::Names::of(toc), self.program);
        let Afterwards { repaired, unfilled, roles_made } = afterwards;
        PgRestore {
            exit_code: self.exit_code,
            outcome: Some(outcome),
            repaired,
            unfilled,
            roles_made,
            jobs: self.jobs,
            stderr,
            stderr_lines_dropped,
        }
    }

    /// The entries of this run that `again` restored, in which only these were run.
    pub fn restored_by(&self, again: &Self, toc: &Toc, how: Repair) -> Vec<RepairedEntry> {
        let failed = again.words.entries().unwrap_or_default();
        let entries = self.words.entries().unwrap_or_default();
        let restored = entries.into_iter().filter(|id| again.is_clean() || !failed.contains(id));
        shown::Names::of(toc).repaired(restored, how)
    }
}
