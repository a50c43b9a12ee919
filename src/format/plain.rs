//! Plain SQL of `pg_dump`, as the list of formats has it.

use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use super::pg_plain::{PlainReader, not_one};
use crate::model::failure::Failure;

/// The format.
pub const PG_PLAIN: FormatKind =
    FormatKind { name: "pg_plain", inspector: || Box::new(Plain(PlainReader::default())) };

/// A script that is being read, all of it.
struct Plain(PlainReader);

impl Inspect for Plain {
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure> {
        self.0.push(bytes).map(|()| Progress::NeedMore)
    }

    fn is_recognised(&self) -> bool {
        self.0.is_one()
    }

    fn finish(self: Box<Self>) -> Result<BackupContents, NoContents> {
        let is_one = self.0.is_one();
        let failed =
            |failure| if is_one { NoContents::Unreadable(failure) } else { NoContents::CutOff(failure) };
        self.0.finish().map(BackupContents::PgPlain).map_err(failed)
    }

    fn so_far(self: Box<Self>) -> Result<BackupContents, NoContents> {
        self.0.so_far().map(BackupContents::PgPlain).ok_or_else(|| NoContents::CutOff(not_one()))
    }
}
