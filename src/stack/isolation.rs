//! What must be true of a stack so that it can reach nothing. Pure: from what the engine says it made to
//! assertions. [`super::probe`] then tries from inside.

use super::docker::{ObservedContainer, ObservedMount, ObservedNetwork};
use super::spec::{NO_RESOLVER, NetworkSpec};
use crate::verdict::Assertion;

/// Checks the network and its containers against what was asked for. Every assertion is returned, held or not.
pub fn assertions(
    spec: &NetworkSpec,
    network: &ObservedNetwork,
    containers: &[ObservedContainer],
) -> Vec<Assertion> {
    let mut all = network_assertions(spec, network, containers);
    for container in containers {
        all.extend(of_container(spec, container));
    }
    all
}

fn network_assertions(
    spec: &NetworkSpec,
    network: &ObservedNetwork,
    containers: &[ObservedContainer],
) -> Vec<Assertion> {
    let on = Subject(&network.name);
    let mut ours: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    ours.sort_unstable();
    let mut all = vec![
        on.is("driver", "bridge", &network.driver),
        on.is("internal", "true", &network.internal.to_string()),
        on.is("ipv6", "false", &network.ipv6.to_string()),
        on.is("containers", &ours.join(" "), &network.containers.join(" ")),
    ];
    for (option, expected) in &spec.options {
        let actual = network.options.get(option).map_or("unset", String::as_str);
        let expected = format!("{option}={expected}");
        all.push(on.is("no host address", &expected, &format!("{option}={actual}")));
    }
    all
}

/// Checks one container, started or not, against what was asked for.
pub fn of_container(spec: &NetworkSpec, container: &ObservedContainer) -> Vec<Assertion> {
    let on = Subject(&container.name);
    let foreign_mounts = container
        .mounts
        .iter()
        .filter(|mount| !is_anonymous_volume(mount))
        .map(|mount| format!("{} {} on {}", mount.kind, mount.source, mount.destination));
    let shared_namespaces = [
        ("pid", &container.pid_mode),
        ("ipc", &container.ipc_mode),
        ("uts", &container.uts_mode),
        ("user", &container.userns_mode),
    ]
    .into_iter()
    .filter(|(_, mode)| *mode == "host" || mode.starts_with("container:"))
    .map(|(name, mode)| format!("{name}={mode}"));
    let privileges =
        container.cap_add.iter().cloned().chain(container.privileged.then(|| "privileged".to_owned()));
    let published = container
        .published_ports
        .iter()
        .cloned()
        .chain(container.publish_all.then(|| "all exposed ports".to_owned()));
    vec![
        on.is("networks", &spec.name, &container.networks.join(" ")),
        on.is("network mode", &spec.name, &container.network_mode),
        on.none("published ports", published),
        on.none("mounts other than anonymous volumes", foreign_mounts),
        on.none("volumes of other containers", container.volumes_from.iter().cloned()),
        on.none("shared namespaces", shared_namespaces),
        on.none("added privileges", privileges),
        on.none("devices", (container.devices > 0).then(|| container.devices.to_string()).into_iter()),
        on.is("dropped capabilities", "ALL", &container.cap_drop.join(" ")),
        on.is("security options", "no-new-privileges", &container.security_opt.join(" ")),
        on.is("resolvers", NO_RESOLVER, &container.dns.join(" ")),
        on.none("extra hosts", container.extra_hosts.iter().cloned()),
        on.is("restart policy", "no", &container.restart_policy),
        on.holds("process limit", container.pids_limit > 0),
        on.holds("memory limit", container.memory_bytes > 0),
    ]
}

/// The engine names a volume that nobody named by 64 hex digits. A name that somebody gave may be another's data.
fn is_anonymous_volume(mount: &ObservedMount) -> bool {
    let name = &mount.source;
    mount.kind == "volume" && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Subject<'a>(&'a str);

