//! Archives of `pg_dump --format=custom`, as the list of formats has them.

use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use super::pg_custom::failure::failure;
use super::pg_custom::{ArchiveError, Limits, LineFeeds, Status, TocReader};
use crate::model::failure::Failure;

/// The format.
pub const PG_CUSTOM: FormatKind =
    FormatKind { name: "pg_custom", inspector: || Box::new(Archive::new(Limits::default())) };

/// An archive whose table of contents is being read.
struct Archive {
    reader: TocReader,
    feeds: LineFeeds,
}

impl Archive {
    fn new(limits: Limits) -> Self {
        Self { reader: TocReader::new(limits), feeds: LineFeeds::default() }
    }
}

impl Inspect for Archive {
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure> {
        self.feeds.see(bytes);
        match self.reader.push(bytes) {
            Ok(Status::NeedMore) => Ok(Progress::NeedMore),
            Ok(Status::Done) => Ok(Progress::Done),
            Err(error) => Err(failure(&error, self.feeds)),
        }
    }

    fn finish(self: Box<Self>) -> Result<BackupContents, NoContents> {
        self.reader.finish().map(BackupContents::PgCustom).map_err(|error| match &error {
            ArchiveError::Truncated { .. } | ArchiveError::Empty => {
                NoContents::CutOff(failure(&error, self.feeds))
            }
            _ => NoContents::Unreadable(failure(&error, self.feeds)),
        })
    }
}
