//! The short cut to a server's socket: there for root on the engine's machine, and never a way to any other server.

use std::os::unix::net::UnixListener;

use restore_drill::sandbox::docker::Engine;
use restore_drill::sandbox::shortcut::open_socket;

use super::fixtures::Source;
use super::world::{RUNTIME, docker};

const SOCKET: &str = "/var/run/postgresql/.s.PGSQL.5432";

/// The container's whole id, and whether its socket can be had.
fn reaches(source: &Source) -> bool {
    let id = docker(&["inspect", "--format={{.Id}}", &source.container]);
    RUNTIME.block_on(async {
        let engine = Engine::connect().await.expect("the engine answers");
        open_socket(&engine, &id).await.is_some()
    })
}

/// Whether this process may look into every other one (the kernel asks for `CAP_SYS_PTRACE`), and runs on the
/// engine's machine as far as its address tells.
fn is_privileged_beside_the_engine() -> bool {
    const CAP_SYS_PTRACE: u32 = 19;
    let status = std::fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("it says so");
    let effective = u64::from_str_radix(effective.trim(), 16).expect("it is a hexadecimal number");
    effective >> CAP_SYS_PTRACE & 1 == 1 && std::env::var_os("DOCKER_HOST").is_none()
}

fn in_container(source: &Source, script: &str) {
    docker(&["exec", "--user=root", &source.container, "sh", "-c", script]);
}

#[test]
fn the_socket_of_the_containers_own_server_is_reached_where_one_may_look_into_it() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let pid = docker(&["inspect", "--format={{.State.Pid}}", &source.container]);
    let may_look = std::fs::metadata(format!("/proc/{pid}/root/run/postgresql")).is_ok();
    assert!(
        may_look || !is_privileged_beside_the_engine(),
        "the short cut is there for root, and root cannot take it"
    );
    assert_eq!(reaches(&source), may_look);
    let short = RUNTIME.block_on(async {
        let engine = Engine::connect().await.expect("the engine answers");
        open_socket(&engine, &source.container).await.is_some()
    });
    assert!(!short, "a name is not proof of whose process it is");
}

#[test]
fn a_link_in_the_container_does_not_lead_out_of_it() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let outside = directory.path().join("outside");
    let listener = UnixListener::bind(&outside).expect("it can listen");
    listener.set_nonblocking(true).expect("it can be asked");
    for target in [outside.display().to_string(), format!("/proc/1/root{}", outside.display())] {
        in_container(&source, &format!("rm -f {SOCKET} && ln -s {target} {SOCKET}"));
        assert!(!reaches(&source), "{target}");
        let asked = listener.accept();
        assert!(
            asked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "{target} was asked"
        );
    }
}

#[test]
fn somebody_else_behind_a_directory_that_was_moved_is_not_believed() {
    let source = Source::start("DRILL_POSTGRES_17_IMAGE");
    in_container(&source, "rm -rf /run/postgresql && ln -s /nowhere /run/postgresql");
    assert!(!reaches(&source));
}
