//! A short cut to a server in a container on this machine: its Unix socket, reached through `/proc`.
//!
//! An exec stream costs more processor time than Postgres needs to send a row: the relay, the shim and the engine each
//! copy every byte. Where this process may look into the container's file system, as root may, the server's own
//! socket needs none of them. Nothing about the container is other than without it: no port, no mount, no address. Where
//! anything is in the way there is no short cut, and the [`super::tunnel`] is the way in.
//!
//! The file system behind `/proc/PID/root` is hostile, and a process id may be another machine's. So the id is believed
//! only if the kernel has that process in the container's control group; every path is resolved as if the container's root
//! were the root of all; and whoever answers must live in the container's own process namespace.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use tokio::net::UnixStream;

use super::docker::Engine;

/// Where Debian's and the official images have the server's socket, seen from the container's root.
const SOCKETS: [&str; 2] = ["var/run/postgresql/.s.PGSQL.5432", "tmp/.s.PGSQL.5432"];

/// The socket of the Postgres in a container, if it can be reached without the engine.
pub async fn open_socket(engine: &Engine, container_id: &str) -> Option<UnixStream> {
    if !engine.info().local {
        return None;
    }
    let pid = engine.observe_container(container_id).await.ok()?.pid?;
    let process = Path::new("/proc").join(pid.to_string());
    let root =
        open(process.join("root"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    // After opening: the id may have been given to another process in between, and then this is not the container's.
    if !is_of_container(&fs::read_to_string(process.join("cgroup")).ok()?, container_id) {
        return None;
    }
    let namespace = namespace_of(&process)?;
    if namespace == namespace_of(Path::new("/proc/self"))? {
        return None;
    }
    for socket in SOCKETS {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let Ok(file) = openat2(&root, socket, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) else {
            continue;
        };
        // By its descriptor: its name could be a link by now.
        let Ok(stream) = UnixStream::connect(format!("/proc/self/fd/{}", file.as_raw_fd())).await else {
            continue;
        };
        let peer = stream.peer_cred().ok()?.pid()?;
        let peer = namespace_of(&Path::new("/proc").join(peer.to_string()));
        return (peer.as_ref() == Some(&namespace)).then_some(stream);
    }
    None
}

/// Whether a process with these control groups is in the container: its id is a part of their names.
fn is_of_container(cgroups: &str, container_id: &str) -> bool {
    // A whole id, not a name or a prefix that others could have, too.
    let whole = container_id.len() == 64 && container_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole && cgroups.lines().any(|line| line.contains(container_id))
}

fn namespace_of(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/pid")).ok()
}

#[cfg(test)]
mod tests {
    use super::is_of_container;

    #[test]
    fn a_process_is_of_a_container_only_by_its_whole_id() {
        let id = "0123456789abcdef".repeat(4);
        for path in ["/docker/ID", "/system.slice/docker-ID.scope", "/user.slice/x/docker-ID.scope/init"] {
            let cgroups = format!("12:pids:/\n0::{}\n", path.replace("ID", &id));
            assert!(is_of_container(&cgroups, &id), "{cgroups}");
            assert!(!is_of_container(&cgroups, &"f".repeat(64)));
            assert!(!is_of_container(&cgroups, &id[..12]), "a short id could be another's beginning");
        }
        assert!(!is_of_container("0::/user.slice\n", &id), "a process of the host");
        assert!(!is_of_container("0::/\n", ""));
    }
}
