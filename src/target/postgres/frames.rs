//! What a server sends, in messages of a bounded size.
//!
//! The server of a drill is hostile: it announces how long a message is, and a reader that believed it would make
//! room for all of it. Rows of a `COPY` are handed on in pieces, whatever their length: their reader does not mind. Any
//! other message that is longer than [`LIMIT`] is not read at all. In its place comes an error, as if the server had sent
//! it, and the connection ends.
//!
//! Each message is a byte for its type, and four for its length without that byte (PostgreSQL documentation, 53.2.1). That
//! holds from the first byte on only where no encryption is negotiated, as on the way into a stack.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// The longest message that is read: a row of a catalog, an answer to a query, a row of a chain. None that says anything is
/// nearly so long, and one for each connection fits the memory of any machine that runs drills.
pub const LIMIT: usize = 64 * 1024 * 1024;

/// The SQLSTATE of the error that stands for a message that was not read. No server has it.
pub const TOO_LONG: &str = "RDM01";

/// Rows of a `COPY` are handed on in pieces of this size.
const PIECE: usize = 1024 * 1024;
/// Read at once.
const READ: usize = 64 * 1024;
const HEADER: usize = 5;
const COPY_DATA: u8 = b'd';

/// A connection whose messages are bounded.
pub struct Bounded<S> {
    inner: S,
    /// What came and was not handed on.
    raw: BytesMut,
    /// Headers and errors of our own, to be handed on first.
    own: BytesMut,
    /// Bytes of the message, or of its piece, that are handed on as they come.
    passing: usize,
    /// Bytes of a message of which further pieces are to come.
    more: usize,
    /// Whether nothing is read any more.
    ended: bool,
}

impl<S> Bounded<S> {
    /// Bounds the messages of this stream.
    pub fn new(inner: S) -> Self {
        Self { inner, raw: BytesMut::new(), own: BytesMut::new(), passing: 0, more: 0, ended: false }
    }

    /// Hands on what is there, as far as there is room.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        while buffer.remaining() > 0 {
            if !self.own.is_empty() {
                let some = self.own.len().min(buffer.remaining());
                buffer.put_slice(&self.own.split_to(some));
            } else if self.ended {
                return;
            } else if self.passing > 0 && !self.raw.is_empty() {
                let some = self.passing.min(self.raw.len()).min(buffer.remaining());
                buffer.put_slice(&self.raw.split_to(some));
                self.passing -= some;
            } else if self.passing == 0 && self.more > 0 {
                self.begin(COPY_DATA, self.more.min(PIECE));
                self.more -= self.passing;
            } else if self.passing == 0 && self.raw.len() >= HEADER {
                self.read_header();
            } else {
                return;
            }
        }
    }

    fn read_header(&mut self) {
        let kind = self.raw.get_u8();
        let length = self.raw.get_u32();
        let Some(body) = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)) else {
            // No message has such a length; the reader says so.
            self.own.put_u8(kind);
            self.own.put_u32(length);
            return;
        };
        if kind == COPY_DATA && body > PIECE {
            self.begin(kind, PIECE);
            self.more = body - PIECE;
        } else if body > LIMIT {
            self.own.extend_from_slice(&refusal(body));
            self.ended = true;
        } else {
            self.begin(kind, body);
        }
    }

    fn begin(&mut self, kind: u8, body: usize) {
        self.own.put_u8(kind);
        self.own.put_u32(u32::try_from(body + 4).expect("no piece is longer than the limit"));
        self.passing = body;
    }
}

