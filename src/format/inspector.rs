//! The inspectors of all formats, side by side: the content of a backup picks the one that fits.

use super::archive::PG_CUSTOM;
use super::cluster::PG_CLUSTER;
use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use super::plain::PG_PLAIN;
use super::tar::{PG_DIRECTORY, PG_TAR};
use crate::model::failure::Failure;

/// Every format. Of a backup that has none of them, the first says what it is instead.
pub static FORMATS: &[FormatKind] = &[PG_CUSTOM, PG_PLAIN, PG_CLUSTER, PG_TAR, PG_DIRECTORY];

/// Finds out what a backup holds, whatever its format.
pub struct Inspector {
    /// Those whose format it may still be, by their place in the list.
    running: Vec<(usize, Box<dyn Inspect>)>,
    done: bool,
    /// What the first in the list said, of those that refused.
    refusal: Option<(usize, Failure)>,
}

impl Default for Inspector {
    fn default() -> Self {
        let running = FORMATS.iter().map(|kind| (kind.inspector)()).enumerate().collect();
        Self { running, done: false, refusal: None }
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
        for (place, mut one) in std::mem::take(&mut self.running) {
            let pushed = one.push(bytes);
            match pushed {
                Ok(Progress::NeedMore) if one.is_recognised() => {
                    self.running = vec![(place, one)];
                    return Ok(Progress::NeedMore);
                }
                Ok(Progress::NeedMore) => self.running.push((place, one)),
                Ok(Progress::Done) => {
                    self.running = vec![(place, one)];
                    self.done = true;
                    return Ok(Progress::Done);
                }
                // What is wrong with it in its own format is what counts.
                Err(failure) if one.is_recognised() => {
                    self.running.clear();
                    self.refusal = Some((place, failure));
                    break;
                }
                Err(failure) if self.refusal.as_ref().is_none_or(|(earlier, _)| place < *earlier) => {
                    self.refusal = Some((place, failure));
                }
                Err(_) => {}
            }
        }
        match &self.refusal {
            Some((_, failure)) if self.running.is_empty() => Err(failure.clone()),
            _ => Ok(Progress::NeedMore),
        }
    }

    /// What the backup holds, if there are no more bytes.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn finish(self) -> Result<BackupContents, NoContents> {
        self.end(|inspector| inspector.finish())
    }

    /// What the bytes so far show, if more follow that were not read.
    ///
    /// # Errors
    /// Why they show nothing.
    pub fn so_far(self) -> Result<BackupContents, NoContents> {
        self.end(|inspector| inspector.so_far())
    }

    fn end(
        self,
        contents: impl Fn(Box<dyn Inspect>) -> Result<BackupContents, NoContents>,
    ) -> Result<BackupContents, NoContents> {
        let first = self.running.into_iter().next();
        match (first, self.refusal) {
            // The first in the list says most of what is none of them, if it is still among them.
            (Some((place, inspector)), Some((earlier, _))) if place < earlier => contents(inspector),
            (Some((_, inspector)), None) => contents(inspector),
            (Some((_, inspector)), Some(_)) if inspector.is_recognised() => contents(inspector),
            (Some((_, inspector)), Some((_, failure))) => match contents(inspector) {
                Ok(contents) => Ok(contents),
                Err(NoContents::CutOff(_)) => Err(NoContents::CutOff(failure)),
                Err(NoContents::Unreadable(_)) => Err(NoContents::Unreadable(failure)),
            },
            (None, Some((_, failure))) => Err(NoContents::Unreadable(failure)),
            (None, None) => unreachable!("there is at least one format, and it refused or runs"),
        }
    }
}
