//! Zstandard (RFC 8878): one frame or several, skippable ones among them. The checksum of a frame is verified if it has one:
//! the program `zstd` writes it, and many libraries do not.

use std::io::{self, BufReader, Read};

use zstd::stream::read::Decoder;

use super::failure::DecryptFailure;
use super::identity::Identities;
use super::kind::{LayerKind, Recognised, Stream};

const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// What follows the first byte of a frame to skip (RFC 8878, section 3.1.2).
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
const BUFFER: usize = 128 * 1024;
/// Frames with a larger window need more memory than a drill gives one: 128 MiB. It is the limit of the program, too.
const WINDOW_LOG: u32 = 27;
/// How the library says that a frame needs more.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Zstandard, as the list of layers has it.
pub(super) const KIND: LayerKind = LayerKind { name: "zstd", encrypts: false, recognise, open, blame };

fn recognise(start: &[u8]) -> Recognised {
    // Some programs begin with a frame to skip (`pzstd` does): of these the first byte is one of sixteen.
    match start {
        [0x50..=0x5f, rest @ ..] if rest.starts_with(SKIPPABLE) => Recognised::Yes,
        _ => Recognised::by_magic(start, MAGIC),
    }
}

fn open<'a>(input: Stream<'a>, _: &Identities) -> Result<Stream<'a>, DecryptFailure> {
    let mut decoder = Decoder::with_buffer(BufReader::with_capacity(BUFFER, input)).map_err(out_of_memory)?;
    decoder.window_log_max(WINDOW_LOG).map_err(out_of_memory)?;
    Ok(Box::new(Frames { decoder, broken: false }))
}

/// The frames of a file. After an error nothing more comes: the decoder may begin anew behind it.
struct Frames<'a> {
    decoder: Decoder<'static, BufReader<Stream<'a>>>,
    broken: bool,
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::Error::other(altered("ended with an error before")));
        }
        let outcome = self.decoder.read(buffer);
        self.broken = outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        outcome
    }
}

fn out_of_memory(error: io::Error) -> DecryptFailure {
    DecryptFailure::Unsupported(format!("zstd cannot begin: {error}"))
}

fn altered(why: &str) -> DecryptFailure {
    DecryptFailure::LayerCorrupted(KIND.name, why.to_owned())
}

fn blame(error: io::Error) -> DecryptFailure {
    let said = error.to_string();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        DecryptFailure::LayerTruncated(KIND.name)
    } else if said.contains(WINDOW_TOO_LARGE) {
        DecryptFailure::Unsupported(
            "its zstd data has a window of more than 128 MiB (`zstd --long=28` or more)".to_owned(),
        )
    } else {
        altered(&format!("does not decompress: {}", crate::model::human::one_line(&said, 100)))
    }
}
