//! The header of an SQLite database file (<https://sqlite.org/fileformat2.html#the_database_header>).

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::verdict::SqliteRecord;

/// Bytes of the header.
pub const HEADER: usize = 100;
/// What every file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// First bytes of another file that are shown.
const SHOWN: usize = 16;
/// Page sizes of encrypted files as well.
const SMALLEST_PAGE: u64 = 512;

/// What the header of a database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteHeader {
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Pages of the file; 0, if the version of SQLite that wrote it last did not keep count.
    pub pages: u32,
    /// Whether its rollback journal is a write-ahead log: the file is a copy of one in use, or was not closed.
    pub is_wal: bool,
    /// The number that the application gave its schema.
    pub user_version: u32,
    /// The version of SQLite that wrote it last, as `3045001`.
    pub written_by: u32,
}

impl SqliteHeader {
    /// Reads a header from the first bytes of a file.
    ///
    /// # Errors
    /// `sqlite_invalid`, `sqlite_encrypted`, `empty_dump`: why it is none.
    pub fn read(start: &[u8]) -> Result<Self, Failure> {
        if start.is_empty() {
            return Err(Failure::bad(
                codes::EMPTY_DUMP,
                "the recovery point holds no bytes, so it is no database",
            )
            .hint("check the exit status of what makes the backup"));
        }
        if !start.starts_with(MAGIC) {
            return Err(not_sqlite(start));
        }
        let Some(header) = start.first_chunk::<HEADER>() else {
            let message =
                format!("the database file has {} bytes, and its header alone has {HEADER}", start.len());
            return Err(Failure::bad(codes::SQLITE_TRUNCATED, message).hint(DAMAGED));
        };
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            bytes => u32::from(bytes),
        };
        if !page_bytes.is_power_of_two() || page_bytes < 512 {
            let message =
                format!("the header of the database is damaged: it says that a page has {page_bytes} bytes");
            return Err(Failure::bad(codes::SQLITE_INVALID, message).hint(DAMAGED));
        }
        // The count is only good if it was written by the change that was the last (offsets 24 and 92).
        let pages = if number(24) == number(92) { number(28) } else { 0 };
        let is_wal = header[18] == 2 || header[19] == 2;
        Ok(Self { page_bytes, pages, is_wal, user_version: number(60), written_by: number(96) })
    }

    /// Compares the size of the file with what the header says. A longer file was given room to grow (SQLITE_FCNTL_CHUNK_SIZE).
    ///
    /// # Errors
    /// `sqlite_truncated`.
    pub fn require_size(&self, bytes: u64) -> Result<(), Failure> {
        let expected = u64::from(self.page_bytes) * u64::from(self.pages);
        if bytes >= expected {
            return Ok(());
        }
        let message = format!(
            "the database file has {bytes} bytes, and its header says {} pages of {} bytes, which is {expected}",
            self.pages, self.page_bytes
        );
        Err(Failure::bad(codes::SQLITE_TRUNCATED, message).hint(DAMAGED))
    }

    /// The version of SQLite that wrote it last, in words.
    pub fn version(&self) -> String {
        let number = self.written_by;
        format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000)
    }

    /// What the evidence says of it.
    pub fn record(&self) -> SqliteRecord {
        SqliteRecord {
            page_bytes: self.page_bytes,
            pages: u64::from(self.pages),
            wal: self.is_wal,
            user_version: self.user_version,
            written_by: self.version(),
        }
    }
}

const DAMAGED: &str = "the file was cut off, or copied while it was written: make backups with `VACUUM INTO`, \
     and drill an older recovery point with --at";

