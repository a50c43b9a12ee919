//! The short cut into a stack: connections that this process makes in the stack's own network namespace, where it may enter that,
//! as root beside the engine. Elsewhere each connection is a process in the container, see [`super::tunnel`].
//!
//! A socket belongs to the namespace that it was made in. So one that is made here reaches the loopback of the stack and nothing
//! else, and the stack reaches nothing more because of it.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::docker::{Engine, ExecSpec};
use super::probe::BOOT_ID;

/// The network namespace of a process (namespaces(7)): as a file it is the namespace itself, as a link it has its number.
const NAMESPACE: &str = "/proc/self/ns/net";

/// How long one connection may take. Whatever listens there may be a dump's.
const CONNECT: Duration = Duration::from_secs(10);

/// The network namespace of a container, held open.
#[derive(Debug, Clone)]
pub struct ShortCut(Arc<File>);

impl ShortCut {
    /// The one into this container, if there is one. What the engine says of the container's process may be about another machine,
    /// or be seen from another PID namespace: so the container itself is asked for its kernel and its namespace.
    pub async fn find(engine: &Engine, container: &str) -> Option<Self> {
        if !engine.info().local || engine.info().rootless {
            return None;
        }
        let process = engine.observe_container(container).await.ok()?.process?;
        let namespace = File::open(format!("/proc/{process}/ns/net")).ok()?;
        let number = number(&namespace)?;
        let script = format!("cat {BOOT_ID} && readlink {NAMESPACE}");
        let said = engine.capture(ExecSpec::new(container, ["sh", "-c", &script]), 256).await.ok()?.stdout;
        let boot_id = std::fs::read_to_string(BOOT_ID).ok()?;
        let own = File::open(NAMESPACE).ok()?;
        if !is_there(&said, &boot_id, number) || self::number(&own) == Some(number) {
            return None;
        }
        let short_cut = Self(Arc::new(namespace));
        short_cut.inside(|| Ok(())).await.ok()?;
        Some(short_cut)
    }

    /// Connects to a port of the stack's loopback.
    ///
    /// # Errors
    /// If nothing listens there, or does not answer in time.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let connect =
            move || std::net::TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), CONNECT);
        let stream = self.inside(connect).await?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        TcpStream::from_std(stream)
    }

    /// Does something in the namespace: on a thread of its own, which does nothing else afterwards.
    async fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (namespace, (done, result)) = (Arc::clone(&self.0), oneshot::channel());
        std::thread::Builder::new().name("short-cut".to_owned()).spawn(move || {
            let _ = done.send(enter(&namespace).and_then(|()| work()));
        })?;
        result.await.unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace broke off")))
    }
}

/// Whether what a container says of itself means this kernel and this namespace.
fn is_there(said: &str, boot_id: &str, number: u64) -> bool {
    let expected = [boot_id.trim(), &format!("net:[{number}]")].map(str::to_owned);
    !boot_id.trim().is_empty() && said.lines().map(str::trim).eq(expected)
}

/// The number of a namespace, which no other one of this kernel has while it is open.
#[cfg(target_os = "linux")]
fn number(namespace: &File) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    namespace.metadata().ok().map(|metadata| metadata.ino())
}

#[cfg(target_os = "linux")]
fn enter(namespace: &File) -> io::Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use std::os::fd::AsFd;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

#[cfg(not(target_os = "linux"))]
fn number(_: &File) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn enter(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_kernel_and_the_same_namespace_are_there() {
        assert!(is_there("11-22\nnet:[4026532281]\n", "11-22\n", 4_026_532_281));
        for (said, boot_id, number) in [
            ("33-44\nnet:[4026532281]\n", "11-22\n", 4_026_532_281),
            ("11-22\nnet:[4026532281]\n", "11-22\n", 4_026_531_840),
            ("11-22\n", "11-22\n", 4_026_532_281),
            ("\nnet:[4026532281]\n", "", 4_026_532_281),
            ("11-22\nnet:[4026532281]\nmore\n", "11-22\n", 4_026_532_281),
            ("", "", 0),
        ] {
            assert!(!is_there(said, boot_id, number), "{said:?}");
        }
    }
}
