//! Goes through the members of a tar file, in bounded memory, and reads the table of contents among them.
//!
//! Only what a dump has is let through: files and folders, by names that stay where they are unpacked.

use crate::format::pg_custom::{ArchiveError, Limits, Toc, TocReader};

const BLOCK: usize = 512;
/// Bytes of a member's additional headers that are looked at.
const HEADERS: usize = 64 * 1024;
/// Who owns the members of a file that `pg_dump` writes: numbers of its own (`_tarWriteHeader`).
const OWNER_OF_PG_DUMP: (u64, u64) = (0o4000, 0o2000);

/// What is wrong with it.
#[derive(Debug)]
pub(in crate::format) enum Problem {
    /// It is something else.
    NotOne,
    /// It has no table of contents.
    NoToc,
    /// It ends too early.
    CutOff(u64),
    /// A header is not one.
    Damaged(&'static str, u64),
    /// What any packer may write, and is not read here.
    Unread(&'static str),
    /// A member that no dump has.
    Foreign(String),
}

enum Part {
    Header,
    /// Bytes of a member, and then those up to the next block.
    Body {
        left: u64,
        padding: u64,
        kind: Body,
    },
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Toc,
    Headers,
    Other,
}

/// How far a tar file was read.
pub(in crate::format) struct Walk {
    part: Part,
    block: Vec<u8>,
    headers: Vec<u8>,
    position: u64,
    is_tar: bool,
    toc: Option<TocReader>,
    /// All of its bytes are there.
    has_toc: bool,
    folder: String,
    is_of_pg_dump: Option<bool>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            part: Part::Header,
            block: Vec::new(),
            headers: Vec::new(),
            position: 0,
            is_tar: false,
            toc: None,
            has_toc: false,
            folder: String::new(),
            is_of_pg_dump: None,
        }
    }
}

impl Walk {
    /// Whether it is a tar file at all.
    pub(in crate::format) fn is_tar(&self) -> bool {
        self.is_tar
    }

    /// Whether its end was reached.
    pub(in crate::format) fn has_ended(&self) -> bool {
        matches!(self.part, Part::End)
    }

    pub(in crate::format) fn position(&self) -> u64 {
        self.position
    }

    /// The folder of the table of contents.
    pub(in crate::format) fn folder(&self) -> &str {
        &self.folder
    }

    /// Whether `pg_dump` wrote the file, once that is known.
    pub(in crate::format) fn is_of_pg_dump(&self) -> Option<bool> {
        self.is_of_pg_dump
    }

    /// Whether all bytes of the table of contents were there.
    pub(in crate::format) fn has_toc(&self) -> bool {
        self.has_toc
    }

    /// The table of contents.
    pub(in crate::format) fn take_toc(&mut self) -> Option<Result<Toc, ArchiveError>> {
        self.toc.take().map(TocReader::finish)
    }

