//! gzip (RFC 1952): one member or several, each with its CRC and its length.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::kind::{LayerKind, Recognised, Stream};

/// Magic number, and the only method there is: deflate.
const MAGIC: &[u8] = b"\x1f\x8b\x08";
const BUFFER: usize = 128 * 1024;

/// gzip, as the list of layers has it.
pub(super) const KIND: LayerKind = LayerKind { name: "gzip", encrypts: false, recognise, open, blame };

fn recognise(start: &[u8]) -> Recognised {
    Recognised::by_magic(start, MAGIC)
}

fn open<'a>(input: Stream<'a>, _: &Identities) -> Result<Stream<'a>, DecryptFailure> {
    let input = BufReader::with_capacity(BUFFER, input);
    Ok(Box::new(Members { state: State::Inside(Box::new(GzDecoder::new(input))) }))
}

/// The members of a file, one after another. flate2 has a reader of its own for several, which does not tell what follows
/// the last one from a member that is damaged.
struct Members<'a> {
    state: State<'a>,
}

enum State<'a> {
    Inside(Box<GzDecoder<BufReader<Stream<'a>>>>),
    Ended,
    /// An error was given: nothing more comes.
    Broken,
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let State::Inside(member) = &mut self.state else {
                return match self.state {
                    State::Ended => Ok(0),
                    _ => Err(io::Error::other(altered("ended with an error before"))),
                };
            };
            match member.read(buffer) {
                Ok(0) => {}
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    self.state = State::Broken;
                    return Err(error);
                }
                other => return other,
            }
            let State::Inside(member) = std::mem::replace(&mut self.state, State::Broken) else {
                unreachable!("it was inside a member just now")
            };
            let mut input = member.into_inner();
            self.state = match next_member(&mut input)? {
                true => State::Inside(Box::new(GzDecoder::new(input))),
                false => State::Ended,
            };
        }
    }
}

/// Whether another member begins here; `false` at the end of the file.
fn next_member(input: &mut impl BufRead) -> io::Result<bool> {
    let rest = loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    // What a buffer ends with may be the beginning of a magic number.
    if rest.is_empty() {
        Ok(false)
    } else if rest.starts_with(MAGIC) || MAGIC.starts_with(rest) {
        Ok(true)
    } else if rest.iter().all(|&byte| byte == 0) {
        Err(io::Error::other(altered("is followed by zeros that are no part of it")))
    } else {
        Err(io::Error::other(altered("is followed by bytes that are no gzip")))
    }
}

fn altered(why: &str) -> DecryptFailure {
    DecryptFailure::LayerCorrupted(KIND.name, why.to_owned())
}

fn blame(error: io::Error) -> DecryptFailure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DecryptFailure::LayerTruncated(KIND.name),
        _ => altered("does not decompress, or has another checksum or length than its trailer says"),
    }
}
