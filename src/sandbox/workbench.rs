//! The workbench: a container of the stack in which files of a backup are opened, such as databases of SQLite.
//!
//! It joins the stack as a server does. It listens on a port of its own, so that the control of the isolation probes has
//! something to connect to where there is no PostgreSQL server.

use std::collections::BTreeMap;

use super::labels::Ownership;
use super::spec::{Attachment, ContainerSpec, SCRATCH, container_name};
use crate::model::names::ServerName;
use crate::template::{WORKBENCH as NAME, WORKBENCH_PORT};

/// The user that files are opened as. It owns nothing but what it makes.
pub const USER: &str = "65534:65534";

/// Takes connections, and closes them, until it is ended.
const SERVE: &str = r#"exec perl -MIO::Socket::INET -e '
    my $server = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 8, ReuseAddr => 1) or die "cannot listen: $!";
    $SIG{TERM} = sub { exit 0 };
    while (1) { my $client = $server->accept; close $client if $client; }' "$1""#;

/// What its container needs.
#[derive(Debug, Clone, Copy)]
pub struct WorkbenchNeeds<'a> {
    /// The image.
    pub image: &'a str,
    /// Memory limit in bytes.
    pub memory_bytes: u64,
}

/// Its name, as that of a server.
pub fn name() -> ServerName {
    NAME.parse().expect("it is the name of a host")
}

/// Its container.
pub fn workbench(ownership: &Ownership, attachment: Attachment, needs: &WorkbenchNeeds<'_>) -> ContainerSpec {
    let command = ["sh", "-c", SERVE, NAME].map(str::to_owned);
    ContainerSpec {
        service: NAME.to_owned(),
        name: container_name(ownership, NAME),
        image: needs.image.to_owned(),
        user: Some(USER.to_owned()),
        entrypoint: Some(command.into()),
        command: vec![WORKBENCH_PORT.to_string()],
        environment: BTreeMap::new(),
        volumes: [(SCRATCH.to_owned(), ownership.volume_labels(NAME, "scratch"))].into(),
        attachment,
        memory_bytes: needs.memory_bytes,
        shm_bytes: 64 * 1024 * 1024,
        logged: true,
        labels: ownership.container_labels(NAME),
    }
}
