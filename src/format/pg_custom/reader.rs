//! Reading a table of contents from a stream, chunk by chunk.

use super::{
    entry::Entry,
    entry_reader::EntryReader,
    error::ArchiveError,
    guess::Guess,
    header::{Header, HeaderReader},
    input::{Input, Stop},
    toc::Toc,
    version::Layout,
};

/// How large a table of contents may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Header and table of contents together, in bytes.
    pub bytes: u64,
    /// Entries. In memory an entry takes a few hundred bytes beyond its texts.
    pub entries: u32,
}

impl Default for Limits {
    /// 64 MiB and a million entries: some hundred thousand tables.
    fn default() -> Self {
        Self { bytes: 64 << 20, entries: 1_000_000 }
    }
}

/// Whether more of the stream is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Status {
    /// The table of contents goes on.
    NeedMore,
    /// All of it is there: [`TocReader::finish`] returns it.
    Done,
}

/// Reads a table of contents from a stream of chunks of any size.
///
/// Each value is looked at when it has arrived whole, so many small chunks cost what one large chunk
/// costs, and the outcome is the same.
pub struct TocReader {
    input: Input,
    limits: Limits,
    layout: Layout,
    stage: Stage,
}

enum Stage {
    Magic,
    Header(HeaderReader),
    Entries { header: Header, reader: Box<EntryReader>, entries: Vec<Entry> },
    Done(Toc),
    Failed(ArchiveError),
}

const MAGIC: &[u8] = b"PGDMP";

impl TocReader {
    /// A reader at the start of an archive.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { input: Input::new(limits.bytes), limits, layout: Layout::Custom, stage: Stage::Magic }
    }

    /// A reader of a `toc.dat`, beside which each table's rows are a file of their own.
    #[must_use]
    pub fn of_files(limits: Limits) -> Self {
        Self { layout: Layout::Files, ..Self::new(limits) }
    }

    /// Takes the next bytes of the stream. Bytes after the table of contents are not looked at.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`], as soon as the bytes so far cannot be an archive's beginning; after that, the
    /// same error each time. Never [`ArchiveError::Truncated`] and [`ArchiveError::Empty`], which only
    /// the end of the stream can show.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Status, ArchiveError> {
        // In pieces, so that a chunk with rows in it is not copied whole.
        for piece in chunk.chunks(64 << 10) {
            if matches!(self.stage, Stage::Done(_) | Stage::Failed(_)) {
                break;
            }
            self.input.push(piece);
            if let Err(Stop::Failed(error)) = self.advance() {
                self.stage = Stage::Failed(error);
            }
        }
        match &self.stage {
            Stage::Done(_) => Ok(Status::Done),
            Stage::Failed(error) => Err(error.clone()),
            _ => Ok(Status::NeedMore),
        }
    }

    /// The table of contents, or why there is none. Call it when [`push`](Self::push) said
    /// [`Status::Done`], or when the stream has ended.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`]; among them [`ArchiveError::Truncated`] if more bytes were needed.
    pub fn finish(self) -> Result<Toc, ArchiveError> {
        let at = self.input.received();
        match self.stage {
            Stage::Done(toc) => Ok(toc),
            Stage::Failed(error) => Err(error),
            Stage::Magic if at == 0 => Err(ArchiveError::Empty),
            Stage::Magic if !MAGIC.starts_with(self.input.peek()) => {
                Err(ArchiveError::NotAnArchive { looks_like: Guess::from_first_bytes(self.input.peek()) })
            }
            _ => Err(ArchiveError::Truncated { at }),
        }
    }

    /// Goes as far as the bytes reach.
    fn advance(&mut self) -> Result<(), Stop> {
        loop {
            self.stage = match &mut self.stage {
                Stage::Magic => {
                    check_magic(self.input.peek())?;
                    Stage::Header(HeaderReader::new(self.layout))
                }
                Stage::Header(reader) => {
                    let header = reader.advance(&mut self.input)?;
                    if header.entry_count > self.limits.entries {
                        let limit = u64::from(self.limits.entries);
                        return Err(ArchiveError::TooLarge { limit, unit: "entries" }.into());
                    }
                    let reader = Box::new(EntryReader::new(header.format_version, self.layout));
                    Stage::Entries { header, reader, entries: Vec::new() }
                }
                Stage::Entries { header, reader, entries } => {
                    while entries.len() < header.entry_count as usize {
                        entries.push(reader.advance(&mut self.input)?);
                    }
                    Stage::Done(Toc {
                        header: header.clone(),
                        entries: std::mem::take(entries),
                        size_bytes: self.input.position(),
                        lossy: self.input.lossy,
                    })
                }
                Stage::Done(_) | Stage::Failed(_) => return Ok(()),
            };
        }
    }
}

/// Right, wrong, or too little to tell. If wrong, waits for enough to say what it is instead.
fn check_magic(bytes: &[u8]) -> Result<(), Stop> {
    if bytes.starts_with(MAGIC) {
        Ok(())
    } else if MAGIC.starts_with(bytes) || bytes.len() < Guess::ENOUGH {
        Err(Stop::NeedMore)
    } else {
        Err(ArchiveError::NotAnArchive { looks_like: Guess::from_first_bytes(bytes) }.into())
    }
}

/// Reads the table of contents of an archive that is in memory, wholly or up to its rows.
///
/// # Errors
///
/// As [`TocReader::finish`], with the default [`Limits`].
pub fn read_toc(archive: &[u8]) -> Result<Toc, ArchiveError> {
    let mut reader = TocReader::new(Limits::default());
    // An error is kept in the reader, and `finish` has it.
    let _ = reader.push(archive);
    reader.finish()
}
