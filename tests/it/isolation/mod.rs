//! That a stack as it is specified can reach nothing, and that one which is not would be caught: each property is
//! loosened for real on the engine, and the assertion or probe that tells is named.
//!
//! Nothing here sends a packet towards an address outside: where a network could route it, only the host's own
//! canary port is tried.

mod drills;
mod lab;

use std::collections::BTreeSet;
use std::time::Duration;

use restore_drill::model::failure::Class;
use restore_drill::model::names::ServerName;
use restore_drill::model::secret::Secret;
use restore_drill::model::verdict::Tuning;
use restore_drill::model::verdict::{Probe, TeardownStatus};
use restore_drill::sandbox::isolation;
use restore_drill::sandbox::postgres_image::PostgresImage;
use restore_drill::sandbox::probe::{self, Attempt, Canary, PlannedProbe, Targets};
use restore_drill::sandbox::short_cut::ShortCut;
use restore_drill::sandbox::spec::{self, Attachment, NetworkSpec, PostgresNeeds};
use restore_drill::sandbox::teardown::teardown;
use restore_drill::target::postgres::{Server, settings};
use restore_drill::template;

use super::fixtures::LIFETIME;
use super::support::wait::{LIMIT, wait_for};
use super::world::{RUNTIME, docker};
use lab::{Lab, connect, on, properties};

const MEMORY: u64 = 256 << 20;

