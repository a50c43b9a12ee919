//! Which archives can be read: the version and the kind that an archive states about itself.

use std::fmt;

/// The version of the archive format, which moves more slowly than PostgreSQL's own.
///
/// | format | written by | adds |
/// |---|---|---|
/// | 1.12 | 9.0 to 10 | an entry for each large object |
/// | 1.13 | 9.3 to 11, since the releases of March 2018 | SQL with every name qualified |
/// | 1.14 | 12 to 15 | table access method |
/// | 1.15 | 16 | compression algorithm in the header |
/// | 1.16 | 17, 18 | kind of relation, many large objects in an entry |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatVersion {
    /// Always 1 so far.
    pub major: u8,
    /// What is meant in everyday speech: 14 in "1.14".
    pub minor: u8,
    /// Always 0 so far. Any revision of a known version is read, as `pg_restore` does.
    pub revision: u8,
}

impl FormatVersion {
    /// The oldest version that is read.
    pub const OLDEST: Self = Self::new(1, 12);
    /// The newest version that is read.
    pub const NEWEST: Self = Self::new(1, 16);

    pub(super) const TABLE_ACCESS_METHOD: Self = Self::new(1, 14);
    pub(super) const COMPRESSION_ALGORITHM: Self = Self::new(1, 15);
    pub(super) const RELATION_KIND: Self = Self::new(1, 16);

    pub(super) const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor, revision: 0 }
    }

    /// The first major version of PostgreSQL whose `pg_restore` reads it; none for those that every supported one reads.
    pub fn first_major(self) -> Option<u32> {
        match self.minor {
            16 => Some(17),
            15 => Some(16),
            _ => None,
        }
    }

    pub(super) fn is_supported(self) -> bool {
        self >= Self::OLDEST && (self.major, self.minor) <= (Self::NEWEST.major, Self::NEWEST.minor)
    }
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.revision != 0 {
            write!(f, "-{}", self.revision)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormatVersion({self})")
    }
}

/// Where the rows of an archive are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Behind the table of contents.
    Custom,
    /// In files beside it, of a tar archive or a directory.
    Files,
}

/// A kind of archive that has this header, and is not the custom format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// `toc.dat` of a tar archive or of a directory: both say "tar" in it (`pg_backup_directory.c`).
    TarOrDirectory,
    /// A directory that says so. No released `pg_dump` is known to write it.
    Directory,
    /// A number that stands for none of the formats.
    Unknown(u8),
}

impl ArchiveFormat {
    /// `None` if the format has this layout. The numbers are `ArchiveFormat` in `pg_backup.h`.
    pub(super) fn other_than(layout: Layout, code: u8) -> Option<Self> {
        match code {
            1 if layout == Layout::Custom => None,
            3 | 5 if layout == Layout::Files => None,
            3 => Some(Self::TarOrDirectory),
            5 => Some(Self::Directory),
            other => Some(Self::Unknown(other)),
        }
    }
}

impl fmt::Display for ArchiveFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TarOrDirectory => f.write_str("the tar or directory format"),
            Self::Directory => f.write_str("the directory format"),
            Self::Unknown(code) => write!(f, "an unknown format (number {code})"),
        }
    }
}