    /// Takes the next bytes.
    pub(in crate::format) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            let used = match &mut self.part {
                Part::End => return Ok(()),
                Part::Header => {
                    let used = (BLOCK - self.block.len()).min(bytes.len());
                    self.block.extend_from_slice(&bytes[..used]);
                    if self.block.len() == BLOCK {
                        let block = std::mem::take(&mut self.block);
                        self.part = self.member(&block)?;
                    }
                    used
                }
                Part::Body { left: 0, padding: 0, kind } => {
                    if *kind == Body::Headers && renames(&self.headers) {
                        return Err(Problem::Unread("names or sizes in additional headers"));
                    }
                    self.has_toc |= *kind == Body::Toc;
                    self.part = Part::Header;
                    0
                }
                Part::Body { left: 0, padding, .. } => {
                    let used = usize::try_from(*padding).unwrap_or(BLOCK).min(bytes.len());
                    *padding -= used as u64;
                    used
                }
                Part::Body { left, kind, .. } => {
                    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= used as u64;
                    match kind {
                        Body::Toc => {
                            if let Some(reader) = &mut self.toc {
                                // An error is kept in the reader.
                                let _ = reader.push(&bytes[..used]);
                            }
                        }
                        Body::Headers => {
                            let room = HEADERS.saturating_sub(self.headers.len()).min(used);
                            if room < used {
                                return Err(Problem::Unread("additional headers of more than 64 KiB"));
                            }
                            self.headers.extend_from_slice(&bytes[..room]);
                        }
                        Body::Other => {}
                    }
                    used
                }
            };
            self.position += used as u64;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// What follows this header.
    fn member(&mut self, block: &[u8]) -> Result<Part, Problem> {
        if !self.is_tar {
            if block[257..262] != *b"ustar" {
                return Err(Problem::NotOne);
            }
            self.is_tar = true;
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Part::End);
        }
        let damaged = |what| Problem::Damaged(what, self.position);
        let checksum = number(&block[148..156]).ok_or_else(|| damaged("a checksum is no number"))?;
        if checksum != sum(block) {
            return Err(damaged("a header has another checksum"));
        }
        let size = number(&block[124..136]).ok_or_else(|| damaged("a size is no number"))?;
        let path =
            path(block).ok_or_else(|| Problem::Foreign("a member whose name is no text".to_owned()))?;
        let kind = match block[156] {
            b'x' | b'g' => {
                self.headers.clear();
                Body::Headers
            }
            b'5' | b'0' | b'\0' | b'7' => self.file(&path, block)?,
            b'1' if self.repeats_toc(&path, block) => Body::Other,
            b'L' | b'K' => return Err(Problem::Unread("long names")),
            _ => return Err(Problem::Foreign(format!("{path}, which is neither a file nor a folder"))),
        };
        // Neither a folder nor a link has bytes.
        let size = if matches!(block[156], b'5' | b'1') { 0 } else { size };
        Ok(Part::Body { left: size, padding: size.next_multiple_of(BLOCK as u64) - size, kind })
    }

    /// Whether it is a link from the table of contents to itself: GNU tar writes one for a file that it packs twice.
    fn repeats_toc(&self, path: &str, block: &[u8]) -> bool {
        let of_toc = |path: &str| {
            let path = path.trim_start_matches("./");
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            name == "toc.dat" && folder == self.folder
        };
        let end = memchr::memchr(0, &block[157..257]).unwrap_or(100);
        let target = std::str::from_utf8(&block[157..157 + end]);
        self.has_toc && of_toc(path) && target.is_ok_and(of_toc)
    }

    fn file(&mut self, path: &str, block: &[u8]) -> Result<Body, Problem> {
        if path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains(['\n', '\\']) {
            return Err(Problem::Foreign(format!("{path}, which would be unpacked elsewhere")));
        }
        let path = path.trim_start_matches("./");
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name != "toc.dat" || block[156] == b'5' {
            return Ok(Body::Other);
        }
        if self.is_of_pg_dump.is_some() {
            return Err(Problem::Foreign("a second toc.dat".to_owned()));
        }
        folder.clone_into(&mut self.folder);
        let owner = (number(&block[108..116]), number(&block[116..124]));
        let is_of_pg_dump = owner == (Some(OWNER_OF_PG_DUMP.0), Some(OWNER_OF_PG_DUMP.1));
        self.is_of_pg_dump = Some(is_of_pg_dump && folder.is_empty());
        self.toc = Some(TocReader::of_files(Limits::default()));
        Ok(Body::Toc)
    }
}

/// A number in octal digits, or in the binary form for large ones.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len().saturating_sub(8));
        let is_small =
            high.iter().enumerate().all(|(at, byte)| if at == 0 { *byte == 0x80 } else { *byte == 0 });
        return (is_small && field.len() > 8)
            .then(|| low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// The sum of all bytes, with spaces for the sum itself.
fn sum(block: &[u8]) -> u64 {
    let bytes = block.iter().enumerate();
    bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum()
}

fn path(block: &[u8]) -> Option<String> {
    let text = |field: &[u8]| {
        let end = memchr::memchr(0, field).unwrap_or(field.len());
        std::str::from_utf8(&field[..end]).ok().map(str::to_owned)
    };
    let name = text(&block[..100])?;
    // GNU's older form has other things where this one has the first part of a long name.
    let prefix = if block[257..263] == *b"ustar\0" { text(&block[345..500])? } else { String::new() };
    Some(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

/// Whether additional headers say another name than the member's own.
fn renames(headers: &[u8]) -> bool {
    let says = |key: &[u8]| headers.windows(key.len()).any(|bytes| bytes == key);
    says(b" path=") || says(b" linkpath=") || says(b" size=")
}

#[cfg(test)]
pub(in crate::format) mod testing {
    /// Gives a header its checksum.
    pub(in crate::format) fn seal(block: &mut [u8]) {
        let sum = format!("{:06o}\0 ", super::sum(block));
        block[148..156].copy_from_slice(sum.as_bytes());
    }
}
