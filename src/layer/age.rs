//! The age format (C2SP age specification, <https://c2sp.org/age>): binary or armored.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use age::armor::ArmoredReader;

use super::identity::{Identities, Recipients};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// The first line of every age file of version 1.
const INTRO: &str = "age-encryption.org/v1";
/// The first bytes of an armored one.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// Two chunks of the format.
const BUFFER: usize = 128 * 1024;
/// A header has a few hundred bytes for each recipient; this is room for thousands.
const HEADER_LIMIT: u64 = 1024 * 1024;

/// Why a recovery point could not be decrypted.
#[derive(Debug)]
pub enum DecryptFailure {
    /// The object has no bytes.
    Empty,
    /// It is not an age file; what it begins with, escaped.
    NotAge(String),
    /// No identity fits. Names the stanza types in the file and the public keys tried.
    NoIdentityFits {
        /// Types of the recipient stanzas, as in the file.
        stanzas: Vec<String>,
        /// Public keys of the identities tried.
        tried: Vec<String>,
        /// Keys in the identity files that are of no use here, by kind and place.
        passed_over: Vec<String>,
    },
    /// The header is cut off, malformed, or fails its authentication.
    BadHeader(String),
    /// The file ends before its last chunk.
    Truncated,
    /// A chunk fails its authentication: altered, or cut off within the chunk.
    Corrupted,
    /// The bytes did not come, for a reason that has nothing to do with the file.
    Source(io::Error),
}

impl DecryptFailure {
    /// What a drill reports of a recovery point. All but [`Self::Source`] mean that the backup is bad.
    pub fn into_failure(self) -> Failure {
        self.into_failure_of("the recovery point")
    }

    /// What is reported of another object.
    pub fn into_failure_of(self, what: &str) -> Failure {
        const UPLOAD: &str = "the object in the store is damaged: compare its size with the backup job's log, and drill an older recovery point with --at";
        match self {
            Self::Empty => Failure::bad(codes::EMPTY_OBJECT, format!("{what} has no bytes at all")).hint(UPLOAD),
            Self::NotAge(begins) => Failure::bad(codes::NOT_AGE, format!("{what} is not an age file; it begins with `{begins}`"))
                .hint("look at what the backup job uploads, and at store.key in the template"),
            Self::NoIdentityFits { stanzas, tried, passed_over } => Failure::bad(
                codes::NO_IDENTITY_FITS,
                format!(
                    "no identity opens {what}: it is encrypted to recipients of type {}, and the identities tried are {}{}",
                    stanzas.join(", "),
                    tried.join(", "),
                    if passed_over.is_empty() { String::new() } else { format!("; not tried: {}", passed_over.join(", ")) }
                ),
            )
            .hint("find the identity of the recipient the backup job uses, and name it under encryption.identities"),
            Self::BadHeader(damage) => {
                Failure::bad(codes::AGE_HEADER_INVALID, format!("the age header of {what} is damaged: {damage}")).hint(UPLOAD)
            }
            Self::Truncated => {
                Failure::bad(codes::CIPHERTEXT_TRUNCATED, format!("{what} is truncated: it ends before its last chunk")).hint(UPLOAD)
            }
            Self::Corrupted => Failure::bad(
                codes::CIPHERTEXT_CORRUPTED,
                format!("{what} is corrupted: a chunk was altered or cut off, and fails its authentication"),
            )
            .hint(UPLOAD),
            Self::Source(error) => Failure::inconclusive(codes::TRANSFER_BROKEN, format!("the transfer broke off ({error})")),
        }
    }

    /// Tells errors of decryption from errors of the reader underneath.
    pub fn from_stream(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::InvalidData => Self::Corrupted,
            _ => Self::Source(error),
        }
    }
}

/// Opens an age file. The plaintext's reader gives an error, never a clean end, for a file that is cut off or
/// altered; map it with [`DecryptFailure::from_stream`].
///
/// # Errors
/// Whatever is wrong with the header, or with the identities.
pub fn decrypt<'a, R: Read + 'a>(
    input: R,
    identities: &Identities,
) -> Result<impl Read + 'a, DecryptFailure> {
    let mut input = BufReader::with_capacity(BUFFER, without_armor(input)?);
    let header = read_header(&mut input)?;
    let stanzas = stanza_types(&header);
    let decryptor =
        age::Decryptor::new_buffered(Cursor::new(header).chain(input)).map_err(|error| match error {
            age::DecryptError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                DecryptFailure::Truncated
            }
            age::DecryptError::Io(error) => DecryptFailure::Source(error),
            other => DecryptFailure::BadHeader(other.to_string()),
        })?;
    decryptor.decrypt(identities.keys()).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => DecryptFailure::NoIdentityFits {
            stanzas,
            tried: identities.public_keys().to_vec(),
            passed_over: identities.passed_over().to_vec(),
        },
        age::DecryptError::Io(error) => DecryptFailure::from_stream(error),
        other => DecryptFailure::BadHeader(other.to_string()),
    })
}

/// Takes the armor off, if there is any.
fn without_armor<'a, R: Read + 'a>(mut input: R) -> Result<Box<dyn Read + 'a>, DecryptFailure> {
    let mut start = Vec::new();
    input.by_ref().take(ARMOR.len() as u64).read_to_end(&mut start).map_err(DecryptFailure::from_stream)?;
    if start.is_empty() {
        return Err(DecryptFailure::Empty);
    }
    let armored = start == ARMOR;
    let whole = Cursor::new(start).chain(input);
    Ok(if armored { Box::new(ArmoredReader::new(whole)) } else { Box::new(whole) })
}

