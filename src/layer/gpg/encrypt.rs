//! Sealing, as a backup is made: gpg encrypts what is written, for one recipient.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::process::{Moved, Process, output_of};
use super::words;
use crate::layer::kind::{Seal, Sealing};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// Bytes of a listing of keys that are read.
const LISTING: usize = 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// A public key that gpg encrypts to.
#[derive(Debug, Clone)]
pub struct GpgRecipient {
    recipient: String,
    homedir: Option<PathBuf>,
}

impl GpgRecipient {
    /// The recipient of this name in a keyring: that in `homedir`, or gpg's own.
    ///
    /// # Errors
    /// `gpg_missing`; `recipient_invalid` if the keyring has no key for it that can be encrypted to.
    pub fn find(recipient: &str, homedir: Option<&Path>) -> Result<Self> {
        let found = Self { recipient: recipient.to_owned(), homedir: homedir.map(Path::to_owned) };
        let mut arguments = found.arguments();
        arguments.extend(["--with-colons", "--list-keys", "--", recipient].map(OsString::from));
        let (_, listing, _) = output_of(arguments, LISTING).map_err(|error| words::missing(&error))?;
        if words::listed_keys(&listing, false).is_empty() {
            let recipient = crate::model::human::one_line(recipient, 80);
            return Err(Failure::config(
                codes::RECIPIENT_INVALID,
                format!(
                    "gpg has no public key of backup.gpg_recipient `{recipient}` that can be encrypted to"
                ),
            )
            .hint("`gpg --import KEY_FILE` puts one into the keyring; name it by its fingerprint"));
        }
        Ok(found)
    }

    fn arguments(&self) -> Vec<OsString> {
        self.homedir.iter().flat_map(|homedir| ["--homedir".into(), homedir.into()]).collect()
    }
}

/// A writer that encrypts to a recipient. The template's word for the key is enough: without `--trust-model always` gpg would
/// refuse every key that nobody on this machine has signed or marked as trusted.
pub(in crate::layer) fn seal<'a>(
    output: Box<dyn Write + 'a>,
    recipient: &GpgRecipient,
) -> Result<Sealing<'a>> {
    let mut arguments = recipient.arguments();
    arguments.extend(["--trust-model", "always", "--encrypt", "--recipient"].map(OsString::from));
    arguments.push(OsString::from(&recipient.recipient));
    let process = Process::gpg(arguments).map_err(|error| words::missing(&error))?;
    Ok(Box::new(Encrypting { process, output, chunk: vec![0; CHUNK] }))
}

struct Encrypting<'a> {
    process: Process,
    output: Box<dyn Write + 'a>,
    chunk: Vec<u8>,
}

impl Write for Encrypting<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.process.turn(buffer, &mut self.chunk, true)? {
                Moved::In(count) => return Ok(count),
                Moved::Out(count) => self.output.write_all(&self.chunk[..count])?,
                // Why it ended is told by its end.
                Moved::Refused | Moved::Ended | Moved::Nothing => {
                    return Err(io::Error::new(
                        io::ErrorKind::BrokenPipe,
                        "gpg ended before all was encrypted",
                    ));
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seal for Encrypting<'_> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self { mut process, mut output, mut chunk } = *self;
        process.end_input();
        loop {
            match process.turn(&[], &mut chunk, true)? {
                Moved::Out(count) => output.write_all(&chunk[..count])?,
                Moved::Ended => break,
                Moved::In(_) | Moved::Refused | Moved::Nothing => {}
            }
        }
        let (status, said) = process.finish()?;
        said.judge_encryption(status).map_err(io::Error::other)?;
        output.flush()
    }
}
