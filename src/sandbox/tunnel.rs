//! The way into a stack that nothing listens for: a relay process inside the container, joined to us through the
//! engine's exec stream. Works on any engine, local or remote, and needs no port, route or address.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::docker::{Engine, ExecSpec, Output};
use crate::model::failure::Result;

/// Copies between its own streams and a TCP connection inside the container. Ends with either side, and leaves no
/// process behind: what the container's first process inherits may disturb it.
const RELAY: &str = r#"until exec 3<>"/dev/tcp/$0/$1"; do
    [ "$SECONDS" -lt "$2" ] || exit 1
    sleep 0.05
done
cat <&3 & cat <&0 >&3 &
wait -n; kill $(jobs -p) 2>/dev/null; wait"#;

/// The container itself, as it sees itself.
pub const LOOPBACK: &str = "127.0.0.1";

/// A byte stream to where a container can connect to.
pub struct Tunnel {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: BoxStream<'static, Result<Output>>,
    pending: Bytes,
}

impl Tunnel {
    /// Opens a stream from the container to a host and a port.
    pub async fn open(engine: &Engine, container_id: &str, host: &str, port: &str) -> Result<Self> {
        Self::open_within(engine, container_id, host, port, Duration::ZERO).await
    }

    /// As [`Tunnel::open`], to where nothing may listen yet: it is tried again for so long.
    pub async fn open_within(
        engine: &Engine,
        container_id: &str,
        host: &str,
        port: &str,
        starting: Duration,
    ) -> Result<Self> {
        let starting = starting.as_secs().to_string();
        let spec = ExecSpec::new(container_id, ["bash", "-c", RELAY, host, port, &starting]);
        let exec = engine.exec(spec).await?;
        let (input, output) = exec.into_streams();
        Ok(Self { input, output, pending: Bytes::new() })
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.pending.is_empty() {
            match ready!(self.output.as_mut().poll_next(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(Output::Stdout(bytes))) => self.pending = bytes,
                // bash says why it could not connect; the caller only needs to know that it could not.
                Some(Ok(Output::Stderr(_))) => {}
                Some(Err(failure)) => return Poll::Ready(Err(io::Error::other(failure))),
            }
        }
        let n = self.pending.len().min(buffer.remaining());
        buffer.put_slice(&self.pending.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(cx)
    }
}
