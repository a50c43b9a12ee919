//! What an archive says about itself before its table of contents (`ReadHead`).

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use super::{
    error::ArchiveError,
    input::{Input, Stop, malformed},
    version::{ArchiveFormat, FormatVersion, Layout},
};

/// How the rows of the archive are compressed. Its header and table of contents never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// zlib.
    Gzip {
        /// `-1` for zlib's default. Not recorded since format 1.15.
        level: Option<i32>,
    },
    /// LZ4, since PostgreSQL 16.
    Lz4,
    /// Zstandard, since PostgreSQL 16.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip { .. } => "gzip",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// What an archive says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of the archive format.
    pub format_version: FormatVersion,
    /// How the rows are compressed.
    pub compression: Compression,
    /// When `pg_dump` began to write, by the clock and **in the local time** of the machine it ran on.
    /// The zone is not recorded. `None` if the fields are no date, which `pg_restore` tolerates too.
    pub created_at: Option<NaiveDateTime>,
    /// The database that was dumped.
    pub database: String,
    /// The server it was dumped from, e.g. `17.2 (Debian 17.2-1.pgdg120+1)`.
    pub server_version: String,
    /// The `pg_dump` that wrote it, in the same form.
    pub dump_version: String,
    /// How many entries the table of contents has.
    pub entry_count: u32,
}

impl Header {
    /// The major version of the server that was dumped: 17 for `17.2 (…)` and `17beta1`, 9 for `9.6.24`.
    #[must_use]
    pub fn server_major(&self) -> Option<u32> {
        major(&self.server_version)
    }

    /// The major version of the `pg_dump` that wrote the archive. Restoring needs a `pg_restore` that
    /// is not older.
    #[must_use]
    pub fn dump_major(&self) -> Option<u32> {
        major(&self.dump_version)
    }
}

fn major(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

/// The parts of the header, in the order in which they are written.
#[derive(Clone, Copy)]
enum Part {
    Fixed,
    Compression,
    CreatedAt,
    Database,
    ServerVersion,
    DumpVersion,
    EntryCount,
}

/// Reads a [`Header`] as it arrives.
pub(super) struct HeaderReader {
    layout: Layout,
    part: Part,
    header: Header,
    created_at: Vec<i32>,
}

impl HeaderReader {
    /// `PGDMP`, three bytes of version, two sizes, the format.
    const FIXED: usize = 11;
    /// Seconds, minutes, hours, day, month, year, daylight saving: a C `struct tm`.
    const TIME_FIELDS: usize = 7;

    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            part: Part::Fixed,
            header: Header {
                format_version: FormatVersion::NEWEST,
                compression: Compression::None,
                created_at: None,
                database: String::new(),
                server_version: String::new(),
                dump_version: String::new(),
                entry_count: 0,
            },
            created_at: Vec::with_capacity(Self::TIME_FIELDS),
        }
    }

    /// The header, once all of it has arrived.
    pub fn advance(&mut self, input: &mut Input) -> Result<Header, Stop> {
        loop {
            self.part = match self.part {
                Part::Fixed => {
                    self.header.format_version = read_fixed(input, self.layout)?;
                    Part::Compression
                }
                Part::Compression => {
                    self.header.compression = read_compression(input, self.header.format_version)?;
                    Part::CreatedAt
                }
                Part::CreatedAt => {
                    while self.created_at.len() < Self::TIME_FIELDS {
                        self.created_at.push(input.int("creation time")?);
                    }
                    self.header.created_at = local_time(&self.created_at);
                    Part::Database
                }
                Part::Database => {
                    self.header.database = input.text("database name")?.unwrap_or_default();
                    Part::ServerVersion
                }
                Part::ServerVersion => {
                    self.header.server_version = input.text("server version")?.unwrap_or_default();
                    Part::DumpVersion
                }
                Part::DumpVersion => {
                    self.header.dump_version = input.text("pg_dump version")?.unwrap_or_default();
                    Part::EntryCount
                }
                Part::EntryCount => {
                    let at = input.position();
                    self.header.entry_count = u32::try_from(input.int("number of entries")?)
                        .map_err(|_| malformed("the number of entries is negative", at))?;
                    return Ok(self.header.clone());
                }
            };
        }
    }
}

fn read_fixed(input: &mut Input, layout: Layout) -> Result<FormatVersion, Stop> {
    let at = input.position();
    let fixed = input.take(HeaderReader::FIXED)?;
    let &[_, _, _, _, _, major, minor, revision, int_size, offset_size, format] = fixed else {
        return Err(Stop::NeedMore);
    };
    let version = FormatVersion { major, minor, revision };
    if !version.is_supported() {
        return Err(ArchiveError::UnsupportedVersion { version }.into());
    }
    if let Some(format) = ArchiveFormat::other_than(layout, format) {
        return Err(ArchiveError::UnsupportedFormat { format }.into());
    }
    // `pg_restore` draws the line at 32 too.
    for (what, size, offset) in [("integers", int_size, 8), ("positions", offset_size, 9)] {
        if !(1..=32).contains(&size) {
            return Err(malformed(format!("it says that {what} have {size} bytes"), at + offset));
        }
    }
    input.int_size = usize::from(int_size);
    input.offset_size = usize::from(offset_size);
    Ok(version)
}

fn read_compression(input: &mut Input, version: FormatVersion) -> Result<Compression, Stop> {
    if version < FormatVersion::COMPRESSION_ALGORITHM {
        return Ok(match input.int("compression level")? {
            0 => Compression::None,
            level => Compression::Gzip { level: Some(level) },
        });
    }
    let at = input.position();
    // `pg_compress_algorithm` in `compression.h`.
    match input.byte()? {
        0 => Ok(Compression::None),
        1 => Ok(Compression::Gzip { level: None }),
        2 => Ok(Compression::Lz4),
        3 => Ok(Compression::Zstd),
        other => Err(malformed(format!("compression algorithm {other} is not known"), at)),
    }
}

/// From a C `struct tm`: months from 0, years from 1900, and a 60th second when one leaps.
fn local_time(fields: &[i32]) -> Option<NaiveDateTime> {
    let &[second, minute, hour, day, month, year, _daylight_saving] = fields else {
        return None;
    };
    let date = NaiveDate::from_ymd_opt(
        year.checked_add(1900)?,
        u32::try_from(month.checked_add(1)?).ok()?,
        u32::try_from(day).ok()?,
    )?;
    let second = u32::try_from(second).ok()?;
    let second = if second == 60 { 59 } else { second };
    date.and_hms_opt(u32::try_from(hour).ok()?, u32::try_from(minute).ok()?, second)
}
