//! Opening a message: what gpg writes, and an error at its end unless all of it counts.

use std::io::{self, Read};

use crate::layer::failure::DecryptFailure;
use crate::layer::gnupg::process::{Moved, Process};
use crate::layer::gnupg::{Keyring, words};
use crate::layer::identity::Identities;
use crate::layer::kind::Stream;

/// Ciphertext handed on at once: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Opens a message with the keyring of the template.
pub(super) fn open<'a>(input: Stream<'a>, identities: &Identities) -> Result<Stream<'a>, DecryptFailure> {
    let Some(keyring) = identities.keyring() else {
        return Err(DecryptFailure::NoSecretKey { keys: Vec::new(), homedir: None });
    };
    let arguments = keyring.arguments().into_iter().chain(["--decrypt".into()]);
    let process = Process::gpg::<std::ffi::OsString>(arguments)
        .map_err(|error| DecryptFailure::Program(Box::new(words::missing(&error))))?;
    Ok(Box::new(Decrypting {
        input,
        chunk: vec![0; CHUNK],
        pending: 0..0,
        state: State::Runs(process),
        judge: judge_with(keyring),
    }))
}

type Judge = Box<dyn Fn(Process) -> io::Result<()>>;

fn judge_with(keyring: &Keyring) -> Judge {
    let (homedir, secret_keys) = (keyring.homedir().to_owned(), keyring.secret_keys().to_vec());
    Box::new(move |process| {
        let (status, said) = process.finish()?;
        said.judge_decryption(status, &homedir, &secret_keys).map_err(io::Error::other)
    })
}

struct Decrypting<'a> {
    input: Stream<'a>,
    /// Ciphertext that gpg has not taken yet.
    chunk: Vec<u8>,
    pending: std::ops::Range<usize>,
    state: State,
    judge: Judge,
}

enum State {
    Runs(Process),
    Ended,
    Broken,
}

impl Read for Decrypting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Ended => {
                self.state = State::Ended;
                Ok(0)
            }
            State::Broken => {
                let why = "it ended with an error before".to_owned();
                Err(io::Error::other(DecryptFailure::GpgRefused(why)))
            }
            State::Runs(mut process) => {
                let count = self.step(&mut process, buffer)?;
                if count > 0 {
                    self.state = State::Runs(process);
                    return Ok(count);
                }
                let took_all = !process.takes_input();
                (self.judge)(process)?;
                if !took_all || !self.pending.is_empty() {
                    self.require_end()?;
                }
                self.state = State::Ended;
                Ok(0)
            }
        }
    }
}

impl Decrypting<'_> {
    /// Feeds gpg until it gives plaintext, or is at its end.
    fn step(&mut self, process: &mut Process, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let must_read = process.takes_input() && self.pending.is_empty();
            let moved = process.turn(&self.chunk[self.pending.clone()], buffer, !must_read)?;
            match moved {
                Moved::Out(count) => return Ok(count),
                Moved::Ended => return Ok(0),
                Moved::In(count) => self.pending.start += count,
                // It may have ended for a reason that it tells.
                Moved::Refused => {}
                Moved::Nothing => {
                    let count = read_some(&mut self.input, &mut self.chunk)?;
                    self.pending = 0..count;
                    if count == 0 {
                        process.end_input();
                    }
                }
            }
        }
    }

    /// gpg is content before it has read all: then nothing may follow.
    fn require_end(&mut self) -> io::Result<()> {
        if self.pending.is_empty() && read_some(&mut self.input, &mut self.chunk)? == 0 {
            return Ok(());
        }
        Err(io::Error::other(DecryptFailure::GpgRefused("something follows the message".to_owned())))
    }
}

fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