/// The error that stands for a message of this length (PostgreSQL documentation, 53.8).
fn refusal(length: usize) -> BytesMut {
    let said = format!(
        "the server sent a value or a row of {}, and at most {} are read at once",
        crate::model::human::bytes(length as u64),
        crate::model::human::bytes(LIMIT as u64)
    );
    let mut fields = BytesMut::new();
    for (field, text) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', TOO_LONG), (b'M', &said)] {
        fields.put_u8(field);
        fields.extend_from_slice(text.as_bytes());
        fields.put_u8(0);
    }
    fields.put_u8(0);
    let mut message = BytesMut::new();
    message.put_u8(b'E');
    message.put_u32(u32::try_from(fields.len() + 4).expect("it is short"));
    message.extend_from_slice(&fields);
    message
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            self.hand_on(buffer);
            if buffer.filled().len() > before || self.ended || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let this = &mut *self;
            this.raw.reserve(READ);
            if ready!(poll_read_buf(Pin::new(&mut this.inner), cx, &mut this.raw))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A stream that ends after these bytes and gives so many at a time.
    struct Chopped(BytesMut, usize);

    impl AsyncRead for Chopped {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let some = self.1.max(1).min(self.0.len()).min(buffer.remaining());
            buffer.put_slice(&self.0.split_to(some));
            Poll::Ready(Ok(()))
        }
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
    }

    fn read(sent: &[u8], at_a_time: usize) -> Vec<u8> {
        let mut read = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut stream = Bounded::new(Chopped(sent.into(), at_a_time));
        runtime.block_on(stream.read_to_end(&mut read)).unwrap();
        read
    }

    proptest! {
        #[test]
        fn messages_of_a_usual_length_come_as_they_were_sent(
            messages in vec((any::<u8>(), vec(any::<u8>(), 0..300)), 0..20), at_a_time in 1..1000usize,
        ) {
            let sent: Vec<u8> = messages.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
            prop_assert_eq!(read(&sent, at_a_time), sent);
        }
    }

    #[test]
    fn long_rows_of_a_copy_come_in_pieces_and_whole() {
        let body: Vec<u8> = (0..PIECE * 2 + 17).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let sent = [message(b'H', b"x"), message(COPY_DATA, &body), message(b'c', b"")].concat();
        let read = read(&sent, 100_000);
        let (mut rest, mut bodies, mut kinds) = (&read[..], Vec::new(), Vec::new());
        while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
            let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4;
            assert!(length <= PIECE);
            kinds.push(header[0]);
            if header[0] == COPY_DATA {
                bodies.extend_from_slice(&after[..length]);
            }
            rest = &after[length..];
        }
        assert_eq!((kinds.as_slice(), bodies == body), (&b"Hdddc"[..], true));
    }

    #[test]
    fn a_message_beyond_the_limit_is_an_error_and_the_end() {
        let announced = [&b"D"[..], &1_200_000_000u32.to_be_bytes(), b"and so on"].concat();
        let read = read(&[message(b'Z', b"I"), announced].concat(), 7);
        let error = &read[message(b'Z', b"I").len()..];
        assert_eq!(error[0], b'E');
        assert_eq!(u32::from_be_bytes(error[1..HEADER].try_into().unwrap()) as usize, error.len() - 1);
        let said = String::from_utf8_lossy(error);
        assert!(said.contains(TOO_LONG) && said.contains("1.1 GiB") && !said.contains("and so on"), "{said}");
    }

    #[tokio::test]
    async fn whoever_asked_is_told_why_there_is_no_answer() {
        use tokio::io::AsyncWriteExt;
        let (ours, mut theirs) = tokio::io::duplex(1000);
        tokio::spawn(async move {
            let mut asked = [0; 1000];
            assert_ne!(theirs.read(&mut asked).await.unwrap(), 0);
            theirs.write_all(&[message(b'R', &[0; 4]), message(b'Z', b"I")].concat()).await.unwrap();
            assert_ne!(theirs.read(&mut asked).await.unwrap(), 0);
            theirs.write_all(&[&b"D"[..], &1_200_000_000u32.to_be_bytes()].concat()).await.unwrap();
            // It goes on and on, as long as it is read.
            while theirs.write_all(&[0; 1000]).await.is_ok() {}
        });
        let mut config = tokio_postgres::Config::new();
        config.user("postgres");
        let (client, connection) =
            config.connect_raw(Bounded::new(ours), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let error = client.simple_query("SELECT 1").await.unwrap_err();
        let failure = super::super::failures::own_failure("counting t", &error);
        assert_eq!(failure.code.as_str(), "value_too_large");
        assert!(
            failure.message.starts_with("counting t: the server sent a value or a row of 1.1 GiB"),
            "{failure}"
        );
    }

    #[test]
    fn a_length_that_no_message_has_is_left_for_the_reader_to_refuse() {
        assert_eq!(read(b"T\0\0\0\x01", 2), b"T\0\0\0\x01");
    }
}
