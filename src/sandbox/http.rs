//! HTTP requests to a service of the stack, made from inside its network. The only file that imports hyper.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::docker::Engine;
use super::tunnel::Tunnel;

/// The part of a body that is read.
const BODY_LIMIT: usize = 64 * 1024;

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// Asks `http://service:port/path`, from inside a container with bash. An error is words for a person.
pub async fn get(
    engine: &Engine,
    from_container: &str,
    service: &str,
    port: u16,
    path: &str,
) -> Result<Reply, String> {
    let tunnel = Tunnel::open(engine, from_container, service, &port.to_string()).await;
    let tunnel = tunnel.map_err(|failure| failure.message)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(tunnel)).await.map_err(|error| why(&error))?;
    let request = Request::get(path)
        .header("host", format!("{service}:{port}"))
        .header("user-agent", concat!("restore-drill/", env!("CARGO_PKG_VERSION")))
        .header("accept", "*/*")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|error| why(&error))?;
        let status = response.status().as_u16();
        let (mut incoming, mut body) = (response.into_body(), Vec::new());
        while body.len() < BODY_LIMIT {
            let Some(frame) = incoming.frame().await else { break };
            // A body that breaks off is judged by what there is of it.
            let Ok(frame) = frame else { break };
            if let Some(bytes) = frame.data_ref() {
                body.extend_from_slice(&bytes[..bytes.len().min(BODY_LIMIT - body.len())]);
            }
        }
        Ok(Reply { status, body })
    };
    // The connection works only while it is polled; it has ended before the answer if it ended without one.
    tokio::pin!(asking, connection);
    tokio::select! {
        biased;
        reply = &mut asking => reply,
        _ = &mut connection => asking.await,
    }
}

fn why(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "it does not listen, or hangs up without an answer".to_owned()
    } else if error.is_parse() {
        "what it answers is not HTTP".to_owned()
    } else {
        error.to_string()
    }
}