/// A file that does not begin like a database. An encrypted one begins with random bytes, and has whole pages.
fn not_sqlite(start: &[u8]) -> Failure {
    let readable = start.iter().take(HEADER).filter(|byte| byte.is_ascii_graphic() || **byte == b' ').count();
    let mut seen = [false; 256];
    start.iter().take(SMALLEST_PAGE as usize).for_each(|byte| seen[usize::from(*byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    // Of 512 random bytes some 220 differ, and a third looks readable.
    let looks_random = start.len() as u64 >= SMALLEST_PAGE && different > 180 && readable < HEADER / 2;
    if looks_random {
        return Failure::bad(
            codes::SQLITE_ENCRYPTED,
            "the recovery point does not begin like an SQLite database, and its bytes look random: it may be an encrypted \
             database (SQLCipher, SEE), which cannot be opened here",
        )
        .hint("back up a decrypted copy in a layer of age or gpg, whose key the drill has");
    }
    let begins = start[..start.len().min(SHOWN)].escape_ascii();
    Failure::bad(
        codes::SQLITE_INVALID,
        format!("the recovery point is no SQLite database: it begins with `{begins}`"),
    )
    .hint("look at what the backup job copies, and at `key` and `system` of the database in the template")
}

/// Takes the header of a file as it passes.
#[derive(Debug, Default)]
pub struct HeaderReader(Vec<u8>);

impl HeaderReader {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = (SMALLEST_PAGE as usize).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The header.
    ///
    /// # Errors
    /// As [`SqliteHeader::read`].
    pub fn finish(self) -> Result<SqliteHeader, Failure> {
        SqliteHeader::read(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&4096u16.to_be_bytes());
        bytes[18..20].copy_from_slice(&[1, 1]);
        bytes[24..28].copy_from_slice(&7u32.to_be_bytes());
        bytes[28..32].copy_from_slice(&3u32.to_be_bytes());
        bytes[60..64].copy_from_slice(&5u32.to_be_bytes());
        bytes[92..96].copy_from_slice(&7u32.to_be_bytes());
        bytes[96..100].copy_from_slice(&3_045_001u32.to_be_bytes());
        bytes
    }

    fn code(bytes: &[u8]) -> String {
        SqliteHeader::read(bytes).unwrap_err().code.as_str().to_owned()
    }

    #[test]
    fn a_header_says_how_large_the_file_is() {
        let read = SqliteHeader::read(&header()).unwrap();
        assert_eq!((read.page_bytes, read.pages, read.is_wal, read.user_version), (4096, 3, false, 5));
        assert_eq!(read.version(), "3.45.1");
        assert!(read.require_size(3 * 4096).is_ok() && read.require_size(4 * 4096).is_ok());
        let failure = read.require_size(2 * 4096).unwrap_err();
        assert_eq!(failure.code.as_str(), "sqlite_truncated");
        assert!(
            failure.message.contains("8192 bytes, and its header says 3 pages of 4096 bytes"),
            "{failure}"
        );
        // A version before 3.7.0 changed it last, and did not keep count.
        let mut old = header();
        old[92] = 1;
        assert!(SqliteHeader::read(&old).unwrap().require_size(1).is_ok());
        let mut large = header();
        large[16..19].copy_from_slice(&[0, 1, 2]);
        let large = SqliteHeader::read(&large).unwrap();
        assert_eq!((large.page_bytes, large.is_wal), (65_536, true));
    }

    #[test]
    fn what_is_no_database_is_told_from_one_that_is_encrypted() {
        assert_eq!(code(b""), "empty_dump");
        assert_eq!(code(b"PGDMP\x01"), "sqlite_invalid");
        assert_eq!(code(&header()[..50]), "sqlite_truncated");
        assert_eq!(code(&[0; 4096]), "sqlite_invalid");
        let text = "-- PostgreSQL database dump\n".repeat(100);
        assert_eq!(code(text.as_bytes()), "sqlite_invalid");
        let mut odd = header();
        odd[16..18].copy_from_slice(&4095u16.to_be_bytes());
        assert_eq!(code(&odd), "sqlite_invalid");
        let random: Vec<u8> = std::iter::successors(Some(0x9e37_79b9_7f4a_7c15_u64), |x| {
            let x = x ^ (x << 13);
            let x = x ^ (x >> 7);
            Some(x ^ (x << 17))
        })
        .take(128)
        .flat_map(u64::to_le_bytes)
        .collect();
        assert_eq!(code(&random), "sqlite_encrypted");
        let mut reader = HeaderReader::default();
        header().chunks(33).for_each(|chunk| reader.push(chunk));
        assert_eq!(reader.finish(), SqliteHeader::read(&header()));
    }
}
