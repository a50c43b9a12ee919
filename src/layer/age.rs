//! The age format (C2SP age specification, <https://c2sp.org/age>): binary or armored.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use age::armor::ArmoredReader;

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::kind::{LayerKind, Recognised, Seal, Sealing, Stream};
use super::recipient::AgeRecipients;
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

/// age, as the list of layers has it.
pub(super) const KIND: LayerKind = LayerKind { name: "age", encrypts: true, recognise, open, blame };

fn recognise(start: &[u8]) -> Recognised {
    let intro = format!("{INTRO}\n");
    if start.starts_with(intro.as_bytes()) || start.starts_with(ARMOR) {
        Recognised::Yes
    } else if intro.as_bytes().starts_with(start) {
        Recognised::CutOff
    } else {
        Recognised::No
    }
}

/// Opens an age file. The plaintext's reader gives an error, never a clean end, for a file that is cut off or altered.
fn open<'a>(input: Stream<'a>, identities: &Identities) -> Result<Stream<'a>, DecryptFailure> {
    let mut input = BufReader::with_capacity(BUFFER, without_armor(input)?);
    let header = read_header(&mut input)?;
    let stanzas = stanza_types(&header);
    let decryptor =
        age::Decryptor::new_buffered(Cursor::new(header).chain(input)).map_err(|error| match error {
            age::DecryptError::Io(error) => DecryptFailure::blame(error, blame),
            other => DecryptFailure::BadHeader(other.to_string()),
        })?;
    let plaintext = decryptor.decrypt(identities.keys()).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => DecryptFailure::NoIdentityFits {
            stanzas,
            tried: identities.public_keys().to_vec(),
            passed_over: identities.passed_over().to_vec(),
        },
        age::DecryptError::Io(error) => DecryptFailure::blame(error, blame),
        other => DecryptFailure::BadHeader(other.to_string()),
    })?;
    Ok(Box::new(plaintext))
}

/// What an error of age's reader means.
fn blame(error: io::Error) -> DecryptFailure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DecryptFailure::Truncated,
        io::ErrorKind::InvalidData => DecryptFailure::Corrupted,
        _ => DecryptFailure::Source(error),
    }
}

/// Takes the armor off, if there is any.
fn without_armor(mut input: Stream<'_>) -> Result<Stream<'_>, DecryptFailure> {
    let mut start = Vec::new();
    input
        .by_ref()
        .take(ARMOR.len() as u64)
        .read_to_end(&mut start)
        .map_err(|error| DecryptFailure::blame(error, blame))?;
    let armored = start == ARMOR;
    let whole = Cursor::new(start).chain(input);
    Ok(if armored { Box::new(ArmoredReader::new(whole)) } else { Box::new(whole) })
}

/// A writer that encrypts to `recipients`.
pub(super) fn seal<'a>(output: Box<dyn Write + 'a>, recipients: &AgeRecipients) -> Result<Sealing<'a>> {
    let failed = |why: String| {
        Failure::config(codes::ENCRYPT_FAILED, format!("cannot encrypt to these recipients: {why}"))
    };
    let writer = age::Encryptor::with_recipients(recipients.keys())
        .map_err(|error| failed(error.to_string()))?
        .wrap_output(output)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Box::new(writer))
}

impl<W: Write> Seal for age::stream::StreamWriter<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish().map(drop)
    }
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
            Err(error) => return Err(DecryptFailure::blame(error, blame)),
        }
        let line = &header[line_start..];
        if line_start == 0 && line != format!("{INTRO}\n").as_bytes() {
            let cut_off = format!("{INTRO}\n").as_bytes().starts_with(line);
            return Err(if cut_off {
                DecryptFailure::Truncated
            } else {
                DecryptFailure::not_encrypted(Vec::new(), line)
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
