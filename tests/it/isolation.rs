//! That a stack as it is specified can reach nothing, and that one which is not would be caught: each property is
//! loosened for real on the engine, and the assertion or probe that tells is named.
//!
//! Nothing here sends a packet towards an address outside: where a network could route it, only the host's own
//! canary port is tried.

use std::collections::BTreeSet;

use restore_drill::clock::Clock;
use restore_drill::failure::Class;
use restore_drill::names::{DrillId, ProjectName};
use restore_drill::postgres::{Server, settings};
use restore_drill::secret::Secret;
use restore_drill::stack::docker::Engine;
use restore_drill::stack::isolation;
use restore_drill::stack::labels::Ownership;
use restore_drill::stack::owner::Owner;
use restore_drill::stack::postgres_image::PostgresImage;
use restore_drill::stack::probe::{self, Attempt, Canary, Planned};
use restore_drill::stack::spec::{self, ContainerSpec, NetworkSpec, PostgresNeeds};
use restore_drill::template::{self, Tuning};
use restore_drill::verdict::{Assertion, Probe};

use super::fixtures::LIFETIME;
use super::wait::{LIMIT, wait_for};
use super::world::{RUNTIME, docker, image, labelled};

const MEMORY: u64 = 256 << 20;

/// A stack of a test's own. Everything in it carries its label, and goes with this value, also when a test fails.
struct Lab {
    engine: Engine,
    ownership: Ownership,
    postgres: String,
}

impl Lab {
    fn new(name: &str) -> Self {
        let postgres = image("DRILL_POSTGRES_17_IMAGE");
        let now = Clock::system().now();
        // The process keeps suites apart that run at the same time.
        let name = format!("{name}-{}", std::process::id());
        let ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::new(&name.parse().unwrap(), now),
            template: name,
            purpose: "demo",
            owner: Owner::this_process(),
            lease_expires: now + chrono::TimeDelta::hours(1),
            kept: false,
        };
        Self { engine: RUNTIME.block_on(Engine::connect()).unwrap(), ownership, postgres }
    }

    /// The network as a drill makes it, loosened.
    fn network(&self, loosen: impl FnOnce(&mut NetworkSpec)) -> NetworkSpec {
        let mut network = spec::network(&self.ownership, self.engine.facts());
        loosen(&mut network);
        RUNTIME.block_on(self.engine.create_network(&network)).unwrap();
        network
    }

    /// A container as a drill makes its services, that does nothing; started.
    fn idle(&self, service: &str, network: &NetworkSpec) -> (ContainerSpec, String) {
        let text = format!("image = \"{}\"\nuser = \"postgres\"\nmemory = \"64MiB\"", self.postgres);
        let service_of_template: template::Service = toml::from_str(&text).unwrap();
        let mut spec = spec::service(&self.ownership, network, service, &service_of_template, &[]);
        spec.entrypoint = Some(["sleep", LIFETIME].map(str::to_owned).into());
        let id = RUNTIME.block_on(self.engine.create_container(&spec)).unwrap();
        RUNTIME.block_on(self.engine.start_container(&id)).unwrap();
        (spec, id)
    }

    /// The assertions that do not hold.
    fn broken(&self, network: &NetworkSpec, containers: &[&str]) -> Vec<Assertion> {
        let observed = RUNTIME.block_on(self.engine.observe_network(&network.name)).unwrap();
        let containers: Vec<_> = containers
            .iter()
            .map(|id| RUNTIME.block_on(self.engine.observe_container(id)).unwrap())
            .collect();
        let all = isolation::assertions(network, &observed, &containers);
        all.into_iter().filter(|assertion| !assertion.ok).collect()
    }

    fn gateways(&self, network: &NetworkSpec) -> Vec<String> {
        RUNTIME.block_on(self.engine.observe_network(&network.name)).unwrap().gateways
    }

    fn probe(&self, container: &str, planned: &[Planned]) -> Vec<Probe> {
        RUNTIME.block_on(probe::run(&self.engine, container, "prober", planned)).unwrap()
    }

    /// On which of these addresses a container reaches the canary. A busy machine may need more than one attempt.
    fn reaches_canary(&self, container: &str, addresses: &[String]) -> BTreeSet<String> {
        let canary = Canary::open().unwrap();
        let port = canary.port().unwrap();
        let mut reached = BTreeSet::new();
        for _ in 0..5 {
            let left: Vec<&String> = addresses.iter().filter(|address| !reached.contains(*address)).collect();
            let planned: Vec<Planned> =
                left.iter().map(|address| connect(address.as_str(), port, "canary")).collect();
            let probes = self.probe(container, &planned);
            let connected =
                left.iter().zip(probes).filter(|(_, probe)| probe.observed == "connected" && !probe.ok);
            reached.extend(connected.map(|(address, _)| (*address).clone()));
            if reached.len() == addresses.len() {
                break;
            }
        }
        reached
    }

    /// `docker create` with everything a drill's container has, except what is left out, and with something added.
    fn created(&self, network: &NetworkSpec, leave_out: &str, add: &[&str]) -> String {
        let label = format!("--label=io.restore-drill.drill-id={}", self.ownership.drill_id);
        let template = format!("--label=io.restore-drill.template={}", self.ownership.template);
        let on = format!("--network={}", network.name);
        let strict = [
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--dns=127.0.0.1",
            "--pids-limit=100",
            "--memory=64m",
            "--volume=/data",
            &on,
        ];
        let arguments: Vec<&str> = ["create", "--pull=never", &label, &template]
            .into_iter()
            .chain(strict.into_iter().filter(|option| leave_out.is_empty() || !option.starts_with(leave_out)))
            .chain(add.iter().copied())
            .chain([self.postgres.as_str()])
            .collect();
        docker(&arguments)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let label = format!("io.restore-drill.template={}", self.ownership.template);
        for one in labelled(&label) {
            let (kind, id) = one.split_once(' ').expect("written so");
            let remove: &[&str] = match kind {
                "container" => &["rm", "-f", "-v"],
                "network" => &["network", "rm"],
                _ => &["volume", "rm", "-f"],
            };
            let _ = std::process::Command::new("docker").args(remove).arg(id).output();
        }
    }
}