impl Subject<'_> {
    fn is(&self, property: &'static str, expected: &str, actual: &str) -> Assertion {
        Assertion {
            subject: self.0.to_owned(),
            property,
            expected: expected.to_owned(),
            actual: actual.to_owned(),
            ok: expected == actual,
        }
    }

    fn none(&self, property: &'static str, found: impl Iterator<Item = String>) -> Assertion {
        let found: Vec<String> = found.collect();
        let actual = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        self.is(property, "none", &actual)
    }

    fn holds(&self, property: &'static str, holds: bool) -> Assertion {
        self.is(property, "set", if holds { "set" } else { "unset" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How to loosen something, and the property that must tell.
    type Case<T> = (fn(&mut T), &'static str);

    fn spec() -> NetworkSpec {
        NetworkSpec {
            name: "d_net".to_owned(),
            internal: true,
            options: [("com.docker.network.bridge.inhibit_ipv4".to_owned(), "true".to_owned())].into(),
            labels: Default::default(),
        }
    }

    fn network() -> ObservedNetwork {
        ObservedNetwork {
            name: "d_net".to_owned(),
            driver: "bridge".to_owned(),
            internal: true,
            options: spec().options,
            gateways: vec!["172.18.0.1".to_owned()],
            containers: vec!["d-postgres-1".to_owned()],
            ..ObservedNetwork::default()
        }
    }

    fn container() -> ObservedContainer {
        let volume = |name: &str| ObservedMount {
            kind: "volume".to_owned(),
            source: name.to_owned(),
            destination: "/x".to_owned(),
        };
        ObservedContainer {
            name: "d-postgres-1".to_owned(),
            running: true,
            networks: vec!["d_net".to_owned()],
            network_mode: "d_net".to_owned(),
            ipc_mode: "private".to_owned(),
            cap_drop: vec!["ALL".to_owned()],
            security_opt: vec!["no-new-privileges".to_owned()],
            mounts: vec![volume(&"0a1b".repeat(16)), volume(&"2c3d".repeat(16))],
            dns: vec!["127.0.0.1".to_owned()],
            restart_policy: "no".to_owned(),
            pids_limit: 1024,
            memory_bytes: 1 << 30,
            ..ObservedContainer::default()
        }
    }

    fn broken(network: &ObservedNetwork, container: &ObservedContainer) -> Vec<&'static str> {
        assertions(&spec(), network, std::slice::from_ref(container))
            .into_iter()
            .filter(|assertion| !assertion.ok)
            .map(|assertion| assertion.property)
            .collect()
    }

    #[test]
    fn what_was_asked_for_holds() {
        assert_eq!(broken(&network(), &container()), Vec::<&str>::new());
    }

    #[test]
    fn every_loosened_property_of_the_network_is_seen() {
        let cases: [Case<ObservedNetwork>; 5] = [
            (|n| n.internal = false, "internal"),
            (|n| n.ipv6 = true, "ipv6"),
            (|n| n.driver = "macvlan".to_owned(), "driver"),
            (|n| n.options.clear(), "no host address"),
            (|n| n.containers.push("stranger".to_owned()), "containers"),
        ];
        for (loosen, property) in cases {
            let mut network = network();
            loosen(&mut network);
            assert_eq!(broken(&network, &container()), [property]);
        }
    }

    #[test]
    fn every_loosened_property_of_a_container_is_seen() {
        let cases: [Case<ObservedContainer>; 21] = [
            (|c| c.networks.push("bridge".to_owned()), "networks"),
            (|c| c.network_mode = "host".to_owned(), "network mode"),
            (|c| c.published_ports.push("5432/tcp".to_owned()), "published ports"),
            (|c| c.publish_all = true, "published ports"),
            (|c| c.mounts[0].kind = "bind".to_owned(), "mounts other than anonymous volumes"),
            (|c| c.mounts[0].source = "/etc".to_owned(), "mounts other than anonymous volumes"),
            (|c| c.mounts[0].source = "production_data".to_owned(), "mounts other than anonymous volumes"),
            (|c| c.volumes_from.push("other".to_owned()), "volumes of other containers"),
            (|c| c.pid_mode = "host".to_owned(), "shared namespaces"),
            (|c| c.ipc_mode = "container:x".to_owned(), "shared namespaces"),
            (|c| c.uts_mode = "host".to_owned(), "shared namespaces"),
            (|c| c.userns_mode = "host".to_owned(), "shared namespaces"),
            (|c| c.privileged = true, "added privileges"),
            (|c| c.cap_add.push("NET_ADMIN".to_owned()), "added privileges"),
            (|c| c.devices = 1, "devices"),
            (|c| c.cap_drop.clear(), "dropped capabilities"),
            (|c| c.security_opt.clear(), "security options"),
            (|c| c.dns.clear(), "resolvers"),
            (|c| c.extra_hosts.push("prod:10.0.0.1".to_owned()), "extra hosts"),
            (|c| c.restart_policy = "always".to_owned(), "restart policy"),
            (|c| c.memory_bytes = 0, "memory limit"),
        ];
        for (loosen, property) in cases {
            let mut container = container();
            loosen(&mut container);
            assert_eq!(broken(&network(), &container), [property]);
        }
    }
}
