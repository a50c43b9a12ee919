//! A kind of layer, as the list of layers has it.

use std::io::{self, Read, Write};

use super::failure::DecryptFailure;
use super::identity::Identities;

/// A kind of layer: what wraps a backup.
#[derive(Debug, Clone, Copy)]
pub struct LayerKind {
    /// Its name.
    pub name: &'static str,
    /// Whether it keeps what is inside from whoever has no key.
    pub encrypts: bool,
    /// Whether a file that begins with these bytes is wrapped in it. A name may lie, so it has no say.
    pub recognise: fn(&[u8]) -> Recognised,
    /// Takes the layer off. What is read from it ends with an error, never cleanly, unless the layer reached its
    /// authenticated end, and the file around it its end.
    pub open: for<'a> fn(Stream<'a>, &Identities) -> Result<Stream<'a>, DecryptFailure>,
    /// What an error of the layer's own reader means. Errors of what is around it are told apart before.
    pub blame: fn(io::Error) -> DecryptFailure,
}

/// A file, or what is in a layer of it.
pub type Stream<'a> = Box<dyn Read + 'a>;

/// A layer that is being written, of any kind.
pub type Sealing<'a> = Box<dyn Seal + 'a>;

/// What first bytes say of a kind of layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// They are this layer's.
    Yes,
    /// They are not.
    No,
    /// The file ends before they show whether it is in this layer.
    CutOff,
}

impl Recognised {
    /// By the bytes that every file in a layer begins with.
    pub(super) fn by_magic(start: &[u8], magic: &[u8]) -> Self {
        if start.starts_with(magic) {
            Self::Yes
        } else if magic.starts_with(start) {
            Self::CutOff
        } else {
            Self::No
        }
    }
}

/// A layer that is being written.
pub trait Seal: Write {
    /// Writes the end. Without it the file counts as truncated.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
