//! The table of contents of a `pg_dump --format=custom` archive, read from its first bytes.
//!
//! An archive begins with a header (`PGDMP`, versions, database, time) and a table of contents that
//! names every object inside, with the SQL that makes it. Neither is ever compressed, and both come
//! before the first row. So a few kilobytes of a decrypted stream tell which tables a recovery point
//! holds, which roles and extensions it will ask for, and whether it is an archive at all: before a
//! container is started, or a large object downloaded.
//!
//! The bytes are not trusted. Nothing here does I/O, panics, or allocates by a length that the input
//! claims; memory grows as bytes arrive, up to [`Limits`]. SQL in entries is only picked apart for
//! names, never judged.
//!
//! ```
//! # use restore_drill::format::pg_custom::{Limits, Status, TocReader};
//! let stream = [b"-- PostgreSQL".as_slice(), b" database dump"];
//! let mut reader = TocReader::new(Limits::default());
//! for chunk in stream {
//!     match reader.push(chunk) {
//!         Ok(Status::NeedMore) => {}
//!         Ok(Status::Done) | Err(_) => break,
//!     }
//! }
//! let error = reader.finish().unwrap_err(); // or the `Toc`
//! assert_eq!(
//!     error.to_string(),
//!     "it is not a custom-format archive of pg_dump but looks like an SQL script (pg_dump --format=plain)",
//! );
//! ```
//!
//! The format has no specification but its code. This follows `src/bin/pg_dump` of PostgreSQL 18:
//! `pg_backup_archiver.c` (`ReadHead`, `ReadToc`, `ReadInt`, `ReadStr`, `ReadOffset`),
//! `pg_backup_archiver.h` (versions, data states), `pg_backup_custom.c` (`_ReadExtraToc`), and for what
//! entries contain, `pg_dump.c`.

mod access;
mod database;
mod entry;
mod entry_reader;
mod error;
pub(super) mod failure;
mod guess;
mod header;
mod input;
mod left_out;
mod line_feeds;
mod needs;
mod objects;
mod reader;
pub(super) mod sql;
#[cfg(test)]
mod tests;
mod toc;
mod version;

#[cfg(test)]
pub use left_out::testing;

pub use self::{
    access::{DatabaseGrant, NamedRoles},
    database::{DatabaseLocale, DatabaseSetting, LocaleProvider},
    entry::{CatalogId, Data, Entry, Section},
    error::ArchiveError,
    failure::{newer_than_image, too_large},
    guess::Guess,
    header::{Compression, Header},
    left_out::{LeftOut, LeftOutEntry, UnrestoredAccess, UnrestoredLargeObjects},
    line_feeds::LineFeeds,
    needs::Collation,
    objects::{ListedObject, Promised},
    reader::{Limits, Status, TocReader, read_toc},
    toc::{ForeignKey, QualifiedName, Toc},
    version::{ArchiveFormat, FormatVersion},
};
