//! The inspectors of all formats, side by side: the content of a backup picks the one that fits.

use super::archive::PG_CUSTOM;
use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use crate::model::failure::Failure;

/// Every format.
pub static FORMATS: &[FormatKind] = &[PG_CUSTOM];

/// Finds out what a backup holds, whatever its format.
pub struct Inspector {
    /// Those whose format it may still be.
    running: Vec<Box<dyn Inspect>>,
    done: bool,
    /// What the first of the others said.
    refusal: Option<Failure>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self { running: FORMATS.iter().map(|kind| (kind.inspector)()).collect(), done: false, refusal: None }
    }
}

impl Inspector {
    /// Takes the next bytes. After the contents are read, further ones are ignored.
    ///
    /// # Errors
    /// Why the backup cannot be read, if it has none of the formats; after that, the same each time.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure> {
        if self.done {
            return Ok(Progress::Done);
        }
        for mut one in std::mem::take(&mut self.running) {
            match one.push(bytes) {
                Ok(Progress::NeedMore) => self.running.push(one),
                Ok(Progress::Done) => {
                    self.running = vec![one];
                    self.done = true;
                    return Ok(Progress::Done);
                }
                Err(failure) => drop(self.refusal.get_or_insert(failure)),
            }
        }
        match &self.refusal {
            Some(failure) if self.running.is_empty() => Err(failure.clone()),
            _ => Ok(Progress::NeedMore),
        }
    }

    /// What the backup holds, if there are no more bytes.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn finish(self) -> Result<BackupContents, NoContents> {
        match (self.running.into_iter().next(), self.refusal) {
            (Some(inspector), _) => inspector.finish(),
            (None, Some(failure)) => Err(NoContents::Unreadable(failure)),
            (None, None) => unreachable!("there is at least one format, and it refused or runs"),
        }
    }
}