#[test]
fn a_stack_made_as_specified_passes_every_assertion_and_every_probe_and_no_datagram_leaves_it() {
    let lab = Lab::new("lab-good");
    let facts = RUNTIME.block_on(lab.engine.find_image(&lab.postgres)).unwrap().expect("it is on the engine");
    let password = Secret::random();
    let needs = PostgresNeeds {
        name: &ServerName::default(),
        port: template::DEFAULT_PORT,
        image: &lab.postgres,
        facts: &PostgresImage::of(&facts).unwrap(),
        settings: &settings::settings(Tuning::Throwaway, MEMORY, 1, &Default::default(), &Default::default()),
        preload: &[],
        password: &password,
        memory_bytes: MEMORY,
    };
    let loopback = Attachment::Loopback(["postgres", "peer"].map(str::to_owned).into());
    let spec = spec::postgres(&lab.ownership, loopback.clone(), &needs);
    let container = RUNTIME.block_on(lab.engine.create_container(&spec)).unwrap();
    RUNTIME.block_on(lab.engine.start_container(&container)).unwrap();
    let joined = Attachment::Of(container.clone());
    let (_, peer) = lab.idle("peer", joined.clone());
    let server = Server::new(lab.engine.clone(), container.clone(), password);
    RUNTIME.block_on(server.wait_until_ready(LIMIT)).unwrap();

    for (attachment, id) in [(&loopback, &container), (&joined, &peer)] {
        let all = isolation::of_container(attachment, lab.engine.facts(), &lab.observed(id));
        assert_eq!(all.into_iter().filter(|assertion| !assertion.ok).collect::<Vec<_>>(), []);
    }
    assert_eq!(lab.strangers(&[&container, &peer]), Vec::<String>::new());

    let template = template::Isolation {
        unresolvable: vec!["production".to_owned()],
        unreachable: vec!["production:5432".to_owned()],
        ..template::Isolation::default()
    };
    let plan = |canary: &Canary| {
        let host = Some(probe::host_addresses());
        probe::plan(&template, &Targets { loopback_only: true, host, ..Targets::of(canary).unwrap() })
    };
    // From the peer too: names and namespace are the same there.
    for from in [&container, &peer] {
        let probes = lab.probe(from, plan);
        let failed: Vec<&Probe> = probes.iter().filter(|probe| !probe.ok).collect();
        assert!(failed.is_empty(), "{failed:?}");
        let seen = |target: &str| {
            let found = probes.iter().find(|probe| probe.target.starts_with(target));
            found.map(|probe| probe.observed.clone()).unwrap_or_else(|| panic!("{target} is not probed"))
        };
        assert_eq!(seen("other interfaces"), "none");
        assert_eq!(seen("AF_VSOCK"), "refused: Operation not permitted");
        for silent in ["255.255.255.255", "224.0.0.1", "[ff02::1]", &probe::host_addresses()[0].to_string()] {
            let udp = probes
                .iter()
                .find(|probe| probe.target.starts_with(silent) && probe.target.ends_with("/udp"));
            assert_eq!(udp.map(|probe| &*probe.observed), Some("could not be sent"), "{silent}");
        }
        // Programs look up their own host name.
        let own = ["exec", from, "bash", "-c", r#"getent hosts "$(hostname)""#];
        assert_eq!(docker(&own).split_whitespace().next(), Some("127.0.0.1"));
        // The canary is really there: the host itself reaches it.
        assert_eq!(seen("127.0.0.1:"), "heard");
    }

    // What this process connects to inside the stack is the stack's.
    let find = |id: &str| RUNTIME.block_on(ShortCut::find(&lab.engine, id));
    let host = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let reaches = |short_cut: &ShortCut, port| RUNTIME.block_on(short_cut.connect(port)).is_ok();
    for short_cut in [&container, &peer].map(|id| find(id)).iter().flatten() {
        assert!(reaches(short_cut, template::DEFAULT_PORT));
        assert!(!reaches(short_cut, host.local_addr().unwrap().port()));
    }
    let (_, on_host) = lab.idle("beside", Attachment::Foreign("host".to_owned()));
    assert!(find(&on_host).is_none(), "that is no stack");
}

#[test]
fn a_network_that_packets_can_leave_is_caught_by_an_assertion_and_by_the_canary() {
    let lab = Lab::new("lab-routed");
    let network = lab.network(|network| {
        network.internal = false;
        network.options.clear();
    });
    let (_, id) = lab.idle("peer", on(&network));
    // Judged by what a drill asks for.
    let mut asked = network.clone();
    asked.internal = true;
    asked.options = spec::bridge(&lab.ownership, lab.engine.facts()).options;
    let broken = lab.broken(&asked, &[&id]);
    assert_eq!(properties(&broken), ["internal", "no host address"]);
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
    let (_, id) = lab.idle("peer", on(&network));
    let mut asked = network.clone();
    asked.options = spec::bridge(&lab.ownership, lab.engine.facts()).options;
    assert_eq!(properties(&lab.broken(&asked, &[&id])), ["no host address"]);
    let gateways = lab.gateways(&network);
    assert_eq!(gateways.len(), 1);
    assert_eq!(lab.reaches_canary(&id, &gateways), gateways.iter().cloned().collect());
    // And each way to send a datagram is heard.
    let ways = [&*gateways[0], "255.255.255.255", "224.0.0.1"];
    assert_eq!(lab.heard(&id, &ways), ways.map(str::to_owned).into());
}

#[test]
fn datagrams_from_a_bridge_without_an_address_are_heard_wherever_the_host_does_not_look_at_their_source() {
    let lab = Lab::new("lab-datagrams");
    let network = lab.network(|_| {});
    let (_, id) = lab.idle("peer", on(&network));
    assert_eq!(lab.broken(&network, &[&id]), []);
    let bridge = docker(&["network", "inspect", "--format={{slice .Id 0 12}}", &network.name]);
    let filter = |of: &str| -> u8 {
        let path = format!("/proc/sys/net/ipv4/conf/{of}/rp_filter");
        std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
    };
    let looks = filter("all").max(filter(&format!("br-{bridge}"))) > 0;
    let address = probe::host_addresses()[0].to_string();
    let ways = [&*address, "255.255.255.255", "224.0.0.1"];
    let heard = lab.heard(&id, &ways);
    // Silence is that of a datagram that was sent: there is perl, and no route but the bridge's own.
    let sent = lab.probe(&id, |canary| {
        let port = canary.datagram_port().unwrap();
        let send = |to: &str| PlannedProbe {
            attempt: Attempt::Datagram(to.to_owned(), port),
            reason: String::new(),
        };
        ways.map(send).into()
    });
    let expected = if looks { "silent" } else { "heard" };
    for probe in sent.iter().filter(|probe| probe.from == "prober") {
        assert_eq!(probe.observed, expected, "{probe:?}");
    }
    let network_id = docker(&["network", "inspect", "--format={{.Id}}", &network.name]);
    for bridge in [None, Some(&*network_id)] {
        let elsewhere = RUNTIME.block_on(probe::elsewhere(&lab.engine, &id, bridge)).unwrap();
        assert_eq!(elsewhere, None, "the tests run beside the engine");
    }
    let other = RUNTIME.block_on(probe::elsewhere(&lab.engine, &id, Some("0123456789ab"))).unwrap();
    assert!(other.is_some_and(|why| why.contains("network namespace")));
    assert_eq!(heard, if looks { BTreeSet::new() } else { ways.map(str::to_owned).into() });
}

#[test]
fn a_network_with_ipv6_or_a_stranger_on_it_is_caught_by_assertions() {
    let lab = Lab::new("lab-stranger");
    let network = lab.network(|_| {});
    let (spec, id) = lab.idle("peer", on(&network));
    let (_, _stranger) = lab.idle("stranger", on(&network));
    let broken = lab.broken(&network, &[&id]);
    assert_eq!(properties(&broken), ["containers"]);
    assert_eq!(broken[0].expected, spec.name);
    assert!(broken[0].actual.contains("-stranger-1"), "{broken:?}");

    let name = format!("{}_ipv6", lab.ownership.project);
    let template = format!("--label=io.restore-drill.template={}", lab.ownership.template);
    docker(&["network", "create", "--internal", "--ipv6", "--subnet=fd5a:7e57:1::/64", &template, &name]);
    let asked = NetworkSpec { name, ..network };
    assert_eq!(properties(&lab.broken(&asked, &[])), ["ipv6", "no host address"]);
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
        ("--security-opt=no-new-privileges", &[], "security options"),
        ("--security-opt=seccomp", &["--security-opt=seccomp=unconfined"], "security options"),
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
    let (_, prober) = lab.idle("prober", on(&network));
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
        ..template::Isolation::default()
    };
    // What a loopback has none of, this network has.
    let targets = Targets { loopback_only: true, ..Targets::default() };
    let planned = |_: &Canary| probe::plan(&template, &targets);
    // The peer takes a moment until it listens.
    let probes = wait_for(
        || {
            Some(lab.probe(&prober, planned))
                .filter(|probes| probes.iter().any(|probe| probe.observed == "connected"))
        },
        || "the peer does not listen".to_owned(),
    );
    let seen = |target: &str, expect: &str| {
        let found = probes.iter().find(|probe| probe.target == target && probe.expect.to_string() == expect);
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
    assert_eq!(seen("other interfaces", "none"), (false, "up: eth0"));
}

#[test]
fn a_prober_that_cannot_run_proves_nothing() {
    let lab = Lab::new("lab-no-prober");
    let network = lab.network(|_| {});
    let stopped = lab.created(&network, "", &[]);
    let failure = RUNTIME.block_on(async {
        let canary = Canary::open().await.unwrap();
        let planned = [connect("192.0.2.1", 1, "never sent")];
        probe::run(&lab.engine, &stopped, "prober", &planned, &canary, Duration::ZERO).await.unwrap_err()
    });
    assert_eq!(failure.class, Class::Inconclusive);
}

#[test]
fn a_socket_to_the_host_and_its_hypervisor_can_be_opened_without_the_profile() {
    let lab = Lab::new("lab-vsock");
    let network = lab.network(|_| {});
    let label = format!("--label=io.restore-drill.template={}", lab.ownership.template);
    let lax =
        ["run", "--detach", "--pull=never", "--network=none", "--security-opt=seccomp=unconfined", &label];
    let sleep = ["--entrypoint=sleep", &lab.postgres, LIFETIME];
    let unconfined = docker(&[&lax[..], &sleep].concat());
    let (_, confined) = lab.idle("peer", on(&network));
    let vsock = |id: &str| {
        let plan = |_: &Canary| {
            vec![PlannedProbe { attempt: Attempt::Family("AF_VSOCK", 40), reason: String::new() }]
        };
        lab.probe(id, plan).remove(0).observed
    };
    let without = vsock(&unconfined);
    // A kernel may have no such sockets at all.
    assert!(["opens", "refused: Address family not supported by protocol"].contains(&&*without), "{without}");
    assert_eq!(vsock(&confined), "refused: Operation not permitted");
}

#[test]
fn whoever_joins_a_namespace_or_mounts_a_volume_is_seen_and_a_network_is_removed_without_harm_to_others() {
    let lab = Lab::new("lab-joined");
    let network = lab.network(|_| {});
    let (spec, id) = lab.idle("peer", on(&network));
    let stranger = |name: &str, option: &str| {
        let name = format!("{}-{name}", lab.ownership.project);
        let label = format!("--label=io.restore-drill.template={}", lab.ownership.template);
        let named = format!("--name={name}");
        // As what is made of an image that `docker commit` made of the container.
        let drill = format!("--label=io.restore-drill.drill-id={}", lab.ownership.drill_id);
        let copied = format!("--label=io.restore-drill.container={}", spec.name);
        docker(&[
            "run",
            "--detach",
            "--pull=never",
            &label,
            &drill,
            &copied,
            &named,
            option,
            "--entrypoint=sleep",
            &lab.postgres,
            LIFETIME,
        ]);
        name
    };
    let beside = stranger("beside", "--network=bridge");
    assert_eq!(lab.strangers(&[&id]), Vec::<String>::new(), "{beside} shares nothing");
    let inside = stranger("inside", &format!("--network=container:{}", spec.name));
    let above = stranger("above", &format!("--pid=container:{id}"));
    let mut expected =
        vec![format!("{inside}: network of {}", spec.name), format!("{above}: processes of {}", spec.name)];
    expected.sort();
    assert_eq!(lab.strangers(&[&id]), expected);

    docker(&["network", "connect", &network.name, &beside]);
    let broken = lab.broken(&network, &[&id]);
    assert_eq!(properties(&broken), ["containers"]);
    let teardown = RUNTIME.block_on(teardown(&lab.engine, lab.ownership.drill_id, false));
    assert_eq!(teardown.status, TeardownStatus::Clean, "{teardown:?}");
    assert_eq!(teardown.disconnected, [beside.as_str()]);
    assert_eq!((teardown.removed.containers, teardown.removed.networks), (1, 1));
    for other in [&beside, &inside, &above] {
        assert_eq!(docker(&["inspect", "--format={{.Id}}", other]).len(), 64, "{other} is there still");
    }
}