fn connect(host: impl Into<String>, port: u16, reason: &str) -> Planned {
    Planned { attempt: Attempt::Connect(host.into(), port), reason: reason.to_owned() }
}

fn properties(broken: &[Assertion]) -> BTreeSet<&'static str> {
    broken.iter().map(|assertion| assertion.property).collect()
}

#[test]
fn a_stack_made_as_specified_passes_every_assertion_and_every_probe() {
    let lab = Lab::new("lab-good");
    let network = lab.network(|_| {});
    let facts = RUNTIME.block_on(lab.engine.find_image(&lab.postgres)).unwrap().expect("it is on the engine");
    let password = Secret::random();
    let needs = PostgresNeeds {
        image: &lab.postgres,
        facts: &PostgresImage::of(&facts).unwrap(),
        settings: &settings::settings(Tuning::Throwaway, MEMORY, 1, &Default::default()),
        password: &password,
        memory_bytes: MEMORY,
    };
    let spec = spec::postgres(&lab.ownership, &network, &needs);
    let container = RUNTIME.block_on(lab.engine.create_container(&spec)).unwrap();
    RUNTIME.block_on(lab.engine.start_container(&container)).unwrap();
    let (_, peer) = lab.idle("peer", &network);
    let server = Server { engine: lab.engine.clone(), container: container.clone(), password };
    RUNTIME.block_on(server.wait_until_ready(LIMIT)).unwrap();

    assert_eq!(lab.broken(&network, &[&container, &peer]), []);

    let canary = Canary::open().unwrap();
    let port = canary.port().unwrap();
    let template = template::Isolation {
        unresolvable: vec!["production".to_owned()],
        unreachable: vec!["production:5432".to_owned()],
    };
    let gateways = lab.gateways(&network);
    assert!(!gateways.is_empty(), "there is a gateway to try");
    let planned = probe::plan(&template, &gateways, &probe::host_addresses(), port);
    let probes = lab.probe(&container, &planned);
    let failed: Vec<&Probe> = probes.iter().filter(|probe| !probe.ok).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(probes.len(), planned.len());

    // The canary is really there: the host itself reaches it.
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
}

