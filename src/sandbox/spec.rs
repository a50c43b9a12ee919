//! What a stack consists of. Pure: from a template to a description that [`super::docker`] carries out.
//!
//! The types have no way to say "publish a port", "bind a path of the host" or "add a privilege"; what is
//! forbidden cannot be asked for.

use std::collections::BTreeMap;

use super::labels::{Labels, Ownership};
use super::postgres_image::PostgresImage;
use crate::model::names::ServerName;
use crate::model::secret::Secret;
use crate::template;

/// Where a dump lies inside the Postgres container while it is restored.
pub const SCRATCH: &str = "/scratch";
/// Resolver of every container: its own loopback, where nothing listens. The stack's own names still resolve
/// through Docker's embedded server; outside names have nowhere to go, even on engines that forward lookups from
/// the host's network (CVE-2024-29018).
pub const NO_RESOLVER: &str = "127.0.0.1";

/// Runs the image's entrypoint below a shell that collects processes whose parents are gone. A postmaster that is
/// the container's first process takes such a stranger's death for the crash of one of its own, and restarts
/// everything. (`docker run --init` does the same, but not every host has the binary for it.)
///
/// Libraries that dumps need loaded at the start are loaded if the image has them: without one of those it names, the
/// server does not start at all.
///
/// Where the image has no files to set more up with, the cluster is made here, as the entrypoint makes it. The entrypoint
/// would start a server for such files, and stop it again. It finds the cluster, and goes on to the server itself. An
/// entrypoint of another name may do more the first time, and is left to it.
const START: &str = r#"have=
for library in $PRELOAD; do
    for place in "$(pg_config --pkglibdir 2>/dev/null)" /usr/lib/postgresql/*/lib /usr/local/lib/postgresql; do
        [ -e "$place/$library.so" ] && have=$have,$library && break
    done
done
[ -z "$have" ] || set -- "$@" -c "shared_preload_libraries=${have#,}"
files=$(ls -A /docker-entrypoint-initdb.d 2>/dev/null)
if [ "${1##*/} $2" = 'docker-entrypoint.sh postgres' ] && [ -z "$files" ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"} $POSTGRES_INITDB_ARGS &&
        echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
fi
"$@" & wait $!"#;

/// Look-ups give up after this: nothing will answer one that leaves the stack, and names within it resolve at once.
pub const RESOLVER_OPTIONS: [&str; 2] = ["timeout:2", "attempts:1"];

/// A network.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// The name of the network.
    pub name: String,
    /// Whether packets are kept from leaving it.
    pub internal: bool,
    /// Bridge driver options.
    pub options: BTreeMap<String, String>,
    /// The labels that it gets.
    pub labels: Labels,
}

/// What a container's network namespace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// One of its own on the stack's network of this name, where it is known by its service's name.
    Network(String),
    /// One of its own with nothing but a loopback, which these names stand for.
    Loopback(Vec<String>),
    /// The one of the container with this id.
    Of(String),
    /// Outside any stack: an existing network, or the host's for `host`.
    Foreign(String),
}

impl Attachment {
    /// The engine's word for it.
    pub fn mode(&self) -> String {
        match self {
            Self::Network(name) | Self::Foreign(name) => name.clone(),
            Self::Loopback(_) => "none".to_owned(),
            Self::Of(container) => format!("container:{container}"),
        }
    }

    /// The names the engine writes to the container's hosts file. Whoever shares the namespace shares the file.
    pub fn extra_hosts(&self) -> Vec<String> {
        match self {
            Self::Loopback(names) => names.iter().map(|name| format!("{name}:127.0.0.1")).collect(),
            Self::Network(_) | Self::Of(_) | Self::Foreign(_) => Vec::new(),
        }
    }

    /// The container's own name for itself, which programs look up and must find.
    pub fn hostname(&self) -> Option<&str> {
        match self {
            Self::Loopback(names) => names.first().map(String::as_str),
            // The engine gives it one that resolves there. Containers in one namespace share its host name.
            Self::Network(_) | Self::Of(_) | Self::Foreign(_) => None,
        }
    }

    /// The resolver it is given. Whoever shares a namespace has that one's.
    pub fn resolver(&self) -> Option<&'static str> {
        match self {
            Self::Network(_) | Self::Loopback(_) => Some(NO_RESOLVER),
            Self::Of(_) | Self::Foreign(_) => None,
        }
    }
}

/// How the containers of a stack that is up reach each other, and nothing else.
#[derive(Debug, Clone)]
pub enum StackNetwork {
    /// In the network namespace of the Postgres container, by its id. It has a loopback, and no other interface.
    Loopback(String),
    /// On a network of the stack's own, by its id.
    Bridge(NetworkSpec, String),
}

impl StackNetwork {
    /// How a container joins it.
    pub fn joined(&self) -> Attachment {
        match self {
            Self::Loopback(postgres) => Attachment::Of(postgres.clone()),
            Self::Bridge(network, _) => Attachment::Network(network.name.clone()),
        }
    }
}

/// A container.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// The service it is.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The user it runs as; the image's own if absent.
    pub user: Option<String>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Its command; the image's own if empty.
    pub command: Vec<String>,
    /// Its environment. Values may be secret.
    pub environment: BTreeMap<String, Secret>,
    /// Paths that get an anonymous volume of their own, with its labels.
    pub volumes: BTreeMap<String, Labels>,
    /// Its network namespace.
    pub attachment: Attachment,
    /// Memory limit in bytes.
    pub memory_bytes: u64,
    /// Size of `/dev/shm` in bytes, where parallel queries keep their shared memory.
    pub shm_bytes: u64,
    /// Whether the engine keeps what it writes, on its own disk, for `docker logs`.
    pub logged: bool,
    /// Its labels.
    pub labels: Labels,
}

