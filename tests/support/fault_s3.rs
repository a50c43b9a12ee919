//! A server whose answers a script decides: for stores that misbehave, and for servers that are no stores. It counts the
//! bytes that it could send before the client disconnected.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;

/// More than any answer of a store, and more than a client may take.
pub const ENDLESS: u64 = 2 << 30;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// The target without its query; a whole URL where the server was taken for a proxy.
    pub path: String,
    /// Decoded.
    pub query: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// Whether it asks for a page of a listing.
    pub fn is_listing(&self) -> bool {
        self.query.contains_key("list-type")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The body is repeated until so many bytes are sent.
    pub repeated_to: Option<u64>,
    /// No length is stated: the end of the connection is the end of the body.
    pub unmeasured: bool,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), repeated_to: None, unmeasured: false }
    }

    /// An error as S3 writes them.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::xml(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
    }

    pub fn xml(status: u16, body: &str) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
        Self::new(status, body).header("content-type", "application/xml")
    }

    /// A page of a listing: raw XML of its entries, and the token of the next.
    pub fn page(entries: &str, more: bool, token: Option<&str>) -> Self {
        let token = token.map(|token| format!("<NextContinuationToken>{token}</NextContinuationToken>"));
        Self::xml(
            200,
            &format!(
                "<ListBucketResult><IsTruncated>{more}</IsTruncated>{}{entries}</ListBucketResult>",
                token.unwrap_or_default()
            ),
        )
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn repeated_to(self, bytes: u64) -> Self {
        Self { repeated_to: Some(bytes), ..self }
    }

    pub fn unmeasured(self) -> Self {
        Self { unmeasured: true, ..self }
    }
}

/// An object of a listing's page.
pub fn entry(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><Size>3</Size><ETag>\"e\"</ETag></Contents>")
}

/// The server; it ends with the tests' process.
pub struct FaultS3 {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<Request>>>,
    scheme: &'static str,
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

impl FaultS3 {
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve("http", script, |socket| Ok(Box::new(socket)))
    }

    /// Serves over TLS, with a certificate for 127.0.0.1.
    pub fn start_tls(
        config: Arc<rustls::ServerConfig>,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::serve("https", script, move |socket| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            Ok(Box::new(rustls::StreamOwned::new(connection, socket)))
        })
    }

    fn serve(
        scheme: &'static str,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            sent: Arc::default(),
            asked: Arc::default(),
            scheme,
        };
        let (sent, asked) = (Arc::clone(&server.sent), Arc::clone(&server.asked));
        let (script, wrap): (Arc<Script>, _) = (Arc::new(script), Arc::new(wrap));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (sent, asked) = (Arc::clone(&sent), Arc::clone(&asked));
                let (script, wrap) = (Arc::clone(&script), Arc::clone(&wrap));
                // A client that hangs up is what is waited for.
                std::thread::spawn(move || {
                    let stream = wrap(socket)?;
                    converse(stream, &*script, &sent, &asked)
                });
            }
        });
        server
    }

    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Bytes of bodies that could be sent, those in the buffers between the two included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn converse(
    stream: Box<dyn Stream>,
    script: &Script,
    sent: &AtomicU64,
    asked: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read_request(&mut stream)?;
    let answer = script(&request);
    asked.lock().unwrap().push(request.clone());
    let stream = stream.get_mut();
    let length = answer.repeated_to.unwrap_or(answer.body.len() as u64);
    let mut head = format!("HTTP/1.1 {} Told\r\nconnection: close\r\n", answer.status);
    if !answer.unmeasured {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return stream.flush();
    }
    let mut left = length;
    while left > 0 {
        let chunk = &answer.body[..answer.body.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        stream.write_all(chunk)?;
        left -= chunk.len() as u64;
        sent.fetch_add(chunk.len() as u64, Ordering::SeqCst);
    }
    stream.flush()
}

fn read_request(stream: &mut impl BufRead) -> io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
        headers: BTreeMap::new(),
    };
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok(request)
}
