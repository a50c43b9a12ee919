//! Sealing, as a backup is made: gpg encrypts what is written, for one recipient.

use std::ffi::OsString;
use std::io::{self, Write};

use crate::layer::gnupg::process::{Moved, Process};
use crate::layer::gnupg::{GpgRecipient, words};
use crate::layer::kind::{Seal, Sealing};
use crate::model::failure::Result;

const CHUNK: usize = 64 * 1024;

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
                // Its exit status says why, and nothing after this is written.
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
