//! The layers of one file, taken off one after another.

use std::cell::Cell;
use std::io::{self, Cursor, Read, Write};
use std::rc::Rc;

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::kind::{LayerKind, Recognised, Sealing, Stream};
use super::recipient::Recipients;
use super::{age, gpg, gzip, zstd};
use crate::model::failure::Result;

/// Every kind of layer. The content of a file picks those that are taken off.
pub static LAYERS: &[LayerKind] = &[age::KIND, gpg::KIND, gzip::KIND, zstd::KIND];

/// Layers that are taken off one file at most. No backup job writes as many.
const DEPTH: usize = 8;
/// First bytes that a layer is recognised by.
const FIRST_BYTES: u64 = 64;
/// So much may come out of a layer however few bytes went in. Small files of one letter compress best.
const FREE: u64 = 64 << 20;

/// A file whose layers are taken off as it is read.
pub struct Opened<'a> {
    /// The names of the layers, the outermost first. None for a file that is in no layer.
    pub layers: Vec<&'static str>,
    content: Stream<'a>,
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

/// Takes the layers off a file. Reading gives an error, never a clean end, for a file that is cut off or altered; map it
/// with [`DecryptFailure::from_stream`].
///
/// # Errors
/// If the file is not encrypted and must be; whatever is wrong with a layer's header, or with the identities.
pub fn open<'a>(input: impl Read + 'a, identities: &Identities) -> Result<Opened<'a>, DecryptFailure> {
    let consumed = Rc::new(Cell::new(0));
    let mut layers: Vec<&LayerKind> = Vec::new();
    let mut content: Stream<'a> = Box::new(Object { input, consumed: Rc::clone(&consumed) });
    loop {
        let mut start = Vec::new();
        content.by_ref().take(FIRST_BYTES).read_to_end(&mut start).map_err(DecryptFailure::from_stream)?;
        if start.is_empty() && layers.is_empty() {
            return Err(DecryptFailure::Empty);
        }
        let is = |wanted| LAYERS.iter().find(|kind| (kind.recognise)(&start) == wanted);
        let next = is(Recognised::Yes);
        // What is inside a layer is whole, however short.
        if next.is_none() && layers.is_empty() && is(Recognised::CutOff).is_some() {
            return Err(DecryptFailure::Truncated);
        }
        let Some(kind) = next else {
            let names = layers.iter().map(|kind| kind.name).collect();
            if identities.require_encryption() && !layers.iter().any(|kind| kind.encrypts) {
                return Err(DecryptFailure::not_encrypted(names, &start));
            }
            return Ok(Opened { layers: names, content: Box::new(Cursor::new(start).chain(content)) });
        };
        if layers.len() == DEPTH {
            let why = format!("it is in more than {DEPTH} layers");
            return Err(DecryptFailure::Unsupported(why));
        }
        layers.push(kind);
        let inside = (kind.open)(Box::new(Cursor::new(start).chain(content)), identities)?;
        let max_expansion = identities.max_expansion();
        content =
            Box::new(Inside { kind, inside, produced: 0, consumed: Rc::clone(&consumed), max_expansion });
    }
}

/// Encrypts what is written, as a backup is made.
///
/// # Errors
/// `encrypt_failed`, if the recipients do not go together or the writer below fails; `gpg_missing`.
pub fn encrypt<'a>(output: impl Write + 'a, recipients: &Recipients) -> Result<Sealing<'a>> {
    match recipients {
        Recipients::Age(recipients) => age::seal(Box::new(output), recipients),
        Recipients::Gpg(recipient) => gpg::seal(Box::new(output), recipient),
    }
}

/// The file itself: its bytes are counted, and its errors are kept apart from those of layers.
struct Object<R> {
    input: R,
    consumed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Object<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(count) => {
                self.consumed.set(self.consumed.get() + count as u64);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::other(DecryptFailure::Source(error))),
        }
    }
}

/// What is in a layer: its errors are kept apart from those of the layers around it, and it ends where it expands too much.
struct Inside<'a> {
    kind: &'static LayerKind,
    inside: Stream<'a>,
    produced: u64,
    consumed: Rc<Cell<u64>>,
    max_expansion: u64,
}

impl Read for Inside<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.inside.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(io::Error::other(DecryptFailure::blame(error, self.kind.blame))),
        };
        self.produced += count as u64;
        let (produced, consumed, max_expansion) = (self.produced, self.consumed.get(), self.max_expansion);
        if produced > FREE.saturating_add(consumed.saturating_mul(max_expansion)) {
            let layer = self.kind.name;
            return Err(io::Error::other(DecryptFailure::TooLarge {
                layer,
                produced,
                consumed,
                max_expansion,
            }));
        }
        Ok(count)
    }
}