/// A writer that encrypts to `recipients`. Call `finish` at the end, or the file counts as truncated.
///
/// # Errors
/// `encrypt_failed`, if the recipients do not go together or the writer underneath fails.
pub fn encrypt<W: Write>(output: W, recipients: &Recipients) -> Result<age::stream::StreamWriter<W>> {
    let failed = |why: String| {
        Failure::config(codes::ENCRYPT_FAILED, format!("cannot encrypt to these recipients: {why}"))
    };
    age::Encryptor::with_recipients(recipients.keys())
        .map_err(|error| failed(error.to_string()))?
        .wrap_output(output)
        .map_err(|error| failed(error.to_string()))
}

/// Reads up to and with the header's last line, `--- MAC`.
fn read_header(input: &mut impl BufRead) -> Result<Vec<u8>, DecryptFailure> {
    let mut header = Vec::new();
    let mut limited = input.take(HEADER_LIMIT);
    loop {
        let line_start = header.len();
        match limited.read_until(b'\n', &mut header) {
            Ok(0) => return Err(DecryptFailure::Truncated),
            Ok(_) => {}
            // The armor's reader says so of malformed armor.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(DecryptFailure::BadHeader("its armor is malformed".to_owned()));
            }
            Err(error) => return Err(DecryptFailure::from_stream(error)),
        }
        let line = &header[line_start..];
        if line_start == 0 && line != format!("{INTRO}\n").as_bytes() {
            let shown: Vec<u8> = line.iter().copied().take(24).collect();
            let cut_off = format!("{INTRO}\n").as_bytes().starts_with(line);
            return Err(if cut_off {
                DecryptFailure::Truncated
            } else {
                DecryptFailure::NotAge(shown.escape_ascii().to_string())
            });
        }
        if line.starts_with(b"---") {
            return if line.ends_with(b"\n") { Ok(header) } else { Err(DecryptFailure::Truncated) };
        }
    }
}

fn stanza_types(header: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(header);
    let mut types: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("-> ")?.split(' ').next())
        // The file is hostile until it is authenticated, and this is shown to people.
        .map(|name| crate::model::human::one_line(name, 40))
        .filter(|name| !name.ends_with("-grease"))
        .collect();
    types.sort();
    types.dedup();
    types.truncate(16);
    types
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Key, key, sealed};
    use super::*;

    fn open(key: &Key, file: &[u8]) -> Result<Vec<u8>, DecryptFailure> {
        let mut plaintext = Vec::new();
        decrypt(file, &key.identities)?.read_to_end(&mut plaintext).map_err(DecryptFailure::from_stream)?;
        Ok(plaintext)
    }

    fn code(key: &Key, file: &[u8]) -> &'static str {
        open(key, file).expect_err("must not open").into_failure().code.as_str()
    }

    #[test]
    fn what_was_sealed_opens() {
        let key = key();
        for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let plaintext: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            assert_eq!(open(&key, &sealed(&key, &plaintext)).unwrap(), plaintext, "{size} bytes");
        }
    }

    #[test]
    fn every_truncation_is_seen() {
        let key = key();
        let file = sealed(&key, &vec![7; 140_000]);
        let cuts = (0..400).chain((400..file.len()).step_by(997)).chain([file.len() - 1]);
        for cut in cuts {
            let code = code(&key, &file[..cut]);
            let expected = ["empty_object", "ciphertext_truncated", "ciphertext_corrupted"];
            assert!(expected.contains(&code), "{code} at {cut}");
        }
        let chunk_boundary = file.len() - (140_000 - 2 * 65_536) - 16;
        assert_eq!(code(&key, &file[..chunk_boundary]), "ciphertext_truncated");
    }

    #[test]
    fn every_altered_byte_is_seen() {
        let key = key();
        let file = sealed(&key, &vec![7; 70_000]);
        for at in (0..file.len()).step_by(541).chain([0, 30, 200, file.len() - 1]) {
            let mut altered = file.clone();
            altered[at] ^= 1;
            assert!(open(&key, &altered).is_err(), "byte {at}");
        }
        let mut longer = file.clone();
        longer.push(0);
        assert_eq!(code(&key, &longer), "ciphertext_corrupted");
    }

    #[test]
    fn the_wrong_key_is_told_with_types_and_public_keys() {
        let (mine, other) = (key(), key());
        let failure = open(&mine, &sealed(&other, b"x")).unwrap_err().into_failure();
        assert_eq!(failure.code.as_str(), "no_identity_fits");
        assert!(failure.message.contains("type X25519"), "{failure}");
        assert!(failure.message.contains(&mine.identities.public_keys()[0]), "{failure}");
    }

    #[test]
    fn what_is_not_an_age_file_is_told() {
        let key = key();
        assert_eq!(code(&key, b""), "empty_object");
        assert_eq!(code(&key, b"PGDMP\x01\x0e\n and so on"), "not_age");
        assert_eq!(code(&key, b"age-encryption.org/v2\n"), "not_age");
        assert_eq!(code(&key, b"<?xml version=\"1.0\"?><Error/>"), "not_age");
        assert_eq!(code(&key, &[b'x'; 3_000_000]), "not_age");
    }

    #[test]
    fn armored_files_open_too() {
        let key = key();
        let mut armored = Vec::new();
        let writer =
            age::armor::ArmoredWriter::wrap_output(&mut armored, age::armor::Format::AsciiArmor).unwrap();
        let mut writer = encrypt(writer, &key.recipients).unwrap();
        writer.write_all(&[9; 100_000]).unwrap();
        writer.finish().and_then(age::armor::ArmoredWriter::finish).unwrap();
        assert_eq!(open(&key, &armored).unwrap(), vec![9; 100_000]);
        assert!(open(&key, &armored[..armored.len() / 2]).is_err());
    }
}
