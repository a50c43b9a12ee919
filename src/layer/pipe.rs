//! Runs the synchronous ciphers between two asynchronous ends, on a thread of their own.
//!
//! Both ends are bounded channels, so memory does not grow with the dump: a slow reader slows the store down.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::recipient::Recipients;
use super::stack::{encrypt, open};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::transfer::TransferStats;

/// Chunks on their way at either end.
pub const CHANNEL_DEPTH: usize = 8;
/// Parts of an object on their way from the store, which are large.
pub const PARTS_WAITING: usize = 1;
/// Size of the chunks of plaintext handed on.
const CHUNK: usize = 256 * 1024;

/// Decrypts what comes out of `input` into `output`, showing each chunk to `inspect` first. Blocking: run it on a
/// thread that may block.
///
/// # Errors
/// An error of `input` or of `inspect` comes back as it is; otherwise whatever [`open`] finds.
pub fn decrypt_blocking(
    input: mpsc::Receiver<Result<Bytes>>,
    output: &mpsc::Sender<Bytes>,
    identities: &Identities,
    mut inspect: impl FnMut(&[u8]) -> Result<()>,
) -> Result<TransferStats> {
    let began = Instant::now();
    let mut source = ChannelReader::new(input);
    let mut plaintext_hash = Sha256::new();
    let mut plaintext_bytes = 0;
    let mut waited_for_output = Duration::ZERO;
    let mut objection = None;
    let mut layers = Vec::new();
    let outcome = (|| {
        let mut plaintext = open(&mut source, identities)?;
        layers.clone_from(&plaintext.layers);
        loop {
            let mut chunk = BytesMut::zeroed(CHUNK);
            let filled = fill(&mut plaintext, &mut chunk).map_err(DecryptFailure::from_stream)?;
            if filled == 0 {
                return Ok(());
            }
            chunk.truncate(filled);
            plaintext_hash.update(&chunk);
            plaintext_bytes += filled as u64;
            if let Err(failure) = inspect(&chunk) {
                objection = Some(failure);
                return Ok(());
            }
            let waiting = Instant::now();
            if output.blocking_send(chunk.freeze()).is_err() {
                // The receiver of the plaintext is gone, and reports its own reason.
                return Err(DecryptFailure::Source(io::ErrorKind::BrokenPipe.into()));
            }
            waited_for_output += waiting.elapsed();
        }
    })();
    if let Some(failure) = source.failure.take().or(objection) {
        return Err(failure);
    }
    outcome.map_err(DecryptFailure::into_failure)?;
    let waited_for_input = source.waited;
    Ok(TransferStats {
        layers,
        ciphertext_sha256: hex::encode(source.hash.finalize()),
        plaintext_sha256: hex::encode(plaintext_hash.finalize()),
        plaintext_bytes,
        ciphertext_bytes: source.bytes,
        waited_for_input,
        waited_for_output,
        worked: began.elapsed().saturating_sub(waited_for_input + waited_for_output),
    })
}

/// Encrypts what comes out of `input` into `output`. Blocking: run it on a thread that may block.
///
/// # Errors
/// An error of `input` comes back as it is; otherwise `encrypt_failed`, or `encryption_broke_off`.
pub fn encrypt_blocking(
    input: mpsc::Receiver<Result<Bytes>>,
    output: mpsc::Sender<Bytes>,
    recipients: &Recipients,
) -> Result<TransferStats> {
    let began = Instant::now();
    let mut source = ChannelReader::new(input);
    let mut sink = ChannelWriter { output, hash: Sha256::new(), bytes: 0, waited: Duration::ZERO };
    let copied = encrypt(&mut sink, recipients).and_then(|mut writer| {
        io::copy(&mut source, &mut writer).and_then(|_| writer.finish()).map_err(|error| {
            Failure::inconclusive(codes::ENCRYPTION_BROKE_OFF, format!("encryption broke off: {error}"))
        })
    });
    if let Some(failure) = source.failure.take() {
        return Err(failure);
    }
    copied?;
    Ok(TransferStats {
        layers: vec![recipients.layer()],
        ciphertext_sha256: hex::encode(sink.hash.finalize()),
        plaintext_sha256: hex::encode(source.hash.finalize()),
        plaintext_bytes: source.bytes,
        ciphertext_bytes: sink.bytes,
        waited_for_input: source.waited,
        waited_for_output: sink.waited,
        worked: began.elapsed().saturating_sub(source.waited + sink.waited),
    })
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads from a channel, hashing and timing on the way.
struct ChannelReader {
    input: mpsc::Receiver<Result<Bytes>>,
    chunk: Bytes,
    hash: Sha256,
    bytes: u64,
    waited: Duration,
    failure: Option<Failure>,
}

impl ChannelReader {
    fn new(input: mpsc::Receiver<Result<Bytes>>) -> Self {
        Self {
            input,
            chunk: Bytes::new(),
            hash: Sha256::new(),
            bytes: 0,
            waited: Duration::ZERO,
            failure: None,
        }
    }
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let waiting = Instant::now();
            let next = self.input.blocking_recv();
            self.waited += waiting.elapsed();
            match next {
                None => return Ok(0),
                Some(Ok(chunk)) => {
                    self.hash.update(&chunk);
                    self.bytes += chunk.len() as u64;
                    self.chunk = chunk;
                }
                Some(Err(failure)) => {
                    self.failure = Some(failure);
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
        let n = buffer.len().min(self.chunk.len());
        buffer[..n].copy_from_slice(&self.chunk.split_to(n));
        Ok(n)
    }
}

/// Writes to a channel, hashing and timing on the way.
struct ChannelWriter {
    output: mpsc::Sender<Bytes>,
    hash: Sha256,
    bytes: u64,
    waited: Duration,
}

impl Write for ChannelWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.hash.update(buffer);
        self.bytes += buffer.len() as u64;
        let waiting = Instant::now();
        let sent = self.output.blocking_send(Bytes::copy_from_slice(buffer));
        self.waited += waiting.elapsed();
        sent.map(|()| buffer.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
