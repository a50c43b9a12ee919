//! The layers of one file, taken off one after another.

use std::io::{Cursor, Read, Write};

use super::age;
use super::failure::DecryptFailure;
use super::identity::{Identities, Recipients};
use super::kind::{LayerKind, Recognised, Sealing, Stream};
use crate::model::failure::Result;

/// Every kind of layer. The content of a file picks those that are taken off.
pub static LAYERS: &[LayerKind] = &[age::KIND];

/// Layers that are taken off one file. A dump that is encrypted once more than that is reported as such.
const DEPTH: usize = 1;
/// First bytes that a layer is recognised by.
const FIRST_BYTES: u64 = 64;

/// A file whose layers are taken off as it is read.
pub struct Opened<'a> {
    /// The names of the layers, the outermost first.
    pub layers: Vec<&'static str>,
    content: Stream<'a>,
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.content.read(buffer)
    }
}

/// Takes the layers off a file. Reading gives an error, never a clean end, for a file that is cut off or altered; map it
/// with [`DecryptFailure::from_stream`].
///
/// # Errors
/// If the file is in no layer; whatever is wrong with a layer's header, or with the identities.
pub fn open<'a>(input: impl Read + 'a, identities: &Identities) -> Result<Opened<'a>, DecryptFailure> {
    let mut opened = Opened { layers: Vec::new(), content: Box::new(input) };
    while opened.layers.len() < DEPTH {
        let (kind, input) = recognise(opened.content)?;
        opened.layers.push(kind.name);
        opened.content = (kind.open)(input, identities)?;
    }
    Ok(opened)
}

/// Encrypts what is written, as a backup is made.
///
/// # Errors
/// `encrypt_failed`, if the recipients do not go together or the writer below fails.
pub fn encrypt<'a>(output: impl Write + 'a, recipients: &Recipients) -> Result<Sealing<'a>> {
    (age::KIND.seal)(Box::new(output), recipients)
}

/// The layer that a file begins with, and the file from its first byte.
fn recognise(mut input: Stream<'_>) -> Result<(&'static LayerKind, Stream<'_>), DecryptFailure> {
    let mut start = Vec::new();
    input.by_ref().take(FIRST_BYTES).read_to_end(&mut start).map_err(DecryptFailure::from_stream)?;
    if start.is_empty() {
        return Err(DecryptFailure::Empty);
    }
    let is = |wanted| LAYERS.iter().find(|kind| (kind.recognise)(&start) == wanted);
    match is(Recognised::Yes) {
        Some(kind) => Ok((kind, Box::new(Cursor::new(start).chain(input)))),
        None if is(Recognised::CutOff).is_some() => Err(DecryptFailure::Truncated),
        None => Err(DecryptFailure::not_age(&start)),
    }
}
