//! What a stack with a way out would reach: a port of this host that is open, and one that listens for datagrams.
//!
//! Silence is worth something only if it could be broken. So the canary hears all that comes to any address of this host,
//! knows its own drill's datagrams by a random word, and at the end sends one to itself that must arrive.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;
use uuid::Uuid;

/// How long it keeps listening after the last datagram was sent.
const MOMENT: Duration = Duration::from_millis(500);
/// How long its own datagram may take.
const CONTROL: Duration = Duration::from_secs(5);
/// What stands in its own datagram in place of a probe's number.
const OWN: &str = "control";

/// Open while this value lives.
#[derive(Debug)]
pub struct Canary {
    listener: TcpListener,
    datagrams: UdpSocket,
    /// Or why not: where this host has no IPv6, say.
    datagrams6: Result<UdpSocket, String>,
    token: String,
}

/// What it heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeardDatagrams {
    /// The probes whose datagrams arrived, by their number.
    pub probes: BTreeSet<usize>,
    /// Whether its own did.
    pub itself: bool,
}

impl Canary {
    /// Listens on free ports on all addresses. Connections are neither accepted nor read.
    pub async fn open() -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?,
            datagrams: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
            datagrams6: UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await.map_err(|error| error.to_string()),
            token: Uuid::new_v4().simple().to_string(),
        })
    }

    /// The port that is open for connections.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// The port that hears datagrams over IPv4.
    pub fn datagram_port(&self) -> io::Result<u16> {
        Ok(self.datagrams.local_addr()?.port())
    }

    /// The port that hears datagrams over IPv6.
    pub fn datagram_port6(&self) -> Option<u16> {
        self.datagrams6.as_ref().ok()?.local_addr().ok().map(|address| address.port())
    }

    /// Why it hears none over IPv6, if so.
    pub fn deaf_to_ipv6(&self) -> Option<&str> {
        self.datagrams6.as_ref().err().map(String::as_str)
    }

    /// What a datagram must begin with to be heard; a probe's number follows.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Listens while the probes run, for a moment or longer after the last datagram was sent, and then to itself. Where it is
    /// not known when that was, it was when the probes ended.
    pub async fn hear<T>(&self, probing: impl Future<Output = (T, Option<Instant>)>) -> (T, HeardDatagrams) {
        let mut heard = HeardDatagrams::default();
        let (ended, sent) = self.hear_during(&mut heard, probing).await;
        let moment = tokio::time::sleep_until(sent.unwrap_or_else(Instant::now) + MOMENT);
        self.hear_during(&mut heard, moment).await;
        let own = format!("{} {OWN}", self.token);
        if let Ok(port) = self.datagram_port() {
            // One that could not be sent is not heard.
            let _ = self.datagrams.send_to(own.as_bytes(), (Ipv4Addr::LOCALHOST, port)).await;
        }
        let arriving = async {
            while !heard.itself {
                self.next(&mut heard).await;
            }
        };
        let _ = tokio::time::timeout(CONTROL, arriving).await;
        (ended, heard)
    }

    async fn hear_during<T>(&self, heard: &mut HeardDatagrams, during: impl Future<Output = T>) -> T {
        tokio::pin!(during);
        loop {
            tokio::select! {
                ended = &mut during => return ended,
                () = self.next(heard) => {}
            }
        }
    }

    /// The next datagram, from any sender.
    async fn next(&self, heard: &mut HeardDatagrams) {
        let (mut buffer, mut buffer6) = ([0; 128], [0; 128]);
        let over6 = async {
            match &self.datagrams6 {
                Ok(socket) => socket.recv_from(&mut buffer6).await,
                Err(_) => std::future::pending().await,
            }
        };
        let datagram = tokio::select! {
            received = self.datagrams.recv_from(&mut buffer) => received.map(|(length, _)| buffer[..length].to_vec()),
            received = over6 => received.map(|(length, _)| buffer6[..length].to_vec()),
        };
        match datagram {
            Ok(bytes) => self.note(&String::from_utf8_lossy(&bytes), heard),
            // An error of the socket is a datagram of ours that came back; there is no reason to spin on it.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }

    fn note(&self, datagram: &str, heard: &mut HeardDatagrams) {
        let Some(said) = datagram.strip_prefix(&self.token) else { return };
        match said.trim() {
            OWN => heard.itself = true,
            number => heard.probes.extend(number.parse::<usize>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_hears_itself_and_what_has_its_word_and_nothing_else() {
        let canary = Canary::open().await.unwrap();
        let to = (Ipv4Addr::LOCALHOST, canary.datagram_port().unwrap());
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (answer, heard) = canary
            .hear(async {
                for text in [format!("{} 4", canary.token()), "4711 5".to_owned(), canary.token().to_owned()]
                {
                    sender.send_to(text.as_bytes(), to).await.unwrap();
                }
                ("done", None)
            })
            .await;
        assert_eq!((answer, heard), ("done", HeardDatagrams { probes: [4].into(), itself: true }));
    }

    #[tokio::test]
    async fn a_canary_without_ipv6_hears_the_rest_and_says_why() {
        let mut canary = Canary::open().await.unwrap();
        canary.datagrams6 = Err("no such family".to_owned());
        assert_eq!((canary.deaf_to_ipv6(), canary.datagram_port6()), (Some("no such family"), None));
        assert!(canary.hear(async { ((), None) }).await.1.itself);
    }

    #[tokio::test]
    async fn what_arrives_when_the_probes_have_ended_is_heard() {
        let canary = Canary::open().await.unwrap();
        let port = canary.datagram_port6().expect("there is IPv6 here");
        let sender = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        sender
            .send_to(format!("{} 0", canary.token()).as_bytes(), (Ipv6Addr::LOCALHOST, port))
            .await
            .unwrap();
        let ((), heard) = canary.hear(async { ((), None) }).await;
        assert!(heard.probes.contains(&0) && heard.itself);
    }

    #[tokio::test]
    async fn it_listens_for_its_moment_from_the_last_datagram_on() {
        let canary = Canary::open().await.unwrap();
        let began = Instant::now();
        canary.hear(async { ((), Some(began)) }).await;
        assert!(began.elapsed() >= MOMENT);
        // A control that takes longer than that has been waited for.
        let (told, sent) = (Instant::now(), Instant::now().checked_sub(MOMENT).unwrap());
        canary.hear(async { ((), Some(sent)) }).await;
        assert!(told.elapsed() < MOMENT);
    }
}