#[test]
fn a_network_that_packets_can_leave_is_caught_by_an_assertion_and_by_the_canary() {
    let lab = Lab::new("lab-routed");
    let network = lab.network(|network| {
        network.internal = false;
        network.options.clear();
    });
    let (_, id) = lab.idle("peer", &network);
    // Judged by what a drill asks for.
    let mut asked = network.clone();
    asked.internal = true;
    asked.options = spec::network(&lab.ownership, lab.engine.facts()).options;
    let broken = lab.broken(&asked, &[&id]);
    assert_eq!(properties(&broken), BTreeSet::from(["internal", "no host address"]));
    // Among the host's addresses is the network's own gateway.
    let addresses = || -> BTreeSet<String> {
        probe::host_addresses().iter().map(ToString::to_string).chain(lab.gateways(&network)).collect()
    };
    let before = addresses();
    let reached = lab.reaches_canary(&id, &before.iter().cloned().collect::<Vec<_>>());
    assert!(lab.gateways(&network).iter().all(|gateway| reached.contains(gateway)), "{reached:?}");
    assert!(reached.len() > 1, "more than the gateway: {reached:?}");
    // Other tests make and remove networks meanwhile, and the host's addresses on them.
    let after = addresses();
    let silent: Vec<&String> = before.intersection(&after).filter(|one| !reached.contains(*one)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn an_internal_network_with_an_address_for_the_host_is_caught_by_an_assertion_and_by_the_canary() {
    let lab = Lab::new("lab-gateway");
    let network = lab.network(|network| network.options.clear());
    let (_, id) = lab.idle("peer", &network);
    let mut asked = network.clone();
    asked.options = spec::network(&lab.ownership, lab.engine.facts()).options;
    assert_eq!(properties(&lab.broken(&asked, &[&id])), BTreeSet::from(["no host address"]));
    let gateways = lab.gateways(&network);
    assert_eq!(gateways.len(), 1);
    assert_eq!(lab.reaches_canary(&id, &gateways), gateways.into_iter().collect());
}

#[test]
fn a_network_with_ipv6_or_a_stranger_on_it_is_caught_by_assertions() {
    let lab = Lab::new("lab-stranger");
    let network = lab.network(|_| {});
    let (spec, id) = lab.idle("peer", &network);
    let (_, _stranger) = lab.idle("stranger", &network);
    let broken = lab.broken(&network, &[&id]);
    assert_eq!(properties(&broken), BTreeSet::from(["containers"]));
    assert_eq!(broken[0].expected, spec.name);
    assert!(broken[0].actual.contains("-stranger-1"), "{broken:?}");

    let name = format!("{}_ipv6", lab.ownership.project);
    let template = format!("--label=io.restore-drill.template={}", lab.ownership.template);
    docker(&["network", "create", "--internal", "--ipv6", "--subnet=fd5a:7e57:1::/64", &template, &name]);
    let asked = NetworkSpec { name, ..network };
    assert_eq!(properties(&lab.broken(&asked, &[])), BTreeSet::from(["ipv6", "no host address"]));
}

#[test]
fn every_way_to_loosen_a_container_is_caught_by_the_assertion_about_it() {
    let lab = Lab::new("lab-container");
    let network = lab.network(|_| {});
    let other = lab.created(&network, "", &[]);
    let volume = format!("{}_named", lab.ownership.project);
    let template = format!("--label=io.restore-drill.template={}", lab.ownership.template);
    docker(&["volume", "create", &template, &volume]);
    let (named, from) = (format!("--volume={volume}:/x"), format!("--volumes-from={other}"));
    let cases: [(&str, &[&str], &str); 22] = [
        ("--cap-drop", &[], "dropped capabilities"),
        ("--security-opt", &[], "security options"),
        ("", &["--security-opt=seccomp=unconfined"], "security options"),
        ("--dns", &[], "resolvers"),
        ("--dns", &["--dns=192.0.2.1"], "resolvers"),
        ("--pids-limit", &[], "process limit"),
        ("--memory", &[], "memory limit"),
        ("", &["--publish=127.0.0.1::5432"], "published ports"),
        ("", &["--publish-all"], "published ports"),
        ("", &["--volume=/usr/share:/x:ro"], "mounts other than anonymous volumes"),
        ("", &["--mount=type=tmpfs,target=/x"], "mounts other than anonymous volumes"),
        ("", &[&named], "mounts other than anonymous volumes"),
        ("", &[&from], "volumes of other containers"),
        ("", &["--pid=host"], "shared namespaces"),
        ("", &["--ipc=host"], "shared namespaces"),
        ("", &["--uts=host"], "shared namespaces"),
        ("", &["--userns=host"], "shared namespaces"),
        ("", &["--privileged"], "added privileges"),
        ("", &["--cap-add=NET_ADMIN"], "added privileges"),
        ("", &["--device=/dev/null"], "devices"),
        ("", &["--add-host=production:192.0.2.1"], "extra hosts"),
        ("", &["--restart=always"], "restart policy"),
    ];
    let of_container = |id: &str| {
        let broken = lab.broken(&network, &[id]);
        // Containers that were never started are not on their network yet; that is not what is asked here.
        properties(&broken).into_iter().filter(|property| *property != "containers").collect::<Vec<_>>()
    };
    assert_eq!(of_container(&other), Vec::<&str>::new(), "what all the others begin with holds");
    for (leave_out, add, property) in cases {
        let id = lab.created(&network, leave_out, add);
        let mut broken = of_container(&id);
        // To some of these the engine adds a security option of its own accord.
        broken.retain(|seen| *seen != "security options" || property == "security options");
        assert_eq!(broken, [property], "without {leave_out:?}, with {add:?}");
    }
    let on_host = lab.created(&network, "--network", &["--network=host"]);
    assert_eq!(of_container(&on_host), ["network mode", "networks"]);
    let joined = lab.created(&network, "", &[]);
    docker(&["network", "connect", "bridge", &joined]);
    assert_eq!(of_container(&joined), ["networks"]);
}

#[test]
fn every_kind_of_probe_can_fail() {
    let lab = Lab::new("lab-probes");
    let network = lab.network(|_| {});
    let (_, prober) = lab.idle("prober", &network);
    // A peer that answers to the names that must not resolve, and listens where nothing may.
    let label = format!("--label=io.restore-drill.template={}", lab.ownership.template);
    let on = format!("--network={}", network.name);
    let listen = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 5999, Listen => 5) or die; sleep {LIFETIME}"
    );
    docker(&[
        "run",
        "--detach",
        "--pull=never",
        &label,
        &on,
        "--network-alias=example.com",
        "--network-alias=host.docker.internal",
        "--network-alias=production",
        "--entrypoint=perl",
        &lab.postgres,
        "-e",
        &listen,
    ]);
    let template = template::Isolation {
        unresolvable: vec!["production".to_owned()],
        unreachable: vec!["production:5999".to_owned(), "production:5998".to_owned()],
    };
    let planned: Vec<Planned> = probe::plan(&template, &[], &[], 1);
    // The peer takes a moment until it listens.
    let probes = wait_for(
        || {
            Some(lab.probe(&prober, &planned))
                .filter(|probes| probes.iter().any(|probe| probe.observed == "connected"))
        },
        || "the peer does not listen".to_owned(),
    );
    let seen = |target: &str, expect: &str| {
        let found = probes.iter().find(|probe| probe.target == target && probe.expect == expect);
        let probe = found.unwrap_or_else(|| panic!("{target} was not probed"));
        (probe.ok, probe.observed.split(" to ").next().unwrap_or_default())
    };
    assert_eq!(seen("example.com", "unresolvable"), (false, "resolves"));
    assert_eq!(seen("host.docker.internal", "unresolvable"), (false, "resolves"));
    assert_eq!(seen("production", "unresolvable"), (false, "resolves"));
    assert_eq!(seen("production:5999", "unreachable"), (false, "connected"));
    assert_eq!(seen("production:5998", "unreachable"), (false, "refused: the address answers"));
    // There is no Postgres in this stack, so the control fails, and nothing that did not answer would count.
    assert_eq!(seen("postgres:5432", "reachable"), (false, "does not resolve"));
    assert!(seen("169.254.169.254:80", "unreachable").0);
}

#[test]
fn a_prober_that_cannot_run_proves_nothing() {
    let lab = Lab::new("lab-no-prober");
    let network = lab.network(|_| {});
    let stopped = lab.created(&network, "", &[]);
    let planned = [connect("192.0.2.1", 1, "never sent")];
    let failure = RUNTIME.block_on(probe::run(&lab.engine, &stopped, "prober", &planned)).unwrap_err();
    assert_eq!(failure.class, Class::Inconclusive);
}
