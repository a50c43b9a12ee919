//! A kind of layer, as the list of layers has it.

use std::io::{self, Read, Write};

use super::failure::DecryptFailure;
use super::identity::{Identities, Recipients};
use crate::model::failure::Result;

/// A kind of layer: what wraps a backup.
#[derive(Debug, Clone, Copy)]
pub struct LayerKind {
    /// Its name.
    pub name: &'static str,
    /// Whether a file that begins with these bytes is wrapped in it. A name may lie, so it has no say.
    pub recognise: fn(&[u8]) -> Recognised,
    /// Takes the layer off. What is read from it ends with an error, never cleanly, unless the layer reached its
    /// authenticated end.
    pub open: for<'a> fn(Stream<'a>, &Identities) -> Result<Stream<'a>, DecryptFailure>,
    /// Wraps what is written to it.
    pub seal: for<'a> fn(Box<dyn Write + 'a>, &Recipients) -> Result<Sealing<'a>>,
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

/// A layer that is being written.
pub trait Seal: Write {
    /// Writes the end. Without it the file counts as truncated.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
