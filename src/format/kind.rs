//! A format, as the list of formats has it.

use super::pg_custom::Toc;
use crate::model::failure::Failure;

/// A format that a backup may have.
#[derive(Debug, Clone, Copy)]
pub struct FormatKind {
    /// Its name.
    pub name: &'static str,
    /// A fresh inspector.
    pub inspector: fn() -> Box<dyn Inspect>,
}

/// Reads what a backup holds from its first bytes. A plan and a drill use the same one.
pub trait Inspect: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Why the backup cannot be read in this format, as soon as the bytes so far show it.
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure>;

    /// What the backup holds. Call it when [`Inspect::push`] said [`Progress::Done`], or when there are no more bytes.
    ///
    /// # Errors
    /// Why the contents cannot be read.
    fn finish(self: Box<Self>) -> Result<BackupContents, NoContents>;
}

/// Whether an inspector needs more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It does.
    NeedMore,
    /// It has read all contents.
    Done,
}

/// What a backup holds, by its format.
#[derive(Debug)]
pub enum BackupContents {
    /// The table of contents of an archive of `pg_dump --format=custom`.
    PgCustom(Toc),
}

impl BackupContents {
    /// The name of their format.
    pub fn format(&self) -> &'static str {
        match self {
            Self::PgCustom(_) => "pg_custom",
        }
    }
}

/// Why the contents of a backup cannot be read.
#[derive(Debug)]
pub enum NoContents {
    /// The bytes ended too early. If there are more of them, they may help.
    CutOff(Failure),
    /// More bytes would not help.
    Unreadable(Failure),
}

impl NoContents {
    /// The failure, if there are no more bytes.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::CutOff(failure) | Self::Unreadable(failure) => failure,
        }
    }
}