/// The properties of the engine that a stack depends on.
#[derive(Debug, Clone, Copy)]
pub struct EngineFacts {
    /// Major version of the engine.
    pub major: u32,
    /// The engine's processors.
    pub cpus: u64,
    /// Its memory in bytes.
    pub memory_bytes: u64,
    /// Whether it can filter system calls.
    pub seccomp: bool,
}

/// The most processes a container may have: far above what any of ours need, far below what hurts a host.
pub const PIDS_LIMIT: i64 = 1024;

/// A network of its own for what has no room on one loopback: internal, and without an address for the host on it.
///
/// The host keeps an interface on it all the same, and may hear datagrams there
/// (`docs/isolation.md` has what was measured): the probes decide whether it will do. `internal` alone keeps packets from being routed out, but the host keeps an address on the bridge, and every
/// port it listens on can be reached there. Engine 28 can leave that address out (`gateway_mode_ipv4=isolated`);
/// older ones can keep the bridge from getting it (`inhibit_ipv4`).
pub fn bridge(ownership: &Ownership, engine: EngineFacts) -> NetworkSpec {
    let option = if engine.major >= 28 {
        ("com.docker.network.bridge.gateway_mode_ipv4", "isolated")
    } else {
        ("com.docker.network.bridge.inhibit_ipv4", "true")
    };
    NetworkSpec {
        // Engines may have two networks of one name, and then know neither by it.
        name: format!("{}_net_{}", ownership.project, &ownership.drill_id.to_string()[..8]),
        internal: true,
        options: [(option.0.to_owned(), option.1.to_owned())].into(),
        labels: ownership.network_labels(),
    }
}

/// What a Postgres container needs to know besides its template.
#[derive(Debug)]
pub struct PostgresNeeds<'a> {
    /// The server's name in the stack.
    pub name: &'a ServerName,
    /// The port it listens on.
    pub port: u16,
    /// The image.
    pub image: &'a str,
    /// What the image says about itself.
    pub facts: &'a PostgresImage,
    /// Server settings.
    pub settings: &'a BTreeMap<String, String>,
    /// Libraries to load at the start, if the image has them.
    pub preload: &'a [&'a str],
    /// The superuser's password.
    pub password: &'a Secret,
    /// Memory limit in bytes.
    pub memory_bytes: u64,
}

/// The Postgres container. It runs as `postgres` from its first process on, so it needs no capability at all.
pub fn postgres(ownership: &Ownership, attachment: Attachment, needs: &PostgresNeeds<'_>) -> ContainerSpec {
    let (service, port) = (needs.name.as_str(), needs.port.to_string());
    let mut command = vec!["postgres".to_owned()];
    for (name, value) in needs.settings.iter().chain([(&"port".to_owned(), &port)]) {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let entrypoint = needs.facts.entrypoint.iter().map(String::as_str);
    let environment = [
        ("POSTGRES_USER", Secret::new("postgres")),
        ("POSTGRES_PASSWORD", needs.password.clone()),
        // The default trusts every connection from inside the container; ours must prove themselves like any other.
        // And what is thrown away need not reach the disk.
        ("POSTGRES_INITDB_ARGS", Secret::new("--auth-host=scram-sha-256 --auth-local=trust --no-sync")),
        // And from other containers, whatever the image says: servers of one stack are not each other's superusers.
        ("POSTGRES_HOST_AUTH_METHOD", Secret::new("scram-sha-256")),
        ("PRELOAD", Secret::new(needs.preload.join(" "))),
        // For the image's own entrypoint, and for programs that are run beside the server.
        ("PGPORT", Secret::new(port.as_str())),
    ];
    let mut volumes: BTreeMap<String, Labels> = needs
        .facts
        .data_volumes
        .iter()
        .map(|path| (path.clone(), ownership.volume_labels(service, "data")))
        .collect();
    volumes.insert(SCRATCH.to_owned(), ownership.volume_labels(service, "scratch"));
    ContainerSpec {
        service: service.to_owned(),
        name: container_name(ownership, service),
        image: needs.image.to_owned(),
        user: Some("postgres".to_owned()),
        entrypoint: Some(
            ["bash", "-c", START, "start"].into_iter().chain(entrypoint).map(str::to_owned).collect(),
        ),
        command,
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
        volumes,
        attachment,
        memory_bytes: needs.memory_bytes,
        shm_bytes: (needs.memory_bytes / 4).max(64 * 1024 * 1024),
        logged: true,
        labels: ownership.container_labels(service),
    }
}

/// The container of one of the template's services.
pub fn service(
    ownership: &Ownership,
    attachment: Attachment,
    name: &str,
    service: &template::Service,
    data_volumes: &[String],
) -> ContainerSpec {
    ContainerSpec {
        service: name.to_owned(),
        name: container_name(ownership, name),
        image: service.image.clone(),
        user: service.user.clone(),
        entrypoint: None,
        command: service.command.clone(),
        environment: service.environment.clone(),
        volumes: data_volumes
            .iter()
            .map(|path| (path.clone(), ownership.volume_labels(name, "data")))
            .collect(),
        attachment,
        memory_bytes: service.memory.as_u64(),
        shm_bytes: 64 * 1024 * 1024,
        logged: true,
        labels: ownership.container_labels(name),
    }
}

/// Compose's own naming, so that people find what they expect.
pub fn container_name(ownership: &Ownership, service: &str) -> String {
    format!("{}-{service}-1", ownership.project)
}
