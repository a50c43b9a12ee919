//! How a run of `pg_restore` went.

use super::shown;
use super::words::Words;
use crate::format::pg_custom::Toc;
use crate::model::verdict::PgRestore;

/// How `pg_restore` went.
#[derive(Debug)]
pub struct PgRestoreRun {
    pub(super) exit_code: i64,
    pub(super) jobs: usize,
    pub(super) words: Words,
    /// The least room that was seen on the disk, in bytes.
    pub(super) lowest_free: Option<u64>,
}

impl PgRestoreRun {
    /// Whether everything was restored.
    pub fn is_clean(&self) -> bool {
        self.exit_code == 0
    }

    /// What a verdict keeps of it.
    pub fn record(&self, toc: &Toc) -> PgRestore {
        let (stderr, stderr_lines_dropped) = shown::lines(&self.words, &shown::Names::of(toc));
        PgRestore { exit_code: self.exit_code, jobs: self.jobs, stderr, stderr_lines_dropped }
    }
}
