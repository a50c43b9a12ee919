//! Why an archive could not be read.

use super::{
    guess::Guess,
    version::{ArchiveFormat, FormatVersion},
};

/// Why the table of contents could not be read.
///
/// The texts are fragments, made to follow "failed to read the archive: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Not one byte. What a `pg_dump` that failed leaves behind when its output is piped on.
    #[error("it is empty: pg_dump failed before it wrote anything, or its output went elsewhere")]
    Empty,
    /// The first bytes are not `PGDMP`.
    #[error("it is not a custom-format archive of pg_dump but looks like {looks_like}")]
    NotAnArchive {
        /// What they are instead.
        looks_like: Guess,
    },
    /// The stream ended inside the header or the table of contents.
    #[error("it was cut off inside its table of contents, after {at} bytes")]
    Truncated {
        /// Bytes that there were.
        at: u64,
    },
    /// Written by a `pg_dump` that is older or newer than what is understood here.
    #[error(
        "its format version is {version}, and only {oldest} to {newest} can be read",
        oldest = FormatVersion::OLDEST,
        newest = FormatVersion::NEWEST
    )]
    UnsupportedVersion {
        /// The version it states.
        version: FormatVersion,
    },
    /// A table of contents of another kind of archive.
    #[error("it is in {format}, and only the custom format (pg_dump --format=custom) can be read")]
    UnsupportedFormat {
        /// The format it states.
        format: ArchiveFormat,
    },
    /// Bytes that no `pg_dump` writes.
    #[error("its table of contents is damaged at byte {at}: {what}")]
    Malformed {
        /// What is wrong.
        what: String,
        /// Where the wrong value begins, in bytes from the start of the archive.
        at: u64,
    },
    /// More than [`Limits`](super::Limits) allow.
    #[error("its table of contents is over the limit of {limit} {unit}")]
    TooLarge {
        /// The limit that was crossed.
        limit: u64,
        /// What it counts: "bytes" or "entries".
        unit: &'static str,
    },
}
