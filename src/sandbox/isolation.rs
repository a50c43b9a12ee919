//! What must be true of a stack so that it can reach nothing. Pure: from what the engine says it made to
//! assertions. [`super::probe`] then tries from inside.

use super::docker::{ObservedContainer, ObservedMount, ObservedNetwork};
use super::seccomp;
use super::spec::{Attachment, EngineFacts, NetworkSpec};
use crate::model::names::ProjectName;
use crate::model::verdict::Assertion;

/// Checks the stack's own network, and that no other container is on it.
pub fn of_network(spec: &NetworkSpec, network: &ObservedNetwork, ours: &[&str]) -> Vec<Assertion> {
    let on = Subject(&network.name);
    let mut ours = ours.to_vec();
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

/// Checks that no container outside the stack shares a namespace or a volume with it.
pub fn of_strangers(project: &ProjectName, strangers: &[String]) -> Assertion {
    Subject(project.as_str()).none("shared with other containers", strangers.iter().cloned())
}

/// Checks one container, started or not, against what was asked for.
pub fn of_container(
    attachment: &Attachment,
    engine: EngineFacts,
    container: &ObservedContainer,
) -> Vec<Assertion> {
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
    let networks = match attachment {
        // Whoever joins a namespace is on no network by itself, and for a loopback the engine's word is the same.
        Attachment::Of(_) => "none".to_owned(),
        Attachment::Network(_) | Attachment::Loopback(_) | Attachment::Foreign(_) => attachment.mode(),
    };
    let words = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(" ") };
    vec![
        on.is("networks", &networks, &words(&container.networks)),
        on.is("network mode", &attachment.mode(), &container.network_mode),
        on.none("published ports", published),
        on.none("mounts other than anonymous volumes", foreign_mounts),
        on.none("volumes of other containers", container.volumes_from.iter().cloned()),
        on.none("shared namespaces", shared_namespaces),
        on.none("added privileges", privileges),
        on.none("devices", (container.devices > 0).then(|| container.devices.to_string()).into_iter()),
        on.is("dropped capabilities", "ALL", &container.cap_drop.join(" ")),
        on.is(
            "security options",
            &seccomp::in_words(&seccomp::security_options(engine)),
            &seccomp::in_words(&container.security_opt),
        ),
        on.is("resolvers", attachment.resolver().unwrap_or("none"), &words(&container.dns)),
        on.is("extra hosts", &words(&attachment.extra_hosts()), &words(&container.extra_hosts)),
        on.is("restart policy", "no", &container.restart_policy),
        on.holds("process limit", container.pids_limit > 0),
        on.holds("memory limit", container.memory_bytes > 0),
    ]
}

/// The engine names an anonymous volume with 64 hex digits. A volume with a given name may hold the data of others.
fn is_anonymous_volume(mount: &ObservedMount) -> bool {
    let name = &mount.source;
    mount.kind == "volume" && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Subject<'a>(&'a str);

impl Subject<'_> {
    fn is(&self, property: &'static str, expected: &str, actual: &str) -> Assertion {
        Assertion {
            subject: self.0.to_owned(),
            property: property.into(),
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
    use std::borrow::Cow;

    use super::*;

    /// How to loosen something, and the property that must show it.
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
            security_opt: seccomp::security_options(ENGINE),
            mounts: vec![volume(&"0a1b".repeat(16)), volume(&"2c3d".repeat(16))],
            dns: vec!["127.0.0.1".to_owned()],
            restart_policy: "no".to_owned(),
            pids_limit: 1024,
            memory_bytes: 1 << 30,
            ..ObservedContainer::default()
        }
    }

    const ENGINE: EngineFacts = EngineFacts { major: 20, cpus: 2, memory_bytes: 1 << 32, seccomp: true };

    fn properties(assertions: Vec<Assertion>) -> Vec<Cow<'static, str>> {
        assertions.into_iter().filter(|one| !one.ok).map(|assertion| assertion.property).collect()
    }

    fn broken(network: &ObservedNetwork, container: &ObservedContainer) -> Vec<Cow<'static, str>> {
        let mut all = of_network(&spec(), network, &[&container.name]);
        all.extend(of_container(&Attachment::Network(spec().name), ENGINE, container));
        properties(all)
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
        let cases: [Case<ObservedContainer>; 23] = [
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
            (|c| drop(c.security_opt.pop()), "security options"),
            (|c| c.security_opt[1] = "seccomp=unconfined".to_owned(), "security options"),
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

    #[test]
    fn a_container_on_a_loopback_is_on_no_network_and_one_that_joins_it_shares_its_names() {
        let names = ["postgres", "cache"].map(str::to_owned).to_vec();
        let loopback = Attachment::Loopback(names);
        let alone = ObservedContainer {
            networks: vec!["none".to_owned()],
            network_mode: "none".to_owned(),
            extra_hosts: vec!["postgres:127.0.0.1".to_owned(), "cache:127.0.0.1".to_owned()],
            ..container()
        };
        let of = |attachment: &Attachment, container: &ObservedContainer| {
            properties(of_container(attachment, ENGINE, container))
        };
        assert_eq!(of(&loopback, &alone), Vec::<&str>::new());
        // The engine refuses to connect it to a network, unless it is disconnected from `none` before.
        let moved = ObservedContainer { networks: vec!["bridge".to_owned()], ..alone.clone() };
        assert_eq!(of(&loopback, &moved), ["networks"]);
        let other_names = ObservedContainer { extra_hosts: vec!["postgres:10.0.0.1".to_owned()], ..alone };
        assert_eq!(of(&loopback, &other_names), ["extra hosts"]);

        let joined = Attachment::Of("0a1b".to_owned());
        let joining = ObservedContainer {
            networks: Vec::new(),
            network_mode: "container:0a1b".to_owned(),
            dns: Vec::new(),
            ..container()
        };
        assert_eq!(of(&joined, &joining), Vec::<&str>::new());
        let elsewhere = ObservedContainer { network_mode: "container:ffff".to_owned(), ..joining };
        assert_eq!(of(&joined, &elsewhere), ["network mode"]);
    }

    #[test]
    fn whoever_shares_something_with_the_stack_is_named() {
        let project = ProjectName::new(&"d".parse().unwrap(), Default::default());
        assert!(of_strangers(&project, &[]).ok);
        let seen = of_strangers(&project, &["other: network of d-postgres-1".to_owned()]);
        assert_eq!((seen.ok, &*seen.actual), (false, "other: network of d-postgres-1"));
    }
}
