//! The verdict file at the end of a drill: an exporter of the stage `seal`.

use std::io;
use std::time::Duration;

use super::export::{Export, Exporter, Stage};
use super::files::Staged;
use super::time_limited::MayAct;
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
    fn try_out(&mut self, first: &Verdict, may: &MayAct) -> Result<()> {
        let written = self.file.stage(first).and_then(|staged| may.act(|| staged.commit()));
        written.map_err(|error| unwritable("the verdict", self.file.path(), &error))
    }

    fn prepare(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.file.end_progress();
        self.staged = None;
        self.staged = Some(self.file.stage(verdict)?);
        Ok(())
    }

    fn export(&mut self, verdict: &Verdict, may: &MayAct) -> io::Result<()> {
        let staged = match self.staged.take() {
            Some(staged) => staged,
            None => self.file.stage(verdict)?,
        };
        may.act(|| staged.commit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Event;
    use crate::model::phase::Phase;
    use crate::model::testing::{passing, start};
    use crate::model::verdict::Status;

    #[test]
    fn a_write_of_progress_that_was_held_up_does_not_undo_the_seal() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = VerdictFile::claim(directory.path(), start()).unwrap().unwrap();
        let mut exporter = SealedFile { file: file.clone(), staged: None };
        let passed = Verdict { status: Status::Pass, ..passing() };
        exporter.prepare(&passed).unwrap();
        exporter.export(&passed, &MayAct::default()).unwrap();
        let running = Verdict { status: Status::Running, ..passing() };
        file.handle(&Event::Phase(Phase::Teardown), &running).unwrap();
        let written: Verdict = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        assert_eq!(written.status, Status::Pass);
    }
}
