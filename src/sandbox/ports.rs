//! Which ports of a stack's loopback have a listener. Before any data is in the stack, these are the stack's own programs. A
//! port without a listener at that time may later be taken by code from a dump.

use std::collections::BTreeSet;

use super::docker::{Engine, ExecSpec};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// The kernel's tables of connections, of IPv4 and IPv6 (proc(5)); the second is not there without IPv6.
const READ: &str = "cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null; true";
/// A table of so much has thousands of connections.
const OUTPUT_LIMIT: usize = 1024 * 1024;
/// The state of a socket that listens, as the tables have it.
const LISTENS: &str = "0A";

/// The TCP ports that have a listener in the container's network namespace.
pub async fn listening(engine: &Engine, container_id: &str) -> Result<BTreeSet<u16>> {
    let said = engine.capture(ExecSpec::new(container_id, ["bash", "-c", READ]), OUTPUT_LIMIT).await?;
    let ports = of_tables(&said.stdout);
    if ports.is_empty() {
        let why = crate::model::human::one_line(&said.stderr, 200);
        return Err(Failure::inconclusive(
            codes::PROBE_FAILED,
            format!("cannot find out which ports of the stack have a listener: {why}"),
        )
        .hint("the Postgres image must have bash and cat, as the official one does"));
    }
    Ok(ports)
}

/// Lines are `N: ADDRESS:PORT ADDRESS:PORT STATE …`, in hexadecimal.
fn of_tables(text: &str) -> BTreeSet<u16> {
    let port = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let (_, port) = local.rsplit_once(':').filter(|_| state == LISTENS)?;
        u16::from_str_radix(port, 16).ok()
    };
    text.lines().filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::of_tables;

    #[test]
    fn only_sockets_that_listen_have_their_port() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 1 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1538 0100007F:A2F4 01 00000000:00000000 00:00000000 00000000   999        0 2 1 0 100 0 0 10 0\n\
            \x20  0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0 0 0\n";
        assert_eq!(of_tables(text), [5432, 8080].into());
        assert!(of_tables("").is_empty());
    }
}
