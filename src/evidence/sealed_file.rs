//! The verdict file at the end of a drill: an exporter of the stage `seal`.

use std::io;
use std::time::Duration;

use super::export::{Export, Exporter, Stage};
use super::files::Staged;
use super::verdict_file::{VerdictFile, unwritable};
use crate::model::event::Sink;
use crate::model::failure::Result;
use crate::model::verdict::Verdict;

/// The verdict file among the exporters.
pub const EXPORTER: Exporter = Exporter {
    name: "verdict-file",
    stage: Stage::Seal,
    limit: Duration::from_secs(60),
    build: |to| Some(Box::new(SealedFile { file: to.verdict.clone(), staged: None })),
};

/// The verdict file at its end: its last content is staged before it takes its place.
struct SealedFile {
    file: VerdictFile,
    staged: Option<Staged>,
}

impl Export for SealedFile {
    fn subject(&self) -> String {
        self.file.name()
    }

    /// Writes the verdict of a drill that is about to begin: what has no room at the start will have none at the end.
    fn try_out(&mut self, first: &Verdict) -> Result<()> {
        let written = self.file.stage(first).and_then(Staged::commit);
        written.map_err(|error| unwritable("the verdict", self.file.path(), &error))
    }

    fn prepare(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.staged = None;
        self.staged = Some(self.file.stage(verdict)?);
        Ok(())
    }

    fn export(&mut self, verdict: &Verdict) -> io::Result<()> {
        match self.staged.take() {
            Some(staged) => staged.commit(),
            None => self.file.stage(verdict)?.commit(),
        }
    }
}
